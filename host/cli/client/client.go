package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The usual limits, and the largest answer that is read.
const (
	DefaultServer      = "http://localhost:8083"
	DefaultTimeout     = 95 * time.Second // a worker itself gives up after 90 s
	DefaultRetryBudget = 30 * time.Second

	firstRetryDelay = 250 * time.Millisecond
	maxRetryDelay   = 5 * time.Second
	maxAnswerBytes  = 64 << 20
)

// Options say how to reach a worker. Only Server is required.
type Options struct {
	// Server is the base URL, such as http://localhost:8083. A scheme that is missing is http.
	Server string
	// Username and Password, or Token, are sent with every request.
	Username, Password, Token string
	// RootsPEM are certificates of authorities to trust instead of the system's.
	RootsPEM []byte
	// Timeout bounds one attempt, RetryBudget the time until the last repeat begins; 0 is the usual, a negative budget none.
	Timeout, RetryBudget time.Duration
	// Waiting is told before each wait, may be nil, and must not block.
	Waiting func(reason string, delay time.Duration)
}

// Client sends requests. Its methods may be called from any goroutine.
type Client struct {
	options Options
	base    *url.URL
	http    *http.Client
}

// New checks the options; it does not connect.
func New(o Options) (*Client, error) {
	if !strings.Contains(o.Server, "://") {
		o.Server = "http://" + o.Server
	}
	base, err := url.Parse(strings.TrimRight(o.Server, "/"))
	switch {
	case err != nil:
		var at *url.Error
		if errors.As(err, &at) {
			err = at.Err // I-9: the URL may hold a password
		}
		return nil, fmt.Errorf("the server's address cannot be read: %w; write it like %s", err, DefaultServer)
	case base.Scheme != "http" && base.Scheme != "https", base.Host == "":
		return nil, fmt.Errorf("the server's address %s must begin with http:// or https:// and name a host", base.Redacted())
	}
	if base.User != nil {
		o.Username = base.User.Username()
		o.Password, _ = base.User.Password()
		base.User = nil // I-9: never printed
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.RetryBudget == 0 {
		o.RetryBudget = DefaultRetryBudget
	}
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // it is one
	if len(o.RootsPEM) > 0 {
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(o.RootsPEM) {
			return nil, errors.New("the file of certificate authorities has no PEM certificate")
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	return &Client{options: o, base: base, http: &http.Client{Transport: transport}}, nil
}

// Server is the base URL without credentials.
func (c *Client) Server() string { return c.base.String() }

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// call is one request, with as many attempts as the worker needs. parts are the path's segments, unescaped.
type call struct {
	method string
	parts  []string
	query  url.Values
	in     any // JSON to send, nil for none
	out    any // where the answer's JSON goes, nil for nowhere
}

// do carries out a call and returns the status of its answer.
func (c *Client) do(ctx context.Context, k call) (int, error) {
	var body []byte
	if k.in != nil {
		var err error
		if body, err = json.Marshal(k.in); err != nil {
			return 0, err
		}
	}
	last := time.Now().Add(c.options.RetryBudget)
	delay := firstRetryDelay
	for {
		status, err := c.once(ctx, k, body)
		var told *Error
		if err == nil || !errors.As(err, &told) || !told.retriable(k.method) {
			return status, err
		}
		wait := delay
		if told.RetryAfter > 0 {
			wait = told.RetryAfter
		}
		if time.Now().Add(wait).After(last) {
			return status, err
		}
		if c.options.Waiting != nil {
			c.options.Waiting(told.Message, wait)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return status, err
		case <-timer.C:
		}
		delay = min(2*delay, maxRetryDelay)
	}
}

// once sends the request one time.
func (c *Client) once(ctx context.Context, k call, body []byte) (int, error) {
	attempt, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(attempt, k.method, c.address(k), bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	c.head(request, k.in != nil)
	response, err := c.http.Do(request)
	if err != nil {
		return 0, c.unreachable(ctx, attempt, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes+1))
	switch {
	case err != nil:
		return response.StatusCode, c.unreachable(ctx, attempt, err)
	case len(text) > maxAnswerBytes:
		return response.StatusCode, fmt.Errorf("%s: the answer to %s %s is larger than %d bytes", c.Server(), k.method, k.path(), maxAnswerBytes)
	case response.StatusCode >= http.StatusBadRequest:
		return response.StatusCode, refusal(c.Server(), k, response, text)
	case k.out == nil || response.StatusCode == http.StatusNoContent:
		return response.StatusCode, nil
	}
	if err := json.Unmarshal(text, k.out); err != nil {
		return response.StatusCode, fmt.Errorf("%s: the answer to %s %s is not that of a Kafka Connect worker (%w); check the address", c.Server(), k.method, k.path(), err)
	}
	return response.StatusCode, nil
}

func (c *Client) head(r *http.Request, sendsBody bool) {
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "tailrace-cli")
	if sendsBody {
		r.Header.Set("Content-Type", "application/json")
	}
	switch {
	case c.options.Token != "":
		r.Header.Set("Authorization", "Bearer "+c.options.Token)
	case c.options.Username != "":
		r.SetBasicAuth(c.options.Username, c.options.Password)
	}
}

// address builds the URL by hand: names may have slashes and percent signs, which must stay encoded.
func (c *Client) address(k call) string {
	address := c.base.String() + k.path()
	if len(k.query) > 0 {
		address += "?" + k.query.Encode()
	}
	return address
}

func (k call) path() string {
	var path strings.Builder
	for _, part := range k.parts {
		path.WriteByte('/')
		path.WriteString(url.PathEscape(part))
	}
	if path.Len() == 0 {
		return "/"
	}
	return path.String()
}

// refusal reads an answer that is an error.
func refusal(server string, k call, response *http.Response, text []byte) *Error {
	e := &Error{Server: server, Method: k.method, Path: k.path(), Status: response.StatusCode}
	var told struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(text, &told) == nil {
		e.Message = told.Message
	}
	if e.Message == "" {
		e.Message = "HTTP " + response.Status
	}
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil && seconds > 0 {
		e.RetryAfter = time.Duration(seconds) * time.Second
	}
	return e
}
