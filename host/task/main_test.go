package task

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tailrace/tailrace/host/convert"
	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/plugin"
	"github.com/tailrace/tailrace/sdk/go/data"
	"github.com/tailrace/tailrace/sdk/go/wire"
)

// The clock of the regular expressions of transforms ends by itself, a second after the last match.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/dlclark/regexp2.runClock"))
}

func testLogger(t testing.TB) *slog.Logger {
	if os.Getenv("TASK_TEST_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(b []byte) (int, error) { w.t.Log(string(b)); return len(b), nil }

// eventually waits for a condition with a deadline.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(15 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func startBroker(t testing.TB, cfg kafka.EmbeddedConfig) *kafka.Embedded {
	t.Helper()
	broker, err := kafka.StartEmbedded(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	return broker
}

func clientConfig(t testing.TB, kind kafka.ClientKind, addr string, props map[string]string) kafka.ClientConfig {
	t.Helper()
	all := map[string]string{"bootstrap.servers": addr}
	for k, v := range props {
		all[k] = v
	}
	cfg, _, err := kafka.ParseClientConfig(kind, all)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func newProducer(t testing.TB, addr string, props map[string]string) *kafka.Producer {
	t.Helper()
	p, err := kafka.NewProducer(clientConfig(t, kafka.ProducerClient, addr, props))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newAdmin(t testing.TB, addr string) *kafka.Admin {
	t.Helper()
	a, err := kafka.NewAdmin(clientConfig(t, kafka.AdminClient, addr, nil))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

func stringConverters(t testing.TB) Converters { return converters(t, "StringConverter", nil) }

func converters(t testing.TB, class string, props map[string]string) Converters {
	t.Helper()
	key, err := convert.New(class, props, true)
	if err != nil {
		t.Fatal(err)
	}
	value, err := convert.New(class, props, false)
	if err != nil {
		t.Fatal(err)
	}
	header, err := convert.NewHeader("SimpleHeaderConverter", nil)
	if err != nil {
		t.Fatal(err)
	}
	return Converters{Key: key, Value: value, Header: header, KeyClass: class, ValueClass: class, HeaderClass: "SimpleHeaderConverter"}
}

// recorder is a Listener that remembers.
type recorder struct {
	mu      sync.Mutex
	states  []State
	topics  []string
	retries []string
}

func (r *recorder) StateChanged(_ ID, s State, _ error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.states = append(r.states, s)
}

func (r *recorder) TopicUsed(_ ID, topic string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.topics = append(r.topics, topic)
}

func (r *recorder) Retrying(_ ID, err error, _ time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.retries = append(r.retries, err.Error())
}

func (r *recorder) Measured(ID, []plugin.Metric) {}

func (r *recorder) saw(s State) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, have := range r.states {
		if have == s {
			return true
		}
	}
	return false
}

func (r *recorder) last() State {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.states) == 0 {
		return -1
	}
	return r.states[len(r.states)-1]
}

// scriptedSource is a task in a plugin, played by the test: what the host sends is
// recorded, what the task sends comes from the test through emit and end.
type scriptedSource struct {
	level  atomic.Int64 // of the log
	events chan scripted
	closed chan struct{}
	once   sync.Once

	// onDrain is run when Drain comes; the default drains at once.
	onDrain func(*scriptedSource)
	// onCloseSend is run when the host half-closes; the default ends the stream.
	onCloseSend func(*scriptedSource)

	mu         sync.Mutex
	schemas    wire.SchemaTable
	writer     wire.SchemaWriter
	partitions int
	nextSeq    uint64
	credits    int64
	commits    []uint64
	ended      []uint64 // transactions
	drains     int
	pauses     []bool
	offsets    map[uint64][][]byte
	offsetErrs map[uint64]error
}

type scripted struct {
	event any
	err   error
}

func newScriptedSource() *scriptedSource {
	return &scriptedSource{
		events: make(chan scripted, 10_000), closed: make(chan struct{}), nextSeq: 1,
		offsets: map[uint64][][]byte{}, offsetErrs: map[uint64]error{},
		onDrain:     func(s *scriptedSource) { s.emit(plugin.Drained{LastSeq: s.last()}) },
		onCloseSend: func(s *scriptedSource) { s.end(io.EOF) },
	}
}

func (s *scriptedSource) emit(event any) { s.events <- scripted{event: event} }
func (s *scriptedSource) end(err error)  { s.events <- scripted{err: err} }

func (s *scriptedSource) last() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.nextSeq - 1
}

// partition defines a source partition.
func (s *scriptedSource) partition(t testing.TB, m map[string]any) uint32 {
	t.Helper()
	v, err := data.Convert(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	b, err := data.AppendValue(nil, nil, v)
	if err != nil {
		t.Fatal(err)
	}
	s.partitions++
	s.emit(plugin.PartitionDefined{ID: uint32(s.partitions), Partition: b})
	return uint32(s.partitions)
}

// lines sends a batch of n string values "prefix-<seq>", with the sequence number
// as offset {"position": seq}.
func (s *scriptedSource) lines(t testing.TB, topic, prefix string, partition uint32, n int) {
	t.Helper()
	s.mu.Lock()
	first := s.nextSeq
	s.nextSeq += uint64(n)
	s.mu.Unlock()
	values := make([]string, n)
	for i := range values {
		values[i] = fmt.Sprintf("%s-%d", prefix, first+uint64(i))
	}
	s.emit(s.batch(t, topic, partition, first, values))
}

var positionSchema = data.NewStruct().Field("position", data.Int64Schema).MustBuild()

func (s *scriptedSource) batch(t testing.TB, topic string, partition uint32, first uint64, values []string) *wire.SourceBatch {
	t.Helper()
	var b wire.SourceBatchBuilder
	id, err := s.writer.ID(data.StringSchema)
	if err != nil {
		t.Fatal(err)
	}
	offsetID, err := s.writer.ID(positionSchema)
	if err != nil {
		t.Fatal(err)
	}
	for _, def := range s.writer.Pending() {
		if err := s.schemas.Define(def); err != nil {
			t.Fatal(err)
		}
	}
	for i, v := range values {
		b.Begin(wire.RecordHead{Topic: b.TopicIndex(topic), KafkaPartition: wire.NoPartition, TimestampMillis: wire.NoTimestamp, SourcePartition: partition})
		b.EndKey(0)
		b.Block = data.AppendString(b.Block, v)
		b.EndValue(id)
		b.EndHeaders()
		b.Block = data.AppendLong(b.Block, int64(first)+int64(i))
		b.EndOffset(offsetID)
	}
	m, err := b.Message(first)
	if err != nil {
		t.Fatal(err)
	}
	batch, err := wire.ReadSourceBatch(m, &s.schemas, max(s.partitions, 1))
	if err != nil {
		t.Fatal(err)
	}
	return batch
}

func (s *scriptedSource) Recv() (plugin.SourceEvent, error) {
	select {
	case e := <-s.events:
		return e.event, e.err
	case <-s.closed:
		return nil, context.Canceled
	}
}

func (s *scriptedSource) record(f func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	return nil
}

func (s *scriptedSource) SendOffsets(id uint64, offsets [][]byte, failure error) error {
	return s.record(func() { s.offsets[id], s.offsetErrs[id] = offsets, failure })
}
func (s *scriptedSource) SendCredit(n int64) error { return s.record(func() { s.credits += n }) }
func (s *scriptedSource) SendCommit(through uint64) error {
	return s.record(func() { s.commits = append(s.commits, through) })
}

func (s *scriptedSource) SendTransactionCommitted(through uint64) error {
	return s.record(func() { s.ended = append(s.ended, through) })
}

func (s *scriptedSource) SendPause() error {
	return s.record(func() { s.pauses = append(s.pauses, true) })
}

func (s *scriptedSource) SendResume() error {
	return s.record(func() { s.pauses = append(s.pauses, false) })
}

func (s *scriptedSource) SendLogLevel(level slog.Level) error {
	s.level.Store(int64(level))
	return nil
}

func (s *scriptedSource) SendDrain(time.Duration) error {
	_ = s.record(func() { s.drains++ })
	s.onDrain(s)
	return nil
}
func (s *scriptedSource) CloseSend()        { s.onCloseSend(s) }
func (s *scriptedSource) Close()            { s.once.Do(func() { close(s.closed) }) }
func (s *scriptedSource) Call() plugin.Call { return plugin.Call{} }

func (s *scriptedSource) lastCommit() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.commits) == 0 {
		return 0
	}
	return s.commits[len(s.commits)-1]
}

// readTopic reads n values of a topic.
func readTopic(t testing.TB, addr, topic string, n int) []string {
	t.Helper()
	cfg := clientConfig(t, kafka.ConsumerClient, addr, map[string]string{"group.id": fmt.Sprintf("reader-%d", time.Now().UnixNano())})
	c, err := kafka.NewConsumer(cfg, kafka.Subscription{Topics: []string{topic}}, kafka.RebalanceListener{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(context.Background()) }()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	var values []string
	for len(values) < n && ctx.Err() == nil {
		f, err := c.Poll(ctx, -1)
		if err != nil {
			t.Fatal(err)
		}
		for _, run := range f.Runs() {
			for i := range run.Len() {
				values = append(values, string(run.Value(i)))
			}
		}
	}
	if len(values) < n {
		t.Fatalf("topic %s has %d records, want %d", topic, len(values), n)
	}
	return values
}
