package tail

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/tailrace/tailrace/plugins/file-source/internal/lines"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var plain = Format{
	Split: lines.SplitterFor(lines.Any), Resync: lines.SplitterFor(lines.CRLF), LineBytes: 1 << 20, CRLF: true,
}

// script drives a Follower over files of a folder, with a clock of its own.
type script struct {
	t    require.TestingT
	dir  string
	cfg  Config
	f    *Follower
	now  time.Time
	last Offset // of the last chunk: what a crash leaves
}

func newScript(t *testing.T) *script {
	s := &script{t: t, dir: t.TempDir(), now: time.Unix(1e9, 0)}
	s.cfg = Config{
		Path: s.path("app.log"), Format: plain, RotateWait: time.Second, BlockBytes: 4096,
		Log: slog.New(slog.DiscardHandler),
	}
	s.restart(Offset{})
	t.Cleanup(func() { s.f.Close() })
	return s
}

func (s *script) path(name string) string { return filepath.Join(s.dir, name) }

func (s *script) restart(at Offset) {
	if s.f != nil {
		s.f.Close()
	}
	s.f = NewFollower(s.cfg, at)
}

func (s *script) write(name, text string) {
	f, err := os.OpenFile(s.path(name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	require.NoError(s.t, err)
	_, err = f.WriteString(text)
	require.NoError(s.t, err)
	require.NoError(s.t, f.Close())
}

// aged sets the time of the last change, so that the order of files does not hang on the speed of the test.
func (s *script) aged(name string, seconds int64) {
	at := time.Unix(1e9+seconds, 0)
	require.NoError(s.t, os.Chtimes(s.path(name), at, at))
}

func (s *script) rename(from, to string) {
	require.NoError(s.t, os.Rename(s.path(from), s.path(to)))
}

// read returns every line to be had now, after enough time that a rotated file counts as finished.
func (s *script) read() []string {
	got := []string{}
	for idle := 0; idle < 4; {
		chunk, status, err := s.f.Next(s.now, 3)
		require.NoError(s.t, err)
		if status != Ready {
			idle++
			s.now = s.now.Add(2 * time.Second)
			continue
		}
		idle = 0
		got = append(got, texts(chunk)...)
		s.last = chunk.End
	}
	return got
}

func texts(chunk Chunk) (out []string) {
	for _, l := range chunk.Lines {
		out = append(out, string(chunk.Data[l.Start:l.End]))
	}
	return out
}

func TestWaitsForTheFile(t *testing.T) {
	s := newScript(t)
	_, status, err := s.f.Next(s.now, 1)
	require.NoError(t, err)
	require.Equal(t, Missing, status)
	s.write("app.log", "a\nb\nunfin")
	require.Equal(t, []string{"a", "b"}, s.read())
	s.write("app.log", "ished\n")
	require.Equal(t, []string{"unfinished"}, s.read())
	require.False(t, s.f.Rotates(), "a plain file needs no more than Kafka's offset")
	require.Equal(t, int64(15), s.last.Position)
}

func TestUnfinishedLineCanBeTakenWhenIdle(t *testing.T) {
	s := newScript(t)
	s.cfg.IdleFlush = time.Second
	s.restart(Offset{})
	s.write("app.log", "a\nb\r")
	require.Equal(t, []string{"a", "b"}, s.read())
	s.write("app.log", "\nc\n")
	require.Equal(t, []string{"c"}, s.read(), "the LF belongs to the CR before it")
}

func TestIdleFlushedCRIsRememberedOverARestart(t *testing.T) {
	s := newScript(t)
	s.cfg.IdleFlush = time.Second
	s.restart(Offset{})
	s.write("app.log", "b\r")
	require.Equal(t, []string{"b"}, s.read())
	s.restart(Offset{Position: s.last.Position})
	s.write("app.log", "\nc\n")
	require.Equal(t, []string{"c"}, s.read())
}

func TestRenamedFileIsReadToItsEndBeforeTheNewOne(t *testing.T) {
	s := newScript(t)
	s.write("app.log", "a\n")
	require.Equal(t, []string{"a"}, s.read())
	s.rename("app.log", "app.log.1")
	s.write("app.log", "c\n")
	s.write("app.log.1", "b\nlast") // by the writer that still has it open
	require.Equal(t, []string{"b", "last", "c"}, s.read())
	require.True(t, s.f.Rotates())
}

func TestSeveralRotationsBetweenTwoLooks(t *testing.T) {
	s := newScript(t)
	s.write("app.log", "a\n")
	require.Equal(t, []string{"a"}, s.read())
	s.rename("app.log", "app.log.3")
	s.write("app.log.3", "b\n")
	s.write("app.log.2", "c\n")
	s.write("app.log.1", "d\n")
	s.write("app.log", "e\n")
	for i, name := range []string{"app.log.3", "app.log.2", "app.log.1", "app.log"} {
		s.aged(name, int64(i))
	}
	require.Equal(t, []string{"b", "c", "d", "e"}, s.read())
}

func TestRotationWhileStopped(t *testing.T) {
	for name, rotate := range map[string]func(s *script){
		"renamed": func(s *script) { s.rename("app.log", "app.log.1") },
		"copied and truncated": func(s *script) {
			text, err := os.ReadFile(s.path("app.log"))
			require.NoError(s.t, err)
			s.write("app.log-20261121", string(text))
			require.NoError(s.t, os.Truncate(s.path("app.log"), 0))
		},
		"compressed": func(s *script) {
			text, err := os.ReadFile(s.path("app.log"))
			require.NoError(s.t, err)
			s.write("app.log.1.gz", zipped(string(text)))
			require.NoError(s.t, os.Remove(s.path("app.log")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScript(t)
			s.write("app.log", "a\nb\n")
			require.Equal(t, []string{"a", "b"}, s.read())
			at := s.last
			s.write("app.log", "c\nd\n")
			rotate(s)
			s.write("app.log", "new file, longer than the position\n")
			for i, f := range []string{"app.log.1", "app.log-20261121", "app.log.1.gz", "app.log"} {
				if _, err := os.Stat(s.path(f)); err == nil {
					s.aged(f, int64(i))
				}
			}
			s.restart(at)
			require.Equal(t, []string{"c", "d", "new file, longer than the position"}, s.read())
		})
	}
}

func TestTruncatedFileStartsAgain(t *testing.T) {
	s := newScript(t)
	s.write("app.log", "a\nb\n")
	require.Equal(t, []string{"a", "b"}, s.read())
	require.NoError(t, os.Truncate(s.path("app.log"), 0))
	s.write("app.log", "c\n")
	require.Equal(t, []string{"c"}, s.read())
	require.NoError(t, os.WriteFile(s.path("app.log"), []byte("rewritten and longer\n"), 0o644))
	require.Equal(t, []string{"rewritten and longer"}, s.read())
}

func TestCopiedAsideAndTruncatedWhileRunningLosesNothing(t *testing.T) {
	s := newScript(t)
	s.write("app.log", "a\n")
	require.Equal(t, []string{"a"}, s.read())
	s.write("app.log.1", "a\nunread\n") // the copy has what was not read yet
	require.NoError(t, os.Truncate(s.path("app.log"), 0))
	s.write("app.log", "c\n")
	s.aged("app.log.1", 1)
	require.Equal(t, []string{"unread", "c"}, s.read())
}

func TestDeletedFileIsReadToItsEnd(t *testing.T) {
	s := newScript(t)
	s.write("app.log", "a\n")
	require.Equal(t, []string{"a"}, s.read())
	s.write("app.log", "b\nrest")
	require.NoError(t, os.Remove(s.path("app.log")))
	require.Equal(t, []string{"b", "rest"}, s.read())
	require.Nil(t, s.f.in, "a deleted file is let go")
	s.write("app.log", "c\n")
	require.Equal(t, []string{"c"}, s.read())
}

func TestKafkasOffsetIsEnough(t *testing.T) {
	s := newScript(t)
	s.write("app.log", "alpha\nbeta\ngamma\n")
	s.restart(Offset{Position: 6})
	require.Equal(t, []string{"beta", "gamma"}, s.read())
	s.restart(Offset{Position: 99999})
	require.Equal(t, []string{"alpha", "beta", "gamma"}, s.read(), "shorter than the position: begins again")
}

func TestSleepingFileWakesUp(t *testing.T) {
	s := newScript(t)
	s.cfg.SleepAfter = 3 * time.Second
	s.restart(Offset{})
	s.write("app.log", "a\nb")
	require.Equal(t, []string{"a"}, s.read())
	require.Nil(t, s.f.in)
	s.write("app.log", "c\n")
	require.Equal(t, []string{"bc"}, s.read())
	s.rename("app.log", "app.log.1")
	s.write("app.log.1", "d\n")
	s.write("app.log", "e\n")
	s.aged("app.log.1", 1)
	require.Equal(t, []string{"d", "e"}, s.read())
}

func TestHeaderIsSetApartInEachFileAndAfterARestart(t *testing.T) {
	s := newScript(t)
	s.cfg.Header = true
	s.restart(Offset{})
	s.write("app.log", "id,na")
	require.Empty(t, s.read(), "the header is not whole yet")
	s.write("app.log", "me\n1,a\n")
	chunk, status, err := s.f.Next(s.now, 9)
	require.NoError(t, err)
	require.Equal(t, Ready, status)
	require.Equal(t, "id,name", string(chunk.Header))
	require.Equal(t, []string{"1,a"}, texts(chunk))
	at := chunk.End
	s.write("app.log", "2,b\n")
	s.restart(at)
	chunk, _, err = s.f.Next(s.now, 9)
	require.NoError(t, err)
	require.Equal(t, "id,name", string(chunk.Header))
	require.Equal(t, []string{"2,b"}, texts(chunk))
}

func zipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return b.String()
}

func TestGzipIsReadAsItsContentAndResumedByContentPosition(t *testing.T) {
	s := newScript(t)
	whole := zipped("a\nb\n")
	s.write("app.log", whole[:7])
	require.Empty(t, s.read(), "still being written")
	s.write("app.log", whole[7:])
	require.Equal(t, []string{"a", "b"}, s.read())
	require.Equal(t, int64(4), s.last.Position)
	s.write("app.log", zipped("c\nd\n")) // another member
	require.Equal(t, []string{"c", "d"}, s.read())
	s.restart(Offset{Position: 2})
	require.Equal(t, []string{"b", "c", "d"}, s.read())
}

func TestDamagedGzipIsAnError(t *testing.T) {
	s := newScript(t)
	whole := []byte(zipped(strings.Repeat("some line\n", 100)))
	whole[len(whole)-6] ^= 0xff
	require.NoError(t, os.WriteFile(s.path("app.log"), whole, 0o644))
	var err error
	for range 5 {
		if _, _, err = s.f.Next(s.now, 1000); err != nil {
			break
		}
	}
	require.ErrorContains(t, err, "damaged")
	require.ErrorContains(t, err, s.path("app.log"))
}

func TestErrorsNameTheFileTheCauseAndTheRemedy(t *testing.T) {
	s := newScript(t)
	s.write("plainfile", "x\n")
	s.cfg.Path = s.path("plainfile/child")
	s.restart(Offset{})
	_, _, err := s.f.Next(s.now, 1)
	require.EqualError(t, err, "cannot read "+s.cfg.Path+`: Not a directory. A part of the path is a file; correct the key "file".`)
	s.cfg.Path = s.dir
	s.restart(Offset{})
	_, _, err = s.f.Next(s.now, 1)
	require.ErrorContains(t, err, "Is a directory")
	for errno, retry := range map[syscall.Errno]bool{syscall.EACCES: false, syscall.EMFILE: true, syscall.EIO: true} {
		var e *ReadError
		require.ErrorAs(t, Explain(&os.PathError{Op: "open", Path: "/x", Err: errno}, "/x"), &e)
		require.Equal(t, retry, e.Retry)
	}
}

func TestLongLines(t *testing.T) {
	long := strings.Repeat("x", 9000) + "é"
	text := "a\n" + long + "\r\nb\n" + "yyyyyyyyyyyyyyyyyyyy\nc\n"
	for rule, want := range map[TooLong][]string{
		TruncateTooLong: {"a", strings.Repeat("x", 10), "b", "yyyyyyyyyy", "c"},
		SkipTooLong:     {"a", "b", "c"},
	} {
		s := newScript(t)
		s.cfg.Format.LineBytes, s.cfg.Format.TooLong = 10, rule
		s.restart(Offset{})
		s.write("app.log", text)
		require.Equal(t, want, s.read())
		require.Equal(t, int64(len(text)), s.last.Position)
	}
	s := newScript(t)
	s.cfg.Format.LineBytes, s.cfg.Format.TooLong = 1000, SplitTooLong
	s.restart(Offset{})
	s.write("app.log", text)
	got := s.read()
	require.Len(t, got, 14)
	require.Equal(t, long, strings.Join(got[1:11], ""))
	s.cfg.Format.TooLong = FailTooLong
	s.restart(Offset{})
	_, _, err := s.f.Next(s.now, 1)
	require.NoError(t, err)
	_, _, err = s.f.Next(s.now, 1)
	var tooLong *LineTooLongError
	require.ErrorAs(t, err, &tooLong)
	require.Equal(t, int64(2), tooLong.Position)
}

// TestAnyContentWrittenAnyhowWithCrashesAnywhere is the property behind "killing a connector loses nothing": whatever
// is written in whatever pieces, rotated at any moment, with a restart from the last offset at any moment, every line
// comes exactly once and in order (the offset is that of the last chunk, so nothing is read twice either). // I-6
func TestAnyContentWrittenAnyhowWithCrashesAnywhere(t *testing.T) {
	base := t.TempDir()
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		s := &script{t: rt, dir: filepath.Join(base, fmt.Sprint(run)), now: time.Unix(1e9, 0)}
		require.NoError(rt, os.Mkdir(s.dir, 0o755))
		s.cfg = Config{
			Path: s.path("app.log"), Format: plain, RotateWait: time.Second,
			BlockBytes: rapid.SampledFrom([]int{16, 64, 4096}).Draw(rt, "block"),
			Log:        slog.New(slog.DiscardHandler),
		}
		s.restart(Offset{})
		defer func() { s.f.Close() }()
		var want, got []string
		unfinished, rotations := "", 0
		for step := range rapid.IntRange(1, 30).Draw(rt, "steps") {
			switch rapid.SampledFrom([]string{"write", "write", "read", "crash", "rotate"}).Draw(rt, "step") {
			case "write":
				end := rapid.SampledFrom([]string{"\n", "\r\n", ""}).Draw(rt, "end")
				text := fmt.Sprintf("%d:", step) + rapid.StringMatching("[a-zé\x00]{0,30}").Draw(rt, "text")
				s.write("app.log", text+end)
				s.aged("app.log", int64(rotations))
				if unfinished += text; end != "" {
					want, unfinished = append(want, unfinished), ""
				}
			case "read":
				chunk, status, err := s.f.Next(s.now, rapid.IntRange(1, 4).Draw(rt, "limit"))
				require.NoError(rt, err)
				if status == Ready {
					got = append(got, texts(chunk)...)
					s.last = chunk.End
				}
			case "crash":
				s.restart(s.last)
			case "rotate":
				if _, err := os.Stat(s.path("app.log")); err == nil && s.last.Position > 0 {
					rotations++
					s.rename("app.log", fmt.Sprintf("app.log.%d", rotations))
					if unfinished != "" {
						want, unfinished = append(want, unfinished), ""
					}
				}
			}
		}
		got = append(got, s.read()...)
		require.Equal(rt, want, got)
	})
}

func TestStreamEndsWithItsInput(t *testing.T) {
	r, w := io.Pipe()
	s := NewStream(plain, 16, func() (io.Reader, error) { return r, nil })
	go func() {
		_, _ = io.WriteString(w, "a\nlonger than one block of sixteen bytes\nlast")
		_ = w.Close()
	}()
	var got []string
	for {
		chunk, status, err := s.Next(10)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		if status == Ready {
			got = append(got, texts(chunk)...)
			continue
		}
		block, open := <-s.Blocks()
		s.Feed(block, open)
	}
	require.Equal(t, []string{"a", "longer than one block of sixteen bytes", "last"}, got)
}

func TestPrintsAreReadBack(t *testing.T) {
	p := printOf([]byte("hello"))
	again, err := ParsePrint(p.String())
	require.NoError(t, err)
	require.Equal(t, p, again)
	for _, bad := range []string{"", "x", "5", "-1-0", "9999-00", "5-xyz"} {
		_, err := ParsePrint(bad)
		require.Error(t, err)
	}
}
