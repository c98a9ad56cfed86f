package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestOffsetKeyRoundTrip(t *testing.T) {
	for _, c := range []struct{ connector, partition, key string }{
		{"gsrc", `{"filename":"/tmp/g-src.txt"}`, `["gsrc",{"filename":"/tmp/g-src.txt"}]`},
		{"a<b>&c", ` {"x": 9007199254740993} `, `["a<b>&c",{"x": 9007199254740993}]`}, // I-7: bytes stay as they are
		{"quote\"", `{}`, `["quote\"",{}]`},
		{"x", `null`, `["x",null]`},
	} {
		key, err := OffsetKey(c.connector, []byte(c.partition))
		require.NoError(t, err)
		require.Equal(t, c.key, string(key))
		name, partition, err := SplitOffsetKey(key)
		require.NoError(t, err)
		require.Equal(t, c.connector, name)
		again, err := OffsetKey(name, partition)
		require.NoError(t, err)
		require.Equal(t, key, again)
	}
}

func TestOffsetKeyRefusesWhatIsNoPartition(t *testing.T) {
	for _, bad := range []string{"", " ", "1", `"x"`, "[]", "{", `{"a":1},{"b":2}`, `{"a":1}]`} {
		_, err := OffsetKey("c", []byte(bad))
		require.Error(t, err, "%q", bad)
	}
	for _, bad := range []string{"", "{}", `["a"]`, `["a",{},1]`, `[null,{}]`, `[1,{}]`, `["a",1]`} {
		_, _, err := SplitOffsetKey([]byte(bad))
		require.Error(t, err, "%q", bad)
	}
}

func TestStoresBehaveTheSame(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) OffsetStore{
		"memory": func(*testing.T) OffsetStore { return NewMemoryOffsetStore() },
		"file": func(t *testing.T) OffsetStore {
			s, err := OpenFileOffsetStore(filepath.Join(t.TempDir(), "offsets"))
			require.NoError(t, err)
			return s
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			defer func() { require.NoError(t, s.Close()) }()
			ctx := t.Context()
			k1, k2, other := key(t, "c", 1), key(t, "c", 2), key(t, "other", 1)
			buf := []byte(`{"o":1}`)
			require.NoError(t, s.Put(ctx, []OffsetEntry{{k1, buf}, {k2, []byte(`{"o":2}`)}, {other, []byte(`{}`)}}))
			copy(buf, "XXXXXXX") // the store must have its own copy

			values, err := s.Get(ctx, [][]byte{k2, []byte("absent"), k1})
			require.NoError(t, err)
			require.Equal(t, [][]byte{[]byte(`{"o":2}`), nil, []byte(`{"o":1}`)}, values)

			entries, err := s.Connector(ctx, "c")
			require.NoError(t, err)
			require.Equal(t, []OffsetEntry{{k1, []byte(`{"o":1}`)}, {k2, []byte(`{"o":2}`)}}, entries)

			require.NoError(t, s.Put(ctx, []OffsetEntry{{k1, nil}}))
			require.NoError(t, DeleteConnector(ctx, s, "c"))
			entries, err = s.Connector(ctx, "c")
			require.NoError(t, err)
			require.Empty(t, entries)
			entries, err = s.Connector(ctx, "other")
			require.NoError(t, err)
			require.Len(t, entries, 1)
		})
	}
}

func key(t require.TestingT, connector string, n int) []byte {
	k, err := OffsetKey(connector, fmt.Appendf(nil, `{"n":%d}`, n))
	require.NoError(t, err)
	return k
}

// I-1: what Put has confirmed is there after a restart, whatever came between.
func TestFileHoldsWhatPutConfirmed(t *testing.T) {
	dir := t.TempDir()
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		path := filepath.Join(dir, fmt.Sprint(run))
		s, err := OpenFileOffsetStore(path)
		require.NoError(rt, err)
		model := map[string]string{}
		for range rapid.IntRange(1, 8).Draw(rt, "steps") {
			if rapid.Bool().Draw(rt, "restart") {
				require.NoError(rt, s.Close())
				s, err = OpenFileOffsetStore(path)
				require.NoError(rt, err)
			}
			k := key(rt, "c", rapid.IntRange(0, 3).Draw(rt, "key"))
			v := []byte(rapid.SampledFrom([]string{"", "{}", `{"o":1}`}).Draw(rt, "value"))
			if len(v) == 0 {
				v = nil
				delete(model, string(k))
			} else {
				model[string(k)] = string(v)
			}
			require.NoError(rt, s.Put(t.Context(), []OffsetEntry{{k, v}}))
			entries, err := s.Connector(t.Context(), "c")
			require.NoError(rt, err)
			got := map[string]string{}
			for _, e := range entries {
				got[string(e.Key)] = string(e.Value)
			}
			require.Equal(rt, model, got)
		}
		require.NoError(rt, s.Close())
	})
}

func TestFileOfKafkaConnectIsTakenOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "offsets")
	data, err := os.ReadFile(goldenFile)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, data, 0o640))
	s, err := OpenFileOffsetStore(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	entries, err := s.Connector(t.Context(), "gadget")
	require.NoError(t, err)
	require.Len(t, entries, 1)
	require.JSONEq(t, `{"position":9}`, string(entries[0].Value))
	deleted, err := s.Connector(t.Context(), "flow")
	require.NoError(t, err)
	require.Empty(t, deleted, "the entries with a null value are deleted offsets")

	require.NoError(t, s.Put(t.Context(), []OffsetEntry{{key(t, "new", 1), []byte(`{}`)}}))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o640), info.Mode().Perm(), "the mode stays")
}

func TestSymbolicLinkStays(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "real"), filepath.Join(dir, "link")
	data, err := encodeJavaMap(nil)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(target, data, 0o600))
	require.NoError(t, os.Symlink(target, link))
	s, err := OpenFileOffsetStore(link)
	require.NoError(t, err)
	require.NoError(t, s.Put(t.Context(), []OffsetEntry{{key(t, "c", 1), []byte(`{}`)}}))
	require.NoError(t, s.Close())
	info, err := os.Lstat(link)
	require.NoError(t, err)
	require.Equal(t, fs.ModeSymlink, info.Mode().Type())
	s, err = OpenFileOffsetStore(target)
	require.NoError(t, err)
	entries, err := s.Connector(t.Context(), "c")
	require.NoError(t, err)
	require.Len(t, entries, 1)
	require.NoError(t, s.Close())
}

func TestDamagedFileStopsTheStart(t *testing.T) {
	good, err := os.ReadFile(goldenFile)
	require.NoError(t, err)
	for name, data := range map[string][]byte{
		"empty": {}, "cut": good[:len(good)/2], "text": []byte("offsets"), "longer": append(good, 'x'),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "offsets")
			require.NoError(t, os.WriteFile(path, data, 0o600))
			_, err := OpenFileOffsetStore(path)
			require.ErrorContains(t, err, path)
			require.ErrorContains(t, err, "offset.storage.file.filename")
			require.ErrorContains(t, err, "backup")
			after, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, len(data), len(after), "the damaged file is left alone")
		})
	}
}

func TestPlaceThatCannotBeWrittenStopsTheStart(t *testing.T) {
	_, err := OpenFileOffsetStore("")
	require.ErrorContains(t, err, "offset.storage.file.filename is not set")
	_, err = OpenFileOffsetStore(filepath.Join(t.TempDir(), "missing", "offsets"))
	require.ErrorContains(t, err, "create the directory")
	_, err = OpenFileOffsetStore(t.TempDir())
	require.ErrorContains(t, err, "not a regular file")
}

// fullDisk fails like a disk without space.
type fullDisk struct{ f tempFile }

func (d fullDisk) Write(p []byte) (int, error) {
	n, _ := d.f.Write(p[:len(p)/2])
	return n, &fs.PathError{Op: "write", Path: "offsets.tmp", Err: syscall.ENOSPC}
}
func (d fullDisk) Sync() error  { return d.f.Sync() }
func (d fullDisk) Close() error { return d.f.Close() }

func TestFullDiskLosesNothingAndHeals(t *testing.T) {
	path := filepath.Join(t.TempDir(), "offsets")
	s, err := OpenFileOffsetStore(path)
	require.NoError(t, err)
	ctx := t.Context()
	require.NoError(t, s.Put(ctx, []OffsetEntry{{key(t, "c", 1), []byte(`{"o":1}`)}}))
	before, err := os.ReadFile(path)
	require.NoError(t, err)

	s.create = func(path string, mode fs.FileMode) (tempFile, error) {
		f, err := createTemp(path, mode)
		return fullDisk{f}, err
	}
	err = s.Put(ctx, []OffsetEntry{{key(t, "c", 1), []byte(`{"o":2}`)}})
	require.ErrorContains(t, err, path)
	require.ErrorContains(t, err, "free space")
	require.True(t, errors.Is(err, syscall.ENOSPC))
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, before, after)
	values, err := s.Get(ctx, [][]byte{key(t, "c", 1)})
	require.NoError(t, err)
	require.JSONEq(t, `{"o":1}`, string(values[0]), "a failed write is not visible")
	require.NoFileExists(t, path+".tmp")

	s.create = createTemp
	require.NoError(t, s.Put(ctx, []OffsetEntry{{key(t, "c", 1), []byte(`{"o":2}`)}}))
	require.NoError(t, s.Close())
	require.ErrorIs(t, s.Put(ctx, []OffsetEntry{{key(t, "c", 1), []byte(`{}`)}}), ErrClosed)
}

// slowSync counts syncs and holds the first one until released.
type slowSync struct {
	tempFile
	syncs   *int
	started chan struct{}
	release chan struct{}
}

func (f slowSync) Sync() error {
	*f.syncs++
	if *f.syncs == 1 {
		close(f.started)
		<-f.release
	}
	return f.tempFile.Sync()
}

func TestWaitingPutsShareOneSync(t *testing.T) {
	s, err := OpenFileOffsetStore(filepath.Join(t.TempDir(), "offsets"))
	require.NoError(t, err)
	syncs, started, release := 0, make(chan struct{}), make(chan struct{})
	s.create = func(path string, mode fs.FileMode) (tempFile, error) {
		f, err := createTemp(path, mode)
		return slowSync{f, &syncs, started, release}, err
	}
	const waiting = 50
	var sent, done sync.WaitGroup
	put := func(n int) {
		defer done.Done()
		sent.Done()
		require.NoError(t, s.Put(t.Context(), []OffsetEntry{{key(t, "c", n), []byte(`{}`)}}))
	}
	done.Add(waiting + 1)
	sent.Add(waiting + 1)
	go put(0)
	<-started
	for n := range waiting {
		go put(n + 1)
	}
	sent.Wait()
	close(release)
	done.Wait()
	require.NoError(t, s.Close())
	require.Less(t, syncs, waiting/2, "one sync serves the calls that wait")
	reopened, err := OpenFileOffsetStore(s.path)
	require.NoError(t, err)
	entries, err := reopened.Connector(t.Context(), "c")
	require.NoError(t, err)
	require.Len(t, entries, waiting+1)
	require.NoError(t, reopened.Close())
}
