package connect_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	connect "github.com/tailrace/tailrace/sdk/go"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// A configuration struct: its tags are the definition that users see.
func ExampleBind() {
	type config struct {
		File  string        `config:"file" required:"true" doc:"Path of the file."`
		Batch int32         `config:"batch.size" default:"2000" min:"1" doc:"Lines per batch."`
		Idle  time.Duration `config:"idle.ms" default:"1000" doc:"Milliseconds between looks."`
	}
	var c config
	err := connect.Bind(connect.Config{"file": "app.log"}, &c)
	fmt.Println(c.File, c.Batch, c.Idle, err)
	fmt.Println(connect.Bind(connect.Config{"file": "app.log", "batch.size": "many"}, &c))
	// Output:
	// app.log 2000 1s <nil>
	// Invalid value many for configuration batch.size: Not a number of type INT
}

// A definition by hand, with a check that tags cannot say.
func ExampleNewConfigDef() {
	def := connect.NewConfigDef(
		connect.ConfigKey{Name: "mode", Default: "fast", HasDefault: true, ValidValues: []string{"fast", "safe"}, Doc: "How to write."},
		connect.ConfigKey{Name: "port", Type: connect.TypeInt, Required: true, Doc: "Port.", Check: func(v string) error {
			if v == "22" {
				return errors.New("this is the port of ssh")
			}
			return nil
		}},
	)
	for _, issue := range def.Validate(connect.Config{"mode": "slow", "port": "22"}) {
		fmt.Println(issue.Message)
	}
	// Output:
	// Invalid value slow for configuration mode: String must be one of: fast, safe
	// Invalid value 22 for configuration port: this is the port of ssh
}

var userSchema = data.NewStruct().Name("user").Field("id", data.Int64Schema).Field("name", data.StringSchema).
	Field("email", data.OptionalStringSchema).MustBuild()

// The fast way: the parts of a record go straight into the bytes that leave.
func ExampleBatch_Record() {
	poll := func(_ context.Context, out *connect.Batch, users *connect.Partition, id int64) error {
		rec := out.Record("users", users)
		rec.Timestamp(time.Now().UnixMilli())
		rec.KeyString([]byte("7"))
		rec.ValueStruct(userSchema).Int64(id).String("Ada").Null()
		rec.OffsetLong(data.NewStruct().Field("id", data.Int64Schema).MustBuild(), id)
		return nil
	}
	_ = poll
}

// The pleasant way: Go values.
func ExampleBatch_Append() {
	poll := func(_ context.Context, out *connect.Batch, users *connect.Partition) error {
		return out.Append(connect.SourceRecord{
			Topic: "users", KeySchema: data.Int64Schema, Key: 7,
			ValueSchema: userSchema, Value: data.NewValue(userSchema).Set("id", 7).Set("name", "Ada").MustBuild(),
			Partition: users, Offset: connect.Offset{"id": 7},
		})
	}
	_ = poll
}

// An error that may pass: the SDK waits, shows it in the status and calls again.
func ExampleRetriable() {
	err := fmt.Errorf("list the bucket: %w", connect.Retriable(errors.New("503 slow down"), 2*time.Second))
	var retriable *connect.RetriableError
	fmt.Println(errors.As(err, &retriable), retriable.After, err)
	// Output: true 2s list the bucket: 503 slow down
}

// Walking the records of a Put.
func ExampleSinkBatch_Records() {
	put := func(_ context.Context, records *connect.SinkBatch) error {
		for rec := range records.Records() {
			if text, ok := rec.ValueBytes(); ok { // strings and bytes, without a copy
				fmt.Printf("%s-%d@%d %s\n", rec.Topic(), rec.KafkaPartition(), rec.Offset(), text)
				continue
			}
			v, err := rec.Value() // anything else, decoded
			if err != nil {
				return err
			}
			fmt.Println(v)
		}
		return nil
	}
	_ = put
}

// A plugin with one sink. In a program, main calls connect.Serve with it.
func ExamplePlugin() {
	p := connect.Plugin{
		Name: "printer", Version: "0.1.0",
		Sinks: []connect.Sink{{
			Name: "print-sink", Doc: "Prints records.", Aliases: []string{"Printer"},
			Task: func() connect.SinkTask { return nil },
		}},
	}
	_, err := connect.NewService(p)
	fmt.Println(err)
	// Output: <nil>
}
