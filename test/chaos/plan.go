package chaos

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// kind is a kind of fault.
type kind string

const (
	killWorker    kind = "kill worker"    // SIGKILL, started again after the hold
	stopWorker    kind = "stop worker"    // SIGTERM, started again after the hold
	pauseWorker   kind = "pause worker"   // SIGSTOP, SIGCONT after the hold: shorter or longer than its session
	cutNetwork    kind = "cut network"    // nothing comes or goes between a worker and everything else
	restartBroker kind = "restart broker" // stopped, started after the hold
	killBroker    kind = "kill broker"    // SIGKILL, started after the hold
	pauseBroker   kind = "pause broker"   // SIGSTOP: connections stay open and nothing answers
	killAll       kind = "kill all"       // every worker at once, started again after the hold
	changeConfig  kind = "change config"  // a connector gets other settings
	pauseTasks    kind = "pause tasks"    // a connector is paused, resumed after the hold
	restartTasks  kind = "restart tasks"  // a connector and its tasks are restarted
)

// fault is one thing that happens.
type fault struct {
	at     time.Duration // since the beginning
	kind   kind
	target int           // a worker, or a connector
	hold   time.Duration // until it is mended; 0 when there is nothing to mend
}

func (f fault) String() string {
	who := ""
	switch f.kind {
	case killWorker, stopWorker, pauseWorker, cutNetwork:
		who = fmt.Sprintf(" %d", f.target)
	case changeConfig, pauseTasks, restartTasks:
		who = fmt.Sprintf(" of connector %d", f.target)
	case restartBroker, killBroker, pauseBroker, killAll:
	}
	text := fmt.Sprintf("%s %s%s", clock(f.at), f.kind, who)
	if f.hold > 0 {
		text += fmt.Sprintf(" for %.1fs", f.hold.Seconds())
	}
	return text
}

func clock(d time.Duration) string {
	return fmt.Sprintf("%02d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}

// shape says what a plan is for.
type shape struct {
	workers, connectors int
	length              time.Duration
	session             time.Duration // of a worker
	network             bool          // networks can be cut
}

// weights say how often each kind comes.
var weights = []struct {
	kind  kind
	share int
}{
	{killWorker, 20},
	{stopWorker, 6},
	{pauseWorker, 20},
	{cutNetwork, 18},
	{restartBroker, 3},
	{killBroker, 3},
	{pauseBroker, 3},
	{killAll, 8},
	{changeConfig, 12},
	{pauseTasks, 6},
	{restartTasks, 5},
}

// makePlan decides everything beforehand. A worker or the broker that is broken is left alone until it is mended.
func makePlan(seed uint64, s shape) []fault {
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // it must come again
	total := 0
	for _, w := range weights {
		total += w.share
	}
	seconds := func(low, high float64) time.Duration {
		return time.Duration((low + random.Float64()*(high-low)) * float64(time.Second))
	}
	busy := map[string]time.Duration{} // until when
	var plan []fault
	for at := seconds(1, 3); at < s.length; at += seconds(1.5, 5) {
		f := fault{at: at}
		n := random.IntN(total)
		for _, w := range weights {
			if n -= w.share; n < 0 {
				f.kind = w.kind
				break
			}
		}
		var targets []string
		switch f.kind {
		case killWorker, stopWorker, pauseWorker, cutNetwork:
			f.target = random.IntN(s.workers)
			targets = []string{fmt.Sprint("worker ", f.target)}
			f.hold = seconds(0.5, 4)
			if (f.kind == pauseWorker || f.kind == cutNetwork) && random.IntN(2) == 0 {
				f.hold = s.session + seconds(0, 2*s.session.Seconds()) // long enough that the others take over
			}
		case killAll:
			for i := range s.workers {
				targets = append(targets, fmt.Sprint("worker ", i))
			}
			f.hold = seconds(0.2, 3)
		case restartBroker, killBroker, pauseBroker:
			targets = []string{"broker"}
			f.hold = seconds(0.2, 8)
		case changeConfig, restartTasks:
			f.target = random.IntN(s.connectors)
		case pauseTasks:
			f.target = random.IntN(s.connectors)
			f.hold = seconds(0.5, 5)
		}
		if f.kind == cutNetwork && !s.network || slices.ContainsFunc(targets, func(t string) bool { return busy[t] > at }) {
			continue
		}
		f.hold = min(f.hold, s.length-at)
		for _, t := range targets {
			busy[t] = at + f.hold
		}
		plan = append(plan, f)
	}
	return plan
}
