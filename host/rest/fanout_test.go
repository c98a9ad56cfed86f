package rest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/host/herder"
	"github.com/tailrace/tailrace/host/loggers"
	"github.com/tailrace/tailrace/host/observe"
)

// spreadHerder has a connector whose tasks run on this worker (w:1) and on others.
type spreadHerder struct {
	openHerder
	others []string
}

func (h *spreadHerder) Status(name string) (herder.Status, error) {
	s := herder.Status{Name: name, Connector: herder.InstanceStatus{WorkerID: "w:1"}}
	for i, id := range h.others {
		s.Tasks = append(s.Tasks, herder.TaskStatus{ID: i, InstanceStatus: herder.InstanceStatus{WorkerID: id}})
	}
	return s, nil
}

func (h *spreadHerder) Progress(name string) (herder.Progress, error) {
	return herder.Progress{Name: name, Tasks: []herder.TaskProgress{{ID: 1, Records: 10}}}, nil
}

// peer is another worker; it keeps what it was asked.
type peer struct {
	*httptest.Server
	mu    sync.Mutex
	asked []*http.Request
}

func newPeer(t *testing.T) *peer {
	p := &peer{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.asked = append(p.asked, r)
		p.mu.Unlock()
		var answer any
		switch {
		case strings.HasSuffix(r.URL.Path, "/progress"):
			answer = herder.Progress{Tasks: []herder.TaskProgress{{ID: 0, Records: 7}}}
		case strings.HasSuffix(r.URL.Path, "/logs") && r.URL.Query().Get("follow") == "true":
			_, _ = w.Write([]byte("\n{\"message\":\"streamed\"}\n"))
			return
		case strings.HasSuffix(r.URL.Path, "/logs"):
			answer = map[string]any{"lines": []map[string]any{{"seq": 3, "time": time.Unix(1, 0), "level": "INFO", "message": "theirs"}}}
		case strings.HasSuffix(r.URL.Path, "/events"):
			answer = map[string]any{"events": []observe.Event{{Seq: 4, Kind: observe.TopicUsed, Time: time.Unix(1, 0)}}}
		default:
			answer = []observe.Process{{Plugin: "p"}}
		}
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *peer) id() string { return strings.TrimPrefix(p.URL, "http://") }

func TestWhatOtherWorkersTellIsAdded(t *testing.T) {
	other := newPeer(t)
	station := newToldStation()
	station.lines.Add(loggers.Line{Time: time.Unix(2, 0), Message: "ours"}, 10)
	h := &spreadHerder{openHerder{names: []string{"c"}}, []string{other.id(), "127.0.0.1:1", "w:1"}}
	peers := NewPeers(nil)
	defer peers.Close()
	handler := Handler(h, Options{Station: station, Peers: peers, WorkerID: "w:1"})
	w := call(handler, http.MethodGet, "/v1/connectors/c/progress", "")
	require.Equal(t, 200, w.Code)
	require.Equal(t, "127.0.0.1:1", w.Header().Get(missingWorkers), "who does not answer is named")
	var progress herder.Progress
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &progress))
	require.Equal(t, []herder.TaskProgress{{ID: 0, Records: 7}, {ID: 1, Records: 10}}, progress.Tasks)
	require.Contains(t, call(handler, http.MethodGet, "/v1/processes", "").Body.String(), `"worker":"`+other.id()+`"`)
	require.Contains(t, call(handler, http.MethodGet, "/v1/events", "").Body.String(), `"worker":"`+other.id()+`"`)
	require.NotContains(t, call(handler, http.MethodGet, "/v1/events?after=1", "").Body.String(), other.id(), "numbers are of one worker")
	text := call(handler, http.MethodGet, "/v1/connectors/c/logs", "").Body.String()
	require.Less(t, strings.Index(text, "theirs"), strings.Index(text, "ours"), "by time: %s", text)
	require.NotContains(t, call(handler, http.MethodGet, "/v1/connectors/c/logs?forward=false", "").Body.String(), "theirs", "who is asked by a worker tells of itself only")
}

func TestStreamsOfOtherWorkersAreAdded(t *testing.T) {
	other := newPeer(t)
	station := newToldStation()
	h := &spreadHerder{openHerder{names: []string{"c"}}, []string{other.id()}}
	peers := NewPeers(nil)
	defer peers.Close()
	server := httptest.NewServer(Handler(h, Options{Station: station, Peers: peers, WorkerID: "w:1"}))
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/v1/connectors/c/logs?follow=true", nil)
	require.NoError(t, err)
	answer, err := server.Client().Do(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	one := make([]byte, 200)
	n, err := answer.Body.Read(one)
	require.NoError(t, err)
	require.JSONEq(t, `{"message":"streamed"}`, string(one[:n]))
}

// A worker is asked with the client's own rights, not with this worker's.
func TestOtherWorkersAreAskedAsTheClient(t *testing.T) {
	other := newPeer(t)
	peers := NewPeers(nil)
	defer peers.Close()
	g := newGuarded(t, func(o *Options) { o.Station, o.Peers, o.WorkerID = newToldStation(), peers, "w:1" })
	g.handler = Handler(&spreadHerder{*g.herder, []string{other.id()}}, g.options)
	require.Equal(t, 200, g.ask("viewer", "GET", "/v1/connectors/a-1/progress?x=y", "", "Cookie", "a=b", "X-Forwarded-For", "1.2.3.4").Code)
	require.Len(t, other.asked, 1)
	user, password, _ := other.asked[0].BasicAuth()
	require.Equal(t, []string{"viewer", "secret of viewer"}, []string{user, password})
	require.Equal(t, "false", other.asked[0].URL.Query().Get("forward"), "it asks nobody else")
	require.Empty(t, other.asked[0].Header.Get("Cookie")+other.asked[0].Header.Get("X-Forwarded-For"))
	require.Equal(t, 403, g.ask("orders", "GET", "/v1/connectors/a-1/progress", "").Code)
	require.Len(t, other.asked, 1, "who is refused here is not asked for elsewhere")
}
