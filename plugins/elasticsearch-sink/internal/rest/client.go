package rest

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/elastic/elastic-transport-go/v8/elastictransport"

	"github.com/tailrace/tailrace/plugins/elasticsearch-sink/internal/bulk"
)

// maxAnswerBytes bounds what is read of one answer.
const maxAnswerBytes = 64 << 20

// Config says how to reach the servers.
type Config struct {
	URLs               []*url.URL
	Username, Password string
	APIKey             string
	Gzip               bool
	TLS                *tls.Config
	Proxy              *url.URL
	ConnectTimeout     time.Duration
	ReadTimeout        time.Duration // of one request, from its first byte to the last of the answer
	IdleTimeout        time.Duration
	Connections        int // at the same time
	UserAgent          string
}

// Client is a connection to a cluster.
type Client struct {
	transport   *elastictransport.Client
	http        *http.Transport
	readTimeout time.Duration
}

// New makes a client; it connects with the first call.
func New(c Config) (*Client, error) {
	transport := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: c.ConnectTimeout, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout: max(c.ConnectTimeout, time.Second),
		TLSClientConfig:     c.TLS,
		MaxIdleConnsPerHost: c.Connections + 1,
		IdleConnTimeout:     c.IdleTimeout,
		WriteBufferSize:     64 << 10,
		ReadBufferSize:      16 << 10,
	}
	if c.Proxy != nil {
		transport.Proxy = http.ProxyURL(c.Proxy)
	}
	t, err := elastictransport.New(elastictransport.Config{
		UserAgent: c.UserAgent, URLs: c.URLs, Username: c.Username, Password: c.Password, APIKey: c.APIKey,
		DisableRetry: true, CompressRequestBody: c.Gzip, CompressRequestBodyLevel: 1, PoolCompressor: true,
		Transport: transport,
	})
	if err != nil {
		return nil, fmt.Errorf("make the client of connection.url: %w", err)
	}
	return &Client{transport: t, http: transport, readTimeout: c.ReadTimeout}, nil
}

// Close ends idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// StatusError is an answer that is an error as a whole.
type StatusError struct {
	Call   string
	Status int
	Type   string
	Reason string
}

func (e *StatusError) Error() string {
	text := fmt.Sprintf("%s: the server answered %d %s", e.Call, e.Status, http.StatusText(e.Status))
	switch {
	case e.Type != "":
		text += ", " + e.Type + ": " + e.Reason
	case e.Reason != "":
		text += ": " + e.Reason
	}
	switch e.Status {
	case http.StatusUnauthorized:
		text += "; check connection.username and connection.password, or connection.api.key"
	case http.StatusForbidden:
		text += "; give the user the rights to write and to create indices"
	}
	return text
}

// Passes tells whether an error of a call may pass by itself: no connection, a busy or starting server.
func Passes(err error) bool {
	var s *StatusError
	if errors.As(err, &s) {
		return s.Status == http.StatusRequestTimeout || s.Status == http.StatusTooManyRequests || s.Status >= 500
	}
	var cert *tls.CertificateVerificationError
	return !errors.As(err, &cert) && !errors.Is(err, context.Canceled)
}

// MustDivide tells that the request must be divided: it is larger than the server takes, or one item of it spoils it.
func MustDivide(err error) bool {
	var s *StatusError
	return errors.As(err, &s) && (s.Status == http.StatusRequestEntityTooLarge || s.Status == http.StatusBadRequest)
}

var ndjson = []string{"application/x-ndjson"}

// Bulk sends one request of n items. nil results mean that all are done.
func (c *Client) Bulk(ctx context.Context, body []byte, n int) ([]bulk.Result, error) {
	answer, err := c.call(ctx, http.MethodPost, "/_bulk?filter_path="+bulk.FilterPath, body, ndjson)
	if err != nil {
		return nil, err
	}
	return bulk.ParseResults(answer, n)
}

var jsonType = []string{"application/json"}

// HasMapping tells whether an index, alias or data stream is there, and whether it has a mapping with fields.
func (c *Client) HasMapping(ctx context.Context, index string) (exists, mapped bool, err error) {
	answer, err := c.call(ctx, http.MethodGet, "/"+url.PathEscape(index)+"/_mapping", nil, jsonType)
	var s *StatusError
	if errors.As(err, &s) && s.Status == http.StatusNotFound {
		return false, false, nil
	}
	if err != nil {
		return false, false, err
	}
	var indices map[string]struct {
		Mappings struct{ Properties map[string]any }
	}
	if err := json.Unmarshal(answer, &indices); err != nil {
		return false, false, fmt.Errorf("read the mapping of index %s: %w", index, err)
	}
	for _, i := range indices {
		mapped = mapped || len(i.Mappings.Properties) > 0
	}
	return true, mapped, nil
}

// CreateIndex makes an index with a mapping, which may be nil. One that is there already is no error.
func (c *Client) CreateIndex(ctx context.Context, index string, mapping []byte) error {
	var body []byte
	if mapping != nil {
		body = append(append([]byte(`{"mappings":`), mapping...), '}')
	}
	_, err := c.call(ctx, http.MethodPut, "/"+url.PathEscape(index), body, jsonType)
	return exceptExists(err)
}

// PutMapping gives an index a mapping.
func (c *Client) PutMapping(ctx context.Context, index string, mapping []byte) error {
	_, err := c.call(ctx, http.MethodPut, "/"+url.PathEscape(index)+"/_mapping", mapping, jsonType)
	return err
}

// CreateStream makes a data stream. Where no index template covers its name it makes one of that name first.
func (c *Client) CreateStream(ctx context.Context, name string) error {
	path := "/_data_stream/" + url.PathEscape(name)
	_, err := c.call(ctx, http.MethodPut, path, nil, jsonType)
	var s *StatusError
	if exceptExists(err) == nil || !errors.As(err, &s) || s.Status != http.StatusBadRequest {
		return exceptExists(err)
	}
	pattern, err := json.Marshal(map[string]any{
		"index_patterns": []string{name}, "data_stream": map[string]any{}, "priority": 500,
		"template": map[string]any{"mappings": map[string]any{"properties": map[string]any{"@timestamp": map[string]any{"type": "date"}}}},
	})
	if err != nil {
		return err
	}
	if _, err := c.call(ctx, http.MethodPut, "/_index_template/"+url.PathEscape(name), pattern, jsonType); err != nil {
		return err
	}
	_, err = c.call(ctx, http.MethodPut, path, nil, jsonType)
	return exceptExists(err)
}

func exceptExists(err error) error {
	var s *StatusError
	if errors.As(err, &s) && s.Type == "resource_already_exists_exception" {
		return nil
	}
	return err
}

// call makes one request and reads its answer whole.
func (c *Client) call(ctx context.Context, method, path string, body []byte, contentType []string) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.readTimeout, fmt.Errorf("no answer within read.timeout.ms (%v)", c.readTimeout))
	defer cancel()
	where, err := url.Parse(path)
	if err != nil {
		return nil, err
	}
	what := method + " " + where.Path
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	request, err := http.NewRequestWithContext(ctx, method, path, reader)
	if err != nil {
		return nil, err
	}
	if body != nil {
		request.Header["Content-Type"] = contentType
	}
	response, err := c.transport.Perform(request)
	if err != nil {
		return nil, failed(ctx, what, err)
	}
	defer response.Body.Close()
	answer, err := readAll(response)
	if err != nil {
		return nil, failed(ctx, what, err)
	}
	if response.StatusCode/100 != 2 {
		return nil, statusError(what, response.StatusCode, answer)
	}
	return answer, nil
}

// failed names the call and, where it was the deadline, which.
func failed(ctx context.Context, what string, err error) error {
	if cause := context.Cause(ctx); errors.Is(err, context.DeadlineExceeded) && cause != nil {
		err = cause
	}
	return fmt.Errorf("%s: %w", what, err)
}

func readAll(r *http.Response) ([]byte, error) {
	var buf bytes.Buffer
	if r.ContentLength > 0 && r.ContentLength < maxAnswerBytes {
		buf.Grow(int(r.ContentLength) + bytes.MinRead)
	}
	n, err := buf.ReadFrom(io.LimitReader(r.Body, maxAnswerBytes))
	if err == nil && n == maxAnswerBytes {
		err = fmt.Errorf("the answer is longer than %d bytes", maxAnswerBytes)
	}
	return buf.Bytes(), err
}

func statusError(what string, status int, answer []byte) error {
	e := &StatusError{Call: what, Status: status}
	var parsed struct {
		Error json.RawMessage
	}
	var detail struct{ Type, Reason string }
	if json.Unmarshal(answer, &parsed) == nil && json.Unmarshal(parsed.Error, &detail) == nil {
		e.Type, e.Reason = detail.Type, detail.Reason
	} else if len(answer) > 0 {
		e.Reason = string(answer[:min(len(answer), 200)])
	}
	return e
}
