package proc

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseStatCountsFieldsFromTheLastBracket(t *testing.T) {
	line := "4242 (a) b (c) S 17 4242 4242 0 -1 4194560 1 2 3 4 150 50 30 20 20 0 1 0 99 1 2\n"

	s, err := parseStat([]byte(line))

	require.NoError(t, err)
	require.Equal(t, stat{pid: 4242, parent: 17, state: 'S', own: 2 * time.Second, children: 500 * time.Millisecond}, s)
}

func TestParseStatRefusesWhatIsNotAStatusLine(t *testing.T) {
	for _, line := range []string{"", "12", "12 (x) S 1", "x (y) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16"} {
		_, err := parseStat([]byte(line))
		require.Error(t, err, line)
	}
}

// burn is a shell loop that uses processor time without sleeping.
const burn = "i=0; while [ $i -lt 400000 ]; do i=$((i+1)); done"

func TestCPUCountsLivingAndEndedDescendantsOnce(t *testing.T) {
	// The shell's child burns and ends; the shell waits for it, then stays until its input closes.
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "sh -c '"+burn+"'; echo burnt; read x")
	input, err := cmd.StdinPipe()
	require.NoError(t, err)
	output, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())

	_, err = output.Read(make([]byte, 6))
	require.NoError(t, err)
	used := CPU(cmd.Process.Pid)
	require.NoError(t, input.Close())
	_ = cmd.Wait() // read fails at the end of input, so the shell ends with 1

	exact := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	require.InDelta(t, exact.Seconds(), used.Seconds(), 0.03)
	require.Greater(t, used, 50*time.Millisecond)
	require.False(t, Alive(cmd.Process.Pid))
}

func TestTreeHoldsDescendantsAndTheirMemory(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "sleep 60 & echo started; wait")
	output, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	_, err = output.Read(make([]byte, 8))
	require.NoError(t, err)

	tree := Tree(cmd.Process.Pid)
	require.Len(t, tree, 2)
	require.Equal(t, cmd.Process.Pid, tree[0])
	w := WatchMemory(cmd.Process.Pid, 10*time.Millisecond)
	peak := w.Stop()

	require.Equal(t, 2, peak.Processes)
	require.Positive(t, peak.Sampled)
	require.GreaterOrEqual(t, peak.Bound, peak.Sampled)
	for _, pid := range tree {
		p, err := os.FindProcess(pid)
		require.NoError(t, err)
		require.NoError(t, p.Kill())
	}
	_ = cmd.Wait()
	require.Empty(t, Tree(cmd.Process.Pid))
}

func TestAStoppedProcessStandsStill(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "sleep", "60")
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	require.False(t, Stopped(cmd.Process.Pid))
	require.NoError(t, cmd.Process.Signal(syscall.SIGSTOP))
	require.Eventually(t, func() bool { return Stopped(cmd.Process.Pid) }, 10*time.Second, time.Millisecond)
	require.True(t, Alive(cmd.Process.Pid))
	require.NoError(t, cmd.Process.Signal(syscall.SIGCONT))
	require.Eventually(t, func() bool { return !Stopped(cmd.Process.Pid) }, 10*time.Second, time.Millisecond)
	require.False(t, Stopped(0))
}
