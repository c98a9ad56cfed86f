package cluster

import (
	"fmt"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/test/env"
	"github.com/tailrace/tailrace/test/harness"
)

// I-5, KIP-618: whatever dies, and whoever wakes up too late, those who read what is committed see every line once and in
// its place. A sink that goes back after a kill of its own repeats lines, so it is the topics that count.
func TestExactlyOnceThroughKills(t *testing.T) {
	harness.Brokers(t, func(t *testing.T, bootstrap string) {
		group := env.Name(t)
		workers := harness.StartCluster(t, 2, harness.Config{Bootstrap: bootstrap, Group: group, Props: map[string]string{
			"exactly.once.source.support": "enabled", "session.timeout.ms": "6000", "heartbeat.interval.ms": "1000",
			"key.converter": "org.apache.kafka.connect.storage.StringConverter", "value.converter": "org.apache.kafka.connect.storage.StringConverter",
		}})
		files := map[string]*harness.GrowingFile{}
		create := func(name string, more map[string]string) {
			files[name] = harness.GrowFile(t, harness.Line)
			config := map[string]string{
				"connector.class": harness.SourceClass, "topic": group + "-" + name, "file": files[name].Path, "tasks.max": "1", "exactly.once.support": "required",
				"topic.creation.default.partitions": "1", "topic.creation.default.replication.factor": "1",
			}
			for k, v := range more {
				config[k] = v
			}
			workers[0].CreateOnly(name, config)
		}
		create("polls", nil)
		create("intervals", map[string]string{
			"transaction.boundary": "interval", "transaction.boundary.interval.ms": "200", "offsets.storage.topic": group + "-own-offsets",
		})
		names := []string{"polls", "intervals"}
		workers[0].AwaitRunningOn(limit, 1, names, workers...)
		broker := &env.Broker{Bootstrap: bootstrap}
		// moved waits until lines of every file have arrived that were not there when it was called.
		moved := func(what string) {
			t.Helper()
			for _, name := range names {
				before := len(broker.Records(t, group+"-"+name))
				harness.Eventually(t, limit, "lines of "+name+" arrive after "+what, func() (bool, string) {
					now := len(broker.Records(t, group+"-"+name))
					return now > before, fmt.Sprintf("%d committed, %d before", now, before)
				})
			}
		}
		moved("the start")
		for range 2 {
			for _, w := range workers {
				for _, pid := range w.Plugins("file-source") {
					_ = syscall.Kill(pid, syscall.SIGKILL)
				}
			}
			moved("a kill of the plugins")
		}
		workers[0].Kill()
		moved("a kill of a worker")
		workers[0].Start()
		workers[0].AwaitJoined()
		moved("its return")
		workers[1].Suspend() // I-5: it wakes up when the other one does its work
		workers[0].AwaitRunningOn(limit, 1, names, workers[0])
		workers[1].Resume()
		moved("the return of a zombie")
		workers[0].Stop()
		moved("a clean stop")

		for _, name := range names {
			files[name].RequireAllIn(t, limit, broker, group+"-"+name)
		}
		_, body := workers[1].REST("GET", "/connectors/intervals/offsets", nil)
		info, err := os.Stat(files["intervals"].Path)
		require.NoError(t, err)
		require.Contains(t, body, fmt.Sprintf(`"position":%d`, info.Size()))
	})
}
