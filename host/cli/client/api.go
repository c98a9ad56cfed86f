package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
)

// About says who answers.
type About struct {
	Version        string `json:"version"`
	Commit         string `json:"commit"`
	KafkaClusterID string `json:"kafka_cluster_id"`
}

// Health says whether a worker is ready: healthy, starting or unhealthy.
type Health struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

// Config is a connector's configuration.
type Config map[string]string

// Connector is a connector as it is stored.
type Connector struct {
	Name   string   `json:"name"`
	Config Config   `json:"config"`
	Tasks  []TaskID `json:"tasks"`
	Type   string   `json:"type"`
}

// TaskID names a task.
type TaskID struct {
	Connector string `json:"connector"`
	Task      int    `json:"task"`
}

// Instance is the state of a connector or task.
type Instance struct {
	State    string `json:"state"`
	WorkerID string `json:"worker_id"`
	Trace    string `json:"trace,omitempty"`
	Version  string `json:"version,omitempty"`
}

// TaskStatus is the state of one task.
type TaskStatus struct {
	ID int `json:"id"`
	Instance
}

// Status is the state of a connector and its tasks.
type Status struct {
	Name      string       `json:"name"`
	Connector Instance     `json:"connector"`
	Tasks     []TaskStatus `json:"tasks"`
	Type      string       `json:"type"`
}

// Expanded is a connector with what the list can tell of it; a part that the worker leaves out is nil.
type Expanded struct {
	Status *Status    `json:"status"`
	Info   *Connector `json:"info"`
}

// Offset is where a connector stands in a partition; both are JSON objects, a null offset removes it.
type Offset struct {
	Partition json.RawMessage `json:"partition"`
	Offset    json.RawMessage `json:"offset"`
}

// Plugin is an installed plugin in one version.
type Plugin struct {
	Class   string `json:"class"`
	Type    string `json:"type"`
	Version string `json:"version"`
}

// Key describes a configuration key.
type Key struct {
	Name          string  `json:"name"`
	Type          string  `json:"type"`
	Required      bool    `json:"required"`
	DefaultValue  *string `json:"default_value"`
	Importance    string  `json:"importance"`
	Documentation string  `json:"documentation"`
	Group         string  `json:"group"`
}

// Validation is what a worker found about a configuration.
type Validation struct {
	Name       string    `json:"name"`
	ErrorCount int       `json:"error_count"`
	Configs    []Finding `json:"configs"`
}

// Finding is a key with what is wrong with its value.
type Finding struct {
	Value struct {
		Name              string   `json:"name"`
		RecommendedValues []string `json:"recommended_values"`
		Errors            []string `json:"errors"`
	} `json:"value"`
}

// About asks who answers.
func (c *Client) About(ctx context.Context) (a About, err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, out: &a})
	return a, err
}

// Health asks whether the worker is ready. Kafka Connect has it since 4.0; [IsNotFound] before.
func (c *Client) Health(ctx context.Context) (h Health, err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, parts: []string{"health"}, out: &h})
	return h, err
}

// Names lists the connectors.
func (c *Client) Names(ctx context.Context) (names []string, err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, parts: []string{"connectors"}, out: &names})
	return names, err
}

// Connectors lists the connectors with configuration and status.
func (c *Client) Connectors(ctx context.Context) (all map[string]Expanded, err error) {
	query := url.Values{"expand": {"info", "status"}}
	_, err = c.do(ctx, call{method: http.MethodGet, parts: []string{"connectors"}, query: query, out: &all})
	return all, err
}

// Connector reads one connector.
func (c *Client) Connector(ctx context.Context, name string) (k Connector, err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, parts: []string{"connectors", name}, out: &k})
	return k, err
}

// Create makes a connector that must not exist. initialState is RUNNING, PAUSED or STOPPED; "" leaves it to the worker.
func (c *Client) Create(ctx context.Context, name string, config Config, initialState string) (k Connector, err error) {
	body := map[string]any{"name": name, "config": config}
	if initialState != "" {
		body["initial_state"] = initialState
	}
	_, err = c.do(ctx, call{method: http.MethodPost, parts: []string{"connectors"}, in: body, out: &k})
	return k, err
}

// Put creates a connector or replaces its configuration.
func (c *Client) Put(ctx context.Context, name string, config Config) (k Connector, created bool, err error) {
	status, err := c.do(ctx, call{method: http.MethodPut, parts: []string{"connectors", name, "config"}, in: config, out: &k})
	return k, status == http.StatusCreated, err
}

// Patch changes single keys; nil removes one. Kafka Connect has it since 3.8.
func (c *Client) Patch(ctx context.Context, name string, changes map[string]*string) (k Connector, err error) {
	_, err = c.do(ctx, call{method: http.MethodPatch, parts: []string{"connectors", name, "config"}, in: changes, out: &k})
	return k, err
}

// Delete removes a connector; its offsets stay.
func (c *Client) Delete(ctx context.Context, name string) error {
	_, err := c.do(ctx, call{method: http.MethodDelete, parts: []string{"connectors", name}})
	return err
}

// Status reads the state of a connector. Right after a creation there may be none yet ([IsNotFound]).
func (c *Client) Status(ctx context.Context, name string) (s Status, err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, parts: []string{"connectors", name, "status"}, out: &s})
	return s, err
}

// Pause keeps the tasks and lets them move nothing. Like Resume, it returns before it is so.
func (c *Client) Pause(ctx context.Context, name string) error {
	return c.change(ctx, http.MethodPut, name, "pause")
}

// Resume starts a paused or stopped connector.
func (c *Client) Resume(ctx context.Context, name string) error {
	return c.change(ctx, http.MethodPut, name, "resume")
}

// Stop ends a connector's tasks and keeps its configuration and offsets.
func (c *Client) Stop(ctx context.Context, name string) error {
	return c.change(ctx, http.MethodPut, name, "stop")
}

func (c *Client) change(ctx context.Context, method, name string, rest ...string) error {
	_, err := c.do(ctx, call{method: method, parts: append([]string{"connectors", name}, rest...)})
	return err
}

// Restart restarts a connector, its tasks too, or only what has failed.
func (c *Client) Restart(ctx context.Context, name string, includeTasks, onlyFailed bool) error {
	query := url.Values{"includeTasks": {strconv.FormatBool(includeTasks)}, "onlyFailed": {strconv.FormatBool(onlyFailed)}}
	_, err := c.do(ctx, call{method: http.MethodPost, parts: []string{"connectors", name, "restart"}, query: query})
	return err
}

// RestartTask restarts one task.
func (c *Client) RestartTask(ctx context.Context, name string, task int) error {
	return c.change(ctx, http.MethodPost, name, "tasks", strconv.Itoa(task), "restart")
}

// Offsets reads where a connector stands.
func (c *Client) Offsets(ctx context.Context, name string) (offsets []Offset, err error) {
	var answer struct {
		Offsets []Offset `json:"offsets"`
	}
	_, err = c.do(ctx, call{method: http.MethodGet, parts: []string{"connectors", name, "offsets"}, out: &answer})
	return answer.Offsets, err
}

// SetOffsets changes the offsets of some partitions of a stopped connector and returns the worker's words.
func (c *Client) SetOffsets(ctx context.Context, name string, offsets []Offset) (message string, err error) {
	return c.offsets(ctx, http.MethodPatch, name, map[string]any{"offsets": offsets})
}

// ResetOffsets removes all offsets of a stopped connector and returns the worker's words.
func (c *Client) ResetOffsets(ctx context.Context, name string) (message string, err error) {
	return c.offsets(ctx, http.MethodDelete, name, nil)
}

func (c *Client) offsets(ctx context.Context, method, name string, in any) (string, error) {
	var answer struct {
		Message string `json:"message"`
	}
	_, err := c.do(ctx, call{method: method, parts: []string{"connectors", name, "offsets"}, in: in, out: &answer})
	return answer.Message, err
}

// Plugins lists the installed plugins: connectors only, or all kinds.
func (c *Client) Plugins(ctx context.Context, connectorsOnly bool) (plugins []Plugin, err error) {
	query := url.Values{"connectorsOnly": {strconv.FormatBool(connectorsOnly)}}
	_, err = c.do(ctx, call{method: http.MethodGet, parts: []string{"connector-plugins"}, query: query, out: &plugins})
	return plugins, err
}

// Keys lists a plugin's configuration keys. Kafka Connect has it since 3.2.
func (c *Client) Keys(ctx context.Context, class string) (keys []Key, err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, parts: []string{"connector-plugins", class, "config"}, out: &keys})
	return keys, err
}

// Validate has a worker check a configuration.
func (c *Client) Validate(ctx context.Context, class string, config Config) (v Validation, err error) {
	_, err = c.do(ctx, call{method: http.MethodPut, parts: []string{"connector-plugins", class, "config", "validate"}, in: config, out: &v})
	return v, err
}
