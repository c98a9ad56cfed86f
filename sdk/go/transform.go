package connect

import (
	"context"
	"log/slog"
)

// Transform describes one type of transform: a step of a connector's chain between the connector and the converters, which
// users name with transforms.NAME.type. It works for every connector of the worker, not only for those of its plugin.
type Transform struct {
	// Name is the value of transforms.NAME.type that means this transform, unique in the plugin. The name of a Java class with
	// dots, or one as in "mask-cards", keeps clear of the transforms that are built in.
	Name string
	// Version of the transform; the plugin's when empty.
	Version string
	// Aliases are other values of transforms.NAME.type.
	Aliases []string
	// Doc is one paragraph for people.
	Doc string
	// Config defines the options that the transform understands. Nil means none.
	Config *ConfigDef
	// New makes the object that works: one for each step of each task that runs. Transforms keep no records, so it may be thrown
	// away and made again at any time.
	New func() Transformation
}

// Transformation changes records, a batch at a time. Start, Apply and Stop are called one after the other from one
// goroutine, so it needs no locks of its own.
type Transformation interface {
	// Start is called once, before everything else, with the options of the step. An error fails the task.
	Start(ctx context.Context, cfg Config, step *TransformContext) error

	// Apply looks at each record, and leaves it, changes it ([TransformRecord.SetValue] and the like), drops it or fails it.
	// Records that a predicate excludes are not in the batch. Records leave in the order in which they came.
	//
	// A record that fails is an errant record, as errors.tolerance says; [Retriable] is tried again as errors.retry.timeout
	// says. When Apply itself returns an error or panics, it is called again with each record of the batch alone, as it was
	// before, so that only those that cannot be handled fail.
	//
	// ctx ends at the deadline of the batch (a minute, unless the worker says otherwise). A call that goes on after it is taken
	// for a hang: the worker ends the process and sends the batch to a new one.
	Apply(ctx context.Context, records *TransformBatch) error

	// Stop gives back what Start took. It is called once, also when Start failed. ctx ends after five seconds.
	Stop(ctx context.Context) error
}

// TransformContext is what a transform may ask of the worker. Its methods may be called from any goroutine until Stop has returned.
type TransformContext struct {
	connector, alias string
	log              *slog.Logger
	metrics          *Metrics
}

// Connector is the user's name for the connector.
func (c *TransformContext) Connector() string { return c.connector }

// Alias is the user's name for the step, NAME of transforms.NAME.type.
func (c *TransformContext) Alias() string { return c.alias }

// Log is the transform's logger; its lines go to the worker's log with the connector's name.
func (c *TransformContext) Log() *slog.Logger { return c.log }

// Metrics are the own measures of the transform.
func (c *TransformContext) Metrics() *Metrics { return c.metrics }
