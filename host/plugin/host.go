package plugin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/tailrace/tailrace/host/plugin/process"
)

// Isolation says what shares a process (process.isolation).
type Isolation string

// The isolation modes.
const (
	IsolateConnector Isolation = "connector" // the connector and its tasks on this worker; the default
	IsolateTask      Isolation = "task"      // each task, and the connector, a process of its own
	IsolatePlugin    Isolation = "plugin"    // all connectors of the plugin on this worker
)

// ParseIsolation reads process.isolation; empty is IsolateConnector.
func ParseIsolation(text string) (Isolation, error) {
	switch mode := Isolation(text); mode {
	case "":
		return IsolateConnector, nil
	case IsolateConnector, IsolateTask, IsolatePlugin:
		return mode, nil
	default:
		return "", fmt.Errorf("%q is no isolation; use connector, task or plugin", text)
	}
}

// HostOptions are the settings of a Host.
type HostOptions struct {
	Logger   *slog.Logger
	Version  string // of the worker, told to plugins
	Timeouts Timeouts
	Launcher process.LauncherOptions // Logger is taken from above
	// Notify hears of each process that started, and with exit of each that ended. It must not block. May be nil.
	Notify func(p ProcessInfo, exit *process.Exit)
}

// Host starts plugin processes and shares them by the isolation mode. One per worker. Its methods may be called from any
// goroutine.
type Host struct {
	options  HostOptions
	logger   *slog.Logger
	launcher *process.Launcher

	launches chan struct{} // holds one for each process that is starting

	mu     sync.Mutex
	closed bool
	shared map[string]*sharedInstance
	// history is what Processes tells, by Launch.key.
	history map[string]*history
}

// NewHost makes a host; it starts no plugin yet.
func NewHost(options HostOptions) (*Host, error) {
	if options.Logger == nil {
		options.Logger = slog.Default()
	}
	options.Launcher.Logger = options.Logger
	launcher, err := process.NewLauncher(options.Launcher)
	if err != nil {
		return nil, err
	}
	return &Host{options: options, logger: options.Logger, launcher: launcher, launches: make(chan struct{}, launchesAtOnce), shared: make(map[string]*sharedInstance), history: make(map[string]*history)}, nil
}

// Launch says for whom a process is wanted.
type Launch struct {
	Plugin    *Plugin
	Connector string // the user's name of the connector
	Task      int    // the task's number; Connector's own process under IsolateTask is NoTask
	Isolation Isolation
	Limits    process.Limits
	// Env is what the connector's config grants. Under IsolatePlugin, connectors with different grants do not share (I-9).
	Env map[string]string
	// Mask removes the connector's secrets from output. Nil keeps lines as they are.
	Mask func(string) string
}

// NoTask is the Launch.Task of a connector.
const NoTask = -1

func (l Launch) key() string {
	hash := sha256.New()
	part := func(text string) { _, _ = fmt.Fprintf(hash, "%d:%s", len(text), text) }
	part(l.Plugin.Path)
	part(l.Plugin.Checksum) // a replaced binary is another plugin: running processes are left alone
	part(fmt.Sprint(l.Limits))
	for _, name := range slices.Sorted(maps.Keys(l.Env)) {
		part(name)
		part(l.Env[name])
	}
	switch l.Isolation {
	case IsolatePlugin:
	case IsolateTask:
		part(l.Connector)
		part(strconv.Itoa(l.Task))
	default:
		part(l.Connector)
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// sharedInstance is a process with the number of its users. ready is closed when instance or err is set.
type sharedInstance struct {
	users    int
	ready    chan struct{}
	instance *Instance
	err      error
}

// ErrHostClosed says that the host was closed.
var ErrHostClosed = errors.New("the plugin host is closed")

// Acquire returns the running process for a launch, and starts it when there is none. Every Acquire needs a Release. A
// process that died is not returned again: the next Acquire starts a new one. When to call it after a death is the
// caller's decision, see Backoff. ctx bounds the wait of this caller.
func (h *Host) Acquire(ctx context.Context, launch Launch) (*Instance, error) {
	key := launch.key()
	for {
		h.mu.Lock()
		if h.closed {
			h.mu.Unlock()
			return nil, ErrHostClosed
		}
		entry, ok := h.shared[key]
		if !ok {
			entry = &sharedInstance{ready: make(chan struct{})}
			h.shared[key] = entry
			go h.start(entry, key, launch) //nolint:contextcheck // the process outlives the caller that came first
		}
		entry.users++
		h.mu.Unlock()

		select {
		case <-entry.ready:
		case <-ctx.Done():
			h.release(key, entry) //nolint:contextcheck // giving a process back must not depend on the caller's context
			return nil, context.Cause(ctx)
		}
		if entry.err != nil {
			h.release(key, entry) //nolint:contextcheck // giving a process back must not depend on the caller's context
			return nil, entry.err
		}
		select {
		case <-entry.instance.process.Done(): // dead: forget it and try again
			h.release(key, entry) //nolint:contextcheck // giving a process back must not depend on the caller's context
			h.forget(key, entry)
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			continue
		default:
			return entry.instance, nil
		}
	}
}

const (
	// launchesAtOnce bounds the processes that start at the same time: a worker that gets hundreds of connectors would
	// otherwise give each of them too little of the processor to be ready within Timeouts.Handshake.
	launchesAtOnce = 4
	// launchPace is when the next process may start although one before has not come to its handshake, so that a
	// plugin that hangs does not hold up others for longer (I-3).
	launchPace = time.Second
)

// paceLaunch waits for its turn. done ends the turn, which lasts launchPace at most.
func (h *Host) paceLaunch() (done func()) {
	h.launches <- struct{}{}
	give := sync.OnceFunc(func() { <-h.launches })
	turn := time.AfterFunc(launchPace, give)
	return func() {
		turn.Stop()
		give()
	}
}

// start launches a process for an entry, independent of the caller that happened to come first.
func (h *Host) start(entry *sharedInstance, key string, launch Launch) {
	command := launch.Plugin.command()
	if launch.Isolation != IsolatePlugin {
		command.Connector = launch.Connector
	}
	env := make(map[string]string, len(command.Env)+len(launch.Env))
	maps.Copy(env, command.Env)
	maps.Copy(env, launch.Env)
	command.Env, command.Limits, command.Mask = env, launch.Limits, launch.Mask
	begun := h.paceLaunch()
	entry.instance, entry.err = startInstance(context.Background(), h.launcher, h.logger, h.options.Version, command, h.options.Timeouts)
	begun()
	if entry.err != nil {
		entry.err = fmt.Errorf("cannot start plugin %s (%s): %w", launch.Plugin.Description.Name, launch.Plugin.Path, entry.err)
		h.forget(key, entry)
		close(entry.ready)
		return
	}
	entry.instance.release = func() { h.release(key, entry) }
	h.noteStart(key, launch, entry.instance)
	close(entry.ready)
	h.mu.Lock()
	unused := entry.users == 0
	h.mu.Unlock()
	if unused { // everybody who waited has left
		h.forget(key, entry)
		entry.instance.Kill()
	}
	<-entry.instance.Done()
	h.noteEnd(key, entry.instance)
	h.forget(key, entry)
}

func (h *Host) forget(key string, entry *sharedInstance) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.shared[key] == entry {
		delete(h.shared, key)
	}
}

func (h *Host) release(key string, entry *sharedInstance) {
	h.mu.Lock()
	entry.users--
	last := entry.users == 0
	if last && h.shared[key] == entry {
		delete(h.shared, key)
	}
	h.mu.Unlock()
	select {
	case <-entry.ready:
	default:
		return // start sees to it
	}
	if last && entry.instance != nil {
		entry.instance.Close(context.Background()) // bounded by its timeouts
	}
}

// Release gives an instance back. The last user's Release ends the process gracefully and waits for that; streams must be
// drained and closed before.
func (i *Instance) Release() {
	if i.release != nil {
		i.release()
	}
}

// Describe starts a plugin, asks what it offers, checks the answer, and ends it. It is the Catalogue's way to know a
// plugin. Asked twice, a plugin must say the same; a lie is an error.
func (h *Host) Describe(ctx context.Context, program Program) (Description, error) {
	command := program.command()
	instance, err := startInstance(ctx, h.launcher, h.logger, h.options.Version, command, h.options.Timeouts)
	if err != nil {
		return Description{}, err
	}
	defer instance.Close(ctx)
	first, err := instance.Describe(ctx)
	if err != nil {
		return Description{}, err
	}
	if err := first.Check(); err != nil {
		return Description{}, err
	}
	second, err := instance.Describe(ctx)
	if err != nil {
		return Description{}, fmt.Errorf("it describes itself once, and then fails: %w", err)
	}
	if !first.equal(second) {
		return Description{}, errors.New("its description changes from one call to the next")
	}
	return first, nil
}

// Close ends every process, at once, and frees the host. Drain before.
func (h *Host) Close() error {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	err := h.launcher.Close()
	for {
		h.mu.Lock()
		var entry *sharedInstance
		for _, e := range h.shared {
			entry = e
			break
		}
		h.mu.Unlock()
		if entry == nil {
			return err
		}
		<-entry.ready
		if entry.instance != nil {
			<-entry.instance.Done()
		}
		h.mu.Lock()
		maps.DeleteFunc(h.shared, func(_ string, e *sharedInstance) bool { return e == entry })
		h.mu.Unlock()
	}
}

var _ io.Closer = (*Host)(nil)
