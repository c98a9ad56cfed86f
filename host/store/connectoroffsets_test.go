package store

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/test/env"
)

func entry(key, value string) OffsetEntry {
	e := OffsetEntry{Key: []byte(key)}
	if value != "" {
		e.Value = []byte(value)
	}
	return e
}

func TestOffsetsOfAConnectorsOwnTopicWinOverTheWorkers(t *testing.T) {
	own, worker := newClusterMemory("own"), newClusterMemory("worker")
	s := NewConnectorOffsets(own, worker, slog.New(slog.DiscardHandler))
	ctx := within(t)
	require.NoError(t, worker.Put(ctx, []OffsetEntry{entry(`["c",{"f":"a","g":1}]`, "1"), entry(`["c",{"f":"b"}]`, "1"), entry(`["d",{}]`, "1")}))
	require.NoError(t, own.Put(ctx, []OffsetEntry{entry(`["c",{"g":1,"f":"a"}]`, "2")}))

	values, err := s.Get(ctx, [][]byte{[]byte(`["c",{"f":"b"}]`), []byte(`["c",{"g":1,"f":"a"}]`), []byte(`["c",{"f":"none"}]`)})
	require.NoError(t, err)
	require.Equal(t, [][]byte{[]byte("1"), []byte("2"), nil}, values)
	entries, err := s.Connector(ctx, "c")
	require.NoError(t, err)
	require.Equal(t, []OffsetEntry{entry(`["c",{"f":"b"}]`, "1"), entry(`["c",{"g":1,"f":"a"}]`, "2")}, entries)
	require.True(t, s.Uses("own"))
	require.True(t, s.Uses("worker"))
	require.False(t, s.Uses("other"))
}

func TestOffsetsOfAConnectorsOwnTopicAreCopiedToTheWorkers(t *testing.T) {
	own, worker := newClusterMemory("own"), newClusterMemory("worker")
	s := NewConnectorOffsets(own, worker, slog.New(slog.DiscardHandler))
	ctx := within(t)
	stored := func(m *clusterMemory, key string) string {
		values, err := m.Get(ctx, [][]byte{[]byte(key)})
		require.NoError(t, err)
		return string(values[0])
	}
	const a, b = `["c",{"f":"a"}]`, `["c",{"f":"b"}]`
	require.NoError(t, s.Put(ctx, []OffsetEntry{entry(a, "1"), entry(b, "1")}))
	require.Equal(t, []string{"1", "1"}, []string{stored(own, a), stored(worker, a)})

	worker.fails = errors.New("the worker's topic is away")
	require.NoError(t, s.Put(ctx, []OffsetEntry{entry(a, "2")}), "a copy that fails is no failure")
	require.Equal(t, []string{"2", "1"}, []string{stored(own, a), stored(worker, a)})
	require.ErrorIs(t, s.Put(ctx, []OffsetEntry{entry(a, "3"), entry(b, "")}), worker.fails, "what is deleted would come back from there")
	require.Equal(t, []string{"2", "1"}, []string{stored(own, a), stored(own, b)}, "so nothing is stored")

	worker.fails = nil
	require.NoError(t, s.Put(ctx, []OffsetEntry{entry(b, "")}))
	require.Equal(t, []string{"", ""}, []string{stored(own, b), stored(worker, b)})
	require.Equal(t, "own", s.Records([]OffsetEntry{entry(a, "4")})[0].Topic)
	s.Committed(ctx, []OffsetEntry{entry(a, "4")})
	require.Equal(t, []string{"2", "4"}, []string{stored(own, a), stored(worker, a)}, "its own were in the transaction")
	require.Equal(t, 1, own.committed)
}

// What goes into a transaction is what Put would write, and is not read before the transaction is committed.
func TestOffsetsInATransactionAreThoseThatPutWrites(t *testing.T) {
	onBothBrokers(t, func(t *testing.T, clients TopicClients) {
		topic, ctx := env.Name(t), within(t)
		clients.Consumer.Consumer.IsolationLevel = "read_committed"
		s := openOffsets(t, clients, topic)
		javas, ours := `["c",{"schema":"s","id":1}]`, `["c",{"id":1,"schema":"s"}]`
		require.NoError(t, s.Put(ctx, []OffsetEntry{entry(javas, "1")}))
		values, err := s.Get(ctx, [][]byte{[]byte(ours)})
		require.NoError(t, err)
		require.Equal(t, "1", string(values[0]))

		records := s.Records([]OffsetEntry{entry(ours, "2"), entry(`["c",{"id":2}]`, "")})
		require.Equal(t, javas, string(records[0].Key), "the bytes of the known key are kept")
		require.Equal(t, []byte(nil), records[1].Value, "a deletion stays one")
		require.True(t, s.Uses(records[0].Topic))
		transactional := clients.Producer
		transactional.Producer.Idempotent = true
		tx, err := kafka.NewTransactor(ctx, transactional, "tx-"+topic)
		require.NoError(t, err)
		defer tx.Close()
		require.NoError(t, tx.Write(ctx, records))
		require.EventuallyWithT(t, func(c *assert.CollectT) { // brokers show a transaction a moment after its end
			entries, err := s.Connector(ctx, "c")
			require.NoError(c, err)
			require.Equal(c, []OffsetEntry{entry(javas, "2")}, entries)
		}, limit, 20*time.Millisecond)
	})
}
