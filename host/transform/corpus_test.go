package transform

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tailrace/tailrace/host/convert"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// The corpus holds cases recorded from Kafka Connect 4.1.0. testdata/corpus is a
// part of it; TAILRACE_CORPUS names a folder with another.

type corpusRecord struct {
	Kind          string          `json:"kind"`
	Topic         string          `json:"topic"`
	Partition     *int32          `json:"partition"`
	Timestamp     *int64          `json:"timestamp"`
	Offset        int64           `json:"offset"`
	TimestampType string          `json:"timestampType"`
	KeySchema     json.RawMessage `json:"keySchema"`
	Key           json.RawMessage `json:"key"`
	ValueSchema   json.RawMessage `json:"valueSchema"`
	Value         json.RawMessage `json:"value"`
	Headers       []struct {
		Key    string          `json:"key"`
		Schema json.RawMessage `json:"schema"`
		Value  json.RawMessage `json:"value"`
	} `json:"headers"`
}

type corpusError struct {
	Class   string       `json:"class"`
	Message *string      `json:"message"`
	Cause   *corpusError `json:"cause"`
}

type corpusCase struct {
	Name        string         `json:"name"`
	Class       string         `json:"class"`
	Config      map[string]any `json:"config"`
	ConfigError *corpusError   `json:"configError"`
	// Chain are the steps of a case of several.
	Chain   []corpusCase    `json:"chain"`
	Records []corpusOutcome `json:"records"`
}

type corpusOutcome struct {
	Ref    string          `json:"ref"`
	In     corpusRecord    `json:"in"`
	Out    json.RawMessage `json:"out"`
	Result *bool           `json:"result"`
	Error  *corpusError    `json:"error"`
	Step   int             `json:"step"` // which failed
}

func isJSONNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// fill puts a recorded record into r. In wire form if asked for and possible.
func (c schemaCache) fill(r *Record, in *corpusRecord, asWire bool) error {
	r.Topic, r.Offset, r.OriginalTopic = in.Topic, in.Offset, in.Topic
	if in.Partition != nil {
		r.Partition, r.OriginalPartition = *in.Partition, *in.Partition
	}
	if in.Timestamp != nil {
		r.Timestamp = *in.Timestamp
	}
	for i, name := range timestampTypes {
		if name == in.TimestampType {
			r.TimestampType = TimestampType(i)
		}
	}
	if in.Kind == "source" {
		r.Origin = func() (partition, offset any) {
			return data.NewMapValue(data.MapEntry{Key: "p", Value: int32(1)}), data.NewMapValue(data.MapEntry{Key: "o", Value: int32(2)})
		}
	}
	set := func(cell *Cell, schema, value json.RawMessage) error {
		s, err := c.parse(schema)
		if err != nil {
			return err
		}
		v, err := c.value(s, value)
		if err != nil {
			return err
		}
		if asWire {
			// A null that stands for a default is written as the default: such a record runs in memory only.
			if raw, err := data.AppendValue(nil, s, v); err == nil {
				if back, err := data.DecodeValue(s, raw); err == nil && sameValue(v, back) {
					cell.SetWire(s, raw)
					return nil
				}
			}
		}
		cell.Set(s, v)
		return nil
	}
	if err := set(&r.Key, in.KeySchema, in.Key); err != nil {
		return err
	}
	if err := set(&r.Value, in.ValueSchema, in.Value); err != nil {
		return err
	}
	for _, h := range in.Headers {
		var cell Cell
		if err := set(&cell, h.Schema, h.Value); err != nil {
			return err
		}
		if err := r.Headers.add(h.Key, cell); err != nil {
			return err
		}
	}
	return nil
}

var (
	identityHash = regexp.MustCompile(`\[B@[0-9a-f]+`)
	anyList      = regexp.MustCompile(`java\.util\.(ImmutableCollections\$List(12|N)|ArrayList|Arrays\$ArrayList|LinkedList|Collections\$EmptyList)`)
	anyMap       = regexp.MustCompile(`java\.util\.(ImmutableCollections\$Map(1|N)|HashMap|LinkedHashMap|TreeMap|Collections\$SingletonMap|Collections\$EmptyMap)`)
	insertedSpec = regexp.MustCompile(`(No value specified for static field: ).*`)
)

// sameText compares messages. What hides behind the Java class of a list or map is the
// recorder's choice: which class it made its input of.
func sameText(want, got string) bool {
	clean := func(s string) string {
		s = identityHash.ReplaceAllString(s, "[B@$${HASH}")
		s = anyList.ReplaceAllString(s, "java.util.List")
		s = anyMap.ReplaceAllString(s, "java.util.Map")
		return insertedSpec.ReplaceAllString(s, "$1")
	}
	want, got = clean(want), clean(got)
	return want == got || shortestFloats(want, got) == got
}

var javaFloatText = regexp.MustCompile(`-?\d+\.\d+(E-?\d+)?`)

// shortestFloats writes the floats of a recorded text as got has them, where those are the fewest digits of the same number:
// Java 17, which made the recording, now and then writes more.
func shortestFloats(want, got string) string {
	ours := javaFloatText.FindAllString(got, -1)
	n := -1
	return javaFloatText.ReplaceAllStringFunc(want, func(number string) string {
		if n++; n >= len(ours) {
			return number
		}
		for _, bits := range []int{32, 64} {
			f, err := strconv.ParseFloat(number, bits)
			if err == nil && ours[n] == string(data.AppendJavaFloat(nil, f, bits)) {
				return ours[n]
			}
		}
		return number
	})
}

func checkError(want *corpusError, got error) string {
	var e *convert.Error
	if !errors.As(got, &e) {
		return fmt.Sprintf("want %s, got an error without a class: %v", want.Class, got)
	}
	message := "null"
	if want.Message != nil {
		message = *want.Message
	}
	if e.Class != want.Class || !sameText(message, e.Message) {
		return fmt.Sprintf("want %s: %s\n got %s: %s", want.Class, message, e.Class, e.Message)
	}
	if want.Cause != nil && !strings.HasPrefix(want.Cause.Class, "com.fasterxml.") {
		if e.Cause == nil {
			return "want cause " + want.Cause.Class + ": " + *want.Cause.Message
		}
		return checkError(want.Cause, e.Cause)
	}
	return ""
}

// checkCell compares schema and value, and that the wire form holds the same.
func (c schemaCache) checkCell(what string, cell *Cell, schema, value json.RawMessage) string {
	wantSchema, err := c.parse(schema)
	if err != nil {
		return "expected " + what + " schema: " + err.Error()
	}
	want, err := c.value(wantSchema, value)
	if err != nil {
		return "expected " + what + ": " + err.Error()
	}
	if wantSchema.IsTime() && cell.Schema().Equal(data.StringSchema) {
		if tm, ok := want.(time.Time); ok && (tm.UnixMilli() < 0 || tm.UnixMilli() >= millisPerDay) {
			return "" // on purpose: a Time lies within a day
		}
	}
	if !cell.Schema().Equal(wantSchema) {
		return fmt.Sprintf("%s schema differs:\nwant %s\n got %s", what, schema, describe(cell.Schema()))
	}
	raw, _, wireErr := cell.Wire(nil)
	got, err := cell.Value()
	if err != nil {
		return what + ": " + err.Error()
	}
	if !sameValue(want, got) {
		if text := javaText(got); text != javaText(want) && shortestFloats(javaText(want), text) == text {
			return ""
		}
		return fmt.Sprintf("%s differs:\nwant %s %T\n got %s %T", what, data.AppendJavaText(nil, want), want, data.AppendJavaText(nil, got), got)
	}
	if wireErr != nil {
		if _, impossible := data.AppendValue(nil, wantSchema, want); impossible == nil {
			return what + ": wire form: " + wireErr.Error()
		}
		return ""
	}
	if expected, err := data.AppendValue(nil, wantSchema, want); err != nil || cell.Schema() != nil && !bytes.Equal(expected, raw) {
		return fmt.Sprintf("%s: wire form differs: %x, want %x (%v)", what, raw, expected, err)
	}
	return ""
}

// sameValue is data.Equal, except that the default of a struct schema may carry the schema without it.
func sameValue(a, b any) bool {
	x, ok := a.(*data.Struct)
	y, also := b.(*data.Struct)
	if !ok || !also || isNull(x) || isNull(y) {
		return data.Equal(a, b)
	}
	if len(x.Values()) != len(y.Values()) {
		return false
	}
	for i := range x.Values() {
		if !sameValue(x.Values()[i], y.Values()[i]) {
			return false
		}
	}
	return true
}

func describe(s *data.Schema) string {
	if s == nil {
		return "null"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "{%s optional=%v", s, s.Optional())
	if v, ok := s.Version(); ok {
		fmt.Fprintf(&b, " v%d", v)
	}
	if s.HasDoc() {
		fmt.Fprintf(&b, " doc=%s", s.Doc())
	}
	for _, p := range s.Parameters() {
		fmt.Fprintf(&b, " %s=%s", p.Key, p.Value)
	}
	if def, ok := s.Default(); ok {
		fmt.Fprintf(&b, " default=%s", data.AppendJavaText(nil, def))
	}
	for _, f := range s.Fields() {
		fmt.Fprintf(&b, " %s:%s", f.Name, describe(f.Schema))
	}
	if s.ValueSchema() != nil {
		b.WriteString(" of " + describe(s.ValueSchema()))
	}
	return b.String() + "}"
}

func (c schemaCache) checkRecord(r *Record, raw json.RawMessage) string {
	var want corpusRecord
	if err := json.Unmarshal(raw, &want); err != nil {
		return err.Error()
	}
	partition, timestamp := NoPartition, int64(NoTimestamp)
	if want.Partition != nil {
		partition = *want.Partition
	}
	if want.Timestamp != nil {
		timestamp = *want.Timestamp
	}
	if r.Topic != want.Topic || r.Partition != partition || r.Timestamp != timestamp || r.Offset != want.Offset {
		return fmt.Sprintf("want %s-%d@%d, got %s-%d@%d", want.Topic, partition, timestamp, r.Topic, r.Partition, r.Timestamp)
	}
	if why := c.checkCell("key", &r.Key, want.KeySchema, want.Key); why != "" {
		return why
	}
	if why := c.checkCell("value", &r.Value, want.ValueSchema, want.Value); why != "" {
		return why
	}
	headers, err := r.Headers.All()
	if err != nil {
		return err.Error()
	}
	if len(headers) != len(want.Headers) {
		return fmt.Sprintf("want %d headers, got %d", len(want.Headers), len(headers))
	}
	for i, h := range want.Headers {
		if headers[i].Name != h.Key {
			return fmt.Sprintf("header %d: want %s, got %s", i, h.Key, headers[i].Name)
		}
		if why := c.checkCell("header "+h.Key, &headers[i].Value, h.Schema, h.Value); why != "" {
			return why
		}
	}
	return ""
}

// options are the texts of a configuration. A key that is null counts as not given.
func (c *corpusCase) options() map[string]string {
	props := map[string]string{}
	for k, v := range c.Config {
		switch v := v.(type) {
		case nil:
		case string:
			props[k] = v
		case float64:
			props[k] = strconv.FormatFloat(v, 'f', -1, 64)
		default:
			props[k] = fmt.Sprint(v)
		}
	}
	return props
}

// way is how a record goes through the step of a case.
type way uint8

const (
	inOneWalk  way = iota // wire bytes, all records of a case in batches, through programs where there are some
	stepByStep            // wire bytes through the step itself
	inMemory              // values in memory
	ways
)

// run gives what is wrong with a case, and how many records it checked.
func (c *corpusCase) run(how way) (records int, problems []string) {
	problem := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	isPredicate := strings.Contains(c.Class, ".predicates.")
	var chain *Chain
	var holds Predicate
	var err error
	if isPredicate {
		holds, err = NewPredicate(c.Class, c.options())
	} else {
		chain, err = c.chain(how)
	}
	if c.ConfigError != nil {
		if err == nil {
			problem("want %s: %s, got no error", c.ConfigError.Class, *c.ConfigError.Message)
		} else if why := checkError(c.ConfigError, err); why != "" {
			problem("%s", why)
		}
		return 0, problems
	}
	if err != nil {
		problem("configuration refused: %v", err)
		return 0, problems
	}
	schemas := schemaCache{}
	for rest := c.Records; len(rest) > 0; {
		n := 1
		for how == inOneWalk && n < len(rest) && rest[n].In.Kind == rest[0].In.Kind {
			n++
		}
		kind := Sink
		if rest[0].In.Kind == "source" {
			kind = Source
		}
		b := NewBatch(kind)
		for i := range rest[:n] {
			if err := schemas.fill(b.Add(), &rest[i].In, how != inMemory); err != nil {
				problem("record %s: %v", rest[i].Ref, err)
				return records, problems
			}
		}
		got := make([]bool, n)
		if isPredicate {
			holds.Test(b, func(i int, h bool) { got[i] = h })
		} else {
			chain.Apply(b)
		}
		for i := range rest[:n] {
			if why := schemas.checkOutcome(&rest[i], b.At(i), got[i]); why != "" {
				problem("record %s: %s", rest[i].Ref, why)
			}
		}
		records, rest = records+n, rest[n:]
	}
	return records, problems
}

// chain makes the step, or the steps, of a case.
func (c *corpusCase) chain(how way) (*Chain, error) {
	all := c.Chain
	if len(all) == 0 {
		all = []corpusCase{*c}
	}
	var steps []Step
	for i := range all {
		t, err := New(all[i].Class, all[i].options())
		if err != nil {
			return nil, err
		}
		steps = append(steps, Step{Alias: strconv.Itoa(i), Class: all[i].Class, Transform: t})
	}
	chain := NewChain(steps...)
	if how == stepByStep {
		chain.units = nil
		for i := range chain.steps {
			chain.units = append(chain.units, &chain.steps[i])
		}
	}
	return chain, nil
}

// checkOutcome compares what has become of a record; held is the answer of a predicate.
func (c schemaCache) checkOutcome(want *corpusOutcome, r *Record, held bool) string {
	switch {
	case want.Result != nil && (*want.Result != held || r.Failure() != nil):
		return fmt.Sprintf("got %v %v", held, r.Failure())
	case want.Result != nil:
		return ""
	case want.Error != nil && r.Failure() == nil:
		return "want " + want.Error.Class + ", got no error"
	case want.Error != nil:
		if why := checkError(want.Error, r.Failure().Err); why != "" {
			return why
		}
		if r.Failure().Alias != strconv.Itoa(want.Step) {
			return "step " + r.Failure().Alias + " failed"
		}
		if want.Step > 0 {
			return ""
		}
		in, err := json.Marshal(want.In)
		if err != nil {
			return err.Error()
		}
		if why := c.checkRecord(r, in); why != "" {
			return "the failed record has changed: " + why
		}
		return ""
	case r.Failure() != nil:
		return "failed: " + r.Failure().Error()
	case isJSONNull(want.Out) != r.Dropped():
		return fmt.Sprintf("dropped: %v", r.Dropped())
	case !r.Dropped():
		return c.checkRecord(r, want.Out)
	}
	return ""
}

// TestCorpus runs the recorded cases: every file below transforms/, and predicates.jsonl. Each case runs in every way that
// records can go.
func TestCorpus(t *testing.T) {
	folder := os.Getenv("TAILRACE_CORPUS")
	if folder == "" {
		folder = filepath.Join("testdata", "corpus")
	}
	runCorpus(t, folder)
}

// TestRecorded runs more cases, recorded from the classes of Kafka Connect 4.1.0 with inputs made up here: regular
// expressions, field paths, replacements and edges of every transform.
func TestRecorded(t *testing.T) { runCorpus(t, filepath.Join("testdata", "recorded")) }

// openCorpus reads a file that may be compressed.
func openCorpus(t *testing.T, file string) io.Reader {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	if !strings.HasSuffix(file, ".gz") {
		return f
	}
	r, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func runCorpus(t *testing.T, folder string) {
	t.Helper()
	var files []string
	for _, pattern := range []string{"transforms/*.jsonl", "transforms/*.jsonl.gz", "predicates.jsonl", "predicates.jsonl.gz"} {
		found, err := filepath.Glob(filepath.Join(folder, pattern))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	passed, failed := 0, 0
	for _, file := range files {
		filePassed, fileFailed, records := 0, 0, 0
		lines := bufio.NewScanner(openCorpus(t, file))
		lines.Buffer(nil, 64<<20)
		for lines.Scan() {
			var c corpusCase
			if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			var problems []string
			for how := range ways {
				n, more := c.run(how)
				problems = append(problems, more...)
				if how == inMemory {
					records += n
				}
			}
			if len(problems) == 0 {
				filePassed++
				continue
			}
			fileFailed++
			if len(problems) > 4 {
				problems = append(problems[:4], fmt.Sprintf("… and %d more", len(problems)-4))
			}
			t.Errorf("%s %s %v:\n%s", c.Name, c.Class, c.Config, strings.Join(problems, "\n"))
		}
		if err := lines.Err(); err != nil {
			t.Fatal(err)
		}
		t.Logf("%-24s %4d cases passed, %d failed (%d records)", filepath.Base(file), filePassed, fileFailed, records)
		passed, failed = passed+filePassed, failed+fileFailed
	}
	t.Logf("corpus: %d passed, %d failed", passed, failed)
	if passed+failed == 0 {
		t.Fatalf("no cases below %s", folder)
	}
}
