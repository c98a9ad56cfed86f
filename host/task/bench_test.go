package task

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/sdk/go/wire"
)

const benchRecords = 10_000

// BenchmarkSourceBatch is a batch of 10,000 strings of 100 bytes, from the wire to a
// Kafka batch that is ready for Produce.
func BenchmarkSourceBatch(b *testing.B) {
	for name, class := range map[string]string{"String": "StringConverter", "Json": "JsonConverter"} {
		b.Run(name, func(b *testing.B) {
			s := newScriptedSource()
			s.partitions = 1
			values := make([]string, benchRecords)
			for i := range values {
				values[i] = strings.Repeat("x", 100)
			}
			batch := s.batch(b, "out", 1, 1, values)
			p := newProducer(b, "localhost:1", nil)
			defer func() {
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				defer cancel()
				_ = p.Close(ctx)
			}()
			props := map[string]string{"schemas.enable": "false"}
			if class == "StringConverter" {
				props = nil
			}
			c := &sourceConverter{Converters: converters(b, class, props), newBatch: p.NewBatch, errant: func(f *RecordFailure) { b.Fatal(f) }, errants: newSourceErrants(false, false)}
			b.ReportAllocs()
			b.ResetTimer()
			for b.Loop() {
				prepared := c.convert(batch)
				prepared.kafka.Discard()
				prepared.release()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchRecords, "ns/record")
		})
	}
}

// BenchmarkSinkBatch is a fetch of 10,000 strings of 100 bytes into batches of the wire.
func BenchmarkSinkBatch(b *testing.B) {
	addr := startBroker(b, kafka.EmbeddedConfig{}).Addr()
	p := newProducer(b, addr, nil)
	kb := p.NewBatch(benchRecords)
	for range benchRecords {
		kb.Append("in", kafka.PartitionAny, kafka.TimestampNow, nil, []byte(`"`+strings.Repeat("x", 98)+`"`))
	}
	done := make(chan error, 1)
	p.Produce(context.Background(), kb, func(r kafka.BatchResult) { done <- r.Err() })
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	_ = p.Close(context.Background())
	consumer, err := kafka.NewConsumer(clientConfig(b, kafka.ConsumerClient, addr, map[string]string{"group.id": "bench", "max.partition.fetch.bytes": "8000000"}),
		kafka.Subscription{Topics: []string{"in"}}, kafka.RebalanceListener{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = consumer.Close(context.Background()) }()
	fetch := &kafka.Fetch{}
	records := 0
	for records < benchRecords/2 {
		if fetch, err = consumer.Poll(context.Background(), benchRecords); err != nil {
			b.Fatal(err)
		}
		records = fetch.Len()
	}
	for name, class := range map[string]string{"String": "StringConverter", "Json": "JsonConverter"} {
		b.Run(name, func(b *testing.B) {
			props := map[string]string{"schemas.enable": "false"}
			if class == "StringConverter" {
				props = nil
			}
			c := &sinkConverter{Converters: converters(b, class, props), schemas: &wire.SchemaWriter{}, errant: func(_ *kafka.Run, _ int, no refusal) bool { b.Fatal(no.err); return false }}
			var builder wire.SinkBatchBuilder
			b.ReportAllocs()
			b.ResetTimer()
			for b.Loop() {
				for i := range fetch.Runs() {
					run := &fetch.Runs()[i]
					for next := 0; next < run.Len(); {
						builder.Reset()
						builder.Start(1, timestampType(run.TimestampType(0)))
						next, _ = c.run(&builder, run, next, wire.TargetBlockBytes, benchRecords, true)
						if _, err := builder.Message(); err != nil {
							b.Fatal(err)
						}
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(records), "ns/record")
		})
	}
}
