package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// GroupMemberConfig configures a member of a group that divides something else than partitions.
type GroupMemberConfig struct {
	Client  ClientConfig // an AdminClient
	GroupID string
	// ProtocolType separates kinds of groups: "connect".
	ProtocolType string
	// InstanceID makes the member static (group.instance.id): it does not leave the
	// group when it ends, and has SessionTimeout to come back. May be empty.
	InstanceID        string
	SessionTimeout    time.Duration
	RebalanceTimeout  time.Duration // how long the group waits for a member to join
	HeartbeatInterval time.Duration // less than a third of SessionTimeout
	// Lapsed is called at once when the membership is lost, before the handler's Lost, which may have to wait. It must
	// not block. It may be nil.
	Lapsed func()
	Log    *slog.Logger // nil discards
}

// GroupProtocol is one way of dividing that a member offers.
type GroupProtocol struct {
	Name     string
	Metadata []byte
}

// GroupPeer is a member as the leader sees it.
type GroupPeer struct {
	ID         string
	InstanceID string
	Metadata   []byte
}

// GroupJoin is one finished round of joining.
type GroupJoin struct {
	Generation int32
	MemberID   string // of this member
	LeaderID   string
	Protocol   string      // what the group has agreed on
	Peers      []GroupPeer // all members, this one included; only at the leader
}

// GroupHandler is the other side of a GroupMember. Prepare, Joined and Lost are
// called one at a time, each may take its time (heartbeats go on), and their ctx
// ends when the membership is lost or the member leaves; then they shall return soon.
type GroupHandler interface {
	// Prepare comes before each join and says what to offer, best first.
	Prepare(ctx context.Context) []GroupProtocol
	// Divide is called at the leader, while all members wait: it gives each its
	// part. It must be much quicker than the session timeout.
	Divide(ctx context.Context, join GroupJoin) map[string][]byte
	// Joined brings this member's part. The member joins no new round before it returns.
	Joined(ctx context.Context, join GroupJoin, assignment []byte)
	// Lost says that others may do this member's part from now on (I-5). The member
	// joins again after it returns.
	Lost(ctx context.Context, why error)
}

// GroupMember keeps a membership alive: it joins, sends heartbeats and joins again
// when the group or its owner wants that. It is made of raw requests, because a
// member that keeps working while it joins, tells something new at each join and
// joins on demand is not what the client library's consumer does.
//
// One goroutine owns it; Rejoin, State and Health may be called from anywhere.
type GroupMember struct {
	cfg     GroupMemberConfig
	handler GroupHandler
	cl      *kgo.Client
	health  *health
	stop    context.CancelFunc
	stopped chan struct{}
	rejoin  chan struct{} // capacity 1

	mu    sync.Mutex
	state GroupState

	leased atomic.Pointer[time.Time] // until when; nil while it is no member
}

// GroupState says what a member is doing, for people.
type GroupState struct {
	Joined     bool
	Joining    bool
	Generation int32
	MemberID   string
	Err        error // of the last attempt; nil after a good one
}

// NewGroupMember starts to join in the background. Leave ends it.
func NewGroupMember(cfg GroupMemberConfig, handler GroupHandler) (*GroupMember, error) {
	const op = "create group member"
	switch {
	case cfg.Client.Kind != AdminClient:
		return nil, &Error{Op: op, Subject: cfg.GroupID, cause: fmt.Errorf("the configuration is for a %s", cfg.Client.Kind)}
	case cfg.GroupID == "":
		return nil, &Error{Op: op, cause: errors.New("group.id is not set")}
	case cfg.HeartbeatInterval <= 0 || cfg.HeartbeatInterval*2 >= cfg.SessionTimeout:
		return nil, &Error{Op: op, Subject: cfg.GroupID, cause: fmt.Errorf("heartbeat.interval.ms (%v) must be less than half of session.timeout.ms (%v)", cfg.HeartbeatInterval, cfg.SessionTimeout)}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	m := &GroupMember{cfg: cfg, handler: handler, health: new(health), stopped: make(chan struct{}), rejoin: make(chan struct{}, 1)}
	var err error
	if m.cl, err = cfg.Client.newClient(m.health); err != nil {
		return nil, newError(op, cfg.GroupID, err)
	}
	ctx, stop := context.WithCancel(context.Background())
	m.stop = stop
	go m.run(ctx)
	return m, nil
}

// Leased is nil while the group can not have given this member's part to another: a worker that was suspended, or that
// hears nothing, asks before it writes what others rely on, because it may be asked sooner than Lost is called (I-5). The
// error is retriable. Any goroutine may call it.
func (m *GroupMember) Leased() error {
	if until := m.leased.Load(); until != nil && time.Now().Before(*until) {
		return nil
	}
	return &Error{
		Op: "act as a member of group", Subject: m.cfg.GroupID, Kind: ErrFenced, Retriable: true,
		cause: errors.New("the group's coordinator has not confirmed the membership in time, so another member may have taken over"),
	}
}

// prove notes when the group last counted on this member.
func (s *membership) prove(at time.Time) {
	s.proven = at
	until := at.Add(s.lease())
	s.leased.Store(&until)
}

// Rejoin asks for a new round. Requests that come before Prepare is called are
// answered by one round.
func (m *GroupMember) Rejoin() {
	select {
	case m.rejoin <- struct{}{}:
	default:
	}
}

// State says what the member is doing.
func (m *GroupMember) State() GroupState {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state
}

// Health says whether brokers answer.
func (m *GroupMember) Health() Health { return m.health.snapshot() }

// Leave ends the membership. The handler is not called any more once it returns. A
// dynamic member tells the group, so that its part moves at once.
func (m *GroupMember) Leave(ctx context.Context) error {
	m.stop()
	<-m.stopped
	defer m.cl.Close()
	defer m.health.close()
	id := m.State().MemberID
	if id == "" || m.cfg.InstanceID != "" {
		return nil
	}
	m.leased.Store(nil) // others take over at once
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group, req.MemberID = m.cfg.GroupID, id
	member := kmsg.NewLeaveGroupRequestMember()
	member.MemberID = id
	req.Members = append(req.Members, member)
	resp, err := req.RequestWith(ctx, m.cl)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if errors.Is(err, kerr.UnknownMemberID) {
		return nil // the group has given up on it already
	}
	return newError("leave group", m.cfg.GroupID, err)
}

// membership is the state of the goroutine that owns a member.
type membership struct {
	*GroupMember
	id         string // "" until the group has given one
	generation int32
	joined     bool      // there is a part to lose
	proven     time.Time // when the last request was sent that proved the membership

	busy     chan func() // gets what to do when the handler has returned; nil when it is idle
	cancel   context.CancelFunc
	lost     error                // to be told when the handler is idle
	wanted   bool                 // a new round
	notTill  time.Time            // pause after a failure
	failed   int                  // failures in a row
	joining  context.CancelFunc   // of the round on its way; nil when there is none
	results  chan joinResult      // of that round
	beating  chan heartbeatResult // of the heartbeat on its way; nil when there is none
	nextBeat time.Time
}

type heartbeatResult struct {
	sent       time.Time
	generation int32
	err        error
}

func (m *GroupMember) run(ctx context.Context) {
	s := &membership{GroupMember: m, wanted: true, generation: -1}
	defer close(m.stopped)
	defer s.settle()
	tick := time.NewTicker(m.beatInterval() / 2)
	defer tick.Stop()
	for ctx.Err() == nil {
		s.checkLease()
		s.step(ctx)
		select {
		case <-ctx.Done():
		case <-tick.C:
		case <-m.rejoin:
			s.wanted = true
		case next := <-s.busy:
			s.cancel()
			s.busy = nil
			next()
		case r := <-s.results:
			s.joining()
			s.joining, s.results = nil, nil
			s.finishJoin(ctx, r)
		case b := <-s.beating:
			s.beating = nil
			s.finishHeartbeat(b)
		}
	}
}

// settle waits for what is on its way, so that nothing outlives the member.
func (s *membership) settle() {
	if s.joining != nil {
		s.joining()
		<-s.results
	}
	if s.busy != nil {
		s.cancel()
		<-s.busy
	}
	if s.beating != nil {
		<-s.beating
	}
}

// lease is how long a member may go on without proof that the group still counts
// on it. It ends before the session does, so that there is time to stop (I-5).
func (s *membership) lease() time.Duration { return s.cfg.SessionTimeout - s.cfg.HeartbeatInterval }

// maxBeatInterval is how late a member may hear that the group divides its work anew: the group waits for the slowest.
const maxBeatInterval = 300 * time.Millisecond

// beatInterval is how often heartbeats are sent: more often than HeartbeatInterval asks for, because the answer is how
// a member hears of a new round.
func (m *GroupMember) beatInterval() time.Duration {
	return min(m.cfg.HeartbeatInterval, maxBeatInterval)
}

func (s *membership) checkLease() {
	if since := time.Since(s.proven); s.joined && since > s.lease() {
		s.lose(fmt.Errorf("no answer of the group's coordinator for %v", since.Round(time.Millisecond)))
	}
}

// lose ends the membership. The handler is told as soon as it is idle.
func (s *membership) lose(why error) {
	s.wanted = true
	if !s.joined {
		return
	}
	s.joined = false
	s.leased.Store(nil)
	if s.cfg.Lapsed != nil {
		s.cfg.Lapsed()
	}
	s.lost = why
	if s.cancel != nil {
		s.cancel()
	}
	if s.joining != nil {
		s.joining()
	}
	s.publish(why)
	s.cfg.Log.Warn("lost the membership of the group", "group", s.cfg.GroupID, "member", s.id, "error", why)
}

func (s *membership) publish(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = GroupState{Joined: s.joined, Joining: s.joining != nil, Generation: s.generation, MemberID: s.id, Err: err}
}

// step starts what is due.
func (s *membership) step(ctx context.Context) {
	now := time.Now()
	switch {
	case s.busy != nil || s.results != nil:
	case s.lost != nil:
		why := s.lost
		s.lost = nil
		s.call(ctx, func(ctx context.Context) func() {
			s.handler.Lost(ctx, why)
			return func() {}
		})
	case s.wanted && now.After(s.notTill):
		s.wanted = false
		select {
		case <-s.rejoin: // this round answers it
		default:
		}
		s.call(ctx, func(one context.Context) func() {
			protocols := s.handler.Prepare(one)
			return func() { s.startJoin(ctx, protocols) }
		})
	}
	if s.id != "" && s.generation >= 0 && s.joined && s.beating == nil && now.After(s.nextBeat) {
		s.nextBeat = now.Add(s.beatInterval())
		s.beat(ctx)
	}
}

// call runs the handler beside the loop; what it returns is done in the loop.
func (s *membership) call(ctx context.Context, f func(ctx context.Context) func()) {
	one, cancel := context.WithCancel(ctx)
	busy := make(chan func(), 1)
	s.busy, s.cancel = busy, cancel
	go func() { busy <- f(one) }()
}

func (m *GroupMember) instanceID() *string {
	if m.cfg.InstanceID == "" {
		return nil
	}
	return kmsg.StringPtr(m.cfg.InstanceID)
}

// expelled deals with an answer that says that the group does not know this member.
func (s *membership) expelled(err error) bool {
	pause := s.cfg.Client.RetryBackoff
	switch {
	case errors.Is(err, kerr.FencedInstanceID): // another process has the same group.instance.id
		s.id, pause = "", s.cfg.SessionTimeout
	case errors.Is(err, kerr.UnknownMemberID):
		s.id = ""
	case errors.Is(err, kerr.IllegalGeneration):
	default:
		return false
	}
	s.lose(newError("stay in group", s.cfg.GroupID, err))
	s.generation, s.notTill = -1, time.Now().Add(pause)
	return true
}

// beat sends one heartbeat. It goes on while a round is on its way: the group then
// waits for its members, and the answer proves that it still counts on this one.
func (s *membership) beat(ctx context.Context) {
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group, req.Generation, req.MemberID, req.InstanceID = s.cfg.GroupID, s.generation, s.id, s.instanceID()
	beating := make(chan heartbeatResult, 1)
	s.beating = beating
	b := heartbeatResult{sent: time.Now(), generation: s.generation}
	go func() {
		one, cancel := context.WithTimeout(ctx, s.lease())
		defer cancel()
		resp, err := req.RequestWith(one, s.cl)
		if err == nil {
			err = kerr.ErrorForCode(resp.ErrorCode)
		}
		b.err = err
		beating <- b
	}()
}

func (s *membership) finishHeartbeat(b heartbeatResult) {
	if b.generation != s.generation || !s.joined {
		return // of a membership before this one
	}
	rejoin := errors.Is(b.err, kerr.RebalanceInProgress)
	switch {
	case b.err == nil || rejoin:
		if b.sent.After(s.proven) {
			s.prove(b.sent)
		}
		s.wanted = s.wanted || rejoin && s.results == nil
	case s.results != nil && errors.Is(b.err, kerr.IllegalGeneration):
		// The round on its way has ended at the broker and its answer is coming.
	case s.expelled(b.err):
	default:
		s.publish(newError("send a heartbeat to group", s.cfg.GroupID, b.err)) // the lease decides
		s.nextBeat = time.Now().Add(s.beatInterval())
	}
}
