package process

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestLinesAreTheSameHoweverTheBytesArrive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SliceOf(rapid.SampledFrom([]byte("ab\n\r"))).Draw(t, "text")
		var want []string
		for part := range bytes.SplitSeq(text, []byte("\n")) {
			if len(part) > 0 {
				want = append(want, string(bytes.TrimSuffix(part, []byte("\r"))))
			}
		}
		var got []string
		splitter := lineSplitter{line: func(line []byte, _ int) { got = append(got, string(line)) }}
		for rest := text; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "piece")
			splitter.write(rest[:n])
			rest = rest[n:]
		}
		splitter.flush()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}

func TestALineWithoutEndIsCutAndCounted(t *testing.T) {
	var got []int
	splitter := lineSplitter{line: func(line []byte, cut int) { got = append(got, len(line), cut) }}
	for range 100 {
		splitter.write(bytes.Repeat([]byte{'x'}, 1000))
	}
	require.LessOrEqual(t, cap(splitter.partial), 2*maxLineBytes)
	splitter.write([]byte("\nnext\n"))
	require.Equal(t, []int{maxLineBytes, 100_000 - maxLineBytes, 4, 0}, got)
}

func TestLogLinesAreReadInAllCommonForms(t *testing.T) {
	cases := []struct {
		line    string
		level   slog.Level
		message string
	}{
		{`{"@level":"warn","@message":"hclog","@module":"x"}`, slog.LevelWarn, "hclog"},
		{`{"level":"ERROR","msg":"slog","time":"now"}`, slog.LevelError, "slog"},
		{`{"severity":"debug","message":"zap"}`, slog.LevelDebug, "zap"},
		{`[WARN] prefix`, slog.LevelWarn, "prefix"},
		{`[main] not a level`, slog.LevelInfo, "[main] not a level"},
		{`panic: boom`, slog.LevelError, "panic: boom"},
		{`plain`, slog.LevelInfo, "plain"},
		// These panic in go-plugin v1.8.0.
		{`{"@message": 12}`, slog.LevelInfo, `{"@message": 12}`},
		{`{"@message": "m", "@level": ["warn"], "@timestamp": 7}`, slog.LevelInfo, "m"},
		{`{"@level": {}}`, slog.LevelInfo, `{"@level": {}}`},
		{`null`, slog.LevelInfo, "null"},
		{`{`, slog.LevelInfo, "{"},
	}
	for _, c := range cases {
		level, message, _ := parseLine(c.line)
		require.Equal(t, c.level, level, c.line)
		require.Equal(t, c.message, message, c.line)
	}
}

func FuzzParseLine(f *testing.F) {
	f.Add(`{"@message": 12}`)
	f.Add(`[WARN] x`)
	f.Fuzz(func(_ *testing.T, line string) { parseLine(line) })
}

func TestAFloodOfLinesIsDroppedAndCounted(t *testing.T) {
	var log bytes.Buffer
	var last tail
	reader := newOutputReader(slog.New(slog.NewTextHandler(&log, nil)), func(s string) string { return s }, &last, "stderr")
	reader.run(strings.NewReader(strings.Repeat("line\n", 100_000)), make(chan struct{}))
	require.Less(t, strings.Count(log.String(), "msg=line"), 2*burstLines)
	require.Contains(t, log.String(), "dropped_lines=")
	require.Len(t, last.snapshot(), tailLines)
}

func TestRateAllowsItsBurstAndThenItsRate(t *testing.T) {
	rate := NewRate(10, 5)
	now := time.Unix(100, 0)
	for range 5 {
		require.Zero(t, rate.Take(1, now))
	}
	require.Equal(t, 100*time.Millisecond, rate.Take(1, now).Round(time.Millisecond))
	require.Zero(t, rate.Take(1, now.Add(time.Second)))
}

func TestTheEnvironmentIsBuiltFromNamedVariablesOnly(t *testing.T) {
	host := map[string]string{"PATH": "/bin", "AWS_SECRET_ACCESS_KEY": "x", "HOME": "/root", "TZ": "UTC"}
	command := Command{Env: map[string]string{"GRANTED": "1", "TAILRACE_PLUGIN": "forged"}, Limits: Limits{MemoryBytes: 100 << 20}}
	got := command.environment(func(key string) (string, bool) { v, ok := host[key]; return v, ok },
		[]string{"TAILRACE_PLUGIN=true-one", "PLUGIN_PROTOCOL_VERSIONS=1"}, "TAILRACE_PROCESS_ID=abc.1")
	require.Equal(t, []string{
		"GOMEMLIMIT=83886080B", "GRANTED=1", "PATH=/bin", "PLUGIN_PROTOCOL_VERSIONS=1", "TAILRACE_KEEPALIVE_FD=3",
		"TAILRACE_PLUGIN=true-one", "TAILRACE_PROCESS_ID=abc.1", "TZ=UTC",
	}, got)
}

func TestExitsAreToldInWordsForPeople(t *testing.T) {
	require.Equal(t, "exited with status 3 after 1.5s; its last output:\n  a\n  b",
		Exit{Cause: CauseExited, Code: 3, Ran: 1500 * time.Millisecond, Output: []string{"a", "b"}}.Error())
	require.Equal(t, "was killed by signal killed (9) after 1s", Exit{Cause: CauseSignal, Signal: 9, Ran: time.Second}.Error())
	require.Equal(t, "was killed by the worker: it used too much", Exit{Cause: CauseMemoryLimit, Signal: 9, Detail: "it used too much"}.Error())
}

func TestOOMKillsAreReadFromTheCgroupsEvents(t *testing.T) {
	require.Equal(t, 2, oomKills("low 0\nhigh 0\nmax 7\noom 3\noom_kill 2\noom_group_kill 0\n"))
	require.Zero(t, oomKills(""))
}
