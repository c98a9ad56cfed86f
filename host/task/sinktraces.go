package task

import (
	"slices"

	"github.com/tailrace/tailrace/host/kafka"
	"github.com/tailrace/tailrace/host/plugin"
	"github.com/tailrace/tailrace/host/tracing"
)

// putTraces are the spans of the puts of a sink task; without a tracer they are nothing. It belongs to the owner.
type putTraces struct {
	tracer *tracing.Tracer
	now    *tracing.Sink // of the frame that is being made
	topics []string      // of that frame
	sent   []tracedPut   // in order, not accepted yet; bounded by the credit (I-4)
}

type tracedPut struct {
	lastSeq uint64
	span    *tracing.Sink
}

// begin is called before the first record of a frame is converted.
func (t *putTraces) begin() {
	if t.tracer != nil {
		t.now, t.topics = t.tracer.Sink(), t.topics[:0]
	}
}

// see takes the traces of the records that go into the frame.
func (t *putTraces) see(run *kafka.Run, from, to int) {
	if t.now == nil {
		return
	}
	if !slices.Contains(t.topics, run.Topic) {
		t.topics = append(t.topics, run.Topic)
	}
	for i := from; i < to; i++ {
		if h := run.Headers(i); h.Len() > 0 {
			tracing.See(t.now, h)
		}
	}
}

// traceparent ends the making of a frame; it is empty when the frame is not traced.
func (t *putTraces) traceparent(records int) string {
	if t.now == nil {
		return ""
	}
	return t.now.Send(t.topics, records)
}

// wentOut is called when the frame was sent.
func (t *putTraces) wentOut(lastSeq uint64) {
	if t.now.Recording() {
		t.sent = append(t.sent, tracedPut{lastSeq, t.now})
	}
	t.now = nil
}

// accepted ends the spans of the puts up to a record.
func (t *putTraces) accepted(a plugin.Accepted) {
	n := 0
	for ; n < len(t.sent) && t.sent[n].lastSeq <= a.Through; n++ {
		call := tracing.Call{}
		if t.sent[n].lastSeq == a.Through {
			call = tracing.Call{Began: a.PutBegan, Took: a.PutTook}
		}
		t.sent[n].span.Accepted(call)
	}
	t.sent = slices.Delete(t.sent, 0, n)
}

// giveUp ends the spans of what the task has not accepted and never will.
func (t *putTraces) giveUp() {
	for _, p := range t.sent {
		p.span.GivenUp()
	}
	t.sent = nil
}
