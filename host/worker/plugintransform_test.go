package worker

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/convert"
	"github.com/tailrace/tailrace/host/plugin"
	"github.com/tailrace/tailrace/host/store"
	"github.com/tailrace/tailrace/host/task"
	"github.com/tailrace/tailrace/host/transform"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// onePlugin offers one transform.
type onePlugin struct{ plugin.Listing }

func (o onePlugin) Resolve(_ context.Context, class, versions string) (plugin.Resolved, error) {
	return o.Listing.Resolve(class, versions)
}

func (o onePlugin) ResolveTransform(_ context.Context, class, versions string) (plugin.ResolvedTransform, error) {
	return o.Listing.ResolveTransform(class, versions)
}

func (onePlugin) Subscribe() (<-chan plugin.Event, func()) { return nil, func() {} }

// pickyDir is where pickyProgram put it.
var pickyDir string

// pickyProgram is built once for all tests of the process.
var pickyProgram = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "picky-")
	if err != nil {
		return "", err
	}
	pickyDir = dir
	program := filepath.Join(dir, "picky")
	out, err := exec.CommandContext(context.Background(), "go", "build", "-o", program, "../../test/e2e/testdata/picky").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return program, err
})

// TestMain takes the program away.
func TestMain(m *testing.M) {
	code := m.Run()
	if pickyDir != "" {
		_ = os.RemoveAll(pickyDir)
	}
	os.Exit(code)
}

// answerTimeout is long for a machine that is busy, and short for a plugin that hangs.
const answerTimeout = 3 * time.Second

// shouter is a step in the plugin picky.
type shouter struct {
	*pluginTransform
	retried []string
}

func newShouter(t *testing.T, policy task.ErrorPolicy, options map[string]string) (*shouter, error) {
	t.Helper()
	program, err := pickyProgram()
	require.NoError(t, err)
	host, err := plugin.NewHost(plugin.HostOptions{Logger: slog.New(slog.DiscardHandler), Version: "test", Timeouts: plugin.Timeouts{Answer: answerTimeout}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, host.Close()) })
	description, err := host.Describe(t.Context(), plugin.Program{Path: program, Name: "picky", Command: program})
	require.NoError(t, err)
	picky := &plugin.Plugin{Program: plugin.Program{Path: program, Name: "picky", Command: program, Checksum: "1"}, Description: description}
	listing := plugin.Listing{Plugins: []*plugin.Plugin{picky}}
	w := New(Config{
		Plugins: onePlugin{listing}, Processes: host, Logger: slog.New(slog.DiscardHandler),
		LogLevel: func(string) slog.Level { return slog.LevelInfo },
	})
	t.Cleanup(func() { _ = w.Close(context.Background()) })
	r := w.newRunner(0, "c", nil, store.TargetStarted)
	t.Cleanup(r.cut)
	s := &shouter{}
	share := &share{
		resolved:  plugin.Resolved{Plugin: &plugin.Plugin{Program: plugin.Program{Path: "/another"}}},
		connector: &config.Connector{}, masker: config.Resolution{}.Masker(),
	}
	step := config.Transform{Alias: "shout", Class: "test.Shout", Config: options}
	s.pluginTransform, err = r.newPluginTransform(share, step, policy, func(err error, _ time.Duration) { s.retried = append(s.retried, err.Error()) })
	if err == nil {
		t.Cleanup(s.close)
	}
	return s, err
}

// run applies the step to texts and says what became of each.
func (s *shouter) run(t *testing.T, texts ...string) (out []string) {
	t.Helper()
	b := transform.NewBatch(transform.Source)
	for _, text := range texts {
		r := b.Add()
		r.Topic = "t"
		r.Value.SetWire(data.StringSchema, data.AppendString(nil, text))
	}
	transform.NewChain(transform.Step{Alias: "shout", Class: "picky-shout", Transform: s}).Apply(b)
	for i := range b.Len() {
		switch r := b.At(i); {
		case r.Failure() != nil:
			out = append(out, "error: "+r.Failure().Err.Error())
		case r.Dropped():
			out = append(out, "dropped")
		default:
			v, err := r.Value.Value()
			require.NoError(t, err)
			out = append(out, fmt.Sprint(v))
		}
	}
	return out
}

func TestAStepInAPluginDoesWhatItSaysWithEachRecord(t *testing.T) {
	s, err := newShouter(t, task.ErrorPolicy{}, map[string]string{"mark": "!"})
	require.NoError(t, err)
	require.Equal(t, []string{"ONE!", "dropped", "calm", "error: bad is nothing to shout", "TWO!"}, s.run(t, "one", "drop", "calm", "bad", "two"))
	large := strings.Repeat("x", 2<<20)
	require.Equal(t, []string{"A!", strings.ToUpper(large) + "!", "error: the record takes 5242884 bytes for the plugin, and a frame holds 4194304", "B!"},
		s.run(t, "a", large, strings.Repeat("x", 5<<20), "b"))
	var many, want []string
	for i := range 5000 {
		many, want = append(many, fmt.Sprint("n", i)), append(want, fmt.Sprint("N", i, "!"))
	}
	require.Equal(t, want, s.run(t, many...))
	require.Empty(t, s.retried)
}

func TestAProcessThatHangsIsReplacedAndGetsItsRecordsAgain(t *testing.T) {
	s, err := newShouter(t, task.ErrorPolicy{}, map[string]string{"hang.once": filepath.Join(t.TempDir(), "once")})
	require.NoError(t, err)
	first := s.instance.PID()
	require.Equal(t, []string{"ONE", "TWO"}, s.run(t, "one", "two"))
	require.NotEqual(t, first, s.instance.PID())
	require.Len(t, s.retried, 1)
	require.Contains(t, s.retried[0], "transform shout (test.Shout): the plugin hangs: transform shout did not answer within 3.25s; its records are sent again")
}

func TestAProcessThatDiesIsReplaced(t *testing.T) {
	s, err := newShouter(t, task.ErrorPolicy{}, nil)
	require.NoError(t, err)
	for range 2 {
		require.NoError(t, syscall.Kill(s.instance.PID(), syscall.SIGKILL))
		require.Equal(t, []string{"ONE"}, s.run(t, "one"))
	}
	require.Len(t, s.retried, 2)
	require.Contains(t, s.retried[0], "the process of plugin picky")
}

func TestARetriableFailureIsTriedAgainAsConfigured(t *testing.T) {
	s, err := newShouter(t, task.ErrorPolicy{RetryTimeout: time.Minute, RetryDelayMax: time.Second}, map[string]string{"retry.once": filepath.Join(t.TempDir(), "once")})
	require.NoError(t, err)
	require.Equal(t, []string{"ONE", "error: bad is nothing to shout"}, s.run(t, "one", "bad"))
	require.Len(t, s.retried, 1)
	s, err = newShouter(t, task.ErrorPolicy{}, map[string]string{"retry.once": filepath.Join(t.TempDir(), "once")})
	require.NoError(t, err)
	require.Equal(t, []string{"error: the voice is away", "error: the voice is away"}, s.run(t, "one", "bad"), "without errors.retry.timeout")
}

func TestAStepThatIsStoppedSkipsNoRecord(t *testing.T) {
	s, err := newShouter(t, task.ErrorPolicy{}, map[string]string{"hang.once": filepath.Join(t.TempDir(), "once")})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	s.Bind(ctx)
	b := transform.NewBatch(transform.Source)
	b.Add().Topic = "t"
	s.Apply(b)
	require.ErrorIs(t, b.At(0).Failure().Err, convert.ErrStopped)
}

func TestAStepThatCannotStartSaysWhy(t *testing.T) {
	_, err := newShouter(t, task.ErrorPolicy{}, map[string]string{"pause.ms": "no number"})
	require.ErrorContains(t, err, "Invalid value no number for configuration pause.ms")
}
