package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// ConnectOptions say how a Kafka Connect worker runs.
type ConnectOptions struct {
	// Bootstrap is the broker's address.
	Bootstrap string
	// Distributed starts a distributed worker; otherwise a standalone one.
	Distributed bool
	// Properties are added to the worker's configuration, or replace what is there.
	Properties map[string]string
	// HeapMiB is the largest heap; 0 means 1024.
	HeapMiB int
}

// Connect is one Kafka Connect worker.
type Connect struct {
	process *process
	dir     string // worker.properties, offsets, connect.log
	url     string
	ready   time.Duration
}

// StartConnect starts a Kafka Connect worker with no connector and returns when its REST API answers. Close ends it.
func StartConnect(ctx context.Context, options ConnectOptions) (*Connect, error) {
	cache, err := prepare(ctx)
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(1)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "tailrace-connect-")
	if err != nil {
		return nil, err
	}
	c := &Connect{dir: dir, url: fmt.Sprintf("http://127.0.0.1:%d", ports[0])}
	properties := connectProperties(options, dir, c.url)
	maps.Copy(properties, options.Properties)
	workerFile := filepath.Join(dir, "worker.properties")
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "plugins"), 0o750), writeProperties(workerFile, properties)); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}

	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("not within %s", startTimeout))
	defer cancel()
	started := time.Now()
	c.process, err = startProcess(connectCommand(cache, options, workerFile), os.Environ(), c.Log(), dir)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start Kafka Connect: %w", err), os.RemoveAll(dir))
	}
	err = c.process.await(ctx, "an answer of "+c.url+"/connectors", func() bool { return c.answers(ctx) })
	c.ready = time.Since(started)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start Kafka Connect: %w", err), c.Close())
	}
	return c, nil
}

// connectCommand has the JVM options of Kafka's own start script (kafka-run-class.sh), which a user gets.
func connectCommand(cache artifacts, options ConnectOptions, workerFile string) []string {
	heap := options.HeapMiB
	if heap == 0 {
		heap = 1024
	}
	class := "org.apache.kafka.connect.cli.ConnectStandalone"
	if options.Distributed {
		class = "org.apache.kafka.connect.cli.ConnectDistributed"
	}
	return []string{
		cache.java.Command(), "-Xms256m", fmt.Sprintf("-Xmx%dm", heap), "-server", "-XX:+UseG1GC",
		"-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent",
		"-XX:MaxInlineLevel=15", "-Djava.awt.headless=true", "-Dorg.slf4j.simpleLogger.showDateTime=true",
		"-cp", cache.classPath(), class, workerFile,
	}
}

func connectProperties(options ConnectOptions, dir, url string) map[string]string {
	properties := map[string]string{
		"bootstrap.servers": options.Bootstrap,
		"key.converter":     "org.apache.kafka.connect.storage.StringConverter",
		"value.converter":   "org.apache.kafka.connect.storage.StringConverter",
		"listeners":         url,
		// The class path has the connectors. An empty folder and service_load save a scan of all jars (seconds).
		"plugin.path":      filepath.Join(dir, "plugins"),
		"plugin.discovery": "service_load",
	}
	if !options.Distributed {
		properties["offset.storage.file.filename"] = filepath.Join(dir, "offsets")
		return properties
	}
	maps.Copy(properties, map[string]string{
		"group.id":                          "connect-cluster",
		"config.storage.topic":              "connect-configs",
		"offset.storage.topic":              "connect-offsets",
		"status.storage.topic":              "connect-status",
		"config.storage.replication.factor": "1",
		"offset.storage.replication.factor": "1",
		"status.storage.replication.factor": "1",
	})
	return properties
}

// URL is the base of the worker's REST API.
func (c *Connect) URL() string { return c.url }

// Log is the path of the worker's log.
func (c *Connect) Log() string { return filepath.Join(c.dir, "connect.log") }

// PID is the worker's process id.
func (c *Connect) PID() int { return c.process.cmd.Process.Pid }

// Ready is how long it took from starting the process to the first good answer of the REST API.
func (c *Connect) Ready() time.Duration { return c.ready }

func (c *Connect) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return call(ctx, http.MethodGet, c.url+"/connectors", nil) == nil
}

// Create creates a connector through the REST API.
func (c *Connect) Create(ctx context.Context, name string, config map[string]string) error {
	return CreateConnector(ctx, c.url, name, config)
}

// Close ends the worker and removes its files.
func (c *Connect) Close() error {
	return errors.Join(c.process.stop(stopGrace), os.RemoveAll(c.dir))
}

// CreateConnector creates a connector on the worker at base, Kafka Connect or Tailrace: both have the same REST API.
func CreateConnector(ctx context.Context, base, name string, config map[string]string) error {
	body, err := json.Marshal(map[string]any{"name": name, "config": config})
	if err != nil {
		return err
	}
	if err := call(ctx, http.MethodPost, base+"/connectors", body); err != nil {
		return fmt.Errorf("create connector %q: %w", name, err)
	}
	return nil
}

// call makes one HTTP request on a connection of its own, so that no idle connection (and its goroutines) stays.
func call(ctx context.Context, method, url string, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Close = true
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err != nil {
		return err
	}
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s answered %s: %s", method, url, response.Status, answer)
	}
	return nil
}
