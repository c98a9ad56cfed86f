package rest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/tailrace/tailrace/host/herder"
)

const (
	// maxStreams bounds the answers that do not end by themselves.
	maxStreams = 64
	// streamBeat is the time between empty lines while nothing happens: they find out that a client is gone.
	streamBeat = 15 * time.Second
	// streamWrite is how long a client may leave one piece unread.
	streamWrite   = 30 * time.Second
	ndjsonType    = "application/x-ndjson"
	streamsRetry  = 5 * time.Second
	tooManyStream = "Too many clients follow this worker's logs, events or topics; try again later"
)

// stream is an answer of one JSON object a line that goes on until the client leaves or the worker stops.
type stream struct {
	ctx     context.Context
	w       http.ResponseWriter
	control *http.ResponseController
	encoder *json.Encoder
	mu      sync.Mutex // of the three above: other workers' lines come beside this one's
}

// follows tells whether a client wants a stream.
func follows(r *http.Request) bool { return r.Method == http.MethodGet && flag(r, "follow", false) }

// stream runs one; body returns when the stream is over.
func (a *api) stream(w http.ResponseWriter, r *http.Request, body func(*stream) error) {
	if a.streams.Add(1) > maxStreams {
		a.streams.Add(-1)
		refuse(w, &herder.Error{Kind: herder.Conflict, Message: tooManyStream, RetryAfter: streamsRetry})
		return
	}
	defer a.streams.Add(-1)
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	if stopping := a.options.Stopping; stopping != nil {
		defer context.AfterFunc(stopping, func() { cancel(errStopping) })() //nolint:contextcheck // the worker's end, not the request's
	}
	s := &stream{ctx: ctx, w: w, control: http.NewResponseController(w), encoder: json.NewEncoder(w)}
	s.encoder.SetEscapeHTML(false)
	w.Header().Set("Content-Type", ndjsonType)
	_ = s.control.SetReadDeadline(time.Time{}) // the request has been read
	if s.flush() != nil {
		return
	}
	if err := body(s); err != nil && ctx.Err() == nil {
		// The status has been sent: the last line says why there are no more.
		s.mu.Lock()
		defer s.mu.Unlock()
		_ = s.encoder.Encode(failure{http.StatusInternalServerError, err.Error()})
		_ = s.flush()
	}
}

var errStopping = errors.New("the worker is stopping")

// wait runs a wait in pieces and keeps the client awake between them.
func (s *stream) wait(next func(context.Context) error) error {
	for {
		ctx, cancel := context.WithTimeout(s.ctx, streamBeat)
		err := next(ctx)
		cancel()
		switch {
		case s.ctx.Err() != nil:
			return context.Cause(s.ctx)
		case !errors.Is(err, context.DeadlineExceeded):
			return err
		}
		if err := s.line(nil); err != nil {
			return err
		}
	}
}

// line writes a line that is JSON already, or an empty one.
func (s *stream) line(text []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.w.Write(append(text, '\n')); err != nil {
		return err
	}
	return s.flush()
}

// send writes items, one a line.
func send[T any](s *stream, items []T) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range items {
		if err := s.encoder.Encode(items[i]); err != nil {
			return err
		}
	}
	if len(items) == 0 {
		return nil
	}
	return s.flush()
}

func (s *stream) flush() error {
	_ = s.control.SetWriteDeadline(time.Now().Add(streamWrite)) // a recorder of tests has none
	return s.control.Flush()
}
