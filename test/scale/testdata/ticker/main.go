// Command ticker is a source for tests of scale: each task sends a numbered record when it starts and one more every
// interval.ms, keyed by its name, and goes on counting from its stored offset. It does nothing else.
package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	connect "github.com/tailrace/tailrace/sdk/go"
	"github.com/tailrace/tailrace/sdk/go/data"
)

type connector struct{ raw connect.Config }

func (c *connector) Start(_ context.Context, cfg connect.Config, _ *connect.ConnectorContext) error {
	c.raw = cfg
	return nil
}

// TaskConfigs makes as many tasks as may be.
func (c *connector) TaskConfigs(_ context.Context, tasks int) ([]connect.Config, error) {
	configs := make([]connect.Config, tasks)
	for i := range configs {
		configs[i] = c.raw.Clone()
		configs[i]["task"] = strconv.Itoa(i)
	}
	return configs, nil
}

func (c *connector) Stop(context.Context) error { return nil }

type task struct {
	key, topic string
	partition  *connect.Partition
	interval   time.Duration
	next       time.Time
	count      int64
}

func (t *task) Start(ctx context.Context, cfg connect.Config, host *connect.SourceContext) error {
	millis, err := strconv.Atoi(cfg["interval.ms"])
	if err != nil {
		return err
	}
	t.interval, t.topic = time.Duration(millis)*time.Millisecond, cfg["topic"]
	t.key = fmt.Sprintf("%s-%d", host.Connector(), host.Number())
	if t.partition, err = host.Partition(map[string]any{"task": t.key}); err != nil {
		return err
	}
	offset, err := host.Offsets().Offset(ctx, t.partition.Values())
	if err != nil {
		return err
	}
	t.count, _ = offset.Int64("count")
	return nil
}

func (t *task) Poll(_ context.Context, out *connect.Batch) error {
	if wait := time.Until(t.next); wait > 0 {
		out.PollAgainAfter(wait)
		return nil
	}
	t.next = time.Now().Add(t.interval)
	t.count++
	return out.Append(connect.SourceRecord{
		Topic: t.topic, KeySchema: data.StringSchema, Key: t.key, ValueSchema: data.StringSchema, Value: strconv.FormatInt(t.count, 10),
		Partition: t.partition, Offset: connect.Offset{"count": t.count},
	})
}

func (t *task) Stop(context.Context) error { return nil }

func main() {
	connect.Serve(connect.Plugin{
		Name: "ticker", Version: "1",
		Sources: []connect.Source{{
			Name: "ticker", Doc: "Sends a number now and then.",
			Config: connect.NewConfigDef(
				connect.ConfigKey{Name: "topic", Required: true, Doc: "Topic of the records."},
				connect.ConfigKey{Name: "interval.ms", Type: connect.TypeInt, Required: true, Doc: "Time between two records of a task."},
			),
			Connector: func() connect.SourceConnector { return &connector{} },
			Task:      func() connect.SourceTask { return &task{} },
		}},
	})
}
