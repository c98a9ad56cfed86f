package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// A stand-in for the search server is a process of its own that reads requests and answers as OpenSearch does when it keeps every
// document, but keeps only their number and the sum of their field n. With it the sides are not slowed down by the server, on a machine
// where that is the bottleneck.

// startStandIn starts one and gives its address. It ends with this process's standard input of it.
func startStandIn(ctx context.Context) (url string, stop func() error, err error) {
	self, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	cmd := exec.CommandContext(ctx, self, "-stand-in")
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() error { return errors.Join(in.Close(), cmd.Wait()) }
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return "", nil, errors.Join(err, stop())
	}
	return strings.TrimSpace(line), stop, nil
}

// standIn is the other process.
type standIn struct {
	mu    sync.Mutex
	count int
	sum   int
}

func serveStandIn() error {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a local address does not block
	if err != nil {
		return err
	}
	fmt.Printf("http://%s\n", l.Addr())
	server := &http.Server{Handler: &standIn{}} //nolint:gosec // local, and only this program speaks to it
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = server.Close()
	}()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case r.URL.Path == "/_bulk":
		n, sum := tally(body)
		s.count, s.sum = s.count+n, s.sum+sum
		items := strings.Repeat(`,{"index":{"status":201}}`, n)
		_, _ = io.WriteString(w, `{"errors":false,"items":[`+items[1:]+`]}`)
	case r.Method == http.MethodPut || r.Method == http.MethodDelete:
		s.count, s.sum = 0, 0
		_, _ = io.WriteString(w, `{}`)
	case strings.HasSuffix(r.URL.Path, "/_search"):
		fmt.Fprintf(w, `{"hits":{"total":{"value":%d}},"aggregations":{"sum":{"value":%d}}}`, s.count, s.sum)
	case strings.HasSuffix(r.URL.Path, "/_stats/indexing"):
		fmt.Fprintf(w, `{"_all":{"primaries":{"indexing":{"index_total":%d}}}}`, s.count)
	default:
		_, _ = io.WriteString(w, `{}`)
	}
}

// tally reads the documents of a bulk request: every second line.
func tally(body []byte) (count, sum int) {
	for len(body) > 0 {
		_, rest, _ := bytes.Cut(body, []byte("\n"))
		document, rest, _ := bytes.Cut(rest, []byte("\n"))
		_, number, found := bytes.Cut(document, []byte(`"n":`))
		end := bytes.IndexAny(number, ",}")
		if n, err := strconv.Atoi(string(number[:max(end, 0)])); found && err == nil {
			count, sum = count+1, sum+n
		}
		body = rest
	}
	return count, sum
}
