package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/convert"
	"github.com/tailrace/tailrace/host/transform"
	"github.com/tailrace/tailrace/sdk/go/data"
	"github.com/tailrace/tailrace/test/env/server"
)

const distinct = 1000 // records in the file

func main() {
	records := flag.Int("records", 1_000_000, "records of each case")
	flag.Parse()
	if err := run(context.Background(), *records); err != nil {
		fmt.Fprintln(os.Stderr, "benchconvert:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, records int) error {
	dir, err := os.MkdirTemp("", "tailrace-benchconvert-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	wires, schema, err := orders()
	if err != nil {
		return err
	}
	ours := map[string]time.Duration{}
	var names []string
	for _, form := range []string{"with-schema", "plain"} {
		c, err := convert.New("JsonConverter", map[string]string{"schemas.enable": strconv.FormatBool(form == "with-schema")}, false)
		if err != nil {
			return err
		}
		input, err := written(c, schema, wires)
		if err != nil {
			return err
		}
		if err := save(filepath.Join(dir, form), input); err != nil {
			return err
		}
		for _, measured := range []struct {
			name string
			do   func(n int) error
		}{
			{"json-read-" + form, func(n int) error { return reading(c, input, n) }},
			{"json-write-" + form, func(n int) error { return writing(c, input, n) }},
			{"chain-" + form, func(n int) error { return chain(c, input, n) }},
		} {
			if err := measured.do(records / 10); err != nil { // caches and buffers
				return err
			}
			before := cpu()
			if err := measured.do(records); err != nil {
				return err
			}
			names = append(names, measured.name)
			ours[measured.name] = (cpu() - before) / time.Duration(records)
		}
	}
	theirs, err := connect(ctx, dir, records)
	if err != nil {
		return err
	}
	fmt.Printf("%-26s %14s %14s %7s\n", "CPU per record", "Kafka Connect", "Tailrace", "times")
	for _, name := range names {
		fmt.Printf("%-26s %11d ns %11d ns %6.1fx\n", name, theirs[name].Nanoseconds(), ours[name].Nanoseconds(), float64(theirs[name])/float64(ours[name]))
	}
	return nil
}

// orders are records of eight fields, about 170 bytes each as JSON.
func orders() (wires [][]byte, s *data.Schema, err error) {
	s = data.NewStruct().Name("com.acme.Order").Version(1).
		Field("id", data.Int64Schema).Field("name", data.StringSchema).Field("email", data.OptionalStringSchema).
		Field("price", data.Float64Schema).Field("quantity", data.Int32Schema).Field("active", data.BooleanSchema).
		Field("note", data.OptionalStringSchema).Field("ts", data.Int64Schema).MustBuild()
	for i := range distinct {
		v, err := data.NewValue(s).Set("id", int64(123456789+i)).Set("name", "A widget with a name "+strconv.Itoa(i)).Set("email", "someone@example.com").
			Set("price", float64(i)+0.75).Set("quantity", i%7).Set("active", i%2 == 0).Set("note", "leave it at the door, please").
			Set("ts", int64(1700000000123+i)).Build()
		if err != nil {
			return nil, nil, err
		}
		wire, err := data.AppendValue(nil, s, v)
		if err != nil {
			return nil, nil, err
		}
		wires = append(wires, wire)
	}
	return wires, s, nil
}

func written(c convert.Converter, s *data.Schema, wires [][]byte) ([][]byte, error) {
	list := make([][]byte, 0, len(wires))
	for _, wire := range wires {
		out, _, err := c.FromConnect(nil, "t", s, wire)
		if err != nil {
			return nil, err
		}
		list = append(list, bytes.Clone(out))
	}
	return list, nil
}

// save writes what Driver.java reads.
func save(path string, records [][]byte) error {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(records)))
	for _, r := range records {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(r))), r...)
	}
	return os.WriteFile(path, b, 0o600)
}

func reading(c convert.Converter, input [][]byte, n int) (err error) {
	var dst []byte
	for i := range n {
		if _, dst, err = c.ToConnect(dst[:0], "t", input[i%len(input)]); err != nil {
			return err
		}
	}
	return nil
}

// value is a record as it was read.
type value struct {
	schema *data.Schema
	wire   []byte
}

func values(c convert.Converter, input [][]byte) ([]value, error) {
	list := make([]value, 0, len(input))
	for _, b := range input {
		s, wire, err := c.ToConnect(nil, "t", b)
		if err != nil {
			return nil, err
		}
		list = append(list, value{s, wire})
	}
	return list, nil
}

func writing(c convert.Converter, input [][]byte, n int) error {
	list, err := values(c, input)
	if err != nil {
		return err
	}
	var dst []byte
	for i := range n {
		v := list[i%len(list)]
		if _, dst, err = c.FromConnect(dst[:0], "t", v.schema, v.wire); err != nil {
			return err
		}
	}
	return nil
}

var five = []config.Transform{
	{Alias: "insert", Class: "InsertField$Value", Config: map[string]string{"static.field": "source", "static.value": "bench", "timestamp.field": "at"}},
	{Alias: "replace", Class: "ReplaceField$Value", Config: map[string]string{"exclude": "note", "renames": "name:title"}},
	{Alias: "cast", Class: "Cast$Value", Config: map[string]string{"spec": "quantity:int64,price:string"}},
	{Alias: "mask", Class: "MaskField$Value", Config: map[string]string{"fields": "email"}},
	{Alias: "route", Class: "RegexRouter", Config: map[string]string{"regex": "(.*)-raw", "replacement": "$1"}},
}

// chain goes from wire form to wire form.
func chain(c convert.Converter, input [][]byte, n int) error {
	list, err := values(c, input)
	if err != nil {
		return err
	}
	steps, err := transform.FromConfig(five, nil, nil)
	if err != nil {
		return err
	}
	batch := transform.NewBatch(transform.Sink)
	var block []byte
	const size = 500
	for done := 0; done < n; done += size {
		batch.Reset()
		for i := range size {
			v := list[(done+i)%len(list)]
			r := batch.Add()
			r.Topic, r.Timestamp = "orders-raw", 1700000000123
			r.Value.SetWire(v.schema, v.wire)
		}
		steps.Apply(batch)
		block = block[:0]
		for i := range size {
			r := batch.At(i)
			if !r.Live() {
				return r.Failure()
			}
			if _, block, err = r.Value.Wire(block); err != nil {
				return err
			}
		}
	}
	return nil
}

// connect runs the other side.
func connect(ctx context.Context, dir string, records int) (map[string]time.Duration, error) {
	java, classPath, err := server.ConnectClasses(ctx)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, java.Command(), "-Xms256m", "-Xmx1g", "-server", "-XX:+UseG1GC", "-cp", classPath,
		"test/benchconvert/Driver.java", dir, strconv.Itoa(records))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("run Driver.java: %w", err)
	}
	figures := map[string]time.Duration{}
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		name, text, _ := strings.Cut(s.Text(), " ")
		if nanos, err := strconv.ParseInt(text, 10, 64); err == nil {
			figures[name] = time.Duration(nanos)
		}
	}
	return figures, nil
}

// cpu is the time that this process has used, its collector included.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
