package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TailRecord is a record with its place. Its slices belong to the receiver.
type TailRecord struct {
	TopicPartition
	Offset        int64
	TimestampType TimestampType
	FoundRecord
}

// Tail reads the ends of topics, without a group: nothing is committed and nobody loses a
// partition. One goroutine uses it.
type Tail struct {
	cl     *kgo.Client
	health health
	back   int
	ends   map[TopicPartition]int64 // not yet reached
}

const opTail = "read the end of topic"

// Bounds of one look at the end of topics (I-4).
const (
	maxTailRecords = 10_000
	maxTailBytes   = 16 << 20
	// tailQuiet ends a look when nothing more comes: what is missing was compacted away.
	tailQuiet = 2 * time.Second
)

// OpenTail finds the ends of the topics. cfg is a ConsumerClient; its group settings are not used.
// back is how many records before the end of each partition are read. The caller closes it.
func OpenTail(ctx context.Context, cfg ClientConfig, topics []string, back int) (*Tail, error) {
	if cfg.Kind != ConsumerClient {
		return nil, &Error{Op: opTail, cause: fmt.Errorf("the configuration is for a %s", cfg.Kind)}
	}
	t := &Tail{ends: map[TopicPartition]int64{}}
	base := cfg
	base.Kind = AdminClient // without the options of a group
	cl, err := kgo.NewClient(append(base.options(&t.health), cfg.Consumer.logOptions()...)...)
	if err != nil {
		return nil, newError(opTail, "", err)
	}
	t.cl = cl
	if err := t.begin(ctx, topics, back, cfg.Consumer.IsolationLevel == "read_committed"); err != nil {
		cl.Close()
		return nil, err
	}
	return t, nil
}

func (t *Tail) begin(ctx context.Context, topics []string, back int, committedOnly bool) error {
	var partitions []TopicPartition
	for _, topic := range topics {
		numbers, err := partitionsOf(ctx, t.cl, topic)
		if err != nil {
			return err
		}
		for _, p := range numbers {
			partitions = append(partitions, TopicPartition{topic, p})
		}
	}
	starts, err := listOffsets(ctx, t.cl, partitions, earliestOffset, false)
	if err != nil {
		return err
	}
	ends, err := listOffsets(ctx, t.cl, partitions, latestOffset, committedOnly)
	if err != nil {
		return err
	}
	t.back = max(0, back)
	if n := len(partitions); n > 0 {
		t.back = min(t.back, max(1, maxTailRecords/n))
	}
	from := map[string]map[int32]kgo.Offset{}
	for tp, end := range ends {
		at := max(starts[tp], end-int64(t.back))
		if at < end {
			t.ends[tp] = end
		}
		if from[tp.Topic] == nil {
			from[tp.Topic] = map[int32]kgo.Offset{}
		}
		from[tp.Topic][tp.Partition] = kgo.NewOffset().At(at)
	}
	t.cl.AddConsumePartitions(from)
	return nil
}

// Last reads to the ends found by OpenTail and gives the newest records, in the order of time. It is
// called once, before Next.
func (t *Tail) Last(ctx context.Context) ([]TailRecord, error) {
	var out []TailRecord
	bytes := 0
	for len(t.ends) > 0 && bytes < maxTailBytes {
		quiet, cancel := context.WithTimeout(ctx, tailQuiet)
		found, err := t.poll(quiet)
		nothing := len(found) == 0 && quiet.Err() != nil
		cancel()
		if err = errors.Join(err, ctx.Err()); err != nil {
			return out, err
		}
		if nothing {
			break
		}
		for i := range found {
			bytes += len(found[i].Key) + len(found[i].Value)
		}
		out = append(out, found...)
	}
	slices.SortStableFunc(out, func(a, b TailRecord) int {
		return cmp.Or(cmp.Compare(a.TimestampMillis, b.TimestampMillis), cmp.Compare(a.Offset, b.Offset))
	})
	return out[max(0, len(out)-t.back):], nil
}

// Next waits for records that are written from now on; none when ctx ends before.
func (t *Tail) Next(ctx context.Context) ([]TailRecord, error) {
	for {
		found, err := t.poll(ctx)
		if err != nil || len(found) > 0 || ctx.Err() != nil {
			return found, err
		}
	}
}

// poll waits for the next answer; records of transactions' ends are left out.
func (t *Tail) poll(ctx context.Context) ([]TailRecord, error) {
	fetches := t.cl.PollRecords(ctx, maxTailRecords)
	var failed error
	fetches.EachError(func(topic string, partition int32, err error) {
		var lost *kgo.ErrDataLoss
		if failed == nil && !errors.As(err, &lost) && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
			failed = newError(opTail, TopicPartition{topic, partition}.String(), err)
		}
	})
	var out []TailRecord
	fetches.EachRecord(func(r *kgo.Record) {
		tp := TopicPartition{r.Topic, r.Partition}
		if end, waiting := t.ends[tp]; waiting && r.Offset+1 >= end {
			delete(t.ends, tp)
		}
		if r.Attrs.IsControl() {
			return
		}
		found := TailRecord{
			TopicPartition: tp, Offset: r.Offset, TimestampType: NoTimestamp,
			FoundRecord: FoundRecord{r.Key, r.Value, Headers{r.Headers}, r.Timestamp.UnixMilli()},
		}
		switch r.Attrs.TimestampType() {
		case 0:
			found.TimestampType = CreateTime
		case 1:
			found.TimestampType = LogAppendTime
		}
		out = append(out, found)
	})
	return out, failed
}

// Close frees the connections.
func (t *Tail) Close() {
	t.health.close()
	t.cl.Close()
}
