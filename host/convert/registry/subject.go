package registry

import (
	"strings"

	"github.com/tailrace/tailrace/host/convert/javaerr"
)

// strategy derives a subject.
type strategy uint8

const (
	byTopic strategy = iota
	byRecord
	byTopicRecord
)

var strategies = map[string]strategy{"TopicNameStrategy": byTopic, "RecordNameStrategy": byRecord, "TopicRecordNameStrategy": byTopicRecord}

func parseStrategy(props map[string]string, isKey bool) (strategy, error) {
	name := "value.subject.name.strategy"
	if isKey {
		name = "key.subject.name.strategy"
	}
	class := strings.TrimSpace(props[name])
	if class == "" {
		return byTopic, nil
	}
	simple := class[strings.LastIndexByte(class, '.')+1:]
	s, ok := strategies[simple]
	if !ok {
		return 0, javaerr.Config("%s %s is not supported; use TopicNameStrategy, RecordNameStrategy or TopicRecordNameStrategy", name, class)
	}
	return s, nil
}

// Subject is the subject of a schema: <topic>-key or <topic>-value, the
// record's full name, or <topic>-<full name>. record is "" for a schema without
// a name of its own, which only the first strategy takes.
func (c *Config) Subject(topic, record string) (string, error) {
	switch {
	case c.subjects == byTopic && c.IsKey:
		return topic + "-key", nil
	case c.subjects == byTopic:
		return topic + "-value", nil
	case record == "":
		what := "value"
		if c.IsKey {
			what = "key"
		}
		return "", &javaerr.Error{
			Class:   javaerr.SerializationException,
			Message: "In configuration, the strategy for the " + what + " subject name takes a schema with a name (a record); for others use TopicNameStrategy",
		}
	case c.subjects == byRecord:
		return record, nil
	}
	return topic + "-" + record, nil
}

// NeedsRecord tells that a subject cannot be known without the record's name.
func (c *Config) NeedsRecord() bool { return c.subjects != byTopic }
