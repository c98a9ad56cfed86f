package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tailrace/tailrace/test/env/server"
)

// side is one of the compared workers.
type side struct {
	name  string
	start func(ctx context.Context, bootstrap string) (*server.Worker, error)
}

const (
	connectName  = "Kafka Connect 4.1"
	tailraceName = "Tailrace"

	connectHeapMiB = 1024
	batchSize      = "2000"
)

var sides = map[string]side{
	"connect": {connectName, func(ctx context.Context, bootstrap string) (*server.Worker, error) {
		return server.StartConnect(ctx, server.ConnectOptions{Bootstrap: bootstrap, HeapMiB: connectHeapMiB})
	}},
	"tailrace": {tailraceName, startTailrace},
}

func startTailrace(ctx context.Context, bootstrap string) (*server.Worker, error) {
	binary, err := filepath.Abs("bin/tailrace")
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(binary); err != nil {
		return nil, fmt.Errorf("%w: run make build first", err)
	}
	return server.StartWorker(ctx, []string{binary, "standalone"}, map[string]string{
		"bootstrap.servers": bootstrap,
		"key.converter":     "org.apache.kafka.connect.storage.StringConverter",
		"value.converter":   "org.apache.kafka.connect.storage.StringConverter",
		"plugin.path":       filepath.Join(filepath.Dir(binary), "plugins"),
	})
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
