// Command picky is a sink for tests: it writes the text of each value to a file, one a
// line, and reports the records whose text is in its list as errant.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	connect "github.com/tailrace/tailrace/sdk/go"
)

type connector struct{ raw connect.Config }

func (c *connector) Start(_ context.Context, cfg connect.Config, _ *connect.ConnectorContext) error {
	c.raw = cfg
	return nil
}

func (c *connector) TaskConfigs(context.Context, int) ([]connect.Config, error) {
	return []connect.Config{c.raw.Clone()}, nil
}

func (c *connector) Stop(context.Context) error { return nil }

type task struct {
	file   *os.File
	out    *bufio.Writer
	reject []string
	host   *connect.SinkContext
}

var errRefused = errors.New("the table has no such row")

func (t *task) Start(_ context.Context, cfg connect.Config, host *connect.SinkContext) (err error) {
	t.host, t.reject = host, strings.Split(cfg["reject"], ",")
	t.file, err = os.OpenFile(cfg["file"], os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	t.out = bufio.NewWriter(t.file)
	return err
}

func (t *task) Put(_ context.Context, records *connect.SinkBatch) error {
	for r := range records.Records() {
		v, err := r.Value()
		if err != nil {
			return err
		}
		text := fmt.Sprint(v)
		if slices.Contains(t.reject, text) {
			t.host.Report(r, errRefused)
			continue
		}
		fmt.Fprintln(t.out, text)
	}
	return nil
}

func (t *task) Flush(context.Context) error { return t.out.Flush() }

func (t *task) Stop(context.Context) error {
	if t.file == nil {
		return nil
	}
	return errors.Join(t.out.Flush(), t.file.Close())
}

func main() {
	connect.Serve(connect.Plugin{
		Name: "picky", Version: "1",
		Transforms: []connect.Transform{shoutType},
		Sinks: []connect.Sink{{
			Name: "picky-sink", Doc: "Refuses some records.",
			Config: connect.NewConfigDef(
				connect.ConfigKey{Name: "file", Required: true, Doc: "File to append to."},
				connect.ConfigKey{Name: "reject", HasDefault: true, Doc: "Texts to refuse, with commas between."},
			),
			Connector: func() connect.SinkConnector { return &connector{} },
			Task:      func() connect.SinkTask { return &task{} },
		}},
	})
}
