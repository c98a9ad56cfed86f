package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/tailrace/tailrace/host/convert/javaerr"
)

// The kinds of schema that a registry holds.
const (
	Avro     = "AVRO"
	JSON     = "JSON"
	Protobuf = "PROTOBUF"
)

// Schema is a schema as the registry has it.
type Schema struct {
	// ID is the id that stands before a record's bytes.
	ID int
	// Version is the version within a subject; 0 where no subject is known.
	Version int
	// Type is Avro, JSON or Protobuf.
	Type string
	// Text is the schema itself.
	Text string
	// References are the schemas that it names.
	References []Reference
}

// Reference is a schema that another one names.
type Reference struct {
	Name    string
	Subject string
	Version int
}

// Client asks a registry. It is for one goroutine: it keeps caches.
type Client struct {
	*Config
	servers []*sr.Client
	http    *http.Client
	next    int // the server to ask first: the one that answered last

	ctx context.Context //nolint:containedctx // of the task, see Bind

	byID     map[int]Schema
	ids      map[subjectText]int
	versions map[subjectText]int
	latest   map[string]latestEntry
	refs     map[Reference]Schema
}

type subjectText struct{ subject, text string }

type latestEntry struct {
	schema Schema
	at     time.Time
}

// maxAnswerBytes bounds what a registry may answer (I-3); schemas in use are far smaller.
const maxAnswerBytes = 16 << 20

// Open makes a client; nothing is asked yet.
func Open(c *Config) (*Client, error) {
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: c.timeout}).DialContext,
		TLSClientConfig:     c.tls,
		TLSHandshakeTimeout: c.timeout,
		// Registries are asked rarely; a connection kept open would outlive its task.
		DisableKeepAlives: true,
	}
	if c.proxy != nil {
		transport.Proxy = http.ProxyURL(c.proxy)
	}
	cl := &Client{Config: c, ctx: context.Background(), http: &http.Client{Transport: &limited{transport}, Timeout: c.timeout}}
	for _, u := range c.urls {
		options := []sr.ClientOpt{
			sr.URLs(u), sr.HTTPClient(cl.http), sr.UserAgent("tailrace"),
			sr.PreReq(func(r *http.Request) error {
				for name, values := range c.headers {
					r.Header[name] = values
				}
				return nil
			}),
		}
		if c.basic {
			options = append(options, sr.BasicAuth(c.user, c.password))
		}
		if c.bearer != "" {
			options = append(options, sr.BearerToken(c.bearer))
		}
		if c.Normalize {
			options = append(options, sr.DefaultParams(sr.Normalize))
		}
		server, err := sr.NewClient(options...)
		if err != nil {
			return nil, javaerr.Config("schema registry: %s", err)
		}
		cl.servers = append(cl.servers, server)
	}
	cl.byID, cl.ids, cl.versions = map[int]Schema{}, map[subjectText]int{}, map[subjectText]int{}
	cl.latest, cl.refs = map[string]latestEntry{}, map[Reference]Schema{}
	return cl, nil
}

// Bind ends all calls, and their retries, when ctx ends: a task that stops does not
// wait for a registry that is away. Call it before the first use.
func (c *Client) Bind(ctx context.Context) { c.ctx = ctx }

// limited cuts answers that are too long.
type limited struct{ next http.RoundTripper }

func (l *limited) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.next.RoundTrip(r)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxAnswerBytes), resp.Body}
	}
	return resp, err
}

// ByID is the schema of an id.
func (c *Client) ByID(id int) (Schema, error) {
	if s, ok := c.byID[id]; ok {
		return s, nil
	}
	var s Schema
	err := c.call("find the schema of id "+strconv.Itoa(id), func(ctx context.Context, server *sr.Client) error {
		got, err := server.SchemaByID(ctx, id)
		s = fromSR(got)
		s.ID = id
		return err
	})
	if err != nil {
		return Schema{}, err
	}
	put(c.byID, id, s, c.cacheSize)
	return s, nil
}

// Version is the version of a schema within a subject, 0 if it is not there.
func (c *Client) Version(subject string, s Schema) (int, error) {
	key := subjectText{subject, s.Text}
	if v, ok := c.versions[key]; ok {
		return v, nil
	}
	found, err := c.lookup(subject, s)
	var e *Error
	if errors.As(err, &e) && e.Status == http.StatusNotFound {
		found, err = Schema{}, nil
	}
	if err != nil {
		return 0, err
	}
	put(c.versions, key, found.Version, c.cacheSize)
	return found.Version, nil
}

// Lookup is the id of a schema that is registered under the subject.
func (c *Client) Lookup(subject string, s Schema) (id int, err error) {
	key := subjectText{subject, s.Text}
	if id, ok := c.ids[key]; ok {
		return id, nil
	}
	found, err := c.lookup(subject, s)
	if err != nil {
		return 0, err
	}
	put(c.ids, key, found.ID, c.cacheSize)
	return found.ID, nil
}

func (c *Client) lookup(subject string, s Schema) (found Schema, err error) {
	err = c.call("look up a schema of subject "+subject, func(ctx context.Context, server *sr.Client) error {
		got, err := server.LookupSchema(ctx, subject, toSR(s))
		found = fromSubject(got)
		return err
	})
	return found, err
}

// Register registers a schema under the subject, if it is not there yet, and gives its id.
func (c *Client) Register(subject string, s Schema) (id int, err error) {
	key := subjectText{subject, s.Text}
	if id, ok := c.ids[key]; ok {
		return id, nil
	}
	err = c.call("register a schema of subject "+subject, func(ctx context.Context, server *sr.Client) (err error) {
		id, err = server.RegisterSchema(ctx, subject, toSR(s), -1, -1)
		return err
	})
	if err != nil {
		return 0, err
	}
	put(c.ids, key, id, c.cacheSize)
	return id, nil
}

// Latest is the newest schema of a subject, as new as latest.cache.ttl.sec says.
func (c *Client) Latest(subject string) (Schema, error) {
	if e, ok := c.latest[subject]; ok && (c.latestTTL == 0 || time.Since(e.at) < c.latestTTL) {
		return e.schema, nil
	}
	s, err := c.fetchLatest(subject)
	if err == nil {
		put(c.latest, subject, latestEntry{s, time.Now()}, c.cacheSize)
	}
	return s, err
}

// fetchLatest does not use the cache: it also serves the explanation of a refusal.
func (c *Client) fetchLatest(subject string) (s Schema, err error) {
	err = c.call("find the latest schema of subject "+subject, func(ctx context.Context, server *sr.Client) error {
		got, err := server.SchemaByVersion(ctx, subject, -1)
		s = fromSubject(got)
		return err
	})
	return s, err
}

// Current is the newest schema of a subject as of now.
func (c *Client) Current(subject string) (Schema, error) { return c.fetchLatest(subject) }

// maxReferences bounds how many schemas one schema may pull in.
const maxReferences = 1000

// Resolve gives the schemas that s names, and theirs, dependencies first, under
// the names by which they are named.
func (c *Client) Resolve(s Schema) (names []string, schemas map[string]Schema, err error) {
	schemas = map[string]Schema{}
	var visit func(refs []Reference, depth int) error
	visit = func(refs []Reference, depth int) error {
		for _, r := range refs {
			if _, ok := schemas[r.Name]; ok {
				continue
			}
			if depth > 64 || len(schemas) >= maxReferences {
				return javaerr.Data("the schema of id %d has too many references", s.ID)
			}
			dep, err := c.reference(r)
			if err != nil {
				return err
			}
			schemas[r.Name] = dep
			if err := visit(dep.References, depth+1); err != nil {
				return err
			}
			names = append(names, r.Name)
		}
		return nil
	}
	return names, schemas, visit(s.References, 0)
}

func (c *Client) reference(r Reference) (s Schema, err error) {
	if s, ok := c.refs[r]; ok {
		return s, nil
	}
	err = c.call(fmt.Sprintf("find version %d of subject %s, which a schema refers to as %s", r.Version, r.Subject, r.Name),
		func(ctx context.Context, server *sr.Client) error {
			got, err := server.SchemaByVersion(ctx, r.Subject, r.Version)
			s = fromSubject(got)
			return err
		})
	if err == nil {
		put(c.refs, r, s, c.cacheSize)
	}
	return s, err
}

// put keeps a cache within its bound; what is in use comes back at once.
func put[K comparable, V any](m map[K]V, key K, v V, size int) {
	if len(m) >= size {
		clear(m)
	}
	m[key] = v
}

// call makes one request with retries, back-off and change of server.
func (c *Client) call(what string, do func(context.Context, *sr.Client) error) error {
	ctx, cancel := context.WithTimeout(c.ctx, c.totalDeadline)
	defer cancel()
	var last *Error
	for attempt := 0; ; attempt++ {
		for i := range c.servers {
			n := (c.next + i) % len(c.servers)
			err := do(ctx, c.servers[n])
			if err == nil {
				c.next = n
				return nil
			}
			last = classify(what, c.urls[n], err)
			if last.stopped = c.ctx.Err() != nil; last.stopped {
				last.Reason = javaerr.ErrStopped.Error()
			}
			if !last.Retriable() || ctx.Err() != nil {
				return last
			}
		}
		if attempt >= c.maxRetries {
			return last
		}
		wait := min(c.retryWait<<min(attempt, 16), c.maxRetryWait)
		wait = wait/2 + rand.N(wait/2+1) //nolint:gosec // jitter
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			last.stopped = c.ctx.Err() != nil
			return last
		}
	}
}

// Error is a failed request.
type Error struct {
	// What was asked, Where (the URL without credentials).
	What, Where string
	// Status is the HTTP status, 0 if there was no answer; Code is the registry's own.
	Status, Code int
	// Timeout tells that no answer came in time.
	Timeout bool
	// Reason is the registry's message or the failure of the connection.
	Reason string

	stopped bool // the context of Bind ended
}

// Is tells that the call was given up because the task stops.
func (e *Error) Is(target error) bool { return e.stopped && target == javaerr.ErrStopped }

func (e *Error) Error() string {
	text := "schema registry " + e.Where + " could not " + e.What + ": " + e.Reason
	if e.Code != 0 {
		text += "; error code: " + strconv.Itoa(e.Code)
	}
	return text
}

// Retriable tells that the request may succeed later.
func (e *Error) Retriable() bool {
	return e.Status == 0 || e.Status == http.StatusRequestTimeout || e.Status == http.StatusTooManyRequests || e.Status >= 500
}

// Incompatible tells that the registry refused a schema because of those before it.
func (e *Error) Incompatible() bool { return e.Status == http.StatusConflict }

// Class is the Java class that Kafka Connect's converters throw for it (reference section 6.5).
func (e *Error) Class() string {
	switch {
	case e.Timeout:
		return javaerr.RetriableException
	case e.Status == 0:
		return javaerr.NetworkException
	case e.Retriable():
		return javaerr.RetriableException
	}
	return javaerr.DataException
}

func classify(what, where string, err error) *Error {
	e := &Error{What: what, Where: where}
	var answer *sr.ResponseError
	if errors.As(err, &answer) {
		e.Status, e.Code, e.Reason = answer.StatusCode, answer.ErrorCode, clip(answer.Error())
		return e
	}
	var timeout net.Error
	e.Timeout = errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
	e.Reason = err.Error()
	var u *url.Error
	if errors.As(err, &u) {
		e.Reason = u.Err.Error() // the URL is said already
	}
	return e
}

func clip(text string) string {
	text = strings.TrimSpace(text)
	if len(text) > 1000 {
		return text[:1000] + "…"
	}
	return text
}

var types = map[sr.SchemaType]string{sr.TypeAvro: Avro, sr.TypeJSON: JSON, sr.TypeProtobuf: Protobuf}

func fromSR(s sr.Schema) Schema {
	out := Schema{Type: types[s.Type], Text: s.Schema}
	for _, r := range s.References {
		out.References = append(out.References, Reference{Name: r.Name, Subject: r.Subject, Version: r.Version})
	}
	return out
}

func fromSubject(s sr.SubjectSchema) Schema {
	out := fromSR(s.Schema)
	out.ID, out.Version = s.ID, s.Version
	return out
}

func toSR(s Schema) sr.Schema {
	out := sr.Schema{Schema: s.Text}
	for t, name := range types {
		if name == s.Type {
			out.Type = t
		}
	}
	for _, r := range s.References {
		out.References = append(out.References, sr.SchemaReference{Name: r.Name, Subject: r.Subject, Version: r.Version})
	}
	return out
}
