package cli

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/cli/client"
)

func TestWorkersAreCountedFromTheStatesOfWhatTheyRun(t *testing.T) {
	all := map[string]client.Expanded{
		"a": {Status: &client.Status{
			Connector: client.Instance{State: "RUNNING", WorkerID: "one:1"},
			Tasks:     []client.TaskStatus{{Instance: client.Instance{State: "FAILED", WorkerID: "two:1"}}, {Instance: client.Instance{State: "RUNNING", WorkerID: "two:1"}}},
		}},
		"b": {},
	}
	list := workers(all, client.Worker{WorkerID: "three:1", Version: "1.0", ResidentBytes: 5 << 20})
	require.Len(t, list, 3)
	require.Equal(t, workerSummary{WorkerID: "one:1", Connectors: 1}, list[0])
	require.Equal(t, "1.0", list[1].Asked.Version)
	require.Equal(t, workerSummary{WorkerID: "two:1", Tasks: 2, Failed: 1}, list[2])
	var out bytes.Buffer
	require.NoError(t, printWorkers(&printer{out: &out, form: asTable}, list))
	require.Contains(t, out.String(), "5 MiB")
	require.Len(t, workers(all, client.Worker{}), 2, "Kafka Connect tells nothing of itself")
}

func TestRecordsAndLinesAreShownToPeople(t *testing.T) {
	text := func(s string) *client.Part { return &client.Part{Text: &s, Bytes: len(s)} }
	partition, offset := int32(2), int64(7)
	r := client.Record{
		Topic: "t", Partition: &partition, Offset: &offset, Key: text("k"), Value: &client.Part{JSON: json.RawMessage(`{"a":1}`)},
		Headers: []client.Header{{Name: "h", Value: nil}},
	}
	require.Equal(t, `t-2@7 k → {"a":1} {h: null}`, recordText(r))
	require.Equal(t, "t null  (dropped by a transform)", recordText(client.Record{Topic: "t", Dropped: true}))
	require.Equal(t, "(3 bytes) AAEC", partText(&client.Part{Base64: "AAEC", Bytes: 3}))
	n := 3
	line := logText(client.LogLine{Time: time.Unix(0, 0), Level: "WARN", Task: &n, Message: "m", Fields: map[string]string{"b": "2", "a": "1"}})
	require.Regexp(t, `WARN  \[task 3\] m a="1" b="2"$`, line)
	require.Contains(t, previewEnd(client.Preview{Ended: "time", Failure: "why"}), "no more came in time\nwhy")

	var out bytes.Buffer
	for _, form := range []string{asJSON, asYAML, asTable} {
		require.NoError(t, (&printer{out: &out, form: form}).each(map[string]int{"a": 1}, "for \x1bpeople"))
	}
	require.Equal(t, "{\"a\":1}\n---\na: 1\nfor \uFFFDpeople\n", out.String())
}

func TestDoctorTellsOfDeathsAndOfBrokersThatTasksCannotReach(t *testing.T) {
	var processes []client.Process
	require.NoError(t, json.Unmarshal([]byte(`[
		{"plugin":"p","connector":"well","pid":1},
		{"plugin":"p","connector":"shaky","pid":2,"restarts":4,"last_exit":{"cause":"signal","signal":"killed"}},
		{"plugin":"p","connector":"greedy","pid":0,"last_exit":{"cause":"memory limit","detail":"it used 300 MiB"}}]`), &processes))
	found := diagnose(facts{about: client.About{KafkaClusterID: "k"}, plugins: []client.Plugin{{}}, processes: processes, brokers: map[string]string{"well": "task 0: refused"}})
	by := map[string]Finding{}
	for _, f := range found {
		by[f.Check] = f
	}
	require.Equal(t, Trouble, by["Kafka for connector well"].Verdict)
	require.Equal(t, Warning, by["plugin process of shaky"].Verdict)
	require.Contains(t, by["plugin process of shaky"].Found, "signal killed) and was started again 4 times")
	require.Equal(t, Trouble, by["plugin process of greedy"].Verdict)
	require.Contains(t, by["plugin process of greedy"].Fix, "memory")
	require.NotContains(t, by, "plugin process of well")
}
