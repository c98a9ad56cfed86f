package kafka

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tailrace/tailrace/test/env"
)

// deadSession is how long a group waits for a dead member: longer than any test.
const deadSession = 5 * time.Minute

// leaveDeadMember makes a member of a group whose process dies.
func leaveDeadMember(t *testing.T, addr, group, clientID, topic string) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ClientID(clientID))
	require.NoError(t, err)
	defer cl.Close()
	metadata := kmsg.NewConsumerMemberMetadata()
	metadata.Topics = []string{topic}
	join := kmsg.NewPtrJoinGroupRequest()
	join.Group, join.ProtocolType = group, "consumer"
	join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = int32(deadSession.Milliseconds()), int32(deadSession.Milliseconds())
	for _, name := range []string{"range", "cooperative-sticky"} {
		one := kmsg.NewJoinGroupRequestProtocol()
		one.Name, one.Metadata = name, metadata.AppendTo(nil)
		join.Protocols = append(join.Protocols, one)
	}
	joined, err := join.RequestWith(within(t), cl)
	require.NoError(t, err)
	if errors.Is(kerr.ErrorForCode(joined.ErrorCode), kerr.MemberIDRequired) {
		join.MemberID = joined.MemberID
		joined, err = join.RequestWith(within(t), cl)
		require.NoError(t, err)
	}
	require.NoError(t, kerr.ErrorForCode(joined.ErrorCode))
	sync := kmsg.NewPtrSyncGroupRequest()
	sync.Group, sync.Generation, sync.MemberID = group, joined.Generation, joined.MemberID
	sync.ProtocolType, sync.Protocol = kmsg.StringPtr("consumer"), joined.Protocol
	part := kmsg.NewSyncGroupRequestGroupAssignment()
	part.MemberID, part.MemberAssignment = joined.MemberID, (&kmsg.ConsumerMemberAssignment{}).AppendTo(nil)
	sync.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{part}
	synced, err := sync.RequestWith(within(t), cl)
	require.NoError(t, err)
	require.NoError(t, kerr.ErrorForCode(synced.ErrorCode))
}

// A task that goes on elsewhere reads at once, not only when the session of the consumer that died is over.
func TestAConsumerPutsOutItsDeadPredecessor(t *testing.T) {
	for name, topicOn := range map[string]func(*testing.T) (bootstrap, topic string){
		"embedded": func(t *testing.T) (string, string) { return startBroker(t, EmbeddedConfig{}).Addr(), "t" },
		"real": func(t *testing.T) (string, string) {
			broker := env.Kafka(t)
			return broker.Bootstrap, broker.Topic(t, 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			bootstrap, topic := topicOn(t)
			group := topic + "-group"
			fill(t, bootstrap, topic, 1, 3)
			leaveDeadMember(t, bootstrap, group, "connector-consumer-c-0", topic)
			cfg := testConfig(t, ConsumerClient, bootstrap, map[string]string{"group.id": group, "client.id": "connector-consumer-c-0"})
			cfg.Consumer.SoleClientID = true
			c, err := NewConsumer(cfg, Subscription{Topics: []string{topic}}, RebalanceListener{})
			require.NoError(t, err)
			require.Equal(t, 3, pollSome(t, c).Len())
			require.NoError(t, c.Close(within(t)))
		})
	}
}

// A consumer that closes while it still looks leaves nothing behind; goleak looks.
func TestAConsumerThatNeverGetsInCanBeClosed(t *testing.T) {
	b := startBroker(t, EmbeddedConfig{})
	fill(t, b.Addr(), "t", 1, 1)
	leaveDeadMember(t, b.Addr(), "g", "another", "t") // not its predecessor, so the group waits
	cfg := testConfig(t, ConsumerClient, b.Addr(), map[string]string{"group.id": "g", "client.id": "mine"})
	cfg.Consumer.SoleClientID = true
	c, err := NewConsumer(cfg, Subscription{Topics: []string{"t"}}, RebalanceListener{})
	require.NoError(t, err)
	time.Sleep(3 * predecessorPause) //nolint:forbidigo // what must not happen takes time
	_, generation := c.cl.GroupMetadata()
	require.Negative(t, generation, "the other member was put out")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	require.NoError(t, c.Close(ctx))
}

func TestOnlyMembersWithTheSameClientIDArePredecessors(t *testing.T) {
	member := func(id, clientID string, instance *string) kmsg.DescribeGroupsResponseGroupMember {
		m := kmsg.NewDescribeGroupsResponseGroupMember()
		m.MemberID, m.ClientID, m.InstanceID = id, clientID, instance
		return m
	}
	old := predecessors([]kmsg.DescribeGroupsResponseGroupMember{
		member("mine-1", "mine", nil), member("mine-2", "mine", nil), member("mine-static", "mine", kmsg.StringPtr("i")), member("other-1", "other", nil),
	}, "mine", "mine-2")
	require.Len(t, old, 1)
	require.Equal(t, "mine-1", old[0].MemberID)
}
