package plugin

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/sdk/go/data"
	"github.com/tailrace/tailrace/sdk/go/wire"
)

// runTransform opens a step and applies it to a batch of n records.
func runTransform(t *testing.T, instance *Instance, script string, n int) ([]Applied, error) {
	t.Helper()
	stream, err := instance.OpenTransform(t.Context(), TransformStart{
		Epoch: 3, Transform: "step", Connector: "c", Alias: "a", Config: map[string]string{"hostile": script},
	})
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	b := &wire.SourceBatchBuilder{}
	for range n {
		b.Begin(wire.RecordHead{Topic: b.TopicIndex("t"), KafkaPartition: wire.NoPartition, TimestampMillis: wire.NoTimestamp})
		b.EndKey(0)
		id, err := stream.Schemas().ID(data.StringSchema)
		require.NoError(t, err)
		b.Block = data.AppendString(b.Block, "x")
		b.EndValue(id)
		b.EndHeaders()
		b.EndOffset(0)
	}
	return stream.Apply(t.Context(), b)
}

// I-3: whatever a transform does, the host has an answer in time that says what is wrong.
func TestTransformsThatMisbehaveEndTheirStreamOnly(t *testing.T) {
	h := newTestHost(t, shortTimeouts)
	for script, want := range map[string]string{
		"open=failure": "no such option", "open=hang": "the start did not finish within 2s", "open=end": "ended its stream without being asked",
		"apply=hang": "transform a did not answer within", "apply=end": "ended its stream without being asked",
		"apply=other-records": "Applied is about record 8, and record 1 is next", "apply=none": "Applied is about 0 records, and 20 are asked for",
		"apply=too-many": "Applied is about 27 records", "apply=outcomes": "Applied has 21 outcomes for 20 records", "apply=unknown-outcome": "the outcome 77 is not known",
		"apply=no-errors": "20 records failed, and there are 0 errors", "apply=no-records": "20 records are replaced, and there are 0 new ones",
		"apply=few-records": "20 records are replaced, and there are 1 new ones", "apply=bad-schema": "schema", "apply=bad-lengths": "its lengths add up to 77 bytes",
		"apply=large": "a batch becomes more than 32 MiB", "apply=kill": "the process of plugin hostile",
	} {
		t.Run(script, func(t *testing.T) {
			instance, err := h.acquire("c-"+script, "")
			require.NoError(t, err)
			defer instance.Release()
			within(t, bound, func() { _, err = runTransform(t, instance, script, 20) })
			require.ErrorContains(t, err, want)
			var death *DeathError
			if errors.As(err, &death) {
				return
			}
			answers, err := runTransform(t, instance, "", 20)
			require.NoError(t, err, "the process goes on with other streams")
			require.Len(t, answers, 1)
			require.Equal(t, OutcomeDropped, answers[0].Outcome(19))
		})
	}
}

func TestApplyEndsWithItsContext(t *testing.T) {
	h := newTestHost(t, patientTimeouts)
	instance, err := h.acquire("c", "")
	require.NoError(t, err)
	defer instance.Release()
	stream, err := instance.OpenTransform(t.Context(), TransformStart{Transform: "step", Connector: "c", Alias: "a", Config: map[string]string{"hostile": "apply=hang"}})
	require.NoError(t, err)
	defer stream.Close()
	b := &wire.SourceBatchBuilder{}
	b.Begin(wire.RecordHead{Topic: b.TopicIndex("t"), KafkaPartition: wire.NoPartition, TimestampMillis: wire.NoTimestamp})
	b.EndKey(0)
	b.EndValue(0)
	b.EndHeaders()
	b.EndOffset(0)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	within(t, bound, func() { _, err = stream.Apply(ctx, b) })
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestTransformsAreFoundByNameAliasAndVersion(t *testing.T) {
	step := func(version string) *Plugin {
		return &Plugin{Program: Program{Path: "/" + version}, Description: Description{
			Name: "p", Version: version, Transforms: []TransformType{{Name: "mask", Aliases: []string{"com.example.Mask"}, Version: version}},
		}}
	}
	l := Listing{Plugins: []*Plugin{step("1.0.0"), step("2.1.0")}}
	for class, path := range map[string]string{"mask": "/2.1.0", "com.example.Mask": "/2.1.0"} {
		found, err := l.ResolveTransform(class, "")
		require.NoError(t, err)
		require.Equal(t, path, found.Plugin.Path)
	}
	found, err := l.ResolveTransform("mask", "[1.0.0,2.0.0)")
	require.NoError(t, err)
	require.Equal(t, "/1.0.0", found.Plugin.Path)
	_, err = l.ResolveTransform("mask", "[3.0.0,)")
	require.ErrorContains(t, err, "available versions: [1.0.0, 2.1.0]")
	_, err = l.ResolveTransform("hide", "")
	require.EqualError(t, err, "no plugin offers the transform class hide; available are: mask (1.0.0), mask (2.1.0)")
	_, err = (Listing{}).ResolveTransform("hide", "")
	require.ErrorContains(t, err, "it is not built in either")
	d := step("1.0.0").Description
	require.NoError(t, d.Check(), "a plugin may offer transforms alone")
	d.Transforms = append(d.Transforms, d.Transforms[0])
	require.ErrorContains(t, d.Check(), "the name mask stands for two of its transforms, mask and mask")
}
