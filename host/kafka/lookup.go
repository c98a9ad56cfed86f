package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// FoundRecord is a record that was read by its coordinates. Its slices belong to the receiver.
type FoundRecord struct {
	Key, Value      []byte
	Headers         Headers
	TimestampMillis int64
}

// Lookup reads single records by their coordinates. It connects with the first
// call of Find and stays connected. Any goroutine may use it.
type Lookup struct {
	cfg    ClientConfig
	health health

	mu     sync.Mutex
	cl     *kgo.Client // nil before the first Find
	closed bool
}

// NewLookup prepares a Lookup. cfg is a ConsumerClient; its group settings are not used.
func NewLookup(cfg ClientConfig) (*Lookup, error) {
	if cfg.Kind != ConsumerClient {
		return nil, &Error{Op: opLookup, cause: fmt.Errorf("the configuration is for a %s", cfg.Kind)}
	}
	return &Lookup{cfg: cfg}, nil
}

const opLookup = "read records again"

// Find reads the records at the offsets, one partition after the other. Records
// that do not exist any more are missing from the calls of found, which come in the
// order of offsets. It reads what lies between the offsets too, so they should be near each other.
func (l *Lookup) Find(ctx context.Context, wanted map[TopicPartition][]int64, found func(TopicPartition, int64, FoundRecord)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.connect(); err != nil {
		return newError(opLookup, "", err)
	}
	for tp, offsets := range wanted {
		sorted := slices.Sorted(slices.Values(offsets))
		if err := lookup(ctx, l.cl, tp, sorted, found); err != nil {
			return newError(opLookup, tp.String(), err)
		}
	}
	return nil
}

func (l *Lookup) connect() (err error) {
	if l.closed {
		return kgo.ErrClientClosed
	}
	if l.cl == nil {
		base := l.cfg
		base.Kind = AdminClient // without the options of a group
		l.cl, err = base.newClient(&l.health, l.cfg.Consumer.logOptions()...)
	}
	return err
}

// Close frees the connections. It waits for a Find that is under way.
func (l *Lookup) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.health.close()
	if l.cl != nil {
		l.cl.Close()
	}
}

func lookup(ctx context.Context, cl *kgo.Client, tp TopicPartition, offsets []int64, found func(TopicPartition, int64, FoundRecord)) error {
	ends, err := listOffsets(ctx, cl, []TopicPartition{tp}, latestOffset, false)
	if err != nil {
		return err
	}
	for len(offsets) > 0 && offsets[len(offsets)-1] >= ends[tp] { // cut off by a loss on the broker
		offsets = offsets[:len(offsets)-1]
	}
	if len(offsets) == 0 {
		return nil
	}
	cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{tp.Topic: {tp.Partition: kgo.NewOffset().At(offsets[0])}})
	defer cl.RemoveConsumePartitions(map[string][]int32{tp.Topic: {tp.Partition}})
	for len(offsets) > 0 {
		fetches := cl.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return err
		}
		var failed error
		fetches.EachError(func(_ string, _ int32, err error) {
			var lost *kgo.ErrDataLoss
			if !errors.As(err, &lost) && failed == nil {
				failed = err
			}
		})
		if failed != nil {
			return failed
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Topic != tp.Topic || r.Partition != tp.Partition {
				return
			}
			for len(offsets) > 0 && offsets[0] < r.Offset {
				offsets = offsets[1:] // deleted or compacted away
			}
			if len(offsets) > 0 && offsets[0] == r.Offset {
				found(tp, r.Offset, FoundRecord{r.Key, r.Value, Headers{r.Headers}, r.Timestamp.UnixMilli()})
				offsets = offsets[1:]
			}
		})
	}
	return nil
}
