// Command holder is a plugin whose connector wants to know when it is deleted. Its tasks leave a file in the folder "dir" for
// as long as they run; Deleted writes down which of them it has found.
package main

import (
	"context"
	"os"
	"path/filepath"
	"strconv"

	connect "github.com/tailrace/tailrace/sdk/go"
)

func main() {
	connect.Serve(connect.Plugin{Name: "holder", Version: "1", Sources: []connect.Source{{
		Name: "holder", Doc: "Holds something outside.",
		Config:    connect.NewConfigDef(connect.ConfigKey{Name: "dir", Type: connect.TypeString, Required: true}, connect.ConfigKey{Name: "task", Type: connect.TypeString}),
		Connector: func() connect.SourceConnector { return &holder{} },
		Task:      func() connect.SourceTask { return &holding{} },
	}}})
}

type holder struct{ cfg connect.Config }

func (h *holder) Start(_ context.Context, cfg connect.Config, _ *connect.ConnectorContext) error {
	h.cfg = cfg
	return nil
}

func (h *holder) TaskConfigs(_ context.Context, tasks int) ([]connect.Config, error) {
	out := make([]connect.Config, tasks)
	for i := range out {
		out[i] = connect.Config{"dir": h.cfg["dir"], "task": strconv.Itoa(i)}
	}
	return out, nil
}

func (h *holder) Stop(context.Context) error { return nil }

// Deleted implements connect.Deleter.
func (h *holder) Deleted(_ context.Context, cfg connect.Config) error {
	found, err := filepath.Glob(filepath.Join(cfg["dir"], "task-*"))
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(cfg["dir"], "deleted"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString("tasks that run: " + strconv.Itoa(len(found)) + "\n")
	return err
}

type holding struct{ file string }

func (h *holding) Start(_ context.Context, cfg connect.Config, _ *connect.SourceContext) error {
	h.file = filepath.Join(cfg["dir"], "task-"+cfg["task"])
	return os.WriteFile(h.file, nil, 0o600)
}

func (h *holding) Poll(ctx context.Context, _ *connect.Batch) error { <-ctx.Done(); return nil }

// Stop takes a while, so that a connector that is told too early finds it.
func (h *holding) Stop(context.Context) error { return os.Remove(h.file) }
