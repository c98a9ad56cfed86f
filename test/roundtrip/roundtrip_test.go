package roundtrip

import (
	"bytes"
	"context"
	"encoding/base64"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/convert"
	"github.com/tailrace/tailrace/sdk/go/data"
	"github.com/tailrace/tailrace/test/env"
)

// packages is Confluent's client with what its serializers import. Its own lists of extras ask for
// versions that not every index has.
var packages = []string{
	"confluent-kafka==2.16.1", "fastavro==1.13.1", "jsonschema==4.26.0", "protobuf==7.36.2", "googleapis-common-protos==1.76.0",
	"attrs==26.1.0", "cachetools==8.0.0", "httpx==0.28.1", "authlib==1.9.8", "certifi==2026.10.18", "orjson==3.13.0", "typing-extensions==4.16.0",
}

func peer(t *testing.T, mode, format, url, topic, input string) []string {
	t.Helper()
	python := env.Python(t, packages...)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, "testdata/peer.py", mode, format, url, topic)
	cmd.Stdin = strings.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

func converter(t *testing.T, class, url string, props map[string]string) convert.Converter {
	t.Helper()
	all := map[string]string{"schema.registry.url": url}
	for k, v := range props {
		all[k] = v
	}
	c, err := convert.New(class, all, false)
	require.NoError(t, err)
	return c
}

// Records of Confluent's Python client are read here, written again with a schema of our own, and
// read by that client: it must see the same values. Among the records are two versions of a schema in
// turn, every logical type of the format, unions and references.
func TestRecordsOfConfluentsClient(t *testing.T) {
	url := env.Registry(t)
	for format, c := range map[string]struct {
		class string
		props map[string]string
		check func(t *testing.T, first *data.Struct)
	}{
		"avro": {"io.confluent.connect.avro.AvroConverter", map[string]string{"enhanced.avro.schema.support": "true"}, func(t *testing.T, v *data.Struct) {
			require.Equal(t, "-123.45", get(t, v, "dec").(data.Decimal).String())
			require.Equal(t, "1.2345", get(t, v, "fdec").(data.Decimal).String())
			require.Equal(t, "1969-12-31", get(t, v, "date").(time.Time).Format(time.DateOnly))
			require.Equal(t, "23:59:00.007", get(t, v, "time").(time.Time).Format("15:04:05.000"))
			require.EqualValues(t, 1795237200123, get(t, v, "ts").(time.Time).UnixMilli())
			require.EqualValues(t, -1, get(t, v, "us"), "a number, as Confluent's converter has it")
			require.EqualValues(t, int64(1)<<62, get(t, v, "l"))
		}},
		"json": {"io.confluent.connect.json.JsonSchemaConverter", map[string]string{"decimal.format": "NUMERIC", "object.additional.properties": "false"}, func(t *testing.T, v *data.Struct) {
			require.EqualValues(t, 1, get(t, v, "i"))
			require.Equal(t, "grüße", get(t, v, "s"))
			require.EqualValues(t, 7, get(t, get(t, v, "in").(*data.Struct), "x"), "behind a reference")
			require.Equal(t, "-123.45", get(t, v, "dec").(data.Decimal).String())
			require.Equal(t, "1969-12-31", get(t, v, "date").(time.Time).Format(time.DateOnly))
			require.EqualValues(t, 1795237200123, get(t, v, "ts").(time.Time).UnixMilli())
			require.Equal(t, []byte{0, 0xff}, get(t, v, "y"))
			require.Equal(t, "text", get(t, get(t, v, "u").(*data.Struct), "io.confluent.connect.json.OneOf.field.1"))
		}},
		"protobuf": {
			"io.confluent.connect.protobuf.ProtobufConverter",
			map[string]string{"enhanced.protobuf.schema.support": "true", "optional.for.nullables": "true"},
			func(t *testing.T, v *data.Struct) {
				require.EqualValues(t, -1<<62, get(t, v, "f_int64"))
				require.EqualValues(t, 1<<32-1, get(t, v, "f_fixed32"))
				require.EqualValues(t, -3, get(t, v, "f_sint32"))
				require.EqualValues(t, -1, get(t, v, "ts").(time.Time).UnixMilli())
				require.Equal(t, "2024-02-29", get(t, v, "date").(time.Time).Format(time.DateOnly))
				require.Equal(t, "-123.45", get(t, v, "dec").(data.Decimal).String())
				require.EqualValues(t, -9, get(t, get(t, v, "point").(*data.Struct), "x"), "behind a reference")
				require.Equal(t, "GREEN", get(t, v, "colour"))
				require.Equal(t, []any{int64(1), int64(0), int64(-3)}, get(t, v, "list"))
			},
		},
	} {
		t.Run(format, func(t *testing.T) {
			topic := env.Name(t)
			records := peer(t, "write", format, url, topic, "")
			conv := converter(t, c.class, url, c.props)
			written, evolved := make([]string, 0, len(records)), 0
			for i, line := range records {
				raw, err := base64.StdEncoding.DecodeString(line)
				require.NoError(t, err)
				schema, wire, err := conv.ToConnect(nil, topic, raw)
				require.NoError(t, err)
				v, err := data.DecodeValue(schema, wire)
				require.NoError(t, err)
				if i == 0 {
					c.check(t, v.(*data.Struct))
				}
				if added, err := v.(*data.Struct).GetWithoutDefault("added"); err == nil {
					require.EqualValues(t, 2, added)
					evolved++
				}
				out, _, err := conv.FromConnect(nil, topic+"-copy", schema, wire)
				require.NoError(t, err)
				written = append(written, base64.StdEncoding.EncodeToString(out))
			}
			require.Equal(t, 1, evolved, "records of the second version")
			before := peer(t, "read", format, url, topic, strings.Join(records, "\n"))
			after := peer(t, "read", format, url, topic+"-copy", strings.Join(written, "\n"))
			require.Len(t, after, len(records))
			for i := range before {
				require.JSONEq(t, before[i], after[i])
			}
		})
	}
}

func get(t *testing.T, v *data.Struct, name string) any {
	t.Helper()
	got, err := v.GetWithoutDefault(name)
	require.NoError(t, err)
	return got
}
