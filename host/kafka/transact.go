package kafka

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// OutRecord is a record to write. A Partition of PartitionAny lets the partitioner choose;
// a negative TimestampMillis means now.
type OutRecord struct {
	Topic           string
	Partition       int32
	TimestampMillis int64
	Key, Value      []byte
	Headers         Headers
}

// Transactor writes records to several topics, all or none. One goroutine uses it.
type Transactor struct {
	p     *Producer
	known map[string]struct{} // topics whose limit was asked for
}

// NewTransactor makes a producer with a transactional id. When it returns, an earlier one
// with the same id is fenced, and what it had not committed is undone.
func NewTransactor(ctx context.Context, cfg ClientConfig, id string) (*Transactor, error) {
	p, err := newTransactional(ctx, cfg, id)
	if err != nil {
		return nil, err
	}
	return &Transactor{p: p, known: map[string]struct{}{}}, nil
}

// Write writes the records in one transaction, and returns when it is committed. The
// error is a *RecordError with the index of the record where one was refused; nothing was written then.
func (t *Transactor) Write(ctx context.Context, records []OutRecord) error {
	const op = "write a transaction as"
	for i := range records {
		if _, asked := t.known[records[i].Topic]; !asked {
			t.known[records[i].Topic] = struct{}{}
			_ = t.p.LearnTopicLimit(ctx, records[i].Topic) // without it the broker's answer has to do
		}
	}
	if err := t.p.Begin(); err != nil {
		return err
	}
	out := libraryRecords(records)
	failed := t.refusedOf(out, t.p.cl.ProduceSync(ctx, out...))
	end := kgo.TryCommit
	if failed != nil {
		end = kgo.TryAbort
	}
	if err := t.p.cl.EndTransaction(ctx, end); err != nil && failed == nil {
		failed = newError(op, t.p.transactionalID, err)
	}
	return failed
}

func libraryRecords(records []OutRecord) []*kgo.Record {
	out := make([]*kgo.Record, len(records))
	for i := range records {
		r := &records[i]
		out[i] = &kgo.Record{Topic: r.Topic, Partition: r.Partition, Key: r.Key, Value: r.Value, Headers: r.Headers.list}
		if r.TimestampMillis >= 0 {
			out[i].Timestamp = time.UnixMilli(r.TimestampMillis)
		}
	}
	return out
}

func (t *Transactor) refusedOf(out []*kgo.Record, results kgo.ProduceResults) error {
	for _, result := range results {
		if result.Err == nil {
			continue
		}
		for i := range out {
			if out[i] == result.Record {
				e := t.p.recordError(i, out[i], result.Err)
				return &e
			}
		}
		return newError("write a transaction as", t.p.transactionalID, result.Err)
	}
	return nil
}

// Close gives up a transaction that is not committed.
func (t *Transactor) Close() {
	t.p.health.close()
	t.p.cl.Close()
}
