package connecttest

import (
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"testing"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
	connect "github.com/tailrace/tailrace/sdk/go"
)

var epochs atomic.Uint64

// nextEpoch is different for every stream.
func nextEpoch() uint64 { return epochs.Add(1) }

// Sink is a running sink task with a small broker in front of it.
type Sink struct {
	t         testing.TB
	opts      options
	in        *instance
	cfg       connect.Config
	d         *sinkDriver
	logs      map[connect.TopicPartition][]Record
	committed connect.Offsets
}

// RunSink starts one sink task of the plugin with a configuration, waits until it runs and
// assigns the partitions. It is drained when the test ends, unless that was done
// before.
func RunSink(t testing.TB, p connect.Plugin, cfg connect.Config, assign []connect.TopicPartition, opts ...Option) *Sink {
	t.Helper()
	o := newOptions(opts)
	if o.connector == "" && len(p.Sinks) > 0 {
		o.connector = p.Sinks[0].Name
	}
	s := &Sink{
		t: t, opts: o, in: InProcess(p).launch(t), cfg: cfg,
		logs: make(map[connect.TopicPartition][]Record), committed: make(connect.Offsets),
	}
	s.open()
	if len(assign) > 0 && !s.failed() {
		s.Assign(assign...)
	}
	t.Cleanup(s.finish)
	return s
}

func (s *Sink) open() {
	s.t.Helper()
	d, err := openSink(s.in, &pluginv1.StartSink{
		Connector: s.opts.connector, Name: s.opts.name, Task: s.opts.task, Config: s.cfg, CreditBytes: s.opts.credit,
		HostCapabilities: s.opts.capability, LogLevel: pluginv1.LogLevel_LOG_LEVEL_DEBUG, Paused: s.opts.paused,
	}, s.logs, s.committed, nextEpoch())
	if err != nil {
		s.t.Fatal(err)
	}
	s.d = d
	s.must(d.wait("start of the task", waitTimeout, func() bool { return d.started || d.failure != nil || d.ended }))
	s.checkFailure()
}

func (s *Sink) failed() bool {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	return s.d.failure != nil
}

func (s *Sink) must(err error) {
	s.t.Helper()
	if err != nil {
		s.checkFailure()
		s.t.Fatal(err)
	}
}

func (s *Sink) checkFailure() {
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

// Assign gives the task partitions and waits until it has opened them. It starts at their committed offsets.
func (s *Sink) Assign(tps ...connect.TopicPartition) {
	s.t.Helper()
	s.must(s.d.assign(tps, waitTimeout))
}

// Produce appends records to the broker's logs by their Topic and KafkaPartition; assigned partitions
// are delivered at once. A TimestampMillis of 0 stays 0.
func (s *Sink) Produce(records ...Record) {
	s.d.change(func() {
		for _, r := range records {
			tp := connect.TopicPartition{Topic: r.Topic, Partition: r.KafkaPartition}
			r.Offset = int64(len(s.logs[tp]))
			s.logs[tp] = append(s.logs[tp], r)
		}
	})
	s.d.pump()
}

// Put is Produce that waits until Put of the task has returned for all that was sent.
func (s *Sink) Put(records ...Record) {
	s.t.Helper()
	s.Produce(records...)
	s.WaitAccepted()
}

// WaitAccepted waits until everything sent was put.
func (s *Sink) WaitAccepted() {
	s.t.Helper()
	d := s.d
	s.must(d.wait("acceptance of all records", waitTimeout, func() bool {
		return d.accepted == d.nextSeq-1 && len(d.sent) == 0 || d.failure != nil || d.ended
	}))
	s.checkFailure()
}

// PutNothing is a put without records.
func (s *Sink) PutNothing() {
	s.d.sendMu.Lock()
	defer s.d.sendMu.Unlock()
	s.d.mu.Lock()
	seq := s.d.nextSeq
	s.d.mu.Unlock()
	s.d.sendLocked(&pluginv1.RunSinkRequest{Frame: &pluginv1.RunSinkRequest_Records{Records: &pluginv1.Records{FirstSeq: seq}}})
}

// Flush asks the task to flush and commits what it answers. The error is the task's: then the broker has gone back to
// the committed offsets and delivers again, unless the task has failed as a whole, which is its answer too.
func (s *Sink) Flush() (connect.Offsets, error) {
	s.t.Helper()
	f, err := s.d.flush(waitTimeout)
	s.must(err)
	s.checkFailure()
	if f.GetError() != nil {
		return nil, fmt.Errorf("%s", f.GetError().GetMessage())
	}
	s.d.mu.Lock()
	failure := s.d.failure
	s.d.mu.Unlock()
	if failure != nil {
		return nil, fmt.Errorf("%s", failureOf(failure).Message)
	}
	return s.Committed(), nil
}

// Committed is what is committed now.
func (s *Sink) Committed() connect.Offsets {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	return maps.Clone(s.committed)
}

// Revoke takes partitions away, after a flush.
func (s *Sink) Revoke(tps ...connect.TopicPartition) {
	s.t.Helper()
	rv, err := s.d.revoke(tps, false, waitTimeout)
	s.must(err)
	if rv.GetError() != nil {
		s.t.Logf("flush of the revocation failed: %s", rv.GetError().GetMessage())
	}
	s.checkFailure()
}

// Lose takes partitions away that belong to another worker already.
func (s *Sink) Lose(tps ...connect.TopicPartition) {
	s.t.Helper()
	_, err := s.d.revoke(tps, true, waitTimeout)
	s.must(err)
	s.checkFailure()
}

// Drain stops the task as the worker does: revoke everything, drain, wait for the end.
func (s *Sink) Drain() {
	s.t.Helper()
	if tps := s.d.assigned(); len(tps) > 0 {
		s.Revoke(tps...)
	}
	d := s.d
	d.sendDrain(waitTimeout)
	s.must(d.wait("Drained", waitTimeout, func() bool { return d.drained || d.failure != nil || d.ended }))
	d.closeSend()
	s.must(d.wait("end of the stream", waitTimeout, func() bool { return d.ended }))
	s.checkFailure()
}

// Kill cuts the stream without a word, as a crash does.
func (s *Sink) Kill() {
	s.t.Helper()
	s.d.cancel()
	s.must(s.d.wait("end of the stream", waitTimeout, func() bool { return s.d.ended }))
}

// Restart starts the task again and assigns partitions at their committed offsets, after Drain or Kill.
func (s *Sink) Restart(assign ...connect.TopicPartition) {
	s.t.Helper()
	s.open()
	if len(assign) > 0 {
		s.Assign(assign...)
	}
}

// Errant waits for at least n errant records and gives them all.
func (s *Sink) Errant(n int) []Errant {
	s.t.Helper()
	d := s.d
	s.must(d.wait(fmt.Sprintf("%d errant records", n), waitTimeout, func() bool { return len(d.errant) >= n || d.ended }))
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.errant)
}

// Retries waits for at least n retriable errors and gives their number.
func (s *Sink) Retries(n int) int {
	s.t.Helper()
	d := s.d
	s.must(d.wait(fmt.Sprintf("%d retries", n), waitTimeout, func() bool { return d.retries >= n || d.ended }))
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.retries
}

// CommitRequests waits for at least n requests for a commit.
func (s *Sink) CommitRequests(n int) int {
	s.t.Helper()
	d := s.d
	s.must(d.wait(fmt.Sprintf("%d commit requests", n), waitTimeout, func() bool { return d.commits >= n || d.ended }))
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.commits
}

// Failure waits until the task fails and gives the error. Use it with WantFailure.
func (s *Sink) Failure() *Failure {
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

func (s *Sink) finish() {
	d := s.d
	d.mu.Lock()
	over := d.ended || d.failure != nil
	d.mu.Unlock()
	if !over && !s.t.Failed() {
		s.Drain()
	}
	d.cancel()
	_ = d.wait("end", waitTimeout, func() bool { return d.ended })
	if !s.t.Failed() {
		s.checkFailure()
	}
}
