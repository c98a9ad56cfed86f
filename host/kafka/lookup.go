package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
)

// FoundRecord is a record that was read by its coordinates. Its slices belong to the receiver.
type FoundRecord struct {
	Key, Value      []byte
	Headers         Headers
	TimestampMillis int64
}

// Lookup reads single records by their coordinates, one partition after the
// other. cfg is a ConsumerClient; its group settings are not used. Records that
// do not exist any more are missing from the calls of found, which come in the
// order of offsets. It reads what lies between the offsets too, so they should be near each other.
func Lookup(ctx context.Context, cfg ClientConfig, wanted map[TopicPartition][]int64, found func(TopicPartition, int64, FoundRecord)) error {
	const op = "read records again"
	if cfg.Kind != ConsumerClient {
		return &Error{Op: op, cause: fmt.Errorf("the configuration is for a %s", cfg.Kind)}
	}
	base := cfg
	base.Kind = AdminClient // without the options of a group
	h := new(health)
	defer h.close()
	cl, err := kgo.NewClient(append(base.options(h), cfg.Consumer.logOptions()...)...)
	if err != nil {
		return newError(op, "", err)
	}
	defer cl.Close()
	for tp, offsets := range wanted {
		sorted := slices.Sorted(slices.Values(offsets))
		if err := lookup(ctx, cl, tp, sorted, found); err != nil {
			return newError(op, tp.String(), err)
		}
	}
	return nil
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
