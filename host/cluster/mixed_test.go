package cluster

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/test/env"
	"github.com/tailrace/tailrace/test/env/server"
)

// A group of a real Kafka Connect 4.1 worker and a Member: they understand each
// other's metadata and assignments, whoever leads.
func TestAGroupWithKafkaConnectFormsAndEitherLeads(t *testing.T) {
	broker := env.Kafka(t)
	group := env.Name(t)
	options := server.ConnectOptions{Bootstrap: broker.Bootstrap, Distributed: true, HeapMiB: 256, Properties: map[string]string{
		"group.id": group, "config.storage.topic": group + "-configs", "offset.storage.topic": group + "-offsets", "status.storage.topic": group + "-status",
		"scheduled.rebalance.max.delay.ms": "0", "offset.storage.partitions": "1", "status.storage.partitions": "1",
	}}
	java, err := server.StartConnect(t.Context(), options)
	require.NoError(t, err)
	stopped := false
	t.Cleanup(func() {
		if !stopped {
			require.NoError(t, java.Close())
		}
	})
	for _, name := range []string{"one", "two"} {
		require.NoError(t, java.Create(within(t), name, map[string]string{
			"connector.class": "FileStreamSink", "tasks.max": "2", "topics": group, "file": t.TempDir() + "/out",
		}))
	}
	status := func(w *server.Worker, name string) connectStatus { return statusOf(t, w, name) }
	eventually(t, "Kafka Connect runs all", func() bool {
		return len(status(java, "one").Tasks) == 2 && len(status(java, "two").Tasks) == 2
	})

	// Kafka Connect leads and gives half of its work away.
	b := &board{running: map[Item]string{}}
	ours := startWorker(t, broker.Bootstrap, group, group+"-configs", "ours", b, nil)
	eventually(t, "the work is even", func() bool { return b.total() == 3 })
	require.False(t, ours.View().IsLeader())
	require.Equal(t, ProtocolSessioned, ours.View().Protocol)
	require.True(t, strings.HasPrefix(ours.View().LeaderURL, "http://"), ours.View().LeaderURL)
	require.NotNil(t, ours.config.Snapshot().SessionKey)

	// It stops: ours takes over all of it and leads.
	stopped = true
	require.NoError(t, java.Close())
	eventually(t, "ours runs all", func() bool { return b.total() == 6 })
	require.True(t, ours.View().IsLeader())

	// It starts again and follows: it gets half of the work and runs it.
	again := env.ConnectWorker(t, options)
	eventually(t, "Kafka Connect gets its part of us", func() bool { return b.total() == 3 })
	require.True(t, ours.View().IsLeader())
	eventually(t, "Kafka Connect runs its part", func() bool {
		running := 0
		for _, name := range []string{"one", "two"} {
			s := status(again, name)
			here := strings.TrimSuffix(strings.TrimPrefix(again.URL(), "http://"), "/")
			if strings.HasSuffix(s.Connector.WorkerID, here[strings.LastIndexByte(here, ':'):]) && s.Connector.State == "RUNNING" {
				running++
			}
			for _, task := range s.Tasks {
				if strings.HasSuffix(task.WorkerID, here[strings.LastIndexByte(here, ':'):]) && task.State == "RUNNING" {
					running++
				}
			}
		}
		return running == 3
	})

	// Ours leaves, and Kafka Connect has everything back.
	ours.leave(t)
	eventually(t, "Kafka Connect runs all again", func() bool {
		running := 0
		for _, name := range []string{"one", "two"} {
			for _, task := range status(again, name).Tasks {
				if task.State == "RUNNING" {
					running++
				}
			}
		}
		return running == 4
	})
	require.Empty(t, b.double, "I-5")
}

type connectStatus struct {
	Connector connectState   `json:"connector"`
	Tasks     []connectState `json:"tasks"`
}

type connectState struct {
	State    string `json:"state"`
	WorkerID string `json:"worker_id"`
}

func statusOf(t *testing.T, w *server.Worker, name string) connectStatus {
	req, err := http.NewRequestWithContext(within(t), http.MethodGet, strings.TrimSuffix(w.URL(), "/")+"/connectors/"+name+"/status", nil)
	require.NoError(t, err)
	req.Close = true
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return connectStatus{}
	}
	defer func() { _ = answer.Body.Close() }()
	var s connectStatus
	if answer.StatusCode == http.StatusOK {
		require.NoError(t, json.NewDecoder(answer.Body).Decode(&s))
	}
	return s
}
