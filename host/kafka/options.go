package kafka

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// maxDecompressedBatchBytes bounds what one fetched batch may inflate to (I-4).
const maxDecompressedBatchBytes = 128 << 20

// unknownTopicRetries is how many metadata answers may miss a topic before its
// records fail. An automatic creation shows up after one or two.
const unknownTopicRetries = 10

// newClient makes a client of the library. It reads key stores and trust stores and connects to nothing.
func (c *ClientConfig) newClient(h *health, more ...kgo.Opt) (*kgo.Client, error) {
	secure, err := c.security.options(c)
	if err != nil {
		return nil, err
	}
	return kgo.NewClient(append(append(c.options(h), secure...), more...)...)
}

// options turns the checked configuration into the client library's options, but for security.
func (c *ClientConfig) options(h *health) []kgo.Opt {
	opts := []kgo.Opt{
		kgo.SeedBrokers(c.BootstrapServers...),
		kgo.SoftwareNameAndVersion("tailrace", "1"),
		kgo.RequestTimeoutOverhead(clamp(c.RequestTimeout, 100*time.Millisecond, 15*time.Minute)),
		kgo.RetryBackoffFn(backoff(c.RetryBackoff, c.RetryBackoffMax)),
		kgo.MetadataMaxAge(clamp(c.MetadataMaxAge, metadataMinAge, time.Hour)),
		kgo.MetadataMinAge(metadataMinAge),
		kgo.ConnIdleTimeout(clamp(c.ConnectionsMaxIdle, 100*time.Millisecond, 15*time.Minute)),
		kgo.DisableClientMetrics(),
		kgo.WithHooks(h),
	}
	if c.ClientID != "" {
		opts = append(opts, kgo.ClientID(c.ClientID))
	}
	if c.ClientRack != "" {
		opts = append(opts, kgo.Rack(c.ClientRack))
	}
	if c.Logger != nil {
		opts = append(opts, kgo.WithLogger(clientLogger{c.Logger}))
	}
	switch c.Kind {
	case ProducerClient:
		opts = append(opts, c.Producer.options(c.RequestTimeout)...)
	case ConsumerClient:
		opts = append(opts, c.Consumer.options()...)
	case AdminClient:
	}
	return opts
}

// clamp keeps a duration where the client library accepts it; the Java client
// knows no such limits, so that an unusual value must not fail the client.
func clamp(d, low, high time.Duration) time.Duration { return min(max(d, low), high) }

// metadataMinAge is the pace of metadata requests while something is wrong; it
// decides how soon records flow again after a broker comes back.
const metadataMinAge = 250 * time.Millisecond

func (p ProducerSettings) options(requestTimeout time.Duration) []kgo.Opt {
	opts := []kgo.Opt{
		kgo.RecordPartitioner(partitioner{kgo.StickyKeyPartitioner(nil)}),
		kgo.ProducerLinger(min(p.Linger, time.Minute)),
		kgo.ProducerBatchMaxBytes(int32(p.MaxRequestBytes)), // a topic's limit may be lower: Producer.LearnTopicLimit
		kgo.BrokerMaxWriteBytes(int32(min(max(100<<20, p.MaxRequestBytes), 1<<30))),
		kgo.MaxBufferedBytes(int(p.BufferBytes)),
		kgo.MaxBufferedRecords(p.BufferRecords),
		kgo.ProduceRequestTimeout(clamp(requestTimeout, 100*time.Millisecond, 10*time.Second)),
		kgo.UnknownTopicRetries(unknownTopicRetries),
		kgo.ProducerBatchCompression(compression(p.CompressionType)...),
		// The broker's auto.create.topics.enable decides, as for Kafka Connect.
		kgo.AllowAutoTopicCreation(),
	}
	switch p.Acks {
	case "all":
		opts = append(opts, kgo.RequiredAcks(kgo.AllISRAcks()))
	case "1":
		opts = append(opts, kgo.RequiredAcks(kgo.LeaderAck()))
	case "0":
		opts = append(opts, kgo.RequiredAcks(kgo.NoAck()))
	}
	if !p.Idempotent {
		// I-6: without sequence numbers only one request in flight keeps the order
		// through a retry, so that is the default; a higher number is the user's choice.
		opts = append(opts, kgo.DisableIdempotentWrite(), kgo.MaxProduceRequestsInflightPerBroker(p.MaxInFlight))
	}
	if p.DeliveryTimeout > 0 {
		opts = append(opts, kgo.RecordDeliveryTimeout(max(p.DeliveryTimeout, time.Second)))
	}
	return opts
}

func compression(name string) []kgo.CompressionCodec {
	switch name {
	case "gzip":
		return []kgo.CompressionCodec{kgo.GzipCompression()}
	case "snappy":
		return []kgo.CompressionCodec{kgo.SnappyCompression()}
	case "lz4":
		return []kgo.CompressionCodec{kgo.Lz4Compression()}
	case "zstd":
		return []kgo.CompressionCodec{kgo.ZstdCompression(), kgo.NoCompression()}
	default:
		return []kgo.CompressionCodec{kgo.NoCompression()}
	}
}

func (s ConsumerSettings) options() []kgo.Opt {
	opts := []kgo.Opt{
		kgo.ConsumerGroup(s.GroupID),
		kgo.WithPools(new(recordPool)),
		kgo.DisableAutoCommit(), // I-2: only Commit commits
		kgo.SessionTimeout(max(s.SessionTimeout, 100*time.Millisecond)),
		kgo.HeartbeatInterval(s.HeartbeatInterval),
		kgo.RebalanceTimeout(max(s.RebalanceTimeout, 100*time.Millisecond)),
		kgo.Balancers(balancers(s.AssignmentStrategies)...),
		kgo.FetchMinBytes(int32(s.FetchMinBytes)),
		kgo.FetchMaxBytes(int32(s.FetchMaxBytes)),
		kgo.FetchMaxPartitionBytes(int32(s.MaxPartitionFetchBytes)),
		kgo.FetchMaxWait(max(s.FetchMaxWait, 10*time.Millisecond)),
		kgo.MaxConcurrentFetches(s.MaxFetches),
		kgo.BrokerMaxReadBytes(int32(min(max(100<<20, 2*s.FetchMaxBytes), 1<<30))),
		kgo.MaxDecompressBatchBytes(maxDecompressedBatchBytes),
	}
	if s.GroupInstanceID != "" {
		opts = append(opts, kgo.InstanceID(s.GroupInstanceID))
	}
	if s.IsolationLevel == "read_committed" {
		opts = append(opts, kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	}
	switch s.AutoOffsetReset {
	case "latest":
		opts = append(opts, kgo.ConsumeStartOffset(kgo.NewOffset().AtEnd()), kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()))
	case "none":
		opts = append(opts, kgo.ConsumeStartOffset(kgo.NewOffset().AtCommitted()), kgo.ConsumeResetOffset(kgo.NoResetOffset()))
	default:
		opts = append(opts, kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	}
	return opts
}

func balancers(names []string) []kgo.GroupBalancer {
	var bs []kgo.GroupBalancer
	for _, name := range names {
		switch name {
		case "range":
			bs = append(bs, kgo.RangeBalancer())
		case "roundrobin":
			bs = append(bs, kgo.RoundRobinBalancer())
		case "sticky":
			bs = append(bs, kgo.StickyBalancer())
		case "cooperative-sticky":
			bs = append(bs, kgo.CooperativeStickyBalancer())
		}
	}
	return bs
}

// backoff doubles from low to high with a jitter of a fifth, as the Java client.
func backoff(low, high time.Duration) func(int) time.Duration {
	high = max(low, high)
	return func(fails int) time.Duration {
		d := high
		if shift := max(fails-1, 0); shift < 20 {
			d = min(low<<shift, high)
		}
		return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64())) //nolint:gosec // jitter needs no secrecy
	}
}

// partitioner honours a partition that the record names and leaves the rest to
// Kafka's default: murmur2 of the key, sticky without a key.
type partitioner struct{ keyed kgo.Partitioner }

func (p partitioner) ForTopic(topic string) kgo.TopicPartitioner {
	t := p.keyed.ForTopic(topic)
	onNewBatch, _ := t.(kgo.TopicPartitionerOnNewBatch)
	return &topicPartitioner{TopicPartitioner: t, onNewBatch: onNewBatch}
}

type topicPartitioner struct {
	kgo.TopicPartitioner
	onNewBatch kgo.TopicPartitionerOnNewBatch
}

func (t *topicPartitioner) RequiresConsistency(r *kgo.Record) bool {
	return r.Partition >= 0 || t.TopicPartitioner.RequiresConsistency(r)
}

func (t *topicPartitioner) Partition(r *kgo.Record, n int) int {
	if r.Partition >= 0 {
		return int(r.Partition)
	}
	return t.TopicPartitioner.Partition(r, n)
}

func (t *topicPartitioner) OnNewBatch() { t.onNewBatch.OnNewBatch() }

// clientLogger passes the client library's warnings on. Its messages name
// topics, partitions and brokers, never record contents.
type clientLogger struct{ log *slog.Logger }

func (l clientLogger) Level() kgo.LogLevel {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		return kgo.LogLevelInfo
	}
	return kgo.LogLevelWarn
}

func (l clientLogger) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	to := slog.LevelDebug // the library's "info" is our "debug"
	switch level {
	case kgo.LogLevelError:
		to = slog.LevelError
	case kgo.LogLevelWarn:
		to = slog.LevelWarn
	case kgo.LogLevelNone, kgo.LogLevelInfo, kgo.LogLevelDebug:
	}
	l.log.Log(context.Background(), to, msg, keyvals...)
}
