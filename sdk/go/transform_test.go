package connect_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	connect "github.com/tailrace/tailrace/sdk/go"
	"github.com/tailrace/tailrace/sdk/go/connecttest"
	"github.com/tailrace/tailrace/sdk/go/data"
)

var counted = data.NewStruct().Name("n.Counted").Field("text", data.StringSchema).Field("length", data.Int32Schema).MustBuild()

// counter is a transform for tests: what it does to a record is said by its value.
type counter struct {
	topic   string
	stopped chan struct{}
}

func (c *counter) Start(_ context.Context, cfg connect.Config, step *connect.TransformContext) error {
	if c.topic = cfg["topic"]; c.topic == "none" {
		return errors.New("the topic none is not allowed")
	}
	step.Metrics().Counter("counted", "Records.")
	step.Log().Info("started", "alias", step.Alias(), "connector", step.Connector())
	return nil
}

func (c *counter) Apply(_ context.Context, records *connect.TransformBatch) error {
	for r := range records.Records() {
		text, ok := r.ValueBytes()
		switch word, _, _ := strings.Cut(string(text), " "); {
		case !ok:
			return errors.New("not a text")
		case word == "keep":
		case word == "drop":
			r.Drop()
		case word == "fail":
			r.Fail(connect.Retriable(errors.New("not today"), 0))
		case word == "panic":
			panic("no")
		case word == "null":
			_ = r.SetValue(nil, nil)
			_ = r.SetKey(nil, nil)
			r.SetTimestamp(time.Time{})
			r.SetHeaders(nil)
		case word == "large":
			_ = r.SetValue(data.StringSchema, strings.Repeat("x", 900_000))
		case word == "huge":
			_ = r.SetValue(data.StringSchema, strings.Repeat("x", 4_000_000))
		case word == "wrong":
			if err := r.SetValue(data.Int32Schema, "text"); err != nil {
				r.Fail(err)
			}
		default:
			headers, err := r.Headers()
			if err != nil {
				return err
			}
			v := data.NewValue(counted).Set("text", string(text)).Set("length", int32(len(text))).MustBuild()
			if err := r.SetValue(counted, v); err != nil {
				return err
			}
			r.SetTopic(c.topic + r.Topic())
			r.SetTimestamp(r.Timestamp().Add(time.Second))
			r.SetKafkaPartition(r.KafkaPartition() + 1)
			r.SetHeaders(append(headers, connect.Header{Name: "counted", Schema: data.BooleanSchema, Value: true}))
		}
	}
	return nil
}

func (c *counter) Stop(context.Context) error {
	close(c.stopped)
	return nil
}

func counterPlugin() (connect.Plugin, *counter) {
	c := &counter{stopped: make(chan struct{})}
	return connect.Plugin{
		Name: "counters", Version: "1.0.0",
		Transforms: []connect.Transform{{
			Name: "counter", Doc: "Counts.", Config: connect.NewConfigDef(connect.ConfigKey{Name: "topic", HasDefault: true, Doc: "Before each topic."}),
			New: func() connect.Transformation { return c },
		}},
	}, c
}

func textRecord(text string) connecttest.Record {
	return connecttest.Record{
		Topic: "t", KafkaPartition: 2, TimestampMillis: 1000, KeySchema: data.Int64Schema, Key: int64(7), ValueSchema: data.StringSchema, Value: text,
		Headers: []connect.Header{{Name: "h", Schema: data.StringSchema, Value: "x"}},
	}
}

func TestATransformKeepsReplacesDropsAndFailsRecords(t *testing.T) {
	p, c := counterPlugin()
	out := connecttest.Transform(t, connecttest.InProcess(p), "counter", connect.Config{"topic": "new-"},
		textRecord("keep it"), textRecord("count it"), textRecord("drop it"), textRecord("fail it"), textRecord("null"), textRecord("wrong"), textRecord("last"))
	<-c.stopped
	require.False(t, out[0].Changed)
	require.Equal(t, textRecord("keep it"), out[0].Record)

	r := out[1].Record
	require.True(t, out[1].Changed)
	require.True(t, counted.Equal(r.ValueSchema))
	require.Equal(t, "new-t", r.Topic)
	require.EqualValues(t, 3, r.KafkaPartition)
	require.EqualValues(t, 2000, r.TimestampMillis)
	require.Equal(t, int64(7), r.Key, "what was not set stays")
	require.Len(t, r.Headers, 2)
	require.Equal(t, true, r.Headers[1].Value)

	require.True(t, out[2].Dropped)
	require.EqualError(t, out[3].Err, "not today")
	require.Nil(t, out[4].Value)
	require.Nil(t, out[4].ValueSchema)
	require.EqualValues(t, -1, out[4].TimestampMillis)
	require.Empty(t, out[4].Headers)
	require.ErrorContains(t, out[5].Err, "INT32")
	require.True(t, out[6].Changed)
}

// An error or a panic of Apply fails the record that it is about, and no other.
func TestAnErrorOfApplyFailsItsRecordAlone(t *testing.T) {
	p, _ := counterPlugin()
	number := textRecord("")
	number.ValueSchema, number.Value = data.Int32Schema, int32(1)
	out := connecttest.Transform(t, connecttest.InProcess(p), "counter", nil, textRecord("one"), number, textRecord("panic"), textRecord("two"), textRecord("drop"))
	require.True(t, out[0].Changed)
	require.EqualError(t, out[1].Err, "not a text")
	require.ErrorContains(t, out[2].Err, "panicked in apply: no")
	require.Equal(t, "t", out[3].Topic)
	require.EqualValues(t, 3, out[3].KafkaPartition, "it was tried again as it was")
	require.True(t, out[4].Dropped)
}

// A batch that grows leaves in as many frames as it needs; what no frame can hold fails.
func TestABatchThatGrowsIsAnsweredInParts(t *testing.T) {
	p, _ := counterPlugin()
	var records []connecttest.Record
	for range 12 {
		records = append(records, textRecord("large"), textRecord("keep"))
	}
	records = append(records, textRecord("huge"))
	out := connecttest.Transform(t, connecttest.InProcess(p), "counter", nil, records...)
	for i := range 12 {
		require.Len(t, out[2*i].Value, 900_000)
		require.Equal(t, "keep", out[2*i+1].Value)
	}
	require.ErrorContains(t, out[24].Err, "bytes behind the transform, the limit is")
}

func TestTransformsConformToTheProtocol(t *testing.T) {
	c := 0
	p, _ := counterPlugin()
	p.Transforms[0].New = func() connect.Transformation { c++; return &counter{stopped: make(chan struct{})} }
	connecttest.Conformance(t, connecttest.InProcess(p), connecttest.Options{
		Transforms: map[string]connect.Config{"counter": {"topic": "x"}},
		Records:    []connecttest.Record{textRecord("keep"), textRecord("drop"), textRecord("a"), textRecord("fail")},
	})
	require.Equal(t, 1, c)
}

func TestAPluginSaysWhatIsWrongWithItsTransforms(t *testing.T) {
	_, err := connect.NewService(connect.Plugin{Name: "p", Version: "1"})
	require.ErrorContains(t, err, "the plugin offers nothing: set Sources, Sinks or Transforms")
	_, err = connect.NewService(connect.Plugin{Name: "p", Version: "1", Transforms: []connect.Transform{{Name: "a"}, {Name: "a", New: func() connect.Transformation { return nil }}}})
	require.ErrorContains(t, err, `transform "a" has no New function`)
	require.ErrorContains(t, err, `transform name "a" is empty or used twice`)
}
