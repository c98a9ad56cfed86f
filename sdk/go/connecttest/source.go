package connecttest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
	connect "github.com/tailrace/tailrace/sdk/go"
)

const (
	// waitTimeout is how long a helper waits for what should come.
	waitTimeout = time.Minute
	// DefaultCreditBytes is the credit that a run grants.
	DefaultCreditBytes = 8 << 20
)

// hostCapabilities are what a worker offers.
var hostCapabilities = []pluginv1.Capability{
	pluginv1.Capability_CAPABILITY_LOGS, pluginv1.Capability_CAPABILITY_ERRANT_RECORDS, pluginv1.Capability_CAPABILITY_METRICS,
}

// Option changes a run.
type Option func(*options)

type options struct {
	connector   string
	name        string
	task        uint32
	offsets     *Offsets
	manual      bool
	paused      bool
	credit      uint64
	capability  []pluginv1.Capability
	boundary    pluginv1.TransactionBoundary
	wantFailure bool
}

// Connector names the connector of the plugin; without it the first of its kind is run.
func Connector(name string) Option { return func(o *options) { o.connector = name } }

// StoredOffsets starts with these source offsets and stores into them.
func StoredOffsets(s *Offsets) Option { return func(o *options) { o.offsets = s } }

// ManualCommit leaves acknowledging to [Source.Commit]; otherwise each batch is at once.
func ManualCommit() Option { return func(o *options) { o.manual = true } }

// Paused starts the task paused.
func Paused() Option { return func(o *options) { o.paused = true } }

// Credit grants so many bytes instead of DefaultCreditBytes.
func Credit(bytes uint64) Option { return func(o *options) { o.credit = bytes } }

// NoErrantRecords plays a worker without a dead letter queue.
func NoErrantRecords() Option {
	return func(o *options) {
		o.capability = slices.DeleteFunc(slices.Clone(hostCapabilities), func(c pluginv1.Capability) bool {
			return c == pluginv1.Capability_CAPABILITY_ERRANT_RECORDS
		})
	}
}

// ConnectorTransactions plays exactly-once with boundaries set by the connector.
func ConnectorTransactions() Option {
	return func(o *options) {
		o.boundary = pluginv1.TransactionBoundary_TRANSACTION_BOUNDARY_CONNECTOR
	}
}

// TaskNumber sets the number of the task.
func TaskNumber(n int) Option { return func(o *options) { o.task = uint32(n) } }

// WantFailure tells that the task is meant to fail; otherwise a failure fails the test.
func WantFailure() Option { return func(o *options) { o.wantFailure = true } }

func newOptions(opts []Option) options {
	o := options{name: "test", credit: DefaultCreditBytes, capability: hostCapabilities}
	for _, f := range opts {
		f(&o)
	}
	if o.offsets == nil {
		o.offsets = NewOffsets()
	}
	return o
}

// Source is a running source task.
type Source struct {
	t    testing.TB
	opts options
	in   *instance
	cfg  connect.Config
	d    *sourceDriver
	seen int // records that Next gave
}

// RunSource starts one source task of the plugin with a configuration and waits until it
// runs. It is drained when the test ends, unless that was done before.
func RunSource(t testing.TB, p connect.Plugin, cfg connect.Config, opts ...Option) *Source {
	t.Helper()
	o := newOptions(opts)
	if o.connector == "" && len(p.Sources) > 0 {
		o.connector = p.Sources[0].Name
	}
	s := &Source{t: t, opts: o, in: InProcess(p).launch(t), cfg: cfg}
	s.open()
	t.Cleanup(func() {
		s.finish()
	})
	return s
}

func (s *Source) open() {
	s.t.Helper()
	d, err := openSource(s.in, &pluginv1.StartSource{
		Connector: s.opts.connector, Name: s.opts.name, Task: s.opts.task, Config: s.cfg, CreditBytes: s.opts.credit,
		HostCapabilities: s.opts.capability, TransactionBoundary: s.opts.boundary,
		LogLevel: pluginv1.LogLevel_LOG_LEVEL_DEBUG, Paused: s.opts.paused,
	}, s.opts.offsets, !s.opts.manual, nextEpoch())
	if err != nil {
		s.t.Fatal(err)
	}
	s.d, s.seen = d, 0
	s.must(d.wait("start of the task", waitTimeout, func() bool { return d.started || d.failure != nil || d.ended }))
	s.checkFailure()
}

func (s *Source) must(err error) {
	s.t.Helper()
	if err != nil {
		s.d.mu.Lock()
		defer s.d.mu.Unlock()
		s.t.Fatalf("%v (started %v, records %d, failure %v, ended %v %v)", err, s.d.started, len(s.d.records), s.d.failure, s.d.ended, s.d.endErr)
	}
}

func (s *Source) checkFailure() {
	s.t.Helper()
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	for _, v := range s.d.violations {
		s.t.Errorf("protocol: %s", v)
	}
	if s.d.failure != nil && !s.opts.wantFailure {
		s.t.Fatalf("the task failed: %s: %s\n%s", s.d.failure.GetClassName(), s.d.failure.GetMessage(), s.d.failure.GetTrace())
	}
}

// Next waits for n more records and gives them.
func (s *Source) Next(n int) []Record {
	s.t.Helper()
	d := s.d
	s.must(d.wait(fmt.Sprintf("%d more records", n), waitTimeout, func() bool {
		return len(d.records) >= s.seen+n || d.failure != nil || d.ended
	}))
	s.checkFailure()
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.records) < s.seen+n {
		s.t.Fatalf("the task ended after %d records, %d were awaited", len(d.records), s.seen+n)
	}
	out := slices.Clone(d.records[s.seen : s.seen+n])
	s.seen += n
	return out
}

// None waits for a while and fails the test when another record comes.
func (s *Source) None(within time.Duration) {
	s.t.Helper()
	d := s.d
	if d.wait("record", within, func() bool { return len(d.records) > s.seen }) == nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		s.t.Fatalf("an unexpected record came: %+v", d.records[s.seen])
	}
}

// Commit acknowledges all records received: their offsets are stored, the task
// is told. Only with ManualCommit.
func (s *Source) Commit() { s.d.ack() }

// Offsets is the store of the run.
func (s *Source) Offsets() *Offsets { return s.opts.offsets }

// Pause pauses the task.
func (s *Source) Pause() {
	s.d.send(&pluginv1.RunSourceRequest{Frame: &pluginv1.RunSourceRequest_Pause{Pause: &pluginv1.PauseTask{}}})
}

// Resume ends a pause.
func (s *Source) Resume() {
	s.d.send(&pluginv1.RunSourceRequest{Frame: &pluginv1.RunSourceRequest_Resume{Resume: &pluginv1.ResumeTask{}}})
}

// Drain stops the task as the worker does: drain, acknowledge everything, wait for the end. Records
// that came meanwhile are given by Next.
func (s *Source) Drain() {
	s.t.Helper()
	d := s.d
	d.sendDrain(waitTimeout)
	s.must(d.wait("Drained", waitTimeout, func() bool { return d.drained != nil || d.failure != nil || d.ended }))
	if !s.opts.manual {
		d.ack()
		d.mu.Lock()
		last := d.lastSeq
		d.mu.Unlock()
		d.commit(last) // once more, in case one was lost
	}
	d.closeSend()
	s.must(d.wait("end of the stream", waitTimeout, func() bool { return d.ended }))
	s.checkFailure()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.endErr != nil && d.failure == nil {
		s.t.Errorf("the stream ended with %v", d.endErr)
	}
}

// Kill cuts the stream without a word, as a crash does.
func (s *Source) Kill() {
	s.t.Helper()
	s.d.cancel()
	s.must(s.d.wait("end of the stream", waitTimeout, func() bool { return s.d.ended }))
}

// Restart starts the task again from the stored offsets, after Drain or Kill.
func (s *Source) Restart() {
	s.t.Helper()
	s.open()
}

// Failure waits until the task fails and gives the error. Use it with WantFailure.
func (s *Source) Failure() *Failure {
	s.t.Helper()
	d := s.d
	s.must(d.wait("failure", waitTimeout, func() bool { return d.failure != nil || d.ended }))
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failure == nil {
		s.t.Fatalf("the task ended without a failure (%v)", d.endErr)
	}
	return failureOf(d.failure)
}

// Retries is the number of retriable errors told so far; it waits for at least n.
func (s *Source) Retries(n int) int {
	s.t.Helper()
	d := s.d
	s.must(d.wait(fmt.Sprintf("%d retries", n), waitTimeout, func() bool { return len(d.retries) >= n || d.ended }))
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.retries)
}

// RetryErrors waits for at least n retriable errors and gives all that were told so far.
func (s *Source) RetryErrors(n int) []Failure {
	s.t.Helper()
	s.Retries(n)
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	out := make([]Failure, len(s.d.retries))
	for i, r := range s.d.retries {
		out[i] = *failureOf(r.GetError())
	}
	return out
}

// Logs waits for a log line with this message and gives its fields.
func (s *Source) Logs(message string) map[string]string {
	s.t.Helper()
	d := s.d
	var fields map[string]string
	s.must(d.wait("log line "+message, waitTimeout, func() bool {
		for _, l := range d.logs {
			if l.GetMessage() == message {
				fields = l.GetFields()
				return true
			}
		}
		return false
	}))
	return fields
}

// AllLogs is all that was logged so far, one line each, with the fields.
func (s *Source) AllLogs() string {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	var out strings.Builder
	for _, l := range s.d.logs {
		fmt.Fprintln(&out, l.GetMessage(), l.GetFields())
	}
	return out.String()
}

func (s *Source) finish() {
	d := s.d
	d.mu.Lock()
	ended := d.ended
	d.mu.Unlock()
	if !ended {
		d.change(func() { d.auto = true }) // what is still to come needs credit
		d.ack()
		d.sendDrain(2 * time.Second)
		if d.wait("Drained", waitTimeout, func() bool { return d.drained != nil || d.ended || d.failure != nil }) == nil {
			d.closeSend()
			_ = d.wait("end", waitTimeout, func() bool { return d.ended })
		}
	}
	d.cancel()
	_ = d.wait("end", waitTimeout, func() bool { return d.ended })
	if !s.t.Failed() {
		s.checkFailure()
	}
}

// Failure is an error that a task told.
type Failure struct {
	Message, Class, Code, Trace string
	Retriable                   bool
}

func failureOf(e *pluginv1.Error) *Failure {
	return &Failure{Message: e.GetMessage(), Class: e.GetClassName(), Code: e.GetCode(), Trace: e.GetTrace(), Retriable: e.GetRetriable()}
}

// DrainWithin asks the task to drain by a deadline and waits for its answer and the end.
func (s *Source) DrainWithin(deadline time.Duration) {
	s.t.Helper()
	d := s.d
	d.sendDrain(deadline)
	s.must(d.wait("Drained", deadline+waitTimeout, func() bool { return d.drained != nil || d.failure != nil || d.ended }))
	d.cancel()
	s.must(d.wait("end of the stream", waitTimeout, func() bool { return d.ended }))
	s.checkFailure()
}

// Transactions are the ends of transactions so far: "COMMIT 12" is the end behind record 12.
func (s *Source) Transactions() []string {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	var out []string
	for _, tx := range s.d.tx {
		out = append(out, fmt.Sprintf("%s %d", strings.TrimPrefix(tx.GetAction().String(), "TRANSACTION_ACTION_"), tx.GetSeq()))
	}
	return out
}

// Metrics are the task's own measures as told last: every five seconds, and at the end.
func (s *Source) Metrics() map[string]float64 {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	return maps.Clone(s.d.metrics)
}
