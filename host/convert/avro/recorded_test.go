package avro

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/tailrace/tailrace/host/convert/corpustest"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// recordedCase is what AvroData made of a value and its schema (from), or of Avro bytes (to).
type recordedCase struct {
	Name, Op, Avro string
	Config         map[string]string
	Version        int
	Bytes          []byte
	Schema         *corpustest.Schema
	Value          *corpustest.Value
	Error          *struct{ Class, Message string }
}

// TestRecorded runs cases that were recorded from AvroData, the class behind Confluent's converter, in the copy of it that Apicurio's
// converter 2.6.13 carries, on Avro 1.12.0. TAILRACE_AVRO_CORPUS names a file with others.
func TestRecorded(t *testing.T) {
	file := os.Getenv("TAILRACE_AVRO_CORPUS")
	if file == "" {
		file = filepath.Join("testdata", "recorded.jsonl.gz")
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	in := io.Reader(f)
	if strings.HasSuffix(file, ".gz") {
		if in, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	passed, failed, without := 0, 0, 0
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var c recordedCase
		if err := json.Unmarshal(corpustest.KeepSurrogates(lines.Bytes()), &c); err != nil {
			t.Fatal(err)
		}
		switch err := c.run(); {
		case errors.Is(err, errNoWireForm):
			without++
		case err != nil:
			failed++
			t.Errorf("%s %v: %v", c.Name, c.Config, err)
		default:
			passed++
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	t.Logf("recorded: %d passed, %d failed, %d without a wire form", passed, failed, without)
	if passed == 0 {
		t.Fatal("no cases")
	}
}

var errNoWireForm = errors.New("the wire form cannot hold it")

func (c *recordedCase) run() error {
	o, err := parseOptions(c.Config)
	if err != nil {
		return err
	}
	o.flattenSingle = false // this copy of AvroData is older than the setting
	if c.Op == "to" {
		return c.read(o)
	}
	s, err := c.Schema.Build()
	if err != nil {
		return fmt.Errorf("%w: %w", errNoWireForm, err)
	}
	v, err := c.Value.In(s)
	if err != nil {
		return fmt.Errorf("%w: %w", errNoWireForm, err)
	}
	wire, err := data.AppendValue(nil, s, v)
	if err != nil {
		return fmt.Errorf("%w: %w", errNoWireForm, err)
	}
	text, out, err := encoded(o, s, wire)
	if c.Error != nil {
		if err == nil {
			return fmt.Errorf("want %s: %s", c.Error.Class, c.Error.Message)
		}
		return nil
	}
	switch {
	case err != nil && strings.Contains(err.Error(), "Can't redefine"): // Java finds this when the schema is read
		if _, refused := planRead(o, []string{c.Avro}, 0); refused == nil {
			return err
		}
		return nil
	case err != nil:
		return err
	case !sameJSON(text, c.Avro):
		return fmt.Errorf("schema\n got %s\nwant %s", text, c.Avro)
	case string(out) != string(c.Bytes) && !c.sameMaps(o, out):
		return fmt.Errorf("bytes\n got %x\nwant %x", out, c.Bytes)
	}
	return nil
}

// sameJSON compares schemas; parameters have the order of a map of Java there, and are sorted here.
func sameJSON(a, b string) bool {
	var x, y any
	return a == b || json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && reflect.DeepEqual(x, y) && len(a) == len(b)
}

// sameMaps compares Avro bytes whose maps may have other orders.
func (c *recordedCase) sameMaps(o *options, out []byte) bool {
	other := *c
	other.Bytes = out
	_, a, errA := c.decoded(o)
	_, b, errB := other.decoded(o)
	return errA == nil && errB == nil && len(out) == len(c.Bytes) && data.Equal(a, b)
}

// encoded gives the schema's text and the Avro bytes of a value.
func encoded(o *options, s *data.Schema, wire []byte) (text string, out []byte, err error) {
	plan, err := planWrite(o, s)
	if err != nil {
		return "", nil, err
	}
	if plan.root.same {
		return plan.text, wire, nil
	}
	out, _, err = plan.root.encode(nil, wire)
	return plan.text, out, err
}

func (c *recordedCase) read(o *options) error {
	s, v, err := c.decoded(o)
	if v == nil && err == nil {
		s = nil // Java's SchemaAndValue.NULL
	}
	want, schemaErr := c.Schema.Build()
	if c.Error != nil {
		lenient := c.Version > 0 && strings.HasPrefix(c.Error.Message, "Mismatched versions") ||
			strings.Contains(c.Avro, `"fixed"`) && strings.HasPrefix(c.Error.Message, "Mismatched names")
		if err == nil && !lenient {
			return fmt.Errorf("want %s: %s", c.Error.Class, c.Error.Message)
		}
		return nil
	}
	if schemaErr != nil {
		return fmt.Errorf("%w: %w", errNoWireForm, schemaErr)
	}
	wanted, valueErr := c.Value.In(want)
	if valueErr != nil {
		return fmt.Errorf("%w: %w", errNoWireForm, valueErr)
	}
	if _, valueErr = data.AppendValue(nil, want, wanted); valueErr != nil {
		return fmt.Errorf("%w: %w", errNoWireForm, valueErr)
	}
	switch {
	case err != nil:
		return err
	case !s.Equal(want):
		return fmt.Errorf("schema\n got %s\nwant %s", describe(s), describe(want))
	case !data.Equal(v, wanted):
		return fmt.Errorf("value\n got %s\nwant %s", data.AppendJavaText(nil, v), data.AppendJavaText(nil, wanted))
	}
	return nil
}

func (c *recordedCase) decoded(o *options) (*data.Schema, any, error) {
	plan, err := planRead(o, []string{c.Avro}, c.Version)
	if err != nil {
		return nil, nil, err
	}
	wire, rest, err := plan.root.decode(nil, c.Bytes)
	if err != nil {
		return nil, nil, err
	}
	if len(rest) > 0 {
		return nil, nil, errTrailing
	}
	v, err := data.DecodeValue(plan.schema, wire)
	return plan.schema, v, err
}

// describe shows a schema as the Avro schema with all that Connect knows of it.
func describe(s *data.Schema) string {
	o, err := parseOptions(map[string]string{"scrub.invalid.names": "true"})
	if err != nil {
		return err.Error()
	}
	plan, err := planWrite(o, s)
	if err != nil {
		return fmt.Sprint(s, " ", err)
	}
	return plan.text
}
