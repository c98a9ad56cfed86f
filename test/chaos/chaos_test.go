package chaos

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tailrace/tailrace/test/env"
	"github.com/tailrace/tailrace/test/env/server"
	"github.com/tailrace/tailrace/test/harness"
)

var (
	length = flag.Duration("duration", 30*time.Second, "how long faults are made")
	seed   = flag.Uint64("seed", 0, "makes the plan of faults; 0 chooses one")
)

const (
	workers   = 3
	pipelines = 5 // two connectors each
	session   = 6 * time.Second
	restPort  = 18083
)

func TestMain(m *testing.M) {
	flag.Parse()
	harness.Main(m)
}

// I-1, I-2, I-5, I-6: whatever breaks, every line of every file arrives, in order, and offsets never go back.
func TestNothingIsLostWhateverBreaks(t *testing.T) {
	if *seed == 0 {
		*seed = rand.Uint64N(1_000_000) + 1 // any will do
	}
	fmt.Printf("seed %d (again: go test ./test/chaos -v -args -duration %s -seed %d)\n", *seed, *length, *seed)
	r := open(t, pipelines)
	r.shape.length = *length
	r.plan = makePlan(*seed, r.shape)
	stop := r.grow(t)
	require.NoError(t, r.carryOut(t.Context()))
	stop()
	r.settle(t)
	r.judge(t)
}

// grow lets the files grow until stop is called.
func (r *run) grow(t *testing.T) (stop func()) {
	end := make(chan struct{})
	grown := make(chan error, len(r.pipelines))
	for _, p := range r.pipelines {
		go func() { grown <- p.grow(end) }()
	}
	return func() {
		t.Helper()
		close(end)
		for range r.pipelines {
			require.NoError(t, <-grown)
		}
	}
}

// open starts the broker, the workers and two connectors for each pipeline.
func open(t *testing.T, pipelines int) *run {
	t.Helper()
	dir := t.TempDir()
	net := openNetwork(t, workers)
	b, err := server.StartBroker(t.Context(), server.BrokerOptions{Host: net.host()})
	require.NoError(t, err)
	t.Cleanup(func() { _ = b.Close() })

	group := fmt.Sprintf("chaos-%d", os.Getpid())
	r := &run{
		shape: shape{workers: workers, connectors: 2 * pipelines, session: session, network: net.cuttable()},
		group: group, net: net, broker: b, out: os.Stdout, done: map[kind]int{},
	}
	bin := harness.Binaries(t)
	props := harness.GroupProps(group)
	maps.Copy(props, map[string]string{
		"bootstrap.servers": b.Addr(), "plugin.path": filepath.Join(bin, "plugins"), "offset.flush.interval.ms": "500",
		"key.converter": "org.apache.kafka.connect.storage.StringConverter", "value.converter": "org.apache.kafka.connect.storage.StringConverter",
		"session.timeout.ms": fmt.Sprint(session.Milliseconds()), "heartbeat.interval.ms": "1500", "rebalance.timeout.ms": "15000",
		"scheduled.rebalance.max.delay.ms": "0",
	})
	t.Cleanup(func() {
		for i, n := range r.nodes {
			n.end(syscall.SIGTERM)
			if t.Failed() {
				keep(t, fmt.Sprintf("log of worker %d", i), n.log)
			}
		}
		if t.Failed() {
			keep(t, "log of the broker", b.Log())
		}
	})
	for i := range workers {
		port := restPort
		if !net.cuttable() {
			port = harness.FreePort(t)
		}
		n, err := newNode(dir, i, net, filepath.Join(bin, "tailrace"), port, props)
		require.NoError(t, err)
		r.nodes = append(r.nodes, n)
		require.NoError(t, n.start())
	}
	for i := range pipelines {
		p, err := newPipeline(dir, group, i)
		require.NoError(t, err)
		r.pipelines = append(r.pipelines, p)
		require.NoError(t, r.insist(t.Context(), 2*time.Minute, "PUT", "/connectors/"+p.source()+"/config", p.sourceConfig(0)))
		require.NoError(t, r.insist(t.Context(), 2*time.Minute, "PUT", "/connectors/"+p.sink()+"/config", p.sinkConfig(0)))
	}
	r.awaitRunning(t)
	return r
}

// awaitRunning waits until every connector and task runs, as some worker tells.
func (r *run) awaitRunning(t *testing.T) {
	t.Helper()
	harness.Eventually(t, 3*time.Minute, "every connector and its task run", func() (bool, string) {
		for i := range r.shape.connectors {
			name := r.connector(i)
			var status struct {
				Connector struct{ State string }
				Tasks     []struct{ State, Trace string }
			}
			if err := r.nodes[0].call(t.Context(), "GET", "/connectors/"+name+"/status", nil, &status); err != nil {
				return false, err.Error()
			}
			if status.Connector.State != "RUNNING" || len(status.Tasks) != 1 || status.Tasks[0].State != "RUNNING" {
				return false, fmt.Sprintf("%s: %+v", name, status)
			}
		}
		return true, ""
	})
}

// settle waits until what is written has arrived.
func (r *run) settle(t *testing.T) {
	t.Helper()
	for i := range r.shape.connectors {
		require.NoError(t, r.insist(t.Context(), time.Minute, "PUT", "/connectors/"+r.connector(i)+"/resume", nil))
	}
	for _, p := range r.pipelines {
		require.NoError(t, p.add())
	}
	for _, p := range r.pipelines {
		want := int(p.lines.Load()) - 1
		harness.Eventually(t, 4*time.Minute, fmt.Sprintf("line %d of %s is in its sink's file", want, p.name), func() (bool, string) {
			at := p.tail()
			return at >= want, fmt.Sprint("line ", at)
		})
	}
}

// judge looks at every topic, every file and the stored offsets.
func (r *run) judge(t *testing.T) {
	t.Helper()
	faults := 0
	for _, n := range r.done {
		faults += n
	}
	fmt.Printf("faults: %v, requests that no worker took: %d\n", r.done, r.refused)
	for i, n := range r.nodes {
		fmt.Printf("worker %d ended by itself %d times\n", i, n.ends)
	}
	broker := &env.Broker{Bootstrap: r.broker.(*server.Broker).Addr()}
	for _, p := range r.pipelines {
		want := int(p.lines.Load())
		var values []string
		for _, record := range broker.Records(t, p.topic) {
			values = append(values, string(record.Value))
		}
		inTopic, err := judge(values, want)
		require.NoError(t, err, "topic of %s", p.name)
		lines, err := p.outputLines()
		require.NoError(t, err)
		inFile, err := judge(lines, want)
		require.NoError(t, err, "file of %s", p.name)
		fmt.Printf("%s: %d lines; in the topic %d repeated after %d returns, in the file %d after %d\n",
			p.name, want, inTopic.repeats, inTopic.jumps, inFile.repeats, inFile.jumps)
		// A repeat needs a fault: one may send a source back, and what it repeats and a sink that goes back both show in the file.
		require.LessOrEqual(t, inTopic.jumps, 2*faults, p.name)
		require.LessOrEqual(t, inTopic.late, faults, p.name)
		require.LessOrEqual(t, inFile.jumps, inTopic.jumps+2*faults, p.name)
	}
	r.judgeOffsets(t, broker.Records(t, offsetTopic(r)))
	for i, n := range r.nodes {
		log, err := os.ReadFile(n.log)
		require.NoError(t, err)
		require.NotContains(t, string(log), "panic:", "worker %d", i)
	}
}

func offsetTopic(r *run) string {
	return strings.TrimSuffix(r.pipelines[0].topic, "-lines-0") + "-offsets"
}

// judgeOffsets wants every source's stored position to grow only: a worker that others have replaced must not write its own. I-5.
func (r *run) judgeOffsets(t *testing.T, records []*kgo.Record) {
	t.Helper()
	last := map[string]int64{}
	for _, record := range records {
		var value struct{ Position int64 }
		require.NoError(t, json.Unmarshal(record.Value, &value), string(record.Value))
		key := string(record.Key)
		require.GreaterOrEqual(t, value.Position, last[key], "the stored offset of %s went back at offset %d of partition %d", key, record.Offset, record.Partition)
		last[key] = value.Position
	}
	require.Len(t, last, len(r.pipelines), slices.Collect(maps.Keys(last)))
}

// keep copies a log out of a folder that is about to be removed.
func keep(t *testing.T, what, path string) {
	t.Helper()
	log, err := os.ReadFile(path)
	if err != nil {
		return
	}
	kept, err := os.CreateTemp("", "tailrace-chaos-*.log") //nolint:usetesting // it must outlive the test
	if err != nil {
		return
	}
	defer kept.Close()
	_, _ = kept.Write(log)
	t.Logf("the %s is kept in %s", what, kept.Name())
}
