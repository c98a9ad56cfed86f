package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	connect "github.com/tailrace/tailrace/sdk/go"
	"github.com/tailrace/tailrace/sdk/go/connecttest"
	"github.com/tailrace/tailrace/sdk/go/data"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	tp0 = connect.TopicPartition{Topic: "t", Partition: 0}
	tp1 = connect.TopicPartition{Topic: "t", Partition: 1}
)

func text(partition int32, v string) connecttest.Record {
	return connecttest.Record{Topic: "t", KafkaPartition: partition, Value: v, ValueSchema: data.OptionalStringSchema}
}

func content(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}

func TestStringsBecomeLinesAsKafkaWritesThem(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.txt")
	require.NoError(t, os.WriteFile(path, []byte("old\n"), 0o600))
	s := connecttest.RunSink(t, plugin(), connect.Config{"file": path}, []connect.TopicPartition{tp0},
		connecttest.Connector("org.apache.kafka.connect.file.FileStreamSinkConnector"))
	s.Put(text(0, "alpha"), text(0, ""), text(0, "é"))
	require.Equal(t, "old\nalpha\n\né\n", content(t, path), "lines are there when Put returns, before any flush")
	committed, err := s.Flush()
	require.NoError(t, err)
	require.Equal(t, connect.Offsets{tp0: 3}, committed)
}

func TestOtherValuesAreWrittenAsJavaPrintsThem(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.txt")
	schema := data.NewStruct().Field("id", data.Int64Schema).Field("name", data.OptionalStringSchema).MustBuild()
	s := connecttest.RunSink(t, plugin(), connect.Config{"file": path}, []connect.TopicPartition{tp0})
	rec := func(schema *data.Schema, v any) connecttest.Record {
		return connecttest.Record{Topic: "t", Value: v, ValueSchema: schema}
	}
	s.Put(
		rec(nil, nil), rec(data.OptionalStringSchema, nil), rec(nil, "text"), rec(nil, []byte("raw\xff")),
		rec(nil, data.NewMapValue(data.MapEntry{Key: "a", Value: int64(1)})), rec(data.Float64Schema, 1e10),
		rec(schema, data.NewValue(schema).Set("id", 1).MustBuild()),
	)
	require.Equal(t, "null\nnull\ntext\nraw\xff\n{a=1}\n1.0E10\nStruct{id=1}\n", content(t, path))
}

func TestEachPartitionCanHaveItsFile(t *testing.T) {
	dir := t.TempDir()
	s := connecttest.RunSink(t, plugin(), connect.Config{"file": dir + "/{topic}-{partition}-{task}.txt"},
		[]connect.TopicPartition{tp0, tp1}, connecttest.TaskNumber(3))
	s.Put(text(0, "a"), text(1, "b"), text(0, "c"))
	require.Equal(t, "a\nc\n", content(t, dir+"/t-0-3.txt"))
	require.Equal(t, "b\n", content(t, dir+"/t-1-3.txt"))
	s.Revoke(tp1)
	s.Put(text(0, "d"))
	s.Assign(tp1)
	s.Put(text(1, "e"))
	require.Equal(t, "b\ne\n", content(t, dir+"/t-1-3.txt"))
}

func TestBadPathsFailTheTaskAtOnce(t *testing.T) {
	dir := t.TempDir()
	s := connecttest.RunSink(t, plugin(), connect.Config{"file": dir}, nil, connecttest.WantFailure())
	require.Contains(t, s.Failure().Message, "Couldn't find or create file '"+dir+"' for FileStreamSinkTask")
	s = connecttest.RunSink(t, plugin(), connect.Config{"file": dir + "/no/file"}, nil, connecttest.WantFailure())
	require.Contains(t, s.Failure().Message, "Its folder does not exist")
}

func TestAFullDiskIsRetriedAndNothingIsCommitted(t *testing.T) {
	s := connecttest.RunSink(t, plugin(), connect.Config{"file": "/dev/full"}, []connect.TopicPartition{tp0})
	s.Produce(text(0, "a"))
	s.Retries(1)
	require.Empty(t, s.Committed())
	s.Kill()
}

func TestRotationBySizeKeepsEveryLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.txt")
	s := connecttest.RunSink(t, plugin(), connect.Config{"file": path, "rotate.bytes": "100"}, []connect.TopicPartition{tp0})
	var want strings.Builder
	for i := range 100 {
		s.Put(text(0, fmt.Sprint(i)))
		fmt.Fprintln(&want, i)
	}
	rotated, err := filepath.Glob(path + ".*")
	require.NoError(t, err)
	require.NotEmpty(t, rotated)
	got := ""
	for _, p := range append(rotated, path) {
		got += content(t, p)
	}
	require.Equal(t, want.String(), got)
}

func TestRotationByTimeNeedsNoRecords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.txt")
	s := connecttest.RunSink(t, plugin(), connect.Config{"file": path, "rotate.interval.ms": "50"}, []connect.TopicPartition{tp0})
	s.Put(text(0, "a"))
	require.Eventually(t, func() bool {
		s.PutNothing()
		rotated, _ := filepath.Glob(path + ".*")
		return len(rotated) == 1 && content(t, rotated[0]) == "a\n"
	}, 5*time.Second, 10*time.Millisecond)
}

// TestExactlyOnceThroughKills kills the task at random moments between puts, flushes and rotations; afterwards every
// record is in the files exactly once and in order, although the worker delivers from its last commit. // I-2, I-6
func TestExactlyOnceThroughKills(t *testing.T) {
	dir := t.TempDir()
	cfg := connect.Config{"file": dir + "/{partition}.txt", "delivery": "exactly-once", "rotate.bytes": "400"}
	s := connecttest.RunSink(t, plugin(), cfg, []connect.TopicPartition{tp0, tp1})
	produced := [2]int{}
	kills := 0
	for range 300 {
		switch rand.IntN(6) {
		case 0, 1, 2:
			var records []connecttest.Record
			for range rand.IntN(20) + 1 {
				p := rand.IntN(2)
				records = append(records, text(int32(p), fmt.Sprint(produced[p])))
				produced[p]++
			}
			s.Produce(records...)
			if rand.IntN(2) == 0 {
				s.WaitAccepted()
			}
		case 3:
			_, err := s.Flush()
			require.NoError(t, err)
		case 4:
			if kills < 20 {
				kills++
				s.Kill()
				s.Restart(tp0, tp1)
			}
		case 5:
			s.Revoke(tp1)
			s.Assign(tp1)
		}
	}
	s.WaitAccepted()
	s.Drain()
	for p, n := range produced {
		var want strings.Builder
		for i := range n {
			fmt.Fprintln(&want, i)
		}
		path := fmt.Sprintf("%s/%d.txt", dir, p)
		rotated, err := filepath.Glob(path + ".2*")
		require.NoError(t, err)
		require.NotEmpty(t, rotated)
		got := ""
		for _, f := range append(rotated, path) {
			got += content(t, f)
		}
		require.Equal(t, want.String(), got, "partition %d", p)
	}
	require.Equal(t, connect.Offsets{tp0: int64(produced[0]), tp1: int64(produced[1])}, s.Committed())
}

func TestExactlyOnceFollowsTheSidecarAndAlteredOffsets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.txt")
	cfg := connect.Config{"file": path, "delivery": "exactly-once"}
	s := connecttest.RunSink(t, plugin(), cfg, []connect.TopicPartition{tp0})
	s.Put(text(0, "a"), text(0, "b"), text(0, "c"))
	s.Drain()
	require.Contains(t, content(t, path+".offsets"), `"next":3`)
	require.NoError(t, (&connector{}).AlterOffsets(t.Context(), cfg, map[connect.TopicPartition]int64{tp0: 1}))
	s.Restart(tp0)
	s.WaitAccepted()
	require.Eventually(t, func() bool { return content(t, path) == "a\nb\nc\nb\nc\n" }, 5*time.Second, 5*time.Millisecond)
}

func TestRulesBetweenKeys(t *testing.T) {
	for message, cfg := range map[string]connect.Config{
		"standard output cannot be cut back": {"delivery": "exactly-once"},
		"each Kafka partition needs a file":  {"delivery": "exactly-once", "file": "/x", "tasks.max": "2"},
		"put {topic} and {partition} into":   {"delivery": "exactly-once", "file": "/x-{partition}", "topics": "a,b", "tasks.max": "2"},
		"which {task} does not promise":      {"delivery": "exactly-once", "file": "/x-{task}"},
		"standard output cannot be rotated":  {"rotate.bytes": "5"},
	} {
		issues := (&connector{}).Validate(t.Context(), cfg)
		require.Len(t, issues, 1, message)
		require.Contains(t, issues[0].Message, message)
	}
	for _, cfg := range []connect.Config{
		{}, {"file": "/no/such/folder/x"}, {"delivery": "exactly-once", "file": "/x-{partition}", "topics": "a", "tasks.max": "2"},
	} {
		require.Empty(t, (&connector{}).Validate(t.Context(), cfg))
	}
	var shown []string
	for _, k := range definition(true).Keys() {
		if !k.Internal {
			shown = append(shown, k.Name)
		}
	}
	require.Equal(t, []string{"file"}, shown, "the stand-in shows what Kafka's sink shows")
}
