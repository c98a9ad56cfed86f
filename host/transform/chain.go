package transform

import (
	"context"
	"fmt"

	"github.com/tailrace/tailrace/host/config"
)

// Transform is one step over a batch. An implementation works on the records for
// which Selected holds, in order; it calls Fail or Drop on a record, or
// changes it, and leaves it as it was when it fails. It is used by one goroutine.
type Transform interface {
	Apply(b *Batch)
}

// Predicate tells for which records a condition holds. An implementation calls
// set once for each record for which Selected holds, or Fail on the record.
type Predicate interface {
	Test(b *Batch, set func(i int, holds bool))
}

// step is a built-in transform.
type step interface{ apply(r *Record) error }

// test is a built-in predicate.
type test interface{ test(r *Record) (bool, error) }

// perRecord makes a Transform of a step.
type perRecord struct{ step step }

func (p perRecord) Apply(b *Batch) {
	apply := p.step.apply // one look-up for the batch
	for i := range b.records {
		r := &b.records[i]
		if !r.Selected() {
			continue
		}
		if err := apply(r); err != nil {
			r.Fail(err)
		}
	}
}

// perRecordTest makes a Predicate of a test.
type perRecordTest struct{ t test }

func (p perRecordTest) Test(b *Batch, set func(i int, holds bool)) {
	holds := p.t.test
	for i := range b.records {
		r := &b.records[i]
		if !r.Selected() {
			continue
		}
		ok, err := holds(r)
		if err != nil {
			r.Fail(err)
			continue
		}
		set(i, ok)
	}
}

// Step is one transform of a chain.
type Step struct {
	Alias     string
	Class     string // Java class name, for failures
	Transform Transform
	// Predicate says which records the transform applies to; nil means all.
	Predicate      Predicate
	PredicateClass string
	// Negate turns the predicate round.
	Negate bool
}

// Chain applies steps in order. It is for one goroutine.
type Chain struct {
	steps []Step
	units []unit // of the steps
}

// NewChain makes a chain of given steps.
func NewChain(steps ...Step) *Chain { return &Chain{steps, grouped(steps)} }

// Others builds the transforms that are not built in. It gives the transform and its full class name.
type Others func(t config.Transform) (built Transform, fullClass string, err error)

// FromConfig builds the chain of a connector's configuration. Each transform and
// each use of a predicate gets an instance of its own. other builds
// what is not built in, such as the transforms of plugins; it may be nil.
func FromConfig(transforms []config.Transform, predicates map[string]config.Predicate, others Others) (*Chain, error) {
	steps := make([]Step, 0, len(transforms))
	for _, t := range transforms {
		s := Step{Alias: t.Alias, Negate: t.Negate}
		var err error
		if s.Transform, s.Class, err = buildTransform(t, others); err != nil {
			return nil, fmt.Errorf("transforms.%s: %w", t.Alias, err)
		}
		if t.Predicate != "" {
			p, ok := predicates[t.Predicate]
			if !ok {
				return nil, fmt.Errorf("transforms.%s: there is no predicate %s", t.Alias, t.Predicate)
			}
			if s.Predicate, s.PredicateClass, err = buildPredicate(p.Class, p.Config); err != nil {
				return nil, fmt.Errorf("predicates.%s: %w", t.Predicate, err)
			}
		}
		steps = append(steps, s)
	}
	return NewChain(steps...), nil
}

// Bind gives a context to the steps that wait for something outside: it ends with the task. Call it before Apply. c may be nil.
func (c *Chain) Bind(ctx context.Context) {
	if c == nil {
		return
	}
	for i := range c.steps {
		if b, ok := c.steps[i].Transform.(interface{ Bind(ctx context.Context) }); ok {
			b.Bind(ctx)
		}
	}
}

// Len is the number of steps.
func (c *Chain) Len() int { return len(c.steps) }

// Apply runs the batch through all steps. The outcome stands in each record:
// Live, Dropped or Failure.
func (c *Chain) Apply(b *Batch) {
	for _, u := range c.units {
		u.apply(b)
	}
}

// Steps are the steps in order, to apply them one by one. Do not change them.
func (c *Chain) Steps() []Step { return c.steps }

// Apply runs the batch through the step.
func (s *Step) Apply(b *Batch) { s.apply(b) }

func (s *Step) apply(b *Batch) {
	if s.Predicate != nil {
		s.Predicate.Test(b, func(i int, holds bool) { b.records[i].skip = holds == s.Negate })
	}
	s.sign(b, s.PredicateClass)
	s.Transform.Apply(b)
	s.sign(b, s.Class)
	if s.Predicate != nil {
		for i := range b.records {
			b.records[i].skip = false
		}
	}
}

// sign puts the name of the step on the failures that have none yet.
func (s *Step) sign(b *Batch, class string) {
	for i := range b.records {
		if f := b.records[i].failure; f != nil && f.Class == "" {
			f.Alias, f.Class = s.Alias, class
		}
	}
}
