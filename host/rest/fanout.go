package rest

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tailrace/tailrace/host/access"
)

// This file answers reads below /v1 for the whole cluster: the worker that is asked asks the others, and adds what they
// tell. It asks each once, with forward=false, which means "of yourself only", and with the client's Authorization: each
// worker decides for itself what a client may see.

const (
	// peerTimeout bounds one worker's answer; one that does not answer is left out and named.
	peerTimeout = 5 * time.Second
	// maxPeerBytes bounds one worker's answer.
	maxPeerBytes = 8 << 20
	// missingWorkers names, in the answer, the workers whose part is not in it.
	missingWorkers = "X-Tailrace-Missing-Workers"
)

// others are the workers to ask about a connector, or about everything when it is empty: those that the states of
// connectors and tasks name. It is empty for a request that another worker sent on.
func (a *api) others(r *http.Request, connector string) []string {
	if a.options.Peers == nil || r.URL.Query().Has("forward") {
		return nil
	}
	names := []string{connector}
	if connector == "" {
		rights := visitOf(r).rights
		names = slices.DeleteFunc(slices.Clone(a.herder.Connectors()), func(name string) bool { return rights.On(name) < access.Viewer })
	}
	seen := map[string]bool{}
	for _, name := range names {
		status, err := a.herder.Status(name)
		if err != nil {
			continue
		}
		seen[status.Connector.WorkerID] = true
		for _, t := range status.Tasks {
			seen[t.WorkerID] = true
		}
	}
	delete(seen, a.options.WorkerID)
	delete(seen, "")
	ids := make([]string, 0, len(seen))
	for id := range seen {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// part is what one worker answered.
type part[T any] struct {
	worker string
	answer T
}

// gather asks workers the same question at the same time. Those that do not answer are named in the header of w.
func gather[T any](a *api, w http.ResponseWriter, r *http.Request, workers []string) []part[T] {
	if len(workers) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(r.Context(), peerTimeout)
	defer cancel()
	answers := make([]*T, len(workers))
	var asking sync.WaitGroup
	for i, id := range workers {
		asking.Go(func() { answers[i] = askPeer[T](ctx, a, r, id) })
	}
	asking.Wait()
	var out []part[T]
	var missing []string
	for i, id := range workers {
		if answers[i] == nil {
			missing = append(missing, id)
		} else {
			out = append(out, part[T]{id, *answers[i]})
		}
	}
	if len(missing) > 0 {
		w.Header().Set(missingWorkers, strings.Join(missing, ","))
	}
	return out
}

// askPeer is nil when the worker does not answer, or does not know the path (Kafka Connect).
func askPeer[T any](ctx context.Context, a *api, r *http.Request, id string) *T {
	response, err := a.options.Peers.send(ctx, http.MethodGet, a.peerURL(r, id), nil, authorization(r))
	if err != nil {
		return nil
	}
	defer func() { _ = response.Body.Close() }()
	answer := new(T)
	if response.StatusCode != http.StatusOK || json.NewDecoder(io.LimitReader(response.Body, maxPeerBytes)).Decode(answer) != nil {
		return nil
	}
	return answer
}

// relay passes on what other workers stream. The function that it returns ends that.
func (a *api) relay(s *stream, r *http.Request, workers []string) (end func()) {
	ctx, cancel := context.WithCancel(s.ctx)
	var relaying sync.WaitGroup
	for _, id := range workers {
		relaying.Go(func() {
			response, err := a.options.Peers.follow(ctx, a.peerURL(r, id), authorization(r))
			if err != nil {
				return
			}
			defer func() { _ = response.Body.Close() }()
			lines := bufio.NewScanner(response.Body)
			lines.Buffer(nil, maxStreamedLine)
			for response.StatusCode == http.StatusOK && lines.Scan() {
				if len(lines.Bytes()) > 0 && s.line(slices.Clone(lines.Bytes())) != nil {
					return
				}
			}
		})
	}
	return func() { cancel(); relaying.Wait() }
}

// maxStreamedLine bounds one line of another worker's stream.
const maxStreamedLine = 1 << 20

// follow asks for a stream, which has no time limit of its own: it ends with ctx.
func (p *Peers) follow(ctx context.Context, target string, header http.Header) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, err
	}
	request.Header = header
	client := *p.client
	client.Timeout = 0
	return client.Do(request)
}

func (a *api) peerURL(r *http.Request, id string) string {
	query := r.URL.Query()
	query.Set("forward", "false")
	scheme := a.options.PeerScheme
	if scheme == "" {
		scheme = "http"
	}
	return (&url.URL{Scheme: scheme, Host: id}).String() + r.URL.EscapedPath() + "?" + query.Encode()
}

// authorization is all that is sent on of a client's headers.
func authorization(r *http.Request) http.Header {
	header := http.Header{}
	if auth := r.Header.Get("Authorization"); auth != "" {
		header.Set("Authorization", auth)
	}
	return header
}
