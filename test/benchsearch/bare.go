package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"syscall"
	"time"

	"github.com/elastic/elastic-transport-go/v8/elastictransport"
	"github.com/twmb/franz-go/pkg/kgo"
)

// batchItems is the number of documents in a request, the same for all sides.
const batchItems = 2000

func passOn(dst, value []byte) ([]byte, error) { return append(dst, value...), nil }

func check(dst, value []byte) ([]byte, error) {
	if !json.Valid(value) {
		return dst, errors.New("not JSON")
	}
	return append(dst, value...), nil
}

func decode(dst, value []byte) ([]byte, error) {
	var document map[string]any
	if err := json.Unmarshal(value, &document); err != nil {
		return dst, err
	}
	text, err := json.Marshal(document)
	return append(dst, text...), err
}

func takeOut(dst, value []byte) ([]byte, error) {
	var envelope struct{ Payload json.RawMessage }
	err := json.Unmarshal(value, &envelope)
	return append(dst, envelope.Payload...), err
}

// loop writes a topic into an index with as little as possible.
func (b *bench) loop(ctx context.Context, s side, index string, n int) error {
	address, err := url.Parse(b.index.url)
	if err != nil {
		return err
	}
	transport, err := elastictransport.New(elastictransport.Config{URLs: []*url.URL{address}, DisableRetry: true})
	if err != nil {
		return err
	}
	consumer, err := kgo.NewClient(kgo.SeedBrokers(b.bootstrap), kgo.ConsumeTopics(s.topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return err
	}
	defer consumer.Close()
	body, items := []byte(nil), 0
	for done := 0; done < n; {
		fetches := consumer.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return err
		}
		for records := fetches.RecordIter(); !records.Done(); {
			r := records.Next()
			id, err := json.Marshal(string(r.Key))
			if err != nil {
				return err
			}
			body = append(append(append(body, `{"index":{"_index":"`...), index...), `","_id":`...)
			body = append(append(body, id...), `,"version_type":"external","version":`...)
			body = append(strconv.AppendInt(body, r.Offset, 10), "}}\n"...)
			if body, err = s.bare(body, r.Value); err != nil {
				return err
			}
			body = append(body, '\n')
			if done, items = done+1, items+1; items == batchItems {
				if err := send(ctx, transport, body); err != nil {
					return err
				}
				body, items = body[:0], 0
			}
		}
	}
	if items == 0 {
		return nil
	}
	return send(ctx, transport, body)
}

func send(ctx context.Context, transport *elastictransport.Client, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "/_bulk?filter_path=errors,items.*.status", bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-ndjson")
	response, err := transport.Perform(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && !bytes.HasPrefix(answer, []byte(`{"errors":false`)) {
		err = fmt.Errorf("the server answered %.300q", answer)
	}
	return err
}

func ownCPU() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
