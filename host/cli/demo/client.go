package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// client speaks to the REST API.
type client struct{ url string }

const (
	callTimeout    = 30 * time.Second
	maxAnswerBytes = 4 << 20
)

// call sends one request and reads the answer into out, if there is one.
func (c client) call(ctx context.Context, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			return err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, c.url+path, &body)
	if err != nil {
		return err
	}
	if in != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes))
	if err != nil {
		return err
	}
	if response.StatusCode >= http.StatusBadRequest {
		var failure struct{ Message string }
		if json.Unmarshal(text, &failure) == nil && failure.Message != "" {
			return fmt.Errorf("%s", failure.Message)
		}
		return fmt.Errorf("%s %s: %s", method, path, response.Status)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}

// put creates or changes a connector.
func (c client) put(ctx context.Context, name string, config map[string]string) error {
	return c.call(ctx, http.MethodPut, "/connectors/"+url.PathEscape(name)+"/config", config, nil)
}

// records is how many records the connector's tasks have passed on.
func (c client) records(ctx context.Context, name string) (uint64, error) {
	var progress struct{ Tasks []struct{ Records uint64 } }
	err := c.call(ctx, http.MethodGet, "/v1/connectors/"+url.PathEscape(name)+"/progress", nil, &progress)
	var n uint64
	for _, t := range progress.Tasks {
		n += t.Records
	}
	return n, err
}

// failure is the reason why the connector or a task of it has failed, nil while none has.
func (c client) failure(ctx context.Context, name string) error {
	var status struct {
		Connector struct{ State, Trace string }
		Tasks     []struct {
			ID           int
			State, Trace string
		}
	}
	if err := c.call(ctx, http.MethodGet, "/connectors/"+url.PathEscape(name)+"/status", nil, &status); err != nil {
		return err
	}
	const failed = "FAILED"
	if status.Connector.State == failed {
		return fmt.Errorf("connector %s failed: %s", name, status.Connector.Trace)
	}
	for _, t := range status.Tasks {
		if t.State == failed {
			return fmt.Errorf("task %d of connector %s failed: %s", t.ID, name, t.Trace)
		}
	}
	return nil
}
