package connecttest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	pluginv1 "github.com/tailrace/tailrace/gen/tailrace/plugin/v1"
	connect "github.com/tailrace/tailrace/sdk/go"
)

// start opens a source task.
func (c *conformance) start(t *testing.T, in *instance, name string, cfg connect.Config, store *Offsets, credit uint64, paused bool) *sourceDriver {
	t.Helper()
	d, err := openSource(in, &pluginv1.StartSource{
		Connector: name, Name: "test", Config: cfg, CreditBytes: credit, HostCapabilities: append(slices.Clone(hostCapabilities), 9999), Paused: paused,
	}, store, false, nextEpoch())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.cancel)
	c.await(t, d, "Started", func() bool { return d.started })
	return d
}

func (c *conformance) await(t *testing.T, d *sourceDriver, what string, ok func() bool) {
	t.Helper()
	err := d.wait(what, waitTimeout, func() bool { return ok() || d.failure != nil || d.ended })
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, v := range d.violations {
		t.Error(v)
	}
	d.violations = nil
	if err != nil || !ok() {
		t.Fatalf("no %s: %v; failure %v; ended %v %v", what, err, d.failure, d.ended, d.endErr)
	}
}

func (d *sourceDriver) count() (batches, records int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.batches, len(d.records)
}

func (c *conformance) source(t *testing.T, in *instance, name string, cfg connect.Config) {
	t.Run("credit", func(t *testing.T) {
		d := c.start(t, in, name, cfg, NewOffsets(), 1, false)
		c.await(t, d, "batch", func() bool { return d.batches >= 1 })
		time.Sleep(c.o.Quiet)
		if n, _ := d.count(); n != 1 {
			t.Errorf("%d batches were sent with a credit of one byte, want 1", n)
		}
		// A drain must be answered without credit, too.
		d.sendDrain(500 * time.Millisecond)
		c.await(t, d, "Drained", func() bool { return d.drained != nil })
		d.closeSend()
		c.await(t, d, "end of the stream", func() bool { return d.ended && d.endErr == nil })
	})
	t.Run("pause", func(t *testing.T) {
		d := c.start(t, in, name, cfg, NewOffsets(), DefaultCreditBytes, true)
		time.Sleep(c.o.Quiet)
		if n, _ := d.count(); n != 0 {
			t.Errorf("a task that was started paused sent %d batches", n)
		}
		d.send(&pluginv1.RunSourceRequest{Frame: &pluginv1.RunSourceRequest_Resume{Resume: &pluginv1.ResumeTask{}}})
		c.await(t, d, "batch after Resume", func() bool { return d.batches >= 1 })
		c.end(t, d)
	})
	t.Run("stale and unknown frames", func(t *testing.T) {
		d := c.start(t, in, name, cfg, NewOffsets(), DefaultCreditBytes, true)
		d.send(&pluginv1.RunSourceRequest{Epoch: d.epoch + 1000, Frame: &pluginv1.RunSourceRequest_Drain{Drain: &pluginv1.Drain{DeadlineMs: 1}}})
		d.send(&pluginv1.RunSourceRequest{})
		d.send(&pluginv1.RunSourceRequest{Frame: &pluginv1.RunSourceRequest_Commit{Commit: &pluginv1.Commit{}}})
		time.Sleep(c.o.Quiet)
		d.mu.Lock()
		if d.drained != nil || d.failure != nil || d.ended {
			t.Errorf("a frame of another epoch or version was obeyed: drained %v, failure %v, ended %v", d.drained, d.failure, d.ended)
		}
		d.mu.Unlock()
		c.end(t, d)
	})
	t.Run("heartbeat", func(t *testing.T) {
		d := c.start(t, in, name, cfg, NewOffsets(), DefaultCreditBytes, true)
		c.await(t, d, "heartbeat", func() bool { return d.beats >= 1 })
		c.end(t, d)
	})
	t.Run("restart", func(t *testing.T) { c.restart(t, in, name, cfg, (*sourceDriver).cancelled) })
	if c.program != nil {
		t.Run("kill -9", func(t *testing.T) {
			c.restart(t, c.target.launch(t), name, cfg, nil)
		})
	}
}

func (d *sourceDriver) cancelled() { d.cancel() }

// end drains a task as the worker does.
func (c *conformance) end(t *testing.T, d *sourceDriver) {
	t.Helper()
	d.sendDrain(waitTimeout)
	c.await(t, d, "Drained", func() bool { return d.drained != nil })
	d.ack()
	d.mu.Lock()
	last := d.lastSeq
	d.mu.Unlock()
	d.commit(last)
	d.commit(last) // sent again
	d.closeSend()
	c.await(t, d, "end of the stream", func() bool { return d.ended && d.endErr == nil })
}

// restart ends a task the hard way behind some stored records and starts another from their offsets: nothing
// that was stored may come again.
func (c *conformance) restart(t *testing.T, in *instance, name string, cfg connect.Config, cut func(*sourceDriver)) {
	store := NewOffsets()
	d := c.start(t, in, name, cfg, store, 1, false)
	c.await(t, d, "batch", func() bool { return d.batches >= 1 })
	d.ack()
	d.mu.Lock()
	stored := make(map[string]bool)
	for _, r := range d.records[:min(int(d.committed), len(d.records))] {
		if r.SourceOffset != nil {
			stored[fmt.Sprint(r.SourcePartition, r.SourceOffset)] = true
		}
	}
	d.mu.Unlock()
	if cut != nil {
		cut(d)
		c.waitEnded(t, d)
	} else {
		_ = in.proc.cmd.Process.Kill()
		if err := in.proc.exited(waitTimeout); err != nil {
			t.Fatal(err)
		}
		in = c.target.launch(t)
	}
	again := c.start(t, in, name, cfg, store, DefaultCreditBytes, false)
	_ = again.wait("batch", c.o.Quiet, func() bool { return again.batches >= 1 })
	again.mu.Lock()
	for _, r := range again.records {
		if key := fmt.Sprint(r.SourcePartition, r.SourceOffset); r.SourceOffset != nil && stored[key] {
			t.Errorf("a record whose offset %s was stored came again after the restart", key)
			break
		}
	}
	again.mu.Unlock()
	c.end(t, again)
}

func (c *conformance) waitEnded(t *testing.T, d *sourceDriver) {
	t.Helper()
	if err := d.wait("end of the stream", waitTimeout, func() bool { return d.ended }); err != nil {
		t.Fatal(err)
	}
}

func (c *conformance) sink(t *testing.T, in *instance, name string, cfg connect.Config) {
	records := make(map[connect.TopicPartition][]Record)
	for _, r := range c.o.Records {
		tp := connect.TopicPartition{Topic: r.Topic, Partition: r.KafkaPartition}
		r.Offset = int64(len(records[tp]))
		records[tp] = append(records[tp], r)
	}
	tps := make([]connect.TopicPartition, 0, len(records))
	for tp := range records {
		tps = append(tps, tp)
	}
	if len(tps) == 0 {
		tps = append(tps, connect.TopicPartition{Topic: "test"})
	}
	open := func(t *testing.T, credit uint64) *sinkDriver {
		t.Helper()
		d, err := openSink(in, &pluginv1.StartSink{
			Connector: name, Name: "test", Config: cfg, CreditBytes: credit, HostCapabilities: hostCapabilities,
		}, records, make(connect.Offsets), nextEpoch())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(d.cancel)
		awaitSink(t, d, "Started", func() bool { return d.started })
		return d
	}
	t.Run("put, flush, drain", func(t *testing.T) {
		d := open(t, 1) // one frame at a time
		mustSink(t, d, d.assign(tps, waitTimeout))
		awaitSink(t, d, "acceptance of all records", func() bool { return d.accepted == d.nextSeq-1 && len(d.sent) == 0 })
		f, err := d.flush(waitTimeout)
		mustSink(t, d, err)
		if f.GetError() != nil {
			t.Errorf("flush: %s", f.GetError().GetMessage())
		}
		d.send(&pluginv1.RunSinkRequest{Frame: &pluginv1.RunSinkRequest_Records{Records: &pluginv1.Records{FirstSeq: d.nextSeq}}})
		d.send(&pluginv1.RunSinkRequest{})
		d.send(&pluginv1.RunSinkRequest{Epoch: d.epoch + 1000, Frame: &pluginv1.RunSinkRequest_Drain{Drain: &pluginv1.Drain{}}})
		rv, err := d.revoke(tps, false, waitTimeout)
		mustSink(t, d, err)
		if rv.GetError() != nil {
			t.Errorf("flush of the revocation: %s", rv.GetError().GetMessage())
		}
		for tp, log := range records {
			if d.committed[tp] != int64(len(log)) {
				t.Errorf("%s-%d: %d of %d records may be committed after the revocation", tp.Topic, tp.Partition, d.committed[tp], len(log))
			}
		}
		d.mu.Lock()
		if d.drained {
			t.Error("a Drain of another epoch was obeyed")
		}
		d.mu.Unlock()
		c.endSink(t, d)
	})
	t.Run("lost partitions", func(t *testing.T) {
		d := open(t, DefaultCreditBytes)
		mustSink(t, d, d.assign(tps, waitTimeout))
		rv, err := d.revoke(tps, true, waitTimeout)
		mustSink(t, d, err)
		if len(rv.GetOffsets()) > 0 {
			t.Error("Revoked names offsets of partitions that are lost")
		}
		c.endSink(t, d)
	})
	t.Run("cut", func(t *testing.T) {
		d := open(t, DefaultCreditBytes)
		mustSink(t, d, d.assign(tps, waitTimeout))
		d.cancel()
		if err := d.wait("end of the stream", waitTimeout, func() bool { return d.ended }); err != nil {
			t.Fatal(err)
		}
		d = open(t, DefaultCreditBytes)
		mustSink(t, d, d.assign(tps, waitTimeout))
		awaitSink(t, d, "acceptance after a restart", func() bool { return d.accepted == d.nextSeq-1 && len(d.sent) == 0 })
		_, err := d.revoke(tps, false, waitTimeout)
		mustSink(t, d, err)
		c.endSink(t, d)
	})
}

func (c *conformance) endSink(t *testing.T, d *sinkDriver) {
	t.Helper()
	d.sendDrain(waitTimeout)
	awaitSink(t, d, "Drained", func() bool { return d.drained })
	d.closeSend()
	awaitSink(t, d, "end of the stream", func() bool { return d.ended && d.endErr == nil })
}

func awaitSink(t *testing.T, d *sinkDriver, what string, ok func() bool) {
	t.Helper()
	err := d.wait(what, waitTimeout, func() bool { return ok() || d.failure != nil || d.ended })
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, v := range d.violations {
		t.Error(v)
	}
	d.violations = nil
	if err != nil || !ok() {
		t.Fatalf("no %s: %v; failure %v; ended %v %v", what, err, d.failure, d.ended, d.endErr)
	}
}

func mustSink(t *testing.T, d *sinkDriver, err error) {
	t.Helper()
	if err != nil {
		awaitSink(t, d, "state", func() bool { return false })
		t.Fatal(err)
	}
}
