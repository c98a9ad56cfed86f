package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/test/env"
)

// limit bounds every wait in these tests.
const limit = 30 * time.Second

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

// onBothBrokers runs a test on the embedded broker and on Kafka.
func onBothBrokers(t *testing.T, test func(t *testing.T, clients TopicClients)) {
	t.Run("embedded", func(t *testing.T) {
		b, err := kafka.StartEmbedded(kafka.EmbeddedConfig{})
		require.NoError(t, err)
		t.Cleanup(b.Close)
		test(t, topicClients(t, b.Addr()))
	})
	t.Run("kafka", func(t *testing.T) { test(t, topicClients(t, env.Kafka(t).Bootstrap)) })
}

func topicClients(t testing.TB, addr string) TopicClients {
	parse := func(kind kafka.ClientKind) kafka.ClientConfig {
		c, _, err := kafka.ParseClientConfig(kind, map[string]string{"bootstrap.servers": addr})
		require.NoError(t, err)
		return c
	}
	admin, err := kafka.NewAdmin(parse(kafka.AdminClient))
	require.NoError(t, err)
	t.Cleanup(admin.Close)
	return TopicClients{Admin: admin, Consumer: parse(kafka.ConsumerClient), Producer: parse(kafka.ProducerClient)}
}

func spec(name, setting string, partitions int32) TopicSpec {
	return TopicSpec{Name: name, Setting: setting, Partitions: partitions, ReplicationFactor: 1}
}

func openConfig(t testing.TB, clients TopicClients, topic string, listener func(ConfigSnapshot, ConfigChanges)) *ConfigTopic {
	s, err := OpenConfigTopic(within(t), clients, spec(topic, "config.storage.topic", 1), listener)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func openOffsets(t testing.TB, clients TopicClients, topic string) *OffsetTopic {
	s, err := OpenOffsetTopic(within(t), clients, spec(topic, "offset.storage.topic", 25))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func openStatuses(t testing.TB, clients TopicClients, topic string) *StatusTopic {
	s, err := OpenStatusTopic(within(t), clients, spec(topic, "status.storage.topic", 5))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func TestAConfigTopicIsSharedByWorkers(t *testing.T) {
	onBothBrokers(t, func(t *testing.T, clients TopicClients) {
		topic, ctx := env.Name(t), within(t)
		told := make(chan ConfigChanges, 100)
		leader := openConfig(t, clients, topic, nil)
		require.Empty(t, leader.Snapshot().Names())
		require.NoError(t, leader.PutRestart(ctx, RestartRequest{Connector: "c"}))
		other := openConfig(t, clients, topic, func(_ ConfigSnapshot, c ConfigChanges) { told <- c })

		require.NoError(t, leader.PutConnector(ctx, "c", map[string]string{"name": "c", "k": "1"}, TargetPaused))
		require.Equal(t, TargetPaused, leader.Snapshot().Connectors["c"].TargetState, "read back")
		require.NoError(t, leader.PutTasks(ctx, "c", []map[string]string{{"t": "0"}, {"t": "1"}}))
		version := leader.Snapshot().Version
		require.NoError(t, leader.PutTasks(ctx, "c", []map[string]string{{"t": "0"}, {"t": "1"}}))
		require.Equal(t, version, leader.Snapshot().Version, "the same tasks are not written again")
		require.NoError(t, leader.PutConnector(ctx, "c", map[string]string{"name": "c", "k": "2"}, ""))
		require.NoError(t, leader.PutTasks(ctx, "c", []map[string]string{{"t": "0"}, {"t": "1"}}))
		require.Equal(t, 2, leader.Snapshot().Connectors["c"].TaskGeneration, "tasks of another configuration must restart")
		require.NoError(t, other.PutTargetState(ctx, "c", TargetStarted))
		require.NoError(t, leader.PutRestart(ctx, RestartRequest{"c", true, false}))
		require.NoError(t, leader.PutLogger(ctx, LoggerLevel{"org.foo", "DEBUG"}))
		require.NoError(t, leader.PutSessionKey(ctx, SessionKey{[]byte("key"), "HmacSHA256", 7}))
		require.NoError(t, leader.PutFencedTasks(ctx, "c", 2))
		require.NoError(t, leader.PutConnector(ctx, "idle", map[string]string{"name": "idle"}, ""))
		require.NoError(t, leader.PutTasks(ctx, "idle", []map[string]string{{"t": "0"}}))
		require.NoError(t, leader.RemoveTasks(ctx, "idle"))
		version = leader.Snapshot().Version
		require.NoError(t, leader.RemoveTasks(ctx, "idle"))
		require.Greater(t, leader.Snapshot().Version, version, "that there are none is written again")
		require.Empty(t, leader.Snapshot().Connectors["idle"].Tasks)
		require.NoError(t, leader.DeleteConnector(ctx, "idle"))

		require.NoError(t, other.Refresh(ctx))
		require.NoError(t, leader.Refresh(ctx))
		require.Equal(t, leader.Snapshot(), other.Snapshot())
		require.Equal(t, TargetStarted, other.Snapshot().Connectors["c"].TargetState)
		var restarts, loggers, keys int
		for len(told) > 0 {
			c := <-told
			restarts, loggers = restarts+len(c.Restarts), loggers+len(c.Loggers)
			if c.SessionKey {
				keys++
			}
		}
		require.Equal(t, []int{1, 1, 1}, []int{restarts, loggers, keys}, "requests from before the start are not told")

		require.NoError(t, leader.DeleteConnector(ctx, "c"))
		require.NoError(t, leader.PutTasks(ctx, "c", []map[string]string{{}}))
		require.NoError(t, leader.PutTargetState(ctx, "c", TargetPaused))
		require.Empty(t, leader.Snapshot().Names(), "a deleted connector does not come back by a late write")
		changed := other.Changed()
		if len(other.Snapshot().Connectors) > 0 {
			<-changed
		}
		require.Equal(t, leader.Snapshot(), openConfig(t, clients, topic, nil).Snapshot(), "a new worker reads the same")
	})
}

// As recorded from Kafka Connect 4.1, where topics and tasks.max, and topic and errors.tolerance, share places in the HashMap.
func TestAPatchedConfigurationKeepsItsOrder(t *testing.T) {
	onBothBrokers(t, func(t *testing.T, clients TopicClients) {
		topic, ctx := env.Name(t), within(t)
		configs := openConfig(t, clients, topic, nil)
		put := []string{"connector.class", "file", "key.converter", "value.converter", "topics", "tasks.max", "name"}
		config := map[string]string{}
		for _, key := range put {
			config[key] = "v"
		}
		require.NoError(t, configs.PutConnectorInOrder(ctx, "c", config, put, ""))
		require.NoError(t, configs.PatchConnector(ctx, "c", config, []string{"tasks.max", "errors.tolerance"}))
		require.Equal(t, []string{"connector.class", "file", "topics", "tasks.max", "name", "value.converter", "key.converter"}, configs.fold.order("c"))
		config["x"] = "y"
		require.NoError(t, configs.PatchConnector(ctx, "c", config, []string{"tasks.max", "x"}))
		require.Equal(t, []string{"connector.class", "file", "topics", "tasks.max", "name", "x", "value.converter", "key.converter"}, configs.fold.order("c"))
		require.NoError(t, configs.PutTasks(ctx, "c", []map[string]string{config}))
	})
}

func TestOffsetsAreFoundHoweverAnotherWorkerOrdersThePartition(t *testing.T) {
	onBothBrokers(t, func(t *testing.T, clients TopicClients) {
		topic, ctx := env.Name(t), within(t)
		a, b := openOffsets(t, clients, topic), openOffsets(t, clients, topic)
		javas, ours := []byte(`["c",{"schema":"s","id":12345678901234567890}]`), []byte(`["c",{"id":12345678901234567890,"schema":"s"}]`)
		require.NoError(t, a.Put(ctx, []OffsetEntry{{javas, []byte(`{"position":1}`)}, {[]byte(`["d",null]`), []byte(`{"x":null}`)}}))
		values, err := b.Get(ctx, [][]byte{ours, []byte(`["d",null]`), []byte(`["c",{}]`)})
		require.NoError(t, err)
		require.Equal(t, [][]byte{[]byte(`{"position":1}`), []byte(`{"x":null}`), nil}, values)
		require.NoError(t, b.Put(ctx, []OffsetEntry{{ours, []byte(`{"position":2}`)}}))
		entries, err := a.Connector(ctx, "c")
		require.NoError(t, err)
		require.Equal(t, []OffsetEntry{{javas, []byte(`{"position":2}`)}}, entries, "the bytes of the known key are kept")
		require.NoError(t, DeleteConnector(ctx, b, "c"))
		entries, err = a.Connector(ctx, "c")
		require.NoError(t, err)
		require.Empty(t, entries)
		entries, err = openOffsets(t, clients, topic).Connector(ctx, "d")
		require.NoError(t, err)
		require.Len(t, entries, 1)
	})
}

// The same keys go to the same partitions, with the same bytes: otherwise a worker
// of the other kind would read an old value after the new one.
func TestRecordsGoWhereKafkaConnectPutThem(t *testing.T) {
	onBothBrokers(t, func(t *testing.T, clients TopicClients) {
		for name, partitions := range map[string]int32{"status": 5, "offset": 25} {
			topic, ctx := env.Name(t)+"-"+name, within(t)
			want := map[string]int32{}
			var entries []kafka.LogEntry
			for _, r := range recordings(t, name) {
				if strings.Contains(r.Key, "/data/connect") {
					continue // the recording's paths were renamed, so that the hash is another
				}
				want[r.Key] = r.Partition
				entries = append(entries, kafka.LogEntry{Key: []byte(r.Key), Value: r.record().Value})
			}
			got := map[string]int32{}
			log, err := clients.open(ctx, spec(topic, "a test", partitions), func(rs []kafka.LogRecord) {
				for _, r := range rs {
					got[string(r.Key)] = r.Partition
				}
			})
			require.NoError(t, err)
			require.NoError(t, log.Append(ctx, entries...))
			require.NoError(t, log.ReadToEnd(ctx))
			require.NoError(t, log.Close())
			require.Equal(t, want, got)
		}
	})
}

func TestRecordedOffsetsAreReadAndKeptByteForByte(t *testing.T) {
	for _, name := range []string{"offset", "offset-eos"} {
		s := &OffsetTopic{entries: map[string][]byte{}, known: map[string]string{}}
		state := map[string][]byte{}
		for _, r := range recordings(t, name) {
			s.apply([]kafka.LogRecord{{Partition: r.Partition, Offset: r.Offset, Key: []byte(r.Key), Value: r.record().Value}})
			state[r.Key] = r.record().Value
			if r.Value == nil {
				delete(state, r.Key)
			}
			connector, partition, err := SplitOffsetKey([]byte(r.Key))
			require.NoError(t, err)
			key, err := OffsetKey(connector, partition)
			require.NoError(t, err)
			require.Equal(t, r.Key, string(key))
		}
		require.Equal(t, state, s.entries)
		require.Len(t, s.known, len(s.entries))
	}
}

func TestStatusesAreVisibleAtOnceHereAndSoonElsewhere(t *testing.T) {
	onBothBrokers(t, func(t *testing.T, clients TopicClients) {
		topic, ctx := env.Name(t), within(t)
		a, b := openStatuses(t, clients, topic), openStatuses(t, clients, topic)
		id := TaskID{"c-1", 0}
		short, cancel := context.WithCancel(ctx)
		for generation := range 50 {
			require.NoError(t, a.PutTask(short, id, Status{State: StateRunning, WorkerID: "a:1", Generation: generation}))
			st, ok := a.Task(id)
			require.True(t, ok)
			require.Equal(t, generation, st.Generation, "an older status does not come back")
		}
		cancel() // nobody waits for the writes
		require.NoError(t, a.PutConnector(ctx, "c-1", Status{State: StateFailed, Trace: "why\n\tat", WorkerID: "a:1", Generation: 50, Version: "1"}))
		require.NoError(t, a.PutTopic(ctx, "c-1", "t"))
		require.NoError(t, a.PutTopic(ctx, "c-1", "t"))
		eventually(t, "b sees it", func() bool { return len(b.Topics("c-1")) == 1 && len(b.Connectors()) == 1 })
		eventually(t, "b sees the last", func() bool { st, _ := b.Task(id); return st.Generation == 49 })
		st, _ := b.Connector("c-1")
		require.Equal(t, Status{State: StateFailed, Trace: "why\n\tat", WorkerID: "a:1", Generation: 50, Version: "1"}, st)

		require.NoError(t, b.PutTaskSafe(ctx, id, Status{State: StateUnassigned, WorkerID: "b:1", Generation: 48}))
		st, _ = b.Task(id)
		require.Equal(t, StateRunning, st.State, "a zombie does not overwrite its successor")
		require.NoError(t, b.PutTask(ctx, id, Status{State: StateRunning, WorkerID: "b:1", Generation: 51}))
		eventually(t, "a sees its successor", func() bool { st, _ := a.Task(id); return st.WorkerID == "b:1" })
		require.NoError(t, a.PutConnectorSafe(ctx, "c-1", Status{State: StateUnassigned, WorkerID: "a:1", Generation: 50}))

		require.NoError(t, a.ResetTopics(ctx, "c-1"))
		require.NoError(t, a.Forget(ctx, "c-1"))
		require.NoError(t, a.Forget(ctx, "c-1"))
		require.Empty(t, a.Connectors())
		eventually(t, "all is forgotten", func() bool { return len(b.Connectors())+len(b.Tasks("c-1"))+len(b.Topics("c-1")) == 0 })
	})
}

func TestATopicThatWouldLoseStateIsRefusedWithTheFix(t *testing.T) {
	onBothBrokers(t, func(t *testing.T, clients TopicClients) {
		name, ctx := env.Name(t), within(t)
		create := func(topic string, partitions int32, policy string) {
			require.NoError(t, clients.Admin.CreateTopic(ctx, kafka.NewTopic{Name: topic, Partitions: partitions, ReplicationFactor: 1, Configs: map[string]string{"cleanup.policy": policy}}))
		}
		create(name+"-deletes", 1, "delete")
		_, err := OpenConfigTopic(ctx, clients, spec(name+"-deletes", "config.storage.topic", 1), nil)
		require.ErrorContains(t, err, "(config.storage.topic) has cleanup.policy=delete and must have cleanup.policy=compact")
		require.ErrorContains(t, err, "--add-config cleanup.policy=compact")
		create(name+"-wide", 2, "compact")
		_, err = OpenConfigTopic(ctx, clients, spec(name+"-wide", "config.storage.topic", 1), nil)
		require.ErrorContains(t, err, "has 2 partitions and must have 1")
		_, err = OpenOffsetTopic(ctx, clients, TopicSpec{Name: name + "-rf", Setting: "offset.storage.topic", Partitions: 1, ReplicationFactor: 3})
		require.ErrorIs(t, err, kafka.ErrInvalidReplicationFactor)
		require.ErrorContains(t, err, "offset.storage.topic")
		s, err := OpenOffsetTopic(ctx, clients, TopicSpec{Name: name, Setting: "offset.storage.topic", Partitions: 3, ReplicationFactor: 1, Configs: map[string]string{"segment.ms": "3600000", "cleanup.policy": "delete"}})
		require.NoError(t, err)
		require.NoError(t, s.Close())
		configs, err := clients.Admin.TopicConfigs(ctx, name)
		require.NoError(t, err)
		require.Equal(t, "compact", configs["cleanup.policy"])
		require.Equal(t, "3600000", configs["segment.ms"])
	})
}

func TestAnInternalTopicIsOpenedWhenTheBrokerComesBack(t *testing.T) {
	broker := env.PrivateKafka(t, nil)
	clients := topicClients(t, broker.Bootstrap)
	topic := env.Name(t)
	require.NoError(t, openOffsets(t, clients, topic).Close())
	broker.Kill()
	opened := make(chan error, 1)
	go func() {
		o, err := OpenOffsetTopic(within(t), clients, spec(topic, "offset.storage.topic", 5))
		if err == nil {
			err = o.Close()
		}
		opened <- err
	}()
	select {
	case err := <-opened:
		t.Fatalf("it gave up while the broker was away: %v", err)
	case <-time.After(2 * openRetryDelay): // it has tried at least once
	}
	broker.Start(t)
	require.NoError(t, <-opened)
}

func TestAWriteWithoutABrokerEndsInTime(t *testing.T) {
	b, err := kafka.StartEmbedded(kafka.EmbeddedConfig{})
	require.NoError(t, err)
	clients := topicClients(t, b.Addr())
	configs, offsets := openConfig(t, clients, "configs", nil), openOffsets(t, clients, "offsets")
	b.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	err = configs.PutConnector(ctx, "c", map[string]string{"password": "secret"}, "")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NotContains(t, err.Error(), "secret", "I-9")
	require.Error(t, offsets.Put(ctx, []OffsetEntry{{[]byte(`["c",{}]`), []byte(`{}`)}}))
	_, err = offsets.Get(ctx, nil)
	require.Error(t, err)
}

func TestEveryRecordedStatusIsReadAndWrittenByteForByte(t *testing.T) {
	equal := 0
	for _, name := range []string{"status", "status-eos"} {
		for _, r := range recordings(t, name) {
			e, err := parseStatusRecord(r.record())
			require.NoError(t, err)
			var again Record
			switch {
			case e.topic != nil && e.deleted:
				again = TopicStatusTombstone(e.topic.Connector, e.topic.Topic)
			case e.topic != nil:
				again = TopicStatusRecord(*e.topic)
			case e.task != nil:
				again = TaskStatusRecord(*e.task, e.status)
			default:
				again = ConnectorStatusRecord(e.connector, e.status)
			}
			require.Equal(t, r.record(), again)
			equal++
		}
	}
	require.Equal(t, 509, equal)
}

func TestTheRecordedStatusTopicIsReadAsItsRESTSaid(t *testing.T) {
	s := &StatusTopic{cache: NewMemoryStatusStore(), pending: map[string][][]byte{}}
	for _, r := range recordings(t, "status") {
		s.apply([]kafka.LogRecord{{Partition: r.Partition, Offset: r.Offset, Key: []byte(r.Key), Value: r.record().Value}})
	}
	// The worker was stopped after the last request: all that exists is unassigned.
	for _, name := range s.Connectors() {
		st, _ := s.Connector(name)
		require.Equal(t, StateUnassigned, st.State, name)
		require.Equal(t, "127.0.0.1:18087", st.WorkerID)
	}
	require.Len(t, s.Tasks("stay"), 1)
	require.Len(t, s.Tasks("stay-sink"), 1)
	require.Empty(t, s.Tasks("stay-stopped"))
	require.Equal(t, []string{"stay-topic"}, s.Topics("stay"))
	require.Len(t, s.Connectors(), 10, fmt.Sprint(s.Connectors()))
}

func TestStatusRecordsThatSayNothingUseful(t *testing.T) {
	for _, bad := range []Record{
		{[]byte("status-task-c"), []byte(`{}`)},
		{[]byte("status-task-c-0"), []byte(`{}`)},
		{[]byte("status-connector-c"), []byte(`[]`)},
		{[]byte("status-topic-t"), nil},
		{[]byte("status-topic-t:connector-c"), []byte(`{}`)},
		{[]byte("else"), nil},
	} {
		_, err := parseStatusRecord(bad)
		require.Error(t, err)
		require.Equal(t, string(bad.Key) == "else", errors.Is(err, errForeignRecord))
	}
}

// eventually waits for a condition with a deadline.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	require.Eventually(t, cond, limit, 5*time.Millisecond, what)
}
