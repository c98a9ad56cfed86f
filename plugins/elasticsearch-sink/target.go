package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tailrace/tailrace/plugins/elasticsearch-sink/internal/bulk"
	"github.com/tailrace/tailrace/plugins/elasticsearch-sink/internal/document"
	"github.com/tailrace/tailrace/plugins/elasticsearch-sink/internal/index"
	"github.com/tailrace/tailrace/plugins/elasticsearch-sink/internal/rest"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// target is where the records of a topic go.
type target struct {
	topic, period string
	name          string
	verbs         *bulk.Verbs
	keyIgnore     bool
	schemaIgnore  bool
	// exists, mapped: what the server has, as far as is known.
	exists, mapped bool
}

// maxTargets bounds the targets that are remembered; with dated names there come more and more.
const maxTargets = 1000

// targets finds the target of a record. It belongs to the task's goroutine.
type targets struct {
	cfg    config
	format index.Format
	known  map[[2]string]*target
	last   *target
	// millis is the last timestamp seen and lastPeriod its period, because most records have the period of the one before.
	millis     int64
	lastPeriod string
}

func newTargets(c config) (*targets, error) {
	format, err := index.NewFormat(c.IndexFormat, c.IndexDate)
	return &targets{cfg: c, format: format, known: map[[2]string]*target{}, millis: -1}, err
}

func (t *targets) of(topic string, millis int64) (*target, error) {
	period := ""
	if t.format.Dated() && !t.cfg.stream() {
		if millis != t.millis {
			t.millis, t.lastPeriod = millis, t.format.Period(millis)
		}
		period = t.lastPeriod
	}
	if t.last != nil && t.last.topic == topic && t.last.period == period {
		return t.last, nil
	}
	key := [2]string{topic, period}
	if found := t.known[key]; found != nil {
		t.last = found
		return found, nil
	}
	name, err := t.name(topic, period)
	if err != nil {
		return nil, &document.Error{Reason: err.Error()}
	}
	verbs, err := bulk.NewVerbs(name)
	if err != nil {
		return nil, &document.Error{Reason: err.Error()}
	}
	if len(t.known) >= maxTargets {
		clear(t.known) // those in use come back with one request each
	}
	t.last = &target{
		topic: topic, period: period, name: name, verbs: verbs,
		keyIgnore:    t.cfg.KeyIgnore || slices.Contains(t.cfg.KeyIgnoreTo, topic),
		schemaIgnore: t.cfg.SchemaIgnore || slices.Contains(t.cfg.SchemaIgnTo, topic),
	}
	t.known[key] = t.last
	return t.last, nil
}

func (t *targets) name(topic, period string) (string, error) {
	if !t.cfg.stream() {
		return t.format.Name(topic, period)
	}
	if t.cfg.PlainStream {
		if t.cfg.StreamPrefix != "" {
			topic = t.cfg.StreamPrefix + "-" + topic
		}
		return index.Clean(topic)
	}
	kind := t.cfg.StreamType
	if kind == "CUSTOM" {
		kind = t.cfg.StreamName
	}
	return index.StreamName(kind, t.cfg.StreamSet, t.cfg.StreamSpace, topic)
}

// prepare makes the index or data stream of a target, and its mapping from a schema, where they are missing.
func (t *targets) prepare(ctx context.Context, client *rest.Client, to *target, s *data.Schema) error {
	wantMapping := !to.schemaIgnore && !t.cfg.stream()
	if to.exists && (to.mapped || !wantMapping) {
		return nil
	}
	var mapping []byte
	var err error
	if wantMapping {
		if mapping, err = index.Mapping(s, t.cfg.CompactMaps); err != nil {
			return &document.Error{Reason: err.Error()}
		}
	}
	if to.exists, to.mapped, err = client.HasMapping(ctx, to.name); err != nil {
		return fmt.Errorf("look at index %s: %w", to.name, err)
	}
	switch {
	case to.exists && wantMapping && !to.mapped:
		err = client.PutMapping(ctx, to.name, mapping)
	case to.exists:
	case t.cfg.stream():
		err = client.CreateStream(ctx, to.name)
	default:
		err = client.CreateIndex(ctx, to.name, mapping)
	}
	var refused *rest.StatusError
	if errors.As(err, &refused) && !rest.Passes(err) && mapping != nil {
		return fmt.Errorf("make index %s with a mapping of the records' schema (schema.ignore=true leaves it to the server): %w", to.name, err)
	}
	if err != nil {
		return fmt.Errorf("make index %s: %w", to.name, err)
	}
	to.exists, to.mapped = true, to.mapped || wantMapping
	return nil
}
