package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	clusterID    = "4L6g3nShT-eMCtK--X86sw"
	startTimeout = 5 * time.Minute // 1.4 s on an idle machine, many times that on a busy one
	stopGrace    = 30 * time.Second
	startTries   = 3
)

// BrokerOptions change a broker from the small one that tests share.
type BrokerOptions struct {
	// Properties are added to server.properties, or replace what is there.
	Properties map[string]string
	// Listeners are further listeners beside PLAINTEXT, by name, with their security protocol. Each gets a port of its
	// own; [Broker.ListenerAddr] tells it.
	Listeners map[string]string
	// Host is the address that the PLAINTEXT listener is bound to; "" means 127.0.0.1.
	Host string
	// HeapMiB is the broker's largest heap; 0 means 256.
	HeapMiB int
	// Optimize lets the JVM compile for speed rather than for a quick start: for benchmarks.
	Optimize bool
}

func (o BrokerOptions) host() string { return cmp.Or(o.Host, "127.0.0.1") }

// Broker is one Apache Kafka broker, its own controller.
type Broker struct {
	options BrokerOptions
	cache   artifacts
	dir     string // server.properties, data/, broker.log
	port    int
	more    map[string]int // ports of further listeners, by name
	process *process       // nil while stopped
	archive string         // the class archive being written by the running process, or ""
}

// StartBroker starts a broker with empty data on a free port and returns when it serves. Close ends it.
func StartBroker(ctx context.Context, options BrokerOptions) (*Broker, error) {
	cache, err := prepare(ctx)
	if err != nil {
		return nil, err
	}
	var failures error
	for range startTries {
		b, err := newBroker(cache, options)
		if err != nil {
			return nil, err
		}
		err = b.Start(ctx)
		if err == nil {
			return b, nil
		}
		portTaken := strings.Contains(err.Error(), "Address already in use")
		failures = errors.Join(failures, err, b.Close())
		if !portTaken {
			break
		}
	}
	return nil, failures
}

func newBroker(cache artifacts, options BrokerOptions) (*Broker, error) {
	ports, err := freePorts(2 + len(options.Listeners))
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "tailrace-kafka-")
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	properties := brokerProperties(data, options.host(), ports[0], ports[1])
	more := addListeners(properties, options.Listeners, ports[2:])
	maps.Copy(properties, options.Properties)
	err = errors.Join(
		os.CopyFS(data, os.DirFS(filepath.Join(cache.dir, "formatted"))),
		writeProperties(filepath.Join(dir, "server.properties"), properties),
	)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &Broker{options: options, cache: cache, dir: dir, port: ports[0], more: more}, nil
}

// addListeners puts further listeners into the properties and returns their ports.
func addListeners(properties, listeners map[string]string, ports []int) map[string]int {
	taken := map[string]int{}
	for i, name := range slices.Sorted(maps.Keys(listeners)) {
		taken[name] = ports[i]
		address := fmt.Sprintf(",%s://127.0.0.1:%d", name, ports[i])
		properties["listeners"] += address
		properties["advertised.listeners"] += address
		properties["listener.security.protocol.map"] += "," + name + ":" + listeners[name]
	}
	return taken
}

// Addr is the bootstrap address, host:port. It stays the same over stops and starts.
func (b *Broker) Addr() string { return fmt.Sprintf("%s:%d", b.options.host(), b.port) }

// ListenerAddr is the address, host:port, of one of [BrokerOptions.Listeners].
func (b *Broker) ListenerAddr(name string) string { return fmt.Sprintf("127.0.0.1:%d", b.more[name]) }

// Log is the path of the broker's log.
func (b *Broker) Log() string { return filepath.Join(b.dir, "broker.log") }

// PID is the process id of the broker, 0 while it is stopped.
func (b *Broker) PID() int {
	if b.process == nil {
		return 0
	}
	return b.process.cmd.Process.Pid
}

// Start starts a stopped broker on its old data and port, and returns when it serves.
func (b *Broker) Start(ctx context.Context) error {
	if b.process != nil {
		return errors.New("the broker is already running")
	}
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("not within %s", startTimeout))
	defer cancel()
	var logged int64
	if info, err := os.Stat(b.Log()); err == nil {
		logged = info.Size()
	}
	p, err := startProcess(b.command(), os.Environ(), b.Log(), b.dir)
	if err != nil {
		return fmt.Errorf("start a Kafka broker: %w", err)
	}
	b.process = p
	if err := p.waitLog(ctx, "Kafka Server started", logged); err != nil {
		b.Kill()
		return fmt.Errorf("start a Kafka broker: %w", err)
	}
	return nil
}

func (b *Broker) command() []string {
	heap := b.options.HeapMiB
	if heap == 0 {
		heap = 256
	}
	argv := []string{b.cache.java.Command(), "-Xms64m", fmt.Sprintf("-Xmx%dm", heap)}
	if b.options.Optimize {
		argv = append(argv, "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20")
	} else {
		argv = append(argv, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
	}
	argv = append(argv, b.archiveFlags()...)
	return append(argv, "-Dorg.slf4j.simpleLogger.showDateTime=true", "-cp", b.cache.classPath(), "kafka.Kafka",
		filepath.Join(b.dir, "server.properties"))
}

// archiveFlags use the class data archive when there is one. Otherwise this broker writes one when it ends cleanly,
// under a name of its own, so that no other JVM sees it half written.
func (b *Broker) archiveFlags() []string {
	const firstWithArchives = 19
	b.archive = ""
	if b.cache.java.Major < firstWithArchives || b.options.Optimize {
		return nil
	}
	if _, err := os.Stat(b.cache.archive()); err == nil {
		return []string{"-XX:SharedArchiveFile=" + b.cache.archive(), "-Xlog:cds=off", "-Xlog:cds+dynamic=off"}
	}
	b.archive = filepath.Join(b.dir, "classes.jsa")
	return []string{"-XX:ArchiveClassesAtExit=" + b.archive, "-Xlog:cds=off", "-Xlog:cds+dynamic=off"}
}

// Stop ends the broker cleanly and keeps its data.
func (b *Broker) Stop() error {
	if b.process == nil {
		return nil
	}
	err := b.process.stop(stopGrace)
	b.process = nil
	if b.archive != "" && err == nil {
		b.keepArchive()
	}
	return err
}

// keepArchive puts the archive that the ended broker wrote into the cache. Starting without one is only slower, so
// a failure is not reported.
func (b *Broker) keepArchive() {
	staged := b.cache.archive() + "." + strconv.Itoa(os.Getpid())
	content, err := os.ReadFile(b.archive)
	if err != nil {
		return
	}
	if os.WriteFile(staged, content, 0o600) != nil || os.Rename(staged, b.cache.archive()) != nil {
		_ = os.Remove(staged)
	}
}

// Kill ends the broker as a crash would, with SIGKILL, and keeps its data.
func (b *Broker) Kill() {
	if b.process != nil {
		b.process.kill()
		b.process = nil
	}
}

// Pause stops the broker's threads (SIGSTOP): connections stay open and nothing answers.
func (b *Broker) Pause() error { return b.signal(syscall.SIGSTOP) }

// Resume lets a paused broker run again.
func (b *Broker) Resume() error { return b.signal(syscall.SIGCONT) }

func (b *Broker) signal(s syscall.Signal) error {
	if b.process == nil {
		return errors.New("the broker is not running")
	}
	return b.process.signal(s)
}

// Close ends the broker and removes its data.
func (b *Broker) Close() error {
	return errors.Join(b.Stop(), os.RemoveAll(b.dir))
}

// brokerProperties is a single node that is broker and controller, with internal topics as small as they may be.
func brokerProperties(data, host string, port, controllerPort int) map[string]string {
	return map[string]string{
		"process.roles":                                    "broker,controller",
		"node.id":                                          "1",
		"controller.quorum.voters":                         fmt.Sprintf("1@127.0.0.1:%d", controllerPort),
		"listeners":                                        fmt.Sprintf("PLAINTEXT://%s:%d,CONTROLLER://127.0.0.1:%d", host, port, controllerPort),
		"advertised.listeners":                             fmt.Sprintf("PLAINTEXT://%s:%d", host, port),
		"controller.listener.names":                        "CONTROLLER",
		"listener.security.protocol.map":                   "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
		"log.dirs":                                         data,
		"offsets.topic.replication.factor":                 "1",
		"offsets.topic.num.partitions":                     "5",
		"transaction.state.log.replication.factor":         "1",
		"transaction.state.log.min.isr":                    "1",
		"transaction.state.log.num.partitions":             "5",
		"share.coordinator.state.topic.replication.factor": "1",
		"share.coordinator.state.topic.min.isr":            "1",
		"group.initial.rebalance.delay.ms":                 "0",
		"num.network.threads":                              "2",
		"num.io.threads":                                   "4",
		"log.cleaner.threads":                              "1",
		"auto.create.topics.enable":                        "false",
	}
}

// writeProperties writes a Java properties file. Values are paths, numbers and names of our own: nothing to escape
// but the backslash.
func writeProperties(path string, properties map[string]string) error {
	var text strings.Builder
	for _, key := range slices.Sorted(maps.Keys(properties)) {
		fmt.Fprintf(&text, "%s=%s\n", key, strings.ReplaceAll(properties[key], `\`, `\\`))
	}
	return os.WriteFile(path, []byte(text.String()), 0o600)
}
