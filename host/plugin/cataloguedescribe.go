package plugin

import (
	"context"
	"errors"
	"syscall"
	"time"
)

// described is the result of looking at an entry.
type described struct {
	path   string
	print  fingerprint
	plugin *Plugin
	err    error
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
