package deadletter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tailrace/tailrace/host/kafka"
)

// ProgressTopic is where it is noted which letters of a topic were replayed.
func ProgressTopic(topic string) string { return topic + "-replayed" }

// note is a record of the progress topic: letters of one partition, as ranges of
// offsets, both ends included.
type note struct {
	At        time.Time  `json:"at"`
	Partition int32      `json:"partition"`
	Offsets   [][2]int64 `json:"offsets"`
}

// progress is which letters were replayed, by partition, as ranges in order.
type progress map[int32][][2]int64

func (p progress) has(partition int32, offset int64) bool {
	_, found := slices.BinarySearchFunc(p[partition], offset, func(r [2]int64, offset int64) int {
		switch {
		case r[1] < offset:
			return -1
		case r[0] > offset:
			return 1
		}
		return 0
	})
	return found
}

// add keeps the ranges in order and joins those that touch.
func (p progress) add(partition int32, ranges ...[2]int64) {
	list := append(p[partition], ranges...)
	slices.SortFunc(list, func(a, b [2]int64) int { return int(min(max(a[0]-b[0], -1), 1)) })
	joined := list[:0]
	for _, r := range list {
		if n := len(joined); n > 0 && r[0] <= joined[n-1][1]+1 {
			joined[n-1][1] = max(joined[n-1][1], r[1])
			continue
		}
		joined = append(joined, r)
	}
	p[partition] = joined
}

// readProgress reads what was noted; a topic that does not exist has nothing.
func readProgress(ctx context.Context, cfg kafka.ClientConfig, topic string) (progress, error) {
	cfg.Consumer.IsolationLevel = "read_committed"
	p := progress{}
	err := kafka.Scan(ctx, cfg, ProgressTopic(topic), nil, func(r kafka.ScannedRecord) error {
		var n note
		if err := json.Unmarshal(r.Value, &n); err != nil {
			return fmt.Errorf("record %d of topic %s is no note of a replay: %w", r.Offset, ProgressTopic(topic), err)
		}
		p.add(n.Partition, n.Offsets...)
		return nil
	})
	if errors.Is(err, kafka.ErrUnknownTopic) {
		return p, nil
	}
	return p, err
}

// ensureProgressTopic creates the topic, which keeps its records for ever.
func ensureProgressTopic(ctx context.Context, admin *kafka.Admin, topic string) error {
	found, err := admin.Topics(ctx, topic, ProgressTopic(topic))
	if err != nil {
		return err
	}
	if _, exists := found[ProgressTopic(topic)]; exists {
		return nil
	}
	letters, exists := found[topic]
	if !exists {
		return fmt.Errorf("there is no topic %s", topic)
	}
	err = admin.CreateTopic(ctx, kafka.NewTopic{
		Name: ProgressTopic(topic), Partitions: 1, ReplicationFactor: int16(letters.ReplicationFactor),
		Configs: map[string]string{"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"},
	})
	if errors.Is(err, kafka.ErrTopicExists) {
		return nil
	}
	return err
}

// noted makes the records for the progress topic.
func noted(topic string, letters []Letter) ([]kafka.OutRecord, error) {
	done := progress{}
	for _, l := range letters {
		done.add(l.Partition, [2]int64{l.Offset, l.Offset})
	}
	var records []kafka.OutRecord
	for partition, ranges := range done {
		text, err := json.Marshal(note{time.Now().UTC(), partition, ranges})
		if err != nil {
			return nil, err
		}
		records = append(records, kafka.OutRecord{Topic: ProgressTopic(topic), Partition: 0, TimestampMillis: -1, Value: text})
	}
	return records, nil
}
