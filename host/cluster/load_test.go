package cluster

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tailrace/tailrace/host/store"
)

func (g *group) weigh(loads map[Item]float64) {
	for i, w := range g.work {
		if !w.Item.IsConnector() {
			g.work[i].Weight = 1 + loads[w.Item]/loadUnit
		}
	}
}

// spread is the largest and the smallest load of a member, and the mean.
func (g *group) spread() (low, high, mean float64) {
	weight := map[Item]float64{}
	for _, w := range g.work {
		weight[w.Item] = w.weight()
	}
	low = math.Inf(1)
	for _, m := range g.members {
		load := 0.0
		for _, i := range m.Current {
			load += weight[i]
		}
		low, high, mean = min(low, load), max(high, load), mean+load/float64(len(g.members))
	}
	return low, high, mean
}

// calm joins until nothing is revoked any more, however many rounds that takes, within a bound.
func (g *group) calm(t fatal) (revoked int) {
	t.Helper()
	for rounds := 0; ; rounds++ {
		n, _ := g.round(t)
		revoked += n
		if n == 0 {
			return revoked
		}
		require.Less(t, rounds, 20, "the group does not come to rest")
	}
}

// Whatever tasks weigh, a group comes to rest with even counts, and weights that stay within a factor of two of what was
// used before move nothing, however often they change.
func TestMeasuredLoadsLevelTheWorkAndDoNotMakeItFlap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := newGroup()
		for i := range rapid.IntRange(1, 4).Draw(t, "members") {
			g.join(fmt.Sprintf("m%d", i))
		}
		g.connectors(names(rapid.IntRange(1, 6).Draw(t, "connectors")), rapid.IntRange(1, 5).Draw(t, "tasks"))
		g.settle(t)
		measure := func(rate func(Item) float64, before map[Item]float64) map[Item]float64 {
			measured := map[Item]float64{}
			for _, w := range g.work {
				if !w.Item.IsConnector() {
					measured[w.Item] = rate(w.Item)
				}
			}
			return steadyLoads(before, map[string]Metadata{"m0": {Loads: reportLoads(measured)}})
		}
		true0 := map[Item]float64{}
		for _, w := range g.work {
			true0[w.Item] = loadUnit * rapid.SampledFrom([]float64{0, 0.0625, 0.1, 1, 5, 50}).Draw(t, "load of "+w.Item.String())
		}
		known := measure(func(i Item) float64 { return true0[i] }, nil)
		g.weigh(known)
		g.calm(t)
		g.requireComplete(t)
		g.requireEven(t)
		for range 3 {
			jitter := rapid.Float64Range(0.6, 1.6)
			known = measure(func(i Item) float64 { return true0[i] * jitter.Draw(t, "jitter") }, known)
			g.weigh(known)
			require.Zero(t, g.calm(t), "what varies a little moves nothing")
		}
	})
}

func TestAHeavyTaskChangesPlacesWithALightOne(t *testing.T) {
	g := newGroup()
	g.join("a", "b")
	g.connectors(names(4), 1)
	g.settle(t)
	loads := map[Item]float64{}
	for _, i := range g.members["a"].Current {
		if !i.IsConnector() {
			loads[i] = 20 * loadUnit
		}
	}
	require.Len(t, loads, 2)
	g.weigh(loads)
	require.Equal(t, 2, g.calm(t), "one pair changes places")
	low, high, _ := g.spread()
	require.InDelta(t, low, high, 0.001)
	g.requireComplete(t)
	g.requireEven(t)
}

// Only an even count matters while there is nothing to be measured, so that clusters with Kafka Connect behave as before.
func TestWithoutLoadsNothingChangesPlaces(t *testing.T) {
	g := newGroup()
	g.join("a", "b", "c")
	g.connectors(names(7), 3)
	g.settle(t)
	g.weigh(nil)
	require.Zero(t, g.calm(t))
}

func TestALoadStaysUntilItDiffersByAFactorOfTwo(t *testing.T) {
	const mib = float64(loadUnit)
	for _, c := range []struct{ known, measured, want float64 }{
		{0, 0, 0},
		{0, noLoad - 1, 0},
		{0, 3 * mib, 3 * mib},
		{3 * mib, 4 * mib, 3 * mib},
		{3 * mib, 6 * mib, 3 * mib},
		{3 * mib, 6.1 * mib, 6.1 * mib},
		{3 * mib, 1.5 * mib, 3 * mib},
		{3 * mib, 1.4 * mib, 1.4 * mib},
		{3 * mib, 0, 0},
		{1.5 * noLoad, 0, 0},
		{1.5 * noLoad, 0.9 * noLoad, 1.5 * noLoad},
		{1.9 * noLoad, 0.9 * noLoad, 0},
		{0, noLoad, noLoad},
	} {
		require.Equal(t, c.want, steady(c.known, c.measured), "%v", c)
	}
}

// A load just above what does not matter is reported down to its half, or it would come and go.
func TestALoadIsReportedDownToHalfOfWhatMatters(t *testing.T) {
	loads := reportLoads(map[Item]float64{{"a", 0}: noLoad / 2, {"b", 0}: noLoad/2 - 1, {"c", 0}: 5 * loadUnit})
	require.Equal(t, []Load{{Item{"a", 0}, noLoad / 2}, {Item{"b", 0}, 0}, {Item{"c", 0}, 5 * loadUnit}}, loads)
}

func TestWeightsComeFromTheConfigurationFirst(t *testing.T) {
	snapshot := store.ConfigSnapshot{Connectors: map[string]store.ConnectorSnapshot{
		"a": {Config: map[string]string{"task.weight": "2.5"}, Tasks: []map[string]string{{}}},
		"b": {Config: map[string]string{"task.weight": "none"}, Tasks: []map[string]string{{}, {}}},
	}}
	loads := map[Item]float64{{"a", 0}: 9 * loadUnit, {"b", 1}: 9 * loadUnit}
	weights := map[Item]float64{}
	for _, w := range WorkOf(snapshot, loads, nil) {
		weights[w.Item] = w.Weight
	}
	require.Equal(t, map[Item]float64{{"a", ConnectorTask}: 0, {"a", 0}: 2.5, {"b", ConnectorTask}: 0, {"b", 0}: 1, {"b", 1}: 10}, weights)
}

func TestWorkNamesTheTransformsThatItNeedsOfPlugins(t *testing.T) {
	snapshot := store.ConfigSnapshot{Connectors: map[string]store.ConnectorSnapshot{
		"a": {Config: map[string]string{
			"connector.class": "A", "transforms": "hoist, geo,missing", "transforms.hoist.type": "HoistField$Value", "transforms.geo.type": "org.Geo",
		}, Tasks: []map[string]string{{}}},
		"b": {Config: map[string]string{"connector.class": "B"}},
	}}
	builtIn := func(class string) bool { return class == "HoistField$Value" }
	require.Equal(t, []Work{
		{Item: Item{"a", ConnectorTask}, Class: "A", Transforms: []string{"org.Geo"}},
		{Item: Item{"a", 0}, Class: "A", Transforms: []string{"org.Geo"}, Weight: 1},
		{Item: Item{"b", ConnectorTask}, Class: "B"},
	}, WorkOf(snapshot, nil, builtIn))
}

func TestLoadsTravelBehindThePlugins(t *testing.T) {
	m := Metadata{Version: 2, URL: "http://h:8083/", ConfigOffset: 5, Plugins: []string{"x"}, Loads: []Load{{Item{"c", 3}, 1 << 40}, {Item{"d", 0}, 0}}}
	again, err := DecodeMetadata(EncodeMetadata(m))
	require.NoError(t, err)
	require.Equal(t, m, again)
}
