package plugin

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
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
