package plugin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/tailrace/tailrace/host/plugin/process"
)

const (
	// stableFor is how long a file must stay unchanged before it is looked at: it may still be copied.
	stableFor = 300 * time.Millisecond
	// scanPause is the shortest time between two scans, whatever happens in the folders.
	scanPause = 50 * time.Millisecond
	// rescanInterval finds what file events do not tell (targets of links, network file systems, new folders).
	rescanInterval = 2 * time.Second
	// describeAtOnce bounds the plugins that are described at the same time.
	describeAtOnce = 4
	// describeTimeout bounds the description of one plugin as a whole.
	describeTimeout = 45 * time.Second
	// A plugin that failed is described again after a while: the machine may have been busy.
	retryFirst = 15 * time.Second
	retryMax   = 10 * time.Minute
	// subscriberEvents is how many events wait for a slow subscriber.
	subscriberEvents = 256
)

// Plugin is a plugin that can be used.
type Plugin struct {
	Program
	Description Description
}

func (p *Plugin) command() process.Command {
	command := p.Program.command()
	command.Plugin = p.Description.Name
	return command
}

// Broken is an entry on plugin.path that cannot be used.
type Broken struct {
	Path   string
	Reason string
	Since  time.Time
}

// Listing is the catalogue at one moment. It is never changed.
type Listing struct {
	Plugins []*Plugin // in the order of plugin.path, then of their paths
	Broken  []Broken
	// Pending are the entries that are being looked at.
	Pending []string
}

// EventKind says what happened to an entry on plugin.path.
type EventKind string

// The kinds of events.
const (
	Added    EventKind = "added"
	Replaced EventKind = "replaced" // another content or description under the same path
	Removed  EventKind = "removed"  // running processes go on
	Failed   EventKind = "failed"   // a new or changed entry cannot be used
)

// Event tells a change of the catalogue.
type Event struct {
	Kind   EventKind
	Path   string
	Old    *Plugin // Replaced, Removed and Failed, when there was a usable plugin before
	New    *Plugin // Added and Replaced
	Reason string  // Failed
}

// CatalogueOptions are the settings of a Catalogue.
type CatalogueOptions struct {
	// Paths are the folders of plugin.path.
	Paths []string
	// CacheFile keeps descriptions over restarts. Empty means no cache.
	CacheFile string
	// Describe starts a plugin and asks it; Host.Describe.
	Describe func(context.Context, Program) (Description, error)
	// Version of the worker: a cache that another version wrote is not used.
	Version string
	Logger  *slog.Logger
}

// SplitPath reads a plugin.path: folders with commas between.
func SplitPath(text string) []string {
	var paths []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			paths = append(paths, part)
		}
	}
	return paths
}

// Catalogue knows what is on plugin.path, and follows it. Its methods may be called from any goroutine. One goroutine
// owns the state; descriptions run in others, so that a plugin that hangs delays nobody.
type Catalogue struct {
	options CatalogueOptions
	logger  *slog.Logger
	watcher *fsnotify.Watcher // nil where the system gives none
	cache   *descriptionCache
	ctx     context.Context
	cancel  context.CancelFunc
	results chan described
	slots   chan struct{}
	owner   sync.WaitGroup

	entries map[string]*entry // by path; the owner's
	watched map[string]bool

	mu          sync.Mutex
	listing     Listing
	changed     chan struct{} // closed and replaced with every new listing
	subscribers map[chan Event]struct{}
}

// entry is what the owner knows of one path.
type entry struct {
	order   string // sorts listings
	print   fingerprint
	seen    time.Time   // when print was first seen
	judged  fingerprint // the state that plugin or broken is about
	program Program
	plugin  *Plugin // usable
	broken  *Broken
	// describing is set while a goroutine looks at the entry as of print.
	describing bool
	failures   int
	retryAt    time.Time
}

// described is the result of looking at an entry.
type described struct {
	path   string
	print  fingerprint
	plugin *Plugin
	err    error
}

// OpenCatalogue scans plugin.path and follows it until Close. It does not wait for plugins that must be described first;
// Settled and Resolve do. A folder that does not exist is listed as broken and used as soon as it exists.
func OpenCatalogue(options CatalogueOptions) *Catalogue {
	if options.Logger == nil {
		options.Logger = slog.Default()
	}
	c := &Catalogue{
		options: options, logger: options.Logger,
		results: make(chan described), slots: make(chan struct{}, describeAtOnce),
		entries: make(map[string]*entry), watched: make(map[string]bool),
		changed: make(chan struct{}), subscribers: make(map[chan Event]struct{}),
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.cache = loadCache(options.CacheFile, options.Version, c.logger)
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		c.logger.Warn("plugin.path is not watched by file events, only scanned now and then", "error", err)
	}
	c.watcher = watcher
	next := c.scan()
	c.owner.Go(func() { c.run(next) })
	return c
}

// Close stops following plugin.path. Plugins that are being described are ended.
func (c *Catalogue) Close() {
	c.cancel()
	c.owner.Wait()
	if c.watcher != nil {
		_ = c.watcher.Close()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for subscriber := range c.subscribers {
		close(subscriber)
	}
	clear(c.subscribers)
}

// List returns the catalogue as of now.
func (c *Catalogue) List() Listing {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.listing
}

// Settled waits until no entry is being looked at, or until ctx ends.
func (c *Catalogue) Settled(ctx context.Context) error {
	for {
		c.mu.Lock()
		pending, changed := len(c.listing.Pending), c.changed
		c.mu.Unlock()
		if pending == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-c.ctx.Done():
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Subscribe returns the events from now on and how to end them. A subscriber that does not read loses events; it should
// then look at List.
func (c *Catalogue) Subscribe() (<-chan Event, func()) {
	events := make(chan Event, subscriberEvents)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.subscribers[events] = struct{}{}
	return events, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if _, ok := c.subscribers[events]; ok {
			delete(c.subscribers, events)
			close(events)
		}
	}
}

// run owns the entries. next is when the next scan is due.
func (c *Catalogue) run(next time.Duration) {
	defer c.drainResults()
	timer := time.NewTimer(next)
	defer timer.Stop()
	var events <-chan fsnotify.Event
	var failures <-chan error
	if c.watcher != nil {
		events, failures = c.watcher.Events, c.watcher.Errors
	}
	for {
		select {
		case <-c.ctx.Done():
			return
		case event := <-events:
			if event.Op != fsnotify.Chmod || !notPlugins.MatchString(event.Name) {
				c.sleepThrough(events, scanPause) // one scan for a burst of events
				timer.Reset(c.scan())
			}
		case err := <-failures:
			c.logger.Debug("file events of plugin.path", "error", err)
		case result := <-c.results:
			c.settle(result)
		case <-timer.C:
			timer.Reset(c.scan())
		}
	}
}

// sleepThrough takes the events of a short time together.
func (c *Catalogue) sleepThrough(events <-chan fsnotify.Event, pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for {
		select {
		case <-events:
		case <-timer.C:
			return
		case <-c.ctx.Done():
			return
		}
	}
}

// drainResults waits for the goroutines that describe; their context has ended.
func (c *Catalogue) drainResults() {
	for {
		busy := false
		for _, e := range c.entries {
			busy = busy || e.describing
		}
		if !busy {
			return
		}
		result := <-c.results
		if e := c.entries[result.path]; e != nil {
			e.describing = false
		}
	}
}

// scan looks at every entry of plugin.path and returns when to scan again.
func (c *Catalogue) scan() time.Duration {
	now := time.Now()
	next := rescanInterval
	found := make(map[string]bool)
	for i, folder := range c.options.Paths {
		folder = filepath.Clean(folder)
		if absolute, err := filepath.Abs(folder); err == nil {
			folder = absolute
		}
		children, err := os.ReadDir(folder)
		if err != nil {
			found[folder] = true
			c.fail(c.entry(folder, i), folder, folderError(folder, err), now)
			delete(c.watched, folder)
			continue
		}
		c.watch(folder)
		for _, child := range children {
			path := filepath.Join(folder, child.Name())
			program, print, err := readProgram(path)
			if errors.Is(err, errIgnored) {
				continue
			}
			if found[path] {
				continue // the same folder twice on plugin.path
			}
			found[path] = true
			if program.Dir != "" {
				c.watch(program.Dir)
			}
			next = min(next, c.visit(path, c.entry(path, i), program, print, err, now))
		}
	}
	for path, e := range c.entries {
		if !found[path] && !e.describing { // one that is being described is removed when that has ended
			c.remove(path, e)
		}
	}
	c.publish()
	return next
}

func folderError(folder string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the folder %s of plugin.path does not exist", folder)
	}
	return fmt.Errorf("cannot read the folder %s of plugin.path: %w", folder, err)
}

func (c *Catalogue) watch(folder string) {
	if c.watcher == nil || c.watched[folder] {
		return
	}
	if err := c.watcher.Add(folder); err != nil {
		c.logger.Debug("folder is not watched by file events", "folder", folder, "error", err)
		return
	}
	c.watched[folder] = true
}

func (c *Catalogue) entry(path string, folder int) *entry {
	e, ok := c.entries[path]
	if !ok {
		e = &entry{order: fmt.Sprintf("%04d %s", folder, path)}
		c.entries[path] = e
	}
	return e
}

// visit decides what is to be done about one entry. It returns when to look again.
func (c *Catalogue) visit(path string, e *entry, program Program, print fingerprint, err error, now time.Time) time.Duration {
	if e.describing {
		return rescanInterval // settle compares the fingerprints
	}
	if err != nil {
		c.fail(e, path, err, now)
		e.print, e.judged = print, fingerprint{}
		return rescanInterval
	}
	if print == e.judged && (e.plugin != nil || e.broken != nil && now.Before(e.retryAt)) {
		return rescanInterval // nothing new
	}
	if print != e.print {
		e.print, e.seen, e.failures, e.retryAt = print, now, 0, time.Time{}
	}
	// Unchanged since long before the first look, or since we looked first.
	if now.Sub(print.changed()) < stableFor && now.Sub(e.seen) < stableFor {
		return stableFor
	}
	e.program = program
	if cached, ok := c.cache.byPrint(path, print); ok {
		program.Checksum = cached.Checksum
		e.judged = print
		c.accept(e, &Plugin{Program: program, Description: cached.Description})
		return rescanInterval
	}
	c.describe(e, program, print)
	return rescanInterval
}

// describe looks at an entry in a goroutine of its own.
func (c *Catalogue) describe(e *entry, program Program, print fingerprint) {
	e.describing = true
	c.owner.Go(func() {
		result := described{path: program.Path, print: print}
		select {
		case c.slots <- struct{}{}:
			result.plugin, result.err = c.look(program)
			<-c.slots
		case <-c.ctx.Done():
			result.err = c.ctx.Err()
		}
		c.results <- result // the owner reads until every goroutine is done
	})
}

func (c *Catalogue) look(program Program) (*Plugin, error) {
	ctx, cancel := context.WithTimeout(c.ctx, describeTimeout)
	defer cancel()
	checksum, err := program.checksum()
	if err != nil {
		return nil, err
	}
	program.Checksum = checksum
	if description, ok := c.cache.byChecksum(program.Path, checksum); ok { // touched, or written again
		return &Plugin{Program: program, Description: description}, nil
	}
	description, err := c.options.Describe(ctx, program)
	if err != nil {
		return nil, err
	}
	return &Plugin{Program: program, Description: description}, nil
}

// settle takes the result of describe.
func (c *Catalogue) settle(result described) {
	e := c.entries[result.path]
	e.describing = false
	_, print, err := readProgram(result.path)
	switch {
	case err != nil || print != result.print:
		// It changed meanwhile: what was seen may be a mixture. The scan comes to it again.
		e.print, e.seen = print, time.Now()
	case errors.Is(result.err, syscall.ETXTBSY):
		e.seen = time.Now() // still open for writing
	case result.err != nil:
		e.judged = print
		e.failures++
		now := time.Now()
		delay := min(retryFirst<<min(e.failures-1, 10), retryMax)
		c.fail(e, result.path, result.err, now)
		e.retryAt = now.Add(delay)
	default:
		e.judged = print
		c.cache.put(result.path, print, result.plugin)
		c.accept(e, result.plugin)
	}
	c.publish()
}

func (c *Catalogue) accept(e *entry, plugin *Plugin) {
	old := e.plugin
	e.plugin, e.broken = plugin, nil
	switch {
	case old == nil:
		c.logger.Info("plugin is available", "plugin", plugin.Description.Name, "version", plugin.Description.Version, "path", plugin.Path)
		c.tell(Event{Kind: Added, Path: plugin.Path, New: plugin})
	case old.Checksum != plugin.Checksum || !old.Description.equal(plugin.Description):
		c.logger.Info("plugin was replaced", "plugin", plugin.Description.Name, "version", plugin.Description.Version, "path", plugin.Path)
		c.tell(Event{Kind: Replaced, Path: plugin.Path, Old: old, New: plugin})
	}
}

func (c *Catalogue) fail(e *entry, path string, reason error, now time.Time) {
	text := reason.Error()
	if e.broken != nil && e.broken.Reason == text {
		return
	}
	old := e.plugin
	e.plugin, e.broken = nil, &Broken{Path: path, Reason: text, Since: now}
	c.logger.Warn("plugin cannot be used", "path", path, "reason", text)
	c.tell(Event{Kind: Failed, Path: path, Old: old, Reason: text})
}

func (c *Catalogue) remove(path string, e *entry) {
	delete(c.entries, path)
	delete(c.watched, path)
	if e.plugin != nil {
		c.logger.Info("plugin was removed; what runs of it goes on", "plugin", e.plugin.Description.Name, "path", path)
	}
	c.tell(Event{Kind: Removed, Path: path, Old: e.plugin})
}

// publish makes the new listing from the entries.
func (c *Catalogue) publish() {
	ordered := make([]*entry, 0, len(c.entries))
	paths := make(map[*entry]string, len(c.entries))
	for path, e := range c.entries {
		ordered = append(ordered, e)
		paths[e] = path
	}
	slices.SortFunc(ordered, func(a, b *entry) int { return strings.Compare(a.order, b.order) })
	var listing Listing
	for _, e := range ordered {
		switch {
		case e.plugin != nil:
			listing.Plugins = append(listing.Plugins, e.plugin)
		case e.broken != nil:
			listing.Broken = append(listing.Broken, *e.broken)
		}
		if e.describing || e.plugin == nil && e.broken == nil {
			listing.Pending = append(listing.Pending, paths[e])
		}
	}
	c.mu.Lock()
	c.listing = listing
	close(c.changed)
	c.changed = make(chan struct{})
	c.mu.Unlock()
	c.cache.save(func(path string) bool { _, ok := c.entries[path]; return ok })
}

func (c *Catalogue) tell(event Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for subscriber := range c.subscribers {
		select {
		case subscriber <- event:
		default:
			c.logger.Warn("a subscriber of plugin events does not read; an event was lost", "event", event.Kind, "path", event.Path)
		}
	}
}
