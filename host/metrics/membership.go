package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Membership is this worker's place in its cluster.
type Membership struct {
	Leader, Protocol string
	Generation       int32
	Leads            bool
	// Connectors and Tasks are what was given to this worker.
	Connectors, Tasks int
	// Began is when the rebalance under way began; zero between rebalances. Completed ones took TotalTime together.
	Began, Last        time.Time
	Completed          uint64
	Longest, TotalTime time.Duration
}

const (
	ofRebalance   = "kafka_connect_worker_rebalance_"
	ofCoordinator = "kafka_connect_coordinator_"
)

var (
	rebalanceInfo       = gauge(ofRebalance+"info", "Leader and protocol of the group; always 1.", "leader_name", "connect_protocol")
	rebalanceEpoch      = gauge(ofRebalance+"epoch", "Generation of the group.")
	rebalancing         = gauge(ofRebalance+"rebalancing", "1 while the group divides its work.")
	rebalancesCompleted = counter(ofRebalance+"completed_rebalances_total", "Rebalances after which this worker has started its part.")
	rebalanceMaxMillis  = gauge(ofRebalance+"rebalance_max_time_ms", "Longest rebalance since the worker's start.")
	rebalanceAvgMillis  = gauge(ofRebalance+"rebalance_avg_time_ms", "Average time of a rebalance since the worker's start.")
	sinceRebalance      = gauge(ofRebalance+"time_since_last_rebalance_ms", "Time since the last rebalance ended.")
	assignedConnectors  = gauge(ofCoordinator+"assigned_connectors", "Connectors that the group has given to this worker.")
	assignedTasks       = gauge(ofCoordinator+"assigned_tasks", "Tasks that the group has given to this worker.")
	clusterLeader       = gauge("tailrace_cluster_leader", "1 when this worker leads its group.")
)

// Members shows the place of a worker in its cluster; look is asked at each page.
func Members(look func() Membership) prometheus.Collector { return members(look) }

type members func() Membership

// Describe sends nothing, as that of the worker.
func (members) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (look members) Collect(out chan<- prometheus.Metric) {
	m, now := look(), time.Now()
	rebalanceInfo.send(out, 1, m.Leader, m.Protocol)
	rebalanceEpoch.send(out, float64(m.Generation))
	rebalancing.send(out, one(!m.Began.IsZero()))
	rebalancesCompleted.send(out, float64(m.Completed))
	rebalanceMaxMillis.send(out, millis(m.Longest))
	if m.Completed > 0 {
		rebalanceAvgMillis.send(out, millis(m.TotalTime)/float64(m.Completed))
		sinceRebalance.send(out, millis(now.Sub(m.Last)))
	}
	assignedConnectors.send(out, float64(m.Connectors))
	assignedTasks.send(out, float64(m.Tasks))
	clusterLeader.send(out, one(m.Leads))
}

func one(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
