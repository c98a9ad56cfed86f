package scale

import (
	"flag"
	"fmt"
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
	doc        = flag.String("page", "", "page to write the figures to")
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

// session is session.timeout.ms of the workers, the default.
const session = 10 * time.Second

// Three workers run many tasks; they are stopped and started, a fourth one joins, leaves, and one is killed.
func TestManyTasksRunAndMove(t *testing.T) {
	c := startCrowd(t, broker(t), workers, *connectors, *tasks)
	out := &report{}

	began := time.Now()
	watching := ask(c.workers...)
	c.fill("plugin")
	filled := time.Since(began)
	running, _, _ := c.settle(began, c.workers...)
	out.line(t, "all connectors created over REST, six requests at a time; all tasks run", seconds(filled)+"; "+seconds(running), "")
	out.answers(t, "meanwhile", watching.stop())

	out.line(t, "processor time of all workers and plugins while each task sends a record every ten seconds", fmt.Sprintf("%.2f of a core", cpuOver(*idle, c.workers)), "")
	ofWorkers, ofPlugins := memoryOfCluster(c.workers)
	n := int64(*connectors * *tasks)
	out.line(t, "memory (Pss) of the three workers, and of their plugin's processes", fmt.Sprintf("%s and %s: %.0f and %.0f KiB a task",
		mib(ofWorkers.share), mib(ofPlugins.share), float64(ofWorkers.share)/1024/float64(n), float64(ofPlugins.share)/1024/float64(n)), "")

	began = time.Now()
	for _, w := range c.workers {
		w.Stop()
	}
	out.line(t, "all workers stopped, one after the other", seconds(time.Since(began)), "")
	for _, w := range c.workers {
		began = time.Now()
		w.Start()
	}
	watching = ask(c.workers...)
	running, settled, before := c.settle(began, c.workers...)
	out.line(t, "all workers started again; all tasks run, evenly, after the last worker's start", seconds(running)+", "+seconds(settled), "30 s")
	out.answers(t, "meanwhile", watching.stop())

	watching = ask(c.workers...)
	began = time.Now()
	fourth := c.join()
	up := time.Since(began)
	_, settled, after := c.settle(began, append(c.workers, fourth)...)
	out.line(t, fmt.Sprintf("a fourth worker joins: %d tasks and %d connectors move; its REST API answers, all is settled, after its start",
		moved(before.tasks, after.tasks), moved(before.connectors, after.connectors)), seconds(up)+", "+seconds(settled), "5 s after it is up")
	out.answers(t, "meanwhile", watching.stop())

	watching = ask(c.workers...)
	began = time.Now()
	fourth.Stop()
	ended := time.Since(began)
	_, settled, back := c.settle(began, c.workers...)
	out.line(t, fmt.Sprintf("it is stopped (SIGTERM): %d tasks move; its process has ended, all is settled", moved(after.tasks, back.tasks)), seconds(ended)+", "+seconds(settled), "5 s")
	out.answers(t, "meanwhile", watching.stop())

	watching = ask(c.workers[:2]...)
	began = time.Now()
	c.workers[2].Kill()
	_, settled, _ = c.settle(began, c.workers[:2]...)
	out.line(t, "one of three is killed; all is settled, less the session timeout of 10 s", seconds(settled-session), "5 s")
	out.answers(t, "meanwhile", watching.stop())
	c.agree(c.workers[:2]...)
	c.verify()
	require.NoError(t, out.publish(*doc, "scale", fmt.Sprintf("Three workers and a Kafka broker on one machine; %d connectors with %d tasks each, `process.isolation=plugin`.", *connectors, *tasks)))
}

// Connectors that each have a process of their own: what one costs.
func TestConnectorsWithProcessesOfTheirOwn(t *testing.T) {
	c := startCrowd(t, broker(t), workers, *own, 1)
	out := &report{}
	began := time.Now()
	c.fill("connector")
	running, _, _ := c.settle(began, c.workers...)
	out.line(t, "all connectors created over REST, six requests at a time; all run", seconds(running), "")
	for _, w := range c.workers {
		w.Stop()
	}
	for _, w := range c.workers {
		began = time.Now()
		w.Start()
	}
	running, settled, _ := c.settle(began, c.workers...)
	out.line(t, "all workers started again; all run, evenly, after the last worker's start", seconds(running)+", "+seconds(settled), "")
	out.line(t, "processor time of all workers and plugins while each task sends a record every ten seconds", fmt.Sprintf("%.2f of a core", cpuOver(*idle, c.workers)), "")
	ofWorkers, ofPlugins := memoryOfCluster(c.workers)
	n := int64(*own)
	out.line(t, "memory of a connector's process, its share of what processes share (Pss)", mib(ofPlugins.share/n), "12 MiB")
	out.line(t, "the same, what is its own alone; resident with all that it shares", mib(ofPlugins.own/n)+"; "+mib(ofPlugins.resident/n), "")
	out.line(t, "memory (Pss) of the three workers for each connector", mib(ofWorkers.share/n), "")
	c.agree(c.workers...)
	c.verify()
	require.NoError(t, out.publish(*doc, "scale-own", fmt.Sprintf("%d connectors of a Go plugin with one task each, `process.isolation=connector`, on three workers.", *own)))
}
