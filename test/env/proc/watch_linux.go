package proc

import (
	"sync"
	"time"
)

// Watch samples the memory of a process tree until it is stopped.
type Watch struct {
	root int
	quit chan struct{}
	done sync.WaitGroup

	mu   sync.Mutex
	peak Peak
}

// Peak is the most memory, in bytes, that a process tree held during a watch.
type Peak struct {
	// Sampled is the highest sum of resident memory seen at one sample. A short spike between two samples is missed.
	Sampled int64
	// Bound is the highest sum, over processes alive together, of the highest each of them ever was (VmHWM): never
	// less than the true peak. Pages that processes share are counted once for each of them.
	Bound int64
	// Processes is the largest number of processes alive together.
	Processes int
}

// WatchMemory starts sampling the tree below root every interval. The caller must Stop it.
func WatchMemory(root int, interval time.Duration) *Watch {
	w := &Watch{root: root, quit: make(chan struct{})}
	w.sample()
	w.done.Go(func() {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-w.quit:
				return
			case <-ticker.C:
				w.sample()
			}
		}
	})
	return w
}

func (w *Watch) sample() {
	tree := Tree(w.root)
	var current, bound int64
	for _, pid := range tree {
		now, highest := RSS(pid)
		current += now
		bound += highest
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.peak.Sampled = max(w.peak.Sampled, current)
	w.peak.Bound = max(w.peak.Bound, bound)
	w.peak.Processes = max(w.peak.Processes, len(tree))
}

// Stop takes a last sample and returns the peak. Call it while the processes are still there.
func (w *Watch) Stop() Peak {
	close(w.quit)
	w.done.Wait()
	w.sample()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.peak
}
