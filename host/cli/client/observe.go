package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// LogLine is a log line about a connector.
type LogLine struct {
	Seq     uint64            `json:"seq"`
	Worker  string            `json:"worker,omitempty"`
	Time    time.Time         `json:"time"`
	Level   string            `json:"level"`
	Message string            `json:"message"`
	Task    *int              `json:"task,omitempty"`
	Logger  string            `json:"logger,omitempty"`
	Fields  map[string]string `json:"fields,omitempty"`
}

// Record is a record of a topic or a preview.
type Record struct {
	Topic     string   `json:"topic"`
	Partition *int32   `json:"partition,omitempty"`
	Offset    *int64   `json:"offset,omitempty"`
	Timestamp *int64   `json:"timestamp,omitempty"` // milliseconds
	Key       *Part    `json:"key"`
	Value     *Part    `json:"value"`
	Headers   []Header `json:"headers"`
	Dropped   bool     `json:"dropped,omitempty"`
	Failure   *struct {
		Stage   string `json:"stage"`
		Class   string `json:"class"`
		Message string `json:"message"`
	} `json:"failure,omitempty"`
}

// Part is a key, a value or a header.
type Part struct {
	Text   *string         `json:"text,omitempty"`
	Base64 string          `json:"base64,omitempty"`
	JSON   json.RawMessage `json:"json,omitempty"`
	Schema json.RawMessage `json:"schema,omitempty"`
	Bytes  int             `json:"bytes"`
	Cut    bool            `json:"cut,omitempty"`
}

// Header is a header of a record.
type Header struct {
	Name  string `json:"name"`
	Value *Part  `json:"value"`
}

// Preview is what a configuration would do.
type Preview struct {
	Records   []Record `json:"records"`
	Ended     string   `json:"ended"`
	Failure   string   `json:"failure,omitempty"`
	Dropped   uint64   `json:"dropped"`
	Skipped   uint64   `json:"skipped"`
	ElapsedMS int64    `json:"elapsed_ms"`
}

// Worker is the worker that answers.
type Worker struct {
	WorkerID        string    `json:"worker_id"`
	Version         string    `json:"version"`
	PID             int       `json:"pid"`
	Started         time.Time `json:"started"`
	ResidentBytes   int64     `json:"resident_bytes"`
	CPUSeconds      float64   `json:"cpu_seconds"`
	Goroutines      int       `json:"goroutines"`
	Connectors      int       `json:"connectors"`
	Tasks           int       `json:"tasks"`
	PluginProcesses int       `json:"plugin_processes"`
}

// Process is a plugin process of the worker that answers.
type Process struct {
	Plugin    string `json:"plugin"`
	Connector string `json:"connector,omitempty"`
	PID       int    `json:"pid"` // 0 when none runs now
	Restarts  uint64 `json:"restarts"`
	LastExit  *struct {
		Time   time.Time `json:"time"`
		Cause  string    `json:"cause"`
		Code   int       `json:"code"`
		Signal string    `json:"signal,omitempty"`
		Detail string    `json:"detail,omitempty"`
	} `json:"last_exit,omitempty"`
}

// TaskProgress is what a task on the asked worker has done.
type TaskProgress struct {
	ID    int    `json:"id"`
	Kafka string `json:"kafka"` // ok, or what is wrong
}

// Worker asks the worker about itself. Only Tailrace's answer; others are [IsNotFound].
func (c *Client) Worker(ctx context.Context) (w Worker, err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, parts: []string{"v1", "worker"}, out: &w})
	return w, err
}

// Processes lists the plugin processes of the worker.
func (c *Client) Processes(ctx context.Context) (list []Process, err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, parts: []string{"v1", "processes"}, out: &list})
	return list, err
}

// Progress tells what a connector's tasks on the worker have done.
func (c *Client) Progress(ctx context.Context, name string) ([]TaskProgress, error) {
	var out struct{ Tasks []TaskProgress }
	_, err := c.do(ctx, call{method: http.MethodGet, parts: []string{"v1", "connectors", name, "progress"}, out: &out})
	return out.Tasks, err
}

// Logs gives the last lines of a connector on the worker.
func (c *Client) Logs(ctx context.Context, name string, lines int) ([]LogLine, error) {
	var out struct{ Lines []LogLine }
	_, err := c.do(ctx, call{method: http.MethodGet, parts: logsPath(name), query: url.Values{"lines": {strconv.Itoa(lines)}}, out: &out})
	return out.Lines, err
}

// FollowLogs calls each for the last lines and those that come, until ctx ends or the worker stops.
func (c *Client) FollowLogs(ctx context.Context, name string, lines int, each func(LogLine) error) error {
	return follow(ctx, c, call{parts: logsPath(name), query: url.Values{"lines": {strconv.Itoa(lines)}}}, each)
}

func logsPath(name string) []string { return []string{"v1", "connectors", name, "logs"} }

// Records gives the newest records of a topic, decoded by a connector's converters.
func (c *Client) Records(ctx context.Context, topic, connector string, records int) ([]Record, error) {
	var out struct{ Records []Record }
	_, err := c.do(ctx, call{method: http.MethodGet, parts: recordsPath(topic), query: recordsQuery(connector, records), out: &out})
	return out.Records, err
}

// FollowRecords calls each for the newest records and those that come.
func (c *Client) FollowRecords(ctx context.Context, topic, connector string, records int, each func(Record) error) error {
	return follow(ctx, c, call{parts: recordsPath(topic), query: recordsQuery(connector, records)}, each)
}

func recordsPath(topic string) []string { return []string{"v1", "topics", topic, "records"} }

func recordsQuery(connector string, records int) url.Values {
	return url.Values{"connector": {connector}, "records": {strconv.Itoa(records)}}
}

// Preview runs a configuration for some records, without producing or committing.
func (c *Client) Preview(ctx context.Context, name string, config Config, records int, limit time.Duration) (p Preview, err error) {
	in := map[string]any{"name": name, "config": config, "records": records, "timeout_ms": limit.Milliseconds()}
	_, err = c.do(ctx, call{method: http.MethodPost, parts: []string{"v1", "preview"}, in: in, out: &p})
	return p, err
}

// maxLineBytes bounds one line of a stream.
const maxLineBytes = 8 << 20

// follow reads a stream of JSON objects, one a line. It ends with nil when the worker ends it.
func follow[T any](ctx context.Context, c *Client, k call, each func(T) error) error {
	k.method = http.MethodGet
	k.query.Set("follow", "true")
	request, err := http.NewRequestWithContext(ctx, k.method, c.address(k), nil)
	if err != nil {
		return err
	}
	c.head(request, false)
	response, err := c.http.Do(request)
	if err != nil {
		return c.unreachable(ctx, ctx, err)
	}
	defer response.Body.Close()
	if response.StatusCode >= http.StatusBadRequest {
		text, _ := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes))
		return refusal(c.Server(), k, response, text)
	}
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, maxLineBytes)
	for lines.Scan() {
		text := bytes.TrimSpace(lines.Bytes())
		if len(text) == 0 {
			continue // a sign of life
		}
		var end struct {
			Code    int    `json:"error_code"`
			Message string `json:"message"`
		}
		var item T
		if err := errors.Join(json.Unmarshal(text, &end), json.Unmarshal(text, &item)); err != nil {
			return fmt.Errorf("%s: a line of %s cannot be read: %w", c.Server(), k.path(), err)
		}
		if end.Code != 0 {
			return &Error{Server: c.Server(), Method: k.method, Path: k.path(), Status: end.Code, Message: end.Message}
		}
		if err := each(item); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return nil // the person who followed has seen enough
	}
	return lines.Err()
}
