package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/tailrace/tailrace/host/herder"
)

// This file carries requests to other workers of a cluster, as Kafka Connect does (reference sections 1.2 and 1.3).

// The headers that prove that a request comes from a worker of the cluster (KIP-507).
const (
	headerSignature          = "X-Connect-Authorization"
	headerSignatureAlgorithm = "X-Connect-Request-Signature-Algorithm"
)

// Peers are the other workers of a cluster.
type Peers struct{ client *http.Client }

// NewPeers makes a client of other workers. transport says how https addresses are checked; nil is Go's default.
func NewPeers(transport http.RoundTripper) *Peers {
	return &Peers{&http.Client{
		Transport: transport, Timeout: requestTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Close frees the connections.
func (p *Peers) Close() { p.client.CloseIdleConnections() }

// PutTasks implements herder.Peers.
func (p *Peers) PutTasks(ctx context.Context, leaderURL, connector string, body []byte, signature herder.Signature) error {
	return p.tellLeader(ctx, http.MethodPost, leaderURL, "/connectors/"+url.PathEscape(connector)+"/tasks?forward=true", body, signature)
}

// Fence implements herder.Peers.
func (p *Peers) Fence(ctx context.Context, leaderURL, connector string, signature herder.Signature) error {
	return p.tellLeader(ctx, http.MethodPut, leaderURL, "/connectors/"+url.PathEscape(connector)+"/fence?forward=false", nil, signature)
}

func (p *Peers) tellLeader(ctx context.Context, method, leaderURL, path string, body []byte, signature herder.Signature) error {
	header := http.Header{}
	if signature.Value != "" {
		header.Set(headerSignature, signature.Value)
		header.Set(headerSignatureAlgorithm, signature.Algorithm)
	}
	response, err := p.send(ctx, method, strings.TrimSuffix(leaderURL, "/")+path, body, header)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode < http.StatusBadRequest {
		return nil
	}
	var told failure
	if err := json.NewDecoder(io.LimitReader(response.Body, maxForwardedBytes)).Decode(&told); err != nil || told.Message == "" {
		told.Message = response.Status
	}
	kind := herder.Unavailable
	if response.StatusCode == http.StatusNotFound {
		kind = herder.NotFound
	}
	return &herder.Error{Kind: kind, Message: "the leader at " + leaderURL + " answers " + told.Message}
}

func (p *Peers) send(ctx context.Context, method, target string, body []byte, header http.Header) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body)) //nolint:gosec // the group tells the address, not the client
	if err != nil {
		return nil, err
	}
	request.Header = header
	request.Header.Set("Accept", jsonType)
	request.Header.Set("User-Agent", "kafka-connect")
	if len(body) > 0 {
		request.Header.Set("Content-Type", jsonType)
	}
	response, err := p.client.Do(request) //nolint:gosec // as above
	if err != nil {
		return nil, &herder.Error{Kind: herder.Internal, Message: fmt.Sprintf("IO Error trying to forward REST request: %s", err)}
	}
	return response, nil
}

// at carries a request out on the worker whose duty it is.
func (a *api) at(duty herder.Duty, handle http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		task := 0
		if duty == herder.OwnsTask {
			var ok bool
			if task, ok = taskParam(w, r); !ok {
				return
			}
		}
		base, err := a.herder.Place(duty, param(r, "connector"), task)
		switch {
		case err != nil:
			refuse(w, err)
		case base == "":
			handle(w, r)
		default:
			a.forward(w, r, base)
		}
	}
}

// atPlaceOfRestart: a connector alone restarts at its owner, more than that is the leader's.
func (a *api) atPlaceOfRestart(handle http.HandlerFunc) http.HandlerFunc {
	leader, owner := a.at(herder.Leads, handle), a.at(herder.OwnsConnector, handle)
	return func(w http.ResponseWriter, r *http.Request) {
		if flag(r, "includeTasks", false) || flag(r, "onlyFailed", false) {
			leader(w, r)
		} else {
			owner(w, r)
		}
	}
}

// forward sends a request on and gives the answer back. It may be sent on twice: to the leader, and by it to an owner.
func (a *api) forward(w http.ResponseWriter, r *http.Request, base string) {
	next := "true"
	if values, forwarded := r.URL.Query()["forward"]; forwarded {
		if !strings.EqualFold(values[0], "true") || a.options.Peers == nil {
			refuse(w, herder.Passed())
			return
		}
		next = "false"
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		problem(w, http.StatusBadRequest, "The request body cannot be used: "+err.Error())
		return
	}
	query := r.URL.Query()
	query.Set("forward", next)
	// Kafka Connect sends on nothing but the authorization; a signature in particular proves only who has sent the first request.
	response, err := a.options.Peers.send(r.Context(), r.Method, strings.TrimSuffix(base, "/")+r.URL.EscapedPath()+"?"+query.Encode(), body, authorization(r))
	if err != nil {
		refuse(w, err)
		return
	}
	defer func() { _ = response.Body.Close() }()
	for _, name := range []string{"Content-Type", "Location", "Retry-After"} {
		if v := response.Header.Get(name); v != "" {
			w.Header().Set(name, v)
		}
	}
	if response.StatusCode == http.StatusCreated {
		// The client called this worker, so it finds the connector here.
		if at, err := url.Parse(response.Header.Get("Location")); err == nil && at.Path != "" {
			w.Header().Set("Location", baseOf(r)+at.EscapedPath())
		}
	}
	w.WriteHeader(response.StatusCode)
	_, _ = io.Copy(w, io.LimitReader(response.Body, maxForwardedBytes))
}

// maxForwardedBytes bounds the answer of another worker.
const maxForwardedBytes = 64 << 20

func baseOf(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
