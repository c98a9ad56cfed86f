package kafka

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tailrace/tailrace/test/env"
)

// parts is a handler that gives each member the list of all members.
type parts struct {
	lapses atomic.Int32
	mu     sync.Mutex
	offer  string
	joins  []GroupJoin
	part   string
	losses int
	block  chan struct{} // Joined waits for it, when set
}

func (p *parts) Prepare(context.Context) []GroupProtocol {
	p.mu.Lock()
	defer p.mu.Unlock()
	return []GroupProtocol{{"newest", []byte(p.offer)}, {"oldest", []byte(p.offer)}}
}

func (p *parts) Divide(_ context.Context, join GroupJoin) map[string][]byte {
	var offers []string
	for _, peer := range join.Peers {
		offers = append(offers, string(peer.Metadata))
	}
	slices.Sort(offers)
	all := map[string][]byte{}
	for _, peer := range join.Peers {
		all[peer.ID] = fmt.Appendf(nil, "%s of %v by %v", join.Protocol, offers, peer.ID == join.LeaderID)
	}
	return all
}

func (p *parts) Joined(ctx context.Context, join GroupJoin, assignment []byte) {
	p.mu.Lock()
	p.joins, p.part = append(p.joins, join), string(assignment)
	block := p.block
	p.mu.Unlock()
	if block != nil {
		select {
		case <-block:
		case <-ctx.Done():
		}
	}
}

func (p *parts) Lost(context.Context, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.losses, p.part = p.losses+1, ""
}

func (p *parts) now() (part string, losses int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.part, p.losses
}

func joinGroup(t *testing.T, addr, group, offer string) (*GroupMember, *parts) {
	p := &parts{offer: offer}
	m, err := NewGroupMember(GroupMemberConfig{
		Client: testConfig(t, AdminClient, addr, nil), GroupID: group, ProtocolType: "connect",
		SessionTimeout: 6 * time.Second, RebalanceTimeout: 20 * time.Second, HeartbeatInterval: 300 * time.Millisecond,
		Lapsed: func() { p.lapses.Add(1) },
	}, p)
	require.NoError(t, err)
	return m, p
}

func leaveGroup(t *testing.T, m *GroupMember) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	require.NoError(t, m.Leave(ctx))
}

func TestMembersOfAGroupGetTheirPartsFromOneLeader(t *testing.T) {
	onBothBrokers(t, func(t *testing.T, addr string) {
		group := env.Name(t)
		a, inA := joinGroup(t, addr, group, "a")
		eventually(t, "a is alone", func() bool { part, _ := inA.now(); return part == "newest of [a] by true" })
		b, inB := joinGroup(t, addr, group, "b")
		eventually(t, "both have a part", func() bool {
			one, _ := inA.now()
			other, _ := inB.now()
			return slices.Contains([]string{one, other}, "newest of [a b] by true") && slices.Contains([]string{one, other}, "newest of [a b] by false")
		})
		require.True(t, a.State().Joined)

		inB.mu.Lock()
		inB.offer = "b2"
		inB.mu.Unlock()
		b.Rejoin()
		eventually(t, "what b says anew is heard", func() bool { part, _ := inA.now(); return strings.HasPrefix(part, "newest of [a b2]") })

		leaveGroup(t, b)
		start := time.Now()
		eventually(t, "a is alone again", func() bool { part, _ := inA.now(); return part == "newest of [a] by true" })
		require.Less(t, time.Since(start), 4*time.Second, "a clean stop does not wait for the session to end")
		_, losses := inA.now()
		require.Zero(t, losses)
		leaveGroup(t, a)
	})
}

func TestHeartbeatsGoOnWhileTheHandlerWorks(t *testing.T) {
	onBothBrokers(t, func(t *testing.T, addr string) {
		m, in := joinGroup(t, addr, env.Name(t), "a")
		in.mu.Lock()
		in.block = make(chan struct{})
		in.mu.Unlock()
		eventually(t, "it has joined", func() bool { part, _ := in.now(); return part != "" })
		m.Rejoin()
		time.Sleep(7 * time.Second) //nolint:forbidigo // longer than the session: that it is kept is the point
		in.mu.Lock()
		require.Len(t, in.joins, 1, "no new round while the part is taken up")
		require.Zero(t, in.losses)
		close(in.block)
		in.block = nil
		in.mu.Unlock()
		eventually(t, "the next round follows", func() bool { in.mu.Lock(); defer in.mu.Unlock(); return len(in.joins) == 2 })
		leaveGroup(t, m)
	})
}

// slow is a handler that takes its time before each round but the first.
type slow struct {
	*parts
	prepared atomic.Int32
	until    func()
}

func (s *slow) Prepare(ctx context.Context) []GroupProtocol {
	if s.prepared.Add(1) > 1 {
		s.until()
	}
	return s.parts.Prepare(ctx)
}

// A round may end with another one before it has given out its parts. The member keeps its part meanwhile.
func TestARoundThatAnotherOneOvertakesCostsNoMembership(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	defer cluster.Close()
	var beats, syncs atomic.Int32
	cluster.ControlKey(int16(kmsg.Heartbeat), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		beats.Add(1)
		return nil, nil, false
	})
	cluster.ControlKey(int16(kmsg.SyncGroup), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		if syncs.Add(1) != 2 {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.SyncGroupResponse)
		resp.ErrorCode = kerr.RebalanceInProgress.Code
		return resp, nil, true
	})
	in := &slow{parts: &parts{offer: "a"}, until: func() {
		for seen := beats.Load(); beats.Load() < seen+3; {
			time.Sleep(10 * time.Millisecond) //nolint:forbidigo // until heartbeats were sent
		}
	}}
	m, err := NewGroupMember(GroupMemberConfig{
		Client: testConfig(t, AdminClient, cluster.ListenAddrs()[0], nil), GroupID: "g", ProtocolType: "connect",
		SessionTimeout: 6 * time.Second, RebalanceTimeout: 20 * time.Second, HeartbeatInterval: 300 * time.Millisecond,
	}, in)
	require.NoError(t, err)
	eventually(t, "it has joined", func() bool { part, _ := in.now(); return part != "" })
	m.Rejoin()
	eventually(t, "the round after the one that was overtaken", func() bool { in.mu.Lock(); defer in.mu.Unlock(); return len(in.joins) == 2 })
	_, losses := in.now()
	require.Zero(t, losses)
	require.EqualValues(t, 3, syncs.Load())
	leaveGroup(t, m)
}

// I-5: others may get the part when the session is over, so it is given up before.
func TestAMemberThatCannotReachItsCoordinatorGivesUpItsPart(t *testing.T) {
	broker := env.PrivateKafka(t, nil)
	m, in := joinGroup(t, broker.Bootstrap, "group", "a")
	eventually(t, "it has joined", func() bool { part, _ := in.now(); return part != "" })
	require.NoError(t, m.Leased())
	broker.Pause(t)
	paused := time.Now()
	eventually(t, "it gives up", func() bool { _, losses := in.now(); return losses == 1 })
	require.EqualValues(t, 1, in.lapses.Load())
	require.ErrorIs(t, m.Leased(), ErrFenced)
	require.True(t, IsRetriable(m.Leased()))
	require.Less(t, time.Since(paused), 6*time.Second, "before the session is over")
	require.False(t, m.State().Joined)
	broker.Resume(t)
	eventually(t, "it joins again", func() bool { part, _ := in.now(); return part != "" })
	require.NoError(t, m.Leased())
	leaveGroup(t, m)
	require.ErrorIs(t, m.Leased(), ErrFenced)
}

func TestAGroupMemberThatCannotBeIsRefused(t *testing.T) {
	admin := testConfig(t, AdminClient, "localhost:1", nil)
	for _, bad := range []GroupMemberConfig{
		{Client: testConfig(t, ProducerClient, "localhost:1", nil), GroupID: "g", SessionTimeout: time.Minute, HeartbeatInterval: time.Second},
		{Client: admin, SessionTimeout: time.Minute, HeartbeatInterval: time.Second},
		{Client: admin, GroupID: "g", SessionTimeout: time.Second, HeartbeatInterval: time.Second},
	} {
		_, err := NewGroupMember(bad, &parts{})
		require.Error(t, err)
	}
}

func TestLeavingEndsAnAttemptToJoin(t *testing.T) {
	m, _ := joinGroup(t, "localhost:1", "g", "a")
	eventually(t, "it says what is wrong", func() bool { return m.State().Err != nil })
	require.ErrorIs(t, m.State().Err, ErrBrokerUnreachable)
	leaveGroup(t, m)
}
