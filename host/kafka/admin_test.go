package kafka

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
)

func TestTopicsAreCreatedDescribedAndDeleted(t *testing.T) {
	b := startBroker(t, EmbeddedConfig{})
	a, ctx := newAdmin(t, b.Addr()), within(t)
	require.NoError(t, a.WaitReady(ctx))
	id, err := a.ClusterID(ctx)
	require.NoError(t, err)
	require.Equal(t, "tailrace-embedded", id)

	require.NoError(t, a.CreateTopic(ctx, NewTopic{Name: "t", Partitions: 3, ReplicationFactor: 1, Configs: map[string]string{"cleanup.policy": "compact"}}))
	topics, err := a.Topics(ctx, "t", "absent")
	require.NoError(t, err)
	require.Equal(t, map[string]Topic{"t": {Name: "t", Partitions: 3, ReplicationFactor: 1}}, topics)
	configs, err := a.TopicConfigs(ctx, "t")
	require.NoError(t, err)
	require.Equal(t, "compact", configs["cleanup.policy"])
	none, err := a.Topics(ctx)
	require.NoError(t, err)
	require.Empty(t, none)

	require.NoError(t, a.CreateTopic(ctx, NewTopic{Name: "defaults", Partitions: -1, ReplicationFactor: -1}))
	all, err := a.ListTopics(ctx)
	require.NoError(t, err)
	require.Contains(t, all, "t")
	require.Equal(t, 1, all["defaults"].Partitions)

	require.NoError(t, a.DeleteTopics(ctx, "t", "absent"))
	require.NoError(t, a.DeleteTopics(ctx))
	topics, err = a.Topics(ctx, "t")
	require.NoError(t, err)
	require.Empty(t, topics)
}

func TestRefusedTopicsSayWhyAndWhatToDo(t *testing.T) {
	b := startBroker(t, EmbeddedConfig{})
	a, ctx := newAdmin(t, b.Addr()), within(t)
	require.NoError(t, a.CreateTopic(ctx, NewTopic{Name: "t", Partitions: 1, ReplicationFactor: 1}))
	for _, c := range []struct {
		topic NewTopic
		kind  error
		text  string
	}{
		{NewTopic{Name: "t", Partitions: 1, ReplicationFactor: 1}, ErrTopicExists, "create topic t: topic already exists"},
		{NewTopic{Name: "rf", Partitions: 1, ReplicationFactor: 3}, ErrInvalidReplicationFactor, "factor 3 was asked for and the cluster has 1 broker(s)"},
		{NewTopic{Name: "p", Partitions: 0, ReplicationFactor: 1}, ErrInvalidPartitions, "at least 1 partition"},
	} {
		err := a.CreateTopic(ctx, c.topic)
		require.ErrorIs(t, err, c.kind)
		require.ErrorContains(t, err, c.text)
		require.False(t, IsRetriable(err))
	}
}

func TestGroupOffsetsAreReadChangedAndDeleted(t *testing.T) {
	b := startBroker(t, EmbeddedConfig{DefaultPartitions: 2})
	fill(t, b.Addr(), "t", 2, 5)
	a, ctx := newAdmin(t, b.Addr()), within(t)
	tp0, tp1 := TopicPartition{"t", 0}, TopicPartition{"t", 1}
	offsets, err := a.GroupOffsets(ctx, "g")
	require.NoError(t, err)
	require.Empty(t, offsets)
	require.NoError(t, a.AlterGroupOffsets(ctx, "g", nil))
	require.NoError(t, a.AlterGroupOffsets(ctx, "g", map[TopicPartition]int64{tp0: 2, tp1: 3}))
	require.NoError(t, a.DeleteGroupOffsets(ctx, "g", []TopicPartition{tp1}))
	require.NoError(t, a.DeleteGroupOffsets(ctx, "g", nil))
	offsets, err = a.GroupOffsets(ctx, "g")
	require.NoError(t, err)
	require.Equal(t, map[TopicPartition]int64{tp0: 2}, offsets)
	ends, err := a.EndOffsets(ctx, "t")
	require.NoError(t, err)
	require.Equal(t, map[TopicPartition]int64{tp0: 5, tp1: 5}, ends)

	c := newConsumer(t, b.Addr(), "g", Subscription{Topics: []string{"t"}}, RebalanceListener{})
	pollSome(t, c)
	for _, err := range []error{
		a.AlterGroupOffsets(ctx, "g", map[TopicPartition]int64{tp0: 0}),
		a.DeleteGroup(ctx, "g"),
		a.DeleteGroupOffsets(ctx, "g", []TopicPartition{tp0}),
	} {
		require.ErrorIs(t, err, ErrGroupNotEmpty)
		require.ErrorContains(t, err, "stop the connector")
	}
	require.NoError(t, c.Close(ctx))
	require.NoError(t, a.DeleteGroup(ctx, "g"))
	require.NoError(t, a.DeleteGroup(ctx, "g"))
	offsets, err = a.GroupOffsets(ctx, "g")
	require.NoError(t, err)
	require.Empty(t, offsets)
}

func TestUnreachableBrokerIsNamed(t *testing.T) {
	addr := "127.0.0.1:" + strconv.Itoa(freePort(t))
	a := newAdmin(t, addr)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	err := a.WaitReady(ctx)
	require.ErrorIs(t, err, ErrBrokerUnreachable)
	require.ErrorContains(t, err, addr)
	require.ErrorContains(t, err, "bootstrap.servers")
	require.True(t, IsRetriable(err))
	require.False(t, a.Health().OK())
}

func TestWaitReadyReturnsWhenTheBrokerComes(t *testing.T) {
	port := freePort(t)
	a := newAdmin(t, "127.0.0.1:"+strconv.Itoa(port))
	ready := make(chan error, 1)
	ctx := within(t)
	go func() { ready <- a.WaitReady(ctx) }()
	eventually(t, "the first attempt fails", func() bool { return !a.Health().OK() })
	startBroker(t, EmbeddedConfig{Port: port})
	require.NoError(t, <-ready)
}

func TestEmbeddedBrokerKeepsItsDataAndStartsQuickly(t *testing.T) {
	cfg := EmbeddedConfig{DataDir: filepath.Join(t.TempDir(), "new", "data"), Brokers: 2}
	broker, err := StartEmbedded(cfg)
	require.NoError(t, err)
	fill(t, broker.Addr(), "t", 1, 100)
	require.NoError(t, newAdmin(t, broker.Addr()).AlterGroupOffsets(within(t), "g", map[TopicPartition]int64{{"t", 0}: 42}))
	broker.Close()

	begin := time.Now()
	broker, err = StartEmbedded(cfg)
	require.NoError(t, err)
	t.Cleanup(broker.Close)
	require.Less(t, time.Since(begin), 2*time.Second)
	offsets, err := newAdmin(t, broker.Addr()).GroupOffsets(within(t), "g")
	require.NoError(t, err)
	require.EqualValues(t, 42, offsets[TopicPartition{"t", 0}])
	c := newConsumer(t, broker.Addr(), "g", Subscription{Topics: []string{"t"}}, RebalanceListener{})
	require.EqualValues(t, 42, pollSome(t, c).Runs()[0].Offset(0))
}

func TestEmbeddedBrokerSaysWhyItCannotStart(t *testing.T) {
	first := startBroker(t, EmbeddedConfig{Port: freePort(t)})
	var port int
	_, p, _ := cutPort(first.Addr())
	port, err := strconv.Atoi(p)
	require.NoError(t, err)
	_, err = StartEmbedded(EmbeddedConfig{Port: port})
	require.ErrorContains(t, err, "port "+p)
	require.ErrorContains(t, err, "in use")

	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = StartEmbedded(EmbeddedConfig{DataDir: filepath.Join(file, "data")})
	require.ErrorContains(t, err, file)
}

func TestErrorsAreJudgedInOnePlace(t *testing.T) {
	for _, c := range []struct {
		cause     error
		kind      error
		retriable bool
	}{
		{kerr.NotLeaderForPartition, nil, true},
		{kerr.NotEnoughReplicas, nil, true},
		{kerr.IllegalGeneration, nil, true},
		{kerr.TopicAuthorizationFailed, ErrNotAuthorised, false},
		{kerr.SaslAuthenticationFailed, ErrAuthentication, false},
		{kerr.UnknownTopicOrPartition, ErrUnknownTopic, false},
		{kerr.ProducerFenced, ErrFenced, false},
		{context.Canceled, nil, false},
		{context.DeadlineExceeded, ErrBrokerUnreachable, true},
		{errors.New("anything"), nil, false},
	} {
		err := newError("try", "it", c.cause)
		require.Equal(t, c.retriable, IsRetriable(err), "%v", c.cause)
		if c.kind != nil {
			require.ErrorIs(t, err, c.kind)
		}
		require.Contains(t, err.Error(), "kafka: try it: ")
		require.Same(t, err, newError("outer", "", err), "wrapped once")
	}
	require.NoError(t, newError("try", "", nil))
}
