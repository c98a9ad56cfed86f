package tail

import (
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"syscall"
	"time"
)

// Config says what a Follower follows and how.
type Config struct {
	Path string
	// Rotated is a glob for the rotated versions of the file; empty for those that IsRotatedName knows.
	Rotated string
	Format  Format
	// Header sets the first line of each file apart: it is no line of a chunk but Chunk.Header.
	Header bool
	// IdleFlush is how long nothing must have been written before an unfinished last line counts as finished; 0 holds
	// it until its end is written, as Kafka's FileStreamSource does.
	IdleFlush time.Duration
	// RotateWait is how long nothing must have been written to a file that has been rotated away before it counts as
	// finished, because the writer may still have it open.
	RotateWait time.Duration
	// SleepAfter closes a file in which nothing happened for so long, to save descriptors; 0 never.
	SleepAfter time.Duration
	BlockBytes int
	Log        *slog.Logger
}

// shrinkAfter is the idle time after which a Follower gives its block back.
const shrinkAfter = 5 * time.Second

// Status says what a call of Next found.
type Status uint8

const (
	// Ready means that there is a chunk.
	Ready Status = iota
	// Idle means that everything written so far has been read.
	Idle
	// Missing means that there is no file under the path yet, or any more.
	Missing
)

// Follower follows one path. It belongs to one goroutine.
type Follower struct {
	cfg      Config
	scan     *Scanner
	at       Offset // behind the last chunk
	in       *input // nil while closed
	file     Candidate
	done     *Candidate // was read to its end and then deleted
	asleep   os.FileInfo
	header   []byte
	resumeAt int64
	quiet    time.Time // when there was last something to read
	ended    bool      // the last read found the end
	modified time.Time // of the file, when its end was last found
	rotates  bool
}

// NewFollower returns a Follower that will go on at an offset; the zero Offset is the beginning. It opens nothing yet.
func NewFollower(cfg Config, at Offset) *Follower {
	return &Follower{cfg: cfg, at: at, scan: NewScanner(cfg.Format, cfg.BlockBytes)}
}

// Path is the followed path.
func (f *Follower) Path() string { return f.cfg.Path }

// Rotates tells whether there were rotated versions of the file, or one was rotated, truncated or replaced meanwhile:
// then a position alone is not enough to find the place again.
func (f *Follower) Rotates() bool { return f.rotates }

// Close closes the file. Next opens it again.
func (f *Follower) Close() {
	if f.in != nil {
		f.in.close()
		f.in = nil
	}
}

// Next returns up to limit lines. It reads what is there and does not wait for more. After an error it can be called
// again, which tries the same again.
func (f *Follower) Next(now time.Time, limit int) (Chunk, Status, error) {
	for {
		if f.in == nil {
			if status, err := f.open(now); err != nil || f.in == nil {
				return Chunk{}, status, err
			}
		}
		chunk, ok, err := f.scan.Next(f.limit(limit), false)
		if err != nil {
			return Chunk{}, Idle, err
		}
		if ok {
			if f.takeHeader(chunk) {
				if err := f.skipRead(); err != nil {
					return Chunk{}, Idle, f.explain(err)
				}
				continue
			}
			return f.deliver(chunk), Ready, nil
		}
		n, err := f.in.read(f.scan.Space())
		switch {
		case n > 0 && f.ended && !f.in.holds(f.scan.Tail(), f.scan.Position()):
			f.rewritten("the file was rewritten in place")
		case n > 0:
			f.ended, f.quiet = false, now
			f.scan.Added(n)
		case errors.Is(err, io.EOF):
			chunk, status, again, err := f.atEnd(now, limit)
			if !again {
				return chunk, status, err
			}
		case err != nil:
			return Chunk{}, Idle, f.explain(err)
		}
	}
}

// open decides which file to read, and opens it. Without one, f.in stays nil.
func (f *Follower) open(now time.Time) (Status, error) {
	if f.asleep != nil {
		info, err := os.Stat(f.cfg.Path)
		if err == nil && os.SameFile(info, f.asleep) && info.Size() == f.asleep.Size() &&
			info.ModTime().Equal(f.asleep.ModTime()) {
			return Idle, nil
		}
		f.asleep = nil
	}
	view, err := look(f.cfg.Path, f.cfg.Rotated, f.at)
	if err != nil {
		return Missing, f.explain(err)
	}
	f.rotates = f.rotates || len(view.Rotated) > 0
	var choice Choice
	var found bool
	if f.done != nil {
		choice, found = After(*f.done, view)
	} else {
		choice, found = Resume(f.at, view)
	}
	if !found {
		return Missing, nil
	}
	return Missing, f.start(choice, now)
}

// start opens the chosen file at the chosen place. If it has changed since it was seen, f.in stays nil.
func (f *Follower) start(choice Choice, now time.Time) error {
	in, err := openInput(choice.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return f.explain(err)
	}
	info, err := in.file.Stat()
	if err != nil || inode(info) != choice.Inode {
		in.close()
		return f.explain(err)
	}
	before, err := in.seek(choice.Position)
	if errors.Is(err, errShort) && choice.Gzip {
		choice.Position, choice.Lost = 0, "the gzip file is shorter than the stored position"
		before, err = in.seek(0)
	}
	if err == nil && f.cfg.Header && choice.Position > 0 {
		_, err = in.seek(0)
	}
	if err != nil {
		in.close()
		if errors.Is(err, errShort) {
			return nil // truncated this very moment: look again
		}
		return f.explain(err)
	}
	if choice.Lost != "" {
		f.cfg.Log.Warn("reading starts again at the beginning of the file", "file", choice.Path,
			"reason", choice.Lost, "stopped_at", f.at.Position)
	}
	f.in, f.file, f.done, f.header = in, choice.Candidate, nil, nil
	f.at = Offset{Position: choice.Position, Inode: choice.Inode, Print: printOf(before)}
	f.resumeAt = choice.Position
	f.scan.Reset(choice.Position, before)
	if f.cfg.Header {
		f.scan.Reset(0, nil)
	}
	f.quiet, f.ended = now, false
	return nil
}

func (f *Follower) limit(limit int) int {
	if f.cfg.Header && f.header == nil {
		return 1
	}
	return limit
}

// takeHeader takes the first line of a file for its header, if the file has one.
func (f *Follower) takeHeader(chunk Chunk) bool {
	if !f.cfg.Header || f.header != nil {
		return false
	}
	line := chunk.Lines[0]
	f.header = append([]byte{}, chunk.Data[line.Start:line.End]...)
	return true
}

// skipRead goes from behind the header to where reading stopped.
func (f *Follower) skipRead() error {
	if f.resumeAt <= f.scan.Position() {
		return nil
	}
	before, err := f.in.seek(f.resumeAt)
	if err != nil {
		return err
	}
	f.scan.Reset(f.resumeAt, before)
	return nil
}

func (f *Follower) deliver(chunk Chunk) Chunk {
	chunk.End.Inode = f.file.Inode
	chunk.Header = f.header
	f.at = chunk.End
	return chunk
}

// atEnd decides what the end of the open file means. With again set, Next has to try once more.
func (f *Follower) atEnd(now time.Time, limit int) (chunk Chunk, status Status, again bool, err error) {
	f.ended = true
	info, err := f.in.file.Stat()
	if err != nil {
		return chunk, Idle, false, f.explain(err)
	}
	switch {
	case f.in.grew(info):
		f.ended = false
		if _, err := f.in.seek(f.scan.ReadPosition()); err != nil {
			f.rewritten("the gzip file was rewritten")
		}
		return chunk, Idle, true, nil
	case !f.in.zip && info.Size() < f.scan.ReadPosition():
		f.rewritten("the file was truncated")
		return chunk, Idle, true, nil
	case !info.ModTime().Equal(f.modified):
		// Written to since the last look, yet no longer: perhaps truncated and filled again to the same length.
		f.modified = info.ModTime()
		if !f.in.holds(f.scan.Tail(), f.scan.Position()) {
			f.rewritten("the file was rewritten in place")
			return chunk, Idle, true, nil
		}
	}
	current, err := os.Stat(f.cfg.Path)
	switch {
	case err == nil && inode(current) == f.file.Inode:
		return f.atCurrentEnd(now, limit, info)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return chunk, Idle, false, f.explain(err)
	}
	return f.atRotatedEnd(now, limit, info, err != nil)
}

// atCurrentEnd is for the end of the file that has the path: there may come more.
func (f *Follower) atCurrentEnd(now time.Time, limit int, info os.FileInfo) (Chunk, Status, bool, error) {
	idle := now.Sub(f.quiet)
	if f.cfg.IdleFlush > 0 && idle >= f.cfg.IdleFlush && (f.header != nil || !f.cfg.Header) {
		switch chunk, ok, err := f.scan.Next(limit, true); {
		case err != nil:
			return Chunk{}, Idle, false, err
		case ok:
			return f.deliver(chunk), Ready, false, nil
		}
	}
	if idle >= shrinkAfter {
		f.scan.Shrink()
	}
	if f.cfg.SleepAfter > 0 && idle >= f.cfg.SleepAfter && (f.cfg.IdleFlush == 0 || f.scan.Held() == 0) {
		f.Close()
		f.asleep = info
	}
	return Chunk{}, Idle, false, nil
}

// atRotatedEnd is for the end of a file that has lost the path, by renaming or deletion. Nothing will follow its last
// line, so that line needs no end; then comes the next younger file.
func (f *Follower) atRotatedEnd(now time.Time, limit int, info os.FileInfo, missing bool) (Chunk, Status, bool, error) {
	status := Idle
	if missing {
		status = Missing
	}
	if now.Sub(f.quiet) < f.cfg.RotateWait {
		return Chunk{}, status, false, nil
	}
	f.rotates = true
	switch chunk, ok, err := f.scan.Next(f.limit(limit), true); {
	case err != nil:
		return Chunk{}, Idle, false, err
	case ok && f.takeHeader(chunk):
		return Chunk{}, Idle, true, nil
	case ok:
		return f.deliver(chunk), Ready, false, nil
	}
	done := f.file
	done.Modified = info.ModTime()
	view, err := look(f.cfg.Path, f.cfg.Rotated, f.at)
	if err != nil {
		return Chunk{}, status, false, f.explain(err)
	}
	choice, found := After(done, view)
	if !found {
		if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Nlink == 0 {
			f.Close() // deleted: let its blocks go
			f.done = &done
		}
		return Chunk{}, status, false, nil
	}
	f.cfg.Log.Info("the file was read to its end and has been replaced", "file", f.cfg.Path, "next", choice.Path)
	f.Close()
	f.done = &done
	return Chunk{}, Idle, true, f.start(choice, now)
}

// rewritten leaves a file whose content is no longer what was read: its old content may live on elsewhere.
func (f *Follower) rewritten(why string) {
	f.cfg.Log.Info(why, "file", f.file.Path, "read_bytes", f.at.Position)
	f.rotates = true
	f.Close()
}

func (f *Follower) explain(err error) error {
	if err == nil {
		return nil
	}
	return Explain(err, f.cfg.Path)
}
