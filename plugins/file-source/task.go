package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/tailrace/tailrace/plugins/file-source/internal/discover"
	"github.com/tailrace/tailrace/plugins/file-source/internal/tail"
	connect "github.com/tailrace/tailrace/sdk/go"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// The source partition and offset of Kafka's FileStreamSource. The keys beyond position are only written when needed
// and ignored by Kafka's connector.
const (
	filenameKey = "filename"
	positionKey = "position"
	inodeKey    = "inode"
	printKey    = "fingerprint"
)

var (
	kafkaOffset = data.NewStruct().Field(positionKey, data.Int64Schema).MustBuild()
	fullOffset  = data.NewStruct().Field(positionKey, data.Int64Schema).Field(inodeKey, data.Int64Schema).
			Field(printKey, data.StringSchema).MustBuild()
)

const (
	// blockBytes is the size of a read: large enough that the system call costs nothing per line, small enough for a
	// processor's cache.
	blockBytes = 256 << 10
	// sleepAfter closes one of many files in which nothing happens.
	sleepAfter = 30 * time.Second
	// forgetAfter gives up one of many files that was deleted.
	forgetAfter = time.Minute
)

// task reads its files in turn, one batch from one file at a time. Nothing runs beside it but the reader of standard
// input.
type task struct {
	cfg      config
	ctx      *connect.SourceContext
	format   tail.Format
	enc      encoder
	files    []*followed
	next     int // which file is first in the next Poll
	nextScan time.Time
	stream   *tail.Stream
	// streamPartition names the stream for transforms; its records have no offset.
	streamPath string
}

// followed is a file with what its records carry.
type followed struct {
	*tail.Follower
	partition *connect.Partition
	missing   time.Time // since when there is nothing under the path
}

func (t *task) Start(ctx context.Context, raw connect.Config, sc *connect.SourceContext) error {
	if err := connect.BindWith(definition(false), raw, &t.cfg); err != nil {
		return err
	}
	t.cfg.BatchSize = max(t.cfg.BatchSize, 1)
	if issues := t.cfg.conflicts(); len(issues) > 0 {
		return &connect.ConfigError{Issues: issues}
	}
	t.ctx = sc
	var err error
	if t.format, err = t.cfg.format(); err != nil {
		return err
	}
	if t.enc, err = newEncoder(t.cfg, sc.Log()); err != nil {
		return err
	}
	switch {
	case len(t.cfg.Files) > 0:
		return t.scan(ctx, time.Now())
	case t.cfg.File == "":
		t.stream, t.streamPath = standardInput(t.format), "standard input"
		return nil
	}
	if info, err := os.Stat(t.cfg.File); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		t.streamPath = t.cfg.File
		t.stream = tail.NewStream(t.format, blockBytes, func() (io.Reader, error) { return os.Open(t.cfg.File) })
		return nil
	}
	return t.follow(ctx, []string{t.cfg.File})
}

// scan follows the files that have appeared.
func (t *task) scan(ctx context.Context, now time.Time) error {
	paths, err := discover.Find(
		discover.Patterns{Include: t.cfg.Files, Exclude: t.cfg.Exclude, Rotated: tail.IsRotatedName},
		discover.Share{Task: int(t.cfg.Task), Tasks: int(t.cfg.Tasks)})
	if err != nil {
		return fmt.Errorf("key \"files\": %w", err)
	}
	known := make(map[string]bool, len(t.files))
	kept := t.files[:0]
	for _, f := range t.files {
		if !f.missing.IsZero() && now.Sub(f.missing) > forgetAfter {
			f.Close()
			continue
		}
		known[f.Path()] = true
		kept = append(kept, f)
	}
	clear(t.files[len(kept):])
	t.files = kept
	var fresh []string
	for _, p := range paths {
		if !known[p] {
			fresh = append(fresh, p)
		}
	}
	t.nextScan = now.Add(t.cfg.ScanInterval)
	return t.follow(ctx, fresh)
}

// follow starts to follow paths where the stored offsets say.
func (t *task) follow(ctx context.Context, paths []string) error {
	if len(paths) == 0 {
		return nil
	}
	partitions := make([]map[string]any, len(paths))
	for i, p := range paths {
		partitions[i] = map[string]any{filenameKey: p}
	}
	stored, err := t.ctx.Offsets().Offsets(ctx, partitions)
	if err != nil {
		return connect.Retriable(err, 0)
	}
	for i, path := range paths {
		at, err := placeOf(stored[i])
		if err != nil {
			return fmt.Errorf("the stored offset of %s: %w; set or reset the offset of the connector", path, err)
		}
		partition, err := t.ctx.Partition(partitions[i])
		if err != nil {
			return err
		}
		cfg := tail.Config{
			Path: path, Rotated: t.cfg.Rotated, Format: t.format, Header: t.cfg.Format == "csv",
			IdleFlush: t.cfg.IdleFlush, RotateWait: t.cfg.RotateWait, BlockBytes: blockBytes, Log: t.ctx.Log(),
		}
		if len(t.cfg.Files) > 0 {
			cfg.Rotated, cfg.SleepAfter = "", sleepAfter
		}
		t.files = append(t.files, &followed{Follower: tail.NewFollower(cfg, at), partition: partition})
	}
	return nil
}

// placeOf reads a stored offset, ours or that of Kafka's FileStreamSource.
func placeOf(o connect.Offset) (at tail.Offset, err error) {
	if o == nil || o[positionKey] == nil {
		return at, nil
	}
	position, ok := o.Int64(positionKey)
	if !ok || position < 0 {
		return at, fmt.Errorf("%q is %v, which is no position", positionKey, o[positionKey])
	}
	at.Position = position
	if inode, ok := o.Int64(inodeKey); ok {
		at.Inode = uint64(inode)
	}
	if text, ok := o.Text(printKey); ok {
		if at.Print, err = tail.ParsePrint(text); err != nil {
			return at, fmt.Errorf("%q: %w", printKey, err)
		}
	}
	return at, nil
}

// Poll takes what there is from the next file that has something. The SDK waits between two calls that gave nothing.
func (t *task) Poll(ctx context.Context, out *connect.Batch) error {
	if t.stream != nil {
		return t.pollStream(ctx, out)
	}
	now := time.Now()
	if len(t.cfg.Files) > 0 && now.After(t.nextScan) {
		if err := t.scan(ctx, now); err != nil {
			return err
		}
	}
	for range t.files {
		f := t.files[t.next%len(t.files)]
		t.next++
		if err := t.take(now, f, out); err != nil || out.Len() > 0 || ctx.Err() != nil {
			return err
		}
	}
	return nil
}

// take appends up to a batch of lines of one file.
func (t *task) take(now time.Time, f *followed, out *connect.Batch) error {
	for out.Len() < int(t.cfg.BatchSize) && !out.Full() {
		chunk, status, err := f.Next(now, int(t.cfg.BatchSize)-out.Len())
		if err != nil {
			return explain(f.Path(), err)
		}
		if status != tail.Ready {
			f.note(status, now)
			return nil
		}
		if err := t.enc.append(out, source{t.cfg.Topic, f.Path(), f.partition, t.offsetSchema(f)}, chunk); err != nil {
			return err
		}
	}
	return nil
}

func (f *followed) note(status tail.Status, now time.Time) {
	switch {
	case status != tail.Missing:
		f.missing = time.Time{}
	case f.missing.IsZero():
		f.missing = now
	}
}

// offsetSchema decides whether a position is enough to find the place again.
func (t *task) offsetSchema(f *followed) *data.Schema {
	if t.cfg.Identity == "always" || t.cfg.Identity == "auto" && (len(t.cfg.Files) > 0 || f.Rotates()) {
		return fullOffset
	}
	return kafkaOffset
}

// pollStream waits for input, because a pipe tells when there is something.
func (t *task) pollStream(ctx context.Context, out *connect.Batch) error {
	for out.Len() < int(t.cfg.BatchSize) && !out.Full() {
		chunk, status, err := t.stream.Next(int(t.cfg.BatchSize) - out.Len())
		switch {
		case errors.Is(err, io.EOF):
			return connect.ErrEndOfInput
		case err != nil:
			return explain(t.streamPath, err)
		case status == tail.Ready:
			if err := t.enc.append(out, source{t.cfg.Topic, t.streamPath, nil, nil}, chunk); err != nil {
				return err
			}
			continue
		}
		if out.Len() > 0 {
			select {
			case block, open := <-t.stream.Blocks():
				t.stream.Feed(block, open)
				continue
			default:
				return nil
			}
		}
		select {
		case block, open := <-t.stream.Blocks():
			t.stream.Feed(block, open)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (t *task) Stop(context.Context) error {
	for _, f := range t.files {
		f.Close()
	}
	return nil
}

// explain names the file and the remedy, and says whether it may pass by itself.
func explain(path string, err error) error {
	var tooLong *tail.LineTooLongError
	var read *tail.ReadError
	switch {
	case errors.As(err, &tooLong):
		return fmt.Errorf("%s: %w; raise the key \"line.max.bytes\" (and the limits of the topic), or set \"line.too.long\" to truncate, split or skip",
			path, err)
	case errors.As(err, &read) && read.Retry:
		return connect.Retriable(err, 0)
	case errors.Is(err, fs.ErrInvalid):
		return fmt.Errorf("%s: %w", path, err)
	}
	return err
}
