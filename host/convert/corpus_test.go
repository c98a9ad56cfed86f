package convert

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/tailrace/tailrace/host/convert/corpustest"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// TestCorpus runs cases recorded from Kafka Connect 4.1.0: all of the folder that
// TAILRACE_CORPUS names, or the selection in testdata. It prints per file how
// many passed, how many the wire form cannot hold (values of a Java class that
// their schema does not allow: no plugin can send them), and how many differ on
// purpose (deliberate, below).
func TestCorpus(t *testing.T) {
	folder := os.Getenv("TAILRACE_CORPUS")
	if folder == "" {
		folder = "testdata"
	}
	for _, file := range []string{"json_converter.jsonl", "simple_converters.jsonl", "header_converter.jsonl"} {
		t.Run(strings.TrimSuffix(file, ".jsonl"), func(t *testing.T) {
			f, err := os.Open(filepath.Join(folder, file))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = f.Close() }()
			counts := map[string]int{}
			lines := bufio.NewScanner(f)
			lines.Buffer(nil, 16<<20)
			for lines.Scan() {
				var c corpusCase
				if err := json.Unmarshal(corpustest.KeepSurrogates(lines.Bytes()), &c); err != nil {
					t.Fatal(err)
				}
				err := c.run()
				switch {
				case err == nil:
					counts["passed"]++
				case errors.Is(err, errUnrepresentable):
					counts["not representable"]++
				case errors.Is(err, errDeliberate):
					counts["deliberate"]++
				default:
					counts["failed"]++
					t.Errorf("%s: %v", c.Name, err)
				}
			}
			if err := lines.Err(); err != nil {
				t.Fatal(err)
			}
			fmt.Printf("corpus %s: %d passed, %d failed, %d not representable, %d deliberately different\n",
				file, counts["passed"], counts["failed"], counts["not representable"], counts["deliberate"])
		})
	}
}

// errDeliberate marks a difference on purpose, with its reason.
var errDeliberate = errors.New("different on purpose")

// explain finds out whether bytes differ on purpose.
func explain(got, want []byte) error {
	if short := shortestFloats(want, got); !bytes.Equal(short, want) {
		if err := explain(got, short); err != nil || bytes.Equal(got, short) {
			return fmt.Errorf("%w: floats have the fewest digits, as since Java 19", errDeliberate)
		}
	}
	var a, b any
	fa, errA := strconv.ParseFloat(string(got), 32)
	fb, errB := strconv.ParseFloat(string(want), 32)
	switch {
	case json.Unmarshal(got, &a) == nil && json.Unmarshal(want, &b) == nil && reflect.DeepEqual(a, b):
		return fmt.Errorf("%w: the parameters of a schema are sorted", errDeliberate)
	case bytes.Contains(want, []byte("java.nio.HeapByteBuffer")):
		return fmt.Errorf("%w: byte[] and ByteBuffer are one type", errDeliberate)
	case bytes.Contains(got, []byte("\xed\xa0")):
		return fmt.Errorf("%w: strings of the wire are UTF-8 and go through unread; half a character stays as it is", errDeliberate)
	case errA == nil && errB == nil && fa == fb:
		return fmt.Errorf("%w: floats have the fewest digits, as since Java 19", errDeliberate)
	}
	return nil
}

var javaFloat = regexp.MustCompile(`-?\d+\.\d+(E-?\d+)?`)

// shortestFloats writes the floats of a recorded text as got has them, where those are the fewest digits of the same number.
func shortestFloats(want, got []byte) []byte {
	ours := javaFloat.FindAllString(string(got), -1)
	n := -1
	return javaFloat.ReplaceAllFunc(want, func(number []byte) []byte {
		if n++; n >= len(ours) {
			return number
		}
		for _, bits := range []int{32, 64} {
			f, err := strconv.ParseFloat(string(number), bits)
			if err == nil && ours[n] == string(data.AppendJavaFloat(nil, f, bits)) {
				return []byte(ours[n])
			}
		}
		return number
	})
}

var errUnrepresentable = errors.New("the wire form cannot hold it")

type corpusCase struct {
	Name      string
	Op        string
	Converter string
	Config    map[string]any
	IsKey     bool
	Topic     string
	Schema    *corpustest.Schema
	Value     *corpustest.Value
	Bytes     *corpusBytes
	Error     *corpusError
}

type corpusBytes struct {
	Base64   *string
	Text     string
	Volatile bool
}

type corpusError struct {
	Class, Message string
	Cause          *corpusError
}

func (c *corpusCase) run() error {
	props := map[string]string{}
	for k, v := range c.Config {
		if v != nil {
			props[k] = fmt.Sprint(v)
		}
	}
	header := strings.HasSuffix(c.Op, "Header")
	var conv Converter
	var hconv HeaderConverter
	var err error
	if header {
		hconv, err = NewHeader(c.Converter, props)
	} else {
		conv, err = New(c.Converter, props, c.IsKey)
	}
	if err != nil {
		return c.checkError(err)
	}
	if strings.HasPrefix(c.Op, "from") {
		return c.runFrom(conv, hconv)
	}
	return c.runTo(conv, hconv)
}

func (c *corpusCase) runFrom(conv Converter, hconv HeaderConverter) error {
	s, err := c.Schema.Build()
	if err != nil {
		return fmt.Errorf("%w: %w", errUnrepresentable, err)
	}
	v, err := c.Value.In(s)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnrepresentable, err)
	}
	if b, ok := v.([]byte); ok && len(b) == 0 && c.Bytes != nil && c.Bytes.Text != "" {
		return fmt.Errorf("%w: the recording shows a ByteBuffer after it was read", errUnrepresentable)
	}
	if v == nil && s != nil && !s.Optional() {
		return errUnrepresentable
	}
	var wire []byte
	if v != nil || s != nil {
		if wire, err = data.AppendValue(nil, s, v); err != nil {
			return fmt.Errorf("%w: %w", errUnrepresentable, err)
		}
	}
	var out []byte
	if conv != nil {
		out, _, err = conv.FromConnect([]byte("before"), c.Topic, s, wire)
	} else {
		out, _, err = hconv.FromHeader([]byte("before"), c.Topic, "h", s, wire)
	}
	if err != nil || c.Error != nil {
		return c.checkError(err)
	}
	return c.Bytes.check(out)
}

func (b *corpusBytes) check(out []byte) error {
	switch {
	case b == nil:
		if out != nil {
			return fmt.Errorf("got %q, want null", out)
		}
		return nil
	case out == nil:
		return fmt.Errorf("got null, want %q", b.Text)
	case b.Volatile:
		pattern := strings.ReplaceAll(regexp.QuoteMeta(b.Text), `\$\{HASH\}`, `[0-9a-f]+`)
		if ok, _ := regexp.Match("(?s)^"+pattern+"$", out); !ok {
			return fmt.Errorf("got %q, want like %q", out, b.Text)
		}
		return nil
	}
	want, err := base64.StdEncoding.DecodeString(*b.Base64)
	if err != nil {
		return err
	}
	if bytes.Equal(out, want) {
		return nil
	}
	if err := explain(out, want); err != nil {
		return err
	}
	return fmt.Errorf("got  %q\nwant %q", out, want)
}

func (c *corpusCase) runTo(conv Converter, hconv HeaderConverter) error {
	var in []byte
	if c.Bytes != nil {
		var err error
		if in, err = base64.StdEncoding.DecodeString(*c.Bytes.Base64); err != nil {
			return err
		}
	}
	var s *data.Schema
	var wire []byte
	var err error
	if conv != nil {
		s, wire, err = conv.ToConnect([]byte("before"), c.Topic, in)
	} else {
		s, wire, err = hconv.ToHeader([]byte("before"), c.Topic, "h", in)
	}
	if err != nil && c.Error == nil && !c.representable() {
		return errUnrepresentable
	}
	if err != nil || c.Error != nil {
		return c.checkError(err)
	}
	got, err := data.DecodeValue(s, wire[len("before"):])
	if err != nil {
		return fmt.Errorf("the wire bytes are not a value: %w", err)
	}
	wantSchema, err := c.Schema.Build()
	if err != nil {
		return fmt.Errorf("%w: %w", errUnrepresentable, err)
	}
	want, err := c.Value.In(wantSchema)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnrepresentable, err)
	}
	if want == nil && wantSchema != nil && !wantSchema.Optional() {
		// Java hands out null under a required schema; here the schema says that it may be null.
		if wantSchema, err = wantSchema.ToBuilder().Optional().Build(); err != nil {
			return err
		}
	}
	if wantSchema.IsTime() && s.Equal(data.StringSchema) {
		return fmt.Errorf("%w: a Time lies within a day", errDeliberate)
	}
	if (!s.Equal(wantSchema) || !data.Equal(got, want)) && !c.representable() {
		return errUnrepresentable
	}
	if !s.Equal(wantSchema) {
		return fmt.Errorf("got schema %s, want %s", describeSchema(s), describeSchema(wantSchema))
	}
	if !data.Equal(got, want) {
		return fmt.Errorf("got %T %v, want %T %v", got, got, want, want)
	}
	return nil
}

// representable reports whether the wire form can hold the expected result.
func (c *corpusCase) representable() bool {
	s, err := c.Schema.Build()
	if err != nil {
		return false
	}
	v, err := c.Value.In(s)
	if err == nil && (v != nil || s != nil) {
		_, err = data.AppendValue(nil, s, v)
	}
	return err == nil
}

func describeSchema(s *data.Schema) string {
	c := &jsonConverter{nullTakesDefault: true}
	text, err := c.appendSchema(nil, s, nil)
	if err != nil {
		return s.String() + " " + err.Error()
	}
	return string(text)
}

// listClasses are Java's many classes of lists and maps, which have no meaning here.
var listClasses = regexp.MustCompile(`java\.util\.[A-Za-z$0-9]+|java\.nio\.HeapByteBuffer|\[B`)

func (c *corpusCase) checkError(err error) error {
	if c.Error == nil {
		return fmt.Errorf("unexpected error: %w", err)
	}
	if err == nil {
		return fmt.Errorf("no error, want %s: %s", c.Error.Class, c.Error.Message)
	}
	var e *Error
	if !errors.As(err, &e) {
		return fmt.Errorf("error %T is not an *Error: %w", err, err)
	}
	plain := func(s string) string { return listClasses.ReplaceAllString(s, "~") }
	if e.Class != c.Error.Class || plain(e.Message) != plain(c.Error.Message) {
		return fmt.Errorf("got error %s: %q, want %s: %q", e.Class, e.Message, c.Error.Class, c.Error.Message)
	}
	return nil
}
