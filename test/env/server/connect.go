package server

import (
	"context"
	_ "embed"
	"fmt"
	"maps"
	"path/filepath"
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

// StartConnect starts a Kafka Connect worker with no connector and returns when its REST API answers. Close ends it.
func StartConnect(ctx context.Context, options ConnectOptions) (*Worker, error) {
	cache, err := prepare(ctx)
	if err != nil {
		return nil, err
	}
	properties := connectProperties(options)
	maps.Copy(properties, options.Properties)
	return StartWorker(ctx, connectCommand(cache, options), properties)
}

const defaultHeapMiB = 1024

// connectCommand has the JVM options of Kafka's own start script (kafka-run-class.sh), which a user gets.
func connectCommand(cache artifacts, options ConnectOptions) []string {
	heap := options.HeapMiB
	if heap == 0 {
		heap = defaultHeapMiB
	}
	class := "org.apache.kafka.connect.cli.ConnectStandalone"
	if options.Distributed {
		class = "org.apache.kafka.connect.cli.ConnectDistributed"
	}
	return append(connectJVM(cache.java, heap), "-cp", cache.classPath(), class)
}

func connectJVM(java Java, heapMiB int) []string {
	return []string{
		java.Command(), "-Xms256m", fmt.Sprintf("-Xmx%dm", heapMiB), "-server", "-XX:+UseG1GC",
		"-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent",
		"-XX:MaxInlineLevel=15", "-Djava.awt.headless=true", "-Dorg.slf4j.simpleLogger.showDateTime=true",
	}
}

func connectProperties(options ConnectOptions) map[string]string {
	properties := map[string]string{
		"bootstrap.servers": options.Bootstrap,
		"key.converter":     "org.apache.kafka.connect.storage.StringConverter",
		"value.converter":   "org.apache.kafka.connect.storage.StringConverter",
		// The class path has the connectors. Without a plugin.path, service_load saves a scan of all jars (seconds).
		"plugin.discovery": "service_load",
	}
	if !options.Distributed {
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

// ConnectClasses is a command line of a JVM with Kafka Connect's own classes, an Avro converter, and the options of Kafka's start
// script; the class to run, or its source file, comes behind it. java is its version.
func ConnectClasses(ctx context.Context) (command []string, java int, err error) {
	cache, err := prepare(ctx)
	if err != nil {
		return nil, 0, err
	}
	dir, unlock, err := Cache("avro-converter-" + avroConverterVersion)
	if err != nil {
		return nil, 0, err
	}
	defer unlock()
	if err := fetchJars(ctx, dir, "Apicurio's Avro converter "+avroConverterVersion, avroConverterPom); err != nil {
		return nil, 0, err
	}
	// Kafka's jars come first: both have Jackson.
	classPath := cache.classPath() + string(filepath.ListSeparator) + filepath.Join(dir, "lib", "*")
	return append(connectJVM(cache.java, defaultHeapMiB), "-cp", classPath), cache.java.Major, nil
}

// avroConverterVersion is that of avroconverter.xml.
const avroConverterVersion = "2.6.13.Final"

//go:embed avroconverter.xml
var avroConverterPom []byte
