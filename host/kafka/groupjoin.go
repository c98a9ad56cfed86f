package kafka

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

type joinResult struct {
	id         string
	join       GroupJoin
	assignment []byte
	proven     time.Time
	err        error
}

func (s *membership) startJoin(ctx context.Context, protocols []GroupProtocol) {
	if s.lost != nil { // what was prepared is out of date
		s.wanted = true
		return
	}
	round, cancel := context.WithCancel(ctx)
	results := make(chan joinResult, 1)
	s.joining, s.results = cancel, results
	id := s.id
	s.publish(nil)
	go func() { results <- s.join(round, id, protocols) }()
}

// join is one round, on its own goroutine.
func (m *GroupMember) join(ctx context.Context, id string, protocols []GroupProtocol) joinResult {
	r := joinResult{id: id}
	req := kmsg.NewPtrJoinGroupRequest()
	req.Group, req.ProtocolType, req.InstanceID = m.cfg.GroupID, m.cfg.ProtocolType, m.instanceID()
	req.SessionTimeoutMillis = int32(m.cfg.SessionTimeout.Milliseconds())
	req.RebalanceTimeoutMillis = int32(m.cfg.RebalanceTimeout.Milliseconds())
	for _, p := range protocols {
		one := kmsg.NewJoinGroupRequestProtocol()
		one.Name, one.Metadata = p.Name, p.Metadata
		req.Protocols = append(req.Protocols, one)
	}
	var resp *kmsg.JoinGroupResponse
	for {
		req.MemberID = r.id
		if resp, r.err = req.RequestWith(ctx, m.cl); r.err != nil {
			return r
		}
		r.err = kerr.ErrorForCode(resp.ErrorCode)
		if errors.Is(r.err, kerr.MemberIDRequired) && resp.MemberID != r.id {
			r.id = resp.MemberID
			continue
		}
		if r.err != nil {
			return r
		}
		break
	}
	r.id = resp.MemberID
	r.join = GroupJoin{Generation: resp.Generation, MemberID: resp.MemberID, LeaderID: resp.LeaderID}
	if resp.Protocol != nil {
		r.join.Protocol = *resp.Protocol
	}
	for i := range resp.Members {
		p := &resp.Members[i]
		peer := GroupPeer{ID: p.MemberID, Metadata: p.ProtocolMetadata}
		if p.InstanceID != nil {
			peer.InstanceID = *p.InstanceID
		}
		r.join.Peers = append(r.join.Peers, peer)
	}
	m.sync(ctx, &r)
	return r
}

func (m *GroupMember) sync(ctx context.Context, r *joinResult) {
	req := kmsg.NewPtrSyncGroupRequest()
	req.Group, req.Generation, req.MemberID, req.InstanceID = m.cfg.GroupID, r.join.Generation, r.id, m.instanceID()
	req.ProtocolType, req.Protocol = kmsg.StringPtr(m.cfg.ProtocolType), kmsg.StringPtr(r.join.Protocol)
	if r.join.LeaderID == r.id {
		for member, part := range m.handler.Divide(ctx, r.join) {
			one := kmsg.NewSyncGroupRequestGroupAssignment()
			one.MemberID, one.MemberAssignment = member, part
			req.GroupAssignment = append(req.GroupAssignment, one)
		}
	}
	r.proven = time.Now()
	resp, err := req.RequestWith(ctx, m.cl)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if r.err = err; err == nil {
		r.assignment = resp.MemberAssignment
	}
}

func (s *membership) finishJoin(ctx context.Context, r joinResult) {
	s.id = r.id
	if r.err != nil {
		// The group may have begun the next round before this one gave out its parts. It knows the member by the round that
		// it has joined last: heartbeats of the one before would be answered as those of a member that is out.
		if s.joined && r.join.MemberID != "" && errors.Is(r.err, kerr.RebalanceInProgress) {
			s.generation = r.join.Generation
		}
		s.joinFailed(r.err)
		return
	}
	if s.lost != nil { // the round began before the membership was lost
		s.wanted = true
		return
	}
	s.failed, s.joined, s.generation = 0, true, r.join.Generation
	s.prove(r.proven)
	s.nextBeat = time.Now().Add(s.beatInterval())
	s.publish(nil)
	s.call(ctx, func(ctx context.Context) func() {
		s.handler.Joined(ctx, r.join, r.assignment)
		return func() {}
	})
}

func (s *membership) joinFailed(err error) {
	s.wanted = true
	if errors.Is(err, context.Canceled) {
		s.publish(nil)
		return
	}
	if s.expelled(err) {
		return
	}
	if !errors.Is(err, kerr.RebalanceInProgress) { // that one only means: once more
		s.failed++
		s.notTill = time.Now().Add(backoff(s.cfg.Client.RetryBackoff, s.cfg.Client.RetryBackoffMax)(s.failed))
		err = newError("join group", s.cfg.GroupID, err)
		s.cfg.Log.Warn("cannot join the group and will try again", "group", s.cfg.GroupID, "error", err)
	}
	s.publish(err)
}
