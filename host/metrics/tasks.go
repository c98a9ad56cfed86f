package metrics

import (
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tailrace/tailrace/host/plugin"
	"github.com/tailrace/tailrace/host/task"
	"github.com/tailrace/tailrace/host/worker"
)

var (
	taskStatus = gauge("kafka_connect_connector_task_status", "1 for the status that a task has.", "connector", "task", "status")
	taskInfo   = gauge("kafka_connect_connector_task_info", "What a task is made of; always 1.", "connector", "task",
		"connector_type", "connector_class", "connector_version", "key_converter_class", "value_converter_class", "header_converter_class")
	transformInfo = gauge("kafka_connect_connector_transform_info", "A transform of a task; always 1.", "connector", "task", "transform", "transform_class")
	predicateInfo = gauge("kafka_connect_connector_predicate_info", "A predicate of a task; always 1.", "connector", "task", "predicate", "predicate_class")
)

// taskMeasure is a figure of a task.
type taskMeasure struct {
	measure
	value func(s task.Snapshot, now time.Time) float64
}

func taskGauge(name, help string, value func(s task.Snapshot, now time.Time) float64) taskMeasure {
	return taskMeasure{gauge(name, help, "connector", "task"), value}
}

func taskCounter(name, help string, value func(s task.Snapshot) uint64) taskMeasure {
	return taskMeasure{counter(name, help, "connector", "task"), func(s task.Snapshot, _ time.Time) float64 { return float64(value(s)) }}
}

// The ratios are the worker's, not the task's.
var (
	runningRatio = gauge("kafka_connect_connector_task_running_ratio", "Part of its life that the task was running, from 0 to 1.", "connector", "task")
	pauseRatio   = gauge("kafka_connect_connector_task_pause_ratio", "Part of its life that the task was paused, from 0 to 1.", "connector", "task")
	creditBytes  = gauge("tailrace_task_credit_bytes", "Bytes that the task may have in flight (task.credit.bytes).", "connector", "task")
)

const (
	ofTask  = "kafka_connect_connector_task_"
	ofError = "kafka_connect_task_error_"
	ofOurs  = "tailrace_task_"
)

var taskMeasures = []taskMeasure{
	taskGauge(ofTask+"offset_commit_max_time_ms", "Longest time of an offset commit.", func(s task.Snapshot, now time.Time) float64 { return s.CommitMillis.Max(now) }),
	taskGauge(ofTask+"offset_commit_avg_time_ms", "Average time of an offset commit.", func(s task.Snapshot, now time.Time) float64 { return s.CommitMillis.Average(now) }),
	taskGauge(ofTask+"offset_commit_success_percentage", "Part of the offset commits that succeeded, from 0 to 1.", func(s task.Snapshot, _ time.Time) float64 { return fraction(s.Commits, s.Commits+s.CommitFailures) }),
	taskGauge(ofTask+"offset_commit_failure_percentage", "Part of the offset commits that failed, from 0 to 1.", func(s task.Snapshot, _ time.Time) float64 {
		return fraction(s.CommitFailures, s.Commits+s.CommitFailures)
	}),
	taskGauge(ofTask+"batch_size_max", "Records of the largest batch.", func(s task.Snapshot, now time.Time) float64 { return s.BatchSize.Max(now) }),
	taskGauge(ofTask+"batch_size_avg", "Average records of a batch.", func(s task.Snapshot, now time.Time) float64 { return s.BatchSize.Average(now) }),

	taskCounter(ofError+"total_record_failures", "Records that could not be handled.", func(s task.Snapshot) uint64 { return s.Errors }),
	taskCounter(ofError+"total_record_errors", "Failures of records, with those that were tried again.", func(s task.Snapshot) uint64 { return s.Errors + s.Retries }),
	taskCounter(ofError+"total_records_skipped", "Records that were skipped because errors are tolerated.", func(s task.Snapshot) uint64 { return s.Skipped }),
	taskCounter(ofError+"total_retries", "Failures that were tried again.", func(s task.Snapshot) uint64 { return s.Retries }),
	taskCounter(ofError+"total_errors_logged", "Failures of records that were logged.", func(s task.Snapshot) uint64 { return s.LoggedErrors }),
	taskCounter(ofError+"deadletterqueue_produce_requests", "Records that were sent to the dead letter topic.", func(s task.Snapshot) uint64 { return s.DeadLetters }),
	taskCounter(ofError+"deadletterqueue_produce_failures", "Records that could not be written to the dead letter topic.", func(s task.Snapshot) uint64 { return s.DeadLetterFailures }),
	taskGauge(ofError+"last_error_timestamp", "When the last failure was, in milliseconds since 1970; 0 for never.", func(s task.Snapshot, _ time.Time) float64 {
		if s.LastErrorAt.IsZero() {
			return 0
		}
		return float64(s.LastErrorAt.UnixMilli())
	}),

	taskCounter(ofOurs+"bytes_total", "Bytes of the records that passed through.", func(s task.Snapshot) uint64 { return s.Bytes }),
	taskCounter(ofOurs+"batches_total", "Batches that crossed the border between worker and plugin.", func(s task.Snapshot) uint64 { return s.Batches }),
	taskGauge(ofOurs+"in_flight_bytes", "Bytes that were taken over and are not finished.", func(s task.Snapshot, _ time.Time) float64 { return float64(s.InFlightBytes) }),
	taskCounter(ofOurs+"filtered_records_total", "Records that transforms dropped.", func(s task.Snapshot) uint64 { return s.Filtered }),
	taskGauge(ofOurs+"kafka_up", "1 while brokers answer the task's client.", func(s task.Snapshot, _ time.Time) float64 {
		if s.Kafka.OK() {
			return 1
		}
		return 0
	}),
	taskGauge(ofOurs+"call_seconds", "How long the plugin's code has been in the call under way (poll, put); 0 between calls.", func(s task.Snapshot, now time.Time) float64 {
		if s.Call.Name == "" {
			return 0
		}
		return now.Sub(s.Call.Since).Seconds()
	}),
}

const ofSource = "kafka_connect_source_task_"

var sourceMeasures = []taskMeasure{
	taskCounter(ofSource+"source_record_poll_total", "Records that the task sent.", func(s task.Snapshot) uint64 { return s.Taken }),
	taskGauge(ofSource+"source_record_poll_rate", "Records that the task sends per second.", func(s task.Snapshot, now time.Time) float64 { return s.BatchSize.PerSecond(now) }),
	taskCounter(ofSource+"source_record_write_total", "Records that Kafka acknowledged.", func(s task.Snapshot) uint64 { return s.Records }),
	taskGauge(ofSource+"source_record_write_rate", "Records that Kafka acknowledges per second.", func(s task.Snapshot, now time.Time) float64 { return s.Through.PerSecond(now) }),
	taskGauge(ofSource+"poll_batch_max_time_ms", "Longest poll that brought records.", func(s task.Snapshot, now time.Time) float64 { return s.PollMillis.Max(now) }),
	taskGauge(ofSource+"poll_batch_avg_time_ms", "Average time of polls that brought records.", func(s task.Snapshot, now time.Time) float64 { return s.PollMillis.Average(now) }),
	taskGauge(ofSource+"source_record_active_count_max", "Most records that were under way at a time.", func(s task.Snapshot, now time.Time) float64 { return s.Active.Max(now) }),
	taskGauge(ofSource+"source_record_active_count_avg", "Average of the records that were under way.", func(s task.Snapshot, now time.Time) float64 { return s.Active.Average(now) }),
	taskGauge(ofSource+"transaction_size_min", "Records of the smallest transaction; 0 without exactly-once support.", func(s task.Snapshot, now time.Time) float64 { return s.TransactionSize.Min(now) }),
	taskGauge(ofSource+"transaction_size_max", "Records of the largest transaction; 0 without exactly-once support.", func(s task.Snapshot, now time.Time) float64 { return s.TransactionSize.Max(now) }),
	taskGauge(ofSource+"transaction_size_avg", "Average records of a transaction; 0 without exactly-once support.", func(s task.Snapshot, now time.Time) float64 { return s.TransactionSize.Average(now) }),
	taskGauge(ofSource+"source_record_active_count", "Records that the task sent and Kafka has not acknowledged.", func(s task.Snapshot, _ time.Time) float64 { return float64(s.ActiveRecords) }),
}

const ofSink = "kafka_connect_sink_task_"

var sinkMeasures = []taskMeasure{
	taskCounter(ofSink+"sink_record_read_total", "Records that were read from Kafka.", func(s task.Snapshot) uint64 { return s.Taken }),
	taskGauge(ofSink+"sink_record_read_rate", "Records that are read from Kafka per second.", func(s task.Snapshot, now time.Time) float64 { return s.BatchSize.PerSecond(now) }),
	taskCounter(ofSink+"sink_record_send_total", "Records that the task accepted.", func(s task.Snapshot) uint64 { return s.Records }),
	taskGauge(ofSink+"sink_record_send_rate", "Records that the task accepts per second.", func(s task.Snapshot, now time.Time) float64 { return s.Through.PerSecond(now) }),
	taskGauge(ofSink+"sink_record_active_count", "Records that were sent to the task and are not committed.", func(s task.Snapshot, _ time.Time) float64 { return float64(s.ActiveRecords) }),
	taskGauge(ofSink+"sink_record_active_count_max", "Most records that were sent and not committed.", func(s task.Snapshot, now time.Time) float64 { return s.Active.Max(now) }),
	taskGauge(ofSink+"sink_record_active_count_avg", "Average of the records that were sent and not committed.", func(s task.Snapshot, now time.Time) float64 { return s.Active.Average(now) }),
	taskGauge(ofSink+"offset_commit_completion_rate", "Offset commits that succeed per second.", func(s task.Snapshot, now time.Time) float64 { return s.CommitMillis.CountPerSecond(now) }),
	taskGauge(ofSink+"partition_count", "Partitions that the task has.", func(s task.Snapshot, _ time.Time) float64 { return float64(s.Partitions) }),
	taskCounter(ofSink+"offset_commit_seq_no", "Offset commits that were tried.", func(s task.Snapshot) uint64 { return s.Commits + s.CommitFailures }),
	taskCounter(ofSink+"offset_commit_completion_total", "Offset commits that succeeded.", func(s task.Snapshot) uint64 { return s.Commits }),
	taskGauge(ofSink+"put_batch_max_time_ms", "Longest time from sending a batch until the task had accepted it.", func(s task.Snapshot, now time.Time) float64 { return s.PutMillis.Max(now) }),
	taskGauge(ofSink+"put_batch_avg_time_ms", "Average time from sending a batch until the task had accepted it.", func(s task.Snapshot, now time.Time) float64 { return s.PutMillis.Average(now) }),
	taskGauge(ofOurs+"lag_records", "How far a sink task is behind the ends of its partitions.", func(s task.Snapshot, _ time.Time) float64 { return float64(s.LagRecords) }),
	taskCounter(ofOurs+"plugin_restarts_total", "New plugin processes of a running sink task.", func(s task.Snapshot) uint64 { return s.Restarts }),
}

func collectTask(out chan<- prometheus.Metric, t worker.TaskReport, now time.Time) {
	name, number := t.ID.Connector, strconv.Itoa(t.ID.Task)
	if t.State != "" {
		taskStatus.send(out, 1, name, number, strings.ToLower(string(t.State)))
	}
	runningRatio.send(out, t.RunningRatio, name, number)
	pauseRatio.send(out, t.PausedRatio, name, number)
	if t.Class == "" {
		return // its plugin is not known: nothing has moved
	}
	taskInfo.send(out, 1, name, number, string(t.Kind), t.Class, t.Version, t.KeyConverter, t.ValueConverter, t.HeaderConverter)
	for _, p := range t.Transforms {
		transformInfo.send(out, 1, name, number, p.Alias, p.Class)
	}
	for _, p := range t.Predicates {
		predicateInfo.send(out, 1, name, number, p.Alias, p.Class)
	}
	creditBytes.send(out, float64(t.CreditBytes), name, number)
	own := sourceMeasures
	if t.Kind == plugin.Sink {
		own = sinkMeasures
	}
	for _, list := range [][]taskMeasure{taskMeasures, own} {
		for _, m := range list {
			m.send(out, m.value(t.Snapshot, now), name, number)
		}
	}
}
