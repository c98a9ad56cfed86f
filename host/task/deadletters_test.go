package task

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/convert"
	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/transform"
	"github.com/tailrace/tailrace/sdk/go/wire"
)

// recordedTopic is a topic as Kafka Connect 4.1 left it behind.
type recordedTopic struct {
	Name    string
	Config  map[string]string
	Records []recordedRecord
}

type recordedRecord struct {
	Timestamp  int64
	Key, Value []byte
	Headers    []struct {
		Key      string
		Value    []byte
		Headline string // of a stack trace
	}
}

func recordedTopics(t *testing.T) []recordedTopic {
	t.Helper()
	f, err := os.Open("testdata/deadletters.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var topics []recordedTopic
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var topic recordedTopic
		if err := json.Unmarshal(lines.Bytes(), &topic); err != nil {
			t.Fatal(err)
		}
		topics = append(topics, topic)
	}
	return topics
}

// readRecorded reads the first n records of a topic.
func readRecorded(t *testing.T, addr, topic string, n int) (runs []*kafka.Run) {
	t.Helper()
	consumer, err := kafka.NewConsumer(clientConfig(t, kafka.ConsumerClient, addr, map[string]string{"group.id": "read-" + topic, "auto.offset.reset": "earliest"}),
		kafka.Subscription{Topics: []string{topic}}, kafka.RebalanceListener{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	defer func() { _ = consumer.Close(ctx) }()
	for got := 0; got < n; {
		fetch, err := consumer.Poll(ctx, 1000)
		if err != nil || fetch.Len() == 0 {
			t.Fatalf("%d records of topic %s, want %d: %v", got, topic, n, err)
		}
		for i := range fetch.Runs() {
			runs = append(runs, &fetch.Runs()[i])
		}
		got += fetch.Len()
	}
	return runs
}

func recordedConverters(t *testing.T, c map[string]string) Converters {
	t.Helper()
	options := func(key string) (string, map[string]string) {
		class := c[key]
		if class == "" {
			class = "org.apache.kafka.connect.storage.SimpleHeaderConverter"
		}
		props := map[string]string{}
		for k, v := range c {
			if rest, ok := strings.CutPrefix(k, key+"."); ok {
				props[rest] = v
			}
		}
		return class, props
	}
	var out Converters
	var err error
	var props map[string]string
	out.KeyClass, props = options("key.converter")
	if out.Key, err = convert.New(out.KeyClass, props, true); err != nil {
		t.Fatal(err)
	}
	out.ValueClass, props = options("value.converter")
	if out.Value, err = convert.New(out.ValueClass, props, false); err != nil {
		t.Fatal(err)
	}
	out.HeaderClass, props = options("header.converter")
	if out.Header, err = convert.NewHeader(out.HeaderClass, props); err != nil {
		t.Fatal(err)
	}
	if c["transforms"] != "" {
		out.Transforms, err = transform.FromConfig([]config.Transform{{Alias: "c", Class: c["transforms.c.type"], Config: map[string]string{"spec": c["transforms.c.spec"]}}}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// Dead letters are those of Kafka Connect, byte for byte but for the frames of
// Java's stack traces.
func TestDeadLettersAreThoseOfKafkaConnect(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	topics := recordedTopics(t)
	writeRecorded(t, addr, topics[0])
	poison := readRecorded(t, addr, "poison", len(topics[0].Records))
	for _, want := range topics[1:] {
		t.Run(want.Name, func(t *testing.T) {
			topic := want.Config["errors.deadletterqueue.topic.name"]
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			if err := EnsureDeadLetterTopic(ctx, newAdmin(t, addr), topic, 1, nil); err != nil {
				t.Fatal(err)
			}
			letters := NewDeadLetterTopic(DeadLetterConfig{
				ID: ID{want.Name, 0}, Topic: topic, ContextHeaders: want.Config["errors.deadletterqueue.context.headers.enable"] == "true",
				Producer: newProducer(t, addr, nil),
			})
			c := &sinkConverter{Converters: recordedConverters(t, want.Config), schemas: &wire.SchemaWriter{}, errant: func(run *kafka.Run, i int, no refusal) bool {
				letters.Send(ctx, []Errant{{
					Topic: run.Topic, Partition: run.Partition, Offset: run.Offset(i), TimestampMillis: run.TimestampMillis(i),
					HasRecord: true, Key: run.Key(i), Value: run.Value(i), Headers: run.Headers(i), Stage: no.stage, Class: no.class, Err: no.err,
				}}, nil)
				return true
			}}
			for _, run := range poison {
				var b wire.SinkBatchBuilder
				b.Start(1, timestampType(run.TimestampType(0)))
				if next, ok := c.run(&b, run, 0, wire.TargetBlockBytes, 100, true); !ok || next != run.Len() {
					t.Fatalf("the run ended at %d of %d", next, run.Len())
				}
			}
			if err := letters.Flush(ctx); err != nil {
				t.Fatal(err)
			}
			if err := letters.Close(ctx); err != nil {
				t.Fatal(err)
			}
			compareRecorded(t, want.Records, readRecorded(t, addr, topic, len(want.Records)))
		})
	}
}

func writeRecorded(t *testing.T, addr string, topic recordedTopic) {
	t.Helper()
	if err := newAdmin(t, addr).CreateTopic(context.Background(), kafka.NewTopic{Name: topic.Name, Partitions: 1, ReplicationFactor: 1}); err != nil {
		t.Fatal(err)
	}
	p := newProducer(t, addr, nil)
	b := p.NewBatch(len(topic.Records))
	for _, r := range topic.Records {
		b.Append(topic.Name, 0, r.Timestamp, r.Key, r.Value)
		for _, h := range r.Headers {
			b.AppendHeader(h.Key, h.Value)
		}
	}
	done := make(chan error, 1)
	p.Produce(context.Background(), b, func(r kafka.BatchResult) { done <- r.Err() })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	_ = p.Close(context.Background())
}

func compareRecorded(t *testing.T, want []recordedRecord, runs []*kafka.Run) {
	t.Helper()
	n := 0
	for _, run := range runs {
		for i := range run.Len() {
			if n == len(want) {
				t.Fatalf("more than %d dead letters", n)
			}
			w := want[n]
			if !bytes.Equal(run.Key(i), w.Key) || !bytes.Equal(run.Value(i), w.Value) || run.TimestampMillis(i) != w.Timestamp {
				t.Errorf("record %d: key %q, value %q, timestamp %d; want %q, %q, %d", n, run.Key(i), run.Value(i), run.TimestampMillis(i), w.Key, w.Value, w.Timestamp)
			}
			if run.Headers(i).Len() != len(w.Headers) {
				t.Fatalf("record %d has %d headers, want %d", n, run.Headers(i).Len(), len(w.Headers))
			}
			for j, h := range w.Headers {
				name, value := run.Headers(i).At(j)
				switch {
				case name != h.Key:
					t.Errorf("record %d: header %d is %s, want %s", n, j, name, h.Key)
				case h.Headline != "":
					if first, _, _ := strings.Cut(string(value), "\n"); first != h.Headline {
						t.Errorf("record %d: %s begins with %q, want %q", n, name, first, h.Headline)
					}
				case !bytes.Equal(value, h.Value):
					t.Errorf("record %d: %s is %q, want %q", n, name, value, h.Value)
				}
			}
			n++
		}
	}
	if n != len(want) {
		t.Errorf("%d dead letters, want %d", n, len(want))
	}
}
