package worker

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/plugin"
	"github.com/tailrace/tailrace/host/task"
)

// previewCreditBytes is how much a source may send: what is collected is never acknowledged.
const previewCreditBytes = 2 << 20

// previewSource runs the first task of a source with a producer that only collects. Nothing is
// acknowledged, so the task is never told that a record is safe.
func (r *runner) previewSource(ctx context.Context, s *share, request PreviewRequest) (Preview, error) {
	steps := r.previewSteps(s)
	defer steps.close()
	converters, err := newConverters(s.connector, quiet, steps.build)
	if err != nil {
		return Preview{}, err
	}
	held, err := r.acquire(ctx)
	if err != nil {
		return Preview{}, err
	}
	defer held.Release()
	stream, err := held.OpenConnector(ctx, plugin.ConnectorStart{
		Epoch: r.w.epochs.Add(1), Connector: s.resolved.Connector.Name, Name: request.Name,
		Config: s.connector.Resolution.Props, LogLevel: r.w.cfg.LogLevel(r.name), Offsets: task.OffsetReader(request.Name, noOffsets{}),
	})
	if err != nil {
		return failedPreview(err), nil
	}
	defer stream.Close()
	configs, err := stream.TaskConfigs(ctx, s.connector.TasksMax)
	switch {
	case err != nil:
		return failedPreview(err), nil
	case len(configs) == 0:
		return Preview{Ended: "end", Failure: "the connector made no tasks: there is nothing to read"}, nil
	}
	runCtx, cancel := context.WithTimeout(ctx, request.Time)
	defer cancel()
	collector := &previewProducer{got: collected{limit: request.Records}, stop: cancel}
	source := task.NewSource(task.SourceConfig{
		ID: task.ID{Connector: request.Name}, ConnectorType: s.resolved.Connector.Name, Config: configs[0], Epoch: r.w.epochs.Add(1),
		LogLevel: r.w.cfg.LogLevel(r.name), CreditBytes: previewCreditBytes,
		Open: func(ctx context.Context, start plugin.SourceStart) (task.SourceStream, error) {
			stream, err := held.OpenSource(ctx, start)
			if err != nil {
				return nil, err
			}
			return stream, nil
		},
		Converters: converters, Producer: collector, Offsets: noOffsets{}, Errors: errorPolicy(s.connector.Errors),
		Timing:   task.Timing{OffsetFlushInterval: time.Hour, GracefulTimeout: r.w.cfg.Settings.TaskShutdownTimeout},
		Listener: noListener{}, Logger: quiet,
	})
	err = source.Run(runCtx)
	return collector.preview(runCtx, s, source.Snapshot(), err), nil
}

func failedPreview(err error) Preview { return Preview{Ended: "failed", Failure: err.Error()} }

// previewProducer collects what would be produced.
type previewProducer struct {
	stop context.CancelFunc

	mu  sync.Mutex
	got collected
}

var _ task.Producer = (*previewProducer)(nil)

func (*previewProducer) NewBatch(records int) *kafka.Batch { return kafka.NewDetachedBatch(records) }

// Produce keeps the records and answers nothing, so that nothing is committed; only a batch of which
// transforms left no record is answered, because its credit would be missed.
func (p *previewProducer) Produce(_ context.Context, b *kafka.Batch, done func(kafka.BatchResult)) {
	if b.Len() == 0 {
		done(kafka.BatchResult{})
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range b.Len() {
		if !p.got.add(producedRecord(b.At(i))) {
			p.stop()
			return
		}
	}
}

// LearnTopicLimit implements task.Producer; nothing is sent.
func (*previewProducer) LearnTopicLimit(context.Context, string) error { return nil }

// RecordLimit implements task.Producer; nothing is sent.
func (*previewProducer) RecordLimit(string) (bytes int64, setting string) { return math.MaxInt64, "" }

func (*previewProducer) Health() kafka.Health { return kafka.Health{} }

func (*previewProducer) Close(context.Context) error { return nil }

func producedRecord(b kafka.BatchRecord) PreviewRecord {
	out := PreviewRecord{Topic: b.Topic, Key: rawPart(b.Key), Value: rawPart(b.Value), Headers: []PreviewHeader{}}
	if b.Partition != kafka.PartitionAny {
		out.Partition = &b.Partition
	}
	if b.TimestampMillis != kafka.TimestampNow {
		out.Timestamp = &b.TimestampMillis
	}
	for i := range b.Headers.Len() {
		name, value := b.Headers.At(i)
		out.Headers = append(out.Headers, PreviewHeader{name, rawPart(value)})
	}
	return out
}

// preview says how it ended.
func (p *previewProducer) preview(ctx context.Context, s *share, snap task.Snapshot, err error) Preview {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := Preview{Records: p.got.records, Ended: p.got.full(), Dropped: snap.Filtered, Skipped: snap.Skipped}
	switch {
	case out.Ended != "":
	case errors.Is(context.Cause(ctx), context.DeadlineExceeded):
		out.Ended = "time"
		if snap.LastError != "" {
			out.Failure = s.masker.Text(snap.LastError)
		}
	case err != nil:
		out.Ended, out.Failure = "failed", s.masker.Error(err).Error()
	default:
		out.Ended = "end"
	}
	return out
}

// noListener hears nothing.
type noListener struct{}

var _ task.Listener = noListener{}

func (noListener) StateChanged(task.ID, task.State, error) {}
func (noListener) TopicUsed(task.ID, string)               {}
func (noListener) Retrying(task.ID, error, time.Duration)  {}
func (noListener) Measured(task.ID, []plugin.Metric)       {}
