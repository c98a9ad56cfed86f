package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/store"
)

// ConfigLog is what a member needs of the config topic; *store.ConfigTopic is one.
type ConfigLog interface {
	Snapshot() store.ConfigSnapshot
	// Refresh reads the topic to its end.
	Refresh(ctx context.Context) error
}

// Runner runs the work of this worker. Stop and Start are called one at a time.
type Runner interface {
	// Settle returns when nothing runs here any more that the config log, as far as it was read at the call, has ended or
	// replaced, or is cut off. It comes before each join: in the round that follows, the successors may start elsewhere.
	Settle(ctx context.Context)
	// Stop returns when none of the items runs any more, or is cut off for good, or
	// ctx ends. It must not outlast rebalance.timeout.ms.
	Stop(ctx context.Context, items []Item)
	// Start comes after every round and returns at once. The items are what is new for this worker; there may be none.
	Start(round Standing, items []Item)
	// Loads are the bytes a second of the tasks that have run here long enough to say. It is called before each join.
	Loads() map[Item]float64
}

// Standing is the round of the group that work stands on.
type Standing struct {
	Generation int32
	// ConfigOffset is how far the leader had read the config topic: ConfigSnapshot.Version.
	ConfigOffset int64
}

// MemberConfig configures a Member.
type MemberConfig struct {
	Group kafka.GroupMemberConfig // ProtocolType is set by the Member
	// URL is the worker's REST API as other workers reach it, with a trailing slash.
	URL string
	// Protocol is connect.protocol: eager, compatible or sessioned.
	Protocol string
	// SyncTimeout (worker.sync.timeout.ms) bounds reading the config topic before work starts.
	SyncTimeout time.Duration
	// MaxDelay (scheduled.rebalance.max.delay.ms), 0 when work shall move at once.
	MaxDelay time.Duration
	// Plugins lists the classes of connectors, and of transforms of plugins, that this worker can run; nil offers to run all.
	// It is called before each join.
	Plugins func() []string
	// BuiltIn says which classes of transforms every worker has, whatever its plugins; nil: none. It is called with the
	// member's lock held.
	BuiltIn func(transform string) bool
	Log     *slog.Logger // nil discards
}

// View is what a member knows of its cluster.
type View struct {
	MemberID   string
	Generation int32
	Protocol   string // sessioned, compatible, default; empty while not joined
	LeaderID   string
	LeaderURL  string // empty while not joined
	// At the leader: where everything is, and the members' REST URLs.
	Owners map[Item]string
	URLs   map[string]string
}

// IsLeader says whether this worker leads.
func (v View) IsLeader() bool { return v.MemberID != "" && v.MemberID == v.LeaderID }

// OwnerURL is the REST URL of the worker that runs an item; only a leader knows.
func (v View) OwnerURL(i Item) (string, bool) {
	url, ok := v.URLs[v.Owners[i]]
	return url, ok
}

// Member is this worker's place in the cluster. It keeps its work running while
// the group divides it anew, stops what is revoked before it asks for more, and
// stops everything when it can no longer prove its membership (I-5).
type Member struct {
	cfg    MemberConfig
	config ConfigLog
	runner Runner
	group  *kafka.GroupMember
	log    *slog.Logger
	again  *time.Timer // a join that is due later

	running sync.Mutex // one call of the runner at a time

	mu      sync.Mutex
	view    View
	met     bool  // the group has said what it knows of this worker
	last    int32 // generation that was joined last
	current map[Item]struct{}
	// Of the leader's last round; only Divide writes them.
	state  AssignState
	loads  map[Item]float64 // bytes a second, as they count: see steady
	owners map[Item]string
	urls   map[string]string
	rounds Rounds
}

// Join starts the membership; Leave ends it. The config topic has been read to its
// end before.
func Join(cfg MemberConfig, config ConfigLog, runner Runner) (*Member, error) {
	if _, err := versions(cfg.Protocol); err != nil {
		return nil, err
	}
	m := &Member{cfg: cfg, config: config, runner: runner, log: cfg.Log, current: map[Item]struct{}{}}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	cfg.Group.ProtocolType = "connect"
	// The handler may be called before NewGroupMember has returned.
	m.mu.Lock()
	defer m.mu.Unlock()
	m.again = time.AfterFunc(time.Hour, m.Rejoin)
	m.again.Stop()
	var err error
	m.group, err = kafka.NewGroupMember(cfg.Group, (*memberHandler)(m))
	return m, err
}

// versions lists what connect.protocol offers, best first.
func versions(protocol string) ([]int16, error) {
	switch protocol {
	case "eager":
		return []int16{versionEager}, nil
	case "compatible":
		return []int16{versionCompatible, versionEager}, nil
	case "sessioned":
		return []int16{versionSessioned, versionCompatible, versionEager}, nil
	}
	return nil, fmt.Errorf("connect.protocol is %q and must be eager, compatible or sessioned", protocol)
}

var protocolNames = map[int16]string{versionEager: ProtocolEager, versionCompatible: ProtocolCompatible, versionSessioned: ProtocolSessioned}

// Rejoin asks the group to divide the work anew: after a connector came or went,
// or its tasks changed.
func (m *Member) Rejoin() {
	m.mu.Lock()
	group := m.group
	m.mu.Unlock()
	if group != nil {
		group.Rejoin()
	}
}

// View is what is known now.
func (m *Member) View() View {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.view
}

// Running is what this worker is to run, sorted.
func (m *Member) Running() []Item { return m.notIn(nil) }

// Generation is that of the last round that this worker joined; it stays when the membership is lost.
func (m *Member) Generation() int32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last
}

// Leased is nil while no other member can have taken over this one's part; see [kafka.GroupMember.Leased].
func (m *Member) Leased() error { return m.group.Leased() }

// State says what the membership is doing.
func (m *Member) State() kafka.GroupState { return m.group.State() }

// Leave stops what runs here and leaves the group, so that others take over at once.
func (m *Member) Leave(ctx context.Context) error {
	m.again.Stop()
	m.mu.Lock()
	items := slices.SortedFunc(maps.Keys(m.current), compareItems)
	m.mu.Unlock()
	m.stop(ctx, items)
	err := m.group.Leave(ctx)
	m.again.Stop()
	m.stopAll(ctx) // what came while the rest was stopped
	m.mu.Lock()
	defer m.mu.Unlock()
	m.view = View{}
	return err
}

// memberHandler is the group's side of a Member.
type memberHandler Member

// Prepare implements kafka.GroupHandler. In an eager group nothing may run while
// it divides its work.
func (h *memberHandler) Prepare(ctx context.Context) []kafka.GroupProtocol {
	m := (*Member)(h)
	m.mu.Lock()
	eager := m.view.Protocol == ProtocolEager
	m.rounds.begin(time.Now())
	m.mu.Unlock()
	if eager {
		m.stopAll(ctx)
	}
	offset := m.config.Snapshot().Version
	m.runner.Settle(ctx)
	m.mu.Lock()
	defer m.mu.Unlock()
	var current *Assignment
	if m.view.Protocol != "" {
		current = &Assignment{
			Leader: m.view.LeaderID, LeaderURL: m.view.LeaderURL, ConfigOffset: offset,
			Assigned: slices.SortedFunc(maps.Keys(m.current), compareItems),
		}
	}
	var plugins []string
	if m.cfg.Plugins != nil {
		plugins = slices.Sorted(slices.Values(m.cfg.Plugins()))
	}
	loads := reportLoads(m.runner.Loads())
	offered, _ := versions(m.cfg.Protocol) // checked by Join
	protocols := make([]kafka.GroupProtocol, len(offered))
	for i, version := range offered {
		meta := Metadata{Version: version, URL: m.cfg.URL, ConfigOffset: offset, Plugins: plugins, Loads: loads}
		if current != nil && version >= versionCompatible {
			own := *current
			own.Version = version
			meta.Current = &own
		}
		protocols[i] = kafka.GroupProtocol{Name: protocolNames[version], Metadata: EncodeMetadata(meta)}
	}
	return protocols
}

// Joined implements kafka.GroupHandler.
func (h *memberHandler) Joined(ctx context.Context, join kafka.GroupJoin, message []byte) {
	m := (*Member)(h)
	a, err := DecodeAssignment(message)
	if err != nil {
		m.log.Error("cannot read the leader's assignment and will join again", "leader", join.LeaderID, "error", err)
		m.joinLater(time.Second)
		return
	}
	if !m.see(join, a) {
		// The group has kept what it gave to the process before this one, whose work has ended with it.
		m.group.Rejoin()
		return
	}
	if a.Version == versionEager {
		a.Revoked = m.notIn(a.Assigned)
	}
	m.stop(ctx, a.Revoked)
	if !m.caughtUp(ctx, a) {
		m.joinLater(m.cfg.Group.HeartbeatInterval)
		return
	}
	// A worker that has read further than the leader starts its part as well: it starts nothing that is not wanted any
	// more, and asks for another round when it reads that one is needed.
	if a.Err != NoError || m.config.Snapshot().Version < a.ConfigOffset {
		m.group.Rejoin()
		return
	}
	m.start(ctx, Standing{join.Generation, a.ConfigOffset}, a.Assigned)
	m.note((*Rounds).complete)
	if len(a.Revoked) > 0 && a.Version != versionEager {
		m.group.Rejoin() // so that what was stopped is given to others
	}
	if a.Delay > 0 {
		m.joinLater(a.Delay)
	}
}

// see takes over what the assignment says of the cluster. It returns false for one that a static member gets when it
// comes back: it was made for the process before.
func (m *Member) see(join kafka.GroupJoin, a Assignment) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.again.Stop() // this round is at least as new as the one that asked
	m.view = View{MemberID: join.MemberID, Generation: join.Generation, Protocol: join.Protocol, LeaderID: a.Leader, LeaderURL: a.LeaderURL}
	if join.MemberID == join.LeaderID {
		m.view.Owners, m.view.URLs = m.owners, m.urls
	}
	fresh := m.met || m.cfg.Group.InstanceID == ""
	m.met, m.last = true, join.Generation
	return fresh
}

// caughtUp reads the config topic as far as the leader had.
func (m *Member) caughtUp(ctx context.Context, a Assignment) bool {
	if a.Err == NoError && m.config.Snapshot().Version >= a.ConfigOffset {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, m.cfg.SyncTimeout)
	defer cancel()
	if err := m.config.Refresh(ctx); err != nil {
		m.log.Warn("the config topic could not be read in time, so the new work is not started and the group is joined again", "error", err)
		return false
	}
	return true
}

func (m *Member) joinLater(after time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.again.Reset(after)
}

// notIn lists what runs and is not in items.
func (m *Member) notIn(items []Item) []Item {
	m.mu.Lock()
	defer m.mu.Unlock()
	rest := maps.Clone(m.current)
	for _, i := range items {
		delete(rest, i)
	}
	return slices.SortedFunc(maps.Keys(rest), compareItems)
}

func (m *Member) stop(ctx context.Context, items []Item) {
	if len(items) == 0 {
		return
	}
	m.running.Lock()
	defer m.running.Unlock()
	m.runner.Stop(ctx, items)
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, i := range items {
		delete(m.current, i)
	}
}

func (m *Member) start(ctx context.Context, round Standing, items []Item) {
	m.running.Lock()
	defer m.running.Unlock()
	m.mu.Lock()
	var fresh []Item
	for _, i := range items {
		if _, runs := m.current[i]; !runs && ctx.Err() == nil {
			m.current[i] = struct{}{}
			fresh = append(fresh, i)
		}
	}
	m.mu.Unlock()
	if ctx.Err() == nil {
		m.runner.Start(round, fresh)
	}
}

func (m *Member) stopAll(ctx context.Context) { m.stop(ctx, m.notIn(nil)) }

// Lost implements kafka.GroupHandler: others may run this worker's part now (I-5).
func (h *memberHandler) Lost(ctx context.Context, why error) {
	m := (*Member)(h)
	m.mu.Lock()
	n := len(m.current)
	m.view = View{}
	m.mu.Unlock()
	m.log.Warn("this worker is out of its group and stops what it runs", "items", n, "error", why)
	// The lease has ended one heartbeat before the session does: what has not stopped by then is cut off.
	ctx, cancel := context.WithTimeout(ctx, m.cfg.Group.HeartbeatInterval)
	defer cancel()
	m.stopAll(ctx)
}

// Divide implements kafka.GroupHandler.
func (h *memberHandler) Divide(ctx context.Context, join kafka.GroupJoin) map[string][]byte {
	m := (*Member)(h)
	peers := make(map[string]Metadata, len(join.Peers))
	known := int64(-1)
	for _, p := range join.Peers {
		meta, err := DecodeMetadata(p.Metadata)
		if err != nil {
			m.log.Error("a member of the group cannot be understood and gets no work", "member", p.ID, "error", err)
			meta.Version = -1
		}
		peers[p.ID] = meta
		known = max(known, meta.ConfigOffset)
	}
	if m.config.Snapshot().Version < known {
		one, cancel := context.WithTimeout(ctx, m.cfg.SyncTimeout)
		err := m.config.Refresh(one)
		cancel()
		if err != nil {
			m.log.Warn("the leader cannot read the config topic as far as others have; the group joins again", "error", err)
		}
	}
	snapshot := m.config.Snapshot()
	answer := Assignment{
		Version: versionOf(join.Protocol), Leader: join.LeaderID, LeaderURL: peers[join.LeaderID].URL, ConfigOffset: snapshot.Version,
	}
	if snapshot.Version < known {
		answer.Err, answer.ConfigOffset = ConfigMismatch, known
		return answerAll(peers, func(string) Assignment { return answer })
	}
	division := m.divide(join, peers, snapshot)
	answer.Delay = division.Delay
	return answerAll(peers, func(id string) Assignment {
		one := answer
		one.Assigned, one.Revoked = division.Shares[id].Assigned, division.Shares[id].Revoked
		return one
	})
}

// divide makes the division and remembers it.
func (m *Member) divide(join kafka.GroupJoin, peers map[string]Metadata, snapshot store.ConfigSnapshot) Division {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.loads = steadyLoads(m.loads, peers)
	work := WorkOf(snapshot, m.loads, m.cfg.BuiltIn)
	round := Round{Now: time.Now(), Generation: join.Generation, LastCompleted: m.view.Generation, Work: work, MaxDelay: m.cfg.MaxDelay}
	urls := make(map[string]string, len(peers))
	for id, meta := range peers {
		if meta.Version < 0 {
			continue
		}
		urls[id] = meta.URL
		state := MemberState{ID: id, Plugins: meta.Plugins}
		if meta.Current != nil {
			state.Current = meta.Current.Assigned
		}
		round.Members = append(round.Members, state)
	}
	var division Division
	m.state, division = Assign(m.state, round)
	m.owners, m.urls = division.Owners, urls
	return division
}

func answerAll(peers map[string]Metadata, answer func(id string) Assignment) map[string][]byte {
	all := make(map[string][]byte, len(peers))
	for id := range peers {
		all[id] = EncodeAssignment(answer(id))
	}
	return all
}

func versionOf(protocol string) int16 {
	for version, name := range protocolNames {
		if name == protocol {
			return version
		}
	}
	return versionEager
}
