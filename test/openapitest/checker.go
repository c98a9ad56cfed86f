// Package openapitest checks answers of the REST API against its OpenAPI document.
//
// Tests use it as a handler ([Handler]), as a client's transport ([Transport]), or directly ([Check]).
// An answer fails when its path, method or status is not in the document, when its body does not fit the
// schema, or when it has members that the schema does not name.
package openapitest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/tailrace/tailrace/host/rest/openapi"
)

// Exchange is a request with its answer.
type Exchange struct {
	Method, Path string // as sent, percent-encoded, with the query
	Status       int
	Header       http.Header
	Body         []byte
}

// Check fails the test when the answer is not as the document says.
func Check(t testing.TB, e Exchange) {
	t.Helper()
	if err := Verify(e); err != nil {
		t.Errorf("%s %s: %d is not as openapi.yaml says: %v\n%s", e.Method, e.Path, e.Status, err, cut(e.Body))
	}
}

// Handler checks every answer of next. Answers that are streamed are passed on when they are complete.
func Handler(t testing.TB, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		recorded := httptest.NewRecorder()
		next.ServeHTTP(recorded, r)
		answer := recorded.Result()
		defer answer.Body.Close()
		Check(t, Exchange{Method: r.Method, Path: r.URL.RequestURI(), Status: recorded.Code, Header: answer.Header, Body: recorded.Body.Bytes()})
		for name, values := range answer.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(recorded.Code)
		_, _ = w.Write(recorded.Body.Bytes())
	})
}

// Transport checks every answer that a client gets, but those that are followed.
type Transport struct {
	T    testing.TB
	Next http.RoundTripper // nil is http.DefaultTransport
}

// RoundTrip implements http.RoundTripper.
func (c Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	c.T.Helper()
	next := c.Next
	if next == nil {
		next = http.DefaultTransport
	}
	answer, err := next.RoundTrip(r)
	if err != nil || r.URL.Query().Get("follow") == "true" {
		return answer, err
	}
	body, err := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	if err != nil {
		return nil, err
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	Check(c.T, Exchange{Method: r.Method, Path: r.URL.RequestURI(), Status: answer.StatusCode, Header: answer.Header, Body: body})
	return answer, nil
}

// Verify says how an answer differs from the document; nil when it does not.
func Verify(e Exchange) error {
	doc := document()
	template, item := doc.find(e.Path)
	method := strings.ToLower(e.Method)
	switch {
	case method == "options":
		return nil // the list of methods
	case item == nil:
		return onlyStatus(e, "the path is not in the document", http.StatusNotFound, http.StatusBadRequest)
	case method == "head":
		method = "get"
	}
	operation, _ := item[method].(map[string]any)
	if operation == nil {
		return onlyStatus(e, "the path has no such method", http.StatusMethodNotAllowed)
	}
	status := strconv.Itoa(e.Status)
	at := "/paths/" + escape(template) + "/" + method + "/responses/" + status
	response, known := at, doc.at(at) != nil
	if !known {
		if e.Status < http.StatusBadRequest {
			return errors.New("the status is not in the document")
		}
		response = "/paths/" + escape(template) + "/" + method + "/responses/default"
	}
	return doc.verify(e, doc.follow(response))
}

// onlyStatus is what there is to say about requests that no operation takes.
func onlyStatus(e Exchange, why string, statuses ...int) error {
	if !slices.Contains(statuses, e.Status) {
		return errors.New(why)
	}
	return nil
}

// verify compares headers and body with a response object at a JSON pointer.
func (d *spec) verify(e Exchange, response string) error {
	described, _ := d.at(response).(map[string]any)
	if described == nil {
		return errors.New("the response is not described")
	}
	headers, _ := described["headers"].(map[string]any)
	for name, h := range headers {
		if h, ok := h.(map[string]any); ok && h["required"] == true && e.Header.Get(name) == "" {
			return fmt.Errorf("the header %s is missing", name)
		}
	}
	content, _ := described["content"].(map[string]any)
	if len(e.Body) == 0 {
		if len(content) > 0 && e.Method != http.MethodHead && e.Status < http.StatusBadRequest {
			return errors.New("the body is missing")
		}
		return nil
	}
	if len(content) == 0 {
		return errors.New("there is a body")
	}
	media, _, err := mime.ParseMediaType(e.Header.Get("Content-Type"))
	if err != nil && e.Status >= http.StatusBadRequest { // the HTTP layer's own errors have none
		media = "application/json"
	}
	if content[media] == nil {
		return fmt.Errorf("Content-Type %q is not in the document", e.Header.Get("Content-Type"))
	}
	if media != "application/json" {
		return nil
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(e.Body))
	if err != nil {
		return err
	}
	schema, err := d.schema(response + "/content/" + escape(media) + "/schema")
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

// spec is the document, ready for questions.
type spec struct {
	root  map[string]any
	paths []pattern

	mu       sync.Mutex
	compiler *jsonschema.Compiler
	compiled map[string]*jsonschema.Schema
}

type pattern struct {
	template string
	segments []string
}

const address = "openapi.json"

var document = sync.OnceValue(func() *spec {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(openapi.JSON()))
	if err != nil {
		panic(err)
	}
	root, _ := value.(map[string]any)
	d := &spec{root: root, compiler: jsonschema.NewCompiler(), compiled: map[string]*jsonschema.Schema{}}
	d.compiler.DefaultDraft(jsonschema.Draft2020)
	if err := d.compiler.AddResource(address, value); err != nil {
		panic(err)
	}
	paths, _ := root["paths"].(map[string]any)
	for template := range paths {
		d.paths = append(d.paths, pattern{template, strings.Split(template, "/")})
	}
	// A fixed segment comes before a parameter.
	slices.SortFunc(d.paths, func(a, b pattern) int {
		return strings.Count(a.template, "{") - strings.Count(b.template, "{")
	})
	return d
})

// find gives the path item for a path, nil when there is none.
func (d *spec) find(path string) (string, map[string]any) {
	path, _, _ = strings.Cut(path, "?")
	if len(path) > 1 {
		path = strings.TrimSuffix(path, "/")
	}
	segments := strings.Split(path, "/")
	for i, s := range segments {
		segments[i], _, _ = strings.Cut(s, ";")
	}
	for _, p := range d.paths {
		fits := func(i int, want string) bool {
			if strings.HasPrefix(want, "{") {
				return segments[i] != ""
			}
			return segments[i] == want
		}
		if len(p.segments) != len(segments) {
			continue
		}
		ok := true
		for i, want := range p.segments {
			ok = ok && fits(i, want)
		}
		if ok {
			item, _ := d.at("/paths/" + escape(p.template)).(map[string]any)
			return p.template, item
		}
	}
	return "", nil
}

// at is what a JSON pointer names, nil when there is nothing.
func (d *spec) at(pointer string) any {
	var value any = d.root
	for _, part := range strings.Split(pointer, "/")[1:] {
		object, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = object[strings.NewReplacer("~1", "/", "~0", "~").Replace(part)]
	}
	return value
}

// follow goes from a reference to what it names.
func (d *spec) follow(pointer string) string {
	if object, ok := d.at(pointer).(map[string]any); ok {
		if ref, ok := object["$ref"].(string); ok {
			return d.follow(strings.TrimPrefix(ref, "#"))
		}
	}
	return pointer
}

func (d *spec) schema(pointer string) (*jsonschema.Schema, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s := d.compiled[pointer]; s != nil {
		return s, nil
	}
	s, err := d.compiler.Compile(address + "#" + strings.NewReplacer("{", "%7B", "}", "%7D").Replace(pointer))
	if err == nil {
		d.compiled[pointer] = s
	}
	return s, err
}

func escape(key string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(key) }

func cut(body []byte) string {
	const most = 2_000
	if !json.Valid(body) || len(body) > most {
		return string(body[:min(len(body), most)])
	}
	return string(body)
}
