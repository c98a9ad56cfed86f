package cluster

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// group simulates workers that follow what the leader says.
type group struct {
	state      AssignState
	generation int32
	now        time.Time
	maxDelay   time.Duration
	members    map[string]*MemberState
	work       []Work
}

func newGroup() *group {
	return &group{now: time.UnixMilli(1_000_000), members: map[string]*MemberState{}}
}

func (g *group) join(ids ...string) {
	for _, id := range ids {
		g.members[id] = &MemberState{ID: id}
	}
}

func (g *group) connectors(names []string, tasks int) {
	g.work = nil
	for _, name := range names {
		for task := ConnectorTask; task < tasks; task++ {
			g.work = append(g.work, Work{Item: Item{name, task}, Class: "class of " + name})
		}
	}
}

// fatal is what testing.T and rapid.T share.
type fatal interface {
	require.TestingT
	Helper()
}

// round lets the group join once. It checks that nothing is given away that
// somebody runs (I-5) and returns how many items were revoked.
func (g *group) round(t fatal) (revoked int, d Division) {
	t.Helper()
	r := Round{Now: g.now, Generation: g.generation + 1, LastCompleted: g.generation, Work: g.work, MaxDelay: g.maxDelay}
	running := map[Item]bool{}
	for _, m := range g.members {
		r.Members = append(r.Members, *m)
		for _, i := range m.Current {
			running[i] = true
		}
	}
	g.state, d = Assign(g.state, r)
	g.generation++
	given := map[Item]bool{}
	require.Len(t, d.Shares, len(g.members))
	for id, share := range d.Shares {
		m := g.members[id]
		for _, i := range share.Assigned {
			require.False(t, running[i], "%v is given away while somebody runs it", i)
			require.False(t, given[i], "%v is given away twice", i)
			given[i] = true
		}
		for _, i := range share.Revoked {
			require.True(t, slices.Contains(m.Current, i), "%v is revoked where it does not run", i)
		}
		revoked += len(share.Revoked)
		m.Current = slices.DeleteFunc(slices.Clone(m.Current), func(i Item) bool { return slices.Contains(share.Revoked, i) })
		m.Current = append(m.Current, share.Assigned...)
		for _, i := range m.Current {
			require.Equal(t, id, d.Owners[i])
		}
	}
	return revoked, d
}

// settle joins until nothing is revoked any more.
func (g *group) settle(t fatal) (revoked int) {
	t.Helper()
	for rounds := 0; ; rounds++ {
		n, _ := g.round(t)
		revoked += n
		if n == 0 {
			return revoked
		}
		require.Less(t, rounds, 4, "the group does not come to rest")
	}
}

func (g *group) count(id string, connectors bool) int {
	n := 0
	for _, i := range g.members[id].Current {
		if i.IsConnector() == connectors {
			n++
		}
	}
	return n
}

func (g *group) requireComplete(t fatal) {
	t.Helper()
	running := map[Item]int{}
	for _, m := range g.members {
		for _, i := range m.Current {
			running[i]++
		}
	}
	require.Len(t, running, len(g.work))
	for _, w := range g.work {
		require.Equal(t, 1, running[w.Item], "%v", w.Item)
	}
}

func (g *group) requireEven(t fatal) {
	t.Helper()
	for _, connectors := range []bool{true, false} {
		low, high := 1<<30, 0
		for id := range g.members {
			n := g.count(id, connectors)
			low, high = min(low, n), max(high, n)
		}
		require.LessOrEqual(t, high-low, 1)
	}
}

func names(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("c%02d", i)
	}
	return list
}

// However members and connectors come and go, the group comes to rest with
// everything running once, evenly, and without moves that were not needed.
func TestAnyGroupComesToRestEvenly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := newGroup()
		g.join("m0")
		connectors, next := 0, 1
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			before := map[Item]string{}
			for id, m := range g.members {
				for _, i := range m.Current {
					before[i] = id
				}
			}
			needed := -1 // moves, when only the members change and all was at rest
			switch rapid.SampledFrom([]string{"connectors", "join", "leave", "new leader", "interrupted"}).Draw(t, "what") {
			case "connectors":
				connectors = rapid.IntRange(0, 9).Draw(t, "connectors")
				g.connectors(names(connectors), rapid.IntRange(0, 4).Draw(t, "tasks"))
			case "join":
				id := fmt.Sprintf("m%d", next)
				next++
				g.join(id)
				needed = 0
				for _, kind := range []bool{true, false} {
					total := 0
					for member := range g.members {
						total += g.count(member, kind)
					}
					needed += total / len(g.members)
				}
			case "leave":
				if len(g.members) > 1 {
					delete(g.members, rapid.SampledFrom(sortedIDs(g)).Draw(t, "who"))
					needed = 0
				}
			case "new leader":
				g.state = AssignState{}
				needed = 0
			case "interrupted": // one round whose sync a member misses
				_, d := g.round(t)
				id := rapid.SampledFrom(sortedIDs(g)).Draw(t, "who")
				g.members[id].Current = slices.DeleteFunc(g.members[id].Current, func(i Item) bool { return slices.Contains(d.Shares[id].Assigned, i) })
			}
			moves := g.settle(t)
			g.requireComplete(t)
			g.requireEven(t)
			if needed >= 0 {
				require.LessOrEqual(t, moves, needed)
			}
			n, d := g.round(t)
			require.Zero(t, n, "at rest")
			for _, s := range d.Shares {
				require.Empty(t, s.Assigned)
			}
		}
	})
}

func sortedIDs(g *group) []string {
	var ids []string
	for id := range g.members {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

func TestTheWorkOfAMemberThatIsGoneMovesAtOnceAndNothingElseDoes(t *testing.T) {
	g := newGroup()
	g.join("a", "b", "c")
	g.connectors(names(9), 2)
	require.Zero(t, g.settle(t))
	kept := slices.Clone(g.members["a"].Current)
	delete(g.members, "b")
	require.Zero(t, g.settle(t))
	require.Subset(t, g.members["a"].Current, kept)
	g.requireComplete(t)
	g.requireEven(t)
}

func TestTheDelayOfKafkaConnectIsHonoured(t *testing.T) {
	g := newGroup()
	g.maxDelay = time.Minute
	g.join("a", "b")
	g.connectors(names(4), 1)
	g.settle(t)
	delete(g.members, "b")
	_, d := g.round(t)
	require.Equal(t, time.Minute, d.Delay)
	require.Len(t, g.members["a"].Current, 4)
	g.now = g.now.Add(20 * time.Second)
	g.join("b2") // it comes back under another id; its place is kept, and it waits as with Kafka Connect
	n, d := g.round(t)
	require.Zero(t, n)
	require.Equal(t, 40*time.Second, d.Delay)
	require.Empty(t, g.members["b2"].Current)
	g.connectors(names(5), 1) // new work does not wait
	_, _ = g.round(t)
	require.Len(t, g.members["b2"].Current, 2)
	g.now = g.now.Add(-time.Hour) // a clock set back
	_, d = g.round(t)
	require.Equal(t, time.Minute, d.Delay)
	g.now = g.now.Add(2 * time.Hour)
	_, d = g.round(t)
	require.Zero(t, d.Delay)
	g.settle(t)
	g.requireComplete(t)
	g.requireEven(t)
}

func TestAMemberThatMissedItsAssignmentGetsItAtOnce(t *testing.T) {
	g := newGroup()
	g.maxDelay = time.Minute
	g.join("a", "b")
	g.connectors(names(4), 0)
	g.round(t)
	g.members["b"].Current = nil // never heard of it
	_, d := g.round(t)
	require.Zero(t, d.Delay)
	g.requireComplete(t)
}

func TestWorkThatTwoReportIsStoppedAtBothAndGivenToOne(t *testing.T) {
	g := newGroup()
	g.join("a", "b")
	g.connectors([]string{"c"}, 1)
	g.members["a"].Current = []Item{{"c", 0}, {"c", ConnectorTask}, {"gone", 0}}
	g.members["b"].Current = []Item{{"c", 0}}
	n, d := g.round(t)
	require.Equal(t, 3, n)
	require.Equal(t, []Item{{"c", 0}}, d.Shares["b"].Revoked)
	g.settle(t)
	g.requireComplete(t)
}

func TestAPluginThatAMemberLacks(t *testing.T) {
	g := newGroup()
	g.join("a", "b")
	g.connectors([]string{"x", "y"}, 2)
	g.members["a"].Plugins = []string{"class of y"}
	g.settle(t)
	g.requireComplete(t)
	for _, i := range g.members["a"].Current {
		require.Equal(t, "y", i.Connector)
	}
	require.NotEmpty(t, g.members["a"].Current)
	g.members["b"].Plugins = []string{"class of y"} // nobody has x: it runs and fails, and says why
	g.settle(t)
	g.requireComplete(t)

	g.members["a"].Plugins, g.members["b"].Plugins = []string{"class of x"}, nil // a plugin was removed
	g.settle(t)
	g.requireComplete(t)
	for _, i := range g.members["a"].Current {
		require.Equal(t, "x", i.Connector)
	}
}

func TestAMemberThatLacksTheTransformOfAnotherPlugin(t *testing.T) {
	g := newGroup()
	g.join("a", "b", "c")
	g.connectors([]string{"x"}, 4)
	for i := range g.work {
		g.work[i].Transforms = []string{"geo", "nobody has it"}
	}
	where := func() (ids []string) {
		t.Helper()
		g.settle(t)
		g.requireComplete(t)
		for _, id := range slices.Sorted(maps.Keys(g.members)) {
			if len(g.members[id].Current) > 0 {
				ids = append(ids, id)
			}
		}
		return ids
	}
	has := func(id string, classes ...string) { g.members[id].Plugins = append([]string{}, classes...) }

	has("a", "class of x")
	has("b", "class of x", "geo")
	has("c", "geo")
	require.Equal(t, []string{"b"}, where(), "the one that has both")
	has("b", "class of x")
	require.Equal(t, []string{"a", "b"}, where(), "none has both: the connector's own plugin counts")
	has("c", "class of x", "geo")
	has("b", "geo", "class of x")
	require.Equal(t, []string{"b", "c"}, where())
}

func TestHeavyWorkIsSpread(t *testing.T) {
	g := newGroup()
	g.join("a", "b")
	for task, weight := range []float64{100, 100, 1, 1} {
		g.work = append(g.work, Work{Item: Item{"c", task}, Weight: weight})
	}
	g.settle(t)
	for _, id := range []string{"a", "b"} {
		heavy := slices.ContainsFunc(g.members[id].Current, func(i Item) bool { return i.Task < 2 })
		require.True(t, heavy, id)
		require.Len(t, g.members[id].Current, 2)
	}
}

func TestThousandsOfTasksAreDividedInMilliseconds(t *testing.T) {
	g := newGroup()
	g.join("a", "b")
	g.connectors(names(1000), 5)
	g.settle(t)
	g.join("c")
	start := time.Now()
	moves := g.settle(t)
	t.Logf("%d moves of %d in %v", moves, len(g.work), time.Since(start))
	require.Equal(t, 333+1666, moves)
	require.Less(t, time.Since(start), 20*time.Second) // 0.1 s; an algorithm that is quadratic takes minutes
	g.requireComplete(t)
	g.requireEven(t)
}
