package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheTopicOfAConnectorsOffsets(t *testing.T) {
	worker := func(t *testing.T, support string) *Worker {
		w, _, err := ParseWorker(Distributed, map[string]string{
			"bootstrap.servers": "here:9092", "group.id": "g", "key.converter": "x", "value.converter": "x",
			"config.storage.topic": "c", "offset.storage.topic": "o", "status.storage.topic": "s",
			"exactly.once.source.support": support,
		})
		require.NoError(t, err)
		return w
	}
	for name, c := range map[string]struct {
		support string
		props   map[string]string
		topic   string
		own     bool
	}{
		"the worker's":                             {"disabled", nil, "o", false},
		"its own":                                  {"disabled", map[string]string{"offsets.storage.topic": "mine"}, "mine", true},
		"its own, exactly once":                    {"enabled", map[string]string{"offsets.storage.topic": "mine"}, "mine", true},
		"the worker's by name":                     {"enabled", map[string]string{"offsets.storage.topic": "o"}, "o", false},
		"records elsewhere":                        {"preparing", map[string]string{"producer.override.bootstrap.servers": "there:9092"}, "o", false},
		"records elsewhere, in one transaction":    {"enabled", map[string]string{"producer.override.bootstrap.servers": "there:9092"}, "o", true},
		"the worker's by name, in another cluster": {"disabled", map[string]string{"offsets.storage.topic": "o", "producer.override.bootstrap.servers": "there:9092"}, "o", true},
		"the same cluster, named once more":        {"enabled", map[string]string{"producer.override.bootstrap.servers": "here:9092"}, "o", false},
	} {
		t.Run(name, func(t *testing.T) {
			w := worker(t, c.support)
			props := map[string]string{"name": "c", "connector.class": "x"}
			for k, v := range c.props {
				props[k] = v
			}
			connector, err := ParseConnector(Source, props, w)
			require.NoError(t, err)
			topic, own := connector.OffsetsTopicOf(w)
			require.Equal(t, c.topic, topic)
			require.Equal(t, c.own, own)
		})
	}
	c, err := ParseConnector(Source, map[string]string{"name": "c", "connector.class": "x", "consumer.override.isolation.level": "read_uncommitted"}, worker(t, "preparing"))
	require.NoError(t, err)
	require.Equal(t, "read_committed", c.OffsetsConsumerProps(worker(t, "preparing"))["isolation.level"], "whatever the settings say")
	require.Equal(t, "read_uncommitted", c.OffsetsConsumerProps(worker(t, "disabled"))["isolation.level"])
	require.Equal(t, "connector-offset-producer-c", c.OffsetsProducerProps(worker(t, "disabled"))["client.id"])
	require.Equal(t, "connector-adminclient-c", c.OffsetsAdminProps(worker(t, "disabled"))["client.id"])
}
