package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	connect "github.com/tailrace/tailrace/sdk/go"
	"github.com/tailrace/tailrace/sdk/go/connecttest"
	"github.com/tailrace/tailrace/sdk/go/data"
	"github.com/tailrace/tailrace/test/env"
)

// rest makes one call on a connection of its own and reads the JSON answer.
func call(t testing.TB, method, url, body string) map[string]any {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	require.NoError(t, err)
	request.Close = true
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	answer := map[string]any{}
	require.NoError(t, json.Unmarshal(text, &answer), string(text))
	return answer
}

// documents are the sources of all documents of an index by id.
func documents(t testing.TB, server, index string) map[string]map[string]any {
	t.Helper()
	call(t, "POST", server+"/"+index+"/_refresh", "")
	answer := call(t, "POST", server+"/"+index+"/_search", `{"size":10000,"query":{"match_all":{}}}`)
	out := map[string]map[string]any{}
	hits, ok := answer["hits"].(map[string]any)
	require.True(t, ok, "%v", answer)
	for _, h := range hits["hits"].([]any) {
		hit := h.(map[string]any)
		out[hit["_id"].(string)] = hit["_source"].(map[string]any)
	}
	return out
}

// onBoth runs a test on OpenSearch and on the core of Elasticsearch.
func onBoth(t *testing.T, test func(t *testing.T, url string)) {
	t.Run("opensearch", func(t *testing.T) { test(t, env.OpenSearch(t).URL) })
	t.Run("elasticsearch", func(t *testing.T) { test(t, env.Elasticsearch(t).URL) })
}

func topicOf(t testing.TB) string { return strings.ToLower(strings.ReplaceAll(env.Name(t), "/", "-")) }

var person = data.NewStruct().Field("name", data.StringSchema).Field("n", data.Int64Schema).MustBuild()

func personRecord(topic, key string, n int) connecttest.Record {
	return connecttest.Record{
		Topic: topic, Key: key, KeySchema: data.StringSchema, ValueSchema: person,
		Value: data.NewValue(person).Set("name", "name of "+key).Set("n", n).MustBuild(),
	}
}

func text(topic, key, value string) connecttest.Record {
	return connecttest.Record{Topic: topic, Key: key, KeySchema: data.StringSchema, Value: value, ValueSchema: data.StringSchema}
}

func tombstone(topic, key string) connecttest.Record {
	return connecttest.Record{Topic: topic, Key: key, KeySchema: data.StringSchema, ValueSchema: data.OptionalStringSchema}
}

func sink(t *testing.T, url, topic string, more connect.Config, opts ...connecttest.Option) *connecttest.Sink {
	t.Helper()
	cfg := connect.Config{"connection.url": url, "read.timeout.ms": "30000"}
	for k, v := range more {
		cfg[k] = v
	}
	return connecttest.RunSink(t, plugin(), cfg, []connect.TopicPartition{{Topic: topic}}, opts...)
}

func flushed(t *testing.T, s *connecttest.Sink, topic string, want int64) {
	t.Helper()
	offsets, err := s.Flush()
	require.NoError(t, err)
	require.Equal(t, want, offsets[connect.TopicPartition{Topic: topic}])
}

func TestDocumentsAreInsertedUpdatedAndDeletedByKey(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		topic := topicOf(t)
		s := sink(t, url, topic, connect.Config{"behavior.on.null.values": "delete"})
		s.Put(personRecord(topic, "a", 1), personRecord(topic, "b", 1), personRecord(topic, "c", 1),
			personRecord(topic, "b", 2), tombstone(topic, "c"), tombstone(topic, "never"), personRecord(topic, "a", 3))
		flushed(t, s, topic, 7)
		require.Equal(t, map[string]map[string]any{
			"a": {"name": "name of a", "n": 3.0}, "b": {"name": "name of b", "n": 2.0},
		}, documents(t, url, topic))
	})
}

func TestTheMappingIsMadeFromTheSchema(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		topic := topicOf(t)
		s := sink(t, url, topic, nil)
		s.Put(personRecord(topic, "a", 1))
		flushed(t, s, topic, 1)
		answer := call(t, "GET", url+"/"+topic+"/_mapping", "")
		properties := answer[topic].(map[string]any)["mappings"].(map[string]any)["properties"].(map[string]any)
		require.Equal(t, map[string]any{"type": "long"}, properties["n"])
		require.Equal(t, "text", properties["name"].(map[string]any)["type"])
	})
}

// What was written once is not written back by records that come again from older offsets. // I-6
func TestOlderRecordsThatComeAgainDoNotUndoNewerOnes(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		topic := topicOf(t)
		s := sink(t, url, topic, connect.Config{"schema.ignore": "true", "behavior.on.null.values": "delete"})
		s.Put(text(topic, "a", `{"n":1}`), text(topic, "b", `{"n":1}`), text(topic, "a", `{"n":2}`), tombstone(topic, "b"))
		flushed(t, s, topic, 4)
		other := sink(t, url, topic, connect.Config{"schema.ignore": "true"})
		other.Put(text(topic, "a", `{"n":1}`), text(topic, "b", `{"n":1}`))
		flushed(t, other, topic, 2)
		require.Equal(t, map[string]map[string]any{"a": {"n": 2.0}}, documents(t, url, topic))
	})
}

func TestMalformedDocumentsGoToTheDeadLettersAndTheOthersStay(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		topic := topicOf(t)
		s := sink(t, url, topic, connect.Config{"schema.ignore": "true", "behavior.on.malformed.documents": "warn"})
		s.Put(text(topic, "first", `{"n":1}`))
		flushed(t, s, topic, 1)
		var records []connecttest.Record
		for i := range 500 {
			value := fmt.Sprintf(`{"n":%d}`, i)
			switch i % 100 {
			case 17:
				value = `{"n":"not a number"}` // the server refuses it
			case 71:
				value = `{"n":` // not JSON at all
			}
			records = append(records, text(topic, fmt.Sprint(i), value))
		}
		s.Put(records...)
		flushed(t, s, topic, 501)
		errant := s.Errant(10)
		require.Len(t, errant, 10)
		refused := 0
		for _, e := range errant {
			if strings.Contains(e.Message, "status 400") {
				refused++
				require.Contains(t, []string{"mapper_parsing_exception", "document_parsing_exception"}, e.Class)
				require.Contains(t, e.Message, "failed to parse field [n]")
			} else {
				require.Contains(t, e.Message, "text that is not a JSON object")
			}
		}
		require.Equal(t, 5, refused)
		require.Len(t, documents(t, url, topic), 491)
	})
}

func TestAMalformedDocumentFailsTheTaskByDefault(t *testing.T) {
	url := env.OpenSearch(t).URL
	topic := topicOf(t)
	s := sink(t, url, topic, connect.Config{"schema.ignore": "true"}, connecttest.WantFailure())
	s.Put(text(topic, "a", `{"n":1}`))
	flushed(t, s, topic, 1)
	s.Produce(text(topic, "b", `{"n":"x"}`))
	_, err := s.Flush()
	if err == nil {
		require.Contains(t, s.Failure().Message, "behavior.on.malformed.documents=warn")
	} else {
		require.ErrorContains(t, err, "behavior.on.malformed.documents=warn")
	}
	require.Equal(t, int64(1), s.Committed()[connect.TopicPartition{Topic: topic}])
	s.Kill()
}

func TestUpsertsKeepTheOtherFields(t *testing.T) {
	url := env.OpenSearch(t).URL
	topic := topicOf(t)
	s := sink(t, url, topic, connect.Config{"schema.ignore": "true", "write.method": "upsert", "batch.size": "3", "behavior.on.null.values": "delete"})
	var records []connecttest.Record
	for i := range 100 {
		records = append(records, text(topic, fmt.Sprint(i%7), fmt.Sprintf(`{"f%d":%d,"last":%d}`, i%3, i, i)))
	}
	s.Put(append(records, tombstone(topic, "6"))...)
	flushed(t, s, topic, 101)
	got := documents(t, url, topic)
	require.Len(t, got, 6)
	require.Equal(t, map[string]any{"f0": 84.0, "f1": 91.0, "f2": 98.0, "last": 98.0}, got["0"], "in the order of the log")
}

func TestWithoutKeysEachRecordIsADocument(t *testing.T) {
	url := env.OpenSearch(t).URL
	topic := topicOf(t)
	s := sink(t, url, topic, connect.Config{"schema.ignore": "true", "key.ignore": "true", "connection.compression": "true"})
	s.Put(text(topic, "a", `{"n":1}`), text(topic, "a", "{\"n\":\n 2}"))
	flushed(t, s, topic, 2)
	require.Equal(t, map[string]map[string]any{topic + "+0+0": {"n": 1.0}, topic + "+0+1": {"n": 2.0}}, documents(t, url, topic))
}

func TestDataStreamsTakeRecordsWithTheirTime(t *testing.T) {
	url := env.OpenSearch(t).URL
	topic := strings.ReplaceAll(topicOf(t), "_", "")
	cfg := connect.Config{"key.ignore": "true", "data.stream.type": "logs", "data.stream.dataset": "tests"}
	s := sink(t, url, topic, cfg)
	r := text(topic, "a", `{"n":1}`)
	r.TimestampMillis = 1763700000000
	s.Put(r, text(topic, "b", `{"@timestamp":5,"n":2}`))
	flushed(t, s, topic, 2)
	stream := "logs-tests-" + topic
	got := documents(t, url, stream)
	require.Equal(t, map[string]map[string]any{
		topic + "+0+0": {"n": 1.0, "@timestamp": 1763700000000.0}, topic + "+0+1": {"n": 2.0, "@timestamp": 5.0},
	}, got)
	again := sink(t, url, topic, cfg)
	again.Put(r)
	flushed(t, again, topic, 1)
	require.Len(t, documents(t, url, stream), 2, "a record that comes again is there already")
}

func TestIndicesAreNamedByDateAndDocumentsRouted(t *testing.T) {
	url := env.OpenSearch(t).URL
	topic := topicOf(t)
	s := sink(t, url, topic, connect.Config{
		"schema.ignore": "true", "index.name.format": "${topic}-${timestamp}", "index.name.timestamp.format": "yyyy.MM",
		"routing.enabled": "true", "routing.field.path": "n",
	})
	r := personRecord(topic, "a", 42)
	r.TimestampMillis = time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC).UnixMilli()
	s.Put(r)
	flushed(t, s, topic, 1)
	require.Len(t, documents(t, url, topic+"-2026.11"), 1)
	got := call(t, "GET", url+"/"+topic+"-2026.11/_doc/a?routing=42", "")
	require.Equal(t, "42", got["_routing"])
}

// The node dies with requests on the way: they are sent again, and nothing is committed before it confirmed. // I-2
func TestARestartOfTheServerLosesNothing(t *testing.T) {
	node := env.PrivateOpenSearch(t)
	topic := topicOf(t)
	s := sink(t, node.URL, topic, connect.Config{"schema.ignore": "true", "max.retries": "1000", "batch.size": "50", "connection.timeout.ms": "500"})
	write := func(from, to int) {
		var records []connecttest.Record
		for i := from; i < to; i++ {
			records = append(records, text(topic, fmt.Sprint(i), fmt.Sprintf(`{"n":%d}`, i)))
		}
		s.Produce(records...)
	}
	write(0, 2000)
	node.Kill()
	write(2000, 6000)
	s.Retries(1)
	require.Empty(t, s.Committed(), "nothing is confirmed")
	node.Start(t)
	s.WaitAccepted()
	flushed(t, s, topic, 6000)
	got := documents(t, node.URL, topic)
	require.Len(t, got, 6000)
	for id, source := range got {
		require.Equal(t, id, fmt.Sprint(source["n"]))
	}
}
