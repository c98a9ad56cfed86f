package kafka

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A consumer that died without a word stays a member of its group until its session is over, and for so long the group
// waits for it with everything: by default 45 seconds in which nobody reads. Its successor knows better, because nobody
// else may have its client id ([ConsumerSettings.SoleClientID]), and puts it out.

const (
	// predecessorPause is how long a consumer waits for its group before it looks for a predecessor, and between looks: a
	// group without one lets it in sooner.
	predecessorPause = 500 * time.Millisecond
	// predecessorTimeout bounds one look.
	predecessorTimeout = 10 * time.Second
)

// lookForPredecessor begins to look; the function that it returns ends that and waits for the end.
func (c *Consumer) lookForPredecessor() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		c.replacePredecessor(ctx)
	}()
	return func() { cancel(); <-stopped }
}

// replacePredecessor puts out of the group who has this consumer's client id, until the group has let this consumer in or
// ctx ends.
func (c *Consumer) replacePredecessor(ctx context.Context) {
	tick := time.NewTicker(predecessorPause)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if _, generation := c.cl.GroupMetadata(); generation >= 0 {
			return
		}
		one, cancel := context.WithTimeout(ctx, predecessorTimeout)
		err := c.putOutPredecessors(one)
		cancel()
		if err != nil && ctx.Err() == nil {
			c.log.Debug("cannot see who is in the consumer group", "group", c.cfg.Consumer.GroupID, "error", err)
		}
	}
}

func (c *Consumer) putOutPredecessors(ctx context.Context) error {
	group := c.cfg.Consumer.GroupID
	describe := kmsg.NewPtrDescribeGroupsRequest()
	describe.Groups = []string{group}
	resp, err := describe.RequestWith(ctx, c.cl)
	if err != nil || len(resp.Groups) != 1 {
		return err
	}
	if err := kerr.ErrorForCode(resp.Groups[0].ErrorCode); err != nil {
		return err
	}
	own, generation := c.cl.GroupMetadata() // after the answer, so that this consumer is not taken for a stranger
	old := predecessors(resp.Groups[0].Members, c.cfg.ClientID, own)
	if len(old) == 0 || own == "" || generation >= 0 {
		return nil
	}
	if err := putOut(ctx, c.cl, group, old); err != nil {
		return err
	}
	c.log.Info("put a dead consumer out of the group, which would have waited for it", "group", group, "client", c.cfg.ClientID, "members", len(old))
	return nil
}

// putOut takes members out of a group. One that has gone already is no error.
func putOut(ctx context.Context, cl *kgo.Client, group string, members []kmsg.LeaveGroupRequestMember) error {
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group, req.Members, req.MemberID = group, members, members[0].MemberID // before Kafka 2.4 one at a time
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	err = kerr.ErrorForCode(resp.ErrorCode)
	for _, m := range resp.Members {
		if err == nil {
			err = kerr.ErrorForCode(m.ErrorCode)
		}
		if errors.Is(err, kerr.UnknownMemberID) {
			err = nil
		}
	}
	return err
}

// predecessors are the members with a client id, but for one. Pure.
func predecessors(members []kmsg.DescribeGroupsResponseGroupMember, clientID, but string) []kmsg.LeaveGroupRequestMember {
	var old []kmsg.LeaveGroupRequestMember
	for _, m := range members {
		if m.ClientID != clientID || m.MemberID == but || m.InstanceID != nil {
			continue // a static member has said that it will come back
		}
		one := kmsg.NewLeaveGroupRequestMember()
		one.MemberID = m.MemberID
		old = append(old, one)
	}
	return old
}
