package output

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"syscall"
	"time"
)

// Fsync says when written data is forced to the disk.
type Fsync uint8

const (
	// FsyncNever leaves it to the system: a crash of the process loses nothing, one of the machine may.
	FsyncNever Fsync = iota
	// FsyncFlush syncs before each flush returns, so that nothing is committed that is not on the disk.
	FsyncFlush
	// FsyncInterval syncs every Config.FsyncEvery.
	FsyncInterval
)

// Config says what a File does.
type Config struct {
	Path        string
	Fsync       Fsync
	FsyncEvery  time.Duration
	RotateBytes int64         // 0 never
	RotateEvery time.Duration // 0 never; rotations fall on multiples of it, UTC
	Exact       bool
	Log         *slog.Logger
}

// lockSuffix makes the name of the lock file.
const lockSuffix = ".lock"

// bufferBytes is how much is gathered for one write.
const bufferBytes = 256 << 10

// File is an output file. It belongs to one goroutine.
type File struct {
	cfg     Config
	file    *os.File
	lock    *os.File // nil without Exact
	regular bool     // not a pipe, a device or standard output: it can be cut, rotated and synced
	buf     []byte
	size    int64 // of the file, as this File knows it
	written time.Time
	synced  time.Time
	dirty   bool // something was written since the last sync

	// The round under way.
	begun   int64 // size before it
	pending map[Partition]int64

	flushed sidecar // what the sidecar says
	next    map[Partition]int64
}

// ErrInUse says that another File has the same path with Exact: most likely the task that this one replaces, which is
// about to end. Try again soon.
var ErrInUse = errors.New("another task still writes to the file")

// Open opens or creates a file for appending. With Exact it cuts off what was never flushed, and holds a lock for
// as long as it is open, so that a task that was given up but still runs does not write between the lines of
// its successor (I-5).
func Open(cfg Config, now time.Time) (*File, error) {
	f := &File{cfg: cfg, synced: now, next: make(map[Partition]int64), pending: make(map[Partition]int64)}
	var err error
	if cfg.Exact {
		if f.lock, err = lock(cfg.Path); err != nil {
			return nil, err
		}
	}
	err = f.open()
	if err == nil && cfg.Exact {
		if err = f.recover(); err == nil {
			// From now on the sidecar is there before the first line: a line without it would be doubled by a crash.
			err = f.note()
		}
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// recover makes the open file what the sidecar says.
func (f *File) recover() error {
	stored, err := readSidecar(f.cfg.Path + SidecarSuffix)
	if err != nil || stored == nil {
		return err
	}
	f.next = stored.next
	switch {
	case f.size == 0: // renamed by a rotation, or moved away
	case f.size < stored.size:
		return fmt.Errorf("%s has %d bytes, but %s%s says that %d were written: something else cut it. Restore the file, "+
			"or move both files away and reset the connector's offsets to write everything again",
			f.cfg.Path, f.size, f.cfg.Path, SidecarSuffix, stored.size)
	case f.size > stored.size:
		f.cfg.Log.Info("cut off what was written after the last flush; it comes again", "file", f.cfg.Path,
			"bytes", f.size-stored.size)
		if err := f.file.Truncate(stored.size); err != nil {
			return writeError("cut", f.cfg.Path, err)
		}
		f.size, f.begun = stored.size, stored.size
	}
	return nil
}

func (f *File) open() error {
	//nolint:gosec // readers are other users' programs; the umask decides, as with Kafka's sink
	file, err := os.OpenFile(f.cfg.Path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return writeError(doingOpen, f.cfg.Path, err)
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return writeError(doingOpen, f.cfg.Path, err)
	}
	f.file, f.size, f.begun, f.written = file, info.Size(), info.Size(), info.ModTime()
	f.regular = info.Mode().IsRegular()
	return nil
}

// lock takes a path for one File alone. The lock lies on a file of its own, because rotations rename the output and
// flushes replace the sidecar. The system gives it back when it is closed or the process dies.
func lock(path string) (*os.File, error) {
	file, err := os.OpenFile(path+lockSuffix, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, writeError(doingOpen, path, err)
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case err == nil, errors.Is(err, syscall.ENOTSUP), errors.Is(err, syscall.ENOSYS):
		return file, nil // without locks in the file system the worker's own fencing has to do
	case errors.Is(err, syscall.EWOULDBLOCK):
		err = ErrInUse
	}
	file.Close()
	return nil, writeError(doingOpen, path, err)
}

// Standard is standard output or another open stream as a File. It only takes lines.
func Standard(file *os.File, log *slog.Logger) *File {
	return &File{
		cfg: Config{Path: file.Name(), Log: log}, file: file,
		next: make(map[Partition]int64), pending: make(map[Partition]int64),
	}
}

// Next is the offset after the last record of a partition in the file; false if the file does not know.
func (f *File) Next(p Partition) (int64, bool) {
	next, ok := f.next[p]
	return next, ok
}

// Begin starts a round of lines. It is the place where a file is rotated, or found to have been moved away.
func (f *File) Begin(now time.Time) error {
	f.buf, f.begun = f.buf[:0], f.size
	clear(f.pending)
	if f.file == nil { // a rotation failed half way
		return f.reopen()
	}
	if !f.regular {
		return nil
	}
	mine, err := f.file.Stat()
	if err != nil {
		return writeError("look at", f.cfg.Path, err)
	}
	named, err := os.Stat(f.cfg.Path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return writeError("look at", f.cfg.Path, err)
	}
	if err != nil || !os.SameFile(mine, named) {
		f.cfg.Log.Info("the file was moved away; a new one is begun", "file", f.cfg.Path)
		return f.reopen()
	}
	f.size = mine.Size() // other tasks may append to the same file
	f.begun = f.size
	if f.due(now) {
		return f.rotate(now)
	}
	return nil
}

// Append adds a line to the round. The line end is added.
func (f *File) Append(line []byte) error {
	f.buf = append(append(f.buf, line...), '\n')
	if len(f.buf) < bufferBytes {
		return nil
	}
	return f.write()
}

// Line adds a line that fill appends to a buffer.
func (f *File) Line(fill func(dst []byte) []byte) error {
	f.buf = append(fill(f.buf), '\n')
	if len(f.buf) < bufferBytes {
		return nil
	}
	return f.write()
}

// Mark notes that the records of a partition before an offset are in this round.
func (f *File) Mark(p Partition, next int64) { f.pending[p] = next }

// End writes what is left of the round. After an error anywhere in it, call TakeBack instead.
func (f *File) End(now time.Time) error {
	if err := f.write(); err != nil {
		return err
	}
	for p, next := range f.pending {
		f.next[p] = next
	}
	clear(f.pending)
	if f.size > f.begun {
		f.written = now
	}
	f.begun = f.size
	if f.cfg.Fsync == FsyncInterval && f.dirty && f.regular && now.Sub(f.synced) >= f.cfg.FsyncEvery {
		return f.sync(now)
	}
	return nil
}

// TakeBack undoes a round, so that it can be given again.
func (f *File) TakeBack() {
	f.buf = f.buf[:0]
	clear(f.pending)
	if f.file == nil || !f.regular || f.size == f.begun {
		return
	}
	info, err := f.file.Stat()
	if err == nil && info.Size() == f.size {
		err = f.file.Truncate(f.begun)
	} else if err == nil {
		err = errors.New("something else appends to the same file")
	}
	if err != nil {
		f.cfg.Log.Warn("a part of a failed write stays in the file and will be there twice", "file", f.cfg.Path, "reason", err.Error())
		return
	}
	f.size = f.begun
}

func (f *File) write() error {
	if len(f.buf) == 0 {
		return nil
	}
	n, err := f.file.Write(f.buf)
	f.size += int64(n)
	f.dirty = f.dirty || n > 0
	f.buf = f.buf[:0]
	if err != nil {
		return writeError("write to", f.cfg.Path, err)
	}
	return nil
}

// Flush makes what was written safe: on return it may be committed.
func (f *File) Flush(now time.Time) error {
	if f.file == nil {
		return f.reopen()
	}
	if f.cfg.Fsync == FsyncFlush && f.dirty && f.regular {
		if err := f.sync(now); err != nil {
			return err
		}
	}
	if f.cfg.Exact && (f.flushed.size != f.size || len(f.next) > 0 && !sameOffsets(f.flushed.next, f.next)) {
		return f.note()
	}
	return nil
}

func (f *File) sync(now time.Time) error {
	if err := f.file.Sync(); err != nil {
		return writeError("sync", f.cfg.Path, err)
	}
	f.synced, f.dirty = now, false
	return nil
}

// note writes the sidecar. Behind it, what the file holds counts.
func (f *File) note() error {
	s := sidecar{size: f.size, next: make(map[Partition]int64, len(f.next))}
	for p, next := range f.next {
		s.next[p] = next
	}
	if err := s.write(f.cfg.Path+SidecarSuffix, f.cfg.Fsync != FsyncNever); err != nil {
		return err
	}
	f.flushed = s
	return nil
}

func sameOffsets(a, b map[Partition]int64) bool {
	if len(a) != len(b) {
		return false
	}
	for p, next := range b {
		if have, ok := a[p]; !ok || have != next {
			return false
		}
	}
	return true
}

// due tells whether the file is to be rotated now.
func (f *File) due(now time.Time) bool {
	if f.size == 0 {
		return false
	}
	if f.cfg.RotateBytes > 0 && f.size >= f.cfg.RotateBytes {
		return true
	}
	every := f.cfg.RotateEvery
	return every > 0 && now.Truncate(every).After(f.written.Truncate(every))
}

// rotate closes the file under a name with the time, and begins a new one.
func (f *File) rotate(now time.Time) error {
	if err := f.Flush(now); err != nil {
		return err
	}
	name, err := f.rotatedName(now)
	if err == nil {
		err = os.Rename(f.cfg.Path, name)
	}
	if err != nil {
		return writeError("rotate", f.cfg.Path, err)
	}
	f.cfg.Log.Info("rotated the file", "file", f.cfg.Path, "to", name, "bytes", f.size)
	return f.reopen()
}

// reopen begins a new file after the old one has lost its name.
func (f *File) reopen() error {
	if f.file != nil {
		if err := f.file.Close(); err != nil {
			f.cfg.Log.Warn("closing the old file failed", "file", f.cfg.Path, "reason", err.Error())
		}
		f.file = nil
	}
	f.size, f.begun, f.dirty = 0, 0, false
	if f.cfg.Exact {
		if _, err := os.Stat(f.cfg.Path); errors.Is(err, fs.ErrNotExist) {
			// Before the new file exists: should the process die now, the missing file says that it was renamed.
			if err := f.note(); err != nil {
				return err
			}
		}
	}
	if err := f.open(); err != nil {
		return err
	}
	if f.cfg.Exact {
		return f.note()
	}
	return nil
}

func (f *File) rotatedName(now time.Time) (string, error) {
	base := f.cfg.Path + "." + now.UTC().Format("20060102T150405.000Z")
	for n := 1; n < 10_000; n++ {
		name := base
		if n > 1 {
			name = fmt.Sprintf("%s-%d", base, n)
		}
		if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
			return name, nil
		}
	}
	return "", fmt.Errorf("%s and the numbered names after it exist already", base)
}

// Close closes the file. What was not flushed counts as not written, as after a crash.
func (f *File) Close() error {
	var err error
	if f.file != nil {
		err = f.file.Close()
		f.file = nil
	}
	if f.lock != nil { // last: the successor may start now
		_ = f.lock.Close()
		f.lock = nil
	}
	return err
}
