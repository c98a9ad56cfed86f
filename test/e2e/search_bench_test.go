package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/elastic/elastic-transport-go/v8/elastictransport"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tailrace/tailrace/test/env"
	"github.com/tailrace/tailrace/test/harness"
)

// BenchmarkSearchSink measures the processor time of a document from a topic into OpenSearch: of a bare loop of the Kafka
// client and the bulk endpoint (the limit), and of worker and plugin together, with text passed on and with JSON read and
// written. Kafka's and the server's own time is in none of them.
func BenchmarkSearchSink(b *testing.B) {
	const count = 200_000
	broker, node := env.Kafka(b), env.OpenSearch(b)
	topic := strings.ToLower(env.Name(b))
	client := broker.Client(b)
	admin := kadm.NewClient(client)
	_, err := admin.CreateTopic(b.Context(), 3, 1, nil, topic)
	require.NoError(b, err)
	for n := range count {
		value := fmt.Appendf(nil, `{"n":%d,"key":"key-%d","price":%d.25,"ok":true,"text":"the quick brown fox jumps over the lazy dog %d times"}`, n, n, n%1000, n%97)
		client.Produce(b.Context(), &kgo.Record{Topic: topic, Key: fmt.Appendf(nil, "key-%d", n), Value: value}, nil)
	}
	require.NoError(b, client.Flush(b.Context()))

	b.Run("bare", func(b *testing.B) {
		for b.Loop() {
			cpu := ownCPU(b)
			bareLoop(b, broker, node.URL, topic, count)
			report(b, ownCPU(b)-cpu, count)
		}
	})
	for name, converter := range map[string]map[string]string{
		"text": {"value.converter": "org.apache.kafka.connect.storage.StringConverter"},
		"json": {"value.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter.schemas.enable": "false"},
	} {
		b.Run(name, func(b *testing.B) {
			w := harness.Start(b, harness.Config{Bootstrap: broker.Bootstrap})
			for b.Loop() {
				connector := fmt.Sprintf("search-%s-%d", name, time.Now().UnixNano())
				cfg := map[string]string{
					"connector.class": "elasticsearch-sink", "topics": topic, "connection.url": node.URL, "schema.ignore": "true",
					"index.name.format": connector, "read.timeout.ms": "30000",
				}
				for k, v := range converter {
					cfg[k] = v
				}
				cpu := treeCPU(b, w.PID())
				self := cpuOf(b, w.PID())
				w.Create(connector, cfg)
				harness.Eventually(b, 5*time.Minute, "all committed", func() (bool, string) {
					offsets, err := admin.FetchOffsets(b.Context(), "connect-"+connector)
					sum := int64(0)
					if err == nil {
						offsets.Each(func(o kadm.OffsetResponse) { sum += max(o.At, 0) })
					}
					return sum >= count, fmt.Sprint(sum)
				})
				report(b, treeCPU(b, w.PID())-cpu, count)
				b.ReportMetric(float64((cpuOf(b, w.PID())-self).Microseconds())/count, "host-us/doc")
				w.REST("DELETE", "/connectors/"+connector, nil)
			}
		})
	}
}

func report(b *testing.B, cpu time.Duration, count int) {
	b.ReportMetric(float64(cpu.Microseconds())/float64(count), "cpu-us/doc")
	b.ReportMetric(float64(count)/cpu.Seconds(), "docs/cpu-s")
}

// bareLoop writes a topic into an index with as little as possible: each value as it is, the offset as version.
func bareLoop(b *testing.B, broker *env.Broker, address, topic string, count int) {
	u, err := url.Parse(address)
	require.NoError(b, err)
	transport, err := elastictransport.New(elastictransport.Config{URLs: []*url.URL{u}, DisableRetry: true})
	require.NoError(b, err)
	consumer := broker.Client(b, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	var body []byte
	items := 0
	send := func() {
		if items == 0 {
			return
		}
		request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "/_bulk?filter_path=errors,items.*.status", bytes.NewReader(body))
		require.NoError(b, err)
		request.Header.Set("Content-Type", "application/x-ndjson")
		response, err := transport.Perform(request)
		require.NoError(b, err)
		answer, err := io.ReadAll(response.Body)
		response.Body.Close()
		require.NoError(b, err)
		require.True(b, bytes.HasPrefix(answer, []byte(`{"errors":false`)), "%.300s", answer)
		body, items = body[:0], 0
	}
	index := fmt.Sprintf("bare-%d", time.Now().UnixNano())
	for done := 0; done < count; {
		consumer.PollFetches(b.Context()).EachRecord(func(r *kgo.Record) {
			id, err := json.Marshal(string(r.Key))
			require.NoError(b, err)
			body = append(append(append(body, `{"index":{"_index":"`...), index...), `","_id":`...)
			body = strconv.AppendInt(append(append(body, id...), `,"version_type":"external","version":`...), r.Offset, 10)
			body = append(append(append(body, "}}\n"...), r.Value...), '\n')
			if done, items = done+1, items+1; items == 2000 {
				send()
			}
		})
	}
	send()
}

func ownCPU(b *testing.B) time.Duration {
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// treeCPU is the processor time of a process and its descendants that live.
func treeCPU(b *testing.B, pid int) time.Duration {
	sum := cpuOf(b, pid)
	for _, p := range harness.Descendants(pid) {
		sum += cpuOf(b, p)
	}
	return sum
}

// cpuOf is the processor time of one process, 0 when it is gone.
func cpuOf(b *testing.B, pid int) time.Duration {
	const tick = 10 * time.Millisecond // USER_HZ is 100 on every Linux that Go runs on
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	sum := time.Duration(0)
	for _, f := range strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))[11:13] {
		n, err := strconv.Atoi(f)
		require.NoError(b, err)
		sum += time.Duration(n) * tick
	}
	return sum
}
