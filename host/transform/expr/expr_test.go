package expr

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tailrace/tailrace/sdk/go/data"
)

type vars map[string]any

func (v vars) Var(name string) (any, error) {
	if err, ok := v[name].(error); ok {
		return nil, err
	}
	return v[name], nil
}

func newTestEnv(t testing.TB) *Env {
	t.Helper()
	e, err := NewEnv(map[string]Type{"value": Any, "topic": String, "at": Timestamp})
	require.NoError(t, err)
	return e
}

var inner = data.NewStruct().Field("city", data.StringSchema).Optional().MustBuild()

var person = data.NewStruct().
	Field("name", data.StringSchema).Field("age", data.Int8Schema).Field("score", data.OptionalFloat32Schema).
	Field("address", inner).Field("price", data.DecimalSchema(2)).Field("tags", data.NewArray(data.StringSchema).MustBuild()).MustBuild()

func somebody(t testing.TB) *data.Struct {
	t.Helper()
	s, err := data.NewStructValue(person)
	require.NoError(t, err)
	a, err := data.NewStructValue(inner)
	require.NoError(t, err)
	copy(a.Values(), []any{"Ulm"})
	copy(s.Values(), []any{"Ada", int8(36), nil, a, data.NewDecimalValue(1250, 2), []any{"x", "y"}})
	return s
}

func TestExpressionsOverTheDataModel(t *testing.T) {
	e := newTestEnv(t)
	v := vars{"value": somebody(t), "topic": "people", "at": time.UnixMilli(1_700_000_000_000)}
	for _, c := range []struct {
		text string
		want any
	}{
		{"value.age > 30", true},
		{"value.age + 1", int64(37)},
		{"value.score == null", true},
		{"has(value.score)", true},
		{"has(value.nothing)", false},
		{"value.?nothing.orValue('none')", "none"},
		{"value.address.city", "Ulm"},
		{"value['name'].lowerAscii()", "ada"},
		{"value.price * 2.0", 25.0},
		{"value.price > 12", true},
		{"value.tags[1] + topic", "ypeople"},
		{"value.tags.exists(t, t == 'x')", true},
		{"size(value.tags)", int64(2)},
		{"size(value)", int64(6)},
		{"'name' in value", true},
		{"at.getFullYear()", int64(2023)},
		{"at + duration('1h') > at", true},
		{`json('{"a":[1,{"b":2.5}]}').a[1].b`, 2.5},
		{"topic.matches('^peo')", true},
		{"b'ab' == b'ab'", true},
		{"base64.encode(b'ab')", "YWI="},
		{"value.age > 18 ? 'adult' : 'child'", "adult"},
	} {
		p, err := e.Compile(c.text, Any, DefaultCostLimit)
		require.NoError(t, err, c.text)
		got, err := p.Eval(v)
		require.NoError(t, err, c.text)
		require.Equal(t, c.want, got, c.text)
	}
}

func TestAMapOfAnExpressionHasItsEntriesInOrder(t *testing.T) {
	p, err := newTestEnv(t).Compile("{'b': value.age, 'a': [1, 'x'], 'n': null, 'm': {'x': true}}", Map, DefaultCostLimit)
	require.NoError(t, err)
	got, err := p.Eval(vars{"value": somebody(t)})
	require.NoError(t, err)
	require.Equal(t, "{a=[1, x], b=36, m={x=true}, n=null}", got.(*data.Map).String())
}

func TestWhatCannotBeCompiledIsExplained(t *testing.T) {
	e := newTestEnv(t)
	for _, c := range []struct {
		text string
		want Type
		says string
	}{
		{"value.age >", Bool, "at 1:12"},
		{"valu.age > 1", Bool, "undeclared reference to 'valu'; the names are at, topic, value"},
		{"topic", Bool, "it gives a string, and a bool is needed"},
		{"topic + 1", String, "found no matching overload"},
		{"[1]", Map, "it gives a list(int)"},
		{strings.Repeat("a", MaxTextBytes+1), Bool, "bytes"},
	} {
		_, err := e.Compile(c.text, c.want, DefaultCostLimit)
		require.ErrorContains(t, err, c.says, c.text)
	}
}

func TestWhatFailsWhileItRunsIsExplained(t *testing.T) {
	e := newTestEnv(t)
	for _, c := range []struct {
		text string
		want Type
		says string
	}{
		{"value.nothing == 1", Bool, "no such key: nothing"},
		{"value.name", Bool, "it gives a string here, and a bool is needed"},
		{"value.age / 0", Int, "division by zero"},
		{"at.getHours() == 1", Bool, "the record has no timestamp"},
		{"json(value.name).a", Any, "json: invalid character"},
		{"value.tags[7]", Any, "index out of bounds"},
		{"value.age + 9223372036854775807", Any, "integer overflow"},
	} {
		p, err := e.Compile(c.text, c.want, DefaultCostLimit)
		require.NoError(t, err, c.text)
		_, err = p.Eval(vars{"value": somebody(t), "at": errors.New("the record has no timestamp")})
		require.ErrorContains(t, err, c.says, c.text)
	}
}

func TestAnExpressionThatCostsTooMuchFails(t *testing.T) {
	p, err := newTestEnv(t).Compile("value.all(a, value.all(b, value.all(c, a + b + c >= 0)))", Bool, 10_000)
	require.NoError(t, err)
	many := make([]any, 1000)
	for i := range many {
		many[i] = int64(i)
	}
	_, err = p.Eval(vars{"value": many})
	require.ErrorContains(t, err, "it costs more than the limit of 10000")
	_, err = p.Eval(vars{"value": many[:3]}) // and is as new afterwards
	require.NoError(t, err)
}

func TestNoTextMakesTheReaderOfJSONPanic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		_, _ = ParseJSON(rapid.SliceOf(rapid.ByteRange(' ', '~')).Draw(t, "text"))
	})
	_, err := ParseJSON([]byte(strings.Repeat("[", 10_000)))
	require.ErrorContains(t, err, "levels")
}
