package config

// Tailrace's own keys of a connector.
const (
	ProcessIsolationKey   = "process.isolation"
	ProcessEnvPrefix      = "process.env."
	ProcessMemoryLimitKey = "process.memory.limit"
	ProcessCPULimitKey    = "process.cpu.limit"
	TaskCreditBytesKey    = "task.credit.bytes" //nolint:gosec // credit, not a credential
	// MaxErrorRateKey and ErrorRateRecordsKey end a task whose records fail too often.
	MaxErrorRateKey     = "errors.tolerance.max.rate"
	ErrorRateRecordsKey = "errors.tolerance.max.rate.records"
	// TaskWeightKey is what a cluster divides its work by, beside counts.
	TaskWeightKey = "task.weight"
	// SchemaEvolutionKey says what a source does with values whose schema changes.
	SchemaEvolutionKey = "schema.evolution"
)

// The values of schema.evolution.
const (
	EvolveSchemas = "evolve"
	StrictSchemas = "strict"
	IgnoreSchemas = "ignore"
)

// The keys of a dead letter topic, which are Kafka Connect's for sinks and
// Tailrace's own for sources.
const (
	deadLetterTopicKey       = "errors.deadletterqueue.topic.name"
	deadLetterReplicationKey = "errors.deadletterqueue.topic.replication.factor"
	deadLetterHeadersKey     = "errors.deadletterqueue.context.headers.enable"
)

// DefaultTaskCreditBytes is how much unacknowledged data a task may hold (I-4). At
// 100,000 records of 100 bytes a second it is most of a second of work, and a
// hundred tasks stay below one gigabyte.
const DefaultTaskCreditBytes = 8 << 20

// The bounds of task.credit.bytes. The lower one lets one frame of the largest
// size travel; the upper one keeps byte counts of a stream within 32 bits.
const (
	MinTaskCreditBytes = 64 << 10
	MaxTaskCreditBytes = 1 << 30
)

// processKeys say how the plugin's process is run. process.env.NAME is a family of
// keys and therefore not listed.
var processKeys = []Key{
	{
		Name: ProcessIsolationKey, Type: String, Default: Text(string(IsolateConnector)), Importance: Low, Group: groupProcess, Order: 1, Width: WidthShort, DisplayName: "Process isolation",
		Validator:     OneOf(string(IsolateConnector), string(IsolateTask), string(IsolatePlugin)),
		Documentation: "connector: one process for the connector and its tasks on a worker. task: one process each. plugin: one process for all connectors of the plugin on a worker.",
	},
	{
		Name: ProcessMemoryLimitKey, Type: String, Default: Null(), Importance: Low, Group: groupProcess, Order: 2, Width: WidthShort, DisplayName: "Memory limit", Validator: byteSize,
		Documentation: "Memory that the process may use, such as 512Mi or 1Gi; unset means no limit. Above it the process is ended and its tasks start again.",
	},
	{
		Name: ProcessCPULimitKey, Type: Double, Default: Null(), Importance: Low, Group: groupProcess, Order: 3, Width: WidthShort, DisplayName: "CPU limit", Validator: orNull(BetweenDouble(0.01, 1024)),
		Documentation: "Processors that the process may use, such as 0.5 or 2; unset means no limit.",
	},
	{
		Name: TaskCreditBytesKey, Type: Long, Default: Text("8388608"), Importance: Low, Group: groupProcess, Order: 4, Width: WidthShort, DisplayName: "Task credit", Validator: Between(MinTaskCreditBytes, MaxTaskCreditBytes),
		Documentation: "Bytes of records that one task may have under way and not yet acknowledged. Bounds the memory held for the task.",
	},
}

// extensionKeys are Tailrace's own keys of every connector, beside those of its process.
var extensionKeys = []Key{
	{
		Name: MaxErrorRateKey, Type: Double, Default: Null(), Importance: Medium, Group: groupErrors, Order: 20, Width: WidthShort, DisplayName: "Maximum error rate", Validator: orNull(BetweenDouble(0, 1)),
		Documentation: "With errors.tolerance=all, the share of bad records above which the task fails after all: 0.01 allows 10 bad ones among the last 1000 (errors.tolerance.max.rate.records). Unset means that any number is tolerated.",
	},
	{
		Name: ErrorRateRecordsKey, Type: Int, Default: Text("1000"), Importance: Low, Group: groupErrors, Order: 21, Width: WidthShort, DisplayName: "Records of the error rate", Validator: Between(1, 10_000_000),
		Documentation: "Number of records, the newest ones, over which errors.tolerance.max.rate is counted.",
	},
	{
		Name: TaskWeightKey, Type: Double, Default: Null(), Importance: Low, Group: groupProcess, Order: 6, Width: WidthShort, DisplayName: "Task weight", Validator: orNull(BetweenDouble(0.01, MaxTaskWeight)),
		Documentation: "Load of each task beside tasks of other connectors, for the division of a cluster's work: an idle task has 1. Unset means that it follows from the bytes a second that the task moves.",
	},
}

// MaxTaskWeight bounds task.weight.
const MaxTaskWeight = 10_000

// sourceExtensionKeys are those of sources only.
var sourceExtensionKeys = []Key{
	{
		Name: SchemaEvolutionKey, Type: String, Default: Text(EvolveSchemas), Importance: Medium, Group: groupCommon, Order: 20, Width: WidthShort, DisplayName: "Schema evolution",
		Validator:     OneOf(EvolveSchemas, StrictSchemas, IgnoreSchemas),
		Documentation: "What becomes of records whose schema differs from the newest one in the registry, or without a registry from the first one of their topic. evolve: they pass, and the registry decides. strict: they are bad records (errors.tolerance). ignore: they are written in the known schema, without the fields that are new.",
	},
	{
		Name: deadLetterTopicKey, Type: String, Default: Text(""), Importance: Medium, Group: groupErrors, Order: 6, Width: WidthMedium, DisplayName: "Dead Letter Queue Topic Name",
		Documentation: "Topic that receives records that a transform, a converter or Kafka refuses, when errors.tolerance=all; empty means none.",
	},
	{
		Name: deadLetterReplicationKey, Type: Short, Default: Text("3"), Importance: Medium, Group: groupErrors, Order: 7, Width: WidthMedium, DisplayName: "Dead Letter Queue Topic Replication Factor",
		Documentation: "Replication factor of that topic when it is created.",
	},
	{
		Name: deadLetterHeadersKey, Type: Boolean, Default: Text("true"), Importance: Medium, Group: groupErrors, Order: 8, Width: WidthMedium, DisplayName: "Enable Error Context Headers",
		Documentation: "Whether headers that describe the error are added to bad records. Replaying them needs the headers.",
	},
}

// OverrideAllowlistKey names the client settings that connectors may override
// under the policy Allowlist (KIP-1188, Kafka Connect 4.2).
const OverrideAllowlistKey = "connector.client.config.override.allowlist"

// tailraceWorkerKeys are not in Kafka Connect 4.1.0.
var tailraceWorkerKeys = []Key{
	{
		Name: OverrideAllowlistKey, Type: List, Default: Text(""), Importance: Low,
		Documentation: "Client settings that connectors may override when connector.client.config.override.policy is Allowlist.",
	},
}

// tailraceClusterKeys are not in Kafka Connect 4.1.0 either, and exist in a distributed worker only.
var tailraceClusterKeys = []Key{
	{
		Name: "group.instance.id", Type: String, Default: Null(), Importance: Low,
		Documentation: "A name of its own for this worker that it keeps over restarts. If it is back within session.timeout.ms, no work of other workers moves. Unset: its work moves at once when it stops.",
	},
}
