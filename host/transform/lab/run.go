package lab

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/tailrace/tailrace/host/convert"
	"github.com/tailrace/tailrace/host/transform"
)

// Options say how lines are read and what is shown.
type Options struct {
	// Records tells that each line is a record with topic, key and headers, not only its value.
	Records bool
	// Topic is that of records that name none.
	Topic string
	// Kind is the side of Kafka on which the chain works.
	Kind transform.Kind
	// Steps shows the record after each transform too.
	Steps bool
}

// Result is what became of one record.
type Result struct {
	Line   int     `json:"line"`
	Before *Record `json:"before,omitempty"`
	// After is nil for a record that was dropped, or failed.
	After   *Record  `json:"after,omitempty"`
	Dropped bool     `json:"dropped,omitempty"`
	Error   *Failure `json:"error,omitempty"`
	Steps   []Step   `json:"steps,omitempty"`

	// BeforeLines and AfterLines show the record to people, see Diff. Of a record that
	// failed AfterLines show it as it was before the failing transform.
	BeforeLines, AfterLines []string `json:"-"`
}

// Step is the record after one transform.
type Step struct {
	Transform string   `json:"transform"`
	Class     string   `json:"class"`
	After     *Record  `json:"after,omitempty"`
	Dropped   bool     `json:"dropped,omitempty"`
	Lines     []string `json:"-"`
}

// Failure is why a record failed. Transform is empty when the line could not be read.
type Failure struct {
	Transform string `json:"transform,omitempty"`
	Class     string `json:"class,omitempty"`
	Exception string `json:"exception,omitempty"`
	Message   string `json:"message"`
}

// MaxLineBytes bounds a line.
const MaxLineBytes = 16 << 20

// Run reads lines until the end, and hands over one result for each that is not blank.
func Run(ctx context.Context, in io.Reader, chain *transform.Chain, o Options, emit func(Result) error) error {
	codec, err := newCodec()
	if err != nil {
		return err
	}
	l := &lab{chain: chain, o: o, codec: codec, batch: transform.NewBatch(o.Kind)}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, MaxLineBytes)
	number := 0
	for lines.Scan() {
		number++
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		r := l.one(line)
		r.Line = number
		if err := emit(r); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("line %d: %w", number+1, err)
	}
	return nil
}

type lab struct {
	chain *transform.Chain
	o     Options
	codec codec
	batch *transform.Batch
}

func (l *lab) one(line []byte) (r Result) {
	l.batch.Reset()
	in, err := parseLine(line, l.o)
	if err == nil {
		t := l.batch.Add()
		if err = l.codec.read(in, t); err == nil {
			r.Before, err = l.codec.write(t)
			r.BeforeLines = describe(t)
		}
	}
	if err != nil {
		r.Error = failure(err)
		return r
	}
	l.apply(&r)
	return r
}

func (l *lab) apply(r *Result) {
	t := l.batch.At(0)
	steps := l.chain.Steps()
	for i := range steps {
		steps[i].Apply(l.batch)
		if l.o.Steps && t.Failure() == nil {
			s := Step{Transform: steps[i].Alias, Class: steps[i].Class, Dropped: t.Dropped()}
			if !s.Dropped {
				s.After, _ = l.codec.write(t) // told below, if it is the last
				s.Lines = describe(t)
			}
			r.Steps = append(r.Steps, s)
		}
		if !t.Live() {
			break
		}
	}
	r.Dropped = t.Dropped()
	if r.Dropped {
		return
	}
	r.AfterLines = describe(t)
	if f := t.Failure(); f != nil {
		r.Error = failure(f.Err)
		r.Error.Transform, r.Error.Class = f.Alias, f.Class
		return
	}
	var err error
	if r.After, err = l.codec.write(t); err != nil {
		r.Error = failure(fmt.Errorf("what leaves the chain cannot be written: %w", err))
	}
}

func failure(err error) *Failure {
	f := &Failure{Message: err.Error()}
	var java *convert.Error
	if errors.As(err, &java) {
		f.Exception, f.Message = java.Class, java.Message
	}
	return f
}
