package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/tailrace/tailrace/test/env/proc"
	"github.com/tailrace/tailrace/test/env/server"
)

// figures are what one run of one side in one direction gave.
type figures struct {
	Side      string `json:"side"`
	Direction string `json:"direction"`
	LineBytes int    `json:"line_bytes"`
	Records   int    `json:"records"`
	Round     int    `json:"round"`

	Seconds    float64 `json:"seconds"`              // from creating the connector to the last record's arrival
	CPUSeconds float64 `json:"cpu_seconds"`          // in that time
	CPUTotal   float64 `json:"cpu_seconds_life"`     // the same from the worker's start on
	CPUFinal   float64 `json:"cpu_seconds_at_end"`   // what the kernel gave when the worker had ended: a check on the others
	ReadyMs    float64 `json:"ready_ms,omitempty"`   // from starting the worker to its first answer
	IdleBytes  int64   `json:"idle_bytes,omitempty"` // resident memory of the ready worker before it has a connector
	PeakBytes  int64   `json:"peak_bytes,omitempty"`
	Sampled    int64   `json:"peak_bytes_sampled,omitempty"`
	Processes  int     `json:"processes,omitempty"`
	TopicBytes int64   `json:"topic_bytes,omitempty"` // what the topic took on the broker's disk
}

func (f figures) rate() float64 { return float64(f.Records) / f.Seconds }

// cpuMicros is processor time per record in microseconds.
func (f figures) cpuMicros() float64 { return f.CPUSeconds * 1e6 / float64(f.Records) }

const (
	toTopic = "file → topic"
	toFile  = "topic → file"
	exactly = toTopic + ", exactly once"

	arrivalPoll    = 10 * time.Millisecond
	memoryInterval = 100 * time.Millisecond
	settleTime     = 2 * time.Second // between ready and the reading of idle memory
	stallTimeout   = 60 * time.Second
)

// bench is one invocation on one broker.
type bench struct {
	dir      string
	broker   *server.Broker
	topics   *topics
	progress progress
}

// source measures one side moving a file into a new topic.
func (b *bench) source(ctx context.Context, s side, l lines, input string) (figures, error) {
	topic, err := b.topics.create(ctx)
	if err != nil {
		return figures{}, err
	}
	arrived := func() (int64, error) { return b.topics.records(ctx, topic) }
	f, err := b.worker(ctx, s, toTopic, l, sourceConfig(input, topic), int64(l.count), arrived)
	if err != nil {
		return f, err
	}
	return b.filled(ctx, f, l, topic)
}

// exactlyOnce measures the same with transactions: what counts is what is committed.
func (b *bench) exactlyOnce(ctx context.Context, s side, l lines, input string) (figures, error) {
	topic, err := b.topics.create(ctx)
	if err != nil {
		return figures{}, err
	}
	arrived, end, err := b.topics.committed(ctx, topic)
	if err != nil {
		return figures{}, err
	}
	defer end()
	f, err := b.worker(ctx, s, exactly, l, sourceConfig(input, topic), int64(l.count), arrived)
	if err != nil {
		return f, err
	}
	return b.filled(ctx, f, l, topic)
}

// filled compares a topic with the lines and removes it.
func (b *bench) filled(ctx context.Context, f figures, l lines, topic string) (_ figures, err error) {
	if f.TopicBytes, err = b.topics.diskBytes(ctx, topic); err != nil {
		return f, err
	}
	return f, errors.Join(b.topics.check(ctx, topic, l), b.topics.remove(ctx, topic))
}

// sink measures one side moving a topic into a new file.
func (b *bench) sink(ctx context.Context, s side, l lines, topic string) (figures, error) {
	output := filepath.Join(b.dir, "output")
	if err := os.RemoveAll(output); err != nil {
		return figures{}, err
	}
	arrived := func() (int64, error) {
		info, err := os.Stat(output)
		if errors.Is(err, os.ErrNotExist) {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		return info.Size() / int64(l.size+1), nil
	}
	f, err := b.worker(ctx, s, toFile, l, sinkConfig(topic, output), int64(l.count), arrived)
	if err != nil {
		return f, err
	}
	return f, errors.Join(l.checkFile(output), os.Remove(output))
}

// worker starts a worker, runs one connector until want records have arrived, and ends the worker.
func (b *bench) worker(ctx context.Context, s side, direction string, l lines, config map[string]string,
	want int64, arrived func() (int64, error),
) (f figures, err error) {
	f = figures{Side: s.name, Direction: direction, LineBytes: l.size, Records: l.count}
	b.progress.begin(fmt.Sprintf("%s, %s, %s", s.name, direction, l), want)

	start := s.start
	if direction == exactly {
		start = s.exactly
	}
	worker, err := start(ctx, b.broker.Addr())
	if err != nil {
		return f, err
	}
	defer func() {
		err = errors.Join(err, worker.Close())
		f.CPUFinal = worker.FinalCPU().Seconds()
	}()
	f.ReadyMs = float64(worker.Ready().Microseconds()) / 1000
	memory := proc.WatchMemory(worker.PID(), memoryInterval)
	if err := wait(ctx, settleTime); err != nil {
		memory.Stop()
		return f, err
	}
	for _, pid := range proc.Tree(worker.PID()) {
		resident, _ := proc.RSS(pid)
		f.IdleBytes += resident
	}

	name := fmt.Sprintf("bench-%d", time.Now().UnixNano())
	before := proc.CPU(worker.PID())
	started := time.Now()
	err = worker.Create(ctx, name, config)
	if err == nil {
		err = b.await(ctx, want, arrived)
	}
	f.Seconds = time.Since(started).Seconds()
	after := proc.CPU(worker.PID())
	f.CPUSeconds, f.CPUTotal = (after - before).Seconds(), after.Seconds()
	peak := memory.Stop()
	f.PeakBytes, f.Sampled, f.Processes = peak.Bound, peak.Sampled, peak.Processes
	if err != nil {
		return f, fmt.Errorf("%s, %s: %w\nstatus: %s\nthe end of its log:\n%s",
			s.name, direction, err, worker.Status(ctx, name), worker.LogTail())
	}
	b.progress.done(f)
	return f, nil
}

// await polls until want records have arrived. It gives up when none arrives for a while.
func (b *bench) await(ctx context.Context, want int64, arrived func() (int64, error)) error {
	last, moved := int64(-1), time.Now()
	for {
		n, err := arrived()
		if err != nil {
			return err
		}
		if n >= want {
			return nil
		}
		if n != last {
			last, moved = n, time.Now()
		}
		if time.Since(moved) > stallTimeout {
			return fmt.Errorf("%d of %d records had arrived, then none for %s", n, want, stallTimeout)
		}
		b.progress.at(n)
		if err := wait(ctx, arrivalPoll); err != nil {
			return err
		}
	}
}

// floors measures the bare loops on a new topic, once in each direction, and returns the filled topic.
func (b *bench) floors(ctx context.Context, l lines, input string) (topic string, both []figures, err error) {
	if topic, err = b.topics.create(ctx); err != nil {
		return "", nil, err
	}
	produce, err := b.floor(toTopic, l, func() error { return b.topics.floorProduce(ctx, input, topic) })
	if err != nil {
		return "", nil, err
	}
	if err := b.topics.check(ctx, topic, l); err != nil {
		return "", nil, err
	}
	output := filepath.Join(b.dir, "floor")
	consume, err := b.floor(toFile, l, func() error { return b.topics.floorConsume(ctx, topic, output) })
	if err != nil {
		return "", nil, err
	}
	return topic, []figures{produce, consume}, errors.Join(l.checkFile(output), os.Remove(output))
}

const floorName = "bare franz-go loop"

// floor measures a loop in this process, which does nothing else meanwhile.
func (b *bench) floor(direction string, l lines, loop func() error) (figures, error) {
	f := figures{Side: floorName, Direction: direction, LineBytes: l.size, Records: l.count}
	b.progress.begin(fmt.Sprintf("%s, %s, %s", f.Side, direction, l), int64(l.count))
	before, started := ownCPU(), time.Now()
	err := loop()
	f.Seconds = time.Since(started).Seconds()
	f.CPUSeconds = (ownCPU() - before).Seconds()
	if err != nil {
		return f, fmt.Errorf("%s, %s: %w", f.Side, direction, err)
	}
	b.progress.done(f)
	return f, nil
}

func ownCPU() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
