package avro

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/convert/javaerr"
	"github.com/tailrace/tailrace/sdk/go/data"
	"github.com/tailrace/tailrace/test/env"
)

func converter(t testing.TB, url string, props map[string]string) *Converter {
	t.Helper()
	all := map[string]string{"schema.registry.url": url}
	for k, v := range props {
		all[k] = v
	}
	c, err := New(all, false)
	require.NoError(t, err)
	return c
}

// peer runs fastavro, which knows nothing of this code.
func peer(t testing.TB, mode, url, topic, input string) []string {
	t.Helper()
	python := env.Python(t, "fastavro==1.13.1")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, "testdata/peer.py", mode, url, topic)
	cmd.Stdin = strings.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	var lines []string
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		lines = append(lines, s.Text())
	}
	return lines
}

func TestRecordsOfFastavroAreReadAndWrittenBack(t *testing.T) {
	url := env.Registry(t)
	topic := env.Name(t)
	records := peer(t, "write", url, topic, "")
	require.Len(t, records, 4)
	c := converter(t, url, map[string]string{"enhanced.avro.schema.support": "true"})
	var written []string
	for n, line := range records {
		raw, err := base64.StdEncoding.DecodeString(line)
		require.NoError(t, err)
		schema, wire, err := c.ToConnect(nil, topic, raw)
		require.NoError(t, err)
		v, err := data.DecodeValue(schema, wire)
		require.NoError(t, err)
		st := v.(*data.Struct)
		get := func(name string) any {
			v, err := st.GetWithoutDefault(name)
			require.NoError(t, err)
			return v
		}
		require.Equal(t, "peer.All", schema.Name())
		version, _ := schema.Version()
		require.EqualValues(t, 1, version, "the registry's version")
		require.EqualValues(t, -2147483648, get("i"))
		require.EqualValues(t, int64(9223372036854775807), get("l"))
		require.Equal(t, "grüße", get("s"))
		require.Equal(t, "-123.45", get("dec").(data.Decimal).String())
		require.Equal(t, "1.234", get("fdec").(data.Decimal).String())
		require.Equal(t, "1969-12-31", get("date").(time.Time).Format(time.DateOnly))
		require.EqualValues(t, 86399999, get("time").(time.Time).UnixMilli())
		require.Equal(t, "2026-11-21T05:00:00.123Z", get("ts").(time.Time).Format(time.RFC3339Nano))
		require.Equal(t, []byte("abc"), get("fix"))
		require.Equal(t, "GREEN", get("e"))
		require.Equal(t, []any{int32(1), nil, int32(3)}, get("arr"))
		require.EqualValues(t, n, get("def"))
		out, _, err := c.FromConnect(nil, topic+"-copy", schema, wire)
		require.NoError(t, err)
		written = append(written, base64.StdEncoding.EncodeToString(out))
	}

	// What we wrote with a schema of our own reads the same as the original.
	before := peer(t, "read", url, topic, strings.Join(records, "\n"))
	after := peer(t, "read", url, topic+"-copy", strings.Join(written, "\n"))

	require.Len(t, after, 4)
	for i := range before {
		require.JSONEq(t, before[i], after[i])
	}
}

func TestOwnRecordsAreReadByFastavro(t *testing.T) {
	url := env.Registry(t)
	topic := env.Name(t)
	s := data.NewStruct().Name("own.Rec").
		Field("i8", data.Int8Schema).Field("dec", data.DecimalSchema(2)).Field("d", data.OptionalDateSchema).
		Field("m", data.NewMap(data.Int32Schema, data.StringSchema).MustBuild()).
		Field("def", data.NewPrimitive(data.String).Optional().Default("x").MustBuild()).MustBuild()
	v := data.NewValue(s).Set("i8", int8(-5)).Set("dec", data.NewDecimalValue(12345, 2)).
		Set("m", data.NewMapValue(data.MapEntry{Key: int32(1), Value: "one"})).MustBuild()
	wire, err := data.AppendValue(nil, s, v)
	require.NoError(t, err)
	c := converter(t, url, map[string]string{"ignore.default.for.nullables": "true"})

	out, _, err := c.FromConnect(nil, topic, s, wire)
	require.NoError(t, err)
	lines := peer(t, "read", url, topic, base64.StdEncoding.EncodeToString(out))
	require.Len(t, lines, 1)
	var got map[string]any
	require.NoError(t, json.Unmarshal([]byte(lines[0]), &got))
	require.Equal(t, "123.45", got["dec"])
	require.EqualValues(t, -5, got["i8"])
	require.Equal(t, []any{map[string]any{"key": 1.0, "value": "one"}}, got["m"])

	schema, back, err := converter(t, url, nil).ToConnect(nil, topic, out)
	require.NoError(t, err)
	require.Equal(t, wire, back)
	require.Equal(t, s.Fields()[0].Schema, schema.Fields()[0].Schema)
}

func TestSchemasEvolveOrAreRefusedByField(t *testing.T) {
	url := env.Registry(t)
	topic := env.Name(t)
	c := converter(t, url, nil)
	write := func(c *Converter, s *data.Schema, v *data.Struct) error {
		wire, err := data.AppendValue(nil, s, v)
		require.NoError(t, err)
		_, _, err = c.FromConnect(nil, topic, s, wire)
		return err
	}
	one := data.NewStruct().Name("n.R").Field("id", data.Int64Schema).MustBuild()
	two := data.NewStruct().Name("n.R").Field("id", data.Int64Schema).Field("x", data.OptionalStringSchema).MustBuild()
	bad := data.NewStruct().Name("n.R").Field("id", data.StringSchema).MustBuild()
	require.NoError(t, write(c, one, data.NewValue(one).Set("id", 1).MustBuild()))
	require.NoError(t, write(c, two, data.NewValue(two).Set("id", 1).MustBuild()))

	err := write(c, bad, data.NewValue(bad).Set("id", "a").MustBuild())

	require.ErrorContains(t, err, `subject "`+topic+`-value" against version 2`)
	require.ErrorContains(t, err, `field "id"`)
	var java *javaerr.Error
	require.ErrorAs(t, err, &java)
	require.Equal(t, javaerr.DataException, java.Class)

	latest := converter(t, url, map[string]string{"auto.register.schemas": "false", "use.latest.version": "true"})
	require.NoError(t, write(latest, two, data.NewValue(two).Set("id", 1).MustBuild()))
	err = write(latest, one, data.NewValue(one).Set("id", 1).MustBuild())
	require.ErrorContains(t, err, "version 2")
	require.ErrorContains(t, err, `field "x"`)
	lookup := converter(t, url, map[string]string{"auto.register.schemas": "false"})
	require.NoError(t, write(lookup, one, data.NewValue(one).Set("id", 1).MustBuild()))
	require.Error(t, write(lookup, bad, data.NewValue(bad).Set("id", "a").MustBuild()))
}

func TestARegistryThatIsDownIsRetriableAndTheNextURLIsAsked(t *testing.T) {
	url := env.Registry(t)
	quick := map[string]string{"max.retries": "1", "retries.wait.ms": "1", "retries.max.wait.ms": "2"}
	wire, err := data.AppendValue(nil, data.StringSchema, "v")
	require.NoError(t, err)

	_, _, err = converter(t, "http://user:secret@127.0.0.1:1", quick).FromConnect(nil, "t", data.StringSchema, wire)
	var java *javaerr.Error
	require.ErrorAs(t, err, &java)
	require.True(t, java.Retriable())
	require.Equal(t, javaerr.NetworkException, java.Class)
	require.NotContains(t, err.Error(), "secret") // I-9

	_, _, err = converter(t, "http://127.0.0.1:1,"+url, quick).FromConnect(nil, env.Name(t), data.StringSchema, wire)
	require.NoError(t, err)
}

func TestTombstonesNeedNoRegistry(t *testing.T) {
	c := converter(t, "http://127.0.0.1:1", map[string]string{"max.retries": "0"})
	s := data.OptionalStringSchema
	out, _, err := c.FromConnect(nil, "t", s, data.AppendPresence(nil, s, false))
	require.NoError(t, err)
	require.Nil(t, out)
	schema, wire, err := c.ToConnect(nil, "t", nil)
	require.NoError(t, err)
	require.Nil(t, schema)
	require.Empty(t, wire)
	_, _, err = c.ToConnect(nil, "t", []byte("not avro"))
	require.ErrorContains(t, err, "Unknown magic byte!")
}
