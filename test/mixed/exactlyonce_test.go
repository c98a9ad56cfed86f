package mixed

import (
	"fmt"
	"maps"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/test/env"
	"github.com/tailrace/tailrace/test/env/server"
	"github.com/tailrace/tailrace/test/harness"
)

// KIP-618 in a group of both: whoever leads fences for the other one, and takes over its transactions in the config topic. Every
// change of a configuration makes new tasks, which have the leader fence the ones before.
func TestAMixedGroupWritesExactlyOnce(t *testing.T) {
	broker, group := env.Kafka(t), env.Name(t)
	const asText = "org.apache.kafka.connect.storage.StringConverter"
	props := harness.GroupProps(group)
	maps.Copy(props, map[string]string{
		"scheduled.rebalance.max.delay.ms": "0", "session.timeout.ms": "6000", "heartbeat.interval.ms": "1000", "offset.flush.interval.ms": "500",
		"exactly.once.source.support": "enabled", "key.converter": asText, "value.converter": asText,
	})
	options := server.ConnectOptions{Bootstrap: broker.Bootstrap, Distributed: true, HeapMiB: 256, Properties: maps.Clone(props)}
	java, err := server.StartConnect(t.Context(), options)
	require.NoError(t, err)
	t.Cleanup(func() { _ = java.Close() })
	ours := harness.Start(t, harness.Config{Bootstrap: broker.Bootstrap, Group: group, Props: props})
	ours.AwaitJoined()
	theirs, own := harness.API{T: t, Base: java.URL()}, harness.API{T: t, Base: ours.URL()}
	javaID, ourID := workerID(t, java), ours.WorkerID()

	names := []string{"one", "two"}
	files := map[string]*harness.GrowingFile{}
	topic := func(name string) string { return group + "-" + name }
	config := func(name string, batch int) map[string]string {
		return map[string]string{
			"connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector", "topic": topic(name), "file": files[name].Path,
			"tasks.max": "1", "batch.size": fmt.Sprint(batch), "exactly.once.support": "required",
			"topic.creation.default.partitions": "1", "topic.creation.default.replication.factor": "1",
		}
	}
	moved := func(api harness.API, on, what string) {
		t.Helper()
		for _, name := range names {
			api.AwaitStates(limit, name, "RUNNING", 1, on)
			before := len(broker.Records(t, topic(name)))
			harness.Eventually(t, limit, "lines of "+name+" arrive after "+what, func() (bool, string) {
				now := len(broker.Records(t, topic(name)))
				return now > before, fmt.Sprintf("%d committed, %d before", now, before)
			})
		}
	}
	change := func(api harness.API, batch int, what string) {
		t.Helper()
		for _, name := range names {
			api.Expect(200, "PUT", "/connectors/"+name+"/config", config(name, batch))
		}
		moved(api, "", what)
		requireBothWork(t, own, javaID, ourID)
	}
	for _, name := range names {
		files[name] = harness.GrowFile(t, harness.PlainLine)
		own.Expect(201, "PUT", "/connectors/"+name+"/config", config(name, 100))
	}
	moved(own, "", "the start")
	requireBothWork(t, own, javaID, ourID)
	change(own, 200, "a change while Kafka Connect leads")

	require.NoError(t, syscall.Kill(java.PID(), syscall.SIGKILL))
	moved(own, ourID, "the death of Kafka Connect")
	again := env.ConnectWorker(t, options)
	theirs, javaID = harness.API{T: t, Base: again.URL()}, workerID(t, again)
	harness.Eventually(t, limit, "Kafka Connect answers as a member", func() (bool, string) {
		status, text := theirs.Call("GET", "/connectors/one/status", nil)
		return status == 200, text
	})
	change(theirs, 300, "a change while Tailrace leads")

	ours.Kill()
	moved(theirs, javaID, "the death of Tailrace")
	for _, name := range names {
		files[name].RequireAllIn(t, limit, broker, topic(name))
	}
}
