package config

// Tailrace's own keys of a connector.
const (
	ProcessIsolationKey   = "process.isolation"
	ProcessEnvPrefix      = "process.env."
	ProcessMemoryLimitKey = "process.memory.limit"
	ProcessCPULimitKey    = "process.cpu.limit"
	TaskCreditBytesKey    = "task.credit.bytes" //nolint:gosec // credit, not a credential
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
