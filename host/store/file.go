package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
)

// ErrClosed is returned by a store after Close.
var ErrClosed = errors.New("offset store is closed")

// FileOffsetStore keeps source offsets in a file of Kafka Connect's standalone
// format (offset.storage.file.filename), so that a worker can be taken over and
// handed back. Unlike Kafka Connect it replaces the file atomically, and it
// refuses to start from a damaged one.
//
// One goroutine owns the file. Put calls that arrive while it writes are written
// together with the next one: one fsync serves all of them.
type FileOffsetStore struct {
	path     string
	create   func(path string, mode fs.FileMode) (tempFile, error)
	entries  atomic.Pointer[map[string][]byte] // what the file holds; the map is never changed
	requests chan *putRequest
	stop     chan struct{}
	stopOnce sync.Once
	stopped  chan struct{}
}

type putRequest struct {
	entries []OffsetEntry
	done    chan error // capacity 1
}

// tempFile is the part of os.File that a replacement needs; tests fill the disk here.
type tempFile interface {
	io.WriteCloser
	Sync() error
}

// OpenFileOffsetStore reads the file; one that does not exist is an empty store
// and is created by the first Put. The directory must exist and be writable.
func OpenFileOffsetStore(path string) (*FileOffsetStore, error) {
	path, err := resolve(path)
	if err != nil {
		return nil, err
	}
	entries, err := readOffsetsFile(path)
	if err != nil {
		return nil, err
	}
	s := &FileOffsetStore{
		path: path, create: createTemp,
		requests: make(chan *putRequest), stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	if err := s.probe(); err != nil {
		return nil, err
	}
	s.entries.Store(&entries)
	go s.write()
	return s, nil
}

// resolve makes the path absolute and follows a symbolic link, so that the link
// stays when the file behind it is replaced.
func resolve(path string) (string, error) {
	if path == "" {
		return "", errors.New("offset.storage.file.filename is not set: name the file that keeps the source offsets")
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("offsets file %s (offset.storage.file.filename): %w", path, err)
	}
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		return real, nil
	}
	return abs, nil
}

func readOffsetsFile(path string) (map[string][]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return map[string][]byte{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open the offsets file (offset.storage.file.filename): %w", err)
	}
	defer func() { _ = f.Close() }()
	if info, err := f.Stat(); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("offsets file %s (offset.storage.file.filename) is not a regular file: name a file", path)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxJavaMapBytes+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read the offsets file (offset.storage.file.filename): %w", err)
	}
	if len(data) == 0 {
		return nil, damaged(path, errors.New("it is empty"))
	}
	list, err := decodeJavaMap(data)
	if err != nil {
		return nil, damaged(path, err)
	}
	entries := make(map[string][]byte, len(list))
	for _, e := range list {
		if e.value != nil { // Kafka Connect leaves deleted offsets as null
			entries[string(e.key)] = e.value
		}
	}
	return entries, nil
}

func damaged(path string, why error) error {
	return fmt.Errorf("the offsets file %s (offset.storage.file.filename) is damaged: %w; "+
		"put a backup in its place, or move it away to let every source start from the beginning", path, why)
}

// probe finds out at the start, not at the first commit, that the directory
// cannot be written.
func (s *FileOffsetStore) probe() error {
	f, err := s.create(s.tempPath(), 0o600)
	if err != nil {
		return fmt.Errorf("cannot write beside the offsets file %s (offset.storage.file.filename): %w; "+
			"create the directory or make it writable", s.path, err)
	}
	_ = f.Close()
	_ = os.Remove(s.tempPath())
	return nil
}

// Get implements OffsetStore.
func (s *FileOffsetStore) Get(_ context.Context, keys [][]byte) ([][]byte, error) {
	return lookup(*s.entries.Load(), keys), nil
}

// Connector implements OffsetStore.
func (s *FileOffsetStore) Connector(_ context.Context, name string) ([]OffsetEntry, error) {
	return ofConnector(*s.entries.Load(), name), nil
}

// Put implements OffsetStore. After an error nothing of this call is stored; when
// ctx ends during the write, either everything or nothing is.
func (s *FileOffsetStore) Put(ctx context.Context, entries []OffsetEntry) error {
	if len(entries) == 0 {
		return nil
	}
	r := &putRequest{entries: copyEntries(entries), done: make(chan error, 1)}
	select {
	case s.requests <- r:
	case <-s.stop:
		return ErrClosed
	case <-ctx.Done():
		return fmt.Errorf("offsets were not written to %s: %w", s.path, ctx.Err())
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("offsets may not have been written to %s: %w", s.path, ctx.Err())
	}
}

// Close implements OffsetStore: a write that has begun is finished first.
func (s *FileOffsetStore) Close() error {
	s.stopOnce.Do(func() { close(s.stop) })
	<-s.stopped
	return nil
}

// write is the goroutine that owns the file.
func (s *FileOffsetStore) write() {
	defer close(s.stopped)
	for {
		select {
		case <-s.stop:
			return
		case first := <-s.requests:
			group := s.gather(first)
			err := s.commit(group)
			for _, r := range group {
				r.done <- err
			}
		}
	}
}

// maxGroup bounds how many Put calls share one write.
const maxGroup = 1024

// gather takes the calls that are waiting already.
func (s *FileOffsetStore) gather(first *putRequest) []*putRequest {
	group := []*putRequest{first}
	for len(group) < maxGroup {
		select {
		case r := <-s.requests:
			group = append(group, r)
		default:
			return group
		}
	}
	return group
}

// commit makes the group durable and then visible (I-1).
func (s *FileOffsetStore) commit(group []*putRequest) error {
	next := maps.Clone(*s.entries.Load())
	for _, r := range group {
		apply(next, r.entries)
	}
	list := make([]javaEntry, 0, len(next))
	for k, v := range next {
		list = append(list, javaEntry{[]byte(k), v})
	}
	slices.SortFunc(list, func(a, b javaEntry) int { return cmp.Compare(string(a.key), string(b.key)) })
	data, err := encodeJavaMap(list)
	if err == nil {
		err = s.replace(data)
	}
	if err != nil {
		return fmt.Errorf("cannot write the offsets file %s (offset.storage.file.filename): %w; %s", s.path, err, writeAdvice(err))
	}
	s.entries.Store(&next)
	return nil
}

func writeAdvice(err error) string {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return "free space on its disk: the last good file is still in place and the offsets are written with the next commit"
	}
	return "the last good file is still in place and the offsets are written with the next commit"
}

func (s *FileOffsetStore) tempPath() string { return s.path + ".tmp" }

// replace writes a new file beside the old one and puts it in its place, so that
// at every moment, power loss included, the path holds one complete file.
func (s *FileOffsetStore) replace(data []byte) error {
	mode := fs.FileMode(0o600)
	if info, err := os.Stat(s.path); err == nil {
		mode = info.Mode().Perm()
	}
	f, err := s.create(s.tempPath(), mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(s.tempPath(), s.path)
	}
	if err != nil {
		_ = os.Remove(s.tempPath())
		return err
	}
	return syncDir(filepath.Dir(s.path))
}

// createTemp replaces what a crash left behind and never follows a link.
func createTemp(path string, mode fs.FileMode) (tempFile, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// syncDir makes the rename itself durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if closeErr := d.Close(); err == nil {
		err = closeErr
	}
	return err
}

func copyEntries(entries []OffsetEntry) []OffsetEntry {
	copied := make([]OffsetEntry, len(entries))
	for i, e := range entries {
		copied[i].Key = append([]byte{}, e.Key...)
		if e.Value != nil {
			copied[i].Value = append([]byte{}, e.Value...)
		}
	}
	return copied
}
