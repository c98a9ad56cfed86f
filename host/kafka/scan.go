package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// ScannedRecord is a record of a scan. Its slices belong to the receiver.
type ScannedRecord struct {
	Partition int32
	Offset    int64
	FoundRecord
}

// ErrStopScan is what the function of a scan returns to end it without an error.
var ErrStopScan = errors.New("the scan is to stop")

// Scan reads a topic from its beginning (or from the offsets given) to where it ends
// when Scan is called, without a group. Records of one partition come in order. cfg is a
// ConsumerClient; its group settings are not used, its isolation.level is: with read_committed it waits for
// transactions that are open.
func Scan(ctx context.Context, cfg ClientConfig, topic string, from map[int32]int64, each func(ScannedRecord) error) error {
	const op = "read topic"
	if cfg.Kind != ConsumerClient {
		return &Error{Op: op, Subject: topic, cause: fmt.Errorf("the configuration is for a %s", cfg.Kind)}
	}
	base := cfg
	base.Kind = AdminClient // without the options of a group
	h := new(health)
	defer h.close()
	cl, err := base.newClient(h, cfg.Consumer.logOptions()...)
	if err != nil {
		return newError(op, topic, err)
	}
	defer cl.Close()
	left, start, err := scanRange(ctx, cl, topic, from)
	if err != nil {
		return newError(op, topic, err)
	}
	cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: start})
	for len(left) > 0 {
		fetches := cl.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := fetches.Err(); err != nil {
			return newError(op, topic, err)
		}
		for it := fetches.RecordIter(); !it.Done(); {
			r := it.Next()
			end, open := left[r.Partition]
			if !open {
				continue
			}
			if r.Offset < end && !r.Attrs.IsControl() {
				err := each(ScannedRecord{r.Partition, r.Offset, FoundRecord{r.Key, r.Value, Headers{r.Headers}, r.Timestamp.UnixMilli()}})
				if errors.Is(err, ErrStopScan) {
					return nil
				}
				if err != nil {
					return err
				}
			}
			if r.Offset+1 >= end {
				delete(left, r.Partition)
			}
		}
	}
	return nil
}

// scanRange gives the ends of the partitions that have something to read, and where to begin.
func scanRange(ctx context.Context, cl *kgo.Client, topic string, from map[int32]int64) (left map[int32]int64, start map[int32]kgo.Offset, err error) {
	numbers, err := partitionsOf(ctx, cl, topic)
	if err != nil {
		return nil, nil, err
	}
	partitions := make([]TopicPartition, len(numbers))
	for i, n := range numbers {
		partitions[i] = TopicPartition{topic, n}
	}
	begins, err := listOffsets(ctx, cl, partitions, earliestOffset, false)
	if err != nil {
		return nil, nil, err
	}
	// That of all records: a transaction that was just committed is not seen as such at once, and would be missing.
	ends, err := listOffsets(ctx, cl, partitions, latestOffset, false)
	if err != nil {
		return nil, nil, err
	}
	left, start = map[int32]int64{}, map[int32]kgo.Offset{}
	for _, tp := range partitions {
		at := max(begins[tp], from[tp.Partition])
		if at < ends[tp] {
			left[tp.Partition], start[tp.Partition] = ends[tp], kgo.NewOffset().At(at)
		}
	}
	return left, start, nil
}
