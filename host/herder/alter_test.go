package herder

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/plugin"
)

func change(partition, offset string) OffsetChange {
	c := OffsetChange{}
	if partition != "" {
		c.Partition = json.RawMessage(partition)
	}
	if offset != "" {
		c.Offset = json.RawMessage(offset)
	}
	return c
}

func TestSourceOffsetsAreAlteredAndReset(t *testing.T) {
	s, _ := newHerder(t)
	create(t, s, "c", good("x"), "")
	_, err := s.AlterOffsets(t.Context(), "c", []OffsetChange{change(`{"file":"a"}`, `{"at":1}`)})
	require.Equal(t, BadRequest, KindOf(err))
	require.ErrorContains(t, err, "Connectors must be in the STOPPED state")
	require.NoError(t, s.Stop(t.Context(), "c"))

	_, err = s.AlterOffsets(t.Context(), "c", nil)
	require.EqualError(t, err, "Partitions / offsets need to be provided for an alter offsets request")
	_, err = s.AlterOffsets(t.Context(), "c", []OffsetChange{change(`{"file":"refused"}`, `{"at":1}`)})
	require.EqualError(t, err, "this file is refused")
	_, err = s.AlterOffsets(t.Context(), "c", []OffsetChange{change(`{"file":{"a":1}}`, `{"at":1}`)})
	require.EqualError(t, err, "Offsets may only contain primitive types as values, but field file contains MAP")

	message, err := s.AlterOffsets(t.Context(), "c", []OffsetChange{
		change(`{"file": "a"}`, `{"at": 1}`), change(`{"file":"b","n":5}`, `{"at":9007199254740993}`), change(`{"file":"a"}`, `{"at":2}`),
	})
	require.NoError(t, err)
	require.Equal(t, "The offsets for this connector have been altered successfully", message)
	require.Equal(t, map[string]string{`{"file":"a"}`: `{"at":2}`, `{"file":"b","n":5}`: `{"at":9007199254740993}`}, stored(t, s, "c"))

	// Kafka Connect reads them into a HashMap, and so they are written; these are recorded from it.
	_, err = s.AlterOffsets(t.Context(), "c", []OffsetChange{change(`{"file":"c"}`, `{"position":1,"z":true}`)})
	require.NoError(t, err)
	require.Equal(t, `{"z":true,"position":1}`, stored(t, s, "c")[`{"file":"c"}`])
	_, err = s.AlterOffsets(t.Context(), "c", []OffsetChange{change(`{"file":"c"}`, `null`)})
	require.NoError(t, err)

	// The same partition in another order is the same entry; null resets.
	_, err = s.AlterOffsets(t.Context(), "c", []OffsetChange{change(`{"n":5,"file":"b"}`, `{"at":3}`), change(`{"file":"a"}`, `null`)})
	require.NoError(t, err)
	require.Equal(t, map[string]string{`{"file":"b","n":5}`: `{"at":3}`}, stored(t, s, "c"))

	message, err = s.ResetOffsets(t.Context(), "c")
	require.NoError(t, err)
	require.Equal(t, "The offsets for this connector have been reset successfully", message)
	require.Empty(t, stored(t, s, "c"))
	_, err = s.ResetOffsets(t.Context(), "nobody")
	require.EqualError(t, err, "Connector nobody not found")
}

func stored(t *testing.T, s *Standalone, name string) map[string]string {
	t.Helper()
	offsets, err := s.Offsets(t.Context(), name)
	require.NoError(t, err)
	out := map[string]string{}
	for _, o := range offsets.Offsets {
		out[string(o.Partition)] = string(o.Offset)
	}
	return out
}

func TestAConnectorStaysStoppedWhileItsOffsetsAreModified(t *testing.T) {
	s, _ := newHerder(t)
	create(t, s, "c", good("x"), Stopped)
	_, unlock, err := s.holdStopped("c")
	require.NoError(t, err)
	require.Equal(t, Conflict, KindOf(s.Resume(t.Context(), "c")))
	_, err = s.ResetOffsets(t.Context(), "c")
	require.Equal(t, Conflict, KindOf(err))
	unlock()
	require.NoError(t, s.Resume(t.Context(), "c"))
}

func TestSinkOffsetsAreReadAsKafkaConnectDoes(t *testing.T) {
	at := int64(2)
	for name, c := range map[string]struct {
		change OffsetChange
		want   plugin.KafkaOffsetChange
		err    string
	}{
		"set":                  {change: change(`{"kafka_topic":"t","kafka_partition":1}`, `{"kafka_offset":2}`), want: plugin.KafkaOffsetChange{Topic: "t", Partition: 1, Offset: &at}},
		"numbers as text":      {change: change(`{"kafka_topic":"t","kafka_partition":"1"}`, `{"kafka_offset":"2"}`), want: plugin.KafkaOffsetChange{Topic: "t", Partition: 1, Offset: &at}},
		"reset":                {change: change(`{"kafka_topic":"t","kafka_partition":1,"x":0}`, ``), want: plugin.KafkaOffsetChange{Topic: "t", Partition: 1}},
		"no partition":         {change: change(``, `{"kafka_offset":2}`), err: "The partition for a sink connector offset cannot be null or missing"},
		"an empty partition":   {change: change(`{}`, ``), err: "The partition for a sink connector offset must contain the keys 'kafka_topic' and 'kafka_partition'"},
		"a null topic":         {change: change(`{"kafka_topic":null,"kafka_partition":1}`, ``), err: "Kafka topic names must be valid strings and may not be null"},
		"a partition in words": {change: change(`{"kafka_topic":"t","kafka_partition":"p"}`, ``), err: "Failed to parse the following Kafka partition value in the provided offsets: 'p'. Partition values for sink connectors need to be integers."},
		"an empty offset":      {change: change(`{"kafka_topic":"t","kafka_partition":1}`, `{}`), err: "The offset for a sink connector should either be null or contain the key 'kafka_offset'"},
		"half an offset":       {change: change(`{"kafka_topic":"t","kafka_partition":1}`, `{"kafka_offset":1.5}`), err: "Failed to parse the following Kafka offset value in the provided offsets: '1.5'. Offset values for sink connectors need to be integers."},
		"a blank before":       {change: change(`{"kafka_topic":"t","kafka_partition":" 1"}`, ``), err: "Failed to parse the following Kafka partition value in the provided offsets: ' 1'. Partition values for sink connectors need to be integers."},
		"an object":            {change: change(`{"kafka_topic":"t","kafka_partition":1}`, `{"kafka_offset":{"b":[1,null],"a":"x"}}`), err: "Failed to parse the following Kafka offset value in the provided offsets: '{a=x, b=[1, null]}'. Offset values for sink connectors need to be integers."},
		"a null offset value":  {change: change(`{"kafka_topic":"t","kafka_partition":1}`, `{"kafka_offset":null}`), err: "Failed to parse the following Kafka offset value in the provided offsets: 'null'. Offset values for sink connectors need to be integers."},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := readSinkChanges([]OffsetChange{c.change})
			if c.err != "" {
				require.EqualError(t, err, c.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, []plugin.KafkaOffsetChange{c.want}, got)
		})
	}
}

func TestOffsetsMustBeFlat(t *testing.T) {
	for text, want := range map[string]string{
		`{"a":1,"b":"x","c":null,"d":true,"e":1.5,"f":1e400}`: "",
		`null`:                        "",
		``:                            "",
		`{"a":[1]}`:                   "Offsets may only contain primitive types as values, but field a contains ARRAY",
		`{"a":123456789012345678901}`: "Offsets may only contain primitive types as values, but field a contains class java.math.BigInteger",
		`{"a":-9223372036854775808}`:  "",
	} {
		err := checkPrimitive(json.RawMessage(text))
		if want == "" {
			require.NoError(t, err, text)
		} else {
			require.EqualError(t, err, want)
		}
	}
}

func TestTaskConfigsAreCompletedAsInKafkaConnect(t *testing.T) {
	division := []map[string]string{{"a": "1"}, nil}
	connector := map[string]string{"topics": "t"}
	java := plugin.ConnectorType{Name: "org.apache.kafka.connect.file.FileStreamSinkConnector", Kind: plugin.Sink}
	require.Equal(t, []map[string]string{
		{"a": "1", "topics": "t", "task.class": "org.apache.kafka.connect.file.FileStreamSinkTask"},
		{"topics": "t", "task.class": "org.apache.kafka.connect.file.FileStreamSinkTask"},
	}, taskConfigs(division, connector, java))
	require.Equal(t, []map[string]string{{"a": "1"}, {}}, taskConfigs(division, connector, plugin.ConnectorType{Name: "own", Kind: plugin.Source}))
	require.NotContains(t, division[0], "topics", "what the connector made is not changed")
}
