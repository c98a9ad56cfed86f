package cluster

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"sort"
	"time"
)

// Work is one thing that shall run.
type Work struct {
	Item Item
	// Class is its connector's class, and Transforms are the classes of its transforms that the host itself does not have,
	// for members that tell what they can run. They are the same for all work of a connector.
	Class      string
	Transforms []string
	// Weight is its load beside other work of its kind; 0 counts as 1.
	Weight float64
}

func (w Work) weight() float64 {
	if w.Weight <= 0 {
		return 1
	}
	return w.Weight
}

// MemberState is one worker as the leader sees it.
type MemberState struct {
	ID      string
	Current []Item // what it reports to run
	// Plugins are the classes that it can run, nil means every class.
	Plugins []string
}

// AssignState is what a leader remembers from one round to the next. The zero
// value is that of a new leader. It is immutable.
type AssignState struct {
	generation int32           // of the round that made it
	owners     map[Item]string // who was to run what after that round
	due        time.Time       // when work that waits for its owner is given away; zero: none waits
	places     map[Item]string // where what that round revoked is to go
}

// Round is one call for a division of work.
type Round struct {
	Now time.Time
	// Generation is the group's number of this round, LastCompleted that of the last
	// one that this member saw through.
	Generation, LastCompleted int32
	Members                   []MemberState
	Work                      []Work
	// MaxDelay (scheduled.rebalance.max.delay.ms) is how long the work of a member
	// that is gone waits for it to come back; 0 gives it away at once.
	MaxDelay time.Duration
}

// Share is what one member is told. It keeps what it runs, less Revoked.
type Share struct {
	Assigned []Item // new for it
	Revoked  []Item // to be stopped before its next join
}

// Division is the result of a round.
type Division struct {
	Shares map[string]Share // by member id; every member has one
	// Delay: all members shall join again after it.
	Delay time.Duration
	// Owners is who runs what when everybody has followed; the leader answers from
	// it where a connector or task is.
	Owners map[Item]string
}

// Assign divides the work incrementally (KIP-415), without the locks and counters
// of Kafka Connect's leader:
//
//   - What a member runs it keeps, unless the work is no longer wanted, two members
//     report it, or moving it makes the cluster more even. Such work is revoked in
//     this round and given away in the next, when nobody reports it any more (I-5).
//   - What nobody runs goes to the members with the fewest of its kind, heavy work
//     first; among members of the same count to the one with the least load.
//   - Connectors and tasks are evened out separately: at the end no member that may
//     run more has two less than another. No more moves than needed for that.
//   - When the counts are even and one member has far more load than another, a heavy task and a light one change places
//     (see level). That happens only in rounds that are held for another reason.
//   - The work of a member that has left waits for MaxDelay, if that is set. Work
//     that its owner does not report, although it is there, has not arrived at it
//     and is given away at once.
//
// A member that lacks a plugin of a connector, its own or that of a transform, gets its work only if all lack it.
//
// The same state and round give the same division.
func Assign(state AssignState, round Round) (AssignState, Division) {
	if state.owners == nil || state.generation != round.LastCompleted {
		state = AssignState{} // another member led in between: nothing is known to be lost
	}
	a := newAssigner(round)
	waiting := a.takeStock(state, &round)
	due, delay := waitUntil(state.due, round, len(waiting) > 0)
	if delay == 0 {
		waiting = nil
	}
	for _, connectors := range []bool{true, false} {
		a.give(connectors, waiting, state.places)
		if delay == 0 { // a member that comes back shall find its place free
			a.even(connectors)
		}
	}
	if delay == 0 {
		a.level()
	}
	d := a.division()
	d.Delay = delay
	next := AssignState{generation: round.Generation, owners: maps.Clone(d.Owners), due: due, places: a.places}
	for item := range waiting {
		next.owners[item] = state.owners[item]
	}
	return next, d
}

// waitUntil says when lost work is given away and how long that still takes.
func waitUntil(due time.Time, round Round, lost bool) (time.Time, time.Duration) {
	switch {
	case !lost || round.MaxDelay <= 0:
		return time.Time{}, 0
	case due.IsZero():
		due = round.Now.Add(round.MaxDelay)
	}
	// A clock that was set back must not make the wait longer than it was meant to be.
	delay := min(due.Sub(round.Now), round.MaxDelay).Truncate(time.Millisecond)
	if delay <= 0 {
		return time.Time{}, 0
	}
	return due, delay
}

// assigner is the work sheet of one round.
type assigner struct {
	members []*sheet // by id
	work    map[Item]Work
	free    []Work // run by nobody, sorted
	// able are the members that may run a connector and its tasks, for connectors that not all may run.
	able   map[string][]*sheet
	places map[Item]string // of what is revoked to go elsewhere, the member's id
}

// sheet is one member's part.
type sheet struct {
	id      string
	plugins map[string]struct{} // nil: all
	// By kind, as count; each list sorted by weight and item.
	running  [2][]Work // what it reports and keeps
	assigned [2][]Work
	revoked  []Item
	count    [2]int // tasks, connectors
	load     float64
}

func kind(i Item) int {
	if i.IsConnector() {
		return 1
	}
	return 0
}

func newAssigner(round Round) *assigner {
	a := &assigner{work: make(map[Item]Work, len(round.Work)), able: map[string][]*sheet{}, places: map[Item]string{}}
	for _, w := range round.Work {
		a.work[w.Item] = w
	}
	for _, m := range round.Members {
		s := &sheet{id: m.ID}
		if m.Plugins != nil {
			s.plugins = make(map[string]struct{}, len(m.Plugins))
			for _, p := range m.Plugins {
				s.plugins[p] = struct{}{}
			}
		}
		a.members = append(a.members, s)
	}
	slices.SortFunc(a.members, func(x, y *sheet) int { return cmp.Compare(x.id, y.id) })
	for _, w := range round.Work {
		if w.Item.IsConnector() {
			if able := a.whoIsAble(w); len(able) < len(a.members) {
				a.able[w.Item.Connector] = able
			}
		}
	}
	return a
}

// whoIsAble are the members that have all plugins of a connector: the one of its class before those of its transforms. What none
// of them has makes no difference: it fails anywhere, and says why.
func (a *assigner) whoIsAble(w Work) []*sheet {
	able := having(a.members, w.Class)
	for _, class := range w.Transforms {
		able = having(able, class)
	}
	return able
}

// having are the members that have a class; all, when none has it.
func having(members []*sheet, class string) []*sheet {
	lack := func(s *sheet) bool { return !s.has(class) }
	if !slices.ContainsFunc(members, lack) {
		return members
	}
	if some := slices.DeleteFunc(slices.Clone(members), lack); len(some) > 0 {
		return some
	}
	return members
}

func (s *sheet) has(class string) bool {
	if s.plugins == nil {
		return true
	}
	_, ok := s.plugins[class]
	return ok
}

// may says whether a member may be given a piece of work.
func (a *assigner) may(s *sheet, w Work) bool {
	able, limited := a.able[w.Item.Connector]
	return !limited || slices.Contains(able, s)
}

func (s *sheet) add(w Work, by int) {
	s.count[kind(w.Item)] += by
	s.load += float64(by) * w.weight()
}

// takeStock sorts what is reported into kept and revoked, and finds what nobody
// runs. It returns the part of that whose owner has left.
func (a *assigner) takeStock(state AssignState, round *Round) map[Item]struct{} {
	reported := map[Item]int{}
	present := map[string]*sheet{}
	for _, s := range a.members {
		present[s.id] = s
	}
	for _, m := range round.Members {
		for _, item := range unique(m.Current) {
			reported[item]++
		}
	}
	for _, m := range round.Members {
		s := present[m.ID]
		for _, item := range unique(m.Current) {
			w, wanted := a.work[item]
			if !wanted || reported[item] > 1 || !a.may(s, w) {
				s.revoked = append(s.revoked, item)
				continue
			}
			s.running[kind(item)] = insert(s.running[kind(item)], w)
			s.add(w, 1)
		}
	}
	waiting := map[Item]struct{}{}
	for _, w := range a.work {
		if reported[w.Item] > 0 {
			continue
		}
		a.free = append(a.free, w)
		if owner, known := state.owners[w.Item]; known && present[owner] == nil {
			waiting[w.Item] = struct{}{}
		}
	}
	slices.SortFunc(a.free, func(x, y Work) int {
		return cmp.Or(cmp.Compare(y.weight(), x.weight()), compareItems(x.Item, y.Item))
	})
	return waiting
}

func unique(items []Item) []Item {
	items = slices.Clone(items)
	slices.SortFunc(items, compareItems)
	return slices.Compact(items)
}

func compareItems(x, y Item) int {
	return cmp.Or(cmp.Compare(x.Connector, y.Connector), cmp.Compare(x.Task, y.Task))
}

// give hands out what nobody runs, except what waits. What was revoked in favour of a member goes to it.
func (a *assigner) give(connectors bool, waiting map[Item]struct{}, places map[Item]string) {
	for _, w := range a.free {
		if _, waits := waiting[w.Item]; waits || w.Item.IsConnector() != connectors {
			continue
		}
		to := a.member(places[w.Item])
		if to == nil || !a.may(to, w) {
			to = a.least(w)
		}
		if to != nil {
			to.assigned[kind(w.Item)] = insert(to.assigned[kind(w.Item)], w)
			to.add(w, 1)
		}
	}
}

// member finds a member by its id; nil when it is not there.
func (a *assigner) member(id string) *sheet {
	i, found := slices.BinarySearchFunc(a.members, id, func(s *sheet, id string) int { return cmp.Compare(s.id, id) })
	if !found {
		return nil
	}
	return a.members[i]
}

// least is the member with the fewest of the work's kind that may run it.
func (a *assigner) least(w Work) *sheet {
	var best *sheet
	k := kind(w.Item)
	for _, s := range a.members {
		if !a.may(s, w) {
			continue
		}
		if best == nil || cmp.Or(cmp.Compare(s.count[k], best.count[k]), cmp.Compare(s.load, best.load)) < 0 {
			best = s
		}
	}
	return best
}

// even moves work of one kind from those with most to those with least, while that
// makes them more even.
func (a *assigner) even(connectors bool) {
	k := 0
	if connectors {
		k = 1
	}
	for a.moveOne(k) {
	}
}

// moveOne finds a member and another one with at least two less that may take a
// piece of its work, the largest difference first.
func (a *assigner) moveOne(k int) bool {
	byCount := slices.Clone(a.members)
	slices.SortStableFunc(byCount, func(x, y *sheet) int { return cmp.Compare(y.count[k], x.count[k]) })
	for _, from := range byCount {
		for _, to := range slices.Backward(byCount) {
			if from.count[k]-to.count[k] < 2 {
				break
			}
			if w, ok := a.movable(from, to, k); ok {
				a.move(w, from, to)
				return true
			}
		}
	}
	return false
}

// movable picks what to move: rather what does not run yet, then what brings the
// loads closest together.
func (a *assigner) movable(from, to *sheet, k int) (Work, bool) {
	ideal := (from.load - to.load) / 2
	allowed := func(w Work) bool { return a.may(to, w) }
	if w, ok := nearest(from.assigned[k], ideal, allowed); ok {
		return w, true
	}
	return nearest(from.running[k], ideal, allowed)
}

// Bounds of level.
const (
	// levelShare is how much more load a member must have than another, as a share of the mean, before tasks change places.
	levelShare = 0.5
	// maxSwaps bounds the tasks that change places in one round, because they stand still meanwhile.
	maxSwaps = 16
	// loadNoise is what sums of the same weights in another order may differ by.
	loadNoise = 1e-6
)

// level lets tasks of the member with most load change places with lighter ones of the member with least, while the
// difference is large and at least halves. Weights that differ a little therefore move nothing, and what has changed
// places does not go back. Only what a member may run goes to it.
func (a *assigner) level() {
	for range maxSwaps {
		heavy, light := a.members[0], a.members[0]
		mean := 0.0
		for _, s := range a.members {
			mean += s.load / float64(len(a.members))
			if s.load > heavy.load+loadNoise {
				heavy = s
			}
			if s.load < light.load-loadNoise {
				light = s
			}
		}
		gap := heavy.load - light.load
		if gap <= levelShare*mean+loadNoise || !a.swap(heavy, light, gap) {
			return
		}
	}
}

// swap exchanges the running pair that brings two members closest together; false when none halves the gap.
func (a *assigner) swap(heavy, light *sheet, gap float64) bool {
	best := gap/2 - loadNoise
	var down, up Work
	found := false
	for _, y := range light.running[0] {
		if !a.may(heavy, y) {
			continue
		}
		x, ok := nearest(heavy.running[0], y.weight()+gap/2, func(w Work) bool { return a.may(light, w) })
		if !ok {
			return false
		}
		if rest := math.Abs(gap - 2*(x.weight()-y.weight())); rest < best-loadNoise {
			best, down, up, found = rest, x, y, true
		}
	}
	if found {
		a.move(down, heavy, light)
		a.move(up, light, heavy)
	}
	return found
}

func compareWork(x, y Work) int {
	return cmp.Or(cmp.Compare(x.weight(), y.weight()), compareItems(x.Item, y.Item))
}

func insert(list []Work, w Work) []Work {
	i, _ := slices.BinarySearchFunc(list, w, compareWork)
	return slices.Insert(list, i, w)
}

func remove(list []Work, w Work) ([]Work, bool) {
	i, found := slices.BinarySearchFunc(list, w, compareWork)
	if !found {
		return list, false
	}
	return slices.Delete(list, i, i+1), true
}

// nearest finds the allowed work whose weight is closest to the ideal one.
func nearest(list []Work, ideal float64, allowed func(Work) bool) (Work, bool) {
	above := sort.Search(len(list), func(i int) bool { return list[i].weight() >= ideal })
	below := above - 1
	for below >= 0 || above < len(list) {
		var w Work
		if above == len(list) || below >= 0 && ideal-list[below].weight() < list[above].weight()-ideal {
			w = list[below]
			below--
		} else {
			w = list[above]
			above++
		}
		if allowed(w) {
			return w, true
		}
	}
	return Work{}, false
}

// move takes work from one member. What was not running yet goes to the other at
// once; what runs is revoked, and the next round gives it away.
func (a *assigner) move(w Work, from, to *sheet) {
	from.add(w, -1)
	to.add(w, 1) // its place, in the next round
	k := kind(w.Item)
	var fresh bool
	if from.assigned[k], fresh = remove(from.assigned[k], w); fresh {
		to.assigned[k] = insert(to.assigned[k], w)
		return
	}
	from.running[k], _ = remove(from.running[k], w)
	a.places[w.Item] = to.id
	from.revoked = append(from.revoked, w.Item)
}

func (a *assigner) division() Division {
	d := Division{Shares: make(map[string]Share, len(a.members)), Owners: map[Item]string{}}
	for _, s := range a.members {
		slices.SortFunc(s.revoked, compareItems)
		share := Share{Revoked: s.revoked}
		for k := range s.assigned {
			for _, w := range s.assigned[k] {
				share.Assigned = append(share.Assigned, w.Item)
				d.Owners[w.Item] = s.id
			}
			for _, w := range s.running[k] {
				d.Owners[w.Item] = s.id
			}
		}
		slices.SortFunc(share.Assigned, compareItems)
		d.Shares[s.id] = share
	}
	return d
}
