package edge

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tailrace/tailrace/test/harness"
)

const (
	// connections at once, of which busy ones send request after request and the others are slow.
	connections = 500
	busy        = 40
	shortFuzz   = 12 * time.Second
	// memoryMiB bounds the worker's resident memory at its peak.
	memoryMiB = 512
	bigBytes  = 10 << 20
)

// fuzzer sends random requests and notes what may not be.
type fuzzer struct {
	address string
	until   time.Time

	mu       sync.Mutex
	statuses map[int]int
	sent     int
	slow     int
	cut      int // connections that the worker closed without an answer, as it may
	wrong    []string
}

// Random methods, paths, bodies, encodings, bodies of 10 MiB, slow bodies and 500 connections leave the worker healthy and its
// memory bounded, and get no 5xx but a documented timeout.
func TestTheAPISurvivesFuzzing(t *testing.T) {
	length := shortFuzz
	if text := os.Getenv("TAILRACE_FUZZ_FOR"); text != "" {
		var err error
		length, err = time.ParseDuration(text)
		require.NoError(t, err, "TAILRACE_FUZZ_FOR")
	}
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("TAILRACE_FUZZ_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err, "TAILRACE_FUZZ_SEED")
	}
	t.Logf("TAILRACE_FUZZ_SEED=%d TAILRACE_FUZZ_FOR=%s", seed, length)
	w := harness.Start(t, harness.Config{Bootstrap: broker(t)})
	pid := w.PID()
	f := &fuzzer{address: strings.TrimPrefix(w.URL(), "http://"), until: time.Now().Add(length), statuses: map[int]int{}}
	var wg sync.WaitGroup
	for i := range connections {
		r := rand.New(rand.NewPCG(seed, uint64(i))) // repeatable on purpose
		if i < busy {
			wg.Go(func() { f.ask(r) })
		} else {
			wg.Go(func() { f.dawdle(r) })
		}
	}
	for next := time.Now().Add(time.Minute); time.Now().Before(f.until); {
		time.Sleep(time.Second) //nolint:forbidigo // the length of the run is what is waited for
		if time.Now().After(next) {
			next = next.Add(time.Minute)
			t.Logf("%s to go: %s", time.Until(f.until).Round(time.Second), f)
		}
	}
	wg.Wait()
	t.Logf("%s; peak memory of the worker %d MiB", f, peakMiB(t, pid))

	require.True(t, w.Running())
	require.Equal(t, pid, w.PID())
	harness.Eventually(t, time.Minute, "healthy", func() (bool, string) {
		status, body := w.REST("GET", "/health", nil)
		return status == 200, body
	})
	for _, name := range names {
		status, body := w.REST("DELETE", "/connectors/"+url.PathEscape(name), nil)
		require.Contains(t, []int{204, 404}, status, body)
	}
	status, body := w.REST("GET", "/connectors", nil)
	require.Equal(t, 200, status, body)
	require.Empty(t, f.wrong, "TAILRACE_FUZZ_SEED=%d", seed)
	require.LessOrEqual(t, peakMiB(t, pid), memoryMiB, "TAILRACE_FUZZ_SEED=%d", seed)
	require.NotZero(t, f.statuses[200])
	require.NotZero(t, f.statuses[400])
	require.NotZero(t, f.statuses[413], "bodies of 10 MiB get an answer")
}

func (f *fuzzer) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out strings.Builder
	for _, status := range slices.Sorted(maps.Keys(f.statuses)) {
		fmt.Fprintf(&out, " %d×%d", status, f.statuses[status])
	}
	return fmt.Sprintf("%d requests, %d slow connections, %d closed without an answer, statuses%s", f.sent, f.slow, f.cut, &out)
}

// note counts an answer, and keeps what may not be.
func (f *fuzzer) note(request string, status int, body []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sent++
	if status == 0 {
		f.cut++
		return
	}
	f.statuses[status]++
	if status < 500 || len(f.wrong) > 20 {
		return
	}
	var answer struct{ Message string }
	if json.Unmarshal(body, &answer) == nil && documented(answer.Message) {
		return
	}
	f.wrong = append(f.wrong, fmt.Sprintf("%s: %d %.300s", request, status, body))
}

// documented tells whether a 5xx is one that Kafka Connect has too: a timeout, or a request that only workers of a cluster send.
func documented(message string) bool {
	return strings.HasPrefix(message, "Request timed out.") || strings.HasPrefix(message, "Kafka Connect in standalone mode does not support")
}

// ask sends requests one after the other on connections that are made anew when the worker closes them.
func (f *fuzzer) ask(r *rand.Rand) {
	var conn net.Conn
	var in *bufio.Reader
	defer func() {
		if conn != nil {
			_ = conn.Close()
		}
	}()
	for time.Now().Before(f.until) {
		if conn == nil {
			var err error
			if conn, err = net.DialTimeout("tcp", f.address, 10*time.Second); err != nil { //nolint:noctx // ends with its timeout
				time.Sleep(50 * time.Millisecond) //nolint:forbidigo // too many connections
				continue
			}
			in = bufio.NewReader(conn)
		}
		_ = conn.SetDeadline(time.Now().Add(150 * time.Second)) // beyond the longest answer
		head, body := request(r)
		go func(conn net.Conn) { // an answer may come before all is sent
			_, _ = io.WriteString(conn, head)
			_, _ = conn.Write(body)
		}(conn)
		method, _, _ := strings.Cut(head, " ")
		answer, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			f.note(head, 0, nil)
			_ = conn.Close()
			conn = nil
			continue
		}
		text, err := io.ReadAll(io.LimitReader(answer.Body, 8<<20))
		_ = answer.Body.Close()
		f.note(strings.ReplaceAll(head, "\r\n", " ")+string(body[:min(len(body), 300)]), answer.StatusCode, text)
		if err != nil || answer.Close || answer.StatusCode >= 400 || r.IntN(20) == 0 {
			_ = conn.Close()
			conn = nil
		}
	}
}

// dawdle holds connections: silent ones, ones whose header never ends, ones whose body comes byte by byte.
func (f *fuzzer) dawdle(r *rand.Rand) {
	for time.Now().Before(f.until) {
		conn, err := net.DialTimeout("tcp", f.address, 10*time.Second) //nolint:noctx // ends with its timeout
		if err != nil {
			time.Sleep(100 * time.Millisecond) //nolint:forbidigo // too many connections
			continue
		}
		f.mu.Lock()
		f.slow++
		f.mu.Unlock()
		switch r.IntN(4) {
		case 0:
		case 1:
			_, _ = io.WriteString(conn, "GET /connectors HTTP/1.1\r\nHost: x\r\nX-")
		case 2:
			_, _ = io.WriteString(conn, "PUT /connectors/a/config HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{")
		case 3:
			_, _ = io.WriteString(conn, "GET /connectors?expand=info HTTP/1.1\r\nHost: x\r\n\r\n") // and reads nothing
		}
		end := min(time.Until(f.until), time.Duration(1+r.IntN(40))*time.Second)
		for last := time.Now().Add(end); time.Now().Before(last); {
			_ = conn.SetDeadline(time.Now().Add(time.Second))
			if _, err := conn.Write([]byte{'x'}); err != nil {
				break
			}
			time.Sleep(time.Duration(200+r.IntN(800)) * time.Millisecond) //nolint:forbidigo // being slow is the point
		}
		_ = conn.Close()
	}
}

// names of connectors that the fuzz may make: few, for each has a process.
var names = []string{"a", "é b", "x/y", "100%"}

var paths = []string{
	"/", "/health", "/connectors", "/connectors?expand=status&expand=info", "/connectors/{}", "/connectors/{}/config", "/connectors/{}/status", "/connectors/{}/topics",
	"/connectors/{}/topics/reset", "/connectors/{}/pause", "/connectors/{}/resume", "/connectors/{}/stop", "/connectors/{}/restart?includeTasks=true", "/connectors/{}/offsets",
	"/connectors/{}/tasks", "/connectors/{}/tasks/{}/status", "/connectors/{}/tasks/{}/restart", "/connectors/{}/fence", "/connector-plugins", "/connector-plugins?connectorsOnly=false",
	"/connector-plugins/{}/config", "/connector-plugins/{}/config/validate", "/admin/loggers", "/admin/loggers/{}", "/v1/connectors/{}/progress", "/metrics", "/openapi.json", "/{}", "/{}/{}",
}

var methods = []string{"GET", "GET", "GET", "POST", "PUT", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "get", "X"}

// request makes one request: its head and its body.
func request(r *rand.Rand) (head string, body []byte) {
	path := paths[r.IntN(len(paths))]
	for strings.Contains(path, "{}") {
		path = strings.Replace(path, "{}", segment(r), 1)
	}
	switch r.IntN(20) {
	case 0:
		path += "?" + strings.ReplaceAll(url.QueryEscape(noise(r, 30)), "+", "%20") + "=%zz&expand=status&forward=true"
	case 1:
		path += "//"
	case 2:
		path = "/" + strings.Repeat("a/", r.IntN(2000))
	}
	body = payload(r)
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: localhost\r\n", methods[r.IntN(len(methods))], path)
	kinds := []string{"application/json", "application/json", "application/json", "application/json; charset=utf-16", "text/plain", "application/x-www-form-urlencoded", "", "///", "multipart/form-data"}
	if kind := kinds[r.IntN(len(kinds))]; kind != "" {
		fmt.Fprintf(&b, "Content-Type: %s\r\n", kind)
	}
	for _, odd := range []string{
		"Accept: text/html", "Accept: */*;q=0", "Accept-Encoding: gzip, br", "Content-Encoding: gzip", "Authorization: Basic ===", "Authorization: Bearer x", "Origin: http://elsewhere.example",
		"Expect: 100-continue", "X-Connect-Authorization: x", "X-Connect-Request-Signature-Algorithm: MD5", "Cookie: " + strings.Repeat("c", 20000), "X: " + strings.Repeat("x", 40000), "Connection: close",
	} {
		if r.IntN(25) == 0 {
			b.WriteString(odd + "\r\n")
		}
	}
	if r.IntN(4) == 0 {
		var chunked bytes.Buffer
		for part := range slices.Chunk(body, 1+r.IntN(100_000)) {
			fmt.Fprintf(&chunked, "%x\r\n%s\r\n", len(part), part)
		}
		chunked.WriteString("0\r\n\r\n")
		b.WriteString("Transfer-Encoding: chunked\r\n\r\n")
		return b.String(), chunked.Bytes()
	}
	length := len(body)
	if r.IntN(30) == 0 {
		length = r.IntN(2*len(body) + 2) // not what comes
	}
	if length > len(body) {
		b.WriteString("Connection: close\r\n")
		length = len(body) // a body that never ends is dawdle's
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n", length)
	return b.String(), body
}

// segment is a part of a path: known names, hostile ones, noise.
func segment(r *rand.Rand) string {
	known := append([]string{"0", "1", "-1", "99999999999", "FileStreamSource", "FileStreamSink", "root", "org.apache.kafka", "..", "%00", "%2e%2e%2f", "%", "%zz", "%ff", "a;b=c", "*", ""}, names...)
	switch r.IntN(5) {
	case 0:
		return url.PathEscape(noise(r, 40))
	case 1:
		return known[r.IntN(len(known)-len(names))]
	default:
		return url.PathEscape(names[r.IntN(len(names))])
	}
}

// noise is random text: ASCII, controls, all of Unicode, or bytes that are no UTF-8.
func noise(r *rand.Rand, most int) string {
	out := make([]rune, r.IntN(most+1))
	for i := range out {
		switch r.IntN(3) {
		case 0:
			out[i] = rune(r.IntN(128))
		case 1:
			out[i] = rune('a' + r.IntN(26))
		default:
			out[i] = rune(r.IntN(0x10ffff))
		}
	}
	text := string(out)
	if r.IntN(8) == 0 {
		text += "\xff\xfe\xc0"
	}
	return text
}

// payload is a body: configurations good and bad, damaged JSON, noise, nothing, and now and then 10 MiB.
func payload(r *rand.Rand) []byte {
	config := map[string]any{"connector.class": "FileStreamSource", "file": "/nowhere/" + strconv.Itoa(r.IntN(9)), "topic": "t" + strconv.Itoa(r.IntN(3)), "tasks.max": 1}
	for range r.IntN(4) {
		keys := []string{"name", "tasks.max", "connector.class", "transforms", "key.converter", "errors.tolerance", "topic.creation.groups", "process.memory.limit", "task.credit.bytes", noise(r, 10)}
		config[keys[r.IntN(len(keys))]] = []any{nil, true, -1, 1.5, noise(r, 20), []int{1}, map[string]any{}, "${file:/etc/passwd:x}", strings.Repeat("9", 400), names[0]}[r.IntN(10)]
	}
	shapes := []any{
		config, config,
		map[string]any{"name": names[r.IntN(len(names))], "config": config},
		map[string]any{"name": names[r.IntN(len(names))], "config": config, "initial_state": []any{"PAUSED", "stopped", 7, nil}[r.IntN(4)]},
		map[string]any{"offsets": []any{map[string]any{"partition": map[string]any{"filename": "/nowhere/1"}, "offset": map[string]any{"position": r.IntN(100)}}}},
		map[string]any{"offsets": []any{map[string]any{"partition": nil, "offset": noise(r, 5)}}},
		map[string]any{"level": []string{"DEBUG", "INFO", "NONE"}[r.IntN(3)]},
		[]any{config},
		nil, "text", 7,
	}
	text, err := json.Marshal(shapes[r.IntN(len(shapes))])
	if err != nil {
		text = nil
	}
	switch r.IntN(12) {
	case 0:
		return nil
	case 1:
		return []byte(noise(r, 500))
	case 2:
		if len(text) > 0 {
			text[r.IntN(len(text))] ^= byte(1 << r.IntN(8))
		}
	case 3:
		text = text[:r.IntN(len(text)+1)]
	case 4:
		text = []byte(strings.Repeat(`{"config":`, 1+r.IntN(20_000)))
	case 5:
		if r.IntN(4) == 0 {
			return bytes.Repeat([]byte(" "), bigBytes)
		}
		if r.IntN(3) == 0 {
			return []byte(`{"a":"` + strings.Repeat("x", 3<<20) + `"}`)
		}
	case 6:
		var wide []byte
		for _, c := range text {
			wide = append(wide, c, 0)
		}
		return wide
	}
	return text
}

// peakMiB is the highest resident memory that a process has had.
func peakMiB(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")))
			require.NoError(t, err)
			return kib / 1024
		}
	}
	t.Fatal("no VmHWM")
	return 0
}
