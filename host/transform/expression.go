package transform

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/transform/expr"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// Tailrace's own transforms and predicates.
const (
	ownTransforms = "tailrace.transforms."
	ownPredicates = "tailrace.predicates."
)

// recordNames are what an expression may use.
var recordNames = map[string]expr.Type{
	"value": expr.Any, "key": expr.Any, "headers": expr.Map, "topic": expr.String,
	"partition": expr.Int, "offset": expr.Int, "timestamp": expr.Timestamp,
}

// recordEnv is made with the first expression.
var recordEnv = sync.OnceValues(func() (*expr.Env, error) { return expr.NewEnv(recordNames) })

// RecordProgram compiles an expression over records, for [Record.Var].
func RecordProgram(text string, want expr.Type, costLimit uint64) (*expr.Program, error) {
	env, err := recordEnv()
	if err != nil {
		return nil, err
	}
	return env.Compile(text, want, costLimit)
}

// recordVars gives an expression the parts of a record; nothing is decoded before it is used.
type recordVars struct{ r *Record }

func (v recordVars) Var(name string) (any, error) {
	r := v.r
	switch name {
	case "value":
		return r.Value.forExpression()
	case "key":
		return r.Key.forExpression()
	case "topic":
		return r.Topic, nil
	case "headers":
		return r.Headers.forExpression()
	case "partition":
		if r.Partition == NoPartition {
			return nil, errors.New("the record has no partition")
		}
		return int64(r.Partition), nil
	case "offset":
		if r.kind == Source {
			return nil, errors.New("the record of a source has no offset")
		}
		return r.Offset, nil
	case "timestamp":
		if r.Timestamp == NoTimestamp {
			return nil, errors.New("the record has no timestamp")
		}
		return time.UnixMilli(r.Timestamp).UTC(), nil
	}
	return nil, fmt.Errorf("there is no %s", name)
}

// forExpression gives the fields of a struct or map one by one, and other values whole.
func (c *Cell) forExpression() (any, error) {
	switch {
	case c.IsNull():
		return nil, nil
	case c.schema == nil && c.isMap(), c.schema != nil && c.schema.Type() == data.StructType:
		return fieldsOfCell{c}, nil
	}
	return c.Value()
}

// fieldsOfCell decodes the fields that are asked for.
type fieldsOfCell struct{ c *Cell }

func (f fieldsOfCell) Whole() (any, error) { return f.c.Value() }

func (f fieldsOfCell) Field(name string) (any, bool, error) {
	c := f.c
	if c.schema != nil {
		field, ok := c.schema.Field(name)
		if !ok {
			return nil, false, nil
		}
		r, err := c.structRow()
		if err != nil {
			return nil, false, err
		}
		v, err := r.slots[field.Index].value(field.Schema)
		return v, true, err
	}
	r, err := c.mapRow()
	if err != nil {
		return nil, false, err
	}
	i := r.find(name)
	if i < 0 {
		return nil, false, nil
	}
	v, err := r.slots[i].value(nil)
	return v, true, err
}

// forExpression is a map by name; of several headers with one name the last counts.
func (h *Headers) forExpression() (any, error) {
	list, err := h.All()
	if err != nil {
		return nil, err
	}
	m := data.NewMapValue()
	for i := range list {
		v, err := list[i].Value.Value()
		if err != nil {
			return nil, err
		}
		m.Put(list[i].Name, v)
	}
	return m, nil
}

const costLimitKey = "cost.limit"

var costLimit = option(costLimitKey, config.Long, config.Text("100000"), config.Low,
	"What one evaluation may cost, about one unit for each step. An expression that costs more fails for the record.", config.Between(1, math.MaxInt32))

// expressionOption is an option that holds an expression.
func expressionOption(name string, want expr.Type, def config.Default, doc string) config.Key {
	return option(name, config.String, def, config.High, doc, config.Check("CEL expression of type "+want.String(), func(name string, value any) error {
		text, ok := value.(string)
		if !ok {
			return nil
		}
		if _, err := RecordProgram(text, want, expr.DefaultCostLimit); err != nil {
			return config.Invalid(name, value, err.Error())
		}
		return nil
	}))
}

// expression filters, routes and changes records by CEL expressions.
type expression struct {
	vars   recordVars
	filter *expr.Program
	parts  []expressionPart
	typed  typedValues
	setter fieldSetter
}

// expressionPart is an expression and what is done with its result.
type expressionPart struct {
	program *expr.Program
	take    func(*Record, *changes, any) error
}

func newExpression(v config.Values) (step, error) {
	t := &expression{}
	t.setter.typed = &t.typed
	compile := func(name string, want expr.Type) (*expr.Program, error) {
		if v.IsNull(name) {
			return nil, nil //nolint:nilnil // none is configured
		}
		p, err := RecordProgram(v.Text(name), want, uint64(v.Int(costLimitKey)))
		if err != nil {
			return nil, invalid(name, v.Text(name), err.Error())
		}
		return p, nil
	}
	var err error
	if t.filter, err = compile("filter", expr.Bool); err != nil {
		return nil, err
	}
	for _, e := range []struct {
		name string
		want expr.Type
		take func(*Record, *changes, any) error
	}{
		{"topic", expr.String, takeTopic},
		{"timestamp", expr.Timestamp, takeTimestamp},
		{"key", expr.Any, t.takeKey},
		{"value", expr.Any, t.takeValue},
		{"set", expr.Map, t.takeFields},
		{"headers", expr.Map, t.takeHeaders},
	} {
		p, err := compile(e.name, e.want)
		if err != nil {
			return nil, err
		}
		if p != nil {
			t.parts = append(t.parts, expressionPart{p, e.take})
		}
	}
	switch {
	case t.filter == nil && len(t.parts) == 0:
		return nil, configError("No expression configured: give at least one of filter, topic, key, value, set, headers, timestamp")
	case !v.IsNull("value") && !v.IsNull("set"):
		return nil, configError("value and set exclude each other: value replaces what set would change")
	}
	return t, nil
}

// apply evaluates everything over the record as it came, and then changes it.
func (t *expression) apply(r *Record) error {
	t.vars.r = r
	if t.filter != nil {
		keep, err := t.eval(t.filter)
		if err != nil {
			return err
		}
		if keep == false {
			r.Drop()
			return nil
		}
	}
	var out changes
	for i := range t.parts {
		part := &t.parts[i]
		v, err := t.eval(part.program)
		if err == nil {
			err = part.take(r, &out, v)
		}
		if err != nil {
			return err
		}
	}
	return out.commit(r)
}

func (t *expression) eval(p *expr.Program) (any, error) {
	v, err := p.Eval(t.vars)
	if err != nil {
		return nil, dataError("%s", err.Error())
	}
	return v, nil
}

// changes are worked out before the record is touched, so that it stays as it was when one fails.
type changes struct {
	topic     string
	timestamp int64
	hasTime   bool
	key       *typedValue
	value     *typedValue
	fields    *setFields
	headers   []newHeader
}

// newHeader replaces the headers of a name; remove only takes them away.
type newHeader struct {
	name   string
	value  typedValue
	remove bool
}

func takeTopic(_ *Record, out *changes, v any) error {
	out.topic, _ = v.(string)
	if out.topic == "" {
		return dataError("the expression for topic gives an empty name")
	}
	return nil
}

func takeTimestamp(_ *Record, out *changes, v any) error {
	at, _ := v.(time.Time)
	out.timestamp, out.hasTime = at.UnixMilli(), true
	if out.timestamp < 0 {
		return dataError("the expression for timestamp gives %s, and Kafka takes no time before 1970", at)
	}
	return nil
}

// takeKey gives the key a schema if the value has one.
func (t *expression) takeKey(r *Record, out *changes, v any) error {
	key, err := t.typed.whole(v, r.Key.schema != nil || r.Value.schema != nil)
	out.key = &key
	return err
}

func (t *expression) takeValue(r *Record, out *changes, v any) error {
	value, err := t.typed.whole(v, r.Value.schema != nil)
	out.value = &value
	return err
}

func (t *expression) takeFields(r *Record, out *changes, v any) (err error) {
	entries, _ := v.(*data.Map)
	out.fields, err = t.setter.prepare(&r.Value, entries)
	return err
}

func (t *expression) takeHeaders(_ *Record, out *changes, v any) error {
	entries, _ := v.(*data.Map)
	for _, e := range entries.Entries() {
		name, ok := e.Key.(string)
		if !ok {
			return dataError("the expression for headers gives a name that is no text: %v", e.Key)
		}
		h := newHeader{name: name, remove: e.Value == nil}
		if !h.remove {
			var err error
			if h.value, err = t.typed.whole(e.Value, true); err != nil {
				return fmt.Errorf("header %q: %w", name, err)
			}
		}
		out.headers = append(out.headers, h)
	}
	return nil
}

func (out *changes) commit(r *Record) error {
	if len(out.headers) > 0 {
		if _, err := r.Headers.All(); err != nil {
			return err
		}
	}
	for i := range out.headers {
		h := &out.headers[i]
		if err := r.Headers.remove(func(name string) bool { return name == h.name }); err != nil {
			return err
		}
		if !h.remove {
			if err := r.Headers.Add(h.name, h.value.schema, h.value.v); err != nil {
				return err
			}
		}
	}
	if out.topic != "" {
		r.Topic = out.topic
	}
	if out.hasTime {
		r.Timestamp = out.timestamp
	}
	if out.key != nil {
		r.Key.Set(out.key.schema, out.key.v)
	}
	switch {
	case out.value != nil:
		r.Value.Set(out.value.schema, out.value.v)
	case out.fields != nil:
		r.Value.setRow(out.fields.schema, out.fields.row)
	}
	return nil
}

// expressionTest is a predicate by an expression.
type expressionTest struct {
	vars      recordVars
	condition *expr.Program
}

func newExpressionTest(v config.Values) (test, error) {
	p, err := RecordProgram(v.Text("condition"), expr.Bool, uint64(v.Int(costLimitKey)))
	if err != nil {
		return nil, invalid("condition", v.Text("condition"), err.Error())
	}
	return &expressionTest{condition: p}, nil
}

func (p *expressionTest) test(r *Record) (bool, error) {
	p.vars.r = r
	v, err := p.condition.Eval(p.vars)
	if err != nil {
		return false, dataError("%s", err.Error())
	}
	holds, _ := v.(bool)
	return holds, nil
}
