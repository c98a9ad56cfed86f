package scale

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tailrace/tailrace/test/env"
	"github.com/tailrace/tailrace/test/harness"
)

// crowd is a cluster with many connectors of the ticker plugin.
type crowd struct {
	t          *testing.T
	broker     *env.Broker
	config     harness.Config
	workers    []*harness.Worker
	topic      string
	connectors int
	tasks      int // of each connector
	board      *board
}

// startCrowd starts workers without connectors. The topic is there.
func startCrowd(t *testing.T, broker *env.Broker, workers, connectors, tasks int) *crowd {
	t.Helper()
	plugins := t.TempDir()
	harness.BuildPlugin(t, plugins, "./test/scale/testdata/ticker")
	c := &crowd{
		t: t, broker: broker, topic: broker.Topic(t, 3), connectors: connectors, tasks: tasks,
		config: harness.Config{Bootstrap: broker.Bootstrap, PluginPath: plugins, Group: env.Name(t), Props: map[string]string{
			"offset.flush.interval.ms": "10000",
		}},
	}
	c.workers = harness.StartCluster(t, workers, c.config)
	c.board = watchStatuses(t, broker, c.config.Group+"-status")
	return c
}

// join starts one more worker.
func (c *crowd) join() *harness.Worker {
	one := c.config
	one.Dir = c.t.TempDir()
	return harness.Start(c.t, one)
}

// fill creates the connectors, some at a time, through all workers.
func (c *crowd) fill(isolation string) {
	c.t.Helper()
	const atOnce = 6
	var wg sync.WaitGroup
	failed := make(chan string, c.connectors)
	next := make(chan int)
	for range atOnce {
		wg.Go(func() {
			for i := range next {
				w := c.workers[i%len(c.workers)]
				config := map[string]string{
					"connector.class": "ticker", "topic": c.topic, "tasks.max": strconv.Itoa(c.tasks), "process.isolation": isolation,
					"interval.ms": "10000",
				}
				for attempt := 0; ; attempt++ { // a rebalance answers 409, as Kafka Connect's: send it again
					status, body := w.REST("POST", "/connectors", map[string]any{"name": fmt.Sprintf("c%04d", i), "config": config})
					if status == 201 {
						break
					}
					if status != 409 || attempt > 100 {
						failed <- fmt.Sprint(status, " ", body)
						break
					}
					<-time.After(100 * time.Millisecond)
				}
			}
		})
	}
	for i := range c.connectors {
		next <- i
	}
	close(next)
	wg.Wait()
	close(failed)
	for text := range failed {
		c.t.Error(text)
	}
	require.False(c.t, c.t.Failed())
}

// even says that every worker has the same number, within one.
func even(where map[string]string, workers int) bool {
	counts := map[string]int{}
	for _, w := range where {
		counts[w]++
	}
	low, high := len(where), 0
	for _, n := range counts {
		low, high = min(low, n), max(high, n)
	}
	return len(counts) == workers && high-low <= 1
}

// moved counts what is in both and on another worker.
func moved(before, after map[string]string) (n int) {
	for what, w := range after {
		if was, ok := before[what]; ok && was != w {
			n++
		}
	}
	return n
}

// limit bounds a wait for the cluster; what is measured is told and judged apart.
const limit = 3 * time.Minute

// settle waits until everything runs, evenly, on some workers. It tells how long it took since then until everything
// ran somewhere, and until it was even: by what the workers wrote into the status topic, and when.
func (c *crowd) settle(since time.Time, workers ...*harness.Worker) (running, settled time.Duration, at census) {
	c.t.Helper()
	harness.Eventually(c.t, limit, "all connectors and tasks run, evenly", func() (bool, string) {
		at = c.board.census(workers)
		if strings.HasPrefix(at.sample, "FAILED") {
			c.t.Fatal(at.sample)
		}
		if len(at.connectors) < c.connectors || len(at.tasks) < c.connectors*c.tasks {
			running = 0
			<-time.After(100 * time.Millisecond) // the board is long
			return false, fmt.Sprintf("%d connectors and %d tasks run, others: %v; %s", len(at.connectors), len(at.tasks), at.others, at.sample)
		}
		if settled = at.latest.Sub(since); running == 0 {
			running = settled
		}
		return even(at.connectors, len(workers)) && even(at.tasks, len(workers)), "it is uneven"
	})
	return running, settled, at
}

// agree: every worker tells the same over REST as the status topic.
func (c *crowd) agree(workers ...*harness.Worker) {
	c.t.Helper()
	for _, w := range workers {
		harness.Eventually(c.t, time.Minute, w.WorkerID()+" tells what the status topic says", func() (bool, string) {
			at, told := c.board.census(workers), c.told(w)
			return maps.Equal(at.connectors, told.connectors) && maps.Equal(at.tasks, told.tasks),
				fmt.Sprintf("%d and %d, %d and %d", len(at.connectors), len(told.connectors), len(at.tasks), len(told.tasks))
		})
	}
}

// told is what a worker says about everything over REST.
func (c *crowd) told(by *harness.Worker) census {
	c.t.Helper()
	status, body := by.REST(http.MethodGet, "/connectors?expand=status", nil)
	require.Equal(c.t, http.StatusOK, status)
	var all map[string]struct{ Status harness.Status }
	require.NoError(c.t, json.Unmarshal([]byte(body), &all))
	now := newCensus()
	for name, one := range all {
		now.connectors[name] = one.Status.Connector.WorkerID
		for _, task := range one.Status.Tasks {
			now.tasks[fmt.Sprintf("%s-%d", name, task.ID)] = task.WorkerID
		}
	}
	return now
}

// verify reads the topic: every task has sent, and without a gap.
func (c *crowd) verify() {
	c.t.Helper()
	last := map[string]int64{}
	for _, r := range records(c) {
		n, err := strconv.ParseInt(string(r.Value), 10, 64)
		require.NoError(c.t, err)
		key := string(r.Key)
		require.LessOrEqual(c.t, n, last[key]+1, "records of task %s are missing", key) // I-6
		last[key] = n
	}
	require.Len(c.t, last, c.connectors*c.tasks)
}

func records(c *crowd) []*kgo.Record { return c.broker.Records(c.t, c.topic) }

// tell prints a line at once, and for the report.
func tell(t *testing.T, format string, args ...any) {
	t.Logf(format, args...)
	if testing.Verbose() {
		_, _ = fmt.Fprintf(os.Stderr, "%s "+format+"\n", append([]any{time.Now().Format("15:04:05.0")}, args...)...)
	}
}
