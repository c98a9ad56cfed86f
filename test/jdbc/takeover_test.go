package jdbc

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tailrace/tailrace/test/env"
	"github.com/tailrace/tailrace/test/harness"
)

// A stopped connector is given the offset that Confluent's connector would have stored, in the form of its record in the offsets
// topic; it goes on behind that row.
func TestOffsetsOfKafkaConnectAreGoneOnFrom(t *testing.T) {
	d := postgres(t)
	d.create(t, "takeover")
	t.Cleanup(func() { _, _ = d.Exec("DROP TABLE takeover") }) //nolint:noctx // the test's context is over
	d.insert(t, "takeover", 1, 100)
	bootstrap := env.Kafka(t).Bootstrap
	w := harness.Start(t, harness.Config{Bootstrap: bootstrap})
	prefix := env.Name(t) + "-"
	cfg := connectorConfig(d, prefix, map[string]string{"table.whitelist": "takeover", "mode": "incrementing", "timestamp.column.name": ""})
	status, body := w.REST("POST", "/connectors", map[string]any{"name": "jdbc", "config": cfg, "initial_state": "STOPPED"})
	require.Equal(t, 201, status, body)
	w.AwaitState("jdbc", "STOPPED", 0)
	status, body = w.REST("PATCH", "/connectors/jdbc/offsets", map[string]any{"offsets": []any{map[string]any{
		"partition": map[string]any{"protocol": "1", "table": "postgres.public.takeover"},
		"offset":    map[string]any{"incrementing": 90},
	}}})
	require.Equal(t, 200, status, body)
	status, body = w.REST("PUT", "/connectors/jdbc/resume", nil)
	require.Equal(t, 202, status, body)
	got := d.readTopic(t, bootstrap, prefix+"takeover")
	harness.Eventually(t, time.Minute, "the last ten rows arrive", func() (bool, string) {
		got.some(t)
		return len(got.latest) >= 10, fmt.Sprint(got.latest)
	})
	require.Len(t, got.latest, 10)
	for id := int64(91); id <= 100; id++ {
		require.Contains(t, got.latest, id)
	}
	d.insert(t, "takeover", 101, 101)
	harness.Eventually(t, time.Minute, "the offset goes back under the name it came from", func() (bool, string) {
		_, body := w.REST("GET", "/connectors/jdbc/offsets", nil)
		return strings.TrimSpace(body) == `{"offsets":[{"partition":{"protocol":"1","table":"postgres.public.takeover"},"offset":{"incrementing":101}}]}`, body
	})
}

// A cluster whose offsets topic Kafka Connect filled is gone on from: the records there are as Confluent's connector leaves them in mode
// timestamp+incrementing.
func TestTheOffsetsTopicOfKafkaConnectIsGoneOnFrom(t *testing.T) {
	d := postgres(t)
	d.create(t, "handed")
	t.Cleanup(func() { _, _ = d.Exec("DROP TABLE handed") }) //nolint:noctx // the test's context is over
	d.insert(t, "handed", 1, 100)
	var changed time.Time
	require.NoError(t, d.QueryRowContext(t.Context(), "SELECT changed FROM handed WHERE id = 90").Scan(&changed))
	bootstrap, group := env.Kafka(t).Bootstrap, env.Name(t)
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.DefaultProduceTopic(group+"-offsets"))
	require.NoError(t, err)
	defer client.Close()
	_, err = kadm.NewClient(client).CreateTopic(t.Context(), 5, 1, map[string]*string{"cleanup.policy": kadm.StringPtr("compact")}, group+"-offsets")
	require.NoError(t, err)
	key := `["jdbc",{"protocol":"1","table":"postgres.public.handed"}]`
	offset := func(id, nanos int) []byte {
		return fmt.Appendf(nil, `{"timestamp_nanos":%d,"incrementing":%d,"timestamp":%d}`, nanos, id, changed.UnixMilli())
	}
	require.NoError(t, client.ProduceSync(t.Context(),
		&kgo.Record{Key: []byte(key), Value: offset(3, changed.Nanosecond())},
		&kgo.Record{Key: []byte(key), Value: offset(90, changed.Nanosecond())}, // the latest counts
		&kgo.Record{Key: []byte(strings.Replace(key, "jdbc", "other", 1)), Value: offset(99, changed.Nanosecond())},
	).FirstErr())

	w := harness.Start(t, harness.Config{Bootstrap: bootstrap, Group: group})
	w.AwaitJoined()
	prefix := group + "-"
	w.Create("jdbc", connectorConfig(d, prefix, map[string]string{"table.whitelist": "handed", "timestamp.delay.interval.ms": "0"}))
	got := d.readTopic(t, bootstrap, prefix+"handed")
	harness.Eventually(t, time.Minute, "the last ten rows arrive", func() (bool, string) {
		got.some(t)
		return len(got.latest) >= 10, fmt.Sprint(got.latest)
	})
	got.more(t)
	require.Len(t, got.latest, 10)
	require.Contains(t, got.latest, int64(91))
	require.NoError(t, d.QueryRowContext(t.Context(), "SELECT changed FROM handed WHERE id = 100").Scan(&changed))
	harness.Eventually(t, time.Minute, "the offset goes back under the name it came from", func() (bool, string) {
		_, body := w.REST("GET", "/connectors/jdbc/offsets", nil)
		var answer struct {
			Offsets []struct{ Partition, Offset map[string]any }
		}
		if err := json.Unmarshal([]byte(body), &answer); err != nil || len(answer.Offsets) != 1 {
			return false, body
		}
		o := answer.Offsets[0]
		return o.Partition["table"] == "postgres.public.handed" && o.Offset["incrementing"] == 100.0 &&
			o.Offset["timestamp"] == float64(changed.UnixMilli()) && o.Offset["timestamp_nanos"] == float64(changed.Nanosecond()), body
	})
}

func TestTasksStayWhileTheDatabaseIsAway(t *testing.T) {
	d := postgres(t)
	d.create(t, "patient")
	t.Cleanup(func() { _, _ = d.Exec("DROP TABLE patient") }) //nolint:noctx // the test's context is over
	d.insert(t, "patient", 1, 100)
	server := env.Postgres(t)
	bootstrap := env.Kafka(t).Bootstrap
	w := harness.Start(t, harness.Config{Bootstrap: bootstrap})
	prefix := env.Name(t) + "-"
	w.Create("jdbc", connectorConfig(d, prefix, map[string]string{"table.whitelist": "patient"}))
	rows := d.readTopic(t, bootstrap, prefix+"patient")
	rows.await(t, "patient", time.Minute)

	require.NoError(t, server.Stop())
	status, body := w.REST("POST", "/connectors/jdbc/restart", nil)
	require.Contains(t, []int{200, 202, 204}, status, body)
	w.SaysInLog("its tasks stay as they are")
	w.AwaitState("jdbc", "RUNNING", 1)
	require.NoError(t, server.Start(t.Context()))
	d.insert(t, "patient", 101, 110)
	rows.await(t, "patient", time.Minute)
	require.Zero(t, rows.repeats)
}
