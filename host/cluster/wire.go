package cluster

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
)

// The names of the subprotocols, best first, and the version that each writes.
const (
	ProtocolSessioned  = "sessioned"  // cooperative, with signed requests between workers
	ProtocolCompatible = "compatible" // cooperative
	ProtocolEager      = "default"    // stop everything at each rebalance

	versionEager      int16 = 0
	versionCompatible int16 = 1
	versionSessioned  int16 = 2
)

// AssignmentError is why a leader gave no work.
type AssignmentError int16

const (
	// NoError says that the assignment counts.
	NoError AssignmentError = 0
	// ConfigMismatch says that the leader could not read the config topic as far as a member
	// has; join again.
	ConfigMismatch AssignmentError = 1
)

// ConnectorTask is the task number that stands for the connector itself.
const ConnectorTask = -1

// Item is one thing to run: a connector (Task is ConnectorTask) or one of its tasks.
type Item struct {
	Connector string
	Task      int
}

// IsConnector says that it is no task.
func (i Item) IsConnector() bool { return i.Task == ConnectorTask }

// String is "name" for a connector and "name-0" for a task.
func (i Item) String() string {
	if i.IsConnector() {
		return i.Connector
	}
	return fmt.Sprintf("%s-%d", i.Connector, i.Task)
}

// Metadata is what a member says of itself when it joins.
type Metadata struct {
	Version      int16
	URL          string // of its REST API, with a trailing slash
	ConfigOffset int64  // how far it has read the config topic: ConfigSnapshot.Version
	// Current is what it runs; nil in version 0 and when there is nothing to say.
	Current *Assignment
	// Plugins are the classes of connectors and of plugins' transforms that it can run, sorted; nil means all that
	// are asked for. They follow the fields that Kafka Connect knows, which it skips.
	Plugins []string
	// Loads are the bytes a second that tasks here move, of those that matter; 0 says that it is measured and too little to
	// matter. They follow the plugins, which must be told then.
	Loads []Load
}

// Load is what a task moves.
type Load struct {
	Item           Item
	BytesPerSecond int64
}

// Assignment is what a leader gives to a member, and what a member reports back.
type Assignment struct {
	Version      int16
	Err          AssignmentError
	Leader       string // member id
	LeaderURL    string
	ConfigOffset int64 // what the leader had read
	// Assigned is everything in version 0, what is new in later versions, and what
	// runs in a report.
	Assigned []Item
	Revoked  []Item        // to be stopped before the next join; since version 1
	Delay    time.Duration // join again after it, in whole milliseconds; since version 1
}

// They tell our own parts of the metadata from padding. Kafka Connect
// reads the fields that it knows and nothing behind them.
const (
	pluginsMagic uint32 = 0x54525031 // "TRP1"
	loadsMagic   uint32 = 0x54524c31 // "TRL1"
)

// errTruncated is a message that ends before its last field.
var errTruncated = errors.New("the message is cut off")

// EncodeMetadata writes it in its version.
func EncodeMetadata(m Metadata) []byte {
	w := writer{}
	w.int16(m.Version)
	w.string(m.URL)
	w.int64(m.ConfigOffset)
	if m.Version >= versionCompatible {
		if m.Current == nil {
			w.int32(-1)
		} else {
			b := EncodeAssignment(*m.Current)
			w.int32(int32(len(b)))
			w.b = append(w.b, b...)
		}
		if m.Plugins != nil {
			w.b = binary.BigEndian.AppendUint32(w.b, pluginsMagic)
			w.int32(int32(len(m.Plugins)))
			for _, p := range m.Plugins {
				w.string(p)
			}
			w.loads(m.Loads)
		}
	}
	return w.b
}

// DecodeMetadata reads any version from 0; of versions to come it reads what is known.
func DecodeMetadata(b []byte) (Metadata, error) {
	r := reader{b: b}
	m := Metadata{Version: r.int16(), URL: r.string(), ConfigOffset: r.int64()}
	if m.Version >= versionCompatible {
		if current := r.bytes(); current != nil && r.err == nil {
			a, err := DecodeAssignment(current)
			if err != nil {
				return Metadata{}, fmt.Errorf("current assignment: %w", err)
			}
			m.Current = &a
		}
		if len(r.b) >= 8 && binary.BigEndian.Uint32(r.b) == pluginsMagic {
			r.b = r.b[4:]
			n := r.count(2)
			m.Plugins = make([]string, 0, n)
			for range n {
				m.Plugins = append(m.Plugins, r.string())
			}
			m.Loads = r.loads()
		}
	}
	if m.Version < 0 && r.err == nil {
		r.err = fmt.Errorf("version %d is not known", m.Version)
	}
	if r.err != nil {
		return Metadata{}, fmt.Errorf("member metadata: %w", r.err)
	}
	return m, nil
}

// EncodeAssignment writes it in its version.
func EncodeAssignment(a Assignment) []byte {
	w := writer{}
	w.int16(a.Version)
	w.int16(int16(a.Err))
	w.string(a.Leader)
	w.string(a.LeaderURL)
	w.int64(a.ConfigOffset)
	w.items(a.Assigned)
	if a.Version >= versionCompatible {
		w.items(a.Revoked)
		w.int32(int32(min(a.Delay.Milliseconds(), math.MaxInt32)))
	}
	return w.b
}

// DecodeAssignment reads any version from 0; of versions to come it reads what is known.
func DecodeAssignment(b []byte) (Assignment, error) {
	r := reader{b: b}
	a := Assignment{
		Version: r.int16(), Err: AssignmentError(r.int16()), Leader: r.string(), LeaderURL: r.string(),
		ConfigOffset: r.int64(), Assigned: r.items(),
	}
	if a.Version >= versionCompatible {
		a.Revoked = r.items()
		a.Delay = time.Duration(r.int32()) * time.Millisecond
	}
	if a.Version < 0 && r.err == nil {
		r.err = fmt.Errorf("version %d is not known", a.Version)
	}
	if r.err != nil {
		return Assignment{}, fmt.Errorf("assignment: %w", r.err)
	}
	return a, nil
}

// writer appends Kafka's classic primitive types.
type writer struct{ b []byte }

func (w *writer) int16(v int16) { w.b = binary.BigEndian.AppendUint16(w.b, uint16(v)) }
func (w *writer) int32(v int32) { w.b = binary.BigEndian.AppendUint32(w.b, uint32(v)) }
func (w *writer) int64(v int64) { w.b = binary.BigEndian.AppendUint64(w.b, uint64(v)) }

// string cuts what the length field cannot tell; names that long cannot be keys of
// the config topic's URLs either.
func (w *writer) string(s string) {
	s = s[:min(len(s), math.MaxInt16)]
	w.int16(int16(len(s)))
	w.b = append(w.b, s...)
}

func (w *writer) loads(loads []Load) {
	if len(loads) == 0 {
		return
	}
	w.b = binary.BigEndian.AppendUint32(w.b, loadsMagic)
	w.int32(int32(len(loads)))
	for _, l := range loads {
		w.string(l.Item.Connector)
		w.int32(int32(l.Item.Task))
		w.int64(l.BytesPerSecond)
	}
}

func (r *reader) loads() []Load {
	if len(r.b) < 8 || binary.BigEndian.Uint32(r.b) != loadsMagic {
		return nil
	}
	r.b = r.b[4:]
	var loads []Load
	for range r.count(14) {
		loads = append(loads, Load{Item{r.string(), int(r.int32())}, max(0, r.int64())})
	}
	return loads
}

// items writes one element per connector, connectors before tasks, each in the
// order of its first item: Kafka Connect's order for the same lists.
func (w *writer) items(items []Item) {
	var order []string
	tasks := map[string][]int{}
	add := func(i Item) {
		if _, ok := tasks[i.Connector]; !ok {
			order = append(order, i.Connector)
		}
		tasks[i.Connector] = append(tasks[i.Connector], i.Task)
	}
	for _, i := range items {
		if i.IsConnector() {
			add(i)
		}
	}
	for _, i := range items {
		if !i.IsConnector() {
			add(i)
		}
	}
	w.int32(int32(len(order)))
	for _, connector := range order {
		w.string(connector)
		w.int32(int32(len(tasks[connector])))
		for _, t := range tasks[connector] {
			w.int32(int32(t))
		}
	}
}

// reader takes the types apart; after the first error everything is zero.
type reader struct {
	b   []byte
	err error
}

func (r *reader) take(n int) []byte {
	if r.err != nil || n < 0 || n > len(r.b) {
		if r.err == nil {
			r.err = errTruncated
		}
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) int16() int16 {
	if b := r.take(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (r *reader) int32() int32 {
	if b := r.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (r *reader) int64() int64 {
	if b := r.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

func (r *reader) string() string { return string(r.take(int(r.int16()))) }

// bytes is nil for Kafka's null.
func (r *reader) bytes() []byte {
	n := r.int32()
	if n == -1 {
		return nil
	}
	return r.take(int(n))
}

// count reads the length of an array whose elements have at least elementBytes, so
// that a length which the message cannot hold costs no memory. Null counts as empty.
func (r *reader) count(elementBytes int) int {
	n := int(r.int32())
	if n == -1 || r.err != nil {
		return 0
	}
	if n < 0 || n > len(r.b)/elementBytes {
		r.err = errTruncated
		return 0
	}
	return n
}

func (r *reader) items() []Item {
	var items []Item
	for range r.count(6) {
		connector := r.string()
		for range r.count(4) {
			items = append(items, Item{connector, int(r.int32())})
		}
		if r.err != nil {
			return nil
		}
	}
	return items
}
