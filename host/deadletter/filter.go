package deadletter

import (
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/tailrace/tailrace/host/transform/expr"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// Filter chooses letters; every part that is set must hold. The zero value takes all.
type Filter struct {
	Connector, Stage, Topic string
	// Error is a part of the exception's class or message.
	Error string
	// Headers are headers of the record itself that must have these values.
	Headers map[string]string
	// Since and Until bound the time of the letter; zero for none.
	Since, Until time.Time
	// Where is an expression over the letter.
	Where *expr.Program
}

// letterNames are what an expression may use.
var letterNames = map[string]expr.Type{
	"connector": expr.String, "task": expr.String, "stage": expr.String, "class": expr.String, "transform": expr.String,
	"error": expr.String, "message": expr.String, "topic": expr.String, "partition": expr.Int, "offset": expr.Int,
	"timestamp": expr.Timestamp, "letter": expr.Int, "replayed": expr.Any, "headers": expr.Map, "key": expr.Any, "value": expr.Any,
}

var letterEnv = sync.OnceValues(func() (*expr.Env, error) { return expr.NewEnv(letterNames) })

// Compile makes the expression of a filter.
func Compile(text string) (*expr.Program, error) {
	env, err := letterEnv()
	if err != nil {
		return nil, err
	}
	return env.Compile(text, expr.Bool, expr.DefaultCostLimit)
}

func (f *Filter) takes(l *Letter) (bool, error) {
	switch {
	case f.Connector != "" && f.Connector != l.Connector,
		f.Stage != "" && !strings.EqualFold(f.Stage, l.Stage),
		f.Topic != "" && f.Topic != l.Topic,
		f.Error != "" && !strings.Contains(l.Error, f.Error) && !strings.Contains(l.Message, f.Error),
		!f.Since.IsZero() && l.Time.Before(f.Since),
		!f.Until.IsZero() && !l.Time.Before(f.Until):
		return false, nil
	}
	for name, want := range f.Headers {
		if !l.hasHeader(name, want) {
			return false, nil
		}
	}
	if f.Where == nil {
		return true, nil
	}
	v, err := f.Where.Eval(letterVars{l})
	if err != nil {
		return false, fmt.Errorf("dead letter at offset %d of partition %d: %w; a filter must hold for every letter, test with has(value.name)", l.Offset, l.Partition, err)
	}
	holds, _ := v.(bool)
	return holds, nil
}

func (l *Letter) hasHeader(name, want string) bool {
	for i := range l.Headers.Len() {
		if n, value := l.Headers.At(i); n == name && string(value) == want {
			return true
		}
	}
	return false
}

// letterVars gives an expression the parts of a letter.
type letterVars struct{ l *Letter }

func (v letterVars) Var(name string) (any, error) {
	l := v.l
	switch name {
	case "partition":
		return int64(l.OriginPartition), nil
	case "offset":
		return l.OriginOffset, nil
	case "letter":
		return l.Offset, nil
	case "timestamp":
		return l.Time, nil
	case "replayed":
		return l.Replayed, nil
	case "key":
		return readable(l.Key), nil
	case "value":
		return readable(l.Value), nil
	case "headers":
		m := data.NewMapValue()
		for i := range l.Headers.Len() {
			name, value := l.Headers.At(i)
			m.Put(name, string(value))
		}
		return m, nil
	}
	return map[string]string{
		"connector": l.Connector, "task": l.Task, "stage": l.Stage, "class": l.Class, "transform": l.Transform,
		"error": l.Error, "message": l.Message, "topic": l.Topic,
	}[name], nil
}

// readable is JSON as what it says, text as text, null, and other bytes as they are.
func readable(raw []byte) any {
	if raw == nil {
		return nil
	}
	if isJSON(raw) {
		if v, err := expr.ParseJSON(raw); err == nil {
			return v
		}
	}
	if utf8.Valid(raw) {
		return string(raw)
	}
	return raw
}
