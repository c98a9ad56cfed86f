package loggers

import (
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// maxSet bounds the loggers whose levels were set; any client of the API can invent names.
const maxSet = 1_000

// Logger is what a client sees of a logger.
type Logger struct {
	Level string `json:"level"`
	// LastModifiedMillis is null until the level is changed.
	LastModifiedMillis *int64 `json:"last_modified"`
}

// setting is a level that was set.
type setting struct {
	name     string // as Log4j 2 calls it
	level    slog.Level
	modified int64 // milliseconds; 0 when it is as at the start
}

// table is the settings at one time; it never changes.
type table struct {
	set map[string]setting
	// lowest is the least severe level that any logger lets through.
	lowest slog.Level
}

// Registry holds the levels. Its methods may be called from any goroutine.
type Registry struct {
	current atomic.Pointer[table]
	mu      sync.Mutex // of Set and OnChange
	heard   []func()
	tail    *Tail
}

// New makes a registry in which every logger has one level.
func New(root slog.Level) *Registry {
	r := &Registry{tail: NewTail()}
	r.current.Store(&table{set: map[string]setting{Root: {name: nameOf(root), level: root}}, lowest: root})
	return r
}

// Tail has the lines that went through Handler.
func (r *Registry) Tail() *Tail { return r.tail }

// OnChange calls f after each change, from the goroutine that made it. f must not block or call Set.
func (r *Registry) OnChange(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.heard = append(r.heard, f)
}

// find is the setting that counts for a logger, and whether it is one other than the root's.
func (t *table) find(name string) (setting, bool) {
	for ; name != "" && name != Root; name = above(name) {
		if s, ok := t.set[name]; ok {
			return s, true
		}
	}
	return t.set[Root], false
}

// List shows the root, the host's own loggers and those that were set.
func (r *Registry) List() map[string]Logger {
	t := r.current.Load()
	out := map[string]Logger{}
	for _, s := range sources {
		out[s.name], _ = t.show(s.name)
	}
	for name := range t.set {
		out[name], _ = t.show(name)
	}
	return out
}

// Get shows one logger; false when nobody has heard of it.
func (r *Registry) Get(name string) (Logger, bool) { return r.current.Load().show(meant(name)) }

// meant knows the root in any case of letters, as Log4j.
func meant(name string) string {
	if strings.EqualFold(name, Root) {
		return Root
	}
	return name
}

func (t *table) show(name string) (Logger, bool) {
	own, set := t.set[name]
	if !set {
		if !known(name) {
			return Logger{}, false
		}
		own, _ = t.find(name)
		own.modified = 0 // what changed was another logger
	}
	l := Logger{Level: own.name}
	if own.modified != 0 {
		l.LastModifiedMillis = &own.modified
	}
	return l, true
}

func known(name string) bool {
	return name == Root || slices.ContainsFunc(sources, func(s struct{ pkg, file, name string }) bool { return s.name == name })
}

// Set gives a logger and all known ones below it a level, and returns the names of those whose level changed, sorted.
// It does nothing and returns nil when too many loggers were set.
func (r *Registry) Set(name, levelName string, level slog.Level, now time.Time) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.current.Load()
	name = meant(name)
	names := []string{name}
	for other := range r.List() {
		if name == Root && other != Root || strings.HasPrefix(other, name+".") {
			names = append(names, other)
		}
	}
	next := &table{set: maps.Clone(old.set)}
	changed := []string{}
	for _, n := range names {
		was, _ := old.find(n)
		_, set := old.set[n]
		switch {
		case was.level == level && (set || known(n)):
			continue
		case was.level == level: // it is known from now on, and not changed
			next.set[n] = setting{name: levelName, level: level}
			continue
		}
		next.set[n] = setting{name: levelName, level: level, modified: now.UnixMilli()}
		changed = append(changed, n)
	}
	if len(next.set) > maxSet {
		return nil
	}
	next.lowest = levelOff
	for _, s := range next.set {
		next.lowest = min(next.lowest, s.level)
	}
	r.current.Store(next)
	for _, f := range r.heard {
		f()
	}
	slices.Sort(changed)
	return changed
}

// ConnectorLevel is what a connector's plugin is to send.
func (r *Registry) ConnectorLevel(connector string) slog.Level {
	s, _ := r.current.Load().find(connectorPrefix + connector)
	return s.level
}
