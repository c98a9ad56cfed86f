package chaos

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestASeedGivesTheSamePlan(t *testing.T) {
	s := shape{workers: 3, connectors: 10, length: 10 * time.Minute, session: 6 * time.Second, network: true}
	require.Equal(t, makePlan(7, s), makePlan(7, s))
	require.NotEqual(t, makePlan(7, s), makePlan(8, s))
	seen := map[kind]int{}
	for _, f := range makePlan(7, s) {
		seen[f.kind]++
	}
	require.Len(t, seen, len(weights), "ten minutes have every kind of fault: %v", seen)
}

func TestAPlanBreaksNothingTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := shape{workers: 3, connectors: 10, length: time.Minute, session: 6 * time.Second, network: rapid.Bool().Draw(t, "network")}
		until := map[string]time.Duration{}
		last := time.Duration(0)
		for _, f := range makePlan(rapid.Uint64().Draw(t, "seed"), s) {
			require.GreaterOrEqual(t, f.at, last)
			require.LessOrEqual(t, f.at+f.hold, s.length)
			last = f.at
			var targets []string
			switch f.kind {
			case killWorker, stopWorker, pauseWorker, cutNetwork:
				require.True(t, s.network || f.kind != cutNetwork)
				targets = []string{strconv.Itoa(f.target)}
			case killAll:
				targets = []string{"0", "1", "2"}
			case restartBroker, killBroker, pauseBroker:
				targets = []string{"broker"}
			case changeConfig, pauseTasks, restartTasks:
			}
			for _, target := range targets {
				require.LessOrEqual(t, until[target], f.at, f)
				until[target] = f.at + f.hold
			}
		}
	})
}

func TestTheVerdictFindsWhatIsWrong(t *testing.T) {
	lines := func(numbers ...int) (out []string) {
		for _, n := range numbers {
			out = append(out, lineText(n))
		}
		return out
	}
	for _, c := range []struct {
		lines []string
		want  verdict
		err   string
	}{
		{lines(0, 1, 2, 3), verdict{4, 0, 0, 0}, ""},
		{lines(0, 1, 2, 1, 2, 3), verdict{6, 2, 1, 0}, ""},
		{lines(0, 1, 0, 1, 1, 2, 3), verdict{7, 3, 2, 0}, ""},
		{lines(0, 1, 3), verdict{}, "line 2 was never seen"},
		{lines(0, 1, 2), verdict{}, "the end is missing"},
		{lines(0, 1, 2, 0, 2, 3), verdict{6, 2, 1, 1}, ""},
		{append(lines(0, 1), lineText(2)[:20]+lineText(2)), verdict{}, "damaged"},
		{append(lines(0, 1), "x"), verdict{}, "not a line"},
	} {
		v, err := judge(c.lines, 4)
		if c.err != "" {
			require.ErrorContains(t, err, c.err)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, c.want, v)
	}
}

// A sequence that goes back at will, and never leaves out, is always accepted, and its repeats are counted.
func TestAnyRepetitionIsAcceptedAndAnyHoleIsFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.IntRange(2, 60).Draw(t, "lines")
		var out []string
		repeats := 0
		for next, highest := 0, 0; next < want; {
			if next > 0 && rapid.IntRange(0, 9).Draw(t, "fault") == 0 && len(out) < 500 {
				next = rapid.IntRange(0, next-1).Draw(t, "back to")
			}
			if next < highest {
				repeats++
			}
			out = append(out, lineText(next))
			next++
			highest = max(highest, next)
		}
		v, err := judge(out, want)
		require.NoError(t, err)
		require.Equal(t, repeats, v.repeats)
		first := slices.Index(out, lineText(want/2))
		_, err = judge(slices.DeleteFunc(slices.Clone(out), func(l string) bool { return l == out[first] }), want)
		require.Error(t, err)
	})
}
