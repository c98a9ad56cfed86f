package transform

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// fiveTransforms is the chain of the project's benchmark against Kafka Connect.
var fiveTransforms = []config.Transform{
	{Alias: "insert", Class: "InsertField$Value", Config: map[string]string{"static.field": "source", "static.value": "bench", "timestamp.field": "at"}},
	{Alias: "replace", Class: "ReplaceField$Value", Config: map[string]string{"exclude": "note", "renames": "name:title"}},
	{Alias: "cast", Class: "Cast$Value", Config: map[string]string{"spec": "quantity:int64,price:string"}},
	{Alias: "mask", Class: "MaskField$Value", Config: map[string]string{"fields": "email"}},
	{Alias: "route", Class: "RegexRouter", Config: map[string]string{"regex": "(.*)-raw", "replacement": "$1"}},
}

// order is a record of eight fields, about 170 bytes as JSON.
func order(schemaless bool) (*data.Schema, any) {
	s := data.NewStruct().Name("com.acme.Order").Version(1).
		Field("id", data.Int64Schema).Field("name", data.StringSchema).Field("email", data.OptionalStringSchema).
		Field("price", data.Float64Schema).Field("quantity", data.Int32Schema).Field("active", data.BooleanSchema).
		Field("note", data.OptionalStringSchema).Field("ts", data.TimestampSchema).MustBuild()
	v := data.NewValue(s).Set("id", 123456789).Set("name", "A widget with a name").Set("email", "someone@example.com").
		Set("price", 12.75).Set("quantity", 3).Set("active", true).Set("note", "leave it at the door, please").
		Set("ts", data.FromMillis(1700000000123)).MustBuild()
	if !schemaless {
		return s, v
	}
	m := data.NewMapValue()
	for i, f := range s.Fields() {
		m.Put(f.Name, v.Values()[i])
	}
	return nil, m
}

func benchmarkChain(b *testing.B, transforms []config.Transform, schemaless bool) {
	schema, v := order(schemaless)
	raw, err := data.AppendValue(nil, schema, v)
	if err != nil {
		b.Fatal(err)
	}
	c := chainOf(b, transforms)
	const records = 500
	batch := NewBatch(Sink)
	var block []byte
	b.ReportAllocs()
	cpu := cpuTime()
	for b.Loop() {
		batch.Reset()
		for range records {
			r := batch.Add()
			r.Topic, r.Timestamp, r.Partition = "orders-raw", 1700000000123, 0
			r.Value.SetWire(schema, raw)
		}
		c.Apply(batch)
		block = block[:0]
		for i := range records {
			r := batch.At(i)
			if !r.Live() {
				b.Fatal(r.Failure())
			}
			if _, block, err = r.Value.Wire(block); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64((cpuTime()-cpu).Nanoseconds())/float64(b.N*records), "cpu-ns/record")
}

// cpuTime is what the process has used, the collector included.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkChain reports the CPU time of a record from wire form to wire form.
func BenchmarkChain(b *testing.B) {
	for _, schemaless := range []bool{false, true} {
		name := "struct"
		if schemaless {
			name = "map"
		}
		b.Run("five/"+name, func(b *testing.B) { benchmarkChain(b, fiveTransforms, schemaless) })
		for i := range fiveTransforms {
			b.Run(fmt.Sprintf("%s/%s", fiveTransforms[i].Alias, name), func(b *testing.B) { benchmarkChain(b, fiveTransforms[i:i+1], schemaless) })
		}
	}
	for name, options := range map[string]map[string]string{
		"filter":        {"filter": "value.price > 10.0 && value.name != 'XX'"},
		"topic":         {"topic": "topic + '-' + value.name"},
		"set two":       {"set": "{'total': value.price * 2.0, 'name': value.name.lowerAscii()}"},
		"counted costs": {"filter": "value.name.contains('z') == false"},
	} {
		b.Run("expression/"+name, func(b *testing.B) {
			benchmarkChain(b, []config.Transform{{Alias: "x", Class: "Expression", Config: options}}, false)
		})
	}
	b.Run("none", func(b *testing.B) { benchmarkChain(b, nil, false) })
}
