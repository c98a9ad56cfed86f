package worker

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/tailrace/tailrace/host/config"
	"github.com/tailrace/tailrace/host/plugin"
	"github.com/tailrace/tailrace/host/store"
)

// Bounds of a preview (I-4).
const (
	DefaultPreviewRecords = 10
	MaxPreviewRecords     = 100
	DefaultPreviewTime    = 15 * time.Second
	MaxPreviewTime        = 60 * time.Second
	// maxPreviews run at the same time.
	maxPreviews = 2
	// maxPartBytes is how much of a key, value or header is shown.
	maxPartBytes = 64 << 10
	// maxPreviewBytes ends a preview, whatever it was asked for.
	maxPreviewBytes = 4 << 20
)

// PreviewRequest asks what a connector would do.
type PreviewRequest struct {
	Name    string
	Config  map[string]string
	Records int           // DefaultPreviewRecords if 0
	Time    time.Duration // DefaultPreviewTime if 0
}

// Preview is what a connector would do. Nothing was produced and no offset was stored.
type Preview struct {
	Records []PreviewRecord `json:"records"`
	// Ended says why there are no more: records, time, size, end (of the topics), or failed.
	Ended string `json:"ended"`
	// Failure is why the connector or task failed, or could not go on; empty when it did not.
	Failure string `json:"failure,omitempty"`
	// Dropped are the records of a source that its transforms dropped, Skipped those that failed and are tolerated.
	Dropped   uint64 `json:"dropped"`
	Skipped   uint64 `json:"skipped"`
	ElapsedMS int64  `json:"elapsed_ms"`
}

// PreviewRecord is a record as Kafka (source) or the connector (sink) would get it.
type PreviewRecord struct {
	Topic string `json:"topic"`
	// Partition is absent when the producer chooses it, Offset for sources, Timestamp (in
	// milliseconds) when the producer stamps the record.
	Partition *int32          `json:"partition,omitempty"`
	Offset    *int64          `json:"offset,omitempty"`
	Timestamp *int64          `json:"timestamp,omitempty"`
	Key       *PreviewPart    `json:"key"` // null is Kafka's null
	Value     *PreviewPart    `json:"value"`
	Headers   []PreviewHeader `json:"headers"`
	// Dropped says that a transform dropped it.
	Dropped bool `json:"dropped,omitempty"`
	// Failure is why it cannot be handled.
	Failure *PreviewFailure `json:"failure,omitempty"`
}

// PreviewPart is a key, a value or a header. One of Text, Base64 and JSON is set.
type PreviewPart struct {
	Text   *string `json:"text,omitempty"`
	Base64 []byte  `json:"base64,omitempty"`
	// JSON is the value of a sink's record, as JsonConverter writes it, with its schema if it has one.
	JSON   json.RawMessage `json:"json,omitempty"`
	Schema json.RawMessage `json:"schema,omitempty"`
	Bytes  int             `json:"bytes"`
	Cut    bool            `json:"cut,omitempty"` // more than is shown
}

// PreviewHeader is a header.
type PreviewHeader struct {
	Name  string       `json:"name"`
	Value *PreviewPart `json:"value"`
}

// PreviewFailure says which step failed, as Kafka Connect names it.
type PreviewFailure struct {
	Stage   string `json:"stage"`
	Class   string `json:"class"`
	Message string `json:"message"`
}

// ErrTooManyPreviews says that others are running.
var ErrTooManyPreviews = errors.New("too many previews are running; try again in a moment")

// previews bounds and numbers them.
type previews struct{ running, count atomic.Int64 }

// Preview runs a connector for a few records: a source in a process of its own up to the point where
// records would be produced, a sink's input through converters and transforms. Other connectors, groups
// and offsets are not touched. An error means that the configuration is wrong or cannot be run at all.
func (w *Worker) Preview(ctx context.Context, request PreviewRequest) (Preview, error) {
	began := time.Now()
	if w.previews.running.Add(1) > maxPreviews {
		w.previews.running.Add(-1)
		return Preview{}, ErrTooManyPreviews
	}
	defer w.previews.running.Add(-1)
	if request.Records <= 0 {
		request.Records = DefaultPreviewRecords
	}
	if request.Time <= 0 {
		request.Time = DefaultPreviewTime
	}
	request.Records, request.Time = min(request.Records, MaxPreviewRecords), min(request.Time, MaxPreviewTime)
	// The time is for the records; finding out what is wrong gets a little more.
	ctx, cancel := context.WithTimeout(ctx, request.Time+5*time.Second)
	defer cancel()

	// A name of its own keeps it away from the process of a connector that runs.
	r := w.newRunner(plugin.NoTask, "preview-"+strconv.FormatInt(w.previews.count.Add(1), 10), request.Config, store.TargetStarted)
	defer r.cut()
	s, err := r.resolve(ctx)
	if err != nil {
		return Preview{}, err
	}
	run := r.previewSource
	if s.connector.Kind == config.Sink {
		run = r.previewSink
	}
	out, err := run(ctx, s, request)
	out.ElapsedMS = time.Since(began).Milliseconds()
	if out.Records == nil {
		out.Records = []PreviewRecord{}
	}
	return out, s.masker.Error(err)
}

// collected are the records of a preview, up to its bounds.
type collected struct {
	limit   int
	records []PreviewRecord
	bytes   int
}

// add reports whether there is room for more.
func (c *collected) add(r PreviewRecord) bool {
	if c.full() == "" {
		c.records = append(c.records, r)
		for _, part := range []*PreviewPart{r.Key, r.Value} {
			if part != nil {
				c.bytes += min(part.Bytes, maxPartBytes) + len(part.Schema)
			}
		}
		for _, h := range r.Headers {
			if h.Value != nil {
				c.bytes += min(h.Value.Bytes, maxPartBytes) + len(h.Name)
			}
		}
	}
	return c.full() == ""
}

// full says why there is no room; "" while there is.
func (c *collected) full() string {
	switch {
	case len(c.records) >= c.limit:
		return "records"
	case c.bytes >= maxPreviewBytes:
		return "size"
	}
	return ""
}

// rawPart shows bytes: as text when they are one. The bytes are copied.
func rawPart(raw []byte) *PreviewPart {
	if raw == nil {
		return nil
	}
	p := &PreviewPart{Bytes: len(raw)}
	shown := raw
	if len(shown) > maxPartBytes {
		shown, p.Cut = shown[:maxPartBytes], true
		for n := len(shown); n > maxPartBytes-utf8.UTFMax && !utf8.Valid(shown); n-- {
			shown = shown[:n-1]
		}
	}
	if utf8.Valid(shown) {
		text := string(shown)
		p.Text = &text
		return p
	}
	p.Base64 = append([]byte{}, raw[:min(len(raw), maxPartBytes)]...)
	return p
}

// noOffsets is the store of a preview: nothing is there, and nothing may be stored.
type noOffsets struct{}

func (noOffsets) Get(_ context.Context, keys [][]byte) ([][]byte, error) {
	return make([][]byte, len(keys)), nil
}

func (noOffsets) Put(context.Context, []store.OffsetEntry) error { return errPreviewStores }

func (noOffsets) Connector(context.Context, string) ([]store.OffsetEntry, error) { return nil, nil }

func (noOffsets) Close() error { return nil }

var errPreviewStores = errors.New("a preview stores no offsets")

// quiet is a logger for what a preview does inside; its plugin logs as ever.
var quiet = slog.New(slog.DiscardHandler)
