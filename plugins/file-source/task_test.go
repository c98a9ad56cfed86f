package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tailrace/tailrace/plugins/file-source/internal/discover"
	connect "github.com/tailrace/tailrace/sdk/go"
	"github.com/tailrace/tailrace/sdk/go/connecttest"
	"github.com/tailrace/tailrace/sdk/go/data"
)

func TestMain(m *testing.M) {
	if os.Getenv("TEST_COPY_STANDARD_INPUT") != "" {
		in, err := openStandardInput()
		if err == nil {
			_, err = io.Copy(os.Stdout, in)
		}
		if err != nil {
			panic(err)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func TestStandardInputIsThatOfTheParent(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	// The shell stands for the worker: its input is a pipe, that of its child in the background is /dev/null.
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `"$0" & wait`, self)
	cmd.Env = append(os.Environ(), "TEST_COPY_STANDARD_INPUT=1")
	cmd.Stdin = strings.NewReader("a\nb\n")
	out, err := cmd.Output()
	require.NoError(t, err)
	require.Equal(t, "a\nb\n", string(out))
}

func write(t testing.TB, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	_, err = f.WriteString(text)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

func values(records []connecttest.Record) (out []any) {
	for _, r := range records {
		out = append(out, r.Value)
	}
	return out
}

func TestLinesBecomeKafkasRecordsAndOffsets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in.txt")
	s := connecttest.RunSource(t, plugin(), connect.Config{"file": path, "topic": "lines"},
		connecttest.Connector("org.apache.kafka.connect.file.FileStreamSourceConnector"))
	s.None(20 * time.Millisecond)
	write(t, path, "alpha\nbeta\ngamma\n")
	records := s.Next(3)
	require.Equal(t, []any{"alpha", "beta", "gamma"}, values(records))
	last := records[2]
	require.Equal(t, "lines", last.Topic)
	require.Nil(t, last.Key)
	require.True(t, data.StringSchema.Equal(last.ValueSchema))
	require.Equal(t, map[string]any{"filename": path}, last.SourcePartition)
	s.Drain()
	require.Equal(t, map[string]any{"position": int64(17)}, s.Offsets().Get(map[string]any{"filename": path}),
		"exactly the offset of Kafka's connector, as recorded from it")
	write(t, path, "delta\n")
	s.Restart()
	require.Equal(t, []any{"delta"}, values(s.Next(1)))
}

func TestGoesOnWhereKafkasConnectorStopped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in.txt")
	write(t, path, "alpha\nbeta\ngamma\n")
	stored := connecttest.NewOffsets()
	stored.Set(map[string]any{"filename": path}, map[string]any{"position": int64(6)})
	s := connecttest.RunSource(t, plugin(), connect.Config{"file": path, "topic": "t"}, connecttest.StoredOffsets(stored))
	require.Equal(t, []any{"beta", "gamma"}, values(s.Next(2)))
}

// The offsets tell how many lines a read had: every line of a short one has its own, of a long one every few lines, and the last.
func TestBatchSizeBoundsEachRead(t *testing.T) {
	for size, want := range map[string][]int{"0": {1000, 1}, "-5": {1000, 1}, "50": {1000, 1}, "500": {126, 8}, "1000": {63, 16}} {
		path := filepath.Join(t.TempDir(), "in.txt")
		write(t, path, strings.Repeat("x\n", 1000))
		s := connecttest.RunSource(t, plugin(), connect.Config{"file": path, "topic": "t", "batch.size": size})
		withOffset, since := 0, 0
		for i, r := range s.Next(1000) {
			since++
			if r.SourceOffset == nil {
				continue
			}
			require.LessOrEqual(t, since, want[1], size)
			require.Equal(t, map[string]any{"position": int64(2 * (i + 1))}, r.SourceOffset)
			withOffset, since = withOffset+1, 0
		}
		require.Zero(t, since)
		require.Equal(t, want[0], withOffset, size)
	}
}

func TestRotationWhileStoppedIsFoundOnceTheFileIsKnownToRotate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.log")
	write(t, path, "a\n")
	s := connecttest.RunSource(t, plugin(), connect.Config{"file": path, "topic": "t", "rotate.wait.ms": "1"})
	require.Equal(t, []any{"a"}, values(s.Next(1)))
	require.NoError(t, os.Rename(path, path+".1"))
	write(t, path, "b\n")
	require.Equal(t, []any{"b"}, values(s.Next(1)))
	s.Drain()
	offset := s.Offsets().Get(map[string]any{"filename": path})
	require.Equal(t, int64(2), offset["position"])
	require.NotZero(t, offset["inode"])
	require.NotEmpty(t, offset["fingerprint"])

	write(t, path, "c\n")
	require.NoError(t, os.Rename(path+".1", path+".2"))
	require.NoError(t, os.Rename(path, path+".1"))
	write(t, path, "a new file that is longer\n")
	s.Restart()
	require.Equal(t, []any{"c", "a new file that is longer"}, values(s.Next(2)))
}

func TestManyFilesAreSpreadOverTasksAndNewOnesFound(t *testing.T) {
	dir := t.TempDir()
	c := &connector{}
	require.NoError(t, c.Start(t.Context(), connect.Config{
		"files": dir + "/*.log", "files.exclude": "skip*", "topic": "t", "files.scan.interval.ms": "10",
	}, nil))
	configs, err := c.TaskConfigs(t.Context(), 3)
	require.NoError(t, err)
	var tasks []*connecttest.Source
	stored := connecttest.NewOffsets()
	for i, cfg := range configs {
		tasks = append(tasks, connecttest.RunSource(t, plugin(), cfg, connecttest.TaskNumber(i), connecttest.StoredOffsets(stored)))
	}
	expected := make([]int, len(tasks))
	for i := range 30 {
		path := filepath.Join(dir, fmt.Sprintf("%d.log", i))
		write(t, path, path+"\n")
		for n, cfg := range configs {
			if share(t, cfg).Takes(path) {
				expected[n]++
			}
		}
	}
	write(t, filepath.Join(dir, "skip.log"), "no\n")
	write(t, filepath.Join(dir, "1.log.1"), "rotated\n")
	seen := make(map[any]bool)
	for i, s := range tasks {
		require.NotZero(t, expected[i])
		for _, r := range s.Next(expected[i]) {
			require.Equal(t, r.Value, r.SourcePartition["filename"])
			require.False(t, seen[r.Value])
			seen[r.Value] = true
		}
	}
	require.Len(t, seen, 30)
	for _, s := range tasks {
		s.None(30 * time.Millisecond)
		s.Drain()
	}
	require.Equal(t, 30, stored.Len())
}

func share(t *testing.T, raw connect.Config) discover.Share {
	var cfg config
	require.NoError(t, connect.BindWith(definition(false), raw, &cfg))
	return discover.Share{Task: int(cfg.Task), Tasks: int(cfg.Tasks)}
}

func TestCSVBecomesTypedStructs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in.csv")
	write(t, path, "id,name,price\r\n1,\"a, \"\"b\"\"\nc\",2.5\r\n2,,\r\n")
	s := connecttest.RunSource(t, plugin(), connect.Config{
		"file": path, "topic": "t", "format": "csv", "fields": "id:int64,price:decimal(2)",
	})
	records := s.Next(2)
	first := records[0].Value.(*data.Struct)
	require.Equal(t, "Struct{id=1,name=a, \"b\"\nc,price=2.50}", string(data.AppendJavaText(nil, first)))
	require.Equal(t, "Struct{id=2,name=}", string(data.AppendJavaText(nil, records[1].Value)), "an empty number is null")
	s.Drain()
	write(t, path, "3,x,1\n")
	s.Restart()
	require.Equal(t, "Struct{id=3,name=x,price=1.00}", string(data.AppendJavaText(nil, s.Next(1)[0].Value)))
}

func TestJSONLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in.json")
	write(t, path, "{\"b\":1,\"a\":[true,null]}\n\n7\n")
	s := connecttest.RunSource(t, plugin(), connect.Config{"file": path, "topic": "t", "format": "json"})
	records := s.Next(2)
	require.Nil(t, records[0].ValueSchema)
	require.Equal(t, "{b=1, a=[true, null]}", string(data.AppendJavaText(nil, records[0].Value)))
	require.Equal(t, int64(7), records[1].Value)

	s = connecttest.RunSource(t, plugin(), connect.Config{"file": path + "2", "topic": "t", "format": "json", "fields": "id:int32"})
	write(t, path+"2", "{\"id\":5,\"x\":1}\n")
	require.Equal(t, "Struct{id=5}", string(data.AppendJavaText(nil, s.Next(1)[0].Value)))
}

func TestAMalformedLineFailsTheTaskWithTheLinesBeforeItKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in.json")
	write(t, path, "1\n2\n{oops\n3\n")
	cfg := connect.Config{"file": path, "topic": "t", "format": "json", "offset.identity": "always"}
	stored := connecttest.NewOffsets()
	s := connecttest.RunSource(t, plugin(), cfg, connecttest.WantFailure(), connecttest.StoredOffsets(stored))
	require.Equal(t, []any{int64(1), int64(2)}, values(s.Next(2)))
	failure := s.Failure()
	require.Contains(t, failure.Message, path+": the line at byte 4 is no valid json")
	require.Contains(t, failure.Message, `set the key "malformed" to skip`)

	s = connecttest.RunSource(t, plugin(), cfg.With("malformed", "skip"), connecttest.StoredOffsets(stored))
	require.Equal(t, []any{int64(3)}, values(s.Next(1)), "nothing twice")
	require.Equal(t, path, s.Logs("a malformed line was skipped")["file"])
}

func TestTextThatIsNotUTF8(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in.txt")
	write(t, path, "a\nb\xff\nc\n")
	for rule, want := range map[string][]any{"replace": {"a", "b\uFFFD", "c"}, "skip": {"a", "c"}} {
		s := connecttest.RunSource(t, plugin(), connect.Config{"file": path, "topic": "t", "utf8.invalid": rule})
		require.Equal(t, want, values(s.Next(len(want))))
	}
	s := connecttest.RunSource(t, plugin(), connect.Config{"file": path, "topic": "t", "utf8.invalid": "fail"}, connecttest.WantFailure())
	require.Contains(t, s.Failure().Message, "at byte 2 is not UTF-8")
	s = connecttest.RunSource(t, plugin(), connect.Config{"file": path, "topic": "t", "format": "bytes"})
	require.Equal(t, []any{[]byte("a"), []byte("b\xff"), []byte("c")}, values(s.Next(3)))
}

func TestALineThatIsTooLong(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in.txt")
	write(t, path, "a\n"+strings.Repeat("x", 1_500_000)+"\nb\n")
	s := connecttest.RunSource(t, plugin(), connect.Config{"file": path, "topic": "t"}, connecttest.WantFailure())
	require.Equal(t, []any{"a"}, values(s.Next(1)))
	require.Contains(t, s.Failure().Message, path+`: the line at byte 2 is longer than 1000000 bytes; raise the key "line.max.bytes"`)
	s = connecttest.RunSource(t, plugin(), connect.Config{"file": path, "topic": "t", "line.max.bytes": "2000000"})
	require.Len(t, values(s.Next(3))[1], 1_500_000)
}

func TestErrorsReachTheStatus(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/plain", "x\n")
	s := connecttest.RunSource(t, plugin(), connect.Config{"file": dir + "/plain/child", "topic": "t"}, connecttest.WantFailure())
	require.Contains(t, s.Failure().Message, "cannot read "+dir+"/plain/child: Not a directory.")
	stored := connecttest.NewOffsets()
	stored.Set(map[string]any{"filename": dir + "/plain"}, map[string]any{"position": "text"})
	s = connecttest.RunSource(t, plugin(), connect.Config{"file": dir + "/plain", "topic": "t"}, connecttest.WantFailure(),
		connecttest.StoredOffsets(stored))
	require.Contains(t, s.Failure().Message, "is text, which is no position")
}

func TestANamedPipeIsReadAsAStream(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	s := connecttest.RunSource(t, plugin(), connect.Config{"file": path, "topic": "t"})
	w, err := os.OpenFile(path, os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = io.WriteString(w, "a\nb\nrest")
	require.NoError(t, err)
	require.Equal(t, []any{"a", "b"}, values(s.Next(2)))
	require.NoError(t, w.Close())
	records := s.Next(1)
	require.Equal(t, "rest", records[0].Value)
	require.Nil(t, records[0].SourceOffset)
}

// TestKilledAtAnyMomentNothingIsMissing kills the task at random moments; offsets are stored now and then. Every line
// arrives, in order, and what comes twice are only the lines behind the last stored offset. // I-1, I-6
func TestKilledAtAnyMomentNothingIsMissing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in.txt")
	const count = 20_000
	var text strings.Builder
	for i := range count {
		fmt.Fprintf(&text, "%d %s\r\n", i, strings.Repeat("x", i%97))
	}
	write(t, path, text.String())
	s := connecttest.RunSource(t, plugin(), connect.Config{"file": path, "topic": "t", "batch.size": "100"}, connecttest.ManualCommit())
	next, committed := 0, 0
	for kills := 0; next < count; {
		for _, r := range s.Next(min(rand.IntN(500)+1, count-next)) {
			var got int
			_, err := fmt.Sscanf(r.Value.(string), "%d ", &got)
			require.NoError(t, err)
			require.Equal(t, next, got)
			next++
		}
		switch rand.IntN(4) {
		case 0:
			s.Commit()
			committed = next
		case 1:
			if kills++; kills > 20 {
				continue
			}
			s.Kill()
			position, _ := s.Offsets().Get(map[string]any{"filename": path})["position"].(int64)
			next = strings.Count(text.String()[:position], "\n")
			require.GreaterOrEqual(t, next, committed/100*100, "at most one read behind what was committed")
			s.Restart()
		}
	}
}
