package task

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/tailrace/tailrace/host/convert"
	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/plugin"
)

// letter is a dead letter as it is written: the original bytes, headers and timestamp,
// then the headers about the failure.
type letter struct {
	timestampMillis int64
	key, value      []byte
	own, about      kafka.Headers
	form            string // "" for none
}

func (d *DeadLetterTopic) letterOf(e *Errant) letter {
	l := letter{timestampMillis: e.TimestampMillis, key: e.Key, value: e.Value, own: e.Headers}
	if d.cfg.ContextHeaders {
		l.about = d.context(e)
		if e.Source != nil {
			addSourceHeaders(&l.about, e)
			l.form = e.Source.Form
		}
	}
	return l
}

func (l *letter) appendTo(b *kafka.Batch, topic string) {
	b.Append(topic, kafka.PartitionAny, l.timestampMillis, l.key, l.value)
	for _, list := range []kafka.Headers{l.own, l.about} {
		for i := range list.Len() {
			b.AppendHeader(list.At(i))
		}
	}
	if l.form != "" {
		b.AppendHeader(ownHeaderPrefix+"form", []byte(l.form))
	}
}

const (
	// letterFraming is the most that a letter takes beside its key, value and headers,
	// the header of its form among it.
	letterFraming = 192
	// headerFraming is the most that the lengths of a header take: two numbers of up to five bytes.
	headerFraming = 10
	// cutRoom is for the headers that say what is cut.
	cutRoom = 512
)

// bytes is the most that the letter takes as a record of its own.
func (l *letter) bytes() int64 {
	return int64(len(l.key)+len(l.value)) + headerBytes(l.own) + headerBytes(l.about) + letterFraming
}

func headerBytes(list kafka.Headers) (n int64) {
	for i := range list.Len() {
		name, value := list.At(i)
		n += int64(len(name) + len(value) + headerFraming)
	}
	return n
}

// cut leaves out the value, then the key, then the record's own headers, until the rest
// fits, and says so in headers: no letter is lost because its record is large. They are
// there without context headers too, and the form is "none", so that what is left is
// never taken for a record.
func (l *letter) cut(limit int64, reason string) {
	var left []string
	for _, part := range []struct {
		name string
		size int64
		drop func()
	}{
		{"value", int64(len(l.value)), func() { l.value = nil }},
		{"key", int64(len(l.key)), func() { l.key = nil }},
		{"headers", headerBytes(l.own), func() { l.own = kafka.Headers{} }},
	} {
		if part.size > 0 && l.bytes()+cutRoom > limit {
			part.drop()
			left = append(left, fmt.Sprintf("%s (%d bytes)", part.name, part.size))
		}
	}
	l.form = FormNone
	l.about.Add(ownHeaderPrefix+"cut", []byte(strings.Join(left, ", ")))
	l.about.Add(ownHeaderPrefix+"cut.reason", []byte(reason))
}

// tooLarge says why a letter is cut, and what to do.
func tooLarge(topic string, bytes, limit int64, setting string, source bool) string {
	text := fmt.Sprintf("the dead letter has up to %d bytes, and topic %s takes %d (%s)", bytes, topic, limit, setting)
	switch {
	case setting == "max.message.bytes":
		return text + "; raise max.message.bytes of that topic and restart the task"
	case source:
		return text + ", the largest dead letter of a source"
	}
	return text + "; raise producer.override." + setting + " of the connector and max.message.bytes of that topic"
}

// context are Kafka Connect's headers about the failure (reference section 5.6).
func (d *DeadLetterTopic) context(e *Errant) (h kafka.Headers) {
	class, message, hasMessage := cause(e.Err)
	text := func(name, value string) { h.Add(headerPrefix+name, []byte(value)) }
	text("topic", e.Topic)
	if e.Source == nil || e.Partition != kafka.PartitionAny {
		text("partition", strconv.Itoa(int(e.Partition)))
	}
	if e.Source == nil {
		text("offset", strconv.FormatInt(e.Offset, 10))
	}
	text("connector.name", d.cfg.ID.Connector)
	text("task.id", strconv.Itoa(d.cfg.ID.Task))
	text("stage", e.Stage)
	text("class.name", e.Class)
	text("exception.class.name", class)
	if hasMessage {
		text("exception.message", d.cfg.Mask(message))
	} else {
		h.Add(headerPrefix+"exception.message", nil)
	}
	text("exception.stacktrace", d.cfg.Mask(strings.TrimRight(Trace(rootOf(e.Err)), "\n")+"\n"))
	return h
}

// addSourceHeaders adds what Kafka Connect has no headers for, because its
// sources have no dead letters. Those of sinks stay equal to Kafka Connect's.
func addSourceHeaders(h *kafka.Headers, e *Errant) {
	if e.Transform != "" {
		h.Add(ownHeaderPrefix+"transform", []byte(e.Transform))
	}
	if e.Source.Partition != nil {
		h.Add(ownHeaderPrefix+"source.partition", e.Source.Partition)
		h.Add(ownHeaderPrefix+"source.offset", e.Source.Offset)
	}
}

const (
	headerPrefix    = "__connect.errors."
	ownHeaderPrefix = "__tailrace.errors."
)

// rootOf leaves out what only says where in the host an error was met, so that the
// class and the message are those that Kafka Connect would show.
func rootOf(err error) error {
	var remote *plugin.RemoteError
	if errors.As(err, &remote) {
		return remote
	}
	var conversion *convert.Error
	if errors.As(err, &conversion) {
		return conversion
	}
	var refused *kafka.RecordError
	if errors.As(err, &refused) {
		return refused
	}
	return err
}

// cause gives the class and the message of an error; a Java error need not have one.
func cause(err error) (class, message string, hasMessage bool) {
	class, message, _ = describe(rootOf(err))
	return class, message, message != ""
}
