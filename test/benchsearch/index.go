package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// index is the server's side of a run.
type index struct{ url string }

const (
	poll         = 50 * time.Millisecond
	stallTimeout = 2 * time.Minute
)

func (x index) create(ctx context.Context, name string) error {
	return x.call(ctx, http.MethodPut, "/"+name, `{"settings":{"number_of_replicas":0,"refresh_interval":"-1"},
		"mappings":{"properties":{"n":{"type":"long"},"key":{"type":"keyword"},"price":{"type":"double"},"ok":{"type":"boolean"},"text":{"type":"text"}}}}`, nil)
}

func (x index) remove(ctx context.Context, name string) error {
	return x.call(ctx, http.MethodDelete, "/"+name, "", nil)
}

// await returns when the server has taken n documents, and how many it has.
func (x index) await(ctx context.Context, name string, n int) (int, error) {
	last, moved := -1, time.Now()
	for {
		var stats struct {
			All struct {
				Primaries struct {
					Indexing struct {
						Total int `json:"index_total"`
					}
				}
			} `json:"_all"`
		}
		if err := x.call(ctx, http.MethodGet, "/"+name+"/_stats/indexing", "", &stats); err != nil {
			return 0, err
		}
		total := stats.All.Primaries.Indexing.Total
		if total >= n {
			return total, nil
		}
		if total != last {
			last, moved = total, time.Now()
		}
		if time.Since(moved) > stallTimeout {
			return total, fmt.Errorf("%d of %d documents had arrived, then none for %s", total, n, stallTimeout)
		}
		select {
		case <-time.After(poll):
		case <-ctx.Done():
			return total, context.Cause(ctx)
		}
	}
}

// check compares the documents with what was produced.
func (x index) check(ctx context.Context, name string, n int) error {
	if err := x.call(ctx, http.MethodPost, "/"+name+"/_refresh", "", nil); err != nil {
		return err
	}
	var found struct {
		Hits         struct{ Total struct{ Value int } }
		Aggregations struct{ Sum struct{ Value float64 } }
	}
	err := x.call(ctx, http.MethodPost, "/"+name+"/_search", `{"size":0,"track_total_hits":true,"aggs":{"sum":{"sum":{"field":"n"}}}}`, &found)
	if err != nil {
		return err
	}
	if want := float64(n) * float64(n-1) / 2; found.Hits.Total.Value != n || found.Aggregations.Sum.Value != want {
		return fmt.Errorf("the index holds %d documents with a sum of %.0f, want %d and %.0f", found.Hits.Total.Value, found.Aggregations.Sum.Value, n, want)
	}
	return nil
}

func (x index) call(ctx context.Context, method, path, body string, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, x.url+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s: %.300s", method, path, response.Status, text)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(text, answer)
}
