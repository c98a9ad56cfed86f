package process

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode"
)

// Bounds of what is read from a plugin's stdout and stderr (I-3).
const (
	maxLineBytes      = 8 << 10  // the rest of a longer line is dropped and counted
	maxLinesPerSecond = 200      // lines beyond it are counted, not logged
	burstLines        = 1000     // lines that may come at once
	maxBytesPerSecond = 16 << 20 // beyond it the reader pauses, so that the plugin blocks and not the host
	readBufferBytes   = 16 << 10
	tailLines         = 20
	maxLogAttrs       = 16
)

// tail keeps the last lines of output for error messages. Lines come from two readers.
type tail struct {
	mu    sync.Mutex
	lines []string
}

func (t *tail) add(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.lines) == tailLines {
		copy(t.lines, t.lines[1:])
		t.lines = t.lines[:tailLines-1]
	}
	t.lines = append(t.lines, line)
}

func (t *tail) snapshot() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string(nil), t.lines...)
}

// lineSplitter cuts a byte stream into lines of bounded length.
type lineSplitter struct {
	partial []byte
	cut     int // bytes of the current line that were dropped
	line    func(line []byte, cutBytes int)
}

func (s *lineSplitter) write(p []byte) {
	for len(p) > 0 {
		end := bytes.IndexByte(p, '\n')
		part := p
		if end >= 0 {
			part, p = p[:end], p[end+1:]
		} else {
			p = nil
		}
		room := maxLineBytes - len(s.partial)
		if room < len(part) {
			s.cut += len(part) - room
			part = part[:room]
		}
		s.partial = append(s.partial, part...)
		if end >= 0 {
			s.flush()
		}
	}
}

func (s *lineSplitter) flush() {
	if len(s.partial) == 0 && s.cut == 0 {
		return
	}
	s.line(bytes.TrimSuffix(s.partial, []byte("\r")), s.cut)
	s.partial, s.cut = s.partial[:0], 0
}

// Rate is a token bucket. It is used by one goroutine.
type Rate struct {
	perSecond, burst, tokens float64
	last                     time.Time
}

// NewRate makes a full bucket of burst tokens that gains perSecond tokens a second.
func NewRate(perSecond, burst float64) *Rate {
	return &Rate{perSecond: perSecond, burst: burst, tokens: burst}
}

// Take takes n tokens at time now and returns how long to wait until the bucket is out of debt.
func (r *Rate) Take(n float64, now time.Time) time.Duration {
	if !r.last.IsZero() {
		r.tokens = min(r.burst, r.tokens+now.Sub(r.last).Seconds()*r.perSecond)
	}
	r.last = now
	r.tokens -= n
	if r.tokens >= 0 {
		return 0
	}
	return time.Duration(-r.tokens / r.perSecond * float64(time.Second))
}

// outputReader reads one of the plugin's output pipes until its end and hands lines to the log. It is the only reader,
// so that go-plugin has nothing to parse.
type outputReader struct {
	logger   *slog.Logger
	mask     func(string) string
	tail     *tail
	stream   string // "stderr" or "stdout"
	lines    *Rate
	bytes    *Rate
	dropped  int
	lastNote time.Time
	// intercept sees a line first; true means that it took it. Used for the handshake.
	intercept func(line []byte, total int) bool
	total     int
}

func newOutputReader(logger *slog.Logger, mask func(string) string, tail *tail, stream string) *outputReader {
	return &outputReader{
		logger: logger, mask: mask, tail: tail, stream: stream,
		lines: NewRate(maxLinesPerSecond, burstLines),
		bytes: NewRate(maxBytesPerSecond, maxBytesPerSecond),
	}
}

// run reads until the end of the pipe or its deadline.
func (o *outputReader) run(pipe io.Reader, dead <-chan struct{}) {
	splitter := lineSplitter{line: o.line}
	buffer := make([]byte, readBufferBytes)
	for {
		n, err := pipe.Read(buffer)
		o.total += n
		splitter.write(buffer[:n])
		if err != nil {
			break
		}
		o.pause(n, dead)
	}
	splitter.flush()
	o.noteDropped(time.Now(), true)
}

func (o *outputReader) line(raw []byte, cutBytes int) {
	if o.intercept != nil && o.intercept(raw, o.total) {
		return
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return
	}
	now := time.Now()
	// Before masking: a flood must stay cheap.
	over := o.lines.Take(1, now) > 0
	if over {
		o.lines.tokens++ // a dropped line costs nothing
		o.dropped++
		o.noteDropped(now, false)
		if o.dropped%64 != 1 { // the tail need not follow every line of a flood
			return
		}
	}
	text := printable(raw)
	if cutBytes > 0 {
		text += fmt.Sprintf(" … (%d bytes cut)", cutBytes)
	}
	text = o.mask(text)
	o.tail.add(text)
	if over {
		return
	}
	level, message, attrs := parseLine(text)
	if o.stream == "stdout" {
		attrs = append(attrs, slog.String("stream", o.stream))
	}
	o.logger.LogAttrs(context.Background(), level, message, attrs...)
}

// LogWriter takes output of the plugin that came by another way than its pipes (go-plugin's stdio service), under the same
// bounds. Write blocks while the plugin is over its rate. One goroutine writes.
type LogWriter struct {
	reader   *outputReader
	splitter lineSplitter
	dead     <-chan struct{}
}

// LogWriter makes a writer for "stdout" or "stderr".
func (p *Process) LogWriter(stream string) *LogWriter {
	w := &LogWriter{reader: newOutputReader(p.logger, p.command.mask, &p.tail, stream), dead: p.dead}
	w.splitter.line = w.reader.line
	return w
}

func (w *LogWriter) Write(data []byte) (int, error) {
	w.splitter.write(data)
	w.reader.pause(len(data), w.dead)
	return len(data), nil
}

// pause waits while the plugin is over its byte rate. A dead plugin's rest is read without pause.
func (o *outputReader) pause(n int, dead <-chan struct{}) {
	wait := o.bytes.Take(float64(n), time.Now())
	if wait <= 0 {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-dead:
	}
}

// printable makes a line fit for a log and a terminal: valid UTF-8 without control characters but the tab.
func printable(raw []byte) string {
	text := strings.ToValidUTF8(string(raw), "\uFFFD")
	return strings.Map(func(r rune) rune {
		if r != '\t' && unicode.IsControl(r) {
			return '\uFFFD'
		}
		return r
	}, text)
}

// noteDropped tells once a second that lines were dropped, and at the end (last).
func (o *outputReader) noteDropped(now time.Time, last bool) {
	if o.dropped == 0 || !last && now.Sub(o.lastNote) < time.Second {
		return
	}
	o.lastNote = now
	o.logger.Warn("the plugin prints too much, lines were dropped", "stream", o.stream, "dropped_lines", o.dropped)
	o.dropped = 0
}

// parseLine finds level, message and attributes in a line of a plugin's log: a JSON object in the style of hclog, zap
// or slog, a "[LEVEL]" prefix, or anything else, which is information. It never fails: a JSON line of another form is
// taken as text.
func parseLine(line string) (slog.Level, string, []slog.Attr) {
	if strings.HasPrefix(line, "{") {
		var fields map[string]any
		if json.Unmarshal([]byte(line), &fields) == nil {
			if message, ok := firstString(fields, "@message", "message", "msg"); ok {
				levelText, _ := firstString(fields, "@level", "level", "severity")
				level, _ := parseLevel(levelText)
				return level, message, jsonAttrs(fields)
			}
		}
		return slog.LevelInfo, line, nil
	}
	if rest, found := strings.CutPrefix(line, "["); found {
		if word, message, found := strings.Cut(rest, "]"); found {
			if level, ok := parseLevel(word); ok {
				return level, strings.TrimSpace(message), nil
			}
		}
	}
	if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
		return slog.LevelError, line, nil
	}
	return slog.LevelInfo, line, nil
}

// firstString returns the first of keys that holds a string, and removes every key that it looked at.
func firstString(fields map[string]any, keys ...string) (string, bool) {
	found, ok := "", false
	for _, key := range keys {
		// Checked assertion: go-plugin v1.8.0 panics here (see doc.go).
		text, isText := fields[key].(string)
		if !isText {
			continue
		}
		delete(fields, key)
		if !ok {
			found, ok = text, true
		}
	}
	return found, ok
}

func jsonAttrs(fields map[string]any) []slog.Attr {
	attrs := make([]slog.Attr, 0, min(len(fields), maxLogAttrs))
	for key, value := range fields {
		if key == "@timestamp" || key == "time" || key == "timestamp" || key == "ts" {
			continue
		}
		if len(attrs) == maxLogAttrs {
			break
		}
		attrs = append(attrs, slog.Any(strings.TrimPrefix(key, "@"), value))
	}
	return attrs
}

func parseLevel(word string) (slog.Level, bool) {
	switch strings.ToUpper(word) {
	case "TRACE", "DEBUG":
		return slog.LevelDebug, true
	case "INFO":
		return slog.LevelInfo, true
	case "WARN", "WARNING":
		return slog.LevelWarn, true
	case "ERROR", "FATAL", "PANIC", "CRITICAL":
		return slog.LevelError, true
	default:
		return slog.LevelInfo, false
	}
}
