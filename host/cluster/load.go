package cluster

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/store"
)

const (
	// loadUnit is the load that counts as much as a task itself.
	loadUnit = 1 << 20 // bytes a second
	// maxLoads bounds what a member reports, the heaviest first.
	maxLoads = 1000
	// noLoad is what does not matter, in bytes a second: less than that does not become a load, and what has become one stays
	// above the half of it, below which nothing is reported.
	noLoad = loadUnit / 16
)

// WorkOf is everything that a snapshot wants to run: every connector, whatever its target state, and the tasks of those
// whose set of tasks is whole. A task weighs what its configuration says, or else 1 and what it is known to move. builtIn are
// the classes of transforms that every worker has.
func WorkOf(s store.ConfigSnapshot, loads map[Item]float64, builtIn func(class string) bool) []Work {
	var work []Work
	for _, name := range s.Names() {
		c := s.Connectors[name]
		configured, transforms := weightIn(c.Config), transformsOf(c.Config, builtIn)
		for task := ConnectorTask; task < len(c.Tasks); task++ {
			w := Work{Item: Item{name, task}, Class: c.Config["connector.class"], Transforms: transforms}
			switch {
			case w.Item.IsConnector():
			case configured > 0:
				w.Weight = configured
			default:
				w.Weight = 1 + loads[w.Item]/loadUnit
			}
			work = append(work, w)
		}
	}
	return work
}

// transformsOf are the classes of a connector's transforms that come from plugins.
func transformsOf(props map[string]string, builtIn func(class string) bool) []string {
	var classes []string
	for alias := range strings.SplitSeq(props["transforms"], ",") {
		class := props["transforms."+strings.TrimSpace(alias)+".type"]
		if class != "" && (builtIn == nil || !builtIn(class)) {
			classes = append(classes, class)
		}
	}
	return classes
}

// weightIn reads task.weight; 0 when it is not set, or is a reference or no weight.
func weightIn(props map[string]string) float64 {
	weight, err := strconv.ParseFloat(props[config.TaskWeightKey], 64)
	if err != nil || !(weight > 0) {
		return 0
	}
	return min(weight, config.MaxTaskWeight)
}

// reportLoads is what a member tells of its measurements, sorted by item: the heaviest ones, and that others do not matter.
func reportLoads(measured map[Item]float64) []Load {
	loads := make([]Load, 0, len(measured))
	for item, rate := range measured {
		if rate < noLoad/2 {
			rate = 0
		}
		loads = append(loads, Load{item, int64(rate)})
	}
	slices.SortFunc(loads, func(a, b Load) int {
		return cmp.Or(cmp.Compare(b.BytesPerSecond, a.BytesPerSecond), compareItems(a.Item, b.Item))
	})
	loads = loads[:min(len(loads), maxLoads)]
	slices.SortFunc(loads, func(a, b Load) int { return compareItems(a.Item, b.Item) })
	return loads
}

// steadyLoads takes over what members have measured. What nobody has measured anew, because it has moved or its worker is
// gone, keeps its load for as long as somebody reports it to run or nobody knows better.
func steadyLoads(known map[Item]float64, peers map[string]Metadata) map[Item]float64 {
	next := make(map[Item]float64, len(known))
	for item, rate := range known {
		next[item] = rate
	}
	for _, peer := range peers {
		for _, l := range peer.Loads {
			if rate := steady(known[l.Item], float64(l.BytesPerSecond)); rate > 0 {
				next[l.Item] = rate
			} else {
				delete(next, l.Item)
			}
		}
	}
	return next
}

// steady is the load that counts after another measurement: the old one until the new one differs by more than a factor of
// two, so that the ups and downs of a task move nothing. That goes before what does not matter: a load just above that
// border would come and go. Pure.
func steady(known, measured float64) float64 {
	switch {
	case known/2 <= measured && measured <= known*2:
		return known
	case measured < noLoad:
		return 0
	}
	return measured
}
