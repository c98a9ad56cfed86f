package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/tailrace/tailrace/plugins/file-sink/internal/output"
	connect "github.com/tailrace/tailrace/sdk/go"
	"github.com/tailrace/tailrace/sdk/go/data"
)

const (
	// fullRetry is the wait before a write is tried again that failed for a reason that may pass.
	fullRetry = time.Second
	// lockTimeout is how long a file may still belong to the task before this one, lockRetry how often that is tried.
	lockTimeout = 10 * time.Second
	lockRetry   = 10 * time.Millisecond
)

// task writes the lines of a Put in one round per file: all of them are there when Put returns nil, none when it fails.
type task struct {
	cfg   config
	fsync output.Fsync
	ctx   *connect.SinkContext
	files map[string]*output.File
	// round lists the files of the Put under way.
	round []*output.File
	// last is the file of the run before, because nearly always the next is the same.
	lastTP   connect.TopicPartition
	lastFile *output.File
}

func (t *task) Start(ctx context.Context, raw connect.Config, sc *connect.SinkContext) error {
	if err := connect.BindWith(definition(false), raw, &t.cfg); err != nil {
		return err
	}
	if issues := t.cfg.conflicts(raw); len(issues) > 0 {
		return &connect.ConfigError{Issues: issues}
	}
	var err error
	t.fsync, err = t.cfg.fsync()
	t.ctx, t.files = sc, make(map[string]*output.File)
	if err != nil || t.cfg.File != t.cfg.path("{topic}", -1, sc.Number()) {
		return err // the names are known when partitions are
	}
	_, err = t.file(ctx, t.cfg.File, time.Now()) // a bad path fails the task at once, not with the first record
	return failure(err)
}

// file opens a file once.
func (t *task) file(ctx context.Context, path string, now time.Time) (*output.File, error) {
	if f := t.files[path]; f != nil {
		return f, nil
	}
	if path == "" {
		f := output.Standard(standardOutput(), t.ctx.Log())
		t.files[path] = f
		return f, nil
	}
	f, err := output.Open(output.Config{
		Path: path, Fsync: t.fsync, FsyncEvery: t.cfg.FsyncEvery, RotateBytes: t.cfg.RotateBytes,
		RotateEvery: t.cfg.RotateEvery, Exact: t.cfg.exact(), Log: t.ctx.Log(),
	}, now)
	if errors.Is(err, output.ErrInUse) && time.Since(now) < lockTimeout {
		select { // the task that this one replaces may need a moment to end
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(lockRetry):
			return t.file(ctx, path, now)
		}
	}
	if err != nil {
		return nil, err
	}
	t.files[path] = f
	return f, nil
}

// Open goes to where the files are: with exactly-once their sidecars know better than the consumer group.
func (t *task) Open(ctx context.Context, partitions []connect.TopicPartition) error {
	if !t.cfg.exact() {
		return nil
	}
	seek := make(connect.Offsets)
	for _, tp := range partitions {
		f, err := t.file(ctx, t.cfg.path(tp.Topic, tp.Partition, t.ctx.Number()), time.Now())
		if err != nil {
			return failure(err)
		}
		next, known := f.Next(output.Partition{Topic: tp.Topic, Number: tp.Partition})
		if at, ok := t.ctx.Position(tp); known && (!ok || at != next) {
			seek[tp] = next
		}
	}
	if len(seek) == 0 {
		return nil
	}
	return t.ctx.Seek(seek)
}

// Close lets go of the files that belong to these partitions alone.
func (t *task) Close(_ context.Context, partitions []connect.TopicPartition, _ bool) error {
	t.lastFile = nil
	if t.cfg.path("a", 0, 0) == t.cfg.path("b", 0, 0) || t.cfg.path("a", 0, 0) == t.cfg.path("a", 1, 0) {
		return nil // shared by several partitions
	}
	for _, tp := range partitions {
		path := t.cfg.path(tp.Topic, tp.Partition, t.ctx.Number())
		if f := t.files[path]; f != nil {
			delete(t.files, path)
			if err := f.Close(); err != nil {
				return fmt.Errorf("close %s: %w", path, err)
			}
		}
	}
	return nil
}

func (t *task) Put(ctx context.Context, records *connect.SinkBatch) error {
	now := time.Now()
	t.round, t.lastFile = t.round[:0], nil
	err := t.put(ctx, records, now)
	for _, f := range t.round {
		if err == nil {
			err = f.End(now)
		}
	}
	if err != nil {
		for _, f := range t.round {
			f.TakeBack()
		}
		return failure(err)
	}
	return nil
}

func (t *task) put(ctx context.Context, records *connect.SinkBatch, now time.Time) error {
	if records.Len() == 0 { // now and then, for work by time
		for _, f := range t.files {
			if err := t.begin(f, now); err != nil {
				return err
			}
		}
		return nil
	}
	for tp, run := range records.Partitions() {
		f, err := t.fileOf(ctx, tp, now)
		if err != nil {
			return err
		}
		if err := t.write(f, tp, run); err != nil {
			return err
		}
	}
	return nil
}

func (t *task) fileOf(ctx context.Context, tp connect.TopicPartition, now time.Time) (*output.File, error) {
	if t.lastFile != nil && tp == t.lastTP {
		return t.lastFile, nil
	}
	f, err := t.file(ctx, t.cfg.path(tp.Topic, tp.Partition, t.ctx.Number()), now)
	if err != nil {
		return nil, err
	}
	for _, begun := range t.round {
		if begun == f {
			t.lastTP, t.lastFile = tp, f
			return f, nil
		}
	}
	if err := t.begin(f, now); err != nil {
		return nil, err
	}
	t.lastTP, t.lastFile = tp, f
	return f, nil
}

func (t *task) begin(f *output.File, now time.Time) error {
	t.round = append(t.round, f)
	return f.Begin(now)
}

// write is the hot path: a string goes from the frame to the buffer in one copy.
func (t *task) write(f *output.File, tp connect.TopicPartition, run iter.Seq[*connect.SinkRecord]) error {
	partition := output.Partition{Topic: tp.Topic, Number: tp.Partition}
	skipBefore := int64(-1)
	if t.cfg.exact() {
		if next, ok := f.Next(partition); ok {
			skipBefore = next
		}
	}
	last := int64(-1)
	var err error
	for rec := range run {
		if last = rec.Offset(); last < skipBefore {
			continue // it is in the file already
		}
		if text, ok := rec.ValueBytes(); ok && text != nil {
			err = f.Append(text)
		} else {
			err = appendOther(f, rec)
		}
		if err != nil {
			return err
		}
	}
	if last >= skipBefore {
		f.Mark(partition, last+1)
	}
	return nil
}

// appendOther writes what Java's toString makes of a value that is neither string nor bytes, "null" for none.
func appendOther(f *output.File, rec *connect.SinkRecord) error {
	v, err := rec.Value()
	if err != nil {
		return err
	}
	return f.Line(func(dst []byte) []byte { return data.AppendJavaText(dst, v) })
}

// Flush makes everything that was put safe, as the key fsync says. // I-2
func (t *task) Flush(context.Context) error {
	now := time.Now()
	for _, f := range t.files {
		if err := f.Flush(now); err != nil {
			return failure(err)
		}
	}
	return nil
}

func (t *task) Stop(context.Context) error {
	var errs []error
	for _, f := range t.files {
		errs = append(errs, f.Close())
	}
	t.files = nil
	return errors.Join(errs...)
}

// failure says whether trying again may help.
func failure(err error) error {
	var w *output.WriteError
	if errors.As(err, &w) && w.Retry {
		return connect.Retriable(err, fullRetry)
	}
	return err
}
