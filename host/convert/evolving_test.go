package convert

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/convert/evolution"
	"github.com/tailrace/tailrace/sdk/go/data"
	"github.com/tailrace/tailrace/test/env"
)

func person(extra ...string) (*data.Schema, []byte) {
	b := data.NewStruct().Name("n.Person").Field("id", data.Int64Schema).Field("name", data.OptionalStringSchema)
	for _, name := range extra {
		b.Field(name, data.OptionalInt32Schema)
	}
	s := b.MustBuild()
	v := data.NewValue(s).Set("id", int64(7)).Set("name", "Ada")
	for _, name := range extra {
		v.Set(name, int32(1))
	}
	wire, err := data.AppendValue(nil, s, v.MustBuild())
	if err != nil {
		panic(err)
	}
	return s, wire
}

func TestThePolicyWorksWithoutARegistry(t *testing.T) {
	known, value := person()
	next, grown := person("age")
	plain := func() Converter { return mustNew(t, "JsonConverter", map[string]string{"schemas.enable": "false"}) }
	require.IsType(t, plain(), WithEvolution(plain(), Evolution{Policy: evolution.Evolve}), "evolve costs nothing")
	require.IsType(t, plain(), WithEvolution(plain(), Evolution{}))

	strict := WithEvolution(plain(), Evolution{Policy: evolution.Strict, Connector: "people", Part: "value"})
	for range 2 {
		out, _, err := strict.FromConnect(nil, "t", known, value)
		require.NoError(t, err)
		require.JSONEq(t, `{"id":7,"name":"Ada"}`, string(out))
		before := []byte("before")
		_, after, err := strict.FromConnect(before, "t", next, grown)
		require.EqualError(t, err, "schema.evolution=strict of connector people does not let a changed schema pass: the value for topic t: compared with the first schema that this task has seen, "+
			`field "age" is new (optional INT32); restart the connector to take the new schema, or change schema.evolution`)
		var java *Error
		require.ErrorAs(t, err, &java)
		require.Equal(t, "org.apache.kafka.connect.errors.SchemaProjectorException", java.Class)
		require.Equal(t, before, after)
	}
	_, _, err := strict.FromConnect(nil, "other", next, grown)
	require.NoError(t, err, "each topic has a schema of its own")
	out, _, err := strict.FromConnect(nil, "t", nil, nil)
	require.NoError(t, err, "a tombstone has no schema to differ")
	require.Nil(t, out)
	_, _, err = strict.FromConnect(nil, "t", nil, data.AppendString(data.AppendLong(nil, data.AnyString), "x"))
	require.ErrorContains(t, err, "it has no schema, and had STRUCT (n.Person)")

	var told []string
	ignore := WithEvolution(plain(), Evolution{
		Policy: evolution.Ignore, Connector: "people", Part: "value", Ignored: func(topic, what string) { told = append(told, topic+": "+what) },
	})
	_, _, err = ignore.FromConnect(nil, "t", known, value)
	require.NoError(t, err)
	for range 3 {
		out, after, err := ignore.FromConnect([]byte("before"), "t", next, grown)
		require.NoError(t, err)
		require.JSONEq(t, `{"id":7,"name":"Ada"}`, string(out))
		require.True(t, strings.HasPrefix(string(after), "before"))
	}
	require.Equal(t, []string{`t: compared with the first schema that this task has seen, field "age" is new (optional INT32)`}, told)
	_, _, err = ignore.FromConnect(nil, "t", data.StringSchema, data.AppendString(nil, "x"))
	require.ErrorContains(t, err, "cannot leave out what changed: the value for topic t: compared with the first schema that this task has seen, it is STRING, and was STRUCT (n.Person)")
}

// The known schema is the registry's newest version, also for a converter that starts anew.
func TestThePolicyAsksTheRegistryFirst(t *testing.T) {
	url := env.Registry(t)
	for _, class := range []string{"AvroConverter", "JsonSchemaConverter", "ProtobufConverter"} {
		t.Run(class, func(t *testing.T) {
			topic := env.Name(t)
			props := map[string]string{"schema.registry.url": url, "optional.for.nullables": "true", "use.optional.for.nonrequired": "true", "object.additional.properties": "false"}
			of := func(p evolution.Policy) Converter {
				return WithEvolution(mustNew(t, class, props), Evolution{Policy: p, Connector: "people", Part: "value"})
			}
			known, value := person()
			next, grown := person("age")
			_, _, err := of(evolution.Strict).FromConnect(nil, topic, known, value)
			require.NoError(t, err)
			again, _ := person()
			_, _, err = of(evolution.Strict).FromConnect(nil, topic, again, value)
			require.NoError(t, err, "the same schema is no change, whatever the registry's format makes of it")

			_, _, err = of(evolution.Strict).FromConnect(nil, topic, next, grown)
			require.ErrorContains(t, err, "compared with version 1 of subject "+topic+"-value, ")
			require.ErrorContains(t, err, `field "age" is new (optional INT32`)
			require.Equal(t, 1, versions(t, url, topic))

			out, _, err := of(evolution.Ignore).FromConnect(nil, topic, next, grown)
			require.NoError(t, err)
			require.Equal(t, 1, versions(t, url, topic), "the known schema is written, and no other registered")
			schema, wire, err := mustNew(t, class, props).ToConnect(nil, topic, out)
			require.NoError(t, err)
			v, err := data.DecodeValue(schema, wire)
			require.NoError(t, err)
			require.Len(t, schema.Fields(), 2)
			id, err := v.(*data.Struct).GetWithoutDefault("id")
			require.NoError(t, err)
			require.EqualValues(t, 7, id)

			_, _, err = of(evolution.Evolve).FromConnect(nil, topic, next, grown)
			require.NoError(t, err)
			require.Equal(t, 2, versions(t, url, topic))
			_, _, err = of(evolution.Strict).FromConnect(nil, topic, next, grown)
			require.NoError(t, err, "what is registered is known")
		})
	}
}

func versions(t *testing.T, url, topic string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/subjects/"+topic+"-value/versions", nil)
	require.NoError(t, err)
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { _ = answer.Body.Close() }()
	var list []int
	require.NoError(t, json.NewDecoder(answer.Body).Decode(&list))
	return len(list)
}
