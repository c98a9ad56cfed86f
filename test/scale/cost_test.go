package scale

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/tailrace/tailrace/test/env/proc"
	"github.com/tailrace/tailrace/test/harness"
)

// memory is what processes hold, in bytes.
type memory struct {
	processes int
	resident  int64 // with what they share with others
	share     int64 // what they share divided among those who share it (Pss)
	own       int64 // what is theirs alone (Private_Clean and Private_Dirty)
}

func (m memory) add(o memory) memory {
	return memory{m.processes + o.processes, m.resident + o.resident, m.share + o.share, m.own + o.own}
}

// memoryOf reads /proc/pid/smaps_rollup; a process that is gone holds nothing.
func memoryOf(pid int) memory {
	f, err := os.Open(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return memory{}
	}
	defer f.Close()
	m := memory{processes: 1}
	for sc := bufio.NewScanner(f); sc.Scan(); {
		var kib int64
		name, rest, _ := strings.Cut(sc.Text(), ":")
		if _, err := fmt.Sscan(rest, &kib); err != nil {
			continue
		}
		switch name {
		case "Rss":
			m.resident += kib << 10
		case "Pss":
			m.share += kib << 10
		case "Private_Clean", "Private_Dirty":
			m.own += kib << 10
		}
	}
	return m
}

// memoryOfCluster tells the workers' memory and that of their plugins' processes.
func memoryOfCluster(workers []*harness.Worker) (of, plugins memory) {
	for _, w := range workers {
		of = of.add(memoryOf(w.PID()))
		for _, pid := range w.Plugins("ticker") {
			plugins = plugins.add(memoryOf(pid))
		}
	}
	return of, plugins
}

// cpuOver measures the processor time of workers and their plugins for some time, as a share of one core.
func cpuOver(d time.Duration, workers []*harness.Worker) float64 {
	sum := func() (all time.Duration) {
		for _, w := range workers {
			all += proc.CPU(w.PID())
		}
		return all
	}
	before := sum()
	<-time.After(d)
	return (sum() - before).Seconds() / d.Seconds()
}
