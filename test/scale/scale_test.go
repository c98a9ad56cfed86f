package scale

import (
	"flag"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/test/env"
	"github.com/tailrace/tailrace/test/env/server"
	"github.com/tailrace/tailrace/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

var (
	connectors = flag.Int("connectors", 60, "connectors that share a process on each worker")
	tasks      = flag.Int("tasks", 5, "tasks of each")
	own        = flag.Int("own", 6, "connectors with a process of their own")
	idle       = flag.Duration("idle", time.Second, "how long to measure processor time while nothing changes")
)

const workers = 3

// broker is the one that all tests share, or a large one for many clients.
func broker(t *testing.T) *env.Broker {
	t.Helper()
	if *connectors**tasks+*own <= 1000 {
		return env.Kafka(t)
	}
	large, err := server.StartBroker(t.Context(), server.BrokerOptions{HeapMiB: 1024, Optimize: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, large.Close()) })
	return &env.Broker{Bootstrap: large.Addr()}
}

// Three workers run many tasks; they are stopped and started, a fourth one joins, leaves and one is killed.
func TestManyTasksRunAndMove(t *testing.T) {
	c := startCrowd(t, broker(t), workers, *connectors, *tasks)

	began := time.Now()
	watching := ask(c.workers...)
	c.fill("plugin")
	filled := time.Since(began)
	running, _, _ := c.settle(began, c.workers...)
	tell(t, "created in %v, all runs after %v; GET /connectors %+v", filled, running, watching.stop())

	tell(t, "idle: %.2f of a core", cpuOver(*idle, c.workers))
	ofWorkers, ofPlugins := memoryOfCluster(c.workers)
	tell(t, "memory: workers %+v plugins %+v", ofWorkers, ofPlugins)

	began = time.Now()
	for _, w := range c.workers {
		w.Stop()
	}
	tell(t, "all three stopped after %v", time.Since(began))
	for _, w := range c.workers {
		began = time.Now()
		w.Start()
	}
	watching = ask(c.workers...)
	running, settled, before := c.settle(began, c.workers...)
	tell(t, "start: all runs %v after the last worker's start, evenly after %v; GET /connectors %+v", running, settled, watching.stop())

	watching = ask(c.workers...)
	began = time.Now()
	fourth := c.join()
	up := time.Since(began)
	_, settled, after := c.settle(began, append(c.workers, fourth)...)
	tell(t, "join: up after %v, settled after %v, %d tasks and %d connectors moved; GET /connectors %+v", up, settled,
		moved(before.tasks, after.tasks), moved(before.connectors, after.connectors), watching.stop())

	watching = ask(c.workers...)
	began = time.Now()
	fourth.Stop()
	ended := time.Since(began)
	_, settled, back := c.settle(began, c.workers...)
	tell(t, "leave: the process ended after %v, settled after %v, %d tasks moved; GET /connectors %+v", ended, settled, moved(after.tasks, back.tasks), watching.stop())

	watching = ask(c.workers[:2]...)
	began = time.Now()
	c.workers[2].Kill()
	_, settled, _ = c.settle(began, c.workers[:2]...)
	tell(t, "kill: settled after %v; GET /connectors %+v", settled, watching.stop())
	c.verify()
	require.False(t, t.Failed())
}

func TestConnectorsWithProcessesOfTheirOwn(t *testing.T) {
	c := startCrowd(t, broker(t), workers, *own, 1)
	began := time.Now()
	c.fill("connector")
	filled := time.Since(began)
	running, _, _ := c.settle(began, c.workers...)
	tell(t, "created in %v, all runs after %v", filled, running)
	for _, w := range c.workers {
		w.Stop()
	}
	for _, w := range c.workers {
		began = time.Now()
		w.Start()
	}
	running, settled, _ := c.settle(began, c.workers...)
	tell(t, "start: all runs after %v, evenly after %v", running, settled)
	tell(t, "idle: %.2f of a core", cpuOver(*idle, c.workers))
	ofWorkers, ofPlugins := memoryOfCluster(c.workers)
	tell(t, "memory: workers %+v plugins %+v", ofWorkers, ofPlugins)
	c.verify()
}
