package config

// distributedKeysBeforeSASL, saslKeys and distributedKeysAfterSASL exist in a
// distributed worker only (reference section 2.2).
var distributedKeysBeforeSASL = []Key{
	{
		Name: "group.id", Type: String, Default: Required(), Importance: High,
		Documentation: "Name of the group that the workers of one cluster share.",
	},
	{
		Name: "session.timeout.ms", Type: Int, Default: Text("10000"), Importance: High,
		Documentation: "Milliseconds without a heartbeat after which a worker counts as gone.",
	},
	{
		Name: "rebalance.timeout.ms", Type: Int, Default: Text("60000"), Importance: High,
		Documentation: "Milliseconds that workers have to rejoin a rebalance, their tasks being flushed meanwhile.",
	},
	{
		Name: "heartbeat.interval.ms", Type: Int, Default: Text("3000"), Importance: High,
		Documentation: "Milliseconds between two heartbeats to the group coordinator.",
	},
	{
		Name: "exactly.once.source.support", Type: String, Default: Text("disabled"), Importance: High, Validator: OneOfFold("DISABLED", "ENABLED", "PREPARING"),
		Documentation: "disabled, preparing (rolling upgrade) or enabled: exactly-once delivery of source connectors.",
	},
	{
		Name: "metadata.max.age.ms", Type: Long, Default: Text("300000"), Importance: Low, Validator: AtLeast(0),
		Documentation: "Milliseconds after which cluster metadata is fetched again.",
	},
	{
		Name: "client.id", Type: String, Default: Text(""), Importance: Low,
		Documentation: "Name of this worker towards the brokers, seen in their logs and quotas.",
	},
	{
		Name: "send.buffer.bytes", Type: Int, Default: Text("131072"), Importance: Medium, Validator: AtLeast(-1),
		Documentation: "TCP send buffer in bytes; -1 leaves it to the system.",
	},
	{
		Name: "receive.buffer.bytes", Type: Int, Default: Text("32768"), Importance: Medium, Validator: AtLeast(-1),
		Documentation: "TCP receive buffer in bytes; -1 leaves it to the system.",
	},
	{
		Name: "reconnect.backoff.ms", Type: Long, Default: Text("50"), Importance: Low, Validator: AtLeast(0),
		Documentation: "First wait in milliseconds before connecting to a broker again.",
	},
	{
		Name: "reconnect.backoff.max.ms", Type: Long, Default: Text("1000"), Importance: Low, Validator: AtLeast(0),
		Documentation: "Longest wait in milliseconds before connecting to a broker again.",
	},
	{
		Name: "socket.connection.setup.timeout.ms", Type: Long, Default: Text("10000"), Importance: Low, Validator: AtLeast(0),
		Documentation: "Milliseconds to wait for a connection.",
	},
	{
		Name: "socket.connection.setup.timeout.max.ms", Type: Long, Default: Text("30000"), Importance: Low, Validator: AtLeast(0),
		Documentation: "Longest wait in milliseconds for a connection after repeated failures.",
	},
	{
		Name: "retry.backoff.ms", Type: Long, Default: Text("100"), Importance: Low, Validator: AtLeast(0),
		Documentation: "First wait in milliseconds before a failed request is sent again.",
	},
	{
		Name: "retry.backoff.max.ms", Type: Long, Default: Text("1000"), Importance: Low, Validator: AtLeast(0),
		Documentation: "Longest wait in milliseconds before a failed request is sent again.",
	},
	{
		Name: "request.timeout.ms", Type: Int, Default: Text("40000"), Importance: Medium, Validator: AtLeast(0),
		Documentation: "Milliseconds to wait for the answer to a request.",
	},
	{
		Name: "connections.max.idle.ms", Type: Long, Default: Text("540000"), Importance: Medium,
		Documentation: "Milliseconds after which an idle connection is closed.",
	},
	{
		Name: "security.protocol", Type: String, Default: Text("PLAINTEXT"), Importance: Medium, Validator: OneOfFold("SASL_SSL", "PLAINTEXT", "SSL", "SASL_PLAINTEXT"),
		Documentation: "How to talk to brokers: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.",
	},
}

// distributedKeysAfterSASL follow the SASL keys.
var distributedKeysAfterSASL = []Key{
	{
		Name: "worker.sync.timeout.ms", Type: Int, Default: Text("3000"), Importance: Medium,
		Documentation: "Milliseconds to catch up with the config topic when this worker is behind the others.",
	},
	{
		Name: "worker.unsync.backoff.ms", Type: Int, Default: Text("300000"), Importance: Medium,
		Documentation: "Milliseconds to stay out of the group after failing to catch up.",
	},
	{
		Name: "offset.storage.topic", Type: String, Default: Required(), Importance: High,
		Documentation: "Topic of source offsets; the same for all workers of a cluster.",
	},
	{
		Name: "offset.storage.partitions", Type: Int, Default: Text("25"), Importance: Low, Validator: partitionCount,
		Documentation: "Partitions of the offset topic when it is created.",
	},
	{
		Name: "offset.storage.replication.factor", Type: Short, Default: Text("3"), Importance: Low, Validator: replication,
		Documentation: "Replication factor of the offset topic when it is created.",
	},
	{
		Name: "config.storage.topic", Type: String, Default: Required(), Importance: High,
		Documentation: "Topic of connector configurations; the same for all workers of a cluster.",
	},
	{
		Name: "config.storage.replication.factor", Type: Short, Default: Text("3"), Importance: Low, Validator: replication,
		Documentation: "Replication factor of the config topic when it is created.",
	},
	{
		Name: "status.storage.topic", Type: String, Default: Required(), Importance: High,
		Documentation: "Topic of connector and task states; the same for all workers of a cluster.",
	},
	{
		Name: "status.storage.partitions", Type: Int, Default: Text("5"), Importance: Low, Validator: partitionCount,
		Documentation: "Partitions of the status topic when it is created.",
	},
	{
		Name: "status.storage.replication.factor", Type: Short, Default: Text("3"), Importance: Low, Validator: replication,
		Documentation: "Replication factor of the status topic when it is created.",
	},
	{
		Name: "connect.protocol", Type: String, Default: Text("sessioned"), Importance: Low, Validator: OneOf("eager", "compatible", "sessioned"),
		Documentation: "Group protocol: eager, compatible or sessioned.",
	},
	{
		Name: "scheduled.rebalance.max.delay.ms", Type: Int, Default: Text("300000"), Importance: Low, Validator: Between(0, 2147483647),
		Documentation: "Milliseconds that the work of a lost worker waits for its return before it is given to others.",
	},
	{
		Name: "inter.worker.key.ttl.ms", Type: Int, Default: Text("3600000"), Importance: Low, Validator: Between(0, 2147483647),
		Documentation: "Milliseconds after which the key that signs requests between workers is renewed.",
	},
	{
		Name: "inter.worker.key.generation.algorithm", Type: String, Default: Text("HmacSHA256"), Importance: Low, Validator: macAlgorithm,
		Documentation: "Algorithm that makes the key for requests between workers.",
	},
	{
		Name: "inter.worker.key.size", Type: Int, Default: Null(), Importance: Low,
		Documentation: "Size of that key; unset means the usual size.",
	},
	{
		Name: "inter.worker.signature.algorithm", Type: String, Default: Text("HmacSHA256"), Importance: Low, Validator: macAlgorithm,
		Documentation: "Algorithm that signs requests between workers.",
	},
	{
		Name: "inter.worker.verification.algorithms", Type: List, Default: Text("HmacSHA256"), Importance: Low, Validator: macAlgorithms,
		Documentation: "Algorithms accepted for signed requests between workers; must contain the signature algorithm.",
	},
	{
		Name: "metadata.recovery.strategy", Type: String, Default: Text("rebootstrap"), Importance: Low, Validator: OneOfFold("REBOOTSTRAP", "NONE"),
		Documentation: "rebootstrap starts again from bootstrap.servers when no known broker answers; none gives up.",
	},
	{
		Name: "metadata.recovery.rebootstrap.trigger.ms", Type: Long, Default: Text("300000"), Importance: Low, Validator: AtLeast(0),
		Documentation: "Milliseconds without metadata after which the client starts again from bootstrap.servers.",
	},
}
