package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/tailrace/tailrace/test/env/proc"
	"github.com/tailrace/tailrace/test/env/server"
)

// side is one way from a topic into an index.
type side struct {
	name  string
	topic string
	bare  func(dst, value []byte) ([]byte, error) // appends the document; nil for a worker
	// config is the converter of a worker's connector.
	config map[string]string
	// beside are the bare loops that a worker is compared with.
	beside []string
}

const (
	passedOn = "bare loop, passed on" //nolint:gosec // the name of a loop, no password
	checked  = "bare loop, checked"
	decoded  = "bare loop, decoded"
	takenOut = "bare loop, payload taken out"
)

const (
	stringConverter = "org.apache.kafka.connect.storage.StringConverter"
	jsonConverter   = "org.apache.kafka.connect.json.JsonConverter"
)

var sides = []side{
	{name: passedOn, topic: plainTopic, bare: passOn},
	{name: checked, topic: plainTopic, bare: check},
	{name: decoded, topic: plainTopic, bare: decode},
	{
		name: "Tailrace, StringConverter", topic: plainTopic, beside: []string{passedOn, checked},
		config: map[string]string{"value.converter": stringConverter},
	},
	{
		name: "Tailrace, JsonConverter", topic: plainTopic, beside: []string{passedOn, checked, decoded},
		config: map[string]string{"value.converter": jsonConverter, "value.converter.schemas.enable": "false"},
	},
	{name: takenOut, topic: schemaTopic, bare: takeOut},
	{
		name: "Tailrace, JsonConverter with schemas", topic: schemaTopic, beside: []string{takenOut},
		config: map[string]string{"value.converter": jsonConverter},
	},
}

// run is what one run of one side gave.
type run struct {
	side      side
	documents int
	cpu       time.Duration
	worker    time.Duration // the worker's own part
	wall      time.Duration
	start     time.Duration // processor time before the first documents, which does not count
}

func (r run) micros() float64       { return float64(r.cpu.Microseconds()) / float64(r.documents) }
func (r run) workerMicros() float64 { return float64(r.worker.Microseconds()) / float64(r.documents) }
func (r run) rate() float64         { return float64(r.documents) / r.wall.Seconds() }

// bench is one invocation on its servers.
type bench struct {
	bootstrap string
	index     index
	documents int
	runs      int
}

func (b *bench) run(ctx context.Context, s side, n int) (run, error) {
	b.runs++
	name := fmt.Sprintf("bench-%d", b.runs)
	if err := b.index.create(ctx, name); err != nil {
		return run{}, err
	}
	r := run{side: s, documents: n}
	var err error
	if s.bare != nil {
		before, began := ownCPU(), time.Now()
		err = b.loop(ctx, s, name, n)
		r.wall, r.cpu = time.Since(began), ownCPU()-before
	} else {
		err = b.worker(ctx, &r, name, n)
	}
	if err != nil {
		return r, err
	}
	if err := b.index.check(ctx, name, n); err != nil {
		return r, err
	}
	return r, b.index.remove(ctx, name)
}

// worker runs the connector in a worker of its own.
func (b *bench) worker(ctx context.Context, r *run, name string, n int) (err error) {
	binary, err := filepath.Abs("bin/tailrace")
	if err != nil {
		return err
	}
	if _, err := os.Stat(binary); err != nil {
		return fmt.Errorf("%w: run make build first", err)
	}
	w, err := server.StartWorker(ctx, []string{binary, "standalone"}, map[string]string{
		"bootstrap.servers": b.bootstrap, "key.converter": stringConverter, "value.converter": stringConverter,
		"plugin.path": filepath.Join(filepath.Dir(binary), "plugins"),
	})
	if err != nil {
		return err
	}
	defer func() {
		if closed := w.Close(); err == nil {
			err = closed
		}
	}()
	config := map[string]string{
		"connector.class": "elasticsearch-sink", "tasks.max": "1", "topics": r.side.topic, "connection.url": b.index.url,
		"schema.ignore": "true", "index.name.format": name, "batch.size": fmt.Sprint(batchItems), "read.timeout.ms": "30000",
	}
	for k, v := range r.side.config {
		config[k] = v
	}
	created := proc.CPU(w.PID())
	if err := w.Create(ctx, name, config); err != nil {
		return err
	}
	await := func(n int) (int, error) {
		got, err := b.index.await(ctx, name, n)
		if err != nil {
			err = fmt.Errorf("%w\nstatus: %s\nthe end of its log:\n%s", err, w.Status(ctx, name), w.LogTail())
		}
		return got, err
	}
	// What it takes to start a plugin and to join a group is the same for any number of documents.
	first, err := await(1)
	if err != nil {
		return err
	}
	before, beforeOwn, began := proc.CPU(w.PID()), proc.Own(w.PID()), time.Now()
	if _, err := await(n); err != nil {
		return err
	}
	r.documents, r.start = n-first, before-created
	r.wall, r.cpu, r.worker = time.Since(began), proc.CPU(w.PID())-before, proc.Own(w.PID())-beforeOwn
	return nil
}
