package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tailrace/tailrace/plugins/jdbc-source/internal/dialect"
	"github.com/tailrace/tailrace/plugins/jdbc-source/internal/plan"
	connect "github.com/tailrace/tailrace/sdk/go"
)

const (
	listTimeout     = 30 * time.Second // of one list of tables
	validateTimeout = 4 * time.Second  // of connecting while a configuration is checked
)

// connector looks which tables there are and deals them out. A goroutine of its own watches them.
type connector struct {
	raw     connect.Config
	cfg     config
	db      dialect.Database
	choose  *chooser
	host    *connect.ConnectorContext
	stop    context.CancelFunc
	watcher sync.WaitGroup

	mu       sync.Mutex
	tables   []dialect.Table
	unlisted error // why the tables are not known; nil when they are
}

func (c *connector) Start(ctx context.Context, raw connect.Config, host *connect.ConnectorContext) error { //nolint:contextcheck // the watcher outlives Start, Stop ends it
	c.raw, c.host = raw, host
	if err := connect.BindWith(definition(), raw, &c.cfg); err != nil {
		return err
	}
	if issues := c.cfg.conflicts(); len(issues) > 0 {
		return &connect.ConfigError{Issues: issues}
	}
	var err error
	var warnings []string
	if c.db, warnings, err = c.cfg.database(); err != nil {
		return fmt.Errorf("key \"connection.url\": %w", err)
	}
	for _, text := range append(warnings, definition().Unused(raw, families...)...) {
		host.Log().Warn(text)
	}
	if c.choose, err = newChooser(&c.cfg); err != nil {
		return err
	}
	if c.cfg.query() != "" {
		return nil
	}
	watch, stop := context.WithCancel(context.Background())
	c.stop = stop
	// A database that is down now is no reason to fail: the watcher finds its tables when it is back.
	if err := c.look(ctx); err != nil && !c.db.Retriable(err) {
		return err
	} else if err != nil {
		host.Log().Warn("the tables cannot be listed yet", "error", err)
		c.unlisted = err
	}
	c.watcher.Go(func() { c.watch(watch) })
	return nil
}

// look lists the tables.
func (c *connector) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	conn, err := c.db.Connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	all, err := conn.Tables(ctx, c.cfg.Types)
	if err != nil {
		return err
	}
	tables, err := c.choose.choose(all)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.Equal(tables, c.tables) || c.unlisted != nil {
		c.tables, c.unlisted = tables, nil
		c.host.RequestReconfiguration()
	}
	return nil
}

// watch notices new and dropped tables. While the database cannot be reached it looks more often, up to every interval.
func (c *connector) watch(ctx context.Context) {
	defer func() {
		if p := recover(); p != nil {
			c.host.RaiseError(fmt.Errorf("the watch over the tables panicked: %v", p))
		}
	}()
	c.mu.Lock()
	known := c.unlisted == nil
	c.mu.Unlock()
	for {
		wait := c.cfg.TablePoll
		if !known {
			wait = min(wait, max(c.cfg.Backoff, time.Second))
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		switch err := c.look(ctx); {
		case err == nil:
			known = true
		case ctx.Err() != nil:
			return
		case c.db.Retriable(err):
			known = false
			c.host.Log().Warn("the tables cannot be listed; trying again", "error", err)
		default:
			c.host.RaiseError(err)
			return
		}
	}
}

// TaskConfigs deals out the shares of the tables in turn. The order of the tables is that of their names, so the same
// tables give the same tasks.
func (c *connector) TaskConfigs(_ context.Context, maxTasks int) ([]connect.Config, error) {
	if c.cfg.query() != "" {
		return []connect.Config{c.raw.Clone()}, nil
	}
	c.mu.Lock()
	tables, unlisted := slices.Clone(c.tables), c.unlisted
	c.mu.Unlock()
	if unlisted != nil { // the tasks of before go on, and find the database as soon as it is back
		return nil, connect.Retriable(fmt.Errorf("the tables cannot be listed: %w", unlisted), 0)
	}
	if len(tables) == 0 {
		c.host.Log().Warn("there is no table to read; look at the keys of the group Tables")
		return nil, nil
	}
	splits := int(c.cfg.Split)
	if splits > 1 {
		// One task for each share of the tables; more tables than a share has tasks are read by it in turn.
		if maxTasks < splits {
			return nil, fmt.Errorf("table.split is %d, but tasks.max allows only %d tasks; raise tasks.max", splits, maxTasks)
		}
	}
	groups := min(maxTasks/splits, len(tables))
	var configs []connect.Config
	for g := range groups {
		var mine []dialect.Table
		for i := g; i < len(tables); i += groups {
			mine = append(mine, tables[i])
		}
		text, err := encodeTables(mine)
		if err != nil {
			return nil, err
		}
		for s := range splits {
			configs = append(configs, c.raw.With("task.tables", text, "task.split.index", strconv.Itoa(s)))
		}
	}
	return configs, nil
}

func (c *connector) Stop(context.Context) error {
	if c.stop != nil {
		c.stop()
		c.watcher.Wait()
	}
	return nil
}

// Validate looks at rules between keys, and whether the database lets us in.
func (c *connector) Validate(ctx context.Context, raw connect.Config) []connect.ConfigIssue {
	var cfg config
	if err := connect.BindWith(definition(), raw, &cfg); err != nil {
		return []connect.ConfigIssue{{Key: "connection.url", Message: err.Error()}}
	}
	if issues := cfg.conflicts(); len(issues) > 0 {
		return issues
	}
	// The address may hold a password, so its value is not part of the message.
	refuse := func(err error) []connect.ConfigIssue {
		return []connect.ConfigIssue{connect.HiddenValue("connection.url", err.Error())}
	}
	db, _, err := cfg.database()
	if err != nil {
		return refuse(err)
	}
	ctx, cancel := context.WithTimeout(ctx, validateTimeout)
	defer cancel()
	conn, err := db.Connect(ctx)
	if err != nil {
		return refuse(err)
	}
	defer conn.Close()
	if _, err := conn.Now(ctx); err != nil {
		return refuse(err)
	}
	return nil
}

// AlterOffsets checks offsets that a user sets.
func (c *connector) AlterOffsets(_ context.Context, _ connect.Config, offsets []connect.PartitionOffset) error {
	for _, o := range offsets {
		if _, table := o.Partition["table"]; !table {
			if _, query := o.Partition["query"]; !query {
				return errors.New("a partition should have the key \"table\" (and \"protocol\": \"1\") or \"query\"")
			}
		}
		if o.Offset == nil {
			continue
		}
		for key := range o.Offset {
			if !slices.Contains([]string{plan.IncrementingKey, plan.TimestampKey, plan.NanosKey}, key) {
				return fmt.Errorf("the offset's key %q is none of %s", key, strings.Join([]string{plan.IncrementingKey, plan.TimestampKey, plan.NanosKey}, ", "))
			}
		}
		if _, err := plan.FromOffset(o.Offset); err != nil {
			return err
		}
	}
	return nil
}

// ExactlyOnceSupport: with an incrementing column each row has a place of its own; without one, rows of one moment share
// it, and bulk has none.
func (c *connector) ExactlyOnceSupport(_ context.Context, raw connect.Config) (bool, error) {
	mode, err := plan.ParseMode(raw["mode"])
	return err == nil && mode.HasInc(), nil
}
