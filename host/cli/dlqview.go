package cli

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// letterView is a letter for programs. What is not known is left out.
type letterView struct {
	Partition       int32              `json:"partition"`
	Offset          int64              `json:"offset"`
	Time            time.Time          `json:"time"`
	Replayed        bool               `json:"replayed"`
	Connector       string             `json:"connector,omitempty"`
	Task            string             `json:"task,omitempty"`
	Topic           string             `json:"topic,omitempty"`
	OriginPartition *int32             `json:"origin_partition,omitempty"`
	OriginOffset    *int64             `json:"origin_offset,omitempty"`
	SourcePartition json.RawMessage    `json:"source_partition,omitempty"`
	SourceOffset    json.RawMessage    `json:"source_offset,omitempty"`
	Stage           string             `json:"stage,omitempty"`
	Class           string             `json:"class,omitempty"`
	Transform       string             `json:"transform,omitempty"`
	Error           string             `json:"error,omitempty"`
	Message         string             `json:"message,omitempty"`
	Trace           string             `json:"trace,omitempty"`
	Form            string             `json:"form,omitempty"`
	Cut             string             `json:"cut,omitempty"`
	CutReason       string             `json:"cut_reason,omitempty"`
	Key             *bytesView         `json:"key"`
	Value           *bytesView         `json:"value"`
	Headers         []letterHeaderView `json:"headers,omitempty"`
}

type letterHeaderView struct {
	Name  string     `json:"name"`
	Value *bytesView `json:"value"`
}

// bytesView is text where the bytes are UTF-8, otherwise base64.
type bytesView struct {
	Text   *string `json:"text,omitempty"`
	Base64 *string `json:"base64,omitempty"`
}

func viewOfBytes(b []byte) *bytesView {
	if b == nil {
		return nil
	}
	if utf8.Valid(b) {
		text := string(b)
		return &bytesView{Text: &text}
	}
	text := base64.StdEncoding.EncodeToString(b)
	return &bytesView{Base64: &text}
}

func viewOf(l *Letter) letterView {
	v := letterView{
		Partition: l.Partition, Offset: l.Offset, Time: l.Time, Replayed: l.Replayed, Connector: l.Connector, Task: l.Task, Topic: l.Topic,
		Stage: l.Stage, Class: l.Class, Transform: l.Transform, Error: l.Error, Message: l.Message, Trace: l.Trace, Form: l.Form, Cut: l.Cut, CutReason: l.CutReason,
		Key: viewOfBytes(l.Key), Value: viewOfBytes(l.Value),
	}
	if l.OriginPartition >= 0 {
		v.OriginPartition = &l.OriginPartition
	}
	if l.OriginOffset >= 0 {
		v.OriginOffset = &l.OriginOffset
	}
	if json.Valid([]byte(l.SourcePartition)) {
		v.SourcePartition = json.RawMessage(l.SourcePartition)
	}
	if json.Valid([]byte(l.SourceOffset)) {
		v.SourceOffset = json.RawMessage(l.SourceOffset)
	}
	for _, h := range l.Headers {
		v.Headers = append(v.Headers, letterHeaderView{h.Name, viewOfBytes(h.Value)})
	}
	return v
}

// letter shows a letter to a person.
func (p *printer) letter(l *Letter) {
	line := func(name, text string) {
		if text != "" {
			p.line("%-12s %s", name, text)
		}
	}
	line("letter", fmt.Sprintf("%d:%d, %s", l.Partition, l.Offset, l.Time.Format(time.RFC3339Nano)))
	line("task", l.Connector+"-"+l.Task)
	line("record", l.where())
	line("offset", l.SourceOffset)
	line("failed in", strings.TrimSpace(l.step()+" "+l.Class))
	line("form", l.Form)
	line("left out", l.Cut)
	line("because", l.CutReason)
	if l.Replayed {
		line("replayed", "yes")
	}
	trace := l.Trace
	if trace == "" {
		trace = l.Error + ": " + l.Message
	}
	p.line("\n%s", strings.TrimSpace(trace))
	p.line("")
	line("key", readableBytes(l.Key))
	line("value", readableBytes(l.Value))
	for _, h := range l.Headers {
		line("header", h.Name+" = "+readableBytes(h.Value))
	}
}

// readableBytes is JSON on several lines, text, or hexadecimal digits.
func readableBytes(b []byte) string {
	switch {
	case b == nil:
		return "null"
	case !utf8.Valid(b):
		return fmt.Sprintf("%d bytes: %x", len(b), b)
	case json.Valid(b):
		var v json.RawMessage = b
		if pretty, err := json.MarshalIndent(v, "", "  "); err == nil {
			return string(pretty)
		}
	}
	return string(b)
}
