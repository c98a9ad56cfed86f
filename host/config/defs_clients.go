package config

import (
	"slices"
	"sync"
)

// The settings of Kafka's own clients, version 4.1, as far as connectors override
// them: names, types, defaults and accepted values. They serve validation only; what
// a setting does is decided where clients are made.

var producerClientDef = sync.OnceValue(func() *Def {
	return NewDef(slices.Concat(bootstrapKey, producerClientKeys, tlsKeys, saslKeys)...)
})

var consumerClientDef = sync.OnceValue(func() *Def {
	return NewDef(slices.Concat(bootstrapKey, consumerClientKeys, tlsKeys, saslKeys)...)
})

var adminClientDef = sync.OnceValue(func() *Def {
	return NewDef(slices.Concat(bootstrapKey, adminClientKeys, tlsKeys, saslKeys)...)
})

// clientDef returns the definition of a kind of client.
func clientDef(kind ClientKind) *Def {
	switch kind {
	case ProducerClient:
		return producerClientDef()
	case ConsumerClient:
		return consumerClientDef()
	}
	return adminClientDef()
}

var bootstrapKey = []Key{{Name: "bootstrap.servers", Type: List, Default: Text(""), Importance: High}}

var producerClientKeys = []Key{
	{Name: "acks", Type: String, Default: Text("all"), Importance: Low, Validator: OneOf("all", "-1", "0", "1")},
	{Name: "batch.size", Type: Int, Default: Text("16384"), Importance: Medium, Validator: AtLeast(0)},
	{Name: "buffer.memory", Type: Long, Default: Text("33554432"), Importance: High, Validator: AtLeast(0)},
	{Name: "compression.type", Type: String, Default: Text("none"), Importance: High, Validator: OneOf("none", "gzip", "snappy", "lz4", "zstd")},
	{Name: "compression.gzip.level", Type: Int, Default: Text("-1"), Importance: Medium},
	{Name: "compression.lz4.level", Type: Int, Default: Text("9"), Importance: Medium, Validator: Between(1, 17)},
	{Name: "compression.zstd.level", Type: Int, Default: Text("3"), Importance: Medium},
	{Name: "delivery.timeout.ms", Type: Int, Default: Text("120000"), Importance: Medium, Validator: AtLeast(0)},
	{Name: "enable.idempotence", Type: Boolean, Default: Text("true"), Importance: Low},
	{Name: "interceptor.classes", Type: List, Default: Text(""), Importance: Low},
	{Name: "key.serializer", Type: Class, Default: Required(), Importance: High},
	{Name: "linger.ms", Type: Long, Default: Text("5"), Importance: Medium, Validator: AtLeast(0)},
	{Name: "max.block.ms", Type: Long, Default: Text("60000"), Importance: Medium, Validator: AtLeast(0)},
	{Name: "max.in.flight.requests.per.connection", Type: Int, Default: Text("5"), Importance: Low, Validator: AtLeast(1)},
	{Name: "max.request.size", Type: Int, Default: Text("1048576"), Importance: Medium, Validator: AtLeast(0)},
	{Name: "metadata.max.idle.ms", Type: Long, Default: Text("300000"), Importance: Low, Validator: AtLeast(5000)},
	{Name: "partitioner.adaptive.partitioning.enable", Type: Boolean, Default: Text("true"), Importance: Low},
	{Name: "partitioner.availability.timeout.ms", Type: Long, Default: Text("0"), Importance: Low, Validator: AtLeast(0)},
	{Name: "partitioner.class", Type: Class, Default: Null(), Importance: Medium},
	{Name: "partitioner.ignore.keys", Type: Boolean, Default: Text("false"), Importance: Medium},
	{Name: "retries", Type: Int, Default: Text("2147483647"), Importance: High, Validator: Between(0, 2147483647)},
	{Name: "transaction.timeout.ms", Type: Int, Default: Text("60000"), Importance: Low},
	{Name: "transaction.two.phase.commit.enable", Type: Boolean, Default: Text("false"), Importance: Low},
	{Name: "transactional.id", Type: String, Default: Null(), Importance: Low, Validator: NonEmpty},
	{Name: "value.serializer", Type: Class, Default: Required(), Importance: High},
	{Name: "client.dns.lookup", Type: String, Default: Text("use_all_dns_ips"), Importance: Medium, Validator: OneOf("use_all_dns_ips", "resolve_canonical_bootstrap_servers_only")},
	{Name: "client.id", Type: String, Default: Text(""), Importance: Medium},
	{Name: "send.buffer.bytes", Type: Int, Default: Text("131072"), Importance: Medium, Validator: AtLeast(-1)},
	{Name: "receive.buffer.bytes", Type: Int, Default: Text("32768"), Importance: Medium, Validator: AtLeast(-1)},
	{Name: "reconnect.backoff.ms", Type: Long, Default: Text("50"), Importance: Low, Validator: AtLeast(0)},
	{Name: "reconnect.backoff.max.ms", Type: Long, Default: Text("1000"), Importance: Low, Validator: AtLeast(0)},
	{Name: "retry.backoff.ms", Type: Long, Default: Text("100"), Importance: Low, Validator: AtLeast(0)},
	{Name: "retry.backoff.max.ms", Type: Long, Default: Text("1000"), Importance: Low, Validator: AtLeast(0)},
	{Name: "request.timeout.ms", Type: Int, Default: Text("30000"), Importance: Medium, Validator: AtLeast(0)},
	{Name: "socket.connection.setup.timeout.ms", Type: Long, Default: Text("10000"), Importance: Medium},
	{Name: "socket.connection.setup.timeout.max.ms", Type: Long, Default: Text("30000"), Importance: Medium},
	{Name: "connections.max.idle.ms", Type: Long, Default: Text("540000"), Importance: Medium},
	{Name: "metadata.max.age.ms", Type: Long, Default: Text("300000"), Importance: Low, Validator: AtLeast(0)},
	{Name: "metadata.recovery.strategy", Type: String, Default: Text("rebootstrap"), Importance: Low, Validator: OneOfFold("REBOOTSTRAP", "NONE")},
	{Name: "metadata.recovery.rebootstrap.trigger.ms", Type: Long, Default: Text("300000"), Importance: Low, Validator: AtLeast(0)},
	{Name: "metrics.sample.window.ms", Type: Long, Default: Text("30000"), Importance: Low, Validator: AtLeast(0)},
	{Name: "metrics.num.samples", Type: Int, Default: Text("2"), Importance: Low, Validator: AtLeast(1)},
	{Name: "metrics.recording.level", Type: String, Default: Text("INFO"), Importance: Low, Validator: OneOf("INFO", "DEBUG", "TRACE")},
	{Name: "metric.reporters", Type: List, Default: Text("org.apache.kafka.common.metrics.JmxReporter"), Importance: Low},
	{Name: "enable.metrics.push", Type: Boolean, Default: Text("true"), Importance: Low},
	{Name: "security.protocol", Type: String, Default: Text("PLAINTEXT"), Importance: Medium, Validator: OneOfFold("SASL_SSL", "PLAINTEXT", "SSL", "SASL_PLAINTEXT")},
	{Name: "security.providers", Type: String, Default: Null(), Importance: Low},
}

var consumerClientKeys = []Key{
	{Name: "allow.auto.create.topics", Type: Boolean, Default: Text("true"), Importance: Medium},
	{Name: "auto.commit.interval.ms", Type: Int, Default: Text("5000"), Importance: Low, Validator: AtLeast(0)},
	{Name: "auto.offset.reset", Type: String, Default: Text("latest"), Importance: Medium},
	{Name: "check.crcs", Type: Boolean, Default: Text("true"), Importance: Low},
	{Name: "client.rack", Type: String, Default: Text(""), Importance: Low},
	{Name: "default.api.timeout.ms", Type: Int, Default: Text("60000"), Importance: Medium, Validator: AtLeast(0)},
	{Name: "enable.auto.commit", Type: Boolean, Default: Text("true"), Importance: Medium},
	{Name: "exclude.internal.topics", Type: Boolean, Default: Text("true"), Importance: Medium},
	{Name: "fetch.max.bytes", Type: Int, Default: Text("52428800"), Importance: Medium, Validator: AtLeast(0)},
	{Name: "fetch.max.wait.ms", Type: Int, Default: Text("500"), Importance: Low, Validator: AtLeast(0)},
	{Name: "fetch.min.bytes", Type: Int, Default: Text("1"), Importance: High, Validator: AtLeast(0)},
	{Name: "group.id", Type: String, Default: Null(), Importance: High},
	{Name: "group.instance.id", Type: String, Default: Null(), Importance: Medium, Validator: NonEmpty},
	{Name: "group.protocol", Type: String, Default: Text("classic"), Importance: High, Validator: OneOfFold("CLASSIC", "CONSUMER")},
	{Name: "group.remote.assignor", Type: String, Default: Null(), Importance: Medium},
	{Name: "heartbeat.interval.ms", Type: Int, Default: Text("3000"), Importance: High},
	{Name: "interceptor.classes", Type: List, Default: Text(""), Importance: Low},
	{Name: "isolation.level", Type: String, Default: Text("read_uncommitted"), Importance: Medium, Validator: OneOf("read_committed", "read_uncommitted")},
	{Name: "key.deserializer", Type: Class, Default: Required(), Importance: High},
	{Name: "max.partition.fetch.bytes", Type: Int, Default: Text("1048576"), Importance: High, Validator: AtLeast(0)},
	{Name: "max.poll.interval.ms", Type: Int, Default: Text("300000"), Importance: Medium, Validator: AtLeast(1)},
	{Name: "max.poll.records", Type: Int, Default: Text("500"), Importance: Medium, Validator: AtLeast(1)},
	{Name: "partition.assignment.strategy", Type: List, Default: Text("class org.apache.kafka.clients.consumer.RangeAssignor,class org.apache.kafka.clients.consumer.CooperativeStickyAssignor"), Importance: Medium},
	{Name: "session.timeout.ms", Type: Int, Default: Text("45000"), Importance: High},
	{Name: "value.deserializer", Type: Class, Default: Required(), Importance: High},
	{Name: "client.dns.lookup", Type: String, Default: Text("use_all_dns_ips"), Importance: Medium, Validator: OneOf("use_all_dns_ips", "resolve_canonical_bootstrap_servers_only")},
	{Name: "client.id", Type: String, Default: Text(""), Importance: Low},
	{Name: "send.buffer.bytes", Type: Int, Default: Text("131072"), Importance: Medium, Validator: AtLeast(-1)},
	{Name: "receive.buffer.bytes", Type: Int, Default: Text("65536"), Importance: Medium, Validator: AtLeast(-1)},
	{Name: "reconnect.backoff.ms", Type: Long, Default: Text("50"), Importance: Low, Validator: AtLeast(0)},
	{Name: "reconnect.backoff.max.ms", Type: Long, Default: Text("1000"), Importance: Low, Validator: AtLeast(0)},
	{Name: "retry.backoff.ms", Type: Long, Default: Text("100"), Importance: Low, Validator: AtLeast(0)},
	{Name: "retry.backoff.max.ms", Type: Long, Default: Text("1000"), Importance: Low, Validator: AtLeast(0)},
	{Name: "request.timeout.ms", Type: Int, Default: Text("30000"), Importance: Medium, Validator: AtLeast(0)},
	{Name: "socket.connection.setup.timeout.ms", Type: Long, Default: Text("10000"), Importance: Medium},
	{Name: "socket.connection.setup.timeout.max.ms", Type: Long, Default: Text("30000"), Importance: Medium},
	{Name: "connections.max.idle.ms", Type: Long, Default: Text("540000"), Importance: Medium},
	{Name: "metadata.max.age.ms", Type: Long, Default: Text("300000"), Importance: Low, Validator: AtLeast(0)},
	{Name: "metadata.recovery.strategy", Type: String, Default: Text("rebootstrap"), Importance: Low, Validator: OneOfFold("REBOOTSTRAP", "NONE")},
	{Name: "metadata.recovery.rebootstrap.trigger.ms", Type: Long, Default: Text("300000"), Importance: Low, Validator: AtLeast(0)},
	{Name: "metrics.sample.window.ms", Type: Long, Default: Text("30000"), Importance: Low, Validator: AtLeast(0)},
	{Name: "metrics.num.samples", Type: Int, Default: Text("2"), Importance: Low, Validator: AtLeast(1)},
	{Name: "metrics.recording.level", Type: String, Default: Text("INFO"), Importance: Low, Validator: OneOf("INFO", "DEBUG", "TRACE")},
	{Name: "metric.reporters", Type: List, Default: Text("org.apache.kafka.common.metrics.JmxReporter"), Importance: Low},
	{Name: "enable.metrics.push", Type: Boolean, Default: Text("true"), Importance: Low},
	{Name: "security.protocol", Type: String, Default: Text("PLAINTEXT"), Importance: Medium, Validator: OneOfFold("SASL_SSL", "PLAINTEXT", "SSL", "SASL_PLAINTEXT")},
	{Name: "security.providers", Type: String, Default: Null(), Importance: Low},
}

var adminClientKeys = []Key{
	{Name: "bootstrap.controllers", Type: List, Default: Text(""), Importance: High},
	{Name: "default.api.timeout.ms", Type: Int, Default: Text("60000"), Importance: Medium, Validator: AtLeast(0)},
	{Name: "retries", Type: Int, Default: Text("2147483647"), Importance: Low, Validator: Between(0, 2147483647)},
	{Name: "client.dns.lookup", Type: String, Default: Text("use_all_dns_ips"), Importance: Medium, Validator: OneOf("use_all_dns_ips", "resolve_canonical_bootstrap_servers_only")},
	{Name: "client.id", Type: String, Default: Text(""), Importance: Medium},
	{Name: "send.buffer.bytes", Type: Int, Default: Text("131072"), Importance: Medium, Validator: AtLeast(-1)},
	{Name: "receive.buffer.bytes", Type: Int, Default: Text("65536"), Importance: Medium, Validator: AtLeast(-1)},
	{Name: "reconnect.backoff.ms", Type: Long, Default: Text("50"), Importance: Low, Validator: AtLeast(0)},
	{Name: "reconnect.backoff.max.ms", Type: Long, Default: Text("1000"), Importance: Low, Validator: AtLeast(0)},
	{Name: "retry.backoff.ms", Type: Long, Default: Text("100"), Importance: Low, Validator: AtLeast(0)},
	{Name: "retry.backoff.max.ms", Type: Long, Default: Text("1000"), Importance: Low, Validator: AtLeast(0)},
	{Name: "request.timeout.ms", Type: Int, Default: Text("30000"), Importance: Medium, Validator: AtLeast(0)},
	{Name: "socket.connection.setup.timeout.ms", Type: Long, Default: Text("10000"), Importance: Medium},
	{Name: "socket.connection.setup.timeout.max.ms", Type: Long, Default: Text("30000"), Importance: Medium},
	{Name: "connections.max.idle.ms", Type: Long, Default: Text("300000"), Importance: Medium},
	{Name: "metadata.max.age.ms", Type: Long, Default: Text("300000"), Importance: Low, Validator: AtLeast(0)},
	{Name: "metadata.recovery.strategy", Type: String, Default: Text("rebootstrap"), Importance: Low, Validator: OneOfFold("REBOOTSTRAP", "NONE")},
	{Name: "metadata.recovery.rebootstrap.trigger.ms", Type: Long, Default: Text("300000"), Importance: Low, Validator: AtLeast(0)},
	{Name: "metrics.sample.window.ms", Type: Long, Default: Text("30000"), Importance: Low, Validator: AtLeast(0)},
	{Name: "metrics.num.samples", Type: Int, Default: Text("2"), Importance: Low, Validator: AtLeast(1)},
	{Name: "metrics.recording.level", Type: String, Default: Text("INFO"), Importance: Low, Validator: OneOf("INFO", "DEBUG", "TRACE")},
	{Name: "metric.reporters", Type: List, Default: Text("org.apache.kafka.common.metrics.JmxReporter"), Importance: Low},
	{Name: "enable.metrics.push", Type: Boolean, Default: Text("true"), Importance: Low},
	{Name: "security.protocol", Type: String, Default: Text("PLAINTEXT"), Importance: Medium, Validator: OneOfFold("SASL_SSL", "PLAINTEXT", "SSL", "SASL_PLAINTEXT")},
	{Name: "security.providers", Type: String, Default: Null(), Importance: Low},
}
