package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tailrace/tailrace/host/herder"
	"github.com/tailrace/tailrace/test/openapitest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// knownHerder knows one connector, gadget, with one task, and a sink.
// Every other method of the interface is not called by these tests.
type knownHerder struct {
	herder.Herder
	created []herder.CreateRequest
	put     map[string]herder.Config
	asked   []string
	slow    chan struct{}
	fail    error
}

const known = "gadget"

func (h *knownHerder) lookup(name string) error {
	if name == known {
		return nil
	}
	return &herder.Error{Kind: herder.NotFound, Message: "Connector " + name + " not found"}
}

func (h *knownHerder) About() herder.About {
	return herder.About{Version: "4.1.0", Commit: "13f70256db3c994c", KafkaClusterID: "${CLUSTER_ID}"}
}

func (h *knownHerder) Health(context.Context) herder.Health {
	return herder.Health{Status: herder.Healthy, Message: "Worker has completed startup and is ready to handle requests."}
}

func (h *knownHerder) Connectors() []string { return nil }

func (h *knownHerder) Place(herder.Duty, string, int) (string, error) { return "", nil }

func (h *knownHerder) PutTasks(context.Context, string, []map[string]string, []byte, herder.Signature) error {
	return (&herder.Standalone{}).PutTasks(context.Background(), "", nil, nil, herder.Signature{})
}

func (h *knownHerder) Fence(_ context.Context, _ string, s herder.Signature) error {
	return (&herder.Standalone{}).Fence(context.Background(), "", s)
}

func (h *knownHerder) Connector(name string) (herder.Connector, error) {
	h.asked = append(h.asked, name)
	return connector(name), h.lookup(name)
}

func connector(name string) herder.Connector {
	return herder.Connector{Name: name, Config: map[string]string{}, Tasks: []herder.TaskID{}, Type: herder.UnknownType}
}

func status(name string) herder.Status {
	return herder.Status{Name: name, Connector: herder.InstanceStatus{State: "RUNNING"}, Tasks: []herder.TaskStatus{}, Type: herder.UnknownType}
}

func (h *knownHerder) Tasks(name string) ([]herder.Task, error) { return nil, h.lookup(name) }

func (h *knownHerder) Status(name string) (herder.Status, error) {
	if name != known {
		return herder.Status{}, &herder.Error{Kind: herder.NotFound, Message: "No status found for connector " + name}
	}
	return status(name), nil
}

func (h *knownHerder) TaskStatus(name string, n int) (herder.TaskStatus, error) {
	return herder.TaskStatus{}, &herder.Error{Kind: herder.NotFound, Message: "No status found for task " + name + "-" + strconv.Itoa(n)}
}

func (h *knownHerder) Create(_ context.Context, r herder.CreateRequest) (herder.Connector, error) {
	h.created = append(h.created, r)
	if len(r.Config) == 0 {
		return herder.Connector{}, &herder.Error{Kind: herder.BadRequest, Message: "Connector config {name=" + r.Name + "} contains no connector type"}
	}
	return connector(r.Name), h.fail
}

func (h *knownHerder) Put(_ context.Context, name string, c herder.Config, _ []string) (herder.Connector, bool, error) {
	if h.put == nil {
		h.put = map[string]herder.Config{}
	}
	h.put[name] = c
	return connector(name), name != known, h.fail
}

func (h *knownHerder) Patch(_ context.Context, name string, _ herder.Config, _ []string) (herder.Connector, error) {
	return connector(name), h.lookup(name)
}

func (h *knownHerder) Topics(string) ([]string, error)           { return []string{}, nil }
func (h *knownHerder) ResetTopics(context.Context, string) error { return nil }
func (h *knownHerder) Pause(context.Context, string) error       { return h.fail }
func (h *knownHerder) Stop(ctx context.Context, _ string) error {
	if h.slow == nil {
		return h.fail
	}
	select {
	case <-h.slow:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (h *knownHerder) Restart(_ context.Context, name string, r herder.RestartRequest) (*herder.Status, error) {
	if r.IncludeTasks || r.OnlyFailed {
		s := status(name)
		return &s, nil
	}
	return nil, nil //nolint:nilnil // as the interface says
}

func (h *knownHerder) AlterOffsets(_ context.Context, _ string, changes []herder.OffsetChange) (string, error) {
	if len(changes) == 0 {
		return "", &herder.Error{Kind: herder.BadRequest, Message: "Partitions / offsets need to be provided for an alter offsets request"}
	}
	return "altered", nil
}

// exchange is a request and its answer, recorded from Kafka Connect 4.1 in standalone mode.
type exchange struct {
	Name, Method, Path string
	Headers            map[string]string
	Body               *string
	Status             int
	ResponseHeaders    map[string]string `json:"response_headers"`
	ResponseBody       any               `json:"response_body"`
	Loose              []string
}

// The HTTP layer answers as Kafka Connect's does: statuses, the three headers that clients see, and error bodies.
func TestRecordedExchangesOfTheHTTPLayer(t *testing.T) {
	raw, err := os.ReadFile("testdata/exchanges.json")
	require.NoError(t, err)
	var exchanges []exchange
	require.NoError(t, json.Unmarshal(raw, &exchanges))
	handler := checked(t, &knownHerder{}, Options{})
	for _, e := range exchanges {
		if e.Path == "/openapi.json" {
			continue // a deliberate difference: Kafka Connect answers 404
		}
		t.Run(e.Name, func(t *testing.T) {
			var body io.Reader
			if e.Body != nil {
				body = strings.NewReader(*e.Body)
			}
			r := httptest.NewRequestWithContext(t.Context(), e.Method, e.Path, body)
			for k, v := range e.Headers {
				r.Header.Set(k, v)
			}
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			got := w.Result()
			defer got.Body.Close()
			text, err := io.ReadAll(got.Body)
			require.NoError(t, err)
			malformed := len(e.Loose) > 0 && (e.Loose[0] == "jackson-text" || e.Loose[0] == "npe-text")
			if malformed {
				e.Status = http.StatusBadRequest // a deliberate difference: Kafka Connect answers 500
			}
			require.Equal(t, e.Status, got.StatusCode, string(text))
			for _, name := range []string{"Content-Type", "Allow"} {
				require.Equal(t, e.ResponseHeaders[name], got.Header.Get(name), name)
			}
			if e.Status < http.StatusBadRequest || e.Method == http.MethodHead {
				return
			}
			var answer struct {
				Code    int `json:"error_code"`
				Message string
			}
			require.NoError(t, json.Unmarshal(text, &answer))
			require.Equal(t, e.Status, answer.Code)
			if want, ok := e.ResponseBody.(map[string]any); ok && !malformed {
				require.Equal(t, want["message"], answer.Message)
			}
		})
	}
}

// As a live Kafka Connect 4.1 answers.
func TestContentTypesOfRequests(t *testing.T) {
	handler := checked(t, &knownHerder{}, Options{})
	for _, c := range []struct {
		method, path, given  string
		body, refused, typed bool
	}{
		{"GET", "/connectors", "text/plain", false, true, false},
		{"GET", "/connector-plugins", "text/plain", false, true, false},
		{"GET", "/", "text/plain", false, false, true},
		{"GET", "/health", "text/plain", false, false, true},
		{"GET", "/connectors", "*/*", true, false, true},
		{"PUT", "/connectors/c/pause", "text/plain", false, true, false},
		{"PUT", "/connectors/c/pause", "", true, false, false},
		{"PUT", "/connectors/c/pause", "application/*", true, false, false},
		{"PUT", "/connectors/c/config", "", true, true, true},
		{"PUT", "/connectors/c/config", "application/*", true, true, true},
		{"PUT", "/connectors/c/config", "text/json", true, true, false},
		{"POST", "/connectors/c/restart", "", true, false, false},
		{"POST", "/connectors/c/tasks", "text/plain", true, false, true},
	} {
		body := ""
		if c.body {
			body = "{}"
		}
		r := httptest.NewRequestWithContext(t.Context(), c.method, c.path, strings.NewReader(body))
		if c.given != "" {
			r.Header.Set("Content-Type", c.given)
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		require.Equal(t, c.refused, w.Code == http.StatusUnsupportedMediaType, "%v: %d", c, w.Code)
		if c.refused {
			require.Equal(t, c.typed, w.Header().Get("Content-Type") != "", "%v", c)
		}
	}
}

// checked is Handler, and every answer is compared with the OpenAPI document.
func checked(t *testing.T, h herder.Herder, o Options) http.Handler {
	return openapitest.Handler(t, Handler(h, o))
}

func call(h http.Handler, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(context.Background(), method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// Every connector that can be created can be reached, whatever its name.
func TestNamesAreDecodedWherePathsAreNotSplit(t *testing.T) {
	for path, name := range map[string]string{
		"/connectors/a%2Fb":           "a/b",
		"/connectors/100%25":          "100%",
		"/connectors/a%20b/":          "a b",
		"/connectors/%C3%A9%5C":       "é\\",
		"/connectors/a;v=1":           "a",
		"/connectors/a%3Bb":           "a;b",
		"/connectors/%7Bconnector%7D": "{connector}",
	} {
		h := &knownHerder{}
		call(checked(t, h, Options{}), http.MethodGet, path, "")
		require.Equal(t, []string{name}, h.asked, path)
		w := call(checked(t, h, Options{}), http.MethodPut, "/connectors/"+strings.SplitN(strings.Trim(strings.TrimPrefix(path, "/connectors/"), "/"), ";", 2)[0]+"/config", `{"a":"b"}`)
		require.Equal(t, http.StatusCreated, w.Code)
		require.Contains(t, h.put, name)
		location := w.Header().Get("Location")
		again := &knownHerder{}
		call(checked(t, again, Options{}), http.MethodGet, strings.TrimPrefix(location, "http://example.com"), "")
		require.Equal(t, []string{name}, again.asked, "Location leads back: %s", location)
	}
}

func TestSettingsKeepTheTextOfScalars(t *testing.T) {
	h := &knownHerder{}
	w := call(checked(t, h, Options{}), http.MethodPost, "/connectors",
		`{"name":"n","initial_state":"paused","config":{"a":1.50,"b":true,"c":null,"d":"1","e":123456789012345678901234567890,"f":"x","f":"y"}}`)
	require.Equal(t, http.StatusCreated, w.Code, w.Body)
	got := map[string]string{}
	for k, v := range h.created[0].Config {
		if v != nil {
			got[k] = *v
		}
	}
	require.Equal(t, map[string]string{"a": "1.50", "b": "true", "d": "1", "e": "123456789012345678901234567890", "f": "y"}, got)
	require.Contains(t, h.created[0].Config, "c")
	require.Equal(t, herder.Paused, h.created[0].InitialState)
	require.Equal(t, "http://example.com/connectors/n", w.Header().Get("Location"))
}

func TestAMalformedBodyIsRefusedWithItsPlace(t *testing.T) {
	for body, want := range map[string]string{
		"":                                "line 1, column 1",
		"{\n \"name\": \"x\",\n oops}":    "line 3, column 2",
		`{"name":"x","config":{"a":[1]}}`: "the setting a must be a text, a number, true, false or null at line 1, column 27",
		`{"name":"x","config":[]}`:        "config must be a JSON object at line 1, column 22",
		`{"name":"x","configs":{}}`:       "the member configs is not known",
		`{"name":"x"}`:                    "the member config is missing",
		`{"name":"x","config":{}} y`:      "after top-level value at line 1, column 26",
		`{"name":"x","config":{"a"`:       "ends too early",
		"[1]":                             "the request must be a JSON object at line 1, column 1",
		"{\"name\":\"\xff\"}":             "not UTF-8",
	} {
		h := &knownHerder{}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/connectors", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		checked(t, h, Options{}).ServeHTTP(w, r)
		require.Equal(t, http.StatusBadRequest, w.Code, body)
		require.Contains(t, w.Body.String(), want, body)
		require.Empty(t, h.created)
	}
}

// As recorded from Kafka Connect 4.1.
func TestAnswersHaveTheContentTypeThatWasAskedFor(t *testing.T) {
	for accept, want := range map[string]struct{ get, options string }{
		"":                                         {"application/json", "text/plain"},
		"*":                                        {"application/json", "text/plain"},
		"application/json; charset=UTF-8":          {"application/json;charset=utf-8", "application/json;charset=utf-8"},
		`application/json;charset="utf-8"`:         {"application/json;charset=utf-8", "application/json;charset=utf-8"},
		"application/json;odata=verbose;q=0.3":     {"application/json;odata=verbose", "application/json;odata=verbose;q=0.3"},
		"application/json;q=0, text/html":          {"application/json", "text/html"},
		"application/*;q=0.2":                      {"application/json", "application/*;q=0.2"},
		"*/*, application/json":                    {"application/json", "application/json"},
		"text/plain, application/json":             {"application/json", "text/plain"},
		"text/plain;q=0.5,*/*;q=0.1":               {"application/json", "text/plain"},
		"text/*;q=0.3, text/html;q=0.7, */*;q=0.5": {"application/json", "text/html;q=0.7"},
		"application/*+json":                       {"", "application/*+json"},
		"bogus":                                    {"", "bogus/*"},
	} {
		for method, contentType := range map[string]string{http.MethodGet: want.get, http.MethodOptions: want.options} {
			r := httptest.NewRequestWithContext(t.Context(), method, "/connectors/"+known, nil)
			r.Header.Set("Accept", accept)
			w := httptest.NewRecorder()
			Handler(&knownHerder{}, Options{}).ServeHTTP(w, r)
			require.Equal(t, contentType, w.Header().Get("Content-Type"), "%s with %q", method, accept)
			if contentType == "" {
				require.Equal(t, http.StatusNotAcceptable, w.Code)
			} else {
				require.Equal(t, http.StatusOK, w.Code)
			}
		}
	}
}

// As in Kafka Connect: a patch that is nothing at all is a fault of the request only where there is something to patch.
func TestABlankPatchOfAConnectorThatIsNotThereIsNotFound(t *testing.T) {
	for body, status := range map[string]int{"": 404, "\n": 404, " null ": 404, "null": 404, "[]": 400, "{": 400} {
		for name, want := range map[string]int{"unknown": status, known: 400} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPatch, "/connectors/"+name+"/config", strings.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			checked(t, &knownHerder{}, Options{}).ServeHTTP(w, r)
			require.Equal(t, want, w.Code, "%q to %s: %s", body, name, w.Body)
		}
	}
}

func TestErrorsBecomeStatuses(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		status int
		retry  string
	}{
		"bad request": {&herder.Error{Kind: herder.BadRequest, Message: "m"}, 400, ""},
		"forbidden":   {&herder.Error{Kind: herder.Forbidden, Message: "m"}, 403, ""},
		"not found":   {&herder.Error{Kind: herder.NotFound, Message: "m"}, 404, ""},
		"conflict":    {&herder.Error{Kind: herder.Conflict, Message: "m", RetryAfter: 1500 * time.Millisecond}, 409, "2"},
		"timed out":   {context.DeadlineExceeded, 500, "5"},
		"anything":    {errors.New("m"), 500, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := call(checked(t, &knownHerder{fail: c.err}, Options{}), http.MethodPut, "/connectors/x/pause", "")
			require.Equal(t, c.status, w.Code)
			require.Equal(t, c.retry, w.Header().Get("Retry-After"))
		})
	}
}

func TestRestartAnswersWithAStatusOnlyWhenTasksAreAskedFor(t *testing.T) {
	h := checked(t, &knownHerder{}, Options{})
	require.Equal(t, http.StatusNoContent, call(h, http.MethodPost, "/connectors/gadget/restart?includeTasks=bogus", "").Code)
	require.Equal(t, http.StatusAccepted, call(h, http.MethodPost, "/connectors/gadget/restart?includeTasks=TRUE", "").Code)
	require.Equal(t, http.StatusAccepted, call(h, http.MethodPost, "/connectors/gadget/restart?onlyFailed=true", "").Code)
}

// A client that sends too much or too slowly, or goes away, costs a connection at most.
func TestTheServerIsBounded(t *testing.T) {
	h := &knownHerder{slow: make(chan struct{})}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := Serve(Handler(h, Options{}), ServerOptions{Version: "1.0", Limits: DefaultLimits, Logger: slog.New(slog.DiscardHandler)}, Listener{Listener: l})
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	url := "http://" + l.Addr().String()

	big := bytes.NewReader(append([]byte(`{"a":"`), bytes.Repeat([]byte("x"), 10<<20)...))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url+"/connectors/x/config", big)
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	answer, err := client.Do(r)
	require.NoError(t, err)
	require.Equal(t, http.StatusRequestEntityTooLarge, answer.StatusCode)
	require.NoError(t, answer.Body.Close())
	require.Nil(t, h.put)

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	r, err = http.NewRequestWithContext(ctx, http.MethodPut, url+"/connectors/x/stop", nil)
	require.NoError(t, err)
	_, err = client.Do(r) //nolint:bodyclose // there is no answer
	require.ErrorIs(t, err, context.DeadlineExceeded)

	r, err = http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/", nil)
	require.NoError(t, err)
	answer, err = client.Do(r)
	require.NoError(t, err)
	require.Equal(t, "tailrace/1.0", answer.Header.Get("Server"))
	require.NoError(t, answer.Body.Close())

	stopCtx, stop := context.WithTimeout(t.Context(), 5*time.Second)
	defer stop()
	require.NoError(t, server.Close(stopCtx), "requests of clients that left do not hold the server")
}

func FuzzBody(f *testing.F) {
	for _, seed := range []string{`{"a":"b"}`, `{"a":{}}`, `{"a`, `[]`, `null`, `{"a":1}x`, "\xef\xbb\xbf{}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, read := range []func(*http.Request) error{
			func(r *http.Request) error { _, _, err := readConfig(r); return err },
			func(r *http.Request) error { _, err := readCreate(r); return err },
			func(r *http.Request) error { _, err := readOffsets(r); return err },
		} {
			err := read(httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body)))
			var malformed *bodyError
			if err != nil && !errors.As(err, &malformed) {
				t.Fatalf("%q: %v is no error for the client", body, err)
			}
			if err == nil && !json.Valid([]byte(strings.TrimPrefix(body, "\ufeff"))) {
				t.Fatalf("%q was accepted", body)
			}
		}
	})
}
