package e2e

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/test/env"
	"github.com/tailrace/tailrace/test/harness"
)

// poisonEvery is how many good records stand between two bad ones.
const poisonEvery = 10_000

// Poison records of every kind that a sink meets, in the middle of good ones: the good
// ones all arrive in order, each bad one is a dead letter once, with its headers.
func TestPoisonRecordsBecomeDeadLettersAndTheRestArrives(t *testing.T) {
	harness.Brokers(t, func(t *testing.T, bootstrap string) {
		const good = 100_000
		topic, letters := env.Name(t), env.Name(t)+"-dlq"
		bad := producePoison(t, bootstrap, topic, good)
		w := harness.Start(t, harness.Config{Bootstrap: bootstrap})
		out := filepath.Join(t.TempDir(), "out.txt")
		w.Create("sink", map[string]string{
			"connector.class": harness.SinkClass, "topics": topic, "file": out, "tasks.max": "1",
			"value.converter": "JsonConverter", "value.converter.schemas.enable": "false",
			"transforms": "number,extract", "transforms.number.type": "org.apache.kafka.connect.transforms.Cast$Value", "transforms.number.spec": "n:int32",
			"transforms.extract.type": "ExtractField$Value", "transforms.extract.field": "n",
			"errors.tolerance": "all", "errors.deadletterqueue.topic.name": letters,
			"errors.deadletterqueue.topic.replication.factor": "1", "errors.deadletterqueue.context.headers.enable": "true",
		})
		harness.Eventually(t, 90*time.Second, "all good records in the sink file", func() (bool, string) {
			n := harness.LineCount(out)
			return n >= good, strconv.Itoa(n) + " lines"
		})
		wantNumbers(t, out, good)
		wantLetters(t, bootstrap, topic, letters, bad)
		if s, text := w.Status("sink"); s.Tasks[0].State != "RUNNING" {
			t.Errorf("the sink suffers: %s", text)
		}
	})
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
	}
	batch := producer.NewBatch(good + good/poisonEvery)
	offset := int64(0)
	for i := range good {
		if i%poisonEvery == poisonEvery/2 {
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

func wantLetters(t *testing.T, bootstrap, topic, letters string, bad []poisonRecord) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	consumer, err := kafka.NewConsumer(kafkaClient(t, kafka.ConsumerClient, bootstrap, map[string]string{"group.id": "read-" + letters, "auto.offset.reset": "earliest"}),
		kafka.Subscription{Topics: []string{letters}}, kafka.RebalanceListener{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = consumer.Close(context.Background()) }()
	n := 0
	for n < len(bad) {
		fetch, err := consumer.Poll(ctx, 100)
		if err != nil || fetch.Len() == 0 {
			t.Fatalf("%d dead letters, want %d: %v", n, len(bad), err)
		}
		for r := range fetch.Runs() {
			run := &fetch.Runs()[r]
			for i := range run.Len() {
				if n == len(bad) {
					t.Fatalf("more than %d dead letters", n)
				}
				wantLetter(t, topic, bad[n], run, i)
				n++
			}
		}
	}
	// Once: nothing follows.
	admin, err := kafka.NewAdmin(kafkaClient(t, kafka.AdminClient, bootstrap, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	ends, err := admin.EndOffsets(ctx, letters)
	if err != nil {
		t.Fatal(err)
	}
	if end := ends[kafka.TopicPartition{Topic: letters}]; len(ends) != 1 || end != int64(len(bad)) {
		t.Errorf("the dead letter topic ends at %v, want one partition with %d records", ends, len(bad))
	}
}

func wantLetter(t *testing.T, topic string, want poisonRecord, run *kafka.Run, i int) {
	t.Helper()
	if string(run.Value(i)) != want.value || run.TimestampMillis(i) != 1_700_000_000_000+want.offset {
		t.Errorf("dead letter %q of %d, want %q of %d", run.Value(i), run.TimestampMillis(i), want.value, 1_700_000_000_000+want.offset)
	}
	got := map[string]string{}
	for j := range run.Headers(i).Len() {
		name, value := run.Headers(i).At(j)
		got[strings.TrimPrefix(name, "__connect.errors.")] = string(value)
	}
	for name, value := range map[string]string{
		"own": "kept", "topic": topic, "partition": "0", "offset": strconv.FormatInt(want.offset, 10), "connector.name": "sink", "task.id": "0",
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
