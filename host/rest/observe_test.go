package rest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/loggers"
	"github.com/tailrace/tailrace/host/observe"
	"github.com/tailrace/tailrace/host/recent"
)

// toldStation tells what a test puts into its rings.
type toldStation struct {
	lines   *recent.Ring[loggers.Line]
	asked   observe.PreviewRequest
	failing error
}

func newToldStation() *toldStation { return &toldStation{lines: recent.New[loggers.Line](10, 1000)} }

func (*toldStation) About() observe.About         { return observe.About{WorkerID: "w:1"} }
func (*toldStation) Processes() []observe.Process { return []observe.Process{} }

func (s *toldStation) LastLines(_ string, n int) []observe.LineItem { return s.lines.Last(n) }

func (s *toldStation) NextLines(ctx context.Context, _ string, seq uint64, limit int) ([]observe.LineItem, error) {
	return s.lines.Next(ctx, seq, limit)
}

func (*toldStation) LastEvents(int, string) []observe.Event { return []observe.Event{} }

func (*toldStation) EventsAfter(seq uint64, _ int, connector string) []observe.Event {
	return []observe.Event{{Seq: seq + 1, Kind: observe.TopicUsed, Connector: connector}}
}

func (*toldStation) NextEvents(ctx context.Context, seq uint64, _ string) ([]observe.Event, uint64, error) {
	<-ctx.Done()
	return nil, seq, ctx.Err()
}

func (s *toldStation) Preview(_ context.Context, r observe.PreviewRequest) (observe.Preview, error) {
	s.asked = r
	return observe.Preview{Records: []observe.PreviewRecord{}, Ended: "end"}, s.failing
}

func (s *toldStation) TailTopic(_ context.Context, _ map[string]string, topic string, _ int, _ bool, show func(observe.PreviewRecord) error) error {
	if s.failing != nil {
		return s.failing
	}
	return show(observe.PreviewRecord{Topic: topic, Headers: []observe.PreviewHeader{}})
}

func TestWhatHappensOnAWorkerIsShown(t *testing.T) {
	s := newToldStation()
	s.lines.Add(loggers.Line{Message: "hello", Level: "INFO"}, 10)
	h := checked(t, &knownHerder{}, Options{Station: s})
	for path, want := range map[string]string{
		"/v1/worker":                                    `"worker_id":"w:1"`,
		"/v1/processes":                                 `[]`,
		"/v1/events":                                    `{"events":[]}`,
		"/v1/events?after=7&connector=c":                `"seq":8`,
		"/v1/connectors/gadget/logs?lines=5":            `"message":"hello"`,
		"/v1/topics/a%2Fb/records?connector=gadget":     `"topic":"a/b"`,
		"/v1/connectors/gadget/logs?lines=many":         "must be a number",
		"/v1/connectors/unknown/logs":                   "Connector unknown not found",
		"/v1/topics/t/records?connector=unknown":        "not found",
		"/v1/topics/t/records?connector=gadget&follow=": `{"records":`,
	} {
		w := call(h, http.MethodGet, path, "")
		require.Contains(t, w.Body.String(), want, path)
	}
	require.Equal(t, http.StatusNotFound, call(checked(t, &knownHerder{}, Options{}), http.MethodGet, "/v1/worker", "").Code)
}

func TestAPreviewIsAskedForWithBounds(t *testing.T) {
	s := newToldStation()
	h := checked(t, &knownHerder{}, Options{Station: s})
	w := call(h, http.MethodPost, "/v1/preview", `{"config":{"a":1,"b":true},"records":5,"timeout_ms":"2000","name":"n"}`)
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	require.Equal(t, observe.PreviewRequest{Name: "n", Config: map[string]string{"a": "1", "b": "true", "name": "n"}, Records: 5, Time: 2 * time.Second}, s.asked)
	for body, want := range map[string]string{
		`{}`:                             "config is missing",
		`{"config":{},"records":-1}`:     "whole number above 0",
		`{"config":{},"timeout_ms":"x"}`: "whole number above 0",
		`{"config":{"a":null}}`:          "is null",
		`{"config":{},"x":1}`:            "not known",
		`[`:                              "too early",
	} {
		w := call(h, http.MethodPost, "/v1/preview", body)
		require.Equal(t, http.StatusBadRequest, w.Code, body)
		require.Contains(t, w.Body.String(), want, body)
	}
	s.failing = observe.ErrBusy
	w = call(h, http.MethodPost, "/v1/preview", `{"config":{}}`)
	require.Equal(t, http.StatusConflict, w.Code)
	require.Equal(t, "5", w.Header().Get("Retry-After"))
	s.failing = errors.New("no such class")
	require.Equal(t, http.StatusBadRequest, call(h, http.MethodPost, "/v1/preview", `{"config":{}}`).Code)
}

// Lines are streamed as they come; the stream ends with the client, or with the worker.
func TestLinesAreFollowedUntilTheClientOrTheWorkerGoes(t *testing.T) {
	s := newToldStation()
	s.lines.Add(loggers.Line{Message: "before"}, 10)
	stopping, stop := context.WithCancel(t.Context())
	server := httptest.NewServer(Handler(&knownHerder{}, Options{Station: s, Stopping: stopping}))
	defer server.Close()
	follow := func(ctx context.Context) *bufio.Scanner {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/v1/connectors/gadget/logs?follow=true", nil)
		require.NoError(t, err)
		answer, err := server.Client().Do(r)
		require.NoError(t, err)
		t.Cleanup(func() { _ = answer.Body.Close() })
		require.Equal(t, ndjsonType, answer.Header.Get("Content-Type"))
		return bufio.NewScanner(answer.Body)
	}
	next := func(lines *bufio.Scanner) string {
		require.True(t, lines.Scan(), lines.Err())
		var line lineAnswer
		require.NoError(t, json.Unmarshal(lines.Bytes(), &line))
		return line.Message
	}
	ctx, leave := context.WithCancel(t.Context())
	first, second := follow(ctx), follow(t.Context())
	require.Equal(t, "before", next(first))
	require.Equal(t, "before", next(second))
	s.lines.Add(loggers.Line{Message: "after"}, 10)
	require.Equal(t, "after", next(first))
	require.Equal(t, "after", next(second))
	leave()
	require.False(t, first.Scan())
	stop()
	require.False(t, second.Scan(), "the worker stops")
}

func TestTheNumberOfStreamsIsBounded(t *testing.T) {
	a := &api{herder: &knownHerder{}, options: Options{Station: newToldStation()}}
	a.streams.Store(maxStreams)
	w := httptest.NewRecorder()
	a.stream(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/events?follow=true", nil), nil)
	require.Equal(t, http.StatusConflict, w.Code)
	require.Equal(t, int64(maxStreams), a.streams.Load())
	require.Contains(t, strings.ToLower(w.Body.String()), "too many")
}
