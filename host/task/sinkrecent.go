package task

import (
	"github.com/tailrace/tailrace/host/kafka"
)

// recentFetches keeps what was read last, so that the dead letter of a record that
// the task reports soon after it got it need not be read again from Kafka. It is
// only used with a dead letter topic, and bounded by bytes (I-4). It is a value
// for one goroutine.
type recentFetches struct {
	limitBytes int64 // 0 keeps nothing
	bytes      int64
	list       []recentFetch // oldest first
}

type recentFetch struct {
	fetch *kafka.Fetch
	bytes int64
}

// keep takes over a fetch whose records were sent.
func (f *recentFetches) keep(fetch *kafka.Fetch) {
	if f.limitBytes == 0 {
		fetch.Release()
		return
	}
	n := recentFetch{fetch, fetch.Bytes()}
	f.list = append(f.list, n)
	f.bytes += n.bytes
	for len(f.list) > 0 && f.bytes > f.limitBytes {
		f.bytes -= f.list[0].bytes
		f.list[0].fetch.Release()
		f.list[0] = recentFetch{}
		f.list = f.list[1:]
	}
}

// fill completes an errant record if it is still here, or in the fetch at hand.
func (f *recentFetches) fill(current *kafka.Fetch, e *Errant) {
	if current != nil && fillFrom(current, e) {
		return
	}
	for i := len(f.list) - 1; i >= 0; i-- {
		if fillFrom(f.list[i].fetch, e) {
			return
		}
	}
}

func fillFrom(fetch *kafka.Fetch, e *Errant) bool {
	runs := fetch.Runs()
	for i := range runs {
		run := &runs[i]
		if run.Partition != e.Partition || run.Topic != e.Topic {
			continue
		}
		if at, ok := run.IndexOf(e.Offset); ok {
			e.HasRecord, e.Key, e.Value, e.Headers = true, run.Key(at), run.Value(at), run.Headers(at)
			e.TimestampMillis, e.TimestampType = run.TimestampMillis(at), run.TimestampType(at)
			return true
		}
	}
	return false
}
