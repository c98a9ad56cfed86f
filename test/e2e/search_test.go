package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tailrace/tailrace/test/env"
	"github.com/tailrace/tailrace/test/harness"
)

// stream is documents on their way into an index: updates and deletions by key among them, and one of a hundred malformed:
// half of them are JSON that the server refuses, half no JSON.
type stream struct {
	records   int
	malformed map[string]bool // by id; true for what the server refuses
	want      map[string]int  // id -> n, as it must be at the end
}

// produceDocuments writes them to a topic, each key always to the same partition.
func produceDocuments(t *testing.T, broker *env.Broker, topic string, count int) *stream {
	t.Helper()
	s := &stream{records: count, malformed: map[string]bool{}, want: make(map[string]int, count)}
	client := broker.Client(t, kgo.DefaultProduceTopic(topic), kgo.ProducerBatchMaxBytes(900_000), kgo.MaxBufferedRecords(50_000))
	var failure atomic.Value
	done := func(_ *kgo.Record, err error) {
		if err != nil {
			failure.Store(err)
		}
	}
	keys := count * 4 / 5 // the last fifth changes documents or deletes them
	for n := range count {
		key := fmt.Sprintf("key-%d", n%keys)
		value := fmt.Appendf(nil, `{"n":%d,"key":%q,"text":%q}`, n, key, textOf(n))
		switch {
		case n%100 == 50:
			refused := n%200 == 50
			key, value = fmt.Sprintf("bad-%d", n), fmt.Appendf(nil, `{"n":"no number %d"}`, n)
			if !refused {
				value = value[:len(value)-1]
			}
			s.malformed[key] = refused
		case n >= keys && n%10 == 3:
			value = nil
			delete(s.want, key)
		default:
			s.want[key] = n
		}
		client.Produce(t.Context(), &kgo.Record{Key: []byte(key), Value: value}, done)
	}
	require.NoError(t, client.Flush(t.Context()))
	require.Nil(t, failure.Load())
	return s
}

func textOf(n int) string {
	return fmt.Sprintf("the quick brown fox jumps over the lazy dog %d times", n%97)
}

// searchCall makes one call and returns the body of a good answer.
func searchCall(t *testing.T, method, url string, body string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, 2, response.StatusCode/100, "%s", answer)
	return answer
}

// allDocuments reads every document: its field n by id. The other fields must be those of n and of the id.
func allDocuments(t *testing.T, url, index string) map[string]int {
	t.Helper()
	searchCall(t, "POST", url+"/"+index+"/_refresh", "")
	type page struct {
		Scroll string `json:"_scroll_id"`
		Hits   struct {
			Hits []struct {
				ID     string `json:"_id"`
				Source struct {
					N         int
					Key, Text string
				} `json:"_source"`
			}
		}
	}
	got := map[string]int{}
	answer := searchCall(t, "POST", url+"/"+index+"/_search?scroll=2m", `{"size":10000,"sort":["_doc"]}`)
	for {
		var p page
		require.NoError(t, json.NewDecoder(bytes.NewReader(answer)).Decode(&p))
		if len(p.Hits.Hits) == 0 {
			return got
		}
		for _, h := range p.Hits.Hits {
			if h.ID != h.Source.Key || h.Source.Text != textOf(h.Source.N) {
				t.Fatalf("document %s is %+v", h.ID, h.Source)
			}
			got[h.ID] = h.Source.N
		}
		answer = searchCall(t, "POST", url+"/_search/scroll", fmt.Sprintf(`{"scroll":"2m","scroll_id":%q}`, p.Scroll))
	}
}

// committed is how many records of a topic a group has committed.
func committed(t *testing.T, admin *kadm.Client, group, topic string) int {
	offsets, err := admin.FetchOffsets(t.Context(), group)
	if err != nil {
		return 0
	}
	sum := 0
	offsets.Each(func(o kadm.OffsetResponse) {
		if o.Topic == topic && o.At > 0 {
			sum += int(o.At)
		}
	})
	return sum
}

// Documents with updates, deletions and malformed ones, while the plugin is killed and the node restarted: counts and contents
// agree in the end, and each malformed document is in the dead letters with its reason. // I-2, I-6
func TestDocumentsSurviveKillsOfThePluginAndTheNode(t *testing.T) {
	count := 50_000
	if *long {
		count = 1_000_000
	}
	t.Run("opensearch", func(t *testing.T) { surviveKills(t, env.PrivateOpenSearch(t), "mapper_parsing_exception", count) })
	t.Run("elasticsearch", func(t *testing.T) {
		surviveKills(t, env.PrivateElasticsearch(t), "document_parsing_exception", count)
	})
}

func surviveKills(t *testing.T, node *env.Search, refusal string, count int) {
	broker := env.Kafka(t)
	topic := strings.ToLower(strings.ReplaceAll(env.Name(t), "/", "-"))
	dead := broker.Topic(t, 1)
	admin := kadm.NewClient(broker.Client(t))
	_, err := admin.CreateTopic(t.Context(), 3, 1, nil, topic)
	require.NoError(t, err)
	s := produceDocuments(t, broker, topic, count)
	searchCall(t, "PUT", node.URL+"/"+topic, `{"settings":{"number_of_replicas":0,"translog":{"flush_threshold_size":"16mb"}},"mappings":{"properties":{"n":{"type":"long"}}}}`)

	w := harness.Start(t, harness.Config{Bootstrap: broker.Bootstrap})
	began := time.Now()
	w.Create("search", map[string]string{
		"connector.class": "io.confluent.connect.elasticsearch.ElasticsearchSinkConnector", "tasks.max": "1",
		"topics": topic, "connection.url": node.URL, "schema.ignore": "true", "behavior.on.null.values": "delete",
		"behavior.on.malformed.documents": "warn", "max.retries": "1000", "retry.backoff.ms": "50", "read.timeout.ms": "30000",
		"errors.tolerance": "all", "errors.deadletterqueue.topic.name": dead, "errors.deadletterqueue.topic.replication.factor": "1",
		"errors.deadletterqueue.context.headers.enable": "true",
		// Small fetches, so that the faults find records on the way.
		"consumer.override.max.poll.records": "500",
		"consumer.override.group.id":         topic,
	})
	await := func(n int) {
		harness.Eventually(t, 40*time.Minute, fmt.Sprintf("%d of %d records committed", n, s.records), func() (bool, string) {
			got := committed(t, admin, topic, topic)
			return got >= n, fmt.Sprint(got)
		})
	}
	await(count / 5)
	for _, pid := range w.Plugins("elasticsearch-sink") {
		require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	}
	await(count / 2)
	t.Logf("half of the records after %v", time.Since(began))
	node.Kill()
	node.Start(t)
	await(s.records)
	took := time.Since(began)

	got := allDocuments(t, node.URL, topic)
	require.Len(t, got, len(s.want))
	for id, n := range s.want {
		if got[id] != n {
			t.Fatalf("document %s has n=%d, want %d", id, got[id], n)
		}
	}
	reasons := map[string]bool{}
	for _, r := range broker.Records(t, dead) {
		refused, malformed := s.malformed[string(r.Key)]
		require.True(t, malformed, "a good record is among the dead letters: %s", r.Value)
		require.Contains(t, string(r.Value), "no number")
		for _, h := range r.Headers {
			if h.Key == "__connect.errors.exception.message" {
				want := "text that is not a JSON object"
				if refused {
					want = refusal
				}
				require.Contains(t, string(h.Value), want)
				reasons[string(r.Key)] = true
			}
		}
	}
	require.Len(t, reasons, len(s.malformed), "every malformed document, with its reason")
	t.Logf("%d records, %d documents, %d dead letters in %v with both faults", count, len(got), len(reasons), took)
}
