package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/test/env"
	"github.com/tailrace/tailrace/test/harness"
)

// spoken is what the transform of the plugin picky makes of the lines of writeSpeech.
type spoken struct{ arrive, bad []string }

// writeSpeech writes lines of all kinds: most are shouted, some stay as they are, because the transform or a
// predicate says so, some are dropped, and some are bad.
func writeSpeech(t *testing.T, n int) (path string, want spoken) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "speech.txt")
	var text strings.Builder
	for i := range n {
		line := fmt.Sprintf("line %d", i)
		switch i % 100 {
		case 10:
			line = "drop " + line
		case 20:
			line = "bad " + line
			want.bad = append(want.bad, line)
		case 30:
			line = "calm " + line
			want.arrive = append(want.arrive, line)
		case 40:
			line = "quiet " + line
			want.arrive = append(want.arrive, line)
		default:
			want.arrive = append(want.arrive, strings.ToUpper(line)+"!")
		}
		text.WriteString(line + "\n")
	}
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, want
}

// shouting is the configuration of the transform.
func shouting(more map[string]string) map[string]string {
	props := map[string]string{
		"transforms": "shout", "transforms.shout.type": "picky-shout", "transforms.shout.mark": "!", "transforms.shout.pause.ms": "40",
		"transforms.shout.predicate": "quiet", "transforms.shout.negate": "true",
		"predicates": "quiet", "predicates.quiet.type": "Expression", "predicates.quiet.condition": `value.startsWith("quiet")`,
		"tasks.max": "1", "key.converter": "StringConverter", "value.converter": "StringConverter", "errors.tolerance": "all",
	}
	for k, v := range more {
		props[k] = v
	}
	return props
}

// killInTurn kills the process of a plugin with SIGKILL, n times while records arrive.
func killInTurn(t *testing.T, w *harness.Worker, plugin string, n int, arrived func() int) {
	t.Helper()
	for range n {
		before := arrived()
		harness.Eventually(t, time.Minute, "records go on to arrive", func() (bool, string) {
			now := arrived()
			return now > before, fmt.Sprint(now)
		})
		pid := w.OnlyProcess(plugin)
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		harness.Eventually(t, time.Minute, "another process of "+plugin, func() (bool, string) {
			pids := w.Plugins(plugin)
			return len(pids) == 1 && pids[0] != pid, fmt.Sprint(pids)
		})
	}
}

// A transform of another plugin's process, killed in the middle: every record arrives once, in order.
func TestATransformOfAPluginThatIsKilledLosesNothing(t *testing.T) {
	plugins := pickyPlugins(t) + "," + filepath.Join(harness.Binaries(t), "plugins")
	harness.Brokers(t, func(t *testing.T, bootstrap string) {
		in, want := writeSpeech(t, 60_000)
		topic, letters := env.Name(t), env.Name(t)+"-dlq"
		createTopic(t, bootstrap, topic, nil)
		w := harness.Start(t, harness.Config{Bootstrap: bootstrap, PluginPath: plugins})
		wantTransformListed(t, w)
		w.Create("source", shouting(map[string]string{
			"connector.class": harness.SourceClass, "topic": topic, "file": in,
			"errors.deadletterqueue.topic.name": letters, "errors.deadletterqueue.topic.replication.factor": "1",
		}))
		killInTurn(t, w, "picky", 3, func() int { return topicRecords(t, bootstrap, topic) })
		awaitRecords(t, w, bootstrap, "source", topic, len(want.arrive))
		awaitRecords(t, w, bootstrap, "source", letters, len(want.bad))
		records := scan(t, bootstrap, topic)
		if len(records) != len(want.arrive) {
			t.Errorf("%d records, want %d", len(records), len(want.arrive))
		}
		for i, r := range records {
			if string(r.Value) != want.arrive[i] {
				t.Fatalf("record %d is %q, want %q", i, r.Value, want.arrive[i])
			}
		}
		for i, r := range scan(t, bootstrap, letters) {
			got := headersOf(r)
			if !strings.Contains(string(r.Value), want.bad[i]) || got["stage"] != "TRANSFORMATION" || got["class.name"] != "picky-shout" ||
				got["transform"] != "shout" || got["exception.message"] != want.bad[i]+" is nothing to shout" {
				t.Fatalf("dead letter %d of %q has %q", i, r.Value, got)
			}
		}
	})
}

// A transform in the process of its own connector, a sink, killed in the middle.
func TestATransformInTheProcessOfItsSinkLosesNothing(t *testing.T) {
	plugins := pickyPlugins(t) + "," + filepath.Join(harness.Binaries(t), "plugins")
	harness.Brokers(t, func(t *testing.T, bootstrap string) {
		in, want := writeSpeech(t, 40_000)
		topic, out := env.Name(t), filepath.Join(t.TempDir(), "out.txt")
		createTopic(t, bootstrap, topic, nil)
		w := harness.Start(t, harness.Config{Bootstrap: bootstrap, PluginPath: plugins})
		w.Create("source", map[string]string{
			"connector.class": harness.SourceClass, "topic": topic, "file": in, "tasks.max": "1", "key.converter": "StringConverter", "value.converter": "StringConverter",
		})
		w.Create("sink", shouting(map[string]string{"connector.class": "picky-sink", "topics": topic, "file": out, "transforms.shout.pause.ms": "20", "transforms.shout.type": "test.Shout"}))
		killInTurn(t, w, "picky", 2, func() int { return harness.LineCount(out) })
		last := want.arrive[len(want.arrive)-1]
		harness.Eventually(t, 2*time.Minute, "the last line", func() (bool, string) {
			lines := fileLines(t, out)
			return lines[len(lines)-1] == last, fmt.Sprint(len(lines), " lines")
		})
		// What the killed process had not flushed is given again.
		var lines []string
		seen := map[string]bool{}
		for _, line := range fileLines(t, out) {
			if !seen[line] && slices.Contains(want.arrive[len(lines):min(len(lines)+1, len(want.arrive))], line) {
				seen[line] = true
				lines = append(lines, line)
			}
		}
		if !slices.Equal(lines, want.arrive) {
			t.Errorf("%d of %d lines arrived in order", len(lines), len(want.arrive))
		}
	})
}

// wantTransformListed looks at what the REST API says of a transform of a plugin.
func wantTransformListed(t *testing.T, w *harness.Worker) {
	t.Helper()
	harness.Eventually(t, time.Minute, "the transform among the plugins", func() (bool, string) {
		_, list := w.REST("GET", "/connector-plugins?connectorsOnly=false", nil)
		return strings.Contains(list, `{"class":"picky-shout","type":"transformation","version":"1"}`), list
	})
	if status, keys := w.REST("GET", "/connector-plugins/picky-shout/config", nil); status != 200 || !strings.Contains(keys, `"name":"pause.ms","type":"INT"`) {
		t.Errorf("its options are %d %s", status, keys)
	}
	_, validated := w.REST("PUT", "/connector-plugins/"+harness.SourceClass+"/config/validate", shouting(map[string]string{
		"connector.class": harness.SourceClass, "name": "v", "topic": "t", "file": "f", "transforms.shout.pause.ms": "2000",
	}))
	for _, part := range []string{`"name":"transforms.shout.mark"`, "Invalid value 2000 for configuration pause.ms: Value must be in [0,...,1000]"} {
		if !strings.Contains(validated, part) {
			t.Errorf("the validation does not say %s (%d bytes)", part, len(validated))
		}
	}
}

func topicRecords(t *testing.T, bootstrap, topic string) int {
	t.Helper()
	admin, err := kafka.NewAdmin(kafkaClient(t, kafka.AdminClient, bootstrap, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	ends, err := admin.EndOffsets(t.Context(), topic)
	if err != nil {
		return 0
	}
	return int(ends[kafka.TopicPartition{Topic: topic}])
}
