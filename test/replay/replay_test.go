package replay

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tailrace/tailrace/test/env"
	"github.com/tailrace/tailrace/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// limit bounds the replay; it takes about a minute on an idle machine.
const limit = 20 * time.Minute

// deliberate lists the exchanges that differ on purpose, with the reason. docs/compatibility.md has the same for users.
var deliberate = []struct{ names, why string }{
	{`^base-(openapi|metrics)$`, "served here"},
	{`^plugins-config-(java\.lang\.String|org\.apache\.kafka\.connect\.source\.SourceConnector)$`, "404 for what is no plugin, instead of 500"},
	{`^validate-(missing-class|empty-object|empty-object-short|path-and-class-unknown|not-a-connector)$`, "400 for a request without a known class, instead of 500"},
	{`^validate-transforms-short$`, "short names of transforms are known"},
	{`^eos-(grow|resume)-wait$`, "the version of a task that starts again is known"},
	{`^eos-replayed$`, "a line is read when it is there, not when more follows"},
	{`^eos2-(delete-offsets|offsets-after-failed-delete)$`, "the offsets of a connector with a topic of its own can be reset; Kafka Connect answers 500 after 90 s"},
	{`^validate-(producer-override-bad|consumer-override-on-sink|plugin-version-bogus)$`, "what cannot be read is an error of its key, instead of 500"},
	{`^validate-value-null-topic$`, "null values are refused"},
	{`^config-patch-change-name$`, "a connector keeps its name"},
	{`^offsets-source-get$`, "file offsets are bytes, not characters"},
	{`^loggers-put-blank-level$`, "404 as for other unknown levels, instead of 500"},
	{`^fail-bad-producer$|^fail-bad-producer-status$|^fail-delete-broken-badproducer$`, "an override that cannot be read is refused when the connector is made"},
	{`^names-\d+-create$`, "any name can be reached: its address is encoded as a whole"},
	{`^flow-recreate-topics$`, "a standalone worker forgets the topics of a connector that was deleted, as a distributed one"},
	{`^names-(matrix|list-after)$`, "connectors with odd names can be deleted"},
}

func reason(name string) string {
	for _, d := range deliberate {
		if regexp.MustCompile(d.names).MatchString(name) {
			return d.why
		}
	}
	return ""
}

type result struct {
	Name        string     `json:"name"`
	OK          bool       `json:"ok"`
	Differences [][]string `json:"differences"`
}

// recording is a sequence that was recorded from Kafka Connect, and the worker that answers it.
type recording struct {
	file  string
	props map[string]string
	group string // empty for a standalone worker
	least int    // exchanges that are equal at least
}

func TestADistributedWorkerAnswersAsKafkaConnect(t *testing.T) {
	bootstrap := kafka(t)
	data := replay(t, bootstrap, recording{file: "rest", group: "golden", props: map[string]string{"offset.flush.interval.ms": "2000"}, least: 850})
	compareConfigTopic(t, bootstrap, data)
}

func TestAStandaloneWorkerAnswersAsKafkaConnect(t *testing.T) {
	replay(t, kafka(t), recording{file: "rest-standalone", props: map[string]string{"offset.flush.interval.ms": "2000"}, least: 330})
}

// The topic has good and bad records; the offsets of the sinks tell that they got over all of them.
func TestSinksWithDeadLettersAnswerAsKafkaConnect(t *testing.T) {
	bootstrap := kafka(t)
	producePoison(t, bootstrap)
	replay(t, bootstrap, recording{file: "rest-dlq", group: "golden", props: map[string]string{"offset.flush.interval.ms": "1000"}, least: 20})
}

func TestAWorkerWithExactlyOnceSourcesAnswersAsKafkaConnect(t *testing.T) {
	replay(t, kafka(t), recording{file: "rest-eos", group: "golden", props: map[string]string{
		"offset.flush.interval.ms": "1000", "exactly.once.source.support": "enabled",
	}, least: 28})
}

func kafka(t *testing.T) string {
	return env.PrivateKafka(t, map[string]string{"auto.create.topics.enable": "true"}).Bootstrap
}

// replay asks a fresh worker what was asked of Kafka Connect, and fails for answers that differ without a reason. It
// returns the folder of the sequence's files.
func replay(t *testing.T, bootstrap string, r recording) string {
	t.Helper()
	python, err := exec.LookPath("python3")
	require.NoError(t, err, "the test needs python3")
	const json0 = "org.apache.kafka.connect.json.JsonConverter"
	plugins := filepath.Join(t.TempDir(), "plugins")
	require.NoError(t, os.Mkdir(plugins, 0o700))
	for _, name := range []string{"file-source", "file-sink"} {
		require.NoError(t, os.Symlink(filepath.Join(harness.Binaries(t), "plugins", name), filepath.Join(plugins, name)))
	}
	props := map[string]string{"key.converter": json0, "value.converter": json0}
	maps.Copy(props, r.props)
	w := harness.Start(t, harness.Config{Bootstrap: bootstrap, Group: r.group, PluginPath: plugins, Props: props})
	w.AwaitJoined()
	at, err := url.Parse(w.URL())
	require.NoError(t, err)
	data, report := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "report.json")
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	out, _ := exec.CommandContext(ctx, python, filepath.Join("testdata", "replay.py"), filepath.Join("testdata", r.file+".jsonl.gz"),
		at.Hostname(), at.Port(), data, "--bootstrap", bootstrap, "--json", report).CombinedOutput()
	text, err := os.ReadFile(report)
	require.NoError(t, err, "%s", out)
	var results []result
	require.NoError(t, json.Unmarshal(text, &results))
	equal, meant := 0, 0
	for _, one := range results {
		switch why := reason(one.Name); {
		case one.OK:
			equal++
		case why != "":
			meant++
		default:
			t.Errorf("%s: %q", one.Name, one.Differences)
		}
	}
	t.Logf("%s: %d exchanges are equal, %d differ on purpose", r.file, equal, meant)
	require.GreaterOrEqual(t, equal, r.least, "%s", out)
	return data
}

// producePoison writes the records that the sinks of rest-dlq read.
func producePoison(t *testing.T, bootstrap string) {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "poison.jsonl.gz"))
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	unzipped, err := gzip.NewReader(f)
	require.NoError(t, err)
	type part struct{ Base64 []byte }
	cl, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.AllowAutoTopicCreation())
	require.NoError(t, err)
	defer cl.Close()
	for lines := bufio.NewScanner(unzipped); lines.Scan(); {
		var r struct {
			Key, Value *part
			Headers    []struct {
				Key   string
				Value *part
			}
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &r))
		bytes := func(p *part) []byte {
			if p == nil {
				return nil
			}
			return p.Base64
		}
		record := &kgo.Record{Topic: "poison", Key: bytes(r.Key), Value: bytes(r.Value)}
		for _, h := range r.Headers {
			record.Headers = append(record.Headers, kgo.RecordHeader{Key: h.Key, Value: bytes(h.Value)})
		}
		require.NoError(t, cl.ProduceSync(t.Context(), record).FirstErr())
	}
}

// compareConfigTopic holds what was written for each connector against what Kafka Connect wrote: the same records in the
// same order, byte for byte.
func compareConfigTopic(t *testing.T, bootstrap, data string) {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "config-topic.jsonl.gz"))
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	unzipped, err := gzip.NewReader(f)
	require.NoError(t, err)
	want := map[string][]string{}
	lines := bufio.NewScanner(unzipped)
	for lines.Scan() {
		var r struct {
			Key   string
			Value *string
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &r))
		value := "null"
		if r.Value != nil {
			value = strings.ReplaceAll(*r.Value, "/data/connect", data)
		}
		want[r.Key] = append(want[r.Key], value)
	}
	require.NoError(t, lines.Err())
	got := map[string][]string{}
	cl, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.ConsumeTopics("golden-configs"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(t, err)
	defer cl.Close()
	for quiet := false; !quiet; {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		fetches := cl.PollFetches(ctx)
		cancel()
		quiet = fetches.NumRecords() == 0
		fetches.EachRecord(func(r *kgo.Record) {
			value := "null"
			if r.Value != nil {
				value = string(r.Value)
			}
			got[string(r.Key)] = append(got[string(r.Key)], value)
		})
	}
	delete(want, "session-key") // random
	require.Len(t, got["session-key"], 1)
	delete(got, "session-key")
	equal := 0
	for key, values := range want {
		if why := otherwise(key); why != "" {
			continue
		}
		if strings.Join(values, "\n") == strings.Join(got[key], "\n") {
			equal++
			continue
		}
		t.Errorf("%s:\nKafka Connect wrote\n%s\nTailrace\n%s", key, strings.Join(values, "\n"), strings.Join(got[key], "\n"))
	}
	for key := range got {
		if _, known := want[key]; !known && otherwise(key) == "" {
			t.Errorf("%s: Kafka Connect wrote nothing, Tailrace %q", key, got[key])
		}
	}
	t.Logf("%d keys of the config topic have the same records", equal)
}

// otherwise says why the records of a key differ on purpose.
func otherwise(key string) string {
	for _, d := range []struct{ keys, why string }{
		{`-broken-badproducer(-0)?$`, "the connector is refused when it is made"},
		{`^(connector|task|commit|target-state)-conf(-0)?$`, "the change of its name is refused"},
		{`^(connector|task|commit|target-state)-(a/b|a%2Fb|100%25|<b>html</b>|back\\slash)(-0)?$`, "connectors with odd names can be deleted"},
	} {
		if regexp.MustCompile(d.keys).MatchString(key) {
			return d.why
		}
	}
	return ""
}
