package convert

import (
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// BenchmarkOrders reads and writes the records of test/benchconvert.
func BenchmarkOrders(b *testing.B) {
	s := data.NewStruct().Name("com.acme.Order").Version(1).
		Field("id", data.Int64Schema).Field("name", data.StringSchema).Field("email", data.OptionalStringSchema).
		Field("price", data.Float64Schema).Field("quantity", data.Int32Schema).Field("active", data.BooleanSchema).
		Field("note", data.OptionalStringSchema).Field("ts", data.Int64Schema).MustBuild()
	for _, form := range []string{"plain", "with schema"} {
		c, err := New("JsonConverter", map[string]string{"schemas.enable": strconv.FormatBool(form != "plain")}, false)
		require.NoError(b, err)
		var records, wires [][]byte
		var schemas []*data.Schema
		for i := range 1000 {
			v := data.NewValue(s).Set("id", int64(123456789+i)).Set("name", "A widget with a name "+strconv.Itoa(i)).Set("email", "someone@example.com").
				Set("price", float64(i)+0.75).Set("quantity", i%7).Set("active", i%2 == 0).Set("note", "leave it at the door, please").
				Set("ts", int64(1700000000123+i)).MustBuild()
			wire, err := data.AppendValue(nil, s, v)
			require.NoError(b, err)
			record, _, err := c.FromConnect(nil, "t", s, wire)
			require.NoError(b, err)
			read, wire, err := c.ToConnect(nil, "t", record)
			require.NoError(b, err)
			records, wires, schemas = append(records, record), append(wires, wire), append(schemas, read)
		}
		var dst []byte
		b.Run("read "+form, func(b *testing.B) {
			defer reportCPU(b)()
			for i := 0; b.Loop(); i++ {
				if _, dst, err = c.ToConnect(dst[:0], "t", records[i%1000]); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("write "+form, func(b *testing.B) {
			defer reportCPU(b)()
			for i := 0; b.Loop(); i++ {
				if _, dst, err = c.FromConnect(dst[:0], "t", schemas[i%1000], wires[i%1000]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// reportCPU adds the process's CPU time to a benchmark: on a busy machine it says more than the clock.
func reportCPU(b *testing.B) (done func()) {
	b.Helper()
	used := func() int64 {
		var u syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
		return u.Utime.Nano() + u.Stime.Nano()
	}
	before := used()
	return func() { b.ReportMetric(float64(used()-before)/float64(b.N), "cpu-ns/op") }
}
