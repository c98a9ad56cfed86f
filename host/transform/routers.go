package transform

import (
	"strings"

	"github.com/tailrace/tailrace/host/config"
)

// filter drops every record; a predicate says which.
type filter struct{}

func (filter) apply(r *Record) error {
	r.Drop()
	return nil
}

// memo remembers what was worked out for the topics of a stream, which are few.
type memo[T any] struct {
	topic string
	value T
	valid bool
	known map[string]T
}

// maxTopics bounds a memo.
const maxTopics = 1024

func (m *memo[T]) get(topic string, work func(string) (T, error)) (T, error) {
	if m.valid && m.topic == topic {
		return m.value, nil
	}
	value, ok := m.known[topic]
	if !ok {
		var err error
		if value, err = work(topic); err != nil {
			return value, err
		}
		if m.known == nil || len(m.known) >= maxTopics {
			m.known = make(map[string]T)
		}
		m.known[topic] = value
	}
	m.topic, m.value, m.valid = topic, value, true
	return value, nil
}

// regexRouter changes the topic with a regular expression.
type regexRouter struct {
	regex       *javaRegex
	replacement string
	known       memo[string]
}

func newRegexRouter(v config.Values) (step, error) {
	re, err := compileJavaRegex(v.Text("regex"))
	if err != nil {
		return nil, err
	}
	return &regexRouter{regex: re, replacement: v.Text("replacement")}, nil
}

func (t *regexRouter) apply(r *Record) error {
	topic, err := t.known.get(r.Topic, func(topic string) (string, error) {
		ok, err := t.regex.matches(topic)
		if err != nil || !ok {
			return topic, err
		}
		return t.regex.replaceFirst(topic, t.replacement)
	})
	if err == nil {
		r.Topic = topic
	}
	return err
}

// timestampRouter puts the record's time into the topic's name.
type timestampRouter struct {
	format    string
	timestamp string
	pattern   *dateFormat // nil when it is not valid
	invalid   error

	// The last answer holds for a topic and for as long as the formatted time stays.
	topic    string
	from, to int64
	answer   string
}

func newTimestampRouter(v config.Values) (step, error) {
	t := &timestampRouter{format: v.Text("topic.format"), timestamp: v.Text("timestamp.format")}
	// Kafka Connect finds a bad pattern when the first record comes.
	t.pattern, t.invalid = compileDateFormat(t.timestamp)
	return t, nil
}

func (t *timestampRouter) apply(r *Record) error {
	if r.Timestamp == NoTimestamp {
		return dataError("Timestamp missing on record: %s", r.JavaText())
	}
	if t.invalid != nil {
		return t.invalid
	}
	if r.Timestamp < t.from || r.Timestamp >= t.to || r.Topic != t.topic {
		t.topic = strings.Clone(r.Topic)
		t.from, t.to = t.pattern.span(r.Timestamp)
		t.answer = strings.ReplaceAll(strings.ReplaceAll(t.format, "${topic}", t.topic), "${timestamp}", t.pattern.format(r.Timestamp))
	}
	r.Topic = t.answer
	return nil
}
