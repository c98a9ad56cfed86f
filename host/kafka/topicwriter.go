package kafka

import (
	"context"
	"errors"
	"sync"
)

// writer is the producer of a TopicLog. It is made anew after it was cut.
type writer struct {
	cfg ClientConfig

	mu       sync.Mutex
	producer *Producer // nil after it was cut
	closed   bool
	ending   sync.WaitGroup // producers that were cut
}

// now is the producer that takes what is written now.
func (w *writer) now() (*Producer, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.closed:
		return nil, &Error{Op: "write", Kind: ErrClosed, cause: ErrClosed}
	case w.producer != nil:
		return w.producer, nil
	}
	producer, err := NewProducer(w.cfg)
	if err != nil {
		return nil, err
	}
	w.producer = producer
	return producer, nil
}

func (w *writer) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.producer == nil || w.closed {
		return
	}
	closed := w.producer.abort()
	w.producer = nil
	w.ending.Go(func() { <-closed })
}

// verdict is what became of a write with a producer, for the person who reads it.
func (w *writer) verdict(producer *Producer, topic string, err error) error {
	if !errors.Is(err, ErrClosed) {
		return err
	}
	w.mu.Lock()
	wasCut := producer != w.producer && !w.closed
	w.mu.Unlock()
	if !wasCut {
		return err
	}
	return &Error{
		Op: "write topic", Subject: topic, Kind: ErrFenced, Retriable: true,
		cause: errors.New("given up before it was acknowledged, because another worker may have taken over; it may or may not be written"),
	}
}

func (w *writer) close(ctx context.Context) {
	w.mu.Lock()
	producer := w.producer
	w.closed, w.producer = true, nil
	w.mu.Unlock()
	if producer != nil {
		_ = producer.Close(ctx)
	}
	w.ending.Wait()
}
