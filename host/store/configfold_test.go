package store

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// recorded is one record that Kafka Connect 4.1.0 wrote.
type recorded struct {
	Partition int32
	Offset    int64
	Key       string
	Value     *string
}

func (r recorded) record() Record {
	rec := Record{Key: []byte(r.Key)}
	if r.Value != nil {
		rec.Value = []byte(*r.Value)
	}
	return rec
}

// recordings are the whole topics of a distributed worker (and of one with
// exactly-once support) after a long sequence of REST requests.
func recordings(t testing.TB, name string) []recorded {
	f, err := os.Open("testdata/topics/" + name + ".jsonl")
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	var all []recorded
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r recorded
		require.NoError(t, json.Unmarshal(lines.Bytes(), &r))
		all = append(all, r)
	}
	require.NoError(t, lines.Err())
	return all
}

func TestWhatKafkaConnectWroteFoldsIntoWhatItsRESTSaid(t *testing.T) {
	fold := NewConfigFold()
	records := recordings(t, "config")
	remembered := 0
	for _, r := range records {
		require.NoError(t, fold.Apply(r.Offset, r.record()), "%s at %d", r.Key, r.Offset)
		for _, c := range fold.Snapshot().Connectors {
			require.GreaterOrEqual(t, c.TasksSeen, len(c.Tasks))
			if c.TargetState == TargetStopped && len(c.Tasks) == 0 && c.TasksSeen > 0 {
				remembered++ // it had tasks before it was stopped
			}
		}
	}
	require.Positive(t, remembered)
	s := fold.Snapshot()
	require.Equal(t, int64(342), s.Version)
	// GET /connectors at the end of the recording.
	require.ElementsMatch(t, []string{
		"a%2Fb", "a/b", "stay-paused", "stay-stopped", "back\\slash", "<b>html</b>",
		"stay-sink", "lead-trail", "stay", "100%25",
	}, s.Names())
	for name, c := range s.Connectors {
		require.False(t, c.Inconsistent, name)
		require.Equal(t, name, c.Config["name"])
		switch name {
		case "stay", "stay-sink":
			require.Equal(t, TargetStarted, c.TargetState, name)
			require.Len(t, c.Tasks, 1)
			require.Equal(t, c.Config, c.AppliedConfig)
			require.Equal(t, 1, c.TaskGeneration)
			require.Equal(t, name, c.Tasks[0]["name"])
			require.Equal(t, 1, c.TasksSeen)
		case "stay-paused":
			require.Zero(t, c.TasksSeen)
			require.Equal(t, TargetPaused, c.TargetState)
			require.Nil(t, c.Tasks)
		default:
			require.Equal(t, TargetStopped, c.TargetState, name)
			require.Empty(t, c.Tasks)
		}
	}
	require.Len(t, s.SessionKey.Key, 32)
	require.Equal(t, "HmacSHA256", s.SessionKey.Algorithm)
	require.Equal(t, int64(1795228591308), s.SessionKey.CreatedMillis)
	changes := fold.Take()
	require.Len(t, changes.Restarts, 12)
	require.Len(t, changes.Loggers, 2)
	require.True(t, changes.SessionKey)
	require.True(t, fold.Take().Empty())
}

func TestTheTopicOfAnExactlyOnceWorkerFolds(t *testing.T) {
	fold := NewConfigFold()
	for _, r := range recordings(t, "config-eos") {
		require.NoError(t, fold.Apply(r.Offset, r.record()))
	}
	s := fold.Snapshot()
	require.Equal(t, int64(42), s.Version, "the last record with data; markers do not count")
	require.Equal(t, []string{"eos", "eos2"}, s.Names())
	eos, eos2 := s.Connectors["eos"], s.Connectors["eos2"]
	require.Equal(t, TargetStarted, eos.TargetState)
	require.Len(t, eos.Tasks, 1)
	require.True(t, eos.Fenced)
	require.False(t, eos.PendingFencing)
	require.Equal(t, 1, eos.FencedTasks)
	require.Equal(t, TargetStopped, eos2.TargetState)
	require.Equal(t, []map[string]string{}, eos2.Tasks)
	require.Equal(t, 0, eos2.FencedTasks)
}

// What Tailrace writes for the state that it has read is what Kafka Connect wrote, byte for byte.
func TestEveryRecordedConfigRecordIsWrittenByteForByte(t *testing.T) {
	equal := 0
	for _, name := range []string{"config", "config-eos"} {
		fold := NewConfigFold()
		for _, r := range recordings(t, name) {
			event, err := parseConfigRecord(r.record())
			require.NoError(t, err)
			var again Record
			switch e := event.(type) {
			case connectorEvent:
				again = ConnectorTombstone(e.connector)
				if e.properties != nil {
					again = ConnectorRecord(e.connector, e.properties)
				}
			case taskEvent:
				// From the unordered map that the connector's owner sends.
				unordered := map[string]string{}
				for _, p := range e.properties {
					unordered[p.Key] = p.Value
				}
				again = TaskRecord(e.id, asHashMap(propertiesInOrder(unordered, fold.order(e.id.Connector))))
			case commitEvent:
				again = CommitRecord(e.connector, e.tasks)
			case targetStateEvent:
				again = TargetStateTombstone(e.connector)
				if e.state != "" {
					again = TargetStateRecord(e.connector, e.state)
				}
			case fencingEvent:
				again = FencingRecord(e.connector, e.tasks)
			case sessionKeyEvent:
				again = SessionKeyRecord(e.key)
			case restartEvent:
				again = RestartRecord(e.request)
			case loggerEvent:
				again = LoggerRecord(e.level)
			}
			require.Equal(t, r.Key, string(again.Key))
			require.Equal(t, string(r.record().Value), string(again.Value), "%s at %d", r.Key, r.Offset)
			require.Equal(t, r.Value == nil, again.Value == nil)
			require.NoError(t, fold.Apply(r.Offset, r.record()))
			equal++
		}
	}
	require.Equal(t, 365, equal)
}

func TestRecordsThatSayNothingUsefulChangeNothing(t *testing.T) {
	fold := NewConfigFold()
	text := func(key, value string) Record { return Record{[]byte(key), []byte(value)} }
	apply := func(offset int64, r Record) error { return fold.Apply(offset, r) }
	require.NoError(t, apply(0, text("connector-a-1", `{"properties":{"name":"a-1","null":null}}`)))
	require.NoError(t, apply(1, text("target-state-a-1", `{"state":"PAUSED"}`)))
	for _, bad := range []Record{
		text("target-state-a-1", `{"state":"PAUSED","state.v2":"FUTURE"}`), text("target-state-a-1", `{}`), text("target-state-a-1", `7`),
		text("task-a-1-x", `{"properties":{}}`), text("task-a", `{"properties":{}}`),
		{Key: []byte("task-a-1-0")},
		text("task-a-1-0", `{"properties":{"k":1}}`), text("task-a-1-0", `{}`), text("commit-a-1", `{"tasks":-1}`), text("commit-a-1", `{"tasks":"1"}`),
		text("connector-a-1", `[]`), text("connector-a-1", `{"properties":[]}`), text("session-key", `{"key":"!"}`), text("session-key", `{"key":"!","algorithm":"a","creation-timestamp":1}`),
		text("logger-cluster-x", `{}`), text("restart-connector-a-1", `x`),
		{Key: []byte("commit-a-1")},
	} {
		require.Error(t, apply(2, bad), "%s %s", bad.Key, bad.Value)
	}
	require.NoError(t, apply(3, text("of-a-newer-worker", "anything")), "an unknown key is for somebody else")
	c := fold.Snapshot().Connectors["a-1"]
	require.Equal(t, TargetPaused, c.TargetState)
	require.Equal(t, map[string]string{"name": "a-1"}, c.Config)
	require.Nil(t, c.Tasks)
	require.Equal(t, int64(4), fold.Snapshot().Version)

	// Only a commit makes task records valid, and only a whole set.
	require.NoError(t, apply(4, text("task-a-1-1", `{"properties":{"t":"1"}}`)))
	require.NoError(t, apply(5, CommitRecord("a-1", 2)))
	require.True(t, fold.Snapshot().Connectors["a-1"].Inconsistent)
	require.Nil(t, fold.Snapshot().Connectors["a-1"].Tasks)
	require.NoError(t, apply(6, text("task-a-1-0", `{"properties":{"t":"0"}}`)))
	require.NoError(t, apply(7, CommitRecord("a-1", 2)))
	require.True(t, fold.Snapshot().Connectors["a-1"].Inconsistent, "an earlier half set does not complete a later one")
	require.NoError(t, apply(8, text("task-a-1-0", `{"properties":{"t":"0"}}`)))
	require.NoError(t, apply(9, CommitRecord("a-1", 1)))
	require.Equal(t, []map[string]string{{"t": "0"}}, fold.Snapshot().Connectors["a-1"].Tasks)
	require.Equal(t, 1, fold.Snapshot().Connectors["a-1"].TaskGeneration)

	require.NoError(t, apply(10, TargetStateTombstone("a-1")))
	require.Equal(t, TargetStarted, fold.Snapshot().Connectors["a-1"].TargetState)
	require.NoError(t, apply(11, ConnectorTombstone("a-1")))
	require.Empty(t, fold.Snapshot().Names())
	require.NoError(t, apply(12, CommitRecord("a-1", 1)), "traces of a deleted connector")
	require.NoError(t, apply(13, ConnectorRecord("a-1", []Property{{"name", "a-1"}})))
	require.Nil(t, fold.Snapshot().Connectors["a-1"].Tasks, "a connector of an old name starts anew")
}

// Whatever Kafka has compacted away when a worker reads the topic, it finds the
// same tasks or none; never a mixture of two sets.
func TestAnyCompactionFoldsIntoTheSameTasksOrNone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log := drawConfigLog(t)
		full, compacted := NewConfigFold(), NewConfigFold()
		for i, r := range log {
			require.NoError(t, full.Apply(int64(i), r))
		}
		cut := rapid.IntRange(0, len(log)).Draw(t, "compacted up to")
		dropTombstones := rapid.Bool().Draw(t, "tombstones are old")
		for i, r := range log {
			if i < cut && (dropTombstones && r.Value == nil || writtenAgain(log[i+1:cut], r.Key)) {
				continue
			}
			require.NoError(t, compacted.Apply(int64(i), r))
		}
		want, got := full.Snapshot(), compacted.Snapshot()
		require.Equal(t, want.Names(), got.Names())
		require.Equal(t, want.SessionKey, got.SessionKey)
		for name, w := range want.Connectors {
			g := got.Connectors[name]
			require.Equal(t, w.Config, g.Config)
			require.Equal(t, w.TargetState, g.TargetState)
			if g.Tasks != nil {
				require.Equal(t, w.Tasks, g.Tasks)
			}
			require.False(t, w.Inconsistent, "nothing was lost")
			if g.Inconsistent {
				require.Nil(t, g.Tasks)
			}
		}
	})
}

func writtenAgain(later []Record, key []byte) bool {
	return slices.ContainsFunc(later, func(r Record) bool { return bytes.Equal(r.Key, key) })
}

// drawConfigLog is what leaders write, some of whom die within a set of tasks.
func drawConfigLog(t *rapid.T) []Record {
	var log []Record
	exists := map[string]bool{}
	for step := range rapid.IntRange(1, 25).Draw(t, "steps") {
		name := rapid.SampledFrom([]string{"c", "c-1", "d"}).Draw(t, "connector")
		version := Property{"version", fmt.Sprint(step)}
		what := rapid.IntRange(0, 9).Draw(t, "what")
		switch {
		case !exists[name] || what == 0:
			if rapid.Bool().Draw(t, "initial state") && !exists[name] {
				log = append(log, TargetStateRecord(name, TargetPaused))
			}
			log = append(log, ConnectorRecord(name, []Property{version}))
			exists[name] = true
		case what == 1:
			log = append(log, ConnectorTombstone(name), TargetStateTombstone(name))
			exists[name] = false
		case what == 2:
			log = append(log, CommitRecord(name, 0), TargetStateRecord(name, TargetStopped))
		case what == 3:
			log = append(log, TargetStateRecord(name, rapid.SampledFrom([]TargetState{TargetStarted, TargetPaused}).Draw(t, "state")))
		case what == 4:
			log = append(log, SessionKeyRecord(SessionKey{[]byte{byte(step)}, "HmacSHA256", int64(step)}))
		default:
			n := rapid.IntRange(1, 4).Draw(t, "tasks")
			written := n
			if rapid.IntRange(0, 4).Draw(t, "the leader dies") == 0 {
				written = rapid.IntRange(0, n-1).Draw(t, "after")
			}
			for i := range written {
				log = append(log, TaskRecord(TaskID{name, i}, []Property{version, {"task", fmt.Sprint(i)}}))
			}
			if written == n {
				log = append(log, CommitRecord(name, n))
			}
		}
	}
	return log
}

func FuzzConfigRecordsFromAnywhere(f *testing.F) {
	for _, r := range recordings(f, "config-eos") {
		f.Add(r.Key, r.record().Value)
	}
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		fold := NewConfigFold()
		_ = fold.Apply(0, Record{[]byte("connector-eos"), []byte(`{"properties":{}}`)})
		_ = fold.Apply(1, Record{[]byte(key), value})
		fold.Snapshot()
	})
}
