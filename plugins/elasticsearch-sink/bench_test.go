package main

import (
	"testing"

	"github.com/tailrace/tailrace/plugins/elasticsearch-sink/internal/bulk"
	"github.com/tailrace/tailrace/plugins/elasticsearch-sink/internal/document"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// BenchmarkDocument is what one document costs from its wire form into the body of a request, by kind of value.
func BenchmarkDocument(b *testing.B) {
	object := data.NewMapValue(
		data.MapEntry{Key: "n", Value: int64(12345)}, data.MapEntry{Key: "key", Value: "key-12345"}, data.MapEntry{Key: "price", Value: 345.25},
		data.MapEntry{Key: "ok", Value: true}, data.MapEntry{Key: "text", Value: "the quick brown fox jumps over the lazy dog 12 times"},
	)
	for name, v := range map[string]any{
		"text":       `{"n":12345,"key":"key-12345","price":345.25,"ok":true,"text":"the quick brown fox jumps over the lazy dog 12 times"}`,
		"schemaless": object,
	} {
		b.Run(name, func(b *testing.B) {
			wire, err := data.AppendValue(nil, nil, v)
			if err != nil {
				b.Fatal(err)
			}
			plan, err := document.NewPlan(nil, document.Options{CompactMaps: true})
			if err != nil {
				b.Fatal(err)
			}
			key, err := data.AppendValue(nil, data.StringSchema, "key-12345")
			if err != nil {
				b.Fatal(err)
			}
			var body, id, quoted []byte
			verbs, err := bulk.NewVerbs("index")
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if id, err = document.AppendID(id[:0], data.StringSchema, key); err != nil {
					b.Fatal(err)
				}
				quoted = document.AppendString(quoted[:0], id)
				body = verbs.AppendIndex(body[:0], &bulk.Action{ID: quoted, Version: 12345})
				if body, err = plan.Append(body, wire, -1); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(int64(len(body)))
		})
	}
}
