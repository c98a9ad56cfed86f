package index

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// maxNameBytes is the longest name that Elasticsearch takes.
const maxNameBytes = 255

// Format makes index names: text with ${topic} and ${timestamp} in it.
type Format struct {
	text string
	// day is the layout of ${timestamp} for package time.
	layout string
}

// NewFormat checks a format and a pattern of Java's date letters for ${timestamp}.
func NewFormat(text, pattern string) (Format, error) {
	if rest := strings.NewReplacer("${topic}", "", "${timestamp}", "").Replace(text); strings.Contains(rest, "${") {
		return Format{}, errors.New("only ${topic} and ${timestamp} can be filled in")
	}
	layout, err := javaLayout(pattern)
	if err != nil {
		return Format{}, err
	}
	return Format{text: text, layout: layout}, nil
}

// javaLayout turns a date pattern of Java into one of package time.
func javaLayout(pattern string) (string, error) {
	var out strings.Builder
	for i := 0; i < len(pattern); {
		c := pattern[i]
		n := 1
		for i+n < len(pattern) && pattern[i+n] == c {
			n++
		}
		run := pattern[i : i+n]
		i += n
		layout, ok := map[string]string{"yyyy": "2006", "yy": "06", "MM": "01", "dd": "02", "HH": "15", "mm": "04"}[run]
		switch {
		case ok:
			out.WriteString(layout)
		case strings.ContainsAny(run, "-._"):
			out.WriteString(run)
		default:
			return "", fmt.Errorf("%q is none of yyyy, yy, MM, dd, HH, mm, '-', '.' and '_'", run)
		}
	}
	return out.String(), nil
}

// Dated tells whether names depend on the record's time.
func (f Format) Dated() bool { return strings.Contains(f.text, "${timestamp}") }

// Period is the part of a timestamp that names depend on, as text.
func (f Format) Period(millis int64) string { return time.UnixMilli(millis).UTC().Format(f.layout) }

// Name is the index for a topic and a Period. Like Confluent's connector it writes the topic in small letters and drops a
// leading '-' or '_', which Elasticsearch refuses.
func (f Format) Name(topic, period string) (string, error) {
	return Clean(strings.NewReplacer("${topic}", topic, "${timestamp}", period).Replace(f.text))
}

// Clean makes a valid name of a text, or says why it cannot.
func Clean(text string) (string, error) {
	name := strings.TrimLeft(strings.ToLower(text), "-_+")
	if len(name) > maxNameBytes {
		name = name[:maxNameBytes]
	}
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "\\/*?\"<>| ,#:") {
		return "", fmt.Errorf("%q cannot be the name of an index: Elasticsearch does not take it; rename with the key index.name.format or a RegexRouter transform", text)
	}
	return name, nil
}

// maxStreamPartBytes is the longest dataset or namespace.
const maxStreamPartBytes = 100

// StreamName is the data stream for a topic: type-dataset-namespace.
func StreamName(kind, dataset, namespace, topic string) (string, error) {
	part := func(s string) string {
		s = strings.ToLower(strings.ReplaceAll(s, "${topic}", topic))
		return s[:min(len(s), maxStreamPartBytes)]
	}
	return Clean(strings.ToLower(kind) + "-" + part(dataset) + "-" + part(namespace))
}
