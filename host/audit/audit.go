package audit

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
	"unicode/utf8"
)

// Outcome says what became of a request.
type Outcome string

// The outcomes.
const (
	Done    Outcome = "done"    // it was carried out
	Failed  Outcome = "failed"  // it was allowed, and answered with an error
	Refused Outcome = "refused" // it was not allowed
)

// Event is one request.
type Event struct {
	Who       string // user:alice, token:…, certificate:…, anonymous
	From      string // address of the client, as the connection has it
	Action    string // such as connector.delete
	Connector string // empty when the request is about none
	Method    string
	Path      string // without the query
	Status    int
	Outcome   Outcome
	Reason    string // why it was refused
}

// maxTextBytes bounds what a client can put into a line.
const maxTextBytes = 256

func (e Event) attributes() []slog.Attr {
	out := []slog.Attr{slog.String("who", bounded(e.Who)), slog.String("from", e.From), slog.String("action", e.Action)}
	if e.Connector != "" {
		out = append(out, slog.String("connector", bounded(e.Connector)))
	}
	out = append(out, slog.String("method", bounded(e.Method)), slog.String("path", bounded(e.Path)), slog.Int("status", e.Status), slog.String("outcome", string(e.Outcome)))
	if e.Reason != "" {
		out = append(out, slog.String("reason", bounded(e.Reason)))
	}
	return out
}

func bounded(text string) string {
	if len(text) <= maxTextBytes {
		return text
	}
	text = text[:maxTextBytes]
	for !utf8.ValidString(text) && len(text) > maxTextBytes-utf8.UTFMax {
		text = text[:len(text)-1]
	}
	return text + "…"
}

// Log is where events go. A nil Log takes none. It is safe for several goroutines.
type Log struct {
	lines *slog.Logger
	reads bool
	file  *file // nil for the worker's log
}

// Options say where events go.
type Options struct {
	// File gets JSON lines; empty means the worker's log.
	File string
	// Reads writes down requests that only read, too.
	Reads bool
	// Logger is the worker's log.
	Logger *slog.Logger
}

// Open opens the log. The error names the file.
func Open(o Options) (*Log, error) {
	if o.File == "" {
		return &Log{lines: o.Logger.With("logger", "audit"), reads: o.Reads}, nil
	}
	f := &file{path: o.File, logger: o.Logger}
	if err := f.open(); err != nil {
		return nil, fmt.Errorf("rest.audit.file: %w", err)
	}
	return &Log{lines: slog.New(slog.NewJSONHandler(f, nil)), reads: o.Reads, file: f}, nil
}

// Write writes an event down. reads tells that the request could change nothing:
// then it is written only when it was refused or when reads are wanted.
func (l *Log) Write(ctx context.Context, e Event, reads bool) {
	if l == nil || reads && !l.reads && e.Outcome != Refused {
		return
	}
	level := slog.LevelInfo
	if e.Outcome == Refused {
		level = slog.LevelWarn
	}
	l.lines.LogAttrs(ctx, level, "audit", e.attributes()...)
}

// Close ends the file.
func (l *Log) Close() error {
	if l == nil || l.file == nil {
		return nil
	}
	return l.file.close()
}

const (
	// lookInterval is how often the file is looked for under its name.
	lookInterval = time.Second
	// tellInterval is how often a failure is told.
	tellInterval = time.Minute
)

// file is an open file that follows its name: when rotation has renamed it, the
// next line goes to a new one.
type file struct {
	path   string
	logger *slog.Logger

	mu     sync.Mutex
	out    *os.File
	looked time.Time
	told   time.Time
}

func (f *file) open() error {
	out, err := os.OpenFile(f.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if f.out != nil {
		_ = f.out.Close()
	}
	f.out = out
	return nil
}

// Write implements io.Writer for one line. It never fails: the request goes on.
func (f *file) Write(line []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var err error
	if now := time.Now(); now.Sub(f.looked) > lookInterval {
		f.looked = now
		if f.moved() {
			err = f.open()
		}
	}
	if err == nil {
		_, err = f.out.Write(line)
	}
	if err != nil && time.Since(f.told) > tellInterval {
		f.told = time.Now()
		f.logger.Error("the audit log cannot be written; events are lost", "file", f.path, "error", err)
	}
	return len(line), nil
}

func (f *file) moved() bool {
	named, err := os.Stat(f.path)
	if err != nil {
		return true
	}
	open, err := f.out.Stat()
	return err != nil || !os.SameFile(named, open)
}

func (f *file) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.out.Close()
}
