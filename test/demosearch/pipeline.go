package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	table  = "orders"
	source = "orders-from-postgres"
	sink   = "orders-to-search"
	topic  = "shop-" + table

	// stallTimeout ends a demo in which nothing moves any more.
	stallTimeout = 2 * time.Minute
)

// run is the demo from the first server to the last.
func run(ctx context.Context, o options) (err error) {
	s := &servers{}
	defer func() {
		if ctx.Err() != nil {
			fmt.Fprintln(o.out, "\n  stopping everything …")
		}
		err = errors.Join(err, s.close())
	}()
	if err := s.start(ctx, o); err != nil {
		return err
	}
	d := &demo{options: o, servers: s}
	if d.db, err = pgx.Connect(ctx, fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", s.postgres.Port())); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.db.Close(context.WithoutCancel(ctx))) }()
	for _, step := range []func(context.Context) error{d.fill, d.create, d.follow, d.compare, d.change} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if o.exit {
		return nil
	}
	fmt.Fprint(o.out, d.hints())
	<-ctx.Done()
	return nil
}

type demo struct {
	options
	*servers
	db *pgx.Conn
}

// fill makes the table.
func (d *demo) fill(ctx context.Context) error {
	fmt.Fprintf(d.out, "  making table %s with %d rows …", table, d.rows)
	began := time.Now()
	_, err := d.db.Exec(ctx, `CREATE TABLE orders (id bigint PRIMARY KEY, customer text NOT NULL, product text NOT NULL, price numeric(10,2) NOT NULL,
		quantity int NOT NULL, paid boolean NOT NULL, changed timestamptz NOT NULL DEFAULT now())`)
	if err != nil {
		return err
	}
	_, err = d.db.Exec(ctx, `INSERT INTO orders SELECT n, 'customer ' || n % 997, (ARRAY['apple','pear','plum','cherry','quince'])[1 + n % 5],
		(n % 10000) / 100.0, 1 + n % 9, n % 3 = 0, now() - (n % 86400) * interval '1 second' FROM generate_series(1, $1::bigint) n`, d.rows)
	if err == nil {
		_, err = d.db.Exec(ctx, `CREATE INDEX ON orders (changed, id)`)
	}
	fmt.Fprintf(d.out, " %.1f s\n\n", time.Since(began).Seconds())
	return err
}

// create makes the two connectors.
func (d *demo) create(ctx context.Context) error {
	const jsonConverter = "org.apache.kafka.connect.json.JsonConverter"
	fmt.Fprintf(d.out, "  PostgreSQL table %s\n    -> connector %s (jdbc-source) -> topic %s -> connector %s (elasticsearch-sink) ->\n  OpenSearch index %s\n\n",
		table, source, topic, sink, topic)
	for _, c := range []struct {
		name   string
		config map[string]string
	}{
		{source, map[string]string{
			"connector.class": "io.confluent.connect.jdbc.JdbcSourceConnector", "tasks.max": "1",
			"connection.url": fmt.Sprintf("jdbc:postgresql://127.0.0.1:%d/postgres?sslmode=disable", d.postgres.Port()), "connection.user": "postgres",
			"table.whitelist": table, "topic.prefix": "shop-", "poll.interval.ms": "500",
			"mode": "timestamp+incrementing", "timestamp.column.name": "changed", "incrementing.column.name": "id",
			"transforms": "key,id", "transforms.key.type": "org.apache.kafka.connect.transforms.ValueToKey", "transforms.key.fields": "id",
			"transforms.id.type": "org.apache.kafka.connect.transforms.ExtractField$Key", "transforms.id.field": "id",
			"key.converter":   "org.apache.kafka.connect.converters.LongConverter",
			"value.converter": jsonConverter, "value.converter.decimal.format": "NUMERIC",
			"topic.creation.default.partitions": "1", "topic.creation.default.replication.factor": "1",
		}},
		{sink, map[string]string{
			"connector.class": "io.confluent.connect.elasticsearch.ElasticsearchSinkConnector", "tasks.max": "1",
			"topics": topic, "connection.url": d.search.URL(), "behavior.on.null.values": "delete", "read.timeout.ms": "30000",
			"key.converter": "org.apache.kafka.connect.converters.LongConverter", "value.converter": jsonConverter,
		}},
	} {
		if err := call(ctx, "PUT", d.rest+"/connectors/"+c.name+"/config", c.config, nil); err != nil {
			return fmt.Errorf("connector %s was not created: %w", c.name, err)
		}
	}
	return nil
}

// look tells how many rows are in the topic and how many documents the server has.
func (d *demo) look(ctx context.Context) (read, written int, err error) {
	if read, err = d.records(ctx, source); err != nil {
		return 0, 0, err
	}
	if _, err = d.records(ctx, sink); err != nil {
		return 0, 0, err
	}
	written, _, err = d.documents(ctx)
	return read, written, err
}

// records is what a connector has moved. It fails when one of its tasks did.
func (d *demo) records(ctx context.Context, connector string) (int, error) {
	var progress struct {
		Tasks []struct{ Records int }
	}
	if err := call(ctx, "GET", d.rest+"/v1/connectors/"+connector+"/progress", nil, &progress); err != nil {
		return 0, err
	}
	var status struct {
		Tasks []struct{ State, Trace string }
	}
	if err := call(ctx, "GET", d.rest+"/connectors/"+connector+"/status", nil, &status); err != nil {
		return 0, err
	}
	for _, t := range status.Tasks {
		if t.State == "FAILED" {
			return 0, fmt.Errorf("a task of %s failed: %s", connector, t.Trace)
		}
	}
	sum := 0
	for _, t := range progress.Tasks {
		sum += t.Records
	}
	return sum, nil
}

// documents counts them and sums their quantities.
func (d *demo) documents(ctx context.Context) (count, quantity int, err error) {
	var found struct {
		Hits         struct{ Total struct{ Value int } }
		Aggregations struct{ Sum struct{ Value float64 } }
	}
	body := map[string]any{"size": 0, "track_total_hits": true, "aggs": map[string]any{"sum": map[string]any{"sum": map[string]any{"field": "quantity"}}}}
	err = call(ctx, "POST", d.search.URL()+"/"+topic+"/_search?ignore_unavailable=true", body, &found)
	if errors.Is(err, errNotYet) {
		return 0, 0, nil
	}
	return found.Hits.Total.Value, int(found.Aggregations.Sum.Value), err
}

// follow shows the progress until every row is a document.
func (d *demo) follow(ctx context.Context) error {
	interval := time.Second
	if d.terminal {
		interval = 250 * time.Millisecond
	}
	began := time.Now()
	m := newMeter(d.rows, began)
	last, moved := -1, began
	for {
		read, written, err := d.look(ctx)
		if err != nil {
			return err
		}
		now := time.Now()
		d.show(m.line(now, read, written), written >= d.rows)
		if written >= d.rows {
			fmt.Fprintf(d.out, "  all rows arrived after %.1f s\n", now.Sub(began).Seconds())
			return nil
		}
		if read+written != last {
			last, moved = read+written, now
		}
		if now.Sub(moved) > stallTimeout {
			return fmt.Errorf("nothing has moved for %s: %s", stallTimeout, m.line(now, read, written))
		}
		select {
		case <-time.After(interval):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// compare holds the index against the table.
func (d *demo) compare(ctx context.Context) error {
	var rows, quantity int
	if err := d.db.QueryRow(ctx, "SELECT count(*), sum(quantity) FROM orders").Scan(&rows, &quantity); err != nil {
		return err
	}
	if err := call(ctx, "POST", d.search.URL()+"/"+topic+"/_refresh", nil, nil); err != nil {
		return err
	}
	documents, sum, err := d.documents(ctx)
	if err != nil {
		return err
	}
	if documents != rows || sum != quantity {
		return fmt.Errorf("the table has %d rows with %d pieces, the index %d documents with %d", rows, quantity, documents, sum)
	}
	fmt.Fprintf(d.out, "  the index agrees with the table: %d documents, %d pieces ordered\n", documents, sum)
	return nil
}

// change updates one row and waits for its document.
func (d *demo) change(ctx context.Context) error {
	if _, err := d.db.Exec(ctx, "UPDATE orders SET customer = 'somebody new', changed = now() WHERE id = 1"); err != nil {
		return err
	}
	began := time.Now()
	for {
		var document struct {
			Source struct{ Customer string } `json:"_source"`
		}
		if err := call(ctx, "GET", d.search.URL()+"/"+topic+"/_doc/1", nil, &document); err != nil {
			return err
		}
		if document.Source.Customer == "somebody new" {
			fmt.Fprintf(d.out, "  a row that was updated meanwhile is in the index after %.1f s\n\n", time.Since(began).Seconds())
			return nil
		}
		if time.Since(began) > stallTimeout {
			return fmt.Errorf("the change of a row has not arrived after %s", stallTimeout)
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// hints say what to look at.
func (d *demo) hints() string {
	var text strings.Builder
	for _, h := range [][2]string{
		{"find something", fmt.Sprintf("curl '%s/%s/_search?q=product:plum&size=2&pretty'", d.search.URL(), topic)},
		{"the mapping that was made from the columns", fmt.Sprintf("curl '%s/%s/_mapping?pretty'", d.search.URL(), topic)},
		{"change a row, and see it change in the index a second later", fmt.Sprintf(
			`psql -h 127.0.0.1 -p %d -U postgres -c "UPDATE orders SET product = 'melon', changed = now() WHERE id = 7"; sleep 2; curl '%s/%s/_doc/7?pretty'`,
			d.postgres.Port(), d.search.URL(), topic)},
		{"kill the sink in the middle of something; it is back within a second", "pkill elasticsearch-s"},
		{"how the connectors are", fmt.Sprintf("curl '%s/connectors?expand=status'", d.rest)},
	} {
		fmt.Fprintf(&text, "  # %s\n  %s\n", h[0], h[1])
	}
	return text.String() + "\n  Ctrl-C ends it all.\n"
}
