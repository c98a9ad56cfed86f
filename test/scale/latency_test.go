package scale

import (
	"context"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/tailrace/tailrace/test/harness"
)

// watch asks workers for GET /connectors all the time.
type watch struct {
	cancel  context.CancelFunc
	asking  sync.WaitGroup
	mu      sync.Mutex
	answers []time.Duration
	failed  int // answers other than 200
}

// askEvery is the pause between two questions to one worker.
const askEvery = 20 * time.Millisecond

// ask starts a watch on workers that stay up.
func ask(workers ...*harness.Worker) *watch {
	ctx, cancel := context.WithCancel(context.Background())
	w := &watch{cancel: cancel}
	for _, worker := range workers {
		w.asking.Go(func() {
			client := &http.Client{Transport: &http.Transport{}, Timeout: 30 * time.Second}
			defer client.CloseIdleConnections()
			tick := time.NewTicker(askEvery)
			defer tick.Stop()
			for ctx.Err() == nil {
				w.one(ctx, client, worker.URL()+"/connectors")
				select {
				case <-tick.C:
				case <-ctx.Done():
				}
			}
		})
	}
	return w
}

func (w *watch) one(ctx context.Context, client *http.Client, url string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		panic(err)
	}
	began := time.Now()
	resp, err := client.Do(req)
	ok := false
	if err == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		ok = err == nil && resp.StatusCode == http.StatusOK
	}
	if ctx.Err() != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answers = append(w.answers, time.Since(began))
	if !ok {
		w.failed++
	}
}

// latency is what a watch has seen.
type latency struct {
	asked, failed        int
	median, most, worst9 time.Duration // worst9: 99 of 100 are below
}

// stop ends the watch.
func (w *watch) stop() latency {
	w.cancel()
	w.asking.Wait()
	slices.Sort(w.answers)
	n := len(w.answers)
	if n == 0 {
		return latency{}
	}
	return latency{asked: n, failed: w.failed, median: w.answers[n/2], worst9: w.answers[n*99/100], most: w.answers[n-1]}
}
