package server

import (
	"archive/zip"
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The versions of the search servers, as in search/*.xml.
const (
	OpenSearchVersion    = "3.8.0"
	ElasticsearchVersion = "9.5.2"
)

//go:embed search
var searchFiles embed.FS

// minSearchJava is what OpenSearch 3 and Elasticsearch 9 need.
const minSearchJava = 21

// Search is one node of OpenSearch, or of the core of Elasticsearch: indices, mappings and the bulk endpoint, without
// scripts, data streams and the answer to GET /.
type Search struct {
	what    string
	command func(http, transport int, dir string) []string
	dir     string // data, node.log
	ports   []int
	process *process // nil while stopped
}

// SearchOptions are what a node of OpenSearch may need besides the defaults.
type SearchOptions struct {
	// HeapMiB is the largest heap; 0 means 512, which answers 429 to a client that sends as fast as it can.
	HeapMiB int
	// Optimize lets the JVM compile for speed rather than for a quick start: for benchmarks.
	Optimize bool
}

func (o SearchOptions) jvm() []string {
	args := []string{"-Xms128m", fmt.Sprintf("-Xmx%dm", cmp.Or(o.HeapMiB, 512)), "-XX:+UseSerialGC"}
	if !o.Optimize {
		args = append(args, "-XX:TieredStopAtLevel=1")
	}
	return args
}

// StartOpenSearch starts an empty node on a free port and returns when it serves. Close ends it.
func StartOpenSearch(ctx context.Context, options SearchOptions) (*Search, error) {
	java, cache, err := prepareSearch(ctx, "opensearch-"+OpenSearchVersion, "OpenSearch", OpenSearchVersion)
	if err != nil {
		return nil, err
	}
	return startSearch(ctx, "OpenSearch", nil, func(http, transport int, dir string) []string {
		return slices.Concat([]string{java.Command()}, options.jvm(), []string{
			"--enable-native-access=ALL-UNNAMED", "-cp", filepath.Join(cache, "classes") + ":" + filepath.Join(cache, "lib", "*"), "OpenSearchNode",
			fmt.Sprint(http), fmt.Sprint(transport), filepath.Join(dir, "node"),
		})
	})
}

// StartElasticsearch starts an empty node of Elasticsearch's core. Close ends it.
func StartElasticsearch(ctx context.Context) (*Search, error) {
	java, cache, err := prepareSearch(ctx, "elasticsearch-"+ElasticsearchVersion, "Elasticsearch", ElasticsearchVersion)
	if err != nil {
		return nil, err
	}
	layOut := func(dir string) error { return layOutElasticsearch(cache, filepath.Join(dir, "node")) }
	return startSearch(ctx, "Elasticsearch", layOut, func(http, transport int, dir string) []string {
		return slices.Concat([]string{java.Command()}, SearchOptions{}.jvm(), []string{
			"--add-modules=jdk.net,jdk.management.agent,jdk.incubator.vector,ALL-MODULE-PATH",
			"--enable-native-access=ALL-UNNAMED,org.elasticsearch.nativeaccess,org.apache.lucene.core",
			"--module-path", filepath.Join(cache, "server"), "-cp", filepath.Join(cache, "classes"), "ElasticsearchNode",
			fmt.Sprint(http), fmt.Sprint(transport), filepath.Join(dir, "node"),
		})
	})
}

// searchTimeout leaves time to replay the log of what was not on disk yet, on a busy machine.
const searchTimeout = 5 * time.Minute

// prepareSearch returns the cache of a server, filled: lib/ with the jars and classes/ with the compiled main class.
func prepareSearch(ctx context.Context, folder, name, version string) (Java, string, error) {
	java, err := FindJava()
	if err != nil {
		return Java{}, "", err
	}
	if java.Major < minSearchJava {
		return Java{}, "", fmt.Errorf("%s %s needs Java %d or newer and the newest here is %d", name, version, minSearchJava, java.Major)
	}
	dir, unlock, err := Cache(folder)
	if err != nil {
		return Java{}, "", err
	}
	defer unlock()
	pom, err := searchFiles.ReadFile("search/" + strings.ToLower(name) + ".xml")
	if err != nil {
		return Java{}, "", err
	}
	if err := fetchJars(ctx, dir, name+" "+version, pom); err != nil {
		return Java{}, "", err
	}
	if name == "Elasticsearch" {
		if err := divideElasticsearch(dir); err != nil {
			return Java{}, "", err
		}
	}
	return java, dir, compileNode(ctx, java, dir, name+"Node.java")
}

// compileNode compiles the main class of a node unless that was done with this source.
func compileNode(ctx context.Context, java Java, dir, source string) error {
	text, err := searchFiles.ReadFile("search/" + source)
	if err != nil {
		return err
	}
	file := filepath.Join(dir, source)
	if have, err := os.ReadFile(file); err == nil && string(have) == string(text) {
		return nil
	}
	work, err := os.MkdirTemp(dir, "compile-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	temporary := filepath.Join(work, source)
	if err := os.WriteFile(temporary, text, 0o600); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, formatTimeout)
	defer cancel()
	classPath := filepath.Join(dir, "lib", "*") + ":" + filepath.Join(dir, "server", "*")
	out, err := exec.CommandContext(ctx, filepath.Join(java.Home, "bin", "javac"), "-cp", classPath,
		"-d", filepath.Join(dir, "classes"), temporary).CombinedOutput()
	if err != nil {
		return fmt.Errorf("compile %s: %w\n%s", source, err, out)
	}
	return os.Rename(temporary, file)
}

// divideElasticsearch moves the jars of the HTTP transport out of lib/, because Elasticsearch loads modules with
// loaders of their own; the rest is the server's module path.
func divideElasticsearch(dir string) error {
	server, transport := filepath.Join(dir, "server"), filepath.Join(dir, "transport-netty4")
	if _, err := os.Stat(server); err == nil {
		return nil
	}
	jars, err := filepath.Glob(filepath.Join(dir, "lib", "*.jar"))
	if err != nil {
		return err
	}
	work := server + ".new"
	if err := errors.Join(os.RemoveAll(work), os.RemoveAll(transport), os.MkdirAll(work, 0o750), os.MkdirAll(transport, 0o750)); err != nil {
		return err
	}
	for _, jar := range jars {
		name, to := filepath.Base(jar), work
		if strings.HasPrefix(name, "netty-") || strings.HasPrefix(name, "transport-netty4") {
			to = transport
		}
		if err := os.Link(jar, filepath.Join(to, name)); err != nil {
			return err
		}
		if strings.HasPrefix(name, "transport-netty4") {
			if err := extractDescriptor(jar, transport); err != nil {
				return err
			}
		}
	}
	return os.Rename(work, server)
}

func extractDescriptor(jar, to string) error {
	archive, err := zip.OpenReader(jar)
	if err != nil {
		return err
	}
	defer archive.Close()
	for _, f := range archive.File {
		if !strings.HasPrefix(f.Name, "META-INF/es-plugins/") || f.FileInfo().IsDir() {
			continue
		}
		in, err := f.Open()
		if err != nil {
			return err
		}
		text, err := io.ReadAll(io.LimitReader(in, 1<<20))
		in.Close()
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, filepath.Base(f.Name)), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func layOutElasticsearch(cache, home string) error {
	return errors.Join(
		os.MkdirAll(filepath.Join(home, "config"), 0o750),
		os.CopyFS(filepath.Join(home, "modules", "transport-netty4"), os.DirFS(filepath.Join(cache, "transport-netty4"))),
	)
}

func startSearch(ctx context.Context, what string, layOut func(dir string) error, command func(http, transport int, dir string) []string) (*Search, error) {
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "tailrace-search-")
	if err != nil {
		return nil, err
	}
	if layOut != nil {
		if err := layOut(dir); err != nil {
			return nil, errors.Join(err, os.RemoveAll(dir))
		}
	}
	s := &Search{what: what, command: command, dir: dir, ports: ports}
	if err := s.Start(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// URL is the address of the REST API. It stays the same over stops and starts.
func (s *Search) URL() string { return fmt.Sprintf("http://127.0.0.1:%d", s.ports[0]) }

// Log is the path of the node's log.
func (s *Search) Log() string { return filepath.Join(s.dir, "node.log") }

// Start starts a stopped node on its old data and port, and returns when it serves.
func (s *Search) Start(ctx context.Context) error {
	if s.process != nil {
		return errors.New("the node is already running")
	}
	ctx, cancel := context.WithTimeoutCause(ctx, searchTimeout, fmt.Errorf("not within %s", searchTimeout))
	defer cancel()
	p, err := startProcess(s.command(s.ports[0], s.ports[1], s.dir), os.Environ(), s.Log(), s.dir)
	if err != nil {
		return fmt.Errorf("start %s: %w", s.what, err)
	}
	s.process = p
	if err := p.await(ctx, "an answer of "+s.URL(), func() bool { return s.answers(ctx) }); err != nil {
		s.Kill()
		return fmt.Errorf("start %s: %w", s.what, err)
	}
	return nil
}

// answers tells whether every index is there.
func (s *Search) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL()+"/_cluster/health?wait_for_no_initializing_shards=true&timeout=1s", nil)
	if err != nil {
		return false
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	return err == nil && response.StatusCode == http.StatusOK && !strings.Contains(string(body), `"status":"red"`)
}

// Stop ends the node cleanly. Its data stays.
func (s *Search) Stop() error {
	if s.process == nil {
		return nil
	}
	p := s.process
	s.process = nil
	return p.stop(stopGrace)
}

// Kill ends the node with SIGKILL. Its data stays.
func (s *Search) Kill() {
	if s.process != nil {
		s.process.kill()
		s.process = nil
	}
}

// Close ends the node and removes its data.
func (s *Search) Close() error { return errors.Join(s.Stop(), os.RemoveAll(s.dir)) }
