package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"

	"github.com/tailrace/tailrace/test/env/server"
	"github.com/tailrace/tailrace/test/harness"
)

// side is one of the compared workers: standalone, and as a group of one that writes exactly once.
type side struct {
	name           string
	start, exactly func(ctx context.Context, bootstrap string) (*server.Worker, error)
}

const (
	connectName  = "Kafka Connect 4.1"
	tailraceName = "Tailrace"

	connectHeapMiB = 1024
	batchSize      = "2000"
)

var sides = map[string]side{
	"connect": {
		connectName,
		func(ctx context.Context, bootstrap string) (*server.Worker, error) {
			return server.StartConnect(ctx, server.ConnectOptions{Bootstrap: bootstrap, HeapMiB: connectHeapMiB})
		},
		func(ctx context.Context, bootstrap string) (*server.Worker, error) {
			return server.StartConnect(ctx, server.ConnectOptions{Bootstrap: bootstrap, HeapMiB: connectHeapMiB, Distributed: true, Properties: exactlyOnceGroup("bench-connect")})
		},
	},
	"tailrace": {
		tailraceName,
		func(ctx context.Context, bootstrap string) (*server.Worker, error) {
			return startTailrace(ctx, bootstrap, "standalone", nil)
		},
		func(ctx context.Context, bootstrap string) (*server.Worker, error) {
			return startTailrace(ctx, bootstrap, "distributed", exactlyOnceGroup("bench-tailrace"))
		},
	},
}

func exactlyOnceGroup(group string) map[string]string {
	props := harness.GroupProps(group)
	props["exactly.once.source.support"] = "enabled"
	return props
}

func startTailrace(ctx context.Context, bootstrap, mode string, more map[string]string) (*server.Worker, error) {
	binary, err := filepath.Abs("bin/tailrace")
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(binary); err != nil {
		return nil, fmt.Errorf("%w: run make build first", err)
	}
	props := map[string]string{
		"bootstrap.servers": bootstrap,
		"key.converter":     "org.apache.kafka.connect.storage.StringConverter",
		"value.converter":   "org.apache.kafka.connect.storage.StringConverter",
		"plugin.path":       filepath.Join(filepath.Dir(binary), "plugins"),
	}
	maps.Copy(props, more)
	return server.StartWorker(ctx, []string{binary, mode}, props)
}

// The connectors' configurations: the same text for both sides.

func sourceConfig(file, topic string) map[string]string {
	return map[string]string{
		"connector.class": "FileStreamSource", "tasks.max": "1", "file": file, "topic": topic, "batch.size": batchSize,
	}
}

func sinkConfig(topic, file string) map[string]string {
	return map[string]string{"connector.class": "FileStreamSink", "tasks.max": "1", "topics": topic, "file": file}
}
