package transform

import (
	"github.com/tailrace/tailrace/host/config"
)

// hasHeaderKey holds for records with a header of the name.
type hasHeaderKey struct{ name string }

func newHasHeaderKey(v config.Values) (test, error) { return &hasHeaderKey{v.Text("name")}, nil }

func (p *hasHeaderKey) test(r *Record) (bool, error) {
	list, err := r.Headers.All()
	if err != nil {
		return false, err
	}
	for i := range list {
		if list[i].Name == p.name {
			return true, nil
		}
	}
	return false, nil
}

// recordIsTombstone holds for records with a null value.
type recordIsTombstone struct{}

func (recordIsTombstone) test(r *Record) (bool, error) { return r.Value.IsNull(), nil }

// topicNameMatches holds for records whose whole topic name matches.
type topicNameMatches struct {
	pattern *javaRegex
	known   memo[bool]
}

func newTopicNameMatches(v config.Values) (test, error) {
	re, err := compileJavaRegex(v.Text("pattern"))
	if err != nil {
		return nil, err
	}
	return &topicNameMatches{pattern: re}, nil
}

func (p *topicNameMatches) test(r *Record) (bool, error) {
	return p.known.get(r.Topic, func(topic string) (bool, error) { return p.pattern.matches(topic) })
}
