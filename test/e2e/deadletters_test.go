package e2e

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/test/env"
	"github.com/tailrace/tailrace/test/harness"
)

// goodRecords is how many good records there are.
func goodRecords() int {
	if *long {
		return 100_000
	}
	return 20_000
}

// poisonEvery is how many good records stand between two bad ones.
func poisonEvery() int { return goodRecords() / 10 }

// Poison records of every kind that a sink meets, in the middle of good ones: the good
// ones all arrive in order, each bad one is a dead letter once, with its headers. After
// the cause is removed, a replay delivers them, once.
func TestPoisonRecordsBecomeDeadLettersAndTheRestArrives(t *testing.T) {
	plugins := pickyPlugins(t)
	harness.Brokers(t, func(t *testing.T, bootstrap string) {
		good := goodRecords()
		topic, letters := env.Name(t), env.Name(t)+"-dlq"
		bad := producePoison(t, bootstrap, topic, good)
		w := harness.Start(t, harness.Config{Bootstrap: bootstrap, PluginPath: plugins})
		out := filepath.Join(t.TempDir(), "out.txt")
		props := map[string]string{
			"connector.class": "picky-sink", "topics": topic, "file": out, "tasks.max": "1", "reject": "-1",
			"value.converter": "JsonConverter", "value.converter.schemas.enable": "false",
			"transforms": "number,extract", "transforms.number.type": "org.apache.kafka.connect.transforms.Cast$Value", "transforms.number.spec": "n:int32",
			"transforms.extract.type": "ExtractField$Value", "transforms.extract.field": "n",
			"errors.tolerance": "all", "errors.deadletterqueue.topic.name": letters,
			"errors.deadletterqueue.topic.replication.factor": "1", "errors.deadletterqueue.context.headers.enable": "true",
		}
		w.Create("sink", props)
		awaitFile(t, out, good)
		wantNumbers(t, out, good)
		wantLetters(t, bootstrap, topic, letters, bad)
		if s, text := w.Status("sink"); s.Tasks[0].State != "RUNNING" {
			t.Errorf("the sink suffers: %s", text)
		}

		// The sink now takes whatever is there.
		for _, key := range []string{"reject", "transforms", "transforms.number.type", "transforms.number.spec", "transforms.extract.type", "transforms.extract.field", "value.converter.schemas.enable"} {
			delete(props, key)
		}
		props["value.converter"] = "StringConverter"
		if status, text := w.REST("PUT", "/connectors/sink/config", props); status != 200 {
			t.Fatalf("%d %s", status, text)
		}
		if got, want := replay(t, bootstrap, letters), fmt.Sprintf("%d letters replayed; 0 of the %d chosen were before\n", len(bad), len(bad)); got != want {
			t.Errorf("the replay says %q, want %q", got, want)
		}
		awaitFile(t, out, good+len(bad))
		if got, want := replay(t, bootstrap, letters), fmt.Sprintf("0 letters replayed; %d of the %d chosen were before\n", len(bad), len(bad)); got != want {
			t.Errorf("the second replay says %q, want %q", got, want)
		}
		var want []string
		for _, p := range bad {
			want = append(want, p.value)
		}
		lines := fileLines(t, out)[good:]
		slices.Sort(lines)
		slices.Sort(want)
		if !slices.Equal(lines, want) {
			t.Errorf("replayed were %q, want %q", lines, want)
		}
	})
}

// pickyPlugins is a folder with the plugin that refuses records.
func pickyPlugins(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	harness.BuildPlugin(t, dir, "./test/e2e/testdata/picky")
	return dir
}

// replay runs `tailrace dlq replay`.
func replay(t *testing.T, bootstrap, letters string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(harness.Binaries(t), "tailrace"), append([]string{"dlq", "replay", letters, "--bootstrap", bootstrap}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

func awaitFile(t *testing.T, path string, lines int) {
	t.Helper()
	harness.Eventually(t, 3*time.Minute, "all records in the sink file", func() (bool, string) {
		n := harness.LineCount(path)
		return n >= lines, strconv.Itoa(n) + " lines"
	})
}

func fileLines(t *testing.T, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

func scan(t *testing.T, bootstrap, topic string) (records []kafka.ScannedRecord) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cfg := kafkaClient(t, kafka.ConsumerClient, bootstrap, map[string]string{"isolation.level": "read_committed"})
	if err := kafka.Scan(ctx, cfg, topic, nil, func(r kafka.ScannedRecord) error { records = append(records, r); return nil }); err != nil {
		t.Fatal(err)
	}
	return records
}

func awaitTopic(t *testing.T, bootstrap, topic string, records int) {
	t.Helper()
	admin, err := kafka.NewAdmin(kafkaClient(t, kafka.AdminClient, bootstrap, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	harness.Eventually(t, 3*time.Minute, "all records in topic "+topic, func() (bool, string) {
		ends, err := admin.EndOffsets(t.Context(), topic)
		end := ends[kafka.TopicPartition{Topic: topic}]
		return err == nil && end >= int64(records), fmt.Sprintf("%d records, %v", end, err)
	})
}

// headersOf are those about the failure, without their prefixes.
func headersOf(r kafka.ScannedRecord) map[string]string {
	got := map[string]string{}
	for j := range r.Headers.Len() {
		name, value := r.Headers.At(j)
		got[strings.TrimPrefix(strings.TrimPrefix(name, "__connect.errors."), "__tailrace.errors.")] = string(value)
	}
	return got
}

// poisonRecord is a bad record and what its dead letter says.
type poisonRecord struct {
	offset                  int64
	value                   string
	stage, class, exception string
}

func producePoison(t *testing.T, bootstrap, topic string, good int) (bad []poisonRecord) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	admin, err := kafka.NewAdmin(kafkaClient(t, kafka.AdminClient, bootstrap, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	if err := admin.CreateTopic(ctx, kafka.NewTopic{Name: topic, Partitions: 1, ReplicationFactor: 1}); err != nil {
		t.Fatal(err)
	}
	producer, err := kafka.NewProducer(kafkaClient(t, kafka.ProducerClient, bootstrap, nil))
	if err != nil {
		t.Fatal(err)
	}
	const data = "org.apache.kafka.connect.errors.DataException"
	kinds := []poisonRecord{
		{value: "not json", stage: "VALUE_CONVERTER", class: "org.apache.kafka.connect.json.JsonConverter", exception: data},
		{value: `{"n":"word"}`, stage: "TRANSFORMATION", class: "org.apache.kafka.connect.transforms.Cast$Value", exception: data},
		{value: `[1,2]`, stage: "TRANSFORMATION", class: "org.apache.kafka.connect.transforms.Cast$Value", exception: data},
		{value: `{"n":"-1"}`, stage: "TASK_PUT", class: "org.apache.kafka.connect.sink.SinkTask", exception: "tailrace.connect.ConnectError"},
	}
	batch := producer.NewBatch(good + good/poisonEvery())
	offset := int64(0)
	for i := range good {
		if i%poisonEvery() == poisonEvery()/2 {
			p := kinds[len(bad)%len(kinds)]
			p.offset = offset
			bad = append(bad, p)
			batch.Append(topic, 0, 1_700_000_000_000+offset, []byte("k"+strconv.Itoa(i)), []byte(p.value))
			batch.AppendHeader("own", []byte("kept"))
			offset++
		}
		batch.Append(topic, 0, 1_700_000_000_000+offset, nil, fmt.Appendf(nil, `{"n":"%d"}`, i))
		offset++
	}
	done := make(chan error, 1)
	producer.Produce(ctx, batch, func(r kafka.BatchResult) { done <- r.Err() })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := producer.Close(ctx); err != nil {
		t.Fatal(err)
	}
	return bad
}

func kafkaClient(t *testing.T, kind kafka.ClientKind, bootstrap string, props map[string]string) kafka.ClientConfig {
	t.Helper()
	all := map[string]string{"bootstrap.servers": bootstrap}
	for k, v := range props {
		all[k] = v
	}
	cfg, _, err := kafka.ParseClientConfig(kind, all)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func wantNumbers(t *testing.T, path string, n int) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	i := 0
	for lines := bufio.NewScanner(f); lines.Scan(); i++ {
		if lines.Text() != strconv.Itoa(i) {
			t.Fatalf("line %d of the sink file is %q", i, lines.Text())
		}
	}
	if i != n {
		t.Fatalf("%d lines, want %d", i, n)
	}
}

// wantLetters: each bad record is there once. A record that the task reports may come
// behind one that a converter refused later.
func wantLetters(t *testing.T, bootstrap, topic, letters string, bad []poisonRecord) {
	t.Helper()
	awaitTopic(t, bootstrap, letters, len(bad))
	got := map[string]kafka.ScannedRecord{}
	records := scan(t, bootstrap, letters)
	for _, r := range records {
		got[headersOf(r)["offset"]] = r
	}
	if len(records) != len(bad) || len(got) != len(bad) {
		t.Errorf("%d dead letters of %d records, want %d of each", len(records), len(got), len(bad))
	}
	for _, p := range bad {
		wantLetter(t, topic, p, got[strconv.FormatInt(p.offset, 10)])
	}
}

func wantLetter(t *testing.T, topic string, want poisonRecord, r kafka.ScannedRecord) {
	t.Helper()
	if string(r.Value) != want.value || r.TimestampMillis != 1_700_000_000_000+want.offset {
		t.Errorf("dead letter %q of %d, want %q of %d", r.Value, r.TimestampMillis, want.value, 1_700_000_000_000+want.offset)
	}
	got := headersOf(r)
	names := []string{}
	for j := range r.Headers.Len() {
		name, _ := r.Headers.At(j)
		names = append(names, strings.TrimPrefix(name, "__connect.errors."))
	}
	// The names and their order are those that Kafka Connect 4.1 writes, as recorded from it.
	if list := "own topic partition offset connector.name task.id stage class.name exception.class.name exception.message exception.stacktrace"; strings.Join(names, " ") != list {
		t.Errorf("dead letter of offset %d has the headers %v, want %s", want.offset, names, list)
	}
	if own, value := r.Headers.At(0); own != "own" || string(value) != "kept" {
		t.Errorf("dead letter of offset %d has the header %s=%s, want its own first", want.offset, own, value)
	}
	for name, value := range map[string]string{
		"topic": topic, "partition": "0", "offset": strconv.FormatInt(want.offset, 10), "connector.name": "sink", "task.id": "0",
		"stage": want.stage, "class.name": want.class, "exception.class.name": want.exception,
	} {
		if got[name] != value {
			t.Errorf("dead letter of offset %d: %s is %q, want %q", want.offset, name, got[name], value)
		}
	}
}

// A chain of five transforms, on the way in and with a filter on the way out.
func TestFiveTransformsOnTheWay(t *testing.T) {
	harness.Brokers(t, func(t *testing.T, bootstrap string) {
		const lines = 20_000
		p := harness.StartPipeline(t, harness.Start(t, harness.Config{Bootstrap: bootstrap}), lines, harness.Props{
			Source: map[string]string{
				"value.converter": "JsonConverter", "value.converter.schemas.enable": "true",
				"transforms":            "hoist,insert,rename,type,key",
				"transforms.hoist.type": "HoistField$Value", "transforms.hoist.field": "line",
				"transforms.insert.type": "InsertField$Value", "transforms.insert.static.field": "from", "transforms.insert.static.value": "a file",
				"transforms.rename.type": "ReplaceField$Value", "transforms.rename.renames": "line:text",
				"transforms.type.type": "SetSchemaMetadata$Value", "transforms.type.schema.name": "Line",
				"transforms.key.type": "ValueToKey", "transforms.key.fields": "from",
				"key.converter": "JsonConverter",
			},
			Sink: map[string]string{
				"value.converter": "JsonConverter", "key.converter": "JsonConverter",
				"transforms":           "drop,text",
				"transforms.drop.type": "Filter", "transforms.drop.predicate": "other",
				"transforms.text.type": "ExtractField$Value", "transforms.text.field": "text",
				"predicates": "other", "predicates.other.type": "TopicNameMatches", "predicates.other.pattern": "no such topic",
			},
		})
		p.AwaitLines(lines, 60*time.Second)
		p.Equal()
	})
}
