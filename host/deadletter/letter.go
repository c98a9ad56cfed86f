package deadletter

import (
	"bytes"
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/tailrace/tailrace/host/kafka"
)

// Letter is a dead letter. What its headers do not tell is empty.
type Letter struct {
	// Partition, Offset and Time are those of the letter itself.
	Partition int32
	Offset    int64
	Time      time.Time
	// Topic is where the record was (sink) or was to go (source). OriginPartition and
	// OriginOffset are -1 where they are not told.
	Topic           string
	OriginPartition int32
	OriginOffset    int64

	Connector, Task         string
	Stage, Class, Transform string
	Error, Message, Trace   string
	// Form is that of a source's letter, "" for a sink's; SourcePartition and SourceOffset are JSON.
	Form, SourcePartition, SourceOffset string
	// Cut names the parts that were left out because the letter was too large for its topic, "" for a whole one.
	Cut, CutReason string

	Key, Value []byte
	// Headers are the record's own.
	Headers kafka.Headers
	// Replayed tells that the letter was replayed.
	Replayed bool
}

// The prefixes of headers about the failure, see docs/dead-letters.md.
const (
	connectPrefix = "__connect.errors."
	ownPrefix     = "__tailrace.errors."
)

// parse reads the headers. A letter of a letter has some of them twice: the last ones tell
// of the last failure.
func parse(r kafka.ScannedRecord) Letter {
	l := Letter{
		Partition: r.Partition, Offset: r.Offset, Time: time.UnixMilli(r.TimestampMillis).UTC(),
		OriginPartition: kafka.PartitionAny, OriginOffset: -1, Key: r.Key, Value: r.Value,
	}
	for i := range r.Headers.Len() {
		name, value := r.Headers.At(i)
		text := string(value)
		switch {
		case strings.HasPrefix(name, connectPrefix):
			l.connect(name[len(connectPrefix):], text)
		case strings.HasPrefix(name, ownPrefix):
			l.own(name[len(ownPrefix):], text)
		default:
			l.Headers.Add(name, value)
		}
	}
	return l
}

func (l *Letter) connect(name, text string) {
	switch name {
	case "topic":
		l.Topic = text
	case "partition":
		if n, err := strconv.ParseInt(text, 10, 32); err == nil {
			l.OriginPartition = int32(n)
		}
	case "offset":
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			l.OriginOffset = n
		}
	case "connector.name":
		l.Connector = text
	case "task.id":
		l.Task = text
	case "stage":
		l.Stage = text
	case "class.name":
		l.Class = text
	case "exception.class.name":
		l.Error = text
	case "exception.message":
		l.Message = text
	case "exception.stacktrace":
		l.Trace = text
	}
}

func (l *Letter) own(name, text string) {
	switch name {
	case "form":
		l.Form = text
	case "cut":
		l.Cut = text
	case "cut.reason":
		l.CutReason = text
	case "transform":
		l.Transform = text
	case "source.partition":
		l.SourcePartition = text
	case "source.offset":
		l.SourceOffset = text
	}
}

// Read hands over every letter of the topic that the filter takes, in order.
func Read(ctx context.Context, cfg kafka.ClientConfig, topic string, f Filter, each func(Letter) error) error {
	done, err := readProgress(ctx, cfg, topic)
	if err != nil {
		return err
	}
	return read(ctx, cfg, topic, f, done, each)
}

func read(ctx context.Context, cfg kafka.ClientConfig, topic string, f Filter, done progress, each func(Letter) error) error {
	return kafka.Scan(ctx, cfg, topic, nil, func(r kafka.ScannedRecord) error {
		l := parse(r)
		l.Replayed = done.has(l.Partition, l.Offset)
		ok, err := f.takes(&l)
		if err != nil || !ok {
			return err
		}
		return each(l)
	})
}

// isJSON reports whether bytes look like a JSON value that is worth reading.
func isJSON(raw []byte) bool {
	raw = bytes.TrimSpace(raw)
	return len(raw) > 0 && strings.IndexByte("{[\"-0123456789tfn", raw[0]) >= 0
}
