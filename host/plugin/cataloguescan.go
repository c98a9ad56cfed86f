package plugin

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

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
