package main

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"time"

	connect "github.com/tailrace/tailrace/sdk/go"
	"github.com/tailrace/tailrace/sdk/go/data"
)

var shoutType = connect.Transform{
	Name: "picky-shout", Aliases: []string{"test.Shout"},
	Doc: "Writes texts in capitals. It drops those that begin with drop, refuses those that begin with bad, and leaves those that begin with calm.",
	Config: connect.NewConfigDef(
		connect.ConfigKey{Name: "mark", HasDefault: true, Doc: "Text behind each value."},
		connect.ConfigKey{Name: "pause.ms", Type: connect.TypeInt, HasDefault: true, Default: "0", Min: ptr(0), Max: ptr(1000), Doc: "Milliseconds to wait with each batch."},
		connect.ConfigKey{Name: "hang.once", HasDefault: true, Doc: "A file: hang in Apply when it is not there, and make it."},
		connect.ConfigKey{Name: "retry.once", HasDefault: true, Doc: "A file: fail each record for a while when it is not there, and make it."},
	),
	New: func() connect.Transformation { return &shout{} },
}

func ptr(f float64) *float64 { return &f }

type shout struct {
	mark        string
	pause       time.Duration
	hang, retry string
}

// firstTime tells whether a file is not there, and makes it.
func firstTime(file string) bool {
	if file == "" {
		return false
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return false
	}
	_ = f.Close()
	return true
}

func (s *shout) Start(_ context.Context, cfg connect.Config, step *connect.TransformContext) error {
	ms, err := strconv.Atoi(cfg["pause.ms"])
	if err != nil {
		ms = 0
	}
	s.mark, s.pause, s.hang, s.retry = cfg["mark"], time.Duration(ms)*time.Millisecond, cfg["hang.once"], cfg["retry.once"]
	step.Log().Info("shouting", "mark", s.mark)
	return nil
}

func (s *shout) Apply(ctx context.Context, records *connect.TransformBatch) error {
	select {
	case <-time.After(s.pause):
	case <-ctx.Done():
		return ctx.Err()
	}
	if firstTime(s.hang) {
		select {}
	}
	later := firstTime(s.retry)
	for r := range records.Records() {
		if later {
			r.Fail(connect.Retriable(errors.New("the voice is away"), 0))
			continue
		}
		text, ok := r.ValueBytes()
		switch {
		case !ok:
			r.Fail(errors.New("the value is no text"))
		case strings.HasPrefix(string(text), "drop"):
			r.Drop()
		case strings.HasPrefix(string(text), "bad"):
			r.Fail(errors.New(string(text) + " is nothing to shout"))
		case strings.HasPrefix(string(text), "calm"):
		default:
			if err := r.SetValue(data.StringSchema, strings.ToUpper(string(text))+s.mark); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *shout) Stop(context.Context) error { return nil }
