package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/test/env"
	"github.com/tailrace/tailrace/test/harness"
)

// Poison records of every kind that a source meets: a transform fails, and Kafka's client
// refuses what is too large.
func TestPoisonRecordsOfASourceBecomeDeadLettersAndTheRestArrives(t *testing.T) {
	harness.Brokers(t, func(t *testing.T, bootstrap string) {
		good := goodRecords()
		topic, letters := env.Name(t), env.Name(t)+"-dlq"
		createTopic(t, bootstrap, topic, map[string]string{"max.message.bytes": "8000000"})
		in := filepath.Join(t.TempDir(), "in.txt")
		large := strings.Repeat("1", 3_000_000)
		var text strings.Builder
		var bad []string
		for i := range good {
			if i%poisonEvery() == poisonEvery()/2 {
				line := "word" + strconv.Itoa(i)
				if len(bad)%2 == 1 {
					line = strconv.Itoa(i) + large
				}
				bad = append(bad, line)
				text.WriteString(line + "\n")
			}
			text.WriteString(strconv.Itoa(i) + "\n")
		}
		if err := os.WriteFile(in, []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		w := harness.Start(t, harness.Config{Bootstrap: bootstrap})
		props := map[string]string{
			"connector.class": harness.SourceClass, "topic": topic, "file": in, "tasks.max": "1", "key.converter": "StringConverter", "value.converter": "StringConverter",
			"transforms": "check", "transforms.check.type": "Expression", "transforms.check.filter": "size(value) > 1000 || int(value) >= 0",
			"line.max.bytes": "4000000", "errors.tolerance": "all", "errors.deadletterqueue.topic.name": letters, "errors.deadletterqueue.topic.replication.factor": "1",
		}
		w.Create("source", props)
		awaitRecords(t, w, bootstrap, "source", topic, good)
		awaitRecords(t, w, bootstrap, "source", letters, len(bad))
		records := scan(t, bootstrap, topic)
		for i, r := range records {
			if string(r.Value) != strconv.Itoa(i) {
				t.Fatalf("record %d is %.20q", i, r.Value)
			}
		}
		for i, r := range scan(t, bootstrap, letters) {
			want := map[string]string{"stage": "TRANSFORMATION", "class.name": "tailrace.transforms.Expression", "exception.class.name": "org.apache.kafka.connect.errors.DataException", "form": "connect-json", "transform": "check"}
			value := `{"schema":{"type":"string","optional":false},"payload":"` + bad[i] + `"}`
			if i%2 == 1 {
				value = bad[i]
				want = map[string]string{"stage": "KAFKA_PRODUCE", "class.name": "org.apache.kafka.connect.runtime.WorkerSourceTask", "exception.class.name": "org.apache.kafka.common.errors.RecordTooLargeException", "form": "kafka", "transform": ""}
			}
			got := headersOf(r)
			want["topic"], want["connector.name"], want["task.id"] = topic, "source", "0"
			for name, text := range want {
				if got[name] != text {
					t.Errorf("dead letter %d: %s is %q, want %q", i, name, got[name], text)
				}
			}
			if string(r.Value) != value {
				t.Errorf("dead letter %d is %.80q", i, r.Value)
			}
		}
		// With a transform that takes them, and a client without the limit, they arrive.
		props["name"], props["transforms.check.filter"] = "source", "true"
		file := filepath.Join(t.TempDir(), "source.json")
		mended, err := json.Marshal(props)
		if err == nil {
			err = os.WriteFile(file, mended, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		replay(t, bootstrap, letters, "--config", file)
		replay(t, bootstrap, letters, "--config", file)
		awaitTopic(t, bootstrap, topic, good+len(bad))
		records = scan(t, bootstrap, topic)
		if len(records) != good+len(bad) {
			t.Errorf("%d records, want %d", len(records), good+len(bad))
		}
		for i, line := range bad {
			if string(records[good+i].Value) != line {
				t.Errorf("replayed record %d is %.20q, want %.20q", i, records[good+i].Value, line)
			}
		}
	})
}

// A topic of dead letters that takes less than the letters have: the source goes on, each
// letter is there without its value and says so, and a replay makes no record of it.
func TestLettersThatAreTooLargeForTheirTopicAreCutAndTheSourceGoesOn(t *testing.T) {
	harness.Brokers(t, func(t *testing.T, bootstrap string) {
		const good, large = 2000, 4
		topic, letters := env.Name(t), env.Name(t)+"-dlq"
		createTopic(t, bootstrap, topic, nil)
		createTopic(t, bootstrap, letters, nil) // takes a megabyte, as every topic
		in := filepath.Join(t.TempDir(), "in.txt")
		var text strings.Builder
		for i := range good {
			if i%(good/large) == 0 {
				text.WriteString(strings.Repeat("1", 3_000_000) + "\n")
			}
			text.WriteString(strconv.Itoa(i) + "\n")
		}
		if err := os.WriteFile(in, []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		w := harness.Start(t, harness.Config{Bootstrap: bootstrap})
		w.Create("source", map[string]string{
			"connector.class": harness.SourceClass, "topic": topic, "file": in, "tasks.max": "1", "value.converter": "StringConverter", "line.max.bytes": "4000000",
			"errors.tolerance": "all", "errors.deadletterqueue.topic.name": letters,
		})
		awaitRecords(t, w, bootstrap, "source", topic, good)
		awaitRecords(t, w, bootstrap, "source", letters, large)
		for i, r := range scan(t, bootstrap, letters) {
			got := headersOf(r)
			if r.Value != nil || got["cut"] != "value (3000000 bytes)" || got["form"] != "none" || got["stage"] != "KAFKA_PRODUCE" ||
				!strings.Contains(got["cut.reason"], "raise max.message.bytes of that topic") {
				t.Errorf("dead letter %d has a value of %d bytes and %q", i, len(r.Value), got)
			}
		}
		cmd := exec.CommandContext(t.Context(), filepath.Join(harness.Binaries(t), "tailrace"), "dlq", "replay", letters, "--bootstrap", bootstrap)
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "its value (3000000 bytes) was left out") {
			t.Errorf("the replay of a letter without its value says %v %s", err, out)
		}
	})
}

func createTopic(t *testing.T, bootstrap, topic string, configs map[string]string) {
	t.Helper()
	admin, err := kafka.NewAdmin(kafkaClient(t, kafka.AdminClient, bootstrap, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	if err := admin.CreateTopic(t.Context(), kafka.NewTopic{Name: topic, Partitions: 1, ReplicationFactor: 1, Configs: configs}); err != nil {
		t.Fatal(err)
	}
}

// awaitRecords waits for records of a connector, as long as its tasks do not fail.
func awaitRecords(t *testing.T, w *harness.Worker, bootstrap, connector, topic string, records int) {
	t.Helper()
	admin, err := kafka.NewAdmin(kafkaClient(t, kafka.AdminClient, bootstrap, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	harness.Eventually(t, 2*time.Minute, "all records in topic "+topic, func() (bool, string) {
		if s, text := w.Status(connector); len(s.Tasks) > 0 && s.Tasks[0].State == "FAILED" {
			t.Fatal(text)
		}
		ends, err := admin.EndOffsets(t.Context(), topic)
		end := ends[kafka.TopicPartition{Topic: topic}]
		return err == nil && end >= int64(records), fmt.Sprintf("%d records, %v", end, err)
	})
}
