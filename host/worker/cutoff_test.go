package worker

import (
	"errors"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/store"
	"github.com/tailrace/tailrace/host/task"
)

// heard is a Listener.
type heard []store.State

func (h *heard) ConnectorState(_ string, s store.State, _ error) { *h = append(*h, s) }
func (h *heard) TaskState(_ task.ID, s store.State, _ error)     { *h = append(*h, s) }
func (*heard) TaskConfigs(string, []map[string]string)           {}
func (*heard) TopicUsed(string, string)                          {}

// I-5: what was cut off may run elsewhere already; a late word of it would hide the status that its successor has told.
func TestWhatWasCutOffTellsNothing(t *testing.T) {
	h := &heard{}
	w := &Worker{cfg: Config{Listener: h, Logger: slog.New(slog.DiscardHandler)}}
	r := &taskRunner{runner: w.newRunner(0, "c", nil, store.TargetStarted), id: task.ID{Connector: "c"}}
	c := &connectorRunner{runner: w.newRunner(0, "c", nil, store.TargetStarted), name: "c"}
	r.tell(store.StateRunning, nil)
	c.tell(store.StateRunning, nil)
	require.Equal(t, heard{store.StateRunning, store.StateRunning}, *h)
	r.cut()
	c.cut()
	r.hinder(errors.New("the flush was given up"))
	r.recovered()
	r.tell(store.StateUnassigned, nil)
	c.tell(store.StateFailed, errors.New("late"))
	require.Len(t, *h, 2)
}
