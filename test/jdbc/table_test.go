package jdbc

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tailrace/tailrace/test/env"
	"github.com/tailrace/tailrace/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// rows is how many rows a table gets before the connector starts.
func rows(t testing.TB) int {
	text := os.Getenv("TAILRACE_JDBC_ROWS")
	if text == "" {
		return 30_000
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}

// sum stands for a row's canonical text.
type sum [md5.Size]byte

// canonical brings numbers with a fraction into one form; other texts stay as they are.
func canonical(kind, text string) string {
	k := strings.ToLower(kind)
	if strings.HasPrefix(k, "real") || strings.HasPrefix(k, "float") {
		f, err := strconv.ParseFloat(text, 32)
		if err == nil {
			return strconv.FormatFloat(f, 'g', -1, 32)
		}
	}
	if strings.HasPrefix(k, "double") {
		f, err := strconv.ParseFloat(text, 64)
		if err == nil {
			return strconv.FormatFloat(f, 'g', -1, 64)
		}
	}
	if strings.HasPrefix(k, "decimal") || strings.HasPrefix(k, "numeric(") { // 1.50 and 1.5 are one number in JSON
		if strings.Contains(text, ".") {
			text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
		}
	}
	return text
}

func (d *database) kind(i int) string {
	if d.series[0] == '(' && strings.Contains(d.series, "RECURSIVE") && strings.HasPrefix(d.columns[i].kind, "REAL") {
		return "double" // of SQLite
	}
	return d.columns[i].kind
}

// table asks the database for its rows, as texts of its own making.
func (d *database) table(t testing.TB, name string) map[int64]sum {
	t.Helper()
	var texts []string
	for _, c := range d.columns {
		texts = append(texts, c.text)
	}
	rows, err := d.QueryContext(t.Context(), "SELECT "+strings.Join(texts, ", ")+" FROM "+name)
	require.NoError(t, err)
	defer rows.Close()
	out := map[int64]sum{}
	values := make([]*string, len(d.columns))
	into := make([]any, len(d.columns))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		require.NoError(t, rows.Scan(into...))
		var line strings.Builder
		for i, v := range values {
			if v == nil {
				line.WriteString("null|")
				continue
			}
			line.WriteString(canonical(d.kind(i), *v) + "|")
		}
		id, err := strconv.ParseInt(*values[0], 10, 64)
		require.NoError(t, err)
		out[id] = md5.Sum([]byte(line.String()))
	}
	require.NoError(t, rows.Err())
	return out
}

// topic is what a topic says of a table: the newest state of each row, and how often a state came twice.
type topic struct {
	db      *database
	client  *kgo.Client
	latest  map[int64]sum
	seen    map[string]bool // id and time of the change
	repeats int
	records int
	fields  int // of the last record
	sample  map[int64]string
}

func (d *database) readTopic(t testing.TB, bootstrap, name string) *topic {
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.ConsumeTopics(name), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.MetadataMinAge(100*time.Millisecond), kgo.UnknownTopicRetries(-1))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return &topic{db: d, client: client, latest: map[int64]sum{}, seen: map[string]bool{}, sample: map[int64]string{}}
}

// more reads until nothing comes any more.
func (p *topic) more(t testing.TB) {
	t.Helper()
	for more := true; more; {
		more = p.some(t) > 0
	}
}

// some reads one fetch.
func (p *topic) some(t testing.TB) (n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	p.client.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
		n++
		p.take(t, r.Value)
	})
	return n
}

// schema reads the schema that the first record carries.
func (p *topic) schema(t testing.TB) []byte {
	t.Helper()
	var e struct{ Schema json.RawMessage }
	p.client.PollRecords(t.Context(), 1).EachRecord(func(r *kgo.Record) { require.NoError(t, json.Unmarshal(r.Value, &e)) })
	require.NotEmpty(t, e.Schema)
	return e.Schema
}

func (p *topic) take(t testing.TB, value []byte) {
	var fields map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(value, &fields))
	if payload := fields["payload"]; payload != nil {
		fields = nil
		require.NoError(t, json.Unmarshal(payload, &fields))
	}
	var line strings.Builder
	for i, c := range p.db.columns {
		raw, ok := fields[c.name]
		require.True(t, ok, "no field %s in %s", c.name, value)
		text := string(raw)
		if raw[0] == '"' {
			require.NoError(t, json.Unmarshal(raw, &text))
		}
		if text != "null" {
			text = canonical(p.db.kind(i), text)
		}
		line.WriteString(text + "|")
	}
	id, err := strconv.ParseInt(string(fields["id"]), 10, 64)
	require.NoError(t, err)
	p.records++
	p.fields = len(fields)
	p.latest[id] = md5.Sum([]byte(line.String()))
	if id%1000 == 1 {
		p.sample[id] = line.String()
	}
	version := string(bytes.Join([][]byte{fields["id"], fields["changed"]}, []byte{'@'}))
	if p.seen[version] {
		p.repeats++
	}
	p.seen[version] = true
}

// await reads until the topic says the same as the table.
func (p *topic) await(t testing.TB, table string, within time.Duration) {
	t.Helper()
	want := p.db.table(t, table)
	deadline := time.Now().Add(within)
	for {
		p.more(t)
		difference := p.difference(want)
		if difference == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", within, difference)
		}
	}
}

// difference tells how the topic differs from the table, "" when it does not.
func (p *topic) difference(want map[int64]sum) string {
	if maps.Equal(p.latest, want) {
		return ""
	}
	different, example := 0, int64(0)
	for id, s := range want {
		if p.latest[id] != s {
			different++
			if example == 0 || id%1000 == 1 {
				example = id
			}
		}
	}
	return fmt.Sprintf("the topic has %d rows, the table %d; %d differ, one is %d: %s", len(p.latest), len(want), different, example, p.sample[example])
}

func connectorConfig(d *database, prefix string, more map[string]string) map[string]string {
	cfg := map[string]string{
		"connector.class": "io.confluent.connect.jdbc.JdbcSourceConnector", "tasks.max": "2", "topic.prefix": prefix, "mode": "timestamp+incrementing",
		"timestamp.column.name": "changed", "incrementing.column.name": "id", "timestamp.delay.interval.ms": "1500",
		"poll.interval.ms": "100", "table.poll.interval.ms": "300", "connection.backoff.ms": "200",
		"value.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter.schemas.enable": "false",
		"value.converter.decimal.format":    "NUMERIC",
		"topic.creation.default.partitions": "1", "topic.creation.default.replication.factor": "1",
	}
	maps.Copy(cfg, d.config)
	maps.Copy(cfg, more)
	return cfg
}

// Rows and tables come and change while the connector runs, the database is restarted and the plugin killed; afterwards the
// topic holds the newest state of every row, and no state twice.
func testTable(t *testing.T, d *database) {
	n := rows(t)
	d.create(t, "items")
	d.insert(t, "items", 1, n)
	bootstrap := env.Kafka(t).Bootstrap
	w := harness.Start(t, harness.Config{Bootstrap: bootstrap})
	prefix := env.Name(t) + "-"
	began := time.Now()
	w.Create("jdbc", connectorConfig(d, prefix, map[string]string{"table.whitelist": "items,later"}))
	items := d.readTopic(t, bootstrap, prefix+"items")

	// In the middle of the first read the plugin is killed, and later the database goes away for a while.
	arrived := func(share float64) (end int64) {
		harness.Eventually(t, 10*time.Minute, "rows arrive", func() (bool, string) {
			end = endOffset(t, bootstrap, prefix+"items")
			return end > int64(share*float64(n)), fmt.Sprint(end, " of ", n)
		})
		return end
	}
	at := arrived(0)
	kill(t, w)
	t.Logf("the plugin was killed when %d of %d rows were in the topic", at, n)
	d.insert(t, "items", n+1, n+2000)
	at = arrived(0.4)
	d.away(t, w)
	t.Logf("the database was away when %d of %d rows were in the topic", at, n)
	if n >= 500_000 { // fewer may all have arrived by then
		require.Less(t, at, int64(n), "it was too late for a fault in the middle")
	}
	d.exec(t, fmt.Sprintf("UPDATE items SET c_text = 'updated', changed = %s WHERE id %% 97 = 0", d.now))
	items.await(t, "items", 10*time.Minute)
	t.Logf("%d records of %d rows within %s, %d repeats", items.records, len(items.latest), time.Since(began).Round(time.Millisecond), items.repeats)

	// A new table, and a new column.
	d.create(t, "later")
	d.insert(t, "later", 1, 2000)
	d.exec(t, "ALTER TABLE items ADD COLUMN c_new INT DEFAULT 5")
	d.insert(t, "items", n+2001, n+2500)
	later := d.readTopic(t, bootstrap, prefix+"later")
	later.await(t, "later", time.Minute)
	items.await(t, "items", time.Minute)
	require.Equal(t, len(d.columns)+1, items.fields, "fields of the last record")

	// Killed while nothing is to be read, with changes after.
	kill(t, w)
	d.exec(t, fmt.Sprintf("UPDATE items SET c_text = 'again', changed = %s WHERE id %% 101 = 0", d.now))
	items.await(t, "items", time.Minute)
	require.Zero(t, items.repeats+later.repeats, "states that came twice")
}

// kill ends every process of the plugin with SIGKILL and waits until the tasks run again.
func kill(t *testing.T, w *harness.Worker) {
	t.Helper()
	for _, pid := range w.Plugins("jdbc-source") {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	w.AwaitState("jdbc", "RUNNING", 1)
}

func TestATableOfPostgreSQLArrivesRowForRow(t *testing.T) { testTable(t, postgres(t)) }

func TestATableOfMariaDBArrivesRowForRow(t *testing.T) { testTable(t, mariadb(t)) }

func TestATableOfSQLiteArrivesRowForRow(t *testing.T) { testTable(t, sqlite(t)) }
