package data_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// The 8-field record of about 170 bytes by which the wire is measured.
var (
	benchSchema = data.NewStruct().Name("bench.Record").
			Field("id", data.Int64Schema).Field("name", data.StringSchema).Field("email", data.OptionalStringSchema).
			Field("city", data.StringSchema).Field("age", data.Int32Schema).Field("balance", data.Float64Schema).
			Field("active", data.BooleanSchema).Field("comment", data.OptionalStringSchema).MustBuild()
	benchValue = mustStruct(benchSchema, int64(1234567890123), "Grace Brewster Murray Hopper", "grace.hopper@example.com",
		"Arlington, Virginia, United States", int32(85), 12345.678, true, "A ship in port is safe, but that is not what ships are built for.")
)

func BenchmarkAppendValue(b *testing.B) {
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if buf, err = data.AppendValue(buf[:0], benchSchema, benchValue); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkReadValue(b *testing.B) {
	wire, _ := data.AppendValue(nil, benchSchema, benchValue)
	b.SetBytes(int64(len(wire)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := data.ReadValue(benchSchema, wire); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSkipValue(b *testing.B) {
	wire, _ := data.AppendValue(nil, benchSchema, benchValue)
	b.SetBytes(int64(len(wire)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := data.SkipValue(benchSchema, wire); err != nil {
			b.Fatal(err)
		}
	}
}

// Writing the positions directly, as an SDK or a reader of a database may.
func BenchmarkAppendPositions(b *testing.B) {
	buf := make([]byte, 0, 1024)
	email, comment := benchSchema.Fields()[2].Schema, benchSchema.Fields()[7].Schema
	b.ReportAllocs()
	for b.Loop() {
		buf = data.AppendLong(buf[:0], 1234567890123)
		buf = data.AppendString(buf, "Grace Brewster Murray Hopper")
		buf = data.AppendString(data.AppendPresence(buf, email, true), "grace.hopper@example.com")
		buf = data.AppendString(buf, "Arlington, Virginia, United States")
		buf = data.AppendInt(buf, 85)
		buf = data.AppendDouble(buf, 12345.678)
		buf = data.AppendBool(buf, true)
		buf = data.AppendString(data.AppendPresence(buf, comment, true), "A ship in port is safe, but that is not what ships are built for.")
	}
	want, _ := data.AppendValue(nil, benchSchema, benchValue)
	require.Equal(b, want, buf)
}

func BenchmarkReadLong(b *testing.B) {
	wire := data.AppendLong(nil, 1234567890123)
	for b.Loop() {
		if _, _, err := data.ReadLong(wire); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSchemalessRead(b *testing.B) {
	m := &data.Map{}
	for i, f := range benchSchema.Fields() {
		m.Put(f.Name, benchValue.Values()[i])
	}
	wire, _ := data.AppendValue(nil, nil, m)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := data.ReadValue(nil, wire); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSchemaEqual(b *testing.B) {
	other := benchSchema.ToBuilder().MustBuild()
	for b.Loop() {
		if !benchSchema.Equal(other) {
			b.Fatal("not equal")
		}
	}
}

func TestHotPathDoesNotAllocate(t *testing.T) {
	wire, err := data.AppendValue(nil, benchSchema, benchValue)
	require.NoError(t, err)
	any8, err := data.AppendValue(nil, nil, entries("a", []any{int64(1), decimal("5", 2)}, "b", data.FromMillis(5)))
	require.NoError(t, err)
	buf := make([]byte, 0, 1024)
	require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = data.SkipValue(benchSchema, wire) }))
	require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = data.SkipValue(nil, any8) }))
	require.Zero(t, testing.AllocsPerRun(100, func() { _, _, _ = data.ReadLong(wire) }))
	require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = data.AppendValue(buf, benchSchema, benchValue) }))
}
