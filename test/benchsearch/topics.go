package main

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// The topics, of three partitions each.
const (
	plainTopic  = "documents"        // JSON objects
	schemaTopic = "documents-schema" // the same in the envelope of JsonConverter with schemas.enable
)

const envelope = `{"schema":{"type":"struct","fields":[{"type":"int64","optional":false,"field":"n"},{"type":"string","optional":true,"field":"key"},` +
	`{"type":"double","optional":true,"field":"price"},{"type":"boolean","optional":true,"field":"ok"},{"type":"string","optional":true,"field":"text"}],` +
	`"optional":false,"name":"document"},"payload":`

// fill produces the documents, uncompressed.
func (b *bench) fill(ctx context.Context) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(b.bootstrap), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		return err
	}
	defer client.Close()
	if _, err := kadm.NewClient(client).CreateTopics(ctx, 3, 1, nil, plainTopic, schemaTopic); err != nil {
		return err
	}
	var failure atomic.Pointer[error]
	promise := func(_ *kgo.Record, err error) {
		if err != nil {
			failure.Store(&err)
		}
	}
	for n := range b.documents {
		key := fmt.Appendf(nil, "key-%d", n)
		text := fmt.Appendf(nil, `{"n":%d,"key":"key-%d","price":%d.25,"ok":true,"text":"the quick brown fox jumps over the lazy dog %d times"}`, n, n, n%1000, n%97)
		client.Produce(ctx, &kgo.Record{Topic: plainTopic, Key: key, Value: text}, promise)
		client.Produce(ctx, &kgo.Record{Topic: schemaTopic, Key: key, Value: append(append([]byte(envelope), text...), '}')}, promise)
	}
	if err := client.Flush(ctx); err != nil {
		return err
	}
	if err := failure.Load(); err != nil {
		return *err
	}
	fmt.Fprintf(os.Stderr, "%d documents in each of two topics\n", b.documents)
	return nil
}
