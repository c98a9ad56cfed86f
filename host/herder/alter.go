package herder

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/config/javamap"
	"github.com/tailrace/tailrace/host/convert"
	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/plugin"
	"github.com/tailrace/tailrace/host/store"
	"github.com/tailrace/tailrace/host/task"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// AlterOffsets implements Herder: single offsets of a stopped connector are set or reset (KIP-875).
func (s *core) AlterOffsets(ctx context.Context, name string, changes []OffsetChange) (string, error) {
	if len(changes) == 0 {
		return "", failed(BadRequest, "Partitions / offsets need to be provided for an alter offsets request")
	}
	return s.modifyOffsets(ctx, name, "altered", changes)
}

// ResetOffsets implements Herder: a stopped connector forgets where it was.
func (s *core) ResetOffsets(ctx context.Context, name string) (string, error) {
	return s.modifyOffsets(ctx, name, "reset", nil)
}

// modifyOffsets changes the offsets of a stopped connector; without changes it resets all of them.
func (s *core) modifyOffsets(ctx context.Context, name, done string, changes []OffsetChange) (string, error) {
	c, unlock, err := s.holdStopped(name)
	if err != nil {
		return "", err
	}
	defer unlock()
	ctx, cancel := context.WithTimeout(ctx, offsetsTimeout)
	defer cancel()
	if s.quiet != nil {
		if err := s.quiet(ctx, name); err != nil {
			return "", err
		}
	}
	resolveCtx, cancelResolve := context.WithTimeout(ctx, resolveTimeout)
	defer cancelResolve()
	resolved, err := s.plugins.Resolve(resolveCtx, javaTrim(c.Config["connector.class"]), config.VersionSetting(c.Config, "connector.plugin.version"))
	if err != nil {
		return "", err
	}
	var handled bool
	if resolved.Connector.Kind == plugin.Sink {
		handled, err = s.modifySink(ctx, name, c.Config, resolved, changes)
	} else {
		handled, err = s.modifySource(ctx, name, c.Config, resolved, changes)
	}
	switch {
	case err != nil:
		return "", err
	case handled:
		return "The offsets for this connector have been " + done + " successfully", nil
	}
	return "The Connect framework-managed offsets for this connector have been " + done + " successfully. However, if this connector " +
		"manages offsets externally, they will need to be manually " + done + " in the system that the connector uses.", nil
}

// holdStopped makes sure that a connector is stopped and stays so until unlock.
func (s *core) holdStopped(name string) (c store.ConnectorSnapshot, unlock func(), err error) {
	s.holding.Lock()
	defer s.holding.Unlock()
	c, ok := s.configs.Snapshot().Connectors[name]
	switch {
	case !ok:
		return c, nil, notFound(name)
	case c.TargetState != store.TargetStopped || len(c.Tasks) > 0:
		return c, nil, failed(BadRequest, "Connectors must be in the STOPPED state before their offsets can be modified. "+
			"This can be done for the specified connector by issuing a 'PUT' request to the '/connectors/%s/stop' endpoint", name)
	case s.held[name]:
		return c, nil, s.heldError(name)
	}
	s.held[name] = true
	return c, func() {
		s.holding.Lock()
		defer s.holding.Unlock()
		delete(s.held, name)
	}, nil
}

func (s *core) isHeld(name string) bool {
	s.holding.Lock()
	defer s.holding.Unlock()
	return s.held[name]
}

func (s *core) heldError(name string) *Error {
	e := failed(Conflict, "The offsets of connector %s are being modified by another request; try again when it is done", name)
	e.RetryAfter = retrySoon
	return e
}

// modifySource tells the connector of its new source offsets and stores them.
func (s *core) modifySource(ctx context.Context, name string, props map[string]string, resolved plugin.Resolved, changes []OffsetChange) (bool, error) {
	if s.alone != nil {
		if err := s.alone(ctx, name); err != nil {
			return false, fmt.Errorf("fence the tasks of connector %s: %w", name, err)
		}
	}
	offsets, release, err := s.openOffsets(ctx, name, props)
	if err != nil {
		return false, err
	}
	defer release()
	stored, err := offsets.Connector(ctx, name)
	if err != nil {
		return false, fmt.Errorf("read the offsets of connector %s: %w", name, err)
	}
	book, err := newSourceChanges(name, stored)
	if err != nil {
		return false, err
	}
	if changes == nil {
		err = book.resetAll()
	}
	for _, change := range changes {
		if err == nil {
			err = book.add(change)
		}
	}
	if err != nil {
		return false, err
	}
	handled, err := s.tellOffsets(ctx, name, props, resolved, offsets, book.told, nil)
	if err != nil {
		return false, err
	}
	if err := offsets.Put(ctx, book.entries); err != nil {
		return false, fmt.Errorf("store the offsets of connector %s: %w", name, err)
	}
	return handled, nil
}

// sourceChanges collects what the connector is told and what is stored.
type sourceChanges struct {
	connector string
	json      convert.Converter
	// keys are the stored keys by the canonical text of their partition: an entry keeps the bytes that it has.
	keys    map[string][]byte
	told    []plugin.OffsetChange
	entries []store.OffsetEntry
	at      map[string]int // place in told and entries by key: the last change of a partition wins
}

func newSourceChanges(connector string, stored []store.OffsetEntry) (*sourceChanges, error) {
	c, err := convert.New("JsonConverter", map[string]string{"schemas.enable": "false"}, false)
	if err != nil {
		return nil, err
	}
	b := &sourceChanges{connector: connector, json: c, keys: map[string][]byte{}, at: map[string]int{}}
	for _, e := range stored {
		if _, partition, err := store.SplitOffsetKey(e.Key); err == nil && e.Value != nil {
			b.keys[canonical(partition)] = e.Key
		}
	}
	return b, nil
}

func (b *sourceChanges) resetAll() error {
	for _, key := range b.keys {
		_, partition, err := store.SplitOffsetKey(key)
		if err != nil {
			return err
		}
		if err := b.add(OffsetChange{Partition: partition}); err != nil {
			return err
		}
	}
	return nil
}

func (b *sourceChanges) add(change OffsetChange) error {
	for _, part := range []json.RawMessage{change.Partition, change.Offset} {
		if err := checkPrimitive(part); err != nil {
			return err
		}
	}
	partition, text, err := b.normal(change.Partition)
	if err != nil {
		return err
	}
	told := plugin.OffsetChange{Partition: partition}
	entry := store.OffsetEntry{}
	if !isNull(change.Offset) {
		if told.Offset, entry.Value, err = b.normal(change.Offset); err != nil {
			return err
		}
	}
	known := false
	if entry.Key, known = b.keys[canonical(text)]; !known {
		if entry.Key, err = store.OffsetKey(b.connector, text); err != nil {
			return err
		}
	}
	if i, again := b.at[string(entry.Key)]; again {
		b.told[i], b.entries[i] = told, entry
		return nil
	}
	b.at[string(entry.Key)] = len(b.told)
	b.told, b.entries = append(b.told, told), append(b.entries, entry)
	return nil
}

// normal is a value in wire form, and as the JSON that Kafka Connect stores: it reads an object into a HashMap.
func (b *sourceChanges) normal(text json.RawMessage) (wire, normal []byte, err error) {
	if isNull(text) {
		text = json.RawMessage("null")
	}
	_, wire, err = b.json.ToConnect(nil, "", text)
	if err != nil {
		return nil, nil, failed(BadRequest, "%s is not readable: %s", text, err)
	}
	if wire, err = inJavaOrder(wire); err != nil {
		return nil, nil, err
	}
	normal, _, err = b.json.FromConnect(nil, "", nil, wire)
	if normal == nil {
		normal = []byte("null")
	}
	return wire, normal, err
}

// inJavaOrder puts the entries of an object in wire form into the order of a HashMap.
func inJavaOrder(wire []byte) ([]byte, error) {
	v, err := data.DecodeValue(nil, wire)
	m, ok := v.(*data.Map)
	if err != nil || !ok || m.Len() < 2 {
		return wire, err
	}
	names := make([]string, 0, m.Len())
	for _, e := range m.Entries() {
		names = append(names, e.Key.(string)) // of a JSON object
	}
	ordered := data.NewMapValue()
	for _, name := range javamap.Order(names) {
		value, _ := m.Get(name)
		ordered.Put(name, value)
	}
	return data.AppendValue(nil, nil, ordered)
}

// checkPrimitive refuses what Kafka Connect cannot store: a partition and an offset are flat.
func checkPrimitive(text json.RawMessage) error {
	if isNull(text) {
		return nil
	}
	var members map[string]any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&members); err != nil {
		return failed(BadRequest, "a partition and an offset must be JSON objects, not %s", text)
	}
	for name, v := range members {
		what := ""
		switch v := v.(type) {
		case map[string]any:
			what = "MAP"
		case []any:
			what = "ARRAY"
		case json.Number:
			if n, ok := new(big.Int).SetString(v.String(), 10); ok && !n.IsInt64() {
				what = "class java.math.BigInteger"
			}
		}
		if what != "" {
			return failed(Internal, "Offsets may only contain primitive types as values, but field %s contains %s", name, what)
		}
	}
	return nil
}

func isNull(text json.RawMessage) bool {
	return len(text) == 0 || string(bytes.TrimSpace(text)) == "null"
}

// canonical is the same text for the same object in any order.
func canonical(text []byte) string {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil || len(members) < 2 {
		return string(text)
	}
	sorted, err := json.Marshal(members)
	if err != nil {
		return string(text)
	}
	return string(sorted)
}

// tellOffsets asks the connector, which does not run, to check and note its new offsets. handled says that the connector
// knows them to be right.
func (s *core) tellOffsets(ctx context.Context, name string, props map[string]string, resolved plugin.Resolved, offsets store.OffsetStore,
	source []plugin.OffsetChange, sink []plugin.KafkaOffsetChange,
) (handled bool, err error) {
	launch, resolution := s.launch(name, resolved, props)
	err = s.checks.with(ctx, s.processes, launch, func(instance *plugin.Instance) error {
		stream, err := instance.InitializeConnector(ctx, plugin.ConnectorStart{
			Connector: resolved.Connector.Name, Name: name, Config: resolution.Props, LogLevel: slog.LevelInfo,
			Offsets: task.OffsetReader(name, offsets),
		})
		if err != nil {
			return err
		}
		defer stream.Close()
		handled, err = stream.AlterOffsets(ctx, resolution.Props, source, sink)
		return err
	})
	var refused *plugin.RemoteError
	switch {
	case errors.Is(err, plugin.ErrUnsupported):
		return false, nil
	case errors.As(err, &refused):
		return false, failed(Internal, "%s", launch.Mask(refused.Message))
	case err != nil:
		return false, failed(Internal, "Failed to modify offsets for connector %s: %s", name, launch.Mask(err.Error()))
	}
	return handled, nil
}

// modifySink changes the offsets of a sink's consumer group.
func (s *core) modifySink(ctx context.Context, name string, props map[string]string, resolved plugin.Resolved, changes []OffsetChange) (bool, error) {
	wanted, err := readSinkChanges(changes)
	if err != nil {
		return false, err
	}
	admin, group, err := s.groupAdmin(name, props)
	if err != nil {
		return false, err
	}
	defer admin.Close()
	if changes == nil {
		committed, err := admin.GroupOffsets(ctx, group)
		if err != nil {
			return false, fmt.Errorf("Failed to list offsets for sink connector %s: %w", name, err) //nolint:staticcheck // Kafka Connect's words
		}
		for tp := range committed {
			wanted = append(wanted, plugin.KafkaOffsetChange{Topic: tp.Topic, Partition: tp.Partition})
		}
	}
	for _, w := range wanted {
		if w.Offset != nil && *w.Offset < 0 {
			return false, failed(Internal, "Failed to modify offsets for sink connector %s", name)
		}
	}
	handled, err := s.tellOffsets(ctx, name, props, resolved, s.offsets, nil, wanted)
	if err != nil {
		return false, err
	}
	if changes == nil {
		return handled, sinkError(name, "reset", admin.DeleteGroup(ctx, group))
	}
	set := map[kafka.TopicPartition]int64{}
	var remove []kafka.TopicPartition
	for _, w := range wanted {
		tp := kafka.TopicPartition{Topic: w.Topic, Partition: w.Partition}
		if w.Offset == nil {
			remove = append(remove, tp)
		} else {
			set[tp] = *w.Offset
		}
	}
	if len(set) > 0 {
		if err := admin.AlterGroupOffsets(ctx, group, set); err != nil {
			return false, sinkError(name, "alter", err)
		}
	}
	if len(remove) > 0 {
		err = admin.DeleteGroupOffsets(ctx, group, remove)
	}
	return handled, sinkError(name, "alter", err)
}

func sinkError(name, verb string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, kafka.ErrGroupNotEmpty):
		e := failed(Internal, "Failed to %s consumer group offsets for connector %s either because its tasks haven't stopped completely yet "+
			"or the connector was resumed before the request could be completed. If the connector is in a stopped state, this can be tried again.", verb, name)
		e.RetryAfter = retrySoon
		return e
	}
	return failed(Internal, "Failed to %s consumer group offsets for connector %s", verb, name)
}

// readSinkChanges reads the offsets of a sink; the texts are Kafka Connect's.
func readSinkChanges(changes []OffsetChange) ([]plugin.KafkaOffsetChange, error) {
	var out []plugin.KafkaOffsetChange
	for _, c := range changes {
		if isNull(c.Partition) {
			return nil, failed(BadRequest, "The partition for a sink connector offset cannot be null or missing")
		}
		partition, offset := members(c.Partition), members(c.Offset)
		topic, hasTopic := partition["kafka_topic"]
		number, hasNumber := partition["kafka_partition"]
		if !hasTopic || !hasNumber {
			return nil, failed(BadRequest, "The partition for a sink connector offset must contain the keys 'kafka_topic' and 'kafka_partition'")
		}
		if topic == nil {
			return nil, failed(BadRequest, "Kafka topic names must be valid strings and may not be null")
		}
		if number == nil {
			return nil, failed(BadRequest, "Kafka partitions must be valid numbers and may not be null")
		}
		n, err := strconv.ParseInt(javaText(number), 10, 32)
		if err != nil {
			return nil, failed(BadRequest, "Failed to parse the following Kafka partition value in the provided offsets: '%s'. "+
				"Partition values for sink connectors need to be integers.", javaText(number))
		}
		change := plugin.KafkaOffsetChange{Topic: javaText(topic), Partition: int32(n)}
		if !isNull(c.Offset) {
			value, ok := offset["kafka_offset"]
			if !ok {
				return nil, failed(BadRequest, "The offset for a sink connector should either be null or contain the key 'kafka_offset'")
			}
			at, err := strconv.ParseInt(javaText(value), 10, 64)
			if err != nil {
				return nil, failed(BadRequest, "Failed to parse the following Kafka offset value in the provided offsets: '%s'. "+
					"Offset values for sink connectors need to be integers.", javaText(value))
			}
			change.Offset = &at
		}
		out = append(out, change)
	}
	return out, nil
}

// members reads an object; numbers keep their text.
func members(text json.RawMessage) map[string]any {
	var m map[string]any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if d.Decode(&m) != nil {
		return nil
	}
	return m
}

// javaText is String.valueOf for what JSON can hold.
func javaText(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return v
	case []any:
		parts := make([]string, 0, len(v))
		for _, one := range v {
			parts = append(parts, javaText(one))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case map[string]any:
		parts := make([]string, 0, len(v))
		for _, k := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, k+"="+javaText(v[k]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return fmt.Sprint(v)
}

// launch says for whom a process is wanted that asks a connector, and gives its configuration with secrets resolved.
func (s *core) launch(name string, resolved plugin.Resolved, props map[string]string) (plugin.Launch, config.Resolution) {
	resolution := s.settings.Providers.Resolve(props)
	masker := resolution.Masker(definition(resolved.Connector.ConfigKeys))
	launch := plugin.Launch{Plugin: resolved.Plugin, Connector: name, Task: plugin.NoTask, Isolation: plugin.IsolateConnector, Mask: masker.Text}
	if c, err := config.ParseConnector(kindOf(resolved.Connector.Kind), props, s.settings); err == nil {
		launch.Env, launch.Limits = c.Process.Env, limits(c.Process)
		if c.Process.Isolation == config.IsolateTask {
			launch.Isolation = plugin.IsolateTask
		}
	}
	return launch, resolution
}
