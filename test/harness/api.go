package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// API is the REST API of any worker: of Tailrace, or of Kafka Connect.
type API struct {
	T    testing.TB
	Base string
}

// Call sends one request; the status is 0 when nothing answered. Kafka Connect's 409 while it rebalances, and its 500 for
// reads meanwhile, are tried again for half a minute.
func (a API) Call(method, path string, body any) (int, string) {
	deadline := time.Now().Add(30 * time.Second)
	for {
		status, text := a.once(method, path, body)
		busy := status == http.StatusConflict || status == http.StatusInternalServerError && strings.Contains(text, "rebalance")
		if !busy || time.Now().After(deadline) {
			return status, text
		}
		select {
		case <-time.After(250 * time.Millisecond):
		case <-a.T.Context().Done():
			return status, text
		}
	}
}

func (a API) once(method, path string, body any) (int, string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(a.T.Context()), 95*time.Second)
	defer cancel()
	var in io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			a.T.Fatal(err)
		}
		in = bytes.NewReader(raw)
	}
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(a.Base, "/")+path, in)
	if err != nil {
		a.T.Fatal(err)
	}
	request.Close = true
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(raw)
}

// Expect wants a status.
func (a API) Expect(want int, method, path string, body any) string {
	a.T.Helper()
	status, text := a.Call(method, path, body)
	if status != want {
		a.T.Fatalf("%s %s: %d %s, want %d", method, path, status, text, want)
	}
	return text
}

// AwaitStates waits until a connector and at least n tasks are in a state, all on the worker on, if that is not empty.
func (a API) AwaitStates(within time.Duration, name, state string, n int, on string) {
	a.T.Helper()
	Eventually(a.T, within, fmt.Sprintf("%s is %s on %q", name, state, on), func() (bool, string) {
		status, text := a.once("GET", "/connectors/"+name+"/status", nil)
		var s Status
		if status != http.StatusOK || json.Unmarshal([]byte(text), &s) != nil || len(s.Tasks) < n {
			return false, text
		}
		for _, one := range s.All() {
			if one.State != state || on != "" && one.WorkerID != on {
				return false, text
			}
		}
		return true, text
	})
}

// All are the connector and its tasks.
func (s Status) All() []InstanceStatus {
	all := []InstanceStatus{s.Connector}
	for _, t := range s.Tasks {
		all = append(all, t.InstanceStatus)
	}
	return all
}
