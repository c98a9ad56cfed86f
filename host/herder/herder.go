package herder

import (
	"context"
	"encoding/json"
	"time"

	"github.com/tailrace/tailrace/host/config"
)

// Herder carries out what users ask. Its methods may be called from any
// goroutine; those with a context wait at most until it ends, and have limits of their own.
type Herder interface {
	// About says who answers. Health tells whether the worker is ready.
	About() About
	Health(ctx context.Context) Health

	// Connectors lists the names, sorted.
	Connectors() []string
	Connector(name string) (Connector, error)
	Tasks(name string) ([]Task, error)
	Status(name string) (Status, error)
	TaskStatus(name string, task int) (TaskStatus, error)

	// Create makes a connector that must not exist; Put creates or replaces, Patch changes single keys. order is that of
	// the keys in the request, which a cluster keeps in its config topic; nil is any.
	Create(ctx context.Context, request CreateRequest) (Connector, error)
	Put(ctx context.Context, name string, config Config, order []string) (c Connector, created bool, err error)
	Patch(ctx context.Context, name string, patch Config, order []string) (Connector, error)
	Delete(ctx context.Context, name string) error

	// Pause and Resume return at once; Stop when the tasks are gone.
	Pause(ctx context.Context, name string) error
	Resume(ctx context.Context, name string) error
	Stop(ctx context.Context, name string) error
	// Restart returns the status to come when tasks were asked for, nil for the plain restart of a connector.
	Restart(ctx context.Context, name string, request RestartRequest) (*Status, error)
	RestartTask(ctx context.Context, name string, task int) error

	Topics(name string) ([]string, error)
	ResetTopics(ctx context.Context, name string) error

	Offsets(ctx context.Context, name string) (Offsets, error)
	AlterOffsets(ctx context.Context, name string, changes []OffsetChange) (message string, err error)
	ResetOffsets(ctx context.Context, name string) (message string, err error)

	// Place says where a request must be carried out: the REST URL of another worker, or "" for this one. task counts for
	// OwnsTask only. A standalone worker does everything itself.
	Place(duty Duty, connector string, task int) (url string, err error)
	// PutTasks and Fence are what the workers of a cluster ask of their leader; body is what was signed.
	PutTasks(ctx context.Context, name string, tasks []map[string]string, body []byte, signature Signature) error
	Fence(ctx context.Context, name string, signature Signature) error

	Plugins(connectorsOnly bool) []Plugin
	// PluginConfig lists the keys of a plugin; versions is a range or "" for any.
	PluginConfig(class, versions string) ([]KeyInfo, error)
	Validate(ctx context.Context, class string, config Config) (ConfigInfos, error)

	// Masked returns settings of a connector or task as they are shown to those who may not change them: with secrets
	// hidden, and references to secrets as they are.
	Masked(settings map[string]string) map[string]string

	// Progress is the account of the connector's tasks that run on this worker.
	Progress(name string) (Progress, error)
}

// Config is a connector's configuration as a request gives it; nil is JSON's null.
type Config map[string]*string

// About says who answers.
type About struct {
	// Version is that of the Kafka Connect whose API this is.
	Version string `json:"version"`
	// Commit is the commit of this program.
	Commit         string `json:"commit"`
	KafkaClusterID string `json:"kafka_cluster_id"`
}

// CompatibleVersion is the Kafka Connect whose behaviour is kept.
const CompatibleVersion = "4.1.0"

// HealthStatus says how a worker is.
type HealthStatus string

// The health of a worker (KIP-1017).
const (
	Healthy   HealthStatus = "healthy"
	Starting  HealthStatus = "starting"
	Unhealthy HealthStatus = "unhealthy"
)

// Health says whether a worker is ready.
type Health struct {
	Status  HealthStatus `json:"status"`
	Message string       `json:"message"`
}

// ConnectorType is the direction of a connector.
type ConnectorType string

// The types; Unknown when the plugin is not installed.
const (
	SourceType  ConnectorType = "source"
	SinkType    ConnectorType = "sink"
	UnknownType ConnectorType = "unknown"
)

// TaskID names a task.
type TaskID struct {
	Connector string `json:"connector"`
	Task      int    `json:"task"`
}

// Connector is a connector with its configuration as it was written.
type Connector struct {
	Name   string            `json:"name"`
	Config map[string]string `json:"config"`
	Tasks  []TaskID          `json:"tasks"`
	Type   ConnectorType     `json:"type"`
}

// Task is a task with its configuration.
type Task struct {
	ID     TaskID            `json:"id"`
	Config map[string]string `json:"config"`
}

// InstanceStatus is the state of a connector or task.
type InstanceStatus struct {
	State    string `json:"state"`
	WorkerID string `json:"worker_id"`
	Trace    string `json:"trace,omitempty"`
	Version  string `json:"version,omitempty"`
}

// TaskStatus is the state of one task.
type TaskStatus struct {
	ID int `json:"id"`
	InstanceStatus
}

// Status is the state of a connector and its tasks, by number.
type Status struct {
	Name      string         `json:"name"`
	Connector InstanceStatus `json:"connector"`
	Tasks     []TaskStatus   `json:"tasks"`
	Type      ConnectorType  `json:"type"`
}

// TargetState is what a user wants of a new connector.
type TargetState string

// The initial states of KIP-980; empty is Running.
const (
	Running TargetState = "RUNNING"
	Paused  TargetState = "PAUSED"
	Stopped TargetState = "STOPPED"
)

// CreateRequest asks for a new connector.
type CreateRequest struct {
	Name         string
	Config       Config
	InitialState TargetState
	Order        []string // of the keys in the request, as for Put
}

// RestartRequest says what to restart: the connector, or its tasks too, or only what has failed.
type RestartRequest struct {
	IncludeTasks, OnlyFailed bool
}

// Offsets are a connector's offsets, each a partition and an offset as JSON.
type Offsets struct {
	Offsets []Offset `json:"offsets"`
}

// Offset is where a connector stands in one partition.
type Offset struct {
	Partition json.RawMessage `json:"partition"`
	Offset    json.RawMessage `json:"offset"`
}

// OffsetChange sets the offset of a partition. Both are JSON objects; a nil or null offset means a reset.
type OffsetChange struct {
	Partition, Offset json.RawMessage
}

// Plugin is an installed plugin in one version.
type Plugin struct {
	Class   string `json:"class"`
	Type    string `json:"type"`
	Version string `json:"version"`
}

// KeyInfo describes a configuration key.
type KeyInfo = config.KeyInfo

// ConfigInfos are the findings about a configuration, key by key.
type ConfigInfos = config.ConfigInfos

// Progress is what the tasks of a connector have done since they were started.
type Progress struct {
	Name  string         `json:"name"`
	Tasks []TaskProgress `json:"tasks"`
}

// TaskProgress is the account of one task.
type TaskProgress struct {
	ID    int    `json:"id"`
	State string `json:"state"`
	// Records and Bytes passed through: acknowledged by Kafka (source) or accepted by the task (sink).
	Records uint64 `json:"records"`
	// RecordsPerSecond is of the last half to whole minute.
	RecordsPerSecond float64 `json:"records_per_second"`
	Bytes            uint64  `json:"bytes"`
	// InFlightBytes were taken over and are not finished.
	InFlightBytes int64 `json:"in_flight_bytes"`
	// LagRecords is how far a sink task is behind the ends of its partitions.
	LagRecords int64  `json:"lag_records"`
	Skipped    uint64 `json:"skipped"`
	Errors     uint64 `json:"errors"`
	Retries    uint64 `json:"retries"`
	Restarts   uint64 `json:"restarts"`
	LastError  string `json:"last_error,omitempty"`
	// Call is the user code under way, CallSince when it began.
	Call      string     `json:"call,omitempty"`
	CallSince *time.Time `json:"call_since,omitempty"`
	// Kafka says whether brokers answer.
	Kafka string `json:"kafka"`
}
