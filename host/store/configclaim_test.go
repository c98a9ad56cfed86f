package store

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/test/env"
)

// openLeader opens the config topic of a worker that writes in transactions.
func openLeader(t testing.TB, clients TopicClients, topic string) *ConfigTopic {
	clients.Consumer.Consumer.IsolationLevel = "read_committed"
	s := openConfig(t, clients, topic, nil)
	leader := clients.Producer
	leader.Producer.Idempotent = true
	s.UseTransactions(func(ctx context.Context) (*kafka.Transactor, error) {
		return kafka.NewTransactor(ctx, leader, "connect-cluster-"+topic)
	})
	return s
}

func TestALeaderFencesTheOneBefore(t *testing.T) { // I-5
	onBothBrokers(t, func(t *testing.T, clients TopicClients) {
		topic, ctx := env.Name(t), within(t)
		old, next := openLeader(t, clients, topic), openLeader(t, clients, topic)
		config := map[string]string{"name": "c"}
		require.ErrorIs(t, old.PutConnector(ctx, "c", config, ""), ErrNotClaimed, "it has to claim the writes first")
		require.NoError(t, old.Claim(ctx))
		require.NoError(t, old.PutConnector(ctx, "c", config, ""))
		require.Contains(t, old.Snapshot().Connectors, "c", "read back")

		require.NoError(t, next.Claim(ctx))
		require.Contains(t, next.Snapshot().Connectors, "c", "who claims knows what was written before")
		err := old.PutTasks(ctx, "c", []map[string]string{{"of": "old"}})
		require.ErrorIs(t, err, ErrNotClaimed)
		require.ErrorIs(t, err, kafka.ErrFenced)
		require.ErrorIs(t, old.PutRestart(ctx, RestartRequest{Connector: "c"}), ErrNotClaimed, "until it claims again")
		require.NoError(t, old.PutTargetState(ctx, "c", TargetPaused), "what any worker may write")
		require.NoError(t, next.PutTasks(ctx, "c", []map[string]string{{"of": "next"}}))
		require.NoError(t, old.Refresh(ctx))
		require.NoError(t, next.Refresh(ctx))
		require.Equal(t, []map[string]string{{"of": "next"}}, old.Snapshot().Connectors["c"].Tasks)
		require.Equal(t, old.Snapshot(), next.Snapshot(), "all agree on the version, whoever has written markers")

		require.NoError(t, old.Claim(ctx))
		require.NoError(t, old.PutFencedTasks(ctx, "c", 1))
		old.Cut()
		require.ErrorIs(t, old.DeleteConnector(ctx, "c"), ErrNotClaimed, "it has lost its place")
		require.NoError(t, old.Claim(ctx))
		require.NoError(t, old.DeleteConnector(ctx, "c"))
		old.Resign()
		require.ErrorIs(t, old.PutSessionKey(ctx, SessionKey{}), ErrNotClaimed)
	})
}

// The same changes lead to the same records at the same offsets, between which are the markers of the same transactions.
func TestTheLeadersTransactionsAreThoseOfKafkaConnect(t *testing.T) {
	want := recordings(t, "config-eos")
	topic, ctx := env.Name(t), within(t)
	clients := topicClients(t, env.Kafka(t).Bootstrap)
	s := openLeader(t, clients, topic)
	require.NoError(t, s.Claim(ctx))
	for i := 0; i < len(want); i++ {
		r := want[i]
		key := r.Key
		event, err := parseConfigRecord(r.record())
		require.NoError(t, err)
		switch e := event.(type) {
		case sessionKeyEvent:
			err = s.PutSessionKey(ctx, e.key)
		case connectorEvent:
			err = s.putConnector(ctx, e.connector, e.properties, "")
		case taskEvent: // with its commit
			tasks := map[string]string{}
			for _, p := range e.properties {
				tasks[p.Key] = p.Value
			}
			i++
			require.Equal(t, commitPrefix+e.id.Connector, want[i].Key)
			err = s.PutTasks(ctx, e.id.Connector, []map[string]string{tasks})
		case commitEvent:
			err = s.PutTasks(ctx, e.connector, nil)
		case targetStateEvent:
			err = s.PutTargetState(ctx, e.connector, e.state)
		case fencingEvent:
			err = s.PutFencedTasks(ctx, e.connector, e.tasks)
		case restartEvent:
			err = s.PutRestart(ctx, e.request)
		default:
			err = errors.New("no such event is expected")
		}
		require.NoError(t, err, key)
	}
	var got []recorded
	log, err := clients.open(ctx, spec(topic, "a test", 1), func(rs []kafka.LogRecord) {
		for _, r := range rs {
			value := string(r.Value)
			got = append(got, recorded{r.Partition, r.Offset, string(r.Key), &value})
		}
	})
	require.NoError(t, err)
	require.NoError(t, log.Close())
	require.Equal(t, lines(t, want), lines(t, got))
}

func lines(t testing.TB, records []recorded) []string {
	out := make([]string, len(records))
	for i, r := range records {
		value, err := json.Marshal(r.Value)
		require.NoError(t, err)
		out[i] = strconv.FormatInt(r.Offset, 10) + " " + r.Key + " " + string(value)
	}
	return out
}
