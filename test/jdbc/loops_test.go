package jdbc

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/twmb/franz-go/pkg/kgo"
)

// bareLoop reads every row of a table with the driver, in the order of its key, into Go variables of the columns' types, and
// calls use with a value that encoding/json writes as JsonConverter does.
type bareLoop func(ctx context.Context, table string, use func(row any) error) error

// discard is the driver's loop alone: rows are scanned and dropped.
func discard(any) error { return nil }

// produce is the whole loop: each row as JSON into a topic, with the producer's settings as a connector has them. With a schema,
// each record carries it, as JsonConverter writes it: its bytes are copied, not made.
func produce(ctx context.Context, bootstrap, topic, table string, schema []byte, loop bareLoop) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.DefaultProduceTopic(topic), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		return err
	}
	defer client.Close()
	failed := make(chan error, 1)
	promise := func(_ *kgo.Record, err error) {
		if err != nil {
			select {
			case failed <- err:
			default:
			}
		}
	}
	begin := slices.Concat([]byte(`{"schema":`), schema, []byte(`,"payload":`))
	err = loop(ctx, table, func(row any) error {
		value, err := json.Marshal(row)
		if err != nil {
			return err
		}
		if schema != nil {
			value = slices.Concat(begin, value, []byte{'}'})
		}
		client.Produce(ctx, &kgo.Record{Value: value}, promise)
		return nil
	})
	err = errors.Join(err, client.Flush(ctx))
	select {
	case failure := <-failed:
		return errors.Join(err, failure)
	default:
		return err
	}
}

func millis(t *time.Time) *int64 {
	if t == nil {
		return nil
	}
	n := t.UnixMilli()
	return &n
}

func days(t *time.Time) *int64 {
	if t == nil {
		return nil
	}
	n := t.Unix() / 86400
	if t.Unix()%86400 < 0 {
		n--
	}
	return &n
}

// postgresLoop uses pgx as its manual shows: Query, Next, Scan.
func postgresLoop(address string) bareLoop {
	return func(ctx context.Context, table string, use func(row any) error) error {
		conn, err := pgx.Connect(ctx, address)
		if err != nil {
			return err
		}
		defer conn.Close(ctx)
		rows, err := conn.Query(ctx, "SELECT * FROM "+table+" ORDER BY id")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var r struct {
				ID      int64          `json:"id"`
				Changed int64          `json:"changed"`
				Bool    *bool          `json:"c_bool"`
				Small   *int16         `json:"c_small"`
				Int     int32          `json:"c_int"`
				Big     *int64         `json:"c_big"`
				Real    *float32       `json:"c_real"`
				Double  *float64       `json:"c_double"`
				Dec     pgtype.Numeric `json:"c_dec"`
				Huge    pgtype.Numeric `json:"c_huge"`
				Free    *string        `json:"c_free"`
				Text    string         `json:"c_text"`
				Null    *string        `json:"c_null"`
				Char    *string        `json:"c_char"`
				Bytes   []byte         `json:"c_bytes"`
				UUID    pgtype.UUID    `json:"c_uuid"`
				JSON    *string        `json:"c_json"`
				Date    *int64         `json:"c_date"`
				Stamp   *int64         `json:"c_stamp"`
				Array   []*int32       `json:"c_array"`
			}
			var changed time.Time
			var date, stamp *time.Time
			if err := rows.Scan(&r.ID, &changed, &r.Bool, &r.Small, &r.Int, &r.Big, &r.Real, &r.Double, &r.Dec, &r.Huge, &r.Free,
				&r.Text, &r.Null, &r.Char, &r.Bytes, &r.UUID, &r.JSON, &date, &stamp, &r.Array); err != nil {
				return err
			}
			r.Changed, r.Date, r.Stamp = changed.UnixMilli(), days(date), millis(stamp)
			if err := use(&r); err != nil {
				return err
			}
		}
		return rows.Err()
	}
}

// mariadbLoop uses go-sql-driver/mysql as its manual shows, through database/sql, with a prepared statement: the text protocol
// would round a FLOAT.
func mariadbLoop(db *sql.DB) bareLoop {
	return func(ctx context.Context, table string, use func(row any) error) error {
		st, err := db.PrepareContext(ctx, "SELECT * FROM "+table+" ORDER BY id")
		if err != nil {
			return err
		}
		defer st.Close()
		rows, err := st.QueryContext(ctx)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var r struct {
				ID      int64       `json:"id"`
				Changed int64       `json:"changed"`
				Tiny    *int8       `json:"c_tiny"`
				UTiny   *uint8      `json:"c_utiny"`
				Int     int32       `json:"c_int"`
				UInt    *uint32     `json:"c_uint"`
				UBig    *uint64     `json:"c_ubig"`
				Float   *float32    `json:"c_float"`
				Double  *float64    `json:"c_double"`
				Dec     json.Number `json:"c_dec"`
				Huge    json.Number `json:"c_huge"`
				Text    string      `json:"c_text"`
				Null    *string     `json:"c_null"`
				Blob    []byte      `json:"c_blob"`
				Enum    *string     `json:"c_enum"`
				JSON    *string     `json:"c_json"`
				Date    *int64      `json:"c_date"`
				Time    *int64      `json:"c_time"`
				Stamp   *int64      `json:"c_stamp"`
				Year    *int32      `json:"c_year"`
			}
			var changed time.Time
			var date, stamp *time.Time
			var clock string
			if err := rows.Scan(&r.ID, &changed, &r.Tiny, &r.UTiny, &r.Int, &r.UInt, &r.UBig, &r.Float, &r.Double, &r.Dec, &r.Huge,
				&r.Text, &r.Null, &r.Blob, &r.Enum, &r.JSON, &date, &clock, &stamp, &r.Year); err != nil {
				return err
			}
			r.Changed, r.Date, r.Stamp = changed.UnixMilli(), days(date), millis(stamp)
			if r.Time, err = clockMillis(clock); err != nil {
				return err
			}
			if err := use(&r); err != nil {
				return err
			}
		}
		return rows.Err()
	}
}

func clockMillis(clock string) (*int64, error) {
	if len(clock) < 8 {
		return nil, fmt.Errorf("%q is no time", clock)
	}
	t, err := time.Parse(time.TimeOnly, clock[:8])
	n := (int64(t.Hour())*3600 + int64(t.Minute())*60 + int64(t.Second())) * 1000
	return &n, err
}

// sqliteLoop uses modernc.org/sqlite as its manual shows, through database/sql.
func sqliteLoop(db *sql.DB) bareLoop {
	return func(ctx context.Context, table string, use func(row any) error) error {
		rows, err := db.QueryContext(ctx, "SELECT * FROM "+table+" ORDER BY id")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var r struct {
				ID      int64        `json:"id"`
				Changed int64        `json:"changed"`
				Bool    *bool        `json:"c_bool"`
				Int     int64        `json:"c_int"`
				Big     *int64       `json:"c_big"`
				Real    *float64     `json:"c_real"`
				Double  *float64     `json:"c_double"`
				Dec     *json.Number `json:"c_dec"`
				Num     *string      `json:"c_num"`
				Text    string       `json:"c_text"`
				Null    *string      `json:"c_null"`
				Char    *string      `json:"c_char"`
				Clob    *string      `json:"c_clob"`
				Blob    []byte       `json:"c_blob"`
				Date    *int64       `json:"c_date"`
				Stamp   *int64       `json:"c_stamp"`
				JSON    *string      `json:"c_json"`
				Small   *int64       `json:"c_small"`
				Tiny    *int64       `json:"c_tiny"`
				UUID    *string      `json:"c_uuid"`
			}
			var changed, blob any
			var date, stamp *time.Time
			var dec *float64
			if err := rows.Scan(&r.ID, &changed, &r.Bool, &r.Int, &r.Big, &r.Real, &r.Double, &dec, &r.Num,
				&r.Text, &r.Null, &r.Char, &r.Clob, &blob, &date, &stamp, &r.JSON, &r.Small, &r.Tiny, &r.UUID); err != nil {
				return err
			}
			switch c := changed.(type) { // the driver makes a moment of a whole number in a TIMESTAMP column
			case time.Time:
				r.Changed = c.UnixMilli()
			case int64:
				r.Changed = c
			}
			if b, ok := blob.([]byte); ok { // an empty one comes as nil, which would be null
				r.Blob = append([]byte{}, b...)
			}
			if dec != nil {
				n := json.Number(strconv.FormatFloat(*dec, 'f', 2, 64))
				r.Dec = &n
			}
			r.Date, r.Stamp = days(date), millis(stamp)
			if err := use(&r); err != nil {
				return err
			}
		}
		return rows.Err()
	}
}
