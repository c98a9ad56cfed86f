package output

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var (
	quiet = slog.New(slog.DiscardHandler)
	noon  = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	p0    = Partition{"t", 0}
)

func config(t *testing.T) Config {
	return Config{Path: filepath.Join(t.TempDir(), "out.txt"), Log: quiet}
}

func open(t require.TestingT, cfg Config) *File {
	f, err := Open(cfg, noon)
	require.NoError(t, err)
	return f
}

func put(t require.TestingT, f *File, now time.Time, next int64, lines ...string) {
	require.NoError(t, f.Begin(now))
	for _, l := range lines {
		require.NoError(t, f.Append([]byte(l)))
	}
	f.Mark(p0, next)
	require.NoError(t, f.End(now))
}

func content(t require.TestingT, path string) string {
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}

func TestAppendsToWhatIsThere(t *testing.T) {
	cfg := config(t)
	require.NoError(t, os.WriteFile(cfg.Path, []byte("old\n"), 0o600))
	f := open(t, cfg)
	put(t, f, noon, 2, "a", "b")
	require.Equal(t, "old\na\nb\n", content(t, cfg.Path), "a round is in the file when it ends")
	require.NoError(t, f.Flush(noon))
	require.NoError(t, f.Close())
	_, err := os.Stat(cfg.Path + SidecarSuffix)
	require.ErrorIs(t, err, os.ErrNotExist, "only exactly once needs a sidecar")
}

func TestARoundCanBeTakenBackAndGivenAgain(t *testing.T) {
	cfg := config(t)
	f := open(t, cfg)
	put(t, f, noon, 1, "a")
	require.NoError(t, f.Begin(noon))
	for range 5000 { // more than the buffer, so that some of it is in the file
		require.NoError(t, f.Append([]byte(strings.Repeat("x", 100))))
	}
	require.Greater(t, len(content(t, cfg.Path)), bufferBytes)
	f.TakeBack()
	require.Equal(t, "a\n", content(t, cfg.Path))
	put(t, f, noon, 2, "b")
	require.Equal(t, "a\nb\n", content(t, cfg.Path))
}

func TestAFileThatOthersAppendToIsNotCut(t *testing.T) {
	cfg := config(t)
	f, other := open(t, cfg), open(t, cfg)
	require.NoError(t, f.Begin(noon))
	require.NoError(t, f.Append([]byte(strings.Repeat("x", bufferBytes))))
	put(t, other, noon, 1, "b")
	f.TakeBack()
	require.True(t, strings.HasSuffix(content(t, cfg.Path), "x\nb\n"))
}

// I-2: a full disk takes nothing that is said to be written. /dev/full fails each write with ENOSPC.
func TestFullDiskIsAClearErrorThatCanBeRetried(t *testing.T) {
	f := open(t, Config{Path: "/dev/full", Log: quiet})
	require.NoError(t, f.Begin(noon))
	require.NoError(t, f.Append([]byte("a")))
	err := f.End(noon)
	var e *WriteError
	require.ErrorAs(t, err, &e)
	require.True(t, e.Retry)
	require.EqualError(t, err, `cannot write to /dev/full (key "file"): write /dev/full: no space left on device. `+
		"The disk is full: free some space; it is tried again, and nothing is lost.")
	f.TakeBack()
}

func TestAWriteThatFailsHalfWayLeavesNoHalfLine(t *testing.T) {
	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit))
	cfg := config(t)
	f := open(t, cfg)
	put(t, f, noon, 1, "first")
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 1000, Max: limit.Max}))
	require.NoError(t, f.Begin(noon))
	require.NoError(t, f.Append([]byte(strings.Repeat("x", 5000))))
	err := f.End(noon)
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit))
	require.ErrorIs(t, err, syscall.EFBIG)
	require.ErrorContains(t, err, "rotate.bytes")
	f.TakeBack()
	require.Equal(t, "first\n", content(t, cfg.Path))
}

func TestOpenErrorsNameFileKeyAndRemedy(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(dir+"/plain", nil, 0o600))
	for path, words := range map[string]string{
		dir:                 "Couldn't find or create file '" + dir + "' for FileStreamSinkTask: open " + dir + ": is a directory. It is a folder: name a file in it.",
		dir + "/plain/file": "A part of the path is a file",
		dir + "/no/file":    "Its folder does not exist",
	} {
		_, err := Open(Config{Path: path, Log: quiet}, noon)
		require.ErrorContains(t, err, words)
	}
}

func TestRotationBySize(t *testing.T) {
	for _, exact := range []bool{false, true} {
		cfg := config(t)
		cfg.RotateBytes, cfg.Exact = 4, exact
		f := open(t, cfg)
		put(t, f, noon, 2, "a", "b")
		put(t, f, noon, 3, "c")
		put(t, f, noon, 4, "d")
		put(t, f, noon, 5, "e")
		require.NoError(t, f.Close())
		require.Equal(t, "e\n", content(t, cfg.Path))
		require.Equal(t, "a\nb\n", content(t, cfg.Path+".20261121T120000.000Z"))
		require.Equal(t, "c\nd\n", content(t, cfg.Path+".20261121T120000.000Z-2"))
	}
}

func TestRotationByTimeFallsOnFullPeriods(t *testing.T) {
	cfg := config(t)
	cfg.RotateEvery = time.Hour
	f := open(t, cfg)
	put(t, f, noon.Add(10*time.Minute), 1, "a")
	put(t, f, noon.Add(59*time.Minute), 2, "b")
	require.NoError(t, f.Begin(noon.Add(61*time.Minute)))
	require.NoError(t, f.End(noon.Add(61*time.Minute)), "a round without lines rotates too")
	require.Empty(t, content(t, cfg.Path))
	require.Equal(t, "a\nb\n", content(t, cfg.Path+".20261121T130100.000Z"))
}

func TestAFileMovedAwayIsBegunAnew(t *testing.T) {
	for _, exact := range []bool{false, true} {
		cfg := config(t)
		cfg.Exact = exact
		f := open(t, cfg)
		put(t, f, noon, 1, "a")
		require.NoError(t, f.Flush(noon))
		require.NoError(t, os.Rename(cfg.Path, cfg.Path+".old"))
		put(t, f, noon, 2, "b")
		require.NoError(t, f.Flush(noon))
		require.NoError(t, f.Close())
		require.Equal(t, "b\n", content(t, cfg.Path))
		f = open(t, cfg)
		require.Equal(t, "b\n", content(t, cfg.Path))
		require.NoError(t, f.Close())
	}
}

func TestCutFileAndBadSidecarAreRefused(t *testing.T) {
	cfg := config(t)
	cfg.Exact = true
	f := open(t, cfg)
	put(t, f, noon, 1, "abc")
	require.NoError(t, f.Flush(noon))
	require.NoError(t, f.Close())
	require.NoError(t, os.Truncate(cfg.Path, 2))
	_, err := Open(cfg, noon)
	require.ErrorContains(t, err, "has 2 bytes")
	require.NoError(t, os.WriteFile(cfg.Path+SidecarSuffix, []byte("garbage"), 0o600))
	_, err = Open(cfg, noon)
	require.ErrorContains(t, err, "not a valid offsets file")
}

// I-5: a task that was given up but still runs does not write into the file of its successor.
func TestExactlyOnceFilesHaveOneWriter(t *testing.T) {
	cfg := config(t)
	cfg.Exact = true
	f := open(t, cfg)
	put(t, f, noon, 1, "a")
	_, err := Open(cfg, noon)
	require.ErrorIs(t, err, ErrInUse)
	require.NoError(t, f.Close())
	require.NoError(t, open(t, cfg).Close())
}

func TestAlteredOffsetsAreFollowed(t *testing.T) {
	cfg := config(t)
	cfg.Exact = true
	f := open(t, cfg)
	put(t, f, noon, 1, "a")
	require.NoError(t, f.Flush(noon))
	put(t, f, noon, 2, "unconfirmed")
	require.NoError(t, f.Close())
	require.NoError(t, Alter(cfg.Path, map[Partition]int64{p0: 0, {"u", 1}: 7, {"v", 0}: -1}))
	f = open(t, cfg)
	defer f.Close()
	next, _ := f.Next(p0)
	require.Equal(t, int64(0), next)
	next, _ = f.Next(Partition{"u", 1})
	require.Equal(t, int64(7), next)
	require.Equal(t, "a\n", content(t, cfg.Path))
	require.NoError(t, Alter(filepath.Join(t.TempDir(), "none"), map[Partition]int64{p0: 1}))
}

// TestExactlyOnceWhateverDies runs a model of the worker: records are put in rounds, flushes happen at any time, the
// consumer group's offset lags behind, files rotate, and the process dies at any moment, also between the steps of a
// rotation. At the end every record is there once and in order. // I-2, I-6
func TestExactlyOnceWhateverDies(t *testing.T) {
	base, run := t.TempDir(), 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		dir := filepath.Join(base, fmt.Sprint(run))
		require.NoError(t, os.Mkdir(dir, 0o755))
		cfg := Config{Path: filepath.Join(dir, "out"), Exact: true, RotateBytes: 40, Log: quiet}
		now := noon
		f := open(t, cfg)
		record, committed := int64(0), int64(0)
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			now = now.Add(time.Second)
			switch rapid.SampledFrom([]string{"put", "put", "put", "flush", "commit", "crash", "failed put"}).Draw(t, "step") {
			case "put":
				n := rapid.Int64Range(1, 3).Draw(t, "records")
				var lines []string
				for i := range n {
					lines = append(lines, fmt.Sprint(record+i))
				}
				put(t, f, now, record+n, lines...)
				record += n
			case "failed put":
				require.NoError(t, f.Begin(now))
				require.NoError(t, f.Append([]byte("bad")))
				require.NoError(t, f.write())
				f.TakeBack()
			case "flush":
				require.NoError(t, f.Flush(now))
			case "commit":
				require.NoError(t, f.Flush(now))
				committed = record
			case "crash":
				if rapid.Bool().Draw(t, "half a write") {
					_, err := f.file.WriteString("ha")
					require.NoError(t, err)
				}
				require.NoError(t, f.Close())
				f = open(t, cfg)
				if next, ok := f.Next(p0); ok {
					record = next
				} else {
					record = committed
				}
				require.GreaterOrEqual(t, record, committed, "nothing committed is missing")
			}
			if rapid.IntRange(0, 9).Draw(t, "rotation") == 0 && f.size > 0 {
				require.NoError(t, f.Flush(now))
				name, err := f.rotatedName(now)
				require.NoError(t, err)
				require.NoError(t, os.Rename(cfg.Path, name)) // and then the process died
				require.NoError(t, f.Close())
				f = open(t, cfg)
				record, _ = f.Next(p0)
			}
		}
		require.NoError(t, f.Flush(now))
		require.NoError(t, f.Close())
		var got string
		rotated, err := filepath.Glob(cfg.Path + ".2*")
		require.NoError(t, err)
		for _, path := range append(rotated, cfg.Path) {
			got += content(t, path)
		}
		var want strings.Builder
		for i := range record {
			fmt.Fprintln(&want, i)
		}
		require.Equal(t, want.String(), got)
	})
}

func TestErrorsThatPassAreMarked(t *testing.T) {
	for errno, retry := range map[syscall.Errno]bool{
		syscall.ENOSPC: true, syscall.EDQUOT: true, syscall.EIO: true, syscall.EACCES: false, syscall.EROFS: false, syscall.EFBIG: false,
	} {
		var e *WriteError
		require.True(t, errors.As(writeError("write to", "/x", &os.PathError{Op: "write", Path: "/x", Err: errno}), &e))
		require.Equal(t, retry, e.Retry, errno)
	}
}
