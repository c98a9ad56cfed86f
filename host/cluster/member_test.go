package cluster

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/store"
	"github.com/tailrace/tailrace/test/env"
)

// limit bounds every wait in these tests.
const limit = 60 * time.Second

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	require.Eventually(t, cond, limit, 10*time.Millisecond, what)
}

// board sees what all workers of a test run, and whether ever two ran the same (I-5).
type board struct {
	mu      sync.Mutex
	running map[Item]string
	double  []string
	moves   int // starts
}

func (b *board) count(worker string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, w := range b.running {
		if w == worker {
			n++
		}
	}
	return n
}

func (b *board) total() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.running)
}

// desk is one worker's runner.
type desk struct {
	board  *board
	worker string
}

func (d desk) Stop(_ context.Context, items []Item) {
	d.board.mu.Lock()
	defer d.board.mu.Unlock()
	for _, i := range items {
		delete(d.board.running, i)
	}
}

func (d desk) Settle(context.Context) {}

func (d desk) Loads() map[Item]float64 { return nil }

func (d desk) Start(_ Standing, items []Item) {
	d.board.mu.Lock()
	defer d.board.mu.Unlock()
	for _, i := range items {
		if other, ok := d.board.running[i]; ok {
			d.board.double = append(d.board.double, fmt.Sprintf("%v runs at %s and %s", i, other, d.worker))
		}
		d.board.running[i] = d.worker
		d.board.moves++
	}
}

type worker struct {
	*Member
	name   string
	config *store.ConfigTopic
	left   bool
}

func clientConfig(t testing.TB, kind kafka.ClientKind, addr string) kafka.ClientConfig {
	c, _, err := kafka.ParseClientConfig(kind, map[string]string{"bootstrap.servers": addr})
	require.NoError(t, err)
	return c
}

func startWorker(t *testing.T, addr, group, configTopic, name string, b *board, change func(*MemberConfig)) *worker {
	admin, err := kafka.NewAdmin(clientConfig(t, kafka.AdminClient, addr))
	require.NoError(t, err)
	t.Cleanup(admin.Close)
	w := &worker{name: name}
	ready := make(chan struct{})
	clients := store.TopicClients{Admin: admin, Consumer: clientConfig(t, kafka.ConsumerClient, addr), Producer: clientConfig(t, kafka.ProducerClient, addr)}
	w.config, err = store.OpenConfigTopic(within(t), clients,
		store.TopicSpec{Name: configTopic, Setting: "config.storage.topic", ReplicationFactor: 1},
		func(_ store.ConfigSnapshot, c store.ConfigChanges) {
			<-ready
			if len(c.Connectors)+len(c.Tasks) > 0 {
				w.Rejoin()
			}
		})
	require.NoError(t, err)
	cfg := MemberConfig{
		Group: kafka.GroupMemberConfig{
			Client: clientConfig(t, kafka.AdminClient, addr), GroupID: group,
			SessionTimeout: 10 * time.Second, RebalanceTimeout: time.Minute, HeartbeatInterval: 500 * time.Millisecond,
		},
		URL: "http://" + name + ":8083/", Protocol: "sessioned", SyncTimeout: 3 * time.Second,
	}
	if change != nil {
		change(&cfg)
	}
	w.Member, err = Join(cfg, w.config, desk{b, name})
	require.NoError(t, err)
	close(ready)
	t.Cleanup(func() { w.leave(t) })
	return w
}

func (w *worker) leave(t testing.TB) {
	if w.left {
		return
	}
	w.left = true
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	require.NoError(t, w.Leave(ctx))
	require.NoError(t, w.config.Close())
}

func putConnector(t testing.TB, c *store.ConfigTopic, name string, tasks int) {
	require.NoError(t, c.PutConnector(within(t), name, map[string]string{"name": name, "connector.class": "FileStreamSource"}, ""))
	configs := make([]map[string]string, tasks)
	for i := range configs {
		configs[i] = map[string]string{"task": fmt.Sprint(i)}
	}
	require.NoError(t, c.PutTasks(within(t), name, configs))
}

func onBothBrokers(t *testing.T, test func(t *testing.T, addr string)) {
	t.Run("embedded", func(t *testing.T) {
		b, err := kafka.StartEmbedded(kafka.EmbeddedConfig{})
		require.NoError(t, err)
		t.Cleanup(b.Close)
		test(t, b.Addr())
	})
	t.Run("kafka", func(t *testing.T) { test(t, env.Kafka(t).Bootstrap) })
}

func TestWorkersDivideTheWorkAndTakeItOver(t *testing.T) {
	onBothBrokers(t, func(t *testing.T, addr string) {
		for _, protocol := range []string{"sessioned", "eager"} {
			group, b := env.Name(t)+protocol, &board{running: map[Item]string{}}
			offer := func(c *MemberConfig) { c.Protocol = protocol }
			one := startWorker(t, addr, group, group, "one", b, offer)
			for i := range 3 {
				putConnector(t, one.config, fmt.Sprintf("c%d", i), 2)
			}
			eventually(t, "one runs all", func() bool { return b.count("one") == 9 })
			require.True(t, one.View().IsLeader())

			two := startWorker(t, addr, group, group, "two", b, offer)
			eventually(t, "the work is even", func() bool { return b.count("one")+b.count("two") == 9 && min(b.count("one"), b.count("two")) >= 4 })
			if protocol == "sessioned" {
				require.Equal(t, 9+4, b.moves, "only what has to move does")
			}
			leader, follower := one, two
			if two.View().IsLeader() {
				leader, follower = two, one
			}
			require.Equal(t, "http://"+leader.name+":8083/", follower.View().LeaderURL)
			eventually(t, "the leader knows where all is", func() bool {
				v := leader.View()
				url, ok := v.OwnerURL(follower.Running()[0])
				return ok && url == "http://"+follower.name+":8083/" && len(v.Owners) == 9
			})

			require.NoError(t, leader.config.DeleteConnector(within(t), "c1"))
			eventually(t, "what is deleted stops", func() bool { return b.total() == 6 && len(one.Running())+len(two.Running()) == 6 })

			start := time.Now()
			one.leave(t)
			eventually(t, "the other takes over", func() bool { return b.count("two") == 6 })
			t.Logf("%s: all work of a worker that stopped runs elsewhere after %v", protocol, time.Since(start).Round(time.Millisecond))
			require.Less(t, time.Since(start), 5*time.Second)
			two.leave(t)
			require.Zero(t, b.total())
			require.Empty(t, b.double, "I-5")
		}
	})
}

func TestAMixedProtocolGroupUsesWhatAllSpeak(t *testing.T) {
	broker, err := kafka.StartEmbedded(kafka.EmbeddedConfig{})
	require.NoError(t, err)
	t.Cleanup(broker.Close)
	b := &board{running: map[Item]string{}}
	one := startWorker(t, broker.Addr(), "g", "configs", "one", b, nil)
	putConnector(t, one.config, "c", 3)
	eventually(t, "one runs all", func() bool { return b.count("one") == 4 })
	two := startWorker(t, broker.Addr(), "g", "configs", "two", b, func(c *MemberConfig) { c.Protocol = "compatible" })
	eventually(t, "no more moves than needed", func() bool { return b.count("one") == 3 && b.count("two") == 1 })
	require.Equal(t, ProtocolCompatible, one.View().Protocol)
	two.leave(t)
	eventually(t, "one takes over", func() bool { return b.count("one") == 4 && one.View().Protocol == ProtocolSessioned })
	require.Empty(t, b.double, "I-5")
	_, err = Join(MemberConfig{Protocol: "other"}, one.config, desk{b, "x"})
	require.ErrorContains(t, err, "must be eager, compatible or sessioned")
}

// I-5: a worker that cannot reach its group stops before others may start.
func TestAWorkerThatIsCutOffStopsItsWork(t *testing.T) {
	broker := env.PrivateKafka(t, nil)
	b := &board{running: map[Item]string{}}
	one := startWorker(t, broker.Bootstrap, "g", "configs", "one", b, func(c *MemberConfig) {
		c.Group.SessionTimeout = 6 * time.Second
	})
	putConnector(t, one.config, "c", 1)
	eventually(t, "it runs", func() bool { return b.total() == 2 })
	broker.Pause(t)
	cut := time.Now()
	eventually(t, "it stops", func() bool { return b.total() == 0 })
	require.Less(t, time.Since(cut), 6*time.Second)
	broker.Resume(t)
	eventually(t, "it runs again", func() bool { return b.total() == 2 })
}
