package chaos

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tailrace/tailrace/test/env/server"
	"github.com/tailrace/tailrace/test/harness"
)

// faultLimit bounds the waits for a cluster that has to notice something.
const faultLimit = 90 * time.Second

// Each fault by itself, on one cluster that goes on running: what is said while it lasts, who does the work, and at the
// end that nothing was lost.
func TestEachFaultIsSurvivedAndTold(t *testing.T) {
	r := open(t, 2)
	stop := r.grow(t)
	steps := []struct {
		name string
		do   func(t *testing.T)
	}{
		{"a worker that wakes up after its session is a zombie and writes no more", r.zombie},
		{"a worker whose network is cut stops its work before others start it", r.isolated},
		{"a broker that is away fails no task", r.brokerAway},
		{"a coordinator that does not answer ends all memberships, and they come back", r.coordinatorLost},
		{"a config topic that takes no writes stops no task", r.configTopicRefuses},
		{"all workers at once", r.allKilled},
		{"two leaders", r.twoLeaders},
	}
	for _, s := range steps {
		r.awaitGroup(t)
		t.Run(s.name, s.do)
		r.done[kind(s.name)]++
	}
	stop()
	r.settle(t)
	r.judge(t)
}

// awaitGroup waits until every worker is a member of the group again: lines flow before that, and a worker that is not back
// yet has no membership to lose.
func (r *run) awaitGroup(t *testing.T) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(r.broker.(*server.Broker).Addr()))
	require.NoError(t, err)
	defer client.Close()
	harness.Eventually(t, faultLimit, "every worker is in the group", func() (bool, string) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		groups, err := kadm.NewClient(client).DescribeGroups(ctx, r.group)
		if err != nil {
			return false, err.Error()
		}
		g := groups[r.group]
		return g.State == "Stable" && len(g.Members) == len(r.nodes), fmt.Sprintf("%s with %d members (%v)", g.State, len(g.Members), g.Err)
	})
}

// owner is the worker that runs the task of a connector, as another tells.
func (r *run) owner(t *testing.T, asked int, connector string) int {
	t.Helper()
	var status struct {
		Tasks []struct {
			State  string
			Worker string `json:"worker_id"`
		}
	}
	if err := r.nodes[asked].call(t.Context(), "GET", "/connectors/"+connector+"/status", nil, &status); err != nil || len(status.Tasks) != 1 || status.Tasks[0].State != "RUNNING" {
		return -1
	}
	for i, n := range r.nodes {
		if "http://"+status.Tasks[0].Worker == n.url {
			return i
		}
	}
	return -1
}

// awaitOwner waits until the task of a connector runs on another worker than not.
func (r *run) awaitOwner(t *testing.T, asked, not int, connector string) (owner int) {
	t.Helper()
	harness.Eventually(t, faultLimit, fmt.Sprintf("%s runs elsewhere than on worker %d", connector, not), func() (bool, string) {
		owner = r.owner(t, asked, connector)
		return owner >= 0 && owner != not, fmt.Sprint("worker ", owner)
	})
	return owner
}

// awaitFlow waits until lines that are written from now on arrive. It is what counts here: a status may be out of date
// after a worker was cut off (docs/operate.md).
func (r *run) awaitFlow(t *testing.T) {
	t.Helper()
	for _, p := range r.pipelines {
		want := int(p.lines.Load())
		harness.Eventually(t, faultLimit, fmt.Sprintf("line %d of %s arrives", want, p.name), func() (bool, string) {
			at := p.tail()
			return at >= want, fmt.Sprint("line ", at)
		})
	}
}

// said waits until the log of a worker, behind from, has a text.
func (r *run) said(t *testing.T, worker int, from int64, text string) {
	t.Helper()
	harness.Eventually(t, faultLimit, fmt.Sprintf("worker %d says %q", worker, text), func() (bool, string) {
		log := r.logFrom(t, worker, from)
		return strings.Contains(log, text), log[max(0, len(log)-1500):]
	})
}

func (r *run) logFrom(t *testing.T, worker int, from int64) string {
	t.Helper()
	log, err := os.ReadFile(r.nodes[worker].log)
	require.NoError(t, err)
	return string(log[min(from, int64(len(log))):])
}

func (r *run) logSize(t *testing.T, worker int) int64 {
	t.Helper()
	info, err := os.Stat(r.nodes[worker].log)
	require.NoError(t, err)
	return info.Size()
}

// I-5: while it sleeps others do its work; when it wakes up it must neither produce nor commit.
func (r *run) zombie(t *testing.T) {
	source := r.pipelines[0].source()
	victim := r.awaitOwner(t, 0, -1, source)
	asked := (victim + 1) % len(r.nodes)
	from := r.logSize(t, victim)
	started := time.Now()
	r.nodes[victim].pause(true)
	defer r.nodes[victim].pause(false)
	other := r.awaitOwner(t, asked, victim, source)
	t.Logf("%s ran on worker %d %v after worker %d was stopped; its session is %v", source, other, time.Since(started).Round(time.Millisecond), victim, session)
	r.awaitFlow(t)
	r.nodes[victim].pause(false)
	r.said(t, victim, from, "lost the membership of the group")
	r.awaitFlow(t)
}

// I-5: the lease of a worker that hears nothing ends before its session does.
func (r *run) isolated(t *testing.T) {
	if !r.net.cuttable() {
		t.Skip("network namespaces cannot be made here: it needs root and the program ip")
	}
	source := r.pipelines[1].source()
	victim := r.awaitOwner(t, 0, -1, source)
	asked := (victim + 1) % len(r.nodes)
	from := r.logSize(t, victim)
	require.NoError(t, r.net.cut(victim))
	defer func() { _ = r.net.mend(victim) }() // once more does no harm
	cut := time.Now()
	r.said(t, victim, from, "lost the membership of the group")
	t.Logf("worker %d gave its work up %v after its network was cut; its session is %v", victim, time.Since(cut).Round(time.Millisecond), session)
	r.awaitOwner(t, asked, victim, source)
	r.awaitFlow(t)
	require.NoError(t, r.net.mend(victim))
	r.awaitFlow(t)
}

func (r *run) brokerAway(t *testing.T) {
	require.NoError(t, r.broker.Stop())
	require.NoError(t, r.broker.Start(t.Context()))
	r.awaitFlow(t)
	for i := range r.nodes {
		require.NotContains(t, r.logFrom(t, i, 0), "state=FAILED", "worker %d", i)
	}
}

func (r *run) coordinatorLost(t *testing.T) {
	var from [workers]int64
	for i := range r.nodes {
		from[i] = r.logSize(t, i)
	}
	require.NoError(t, r.broker.Pause())
	defer func() { _ = r.broker.Resume() }() // once more does no harm
	for i, n := range r.nodes {
		r.said(t, i, from[i], "lost the membership of the group")
		// The API goes on answering what it knows.
		var names []string
		require.NoError(t, n.call(t.Context(), "GET", "/connectors", nil, &names))
		require.Len(t, names, r.shape.connectors)
	}
	require.NoError(t, r.broker.Resume())
	r.awaitFlow(t)
}

// A topic that takes no message of more than a byte takes no writes. (min.insync.replicas would not do: a broker since
// Kafka 4 asks for no more replicas than there are.)
func (r *run) configTopicRefuses(t *testing.T) {
	topic := strings.TrimSuffix(offsetTopic(r), "-offsets") + "-configs"
	r.alterTopic(t, topic, "max.message.bytes", "1")
	defer r.alterTopic(t, topic, "max.message.bytes", "1048588")
	name, config := r.changed(0)
	require.ErrorContains(t, r.nodes[0].call(t.Context(), "PUT", "/connectors/"+name+"/config", config, nil), "config topic")
	answered := make(chan error, 1)
	go func() { answered <- r.insist(t.Context(), faultLimit, "PUT", "/connectors/"+name+"/config", config) }()
	r.awaitFlow(t)
	r.awaitFlow(t)
	select {
	case err := <-answered:
		t.Fatalf("the change was answered (%v) although the config topic takes no writes: I-8", err)
	default:
	}
	r.alterTopic(t, topic, "max.message.bytes", "1048588")
	require.NoError(t, <-answered)
}

func (r *run) alterTopic(t *testing.T, topic, key, value string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(r.broker.(*server.Broker).Addr()))
	require.NoError(t, err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), faultLimit)
	defer cancel()
	answers, err := kadm.NewClient(client).AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: key, Value: &value}}, topic)
	require.NoError(t, err)
	for _, a := range answers {
		require.NoError(t, a.Err)
	}
}

func (r *run) allKilled(t *testing.T) {
	for _, n := range r.nodes {
		n.end(syscall.SIGKILL)
	}
	for _, n := range r.nodes {
		require.NoError(t, n.start())
	}
	started := time.Now()
	harness.Eventually(t, faultLimit, "every worker serves", func() (bool, string) {
		for _, n := range r.nodes {
			if err := n.call(t.Context(), "GET", "/health", nil, nil); err != nil {
				return false, err.Error()
			}
		}
		return true, ""
	})
	r.awaitFlow(t)
	t.Logf("all lines arrived %v after all workers were killed and started", time.Since(started).Round(time.Millisecond))
}

// Every worker is put to sleep in turn, so that the leader is among them. The others elect another one and take a change;
// the one that wakes up is asked for another change at once. In the end all workers tell the same configuration, which is
// that of a change that was answered with success.
func (r *run) twoLeaders(t *testing.T) {
	name := r.pipelines[0].source()
	for victim, n := range r.nodes {
		asked := r.nodes[(victim+1)%len(r.nodes)]
		n.pause(true)
		defer n.pause(false)
		wanted := map[string]bool{}
		_, first := r.changed(0)
		harness.Eventually(t, faultLimit, "the workers that are left take a change", func() (bool, string) {
			err := asked.call(t.Context(), "PUT", "/connectors/"+name+"/config", first, nil)
			return err == nil, fmt.Sprint(err)
		})
		wanted[first["batch.size"]] = true
		n.pause(false)
		_, second := r.changed(0)
		if err := n.call(t.Context(), "PUT", "/connectors/"+name+"/config", second, nil); err == nil {
			wanted = map[string]bool{second["batch.size"]: true} // it came after the first
		} else {
			wanted[second["batch.size"]] = true // refused or not known: either
			t.Logf("worker %d, just awake, answered: %v", victim, err)
		}
		harness.Eventually(t, faultLimit, "all workers tell the same configuration", func() (bool, string) {
			seen := map[string]bool{}
			for _, n := range r.nodes {
				var config map[string]string
				if err := n.call(t.Context(), "GET", "/connectors/"+name+"/config", nil, &config); err != nil {
					return false, err.Error()
				}
				seen[config["batch.size"]] = true
			}
			for value := range seen {
				if !wanted[value] {
					return false, fmt.Sprintf("batch.size %v, want one of %v", seen, wanted)
				}
			}
			return len(seen) == 1, fmt.Sprint(seen)
		})
	}
	r.awaitFlow(t)
}
