package env

import (
	"context"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tailrace/tailrace/test/env/server"
)

// KafkaVariable is the environment variable with the shared broker's address.
const KafkaVariable = "TAILRACE_TEST_KAFKA"

// adminTimeout bounds one administrative call, such as making a topic.
const adminTimeout = 30 * time.Second

// Broker is a real Kafka broker shared with other tests: use topics and groups of your own.
type Broker struct {
	// Bootstrap is the broker's address, host:port.
	Bootstrap string
}

// PrivateBroker is a broker of one test, which may do to it what it wants.
type PrivateBroker struct {
	Broker
	server *server.Broker
}

// shared is the broker of this test process when nobody gave us one. The guard of package server ends it and removes
// its data when the process is gone.
var shared = sync.OnceValues(func() (*server.Broker, error) {
	return server.StartBroker(context.Background(), server.BrokerOptions{})
})

// Kafka returns the broker that all tests share.
func Kafka(t testing.TB) *Broker {
	t.Helper()
	if addr := os.Getenv(KafkaVariable); addr != "" {
		return &Broker{Bootstrap: addr}
	}
	broker, err := shared()
	require.NoError(t, err)
	t.Cleanup(func() { nameLog(t, "Kafka broker", broker.Log()) })
	return &Broker{Bootstrap: broker.Addr()}
}

// PrivateKafka starts a broker for this test alone, with properties added to its server.properties, and ends it with
// the test.
func PrivateKafka(t testing.TB, properties map[string]string) *PrivateBroker {
	t.Helper()
	broker, err := server.StartBroker(t.Context(), server.BrokerOptions{Properties: properties})
	require.NoError(t, err)
	t.Cleanup(func() {
		keepLog(t, "Kafka broker", broker.Log())
		require.NoError(t, broker.Close())
	})
	return &PrivateBroker{Broker: Broker{Bootstrap: broker.Addr()}, server: broker}
}

// Stop ends the broker cleanly. Its data stays.
func (b *PrivateBroker) Stop(t testing.TB) {
	t.Helper()
	require.NoError(t, b.server.Stop())
}

// Kill ends the broker with SIGKILL. Its data stays.
func (b *PrivateBroker) Kill() { b.server.Kill() }

// Start starts a stopped or killed broker on the same address and data, and returns when it serves.
func (b *PrivateBroker) Start(t testing.TB) {
	t.Helper()
	require.NoError(t, b.server.Start(t.Context()))
}

// Restart stops and starts the broker.
func (b *PrivateBroker) Restart(t testing.TB) {
	t.Helper()
	b.Stop(t)
	b.Start(t)
}

// Pause stops the broker's threads with SIGSTOP: connections stay open and nothing answers. The broker's session with
// itself may have ended when it is resumed after more than some seconds; it recovers by itself.
func (b *PrivateBroker) Pause(t testing.TB) {
	t.Helper()
	require.NoError(t, b.server.Pause())
}

// Resume ends a Pause.
func (b *PrivateBroker) Resume(t testing.TB) {
	t.Helper()
	require.NoError(t, b.server.Resume())
}

// Client returns a franz-go client of this broker, closed with the test.
func (b *Broker) Client(t testing.TB, options ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(b.Bootstrap)}, options...)...)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

// Topic makes a topic with a unique name and deletes it with the test.
func (b *Broker) Topic(t testing.TB, partitions int32) string {
	t.Helper()
	return b.TopicWith(t, partitions, nil)
}

// TopicWith makes a topic with topic configurations, such as cleanup.policy=compact.
func (b *Broker) TopicWith(t testing.TB, partitions int32, config map[string]string) string {
	t.Helper()
	return b.makeTopic(t, Name(t), partitions, config)
}

// TopicNamed makes a topic of one partition with a name from [Name].
func (b *Broker) TopicNamed(t testing.TB, name string) string {
	t.Helper()
	return b.makeTopic(t, name, 1, nil)
}

func (b *Broker) makeTopic(t testing.TB, name string, partitions int32, config map[string]string) string {
	t.Helper()
	configs := make(map[string]*string, len(config))
	for key, value := range maps.All(config) {
		configs[key] = &value
	}
	b.admin(t, t.Context(), func(ctx context.Context, admin *kadm.Client) error {
		_, err := admin.CreateTopic(ctx, partitions, 1, configs, name)
		return err
	})
	t.Cleanup(func() {
		client, err := kgo.NewClient(kgo.SeedBrokers(b.Bootstrap))
		if err != nil {
			return
		}
		defer client.Close()
		// The test's own context has ended. A private broker may be down by now, which is no failure of the test.
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_, _ = kadm.NewClient(client).DeleteTopics(ctx, name)
	})
	return name
}

func (b *Broker) admin(t testing.TB, parent context.Context, do func(context.Context, *kadm.Client) error) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Bootstrap))
	require.NoError(t, err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(parent, adminTimeout)
	defer cancel()
	require.NoError(t, do(ctx, kadm.NewClient(client)))
}

// Records reads every record that the topic holds now: partition by partition, in the order of the log. It waits for
// none that comes later.
func (b *Broker) Records(t testing.TB, topic string) []*kgo.Record {
	t.Helper()
	var ends kadm.ListedOffsets
	b.admin(t, t.Context(), func(ctx context.Context, admin *kadm.Client) (err error) {
		ends, err = admin.ListCommittedOffsets(ctx, topic)
		return err
	})
	left := 0 // partitions that are not read to their end
	next := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if next[o.Partition] = o.Offset; o.Offset > 0 {
			left++
		}
	})

	client, err := kgo.NewClient(kgo.SeedBrokers(b.Bootstrap), kgo.ConsumeTopics(topic), kgo.KeepControlRecords(),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(t, err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	byPartition := map[int32][]*kgo.Record{}
	for left > 0 {
		fetches := client.PollFetches(ctx)
		require.NoError(t, fetches.Err(), "read topic %s", topic)
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset >= next[r.Partition] {
				return
			}
			if !r.Attrs.IsControl() {
				byPartition[r.Partition] = append(byPartition[r.Partition], r)
			}
			if r.Offset == next[r.Partition]-1 {
				left--
			}
		})
	}
	var records []*kgo.Record
	for _, partition := range slices.Sorted(maps.Keys(byPartition)) {
		records = append(records, byPartition[partition]...)
	}
	return records
}

var (
	names       atomic.Int64
	notForNames = regexp.MustCompile(`[^A-Za-z0-9._-]+`)
)

// Name returns a name for a topic, group or connector that no other test uses, on this broker or in this run.
func Name(t testing.TB) string {
	test := notForNames.ReplaceAllString(t.Name(), "-")
	return fmt.Sprintf("%.80s-%d-%d", test, os.Getpid(), names.Add(1))
}

func nameLog(t testing.TB, what, path string) {
	if t.Failed() {
		t.Logf("the log of the %s is %s", what, path)
	}
}

// keepLog copies the log of a server out of a folder that is about to be removed, when the test has failed.
func keepLog(t testing.TB, what, path string) {
	if !t.Failed() {
		return
	}
	log, err := os.ReadFile(path)
	if err != nil {
		t.Logf("the log of the %s cannot be read: %v", what, err)
		return
	}
	kept, err := os.CreateTemp("", "tailrace-failed-*.log") //nolint:usetesting // it must outlive the test
	if err != nil {
		t.Logf("the log of the %s cannot be kept: %v", what, err)
		return
	}
	defer kept.Close()
	_, err = kept.Write(log)
	t.Logf("the log of the %s is kept in %s (%v)", what, kept.Name(), err)
}
