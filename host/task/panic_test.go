package task

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/convert"
	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/plugin"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// brittle panics at records with a certain text.
type brittle struct{ convert.Converter }

func (c brittle) FromConnect(dst []byte, topic string, s *data.Schema, wire []byte) (out, after []byte, err error) {
	mustHold(wire)
	return c.Converter.FromConnect(dst, topic, s, wire)
}

func (c brittle) ToConnect(dst []byte, topic string, record []byte) (*data.Schema, []byte, error) {
	mustHold(record)
	return c.Converter.ToConnect(dst, topic, record)
}

func mustHold(raw []byte) {
	if bytes.Contains(raw, []byte("-7")) {
		panic("index out of range")
	}
}

// A defect in a converter costs the task, and neither the worker nor what was done before.
func TestAPanicInAConverterFailsTheTaskOnly(t *testing.T) {
	addr := startBroker(t, kafka.EmbeddedConfig{}).Addr()
	source := startSource(t, addr, func(cfg *SourceConfig, _ *scriptedSource) {
		cfg.Value = brittle{cfg.Value}
		cfg.Errors.TolerateAll = true // nobody knows the state of a step that has panicked
		cfg.Timing.OffsetFlushInterval = time.Hour
	})
	source.stream.emit(plugin.Started{})
	p := source.stream.partition(t, map[string]any{"file": "a"})
	source.stream.lines(t, "out", "line", p, 6)
	source.stream.lines(t, "out", "line", p, 10)
	err := source.wait(t)
	require.ErrorContains(t, err, "a converter or transform panicked at a record of the batch that begins with record 7 of the task: index out of range")
	require.Contains(t, Trace(err), "mustHold")
	require.Equal(t, Failed, source.seen.last())
	require.Equal(t, `{"position":6}`, source.store.value(t, srcKey)) // I-1: what came before is done

	fill(t, addr, 0, 9)
	sink := startSink(t, addr, func(cfg *SinkConfig) {
		cfg.Value = brittle{cfg.Value}
		cfg.Errors.TolerateAll = true
	}, nil)
	err = sink.wait(t)
	require.ErrorContains(t, err, "begins with the record at topic in, partition 0, offset ")
	require.Contains(t, Trace(err), "mustHold")
	require.Equal(t, Failed, sink.seen.last())
}
