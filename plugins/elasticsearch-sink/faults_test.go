package main

import (
	"bufio"
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	connect "github.com/tailrace/tailrace/sdk/go"
	"github.com/tailrace/tailrace/sdk/go/connecttest"
	"github.com/tailrace/tailrace/test/env"
)

// front stands before a real server and spoils some of its requests.
type front struct {
	*httptest.Server
	// bulk looks at the n-th bulk request (from 1), whose body has some lines; true says that it has answered.
	bulk func(w http.ResponseWriter, n, lines, bytes int) bool
	// lost tells of which bulk requests the answer is lost, after the server did the work.
	lost func(n int) bool
	// all looks at every request.
	all func(w http.ResponseWriter, r *http.Request) bool

	mu              sync.Mutex
	bulks           int
	calls           map[string]bool
	running, widest int // bulk requests at the same time
	longest         int // lines of a bulk request
}

func newFront(t *testing.T, tls bool) *front {
	t.Helper()
	node, err := url.Parse(env.OpenSearch(t).URL)
	require.NoError(t, err)
	f := &front{calls: map[string]bool{}}
	proxy := httputil.NewSingleHostReverseProxy(node)
	proxy.Transport = &http.Transport{DisableKeepAlives: true}
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if f.all != nil && f.all(w, r) {
			return
		}
		f.mu.Lock()
		f.calls[r.Method+" "+r.URL.Path+"?"+r.URL.RawQuery] = true
		f.mu.Unlock()
		if r.URL.Path == "/_bulk" {
			lines := bytes.Count(body, []byte("\n"))
			f.mu.Lock()
			f.bulks++
			n := f.bulks
			f.running++
			f.widest, f.longest = max(f.widest, f.running), max(f.longest, lines)
			f.mu.Unlock()
			defer func() {
				f.mu.Lock()
				f.running--
				f.mu.Unlock()
			}()
			if f.bulk != nil && f.bulk(w, n, lines, len(body)) {
				return
			}
			if f.lost != nil && f.lost(n) {
				proxy.ServeHTTP(httptest.NewRecorder(), r)
				cut(w)
				return
			}
		}
		proxy.ServeHTTP(w, r)
	})
	if tls {
		f.Server = httptest.NewTLSServer(handler)
	} else {
		f.Server = httptest.NewServer(handler)
	}
	t.Cleanup(f.Close)
	return f
}

// cut ends the connection of a request without an answer.
func cut(w http.ResponseWriter) bool {
	hijacker, ok := w.(http.Hijacker)
	if !ok {
		return false
	}
	c, _, err := hijacker.Hijack()
	return err == nil && c.Close() == nil
}

func numbered(topic string, from, to int) []connecttest.Record {
	var records []connecttest.Record
	for i := from; i < to; i++ {
		records = append(records, text(topic, fmt.Sprint(i), fmt.Sprintf(`{"n":%d}`, i)))
	}
	return records
}

func hasAll(t *testing.T, topic string, n int) {
	t.Helper()
	got := documents(t, env.OpenSearch(t).URL, topic)
	require.Len(t, got, n)
	for id, source := range got {
		require.Equal(t, id, fmt.Sprint(source["n"]))
	}
}

func answer(w http.ResponseWriter, status int, body string) bool {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
	return true
}

// What passes by itself is tried again until every document is there.
func TestFaultsThatPass(t *testing.T) {
	busy := `{"error":{"type":"es_rejected_execution_exception","reason":"busy"},"status":429}`
	for name, fault := range map[string]func(w http.ResponseWriter, n, lines, bytes int) bool{
		"429 of a request": func(w http.ResponseWriter, n, _, _ int) bool { return n <= 3 && answer(w, 429, busy) },
		"503 of a request": func(w http.ResponseWriter, n, _, _ int) bool { return n <= 3 && answer(w, 503, "no shard") },
		"429 of items": func(w http.ResponseWriter, n, lines, _ int) bool {
			item := `{"index":{"status":429,"error":{"type":"es_rejected_execution_exception","reason":"busy"}}}`
			return n <= 3 && answer(w, 200, `{"errors":true,"items":[`+strings.TrimSuffix(strings.Repeat(item+",", lines/2), ",")+`]}`)
		},
		"connection cut": func(w http.ResponseWriter, n, _, _ int) bool {
			return n <= 3 && cut(w)
		},
		"no answer in time": func(_ http.ResponseWriter, n, _, _ int) bool {
			if n <= 2 {
				<-time.After(1200 * time.Millisecond) // the client gives up before
			}
			return n <= 2
		},
		"413 of a request": func(w http.ResponseWriter, _, lines, _ int) bool { return lines > 40 && answer(w, 413, "too large") },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFront(t, false)
			f.bulk = fault
			topic := topicOf(t)
			topic = strings.ReplaceAll(topic, " ", "-")
			more := connect.Config{"schema.ignore": "true", "batch.size": "100", "max.retries": "100", "retry.backoff.ms": "20"}
			if name == "no answer in time" {
				more["read.timeout.ms"] = "1000"
			}
			s := sink(t, f.URL, topic, more)
			s.Put(numbered(topic, 0, 500)...)
			flushed(t, s, topic, 500)
			hasAll(t, topic, 500)
		})
	}
}

// An answer is lost after the server did the work: the documents are sent again and change nothing, in the same task and in a
// later one.
func TestAnAnswerThatIsLost(t *testing.T) {
	f := newFront(t, false)
	f.lost = func(n int) bool { return n <= 2 }
	topic := topicOf(t)
	s := sink(t, f.URL, topic, connect.Config{"schema.ignore": "true", "retry.backoff.ms": "20"})
	s.Put(numbered(topic, 0, 100)...)
	flushed(t, s, topic, 100)
	again := sink(t, f.URL, topic, connect.Config{"schema.ignore": "true"})
	again.Put(numbered(topic, 0, 100)...)
	flushed(t, again, topic, 100)
	hasAll(t, topic, 100)
}

func TestADocumentThatIsTooLargeIsErrantAlone(t *testing.T) {
	f := newFront(t, false)
	f.bulk = func(w http.ResponseWriter, _, _, bytes int) bool {
		return bytes > 20_000 && answer(w, 413, "too large")
	}
	topic := topicOf(t)
	s := sink(t, f.URL, topic, connect.Config{"schema.ignore": "true", "behavior.on.malformed.documents": "ignore"})
	large := text(topic, "large", `{"n":1,"text":"`+strings.Repeat("x", 30_000)+`"}`)
	s.Put(append(append(numbered(topic, 0, 50), large), numbered(topic, 50, 100)...)...)
	flushed(t, s, topic, 101)
	errant := s.Errant(1)
	require.Len(t, errant, 1)
	require.Contains(t, errant[0].Message, "413")
	hasAll(t, topic, 100)
}

// putFails waits for the end of a task in Put.
func putFails(t *testing.T, s *connecttest.Sink, texts ...string) {
	t.Helper()
	for _, want := range texts {
		require.Contains(t, s.Failure().Message, want)
	}
	require.Empty(t, s.Committed())
}

// flushFails wants a flush to fail, and nothing to be committed.
func flushFails(t *testing.T, s *connecttest.Sink, text string) {
	t.Helper()
	_, err := s.Flush()
	require.ErrorContains(t, err, text)
	require.Empty(t, s.Committed())
	s.Kill()
}

// What no retry mends ends the task at once, and the message says what to do.
func TestFaultsThatEndTheTask(t *testing.T) {
	t.Run("password refused", func(t *testing.T) {
		f := newFront(t, false)
		f.all = func(w http.ResponseWriter, r *http.Request) bool {
			user, password, _ := r.BasicAuth()
			return (user != "elastic" || password != "right") && answer(w, 401, `{"error":{"type":"security_exception","reason":"unable to authenticate"}}`)
		}
		topic := strings.ReplaceAll(topicOf(t), " ", "-")
		login := connect.Config{"schema.ignore": "true", "connection.username": "elastic", "connection.password": "wrong"}
		s := sink(t, f.URL, topic, login, connecttest.WantFailure())
		s.Produce(numbered(topic, 0, 1)...)
		putFails(t, s, "401", "connection.password")

		login["connection.password"] = "right"
		s = sink(t, f.URL, topic, login)
		s.Put(numbered(topic, 0, 10)...)
		flushed(t, s, topic, 10)
		hasAll(t, topic, 10)
	})
	t.Run("API key refused", func(t *testing.T) {
		f := newFront(t, false)
		f.all = func(w http.ResponseWriter, r *http.Request) bool {
			return !strings.EqualFold(r.Header.Get("Authorization"), "ApiKey right") && answer(w, 401, `{}`)
		}
		topic := strings.ReplaceAll(topicOf(t), " ", "-")
		s := sink(t, f.URL, topic, connect.Config{"schema.ignore": "true", "connection.api.key": "wrong"}, connecttest.WantFailure())
		s.Produce(numbered(topic, 0, 1)...)
		putFails(t, s, "401", "connection.api.key")
		s = sink(t, f.URL, topic, connect.Config{"schema.ignore": "true", "connection.api.key": "right"})
		s.Put(numbered(topic, 0, 10)...)
		flushed(t, s, topic, 10)
		hasAll(t, topic, 10)
	})
	t.Run("certificate not trusted", func(t *testing.T) {
		f := newFront(t, true)
		topic := strings.ReplaceAll(topicOf(t), " ", "-")
		s := sink(t, f.URL, topic, connect.Config{"schema.ignore": "true", "elastic.security.protocol": "SSL"}, connecttest.WantFailure())
		s.Produce(numbered(topic, 0, 1)...)
		putFails(t, s, "certificate")

		ca := filepath.Join(t.TempDir(), "ca.pem")
		require.NoError(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.Certificate().Raw}), 0o600))
		s = sink(t, f.URL, topic, connect.Config{"schema.ignore": "true", "elastic.security.protocol": "SSL", "elastic.https.ssl.truststore.location": ca, "connection.compression": "true"})
		s.Put(numbered(topic, 0, 10)...)
		flushed(t, s, topic, 10)
		hasAll(t, topic, 10)
	})
	t.Run("index read-only", func(t *testing.T) {
		node := env.OpenSearch(t).URL
		topic := strings.ReplaceAll(topicOf(t), " ", "-")
		call(t, "PUT", node+"/"+topic, `{"settings":{"index.blocks.write":true}}`)
		s := sink(t, node, topic, connect.Config{"schema.ignore": "true"}, connecttest.WantFailure())
		s.Produce(numbered(topic, 0, 1)...)
		flushFails(t, s, "cluster_block_exception")

		call(t, "PUT", node+"/"+topic+"/_settings", `{"index.blocks.write":null}`)
		s = sink(t, node, topic, connect.Config{"schema.ignore": "true"})
		s.Put(numbered(topic, 0, 10)...)
		flushed(t, s, topic, 10)
		hasAll(t, topic, 10)
	})
	t.Run("no answer within flush.timeout.ms", func(t *testing.T) {
		f := newFront(t, false)
		release := make(chan struct{})
		t.Cleanup(func() { close(release) })
		f.bulk = func(http.ResponseWriter, int, int, int) bool { <-release; return true }
		topic := strings.ReplaceAll(strings.ReplaceAll(topicOf(t), " ", "-"), ".", "-")
		s := sink(t, f.URL, topic, connect.Config{"schema.ignore": "true", "flush.timeout.ms": "300"}, connecttest.WantFailure())
		s.Put(numbered(topic, 0, 1)...)
		flushFails(t, s, "not within flush.timeout.ms")
	})
}

func TestAnIndexThatIsDeletedMeanwhileIsMadeAgain(t *testing.T) {
	node := env.OpenSearch(t).URL
	topic := topicOf(t)
	s := sink(t, node, topic, connect.Config{"schema.ignore": "true"})
	s.Put(numbered(topic, 0, 10)...)
	flushed(t, s, topic, 10)
	call(t, "DELETE", node+"/"+topic, "")
	s.Put(numbered(topic, 10, 20)...)
	flushed(t, s, topic, 20)
	require.Len(t, documents(t, node, topic), 10, "what came after the deletion")
}

func TestRequestsKeepWithinTheirLimits(t *testing.T) {
	f := newFront(t, false)
	f.bulk = func(http.ResponseWriter, int, int, int) bool { <-time.After(20 * time.Millisecond); return false }
	topic := topicOf(t)
	s := sink(t, f.URL, topic, connect.Config{"schema.ignore": "true", "batch.size": "50", "max.in.flight.requests": "3", "linger.ms": "100"})
	s.Put(numbered(topic, 0, 2000)...)
	flushed(t, s, topic, 2000)
	hasAll(t, topic, 2000)
	f.mu.Lock()
	defer f.mu.Unlock()
	require.LessOrEqual(t, f.longest, 100, "batch.size: a document has two lines")
	require.LessOrEqual(t, f.widest, 3, "max.in.flight.requests")
	require.Greater(t, f.widest, 1, "more than one at a time")
	require.Less(t, f.bulks, 80, "linger.ms fills requests")
}

// The requests are those that Elasticsearch 7, 8 and 9 and OpenSearch have in common: no mapping types, no media types of one
// version, no question to a plugin.
func TestTheRequestsAreThoseOfEveryVersion(t *testing.T) {
	f := newFront(t, false)
	f.all = func(w http.ResponseWriter, r *http.Request) bool {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return true
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		old := strings.Contains(r.Header.Get("Accept")+r.Header.Get("Content-Type"), "compatible-with") || strings.Contains(r.URL.Path, "/_doc")
		for lines := bufio.NewScanner(bytes.NewReader(body)); lines.Scan(); {
			old = old || strings.Contains(lines.Text(), `"_type"`)
		}
		return old && answer(w, 400, `{"error":"not of every version"}`)
	}
	topic := topicOf(t)
	s := sink(t, f.URL, topic, connect.Config{"behavior.on.null.values": "delete"})
	s.Put(personRecord(topic, "a", 1), personRecord(topic, "b", 1), tombstone(topic, "b"))
	flushed(t, s, topic, 3)
	require.Len(t, documents(t, env.OpenSearch(t).URL, topic), 1)
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.calls {
		method, rest, _ := strings.Cut(c, " ")
		path, query, _ := strings.Cut(rest, "?")
		known := method == "POST" && path == "/_bulk" && strings.HasPrefix(query, "filter_path=") ||
			method == "GET" && path == "/"+topic+"/_mapping" || method == "PUT" && (path == "/"+topic || path == "/"+topic+"/_mapping")
		require.True(t, known, c)
	}
}

func TestWhatANullValueDoes(t *testing.T) {
	node := env.OpenSearch(t).URL
	for behavior, left := range map[string]int{"ignore": 2, "DELETE": 1} {
		t.Run(behavior, func(t *testing.T) {
			topic := strings.ToLower(topicOf(t))
			s := sink(t, node, topic, connect.Config{"schema.ignore": "true", "behavior.on.null.values": behavior})
			s.Put(append(numbered(topic, 0, 2), tombstone(topic, "1"))...)
			flushed(t, s, topic, 3)
			hasAll(t, topic, left)
		})
	}
	t.Run("fail", func(t *testing.T) {
		topic := topicOf(t)
		s := sink(t, node, topic, connect.Config{"schema.ignore": "true"})
		s.Put(append(numbered(topic, 0, 2), tombstone(topic, "1"))...)
		flushed(t, s, topic, 3)
		errant := s.Errant(1)
		require.Contains(t, errant[0].Message, "its value is null and behavior.on.null.values is FAIL")
		hasAll(t, topic, 2)
	})
}

func TestTopicsWithTheirOwnKeysAndSchemas(t *testing.T) {
	node := env.OpenSearch(t).URL
	topic := topicOf(t)
	s := sink(t, node, topic, connect.Config{"topic.key.ignore": "other," + topic, "topic.schema.ignore": topic})
	s.Put(text(topic, "a", `{"n":1}`))
	flushed(t, s, topic, 1)
	require.Contains(t, documents(t, node, topic), topic+"+0+0")
}
