package kafka

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestPropertiesSetTheirFields(t *testing.T) {
	for _, c := range []struct {
		kind       ClientKind
		key, value string
		got        func(c ClientConfig) any
		want       any
	}{
		{AdminClient, "bootstrap.servers", " a:1, [::1]:2 ,", func(c ClientConfig) any { return c.BootstrapServers }, []string{"a:1", "[::1]:2"}},
		{AdminClient, "client.id", "x", func(c ClientConfig) any { return c.ClientID }, "x"},
		{AdminClient, "request.timeout.ms", "1500", func(c ClientConfig) any { return c.RequestTimeout }, 1500 * time.Millisecond},
		{AdminClient, "connections.max.idle.ms", "9223372036854775807", func(c ClientConfig) any { return c.ConnectionsMaxIdle }, 2147483647 * time.Millisecond},
		{ProducerClient, "acks", "-1", func(c ClientConfig) any { return c.Producer.Acks }, "all"},
		{ProducerClient, "acks", "1", func(c ClientConfig) any { return c.Producer.Idempotent }, false},
		{ProducerClient, "acks", "all", func(c ClientConfig) any { return c.Producer.Idempotent }, true},
		{ProducerClient, "enable.idempotence", "false", func(c ClientConfig) any { return c.Producer.Idempotent }, false},
		{ProducerClient, "max.in.flight.requests.per.connection", "6", func(c ClientConfig) any { return c.Producer.Idempotent }, false},
		{ProducerClient, "compression.type", "ZSTD", func(c ClientConfig) any { return c.Producer.CompressionType }, "zstd"},
		{ProducerClient, "linger.ms", "0", func(c ClientConfig) any { return c.Producer.Linger }, time.Duration(0)},
		{ProducerClient, "max.request.size", "5000000", func(c ClientConfig) any { return c.Producer.MaxRequestBytes }, 5000000},
		{ProducerClient, "buffer.memory", "1048576", func(c ClientConfig) any { return c.Producer.BufferRecords }, 2048},
		{ProducerClient, "delivery.timeout.ms", "2147483647", func(c ClientConfig) any { return c.Producer.DeliveryTimeout }, time.Duration(0)},
		{ProducerClient, "delivery.timeout.ms", "120000", func(c ClientConfig) any { return c.Producer.DeliveryTimeout }, 2 * time.Minute},
		{ConsumerClient, "group.id", "g", func(c ClientConfig) any { return c.Consumer.GroupID }, "g"},
		{ConsumerClient, "allow.auto.create.topics", "false", func(c ClientConfig) any { return c.Consumer.CreateTopics }, false},
		{ConsumerClient, "auto.offset.reset", "latest", func(c ClientConfig) any { return c.Consumer.AutoOffsetReset }, "latest"},
		{ConsumerClient, "fetch.max.bytes", "4096", func(c ClientConfig) any { return c.Consumer.MaxPartitionFetchBytes }, 4096},
		{ConsumerClient, "partition.assignment.strategy", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor, range", func(c ClientConfig) any { return c.Consumer.AssignmentStrategies }, []string{"cooperative-sticky", "range"}},
		{ConsumerClient, "enable.auto.commit", "false", func(c ClientConfig) any { return c.Consumer.AutoOffsetReset }, "earliest"},
		{ConsumerClient, "max.poll.records", "", func(c ClientConfig) any { return c.Consumer.MaxPollRecords }, 500},
	} {
		t.Run(c.key+"="+c.value, func(t *testing.T) {
			cfg, warnings, err := ParseClientConfig(c.kind, map[string]string{c.key: c.value})
			require.NoError(t, err)
			require.Empty(t, warnings)
			require.Equal(t, c.want, c.got(cfg))
			if c.kind == ConsumerClient {
				cfg.Consumer.GroupID = "g"
			}
			cl, err := cfg.newClient(new(health))
			require.NoError(t, err, "the client library takes it too")
			cl.Close()
		})
	}
}

func TestBadPropertiesAreNamedTogether(t *testing.T) {
	_, _, err := ParseClientConfig(ProducerClient, map[string]string{
		"acks": "7", "linger.ms": "soon", "bootstrap.servers": "host", "security.protocol": "SASL_SSL",
		"sasl.jaas.config": "password=\"secret\"", "max.request.size": "1", "buffer.memory": "9", "delivery.timeout.ms": "-1",
		"compression.type": "rar", "enable.idempotence": "yes", "max.in.flight.requests.per.connection": "0",
	})
	for _, want := range []string{
		`"7" for client property acks`, `"soon" for client property linger.ms`, `"host" must be host:port`,
		"sasl.mechanism: it is not set, and Kafka's default GSSAPI", "max.request.size", "buffer.memory", "delivery.timeout.ms",
		"must be one of none, gzip", "must be true or false", "whole number from 1",
	} {
		require.ErrorContains(t, err, want)
	}
	require.NotContains(t, err.Error(), "secret") // I-9
	var one *ConfigError
	require.True(t, errors.As(err, &one))

	for _, bad := range []map[string]string{
		{"acks": "1", "enable.idempotence": "true"},
		{"max.in.flight.requests.per.connection": "6", "enable.idempotence": "true"},
	} {
		_, _, err := ParseClientConfig(ProducerClient, bad)
		require.ErrorContains(t, err, "enable.idempotence=true needs")
	}
	for key, value := range map[string]string{
		"heartbeat.interval.ms": "45000", "enable.auto.commit": "true", "group.protocol": "consumer",
		"partition.assignment.strategy": "com.example.Own", "auto.offset.reset": "middle", "bootstrap.servers": "a:70000",
	} {
		_, _, err := ParseClientConfig(ConsumerClient, map[string]string{key: value})
		require.ErrorContains(t, err, key)
	}
}

func TestKeysWithoutEffectAreWarnedAbout(t *testing.T) {
	_, warnings, err := ParseClientConfig(ProducerClient, map[string]string{
		"made.up": "1", "group.id": "g", "interceptor.classes": "x", "batch.size": "16384",
		"max.block.ms": "9223372036854775807", "ssl.truststore.location": "/x", "key.serializer": "y",
	})
	require.NoError(t, err)
	require.Equal(t, []string{
		"client property batch.size has no effect: batches fill up to max.request.size while linger.ms lasts",
		"client property group.id has no effect on a producer",
		"client property interceptor.classes has no effect: Java interceptors cannot run here",
		"client property key.serializer has no effect: the converters of the connector decide",
		"client property made.up is unknown and has no effect",
	}, warnings)
}

// The settings that decide on safety arrive at the client library.
func TestOptionsReachTheClient(t *testing.T) {
	client := func(kind ClientKind, props map[string]string) *kgo.Client {
		cfg, _, err := ParseClientConfig(kind, props)
		require.NoError(t, err)
		opts := cfg.options(new(health))
		if kind == ConsumerClient {
			opts = append(opts, kgo.ConsumeTopics("t"))
		}
		cl, err := kgo.NewClient(opts...)
		require.NoError(t, err)
		t.Cleanup(cl.Close)
		return cl
	}
	p := client(ProducerClient, nil)
	require.Equal(t, kgo.AllISRAcks(), p.OptValue(kgo.RequiredAcks))
	require.Equal(t, false, p.OptValue(kgo.DisableIdempotentWrite))  // I-6
	require.EqualValues(t, 32<<20, p.OptValue(kgo.MaxBufferedBytes)) // I-4
	require.EqualValues(t, 65536, p.OptValue(kgo.MaxBufferedRecords))
	require.Equal(t, time.Duration(0), p.OptValue(kgo.RecordDeliveryTimeout))
	require.EqualValues(t, 1<<20, p.OptValue(kgo.ProducerBatchMaxBytes))
	p = client(ProducerClient, map[string]string{"enable.idempotence": "false", "delivery.timeout.ms": "1000"})
	require.Equal(t, true, p.OptValue(kgo.DisableIdempotentWrite))
	require.Equal(t, 1, p.OptValue(kgo.MaxProduceRequestsInflightPerBroker)) // I-6
	require.Equal(t, time.Second, p.OptValue(kgo.RecordDeliveryTimeout))
	for _, name := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		client(ProducerClient, map[string]string{"compression.type": name})
	}
	for _, acks := range []string{"0", "1", "all"} {
		client(ProducerClient, map[string]string{"acks": acks})
	}
	for _, reset := range []string{"earliest", "latest", "none"} {
		c := client(ConsumerClient, map[string]string{
			"group.id": "g", "auto.offset.reset": reset, "bootstrap.servers": "127.0.0.1:1",
			"isolation.level": "read_committed", "group.instance.id": "i", "client.rack": "r",
			"partition.assignment.strategy": "range,roundrobin,sticky,cooperative-sticky",
		})
		require.EqualValues(t, 8<<20, c.OptValue(kgo.FetchMaxBytes)) // I-4
		require.Equal(t, true, c.OptValue(kgo.DisableAutoCommit))    // I-2
	}
}

func TestBackoffGrowsToItsLimit(t *testing.T) {
	b := backoff(100*time.Millisecond, time.Second)
	for fails, wantMillis := range map[int]float64{0: 100, 1: 100, 2: 200, 3: 400, 5: 1000, 100: 1000} {
		require.InDelta(t, wantMillis, b(fails).Seconds()*1000, wantMillis/5+1)
	}
}
