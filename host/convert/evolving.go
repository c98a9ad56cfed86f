package convert

import (
	"context"
	"fmt"

	"github.com/tailrace/tailrace/host/convert/evolution"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// Evolution says what becomes of values whose schema changes (schema.evolution).
type Evolution struct {
	Policy evolution.Policy
	// Connector and Part ("key" or "value") are for messages.
	Connector, Part string
	// Ignored hears once of each schema that is projected, with what was left out. It may be nil, and must not block.
	Ignored func(topic, what string)
}

// WithEvolution puts the policy before a converter of a source. With evolve, or none, that is the converter itself.
func WithEvolution(c Converter, e Evolution) Converter {
	if e.Policy != evolution.Strict && e.Policy != evolution.Ignore {
		return c
	}
	v := &evolving{Converter: c, config: e, decisions: map[evolvingKey]*decision{}, known: map[string]knownSchema{}}
	v.registry, _ = c.(registering)
	return v
}

// registering is a converter whose schemas are kept in a registry.
type registering interface {
	// Registered tells the subject of a topic's values of a schema, the schema of the subject's newest version, nil if there
	// is none, and the schema as it would be read back. Its errors are as those of FromConnect.
	Registered(topic string, schema *data.Schema) (subject string, version int, newest, read *data.Schema, err error)
}

// evolving compares schemas before values are converted. A schema is looked at once; after that a value costs a
// comparison of pointers, or its projection.
type evolving struct {
	Converter
	config   Evolution
	registry registering // nil without one

	decisions map[evolvingKey]*decision
	lastKey   evolvingKey
	last      *decision
	// known are the first schemas, by subject or topic: what a registry has goes before them.
	known map[string]knownSchema
}

type evolvingKey struct {
	schema *data.Schema
	topic  string
}

type knownSchema struct {
	schema *data.Schema
	from   string // where it comes from
}

// decision is what becomes of the values of a schema; they pass when it is empty.
type decision struct {
	refused    *Error
	projection *evolution.Projection
}

// maxDecisions bounds what is remembered; a schema that is in use is decided again at once.
const maxDecisions = 10_000

func (c *evolving) FromConnect(dst []byte, topic string, schema *data.Schema, wire []byte) (out, after []byte, err error) {
	d := c.last
	if key := (evolvingKey{schema, topic}); d == nil || key != c.lastKey {
		if schema == nil && (len(wire) == 0 || len(wire) == 1 && wire[0] == data.AnyNull) {
			return c.Converter.FromConnect(dst, topic, schema, wire) // a tombstone has no schema to differ
		}
		if d, err = c.decide(key); err != nil {
			return nil, dst, err
		}
		c.last, c.lastKey = d, key
	}
	switch {
	case d.refused != nil:
		return nil, dst, d.refused
	case d.projection == nil:
		return c.Converter.FromConnect(dst, topic, schema, wire)
	}
	start := len(dst)
	projected, err := d.projection.Append(dst, wire)
	if err != nil {
		return nil, dst, c.failed(topic, "cannot write a value in the known schema", err)
	}
	out, after, err = c.Converter.FromConnect(projected, topic, d.projection.Schema, projected[start:len(projected):len(projected)])
	if err != nil {
		after = dst
	}
	return out, after, err
}

func (c *evolving) failed(topic, what string, cause error) *Error {
	return &Error{
		Class: schemaProjectorException, Cause: cause,
		Message: fmt.Sprintf("schema.evolution=%s of connector %s %s: the %s for topic %s", c.config.Policy, c.config.Connector, what, c.config.Part, topic),
	}
}

// schemaProjectorException is a DataException in Java.
const schemaProjectorException = connectPackage + "errors.SchemaProjectorException"

func (c *evolving) decide(key evolvingKey) (*decision, error) {
	if d, ok := c.decisions[key]; ok {
		return d, nil
	}
	subject, known, read, err := c.place(key)
	if err != nil {
		return nil, err
	}
	if known.schema == nil && key.schema != nil && len(c.known) < maxDecisions {
		c.known[subject] = knownSchema{read, "the first schema that this task has seen"}
	}
	verdict := evolution.Decide(c.config.Policy, known.schema, read, key.schema)
	d := &decision{projection: verdict.Projection}
	switch {
	case len(verdict.Refused) > 0:
		what := "does not let a changed schema pass"
		if c.config.Policy == evolution.Ignore {
			what = "cannot leave out what changed"
		}
		d.refused = c.failed(key.topic, what, fmt.Errorf("compared with %s, %s; %s", known.from, evolution.Text(verdict.Refused), c.remedy()))
	case d.projection != nil && c.config.Ignored != nil:
		c.config.Ignored(key.topic, fmt.Sprintf("compared with %s, %s", known.from, evolution.Text(verdict.Ignored)))
	}
	if len(c.decisions) >= maxDecisions {
		clear(c.decisions)
	}
	c.decisions[key] = d
	return d, nil
}

// place finds what is known for a schema: under the subject of a registry, or under the topic.
func (c *evolving) place(key evolvingKey) (subject string, known knownSchema, read *data.Schema, err error) {
	if c.registry == nil || key.schema == nil {
		return key.topic, c.known[key.topic], key.schema, nil
	}
	subject, version, newest, read, err := c.registry.Registered(key.topic, key.schema)
	if err != nil {
		return "", knownSchema{}, nil, err
	}
	if newest != nil {
		return subject, knownSchema{newest, fmt.Sprintf("version %d of subject %s", version, subject)}, read, nil
	}
	return subject, c.known[subject], read, nil
}

func (c *evolving) remedy() string {
	if c.registry != nil {
		return "register the new schema and restart the connector, or change schema.evolution"
	}
	return "restart the connector to take the new schema, or change schema.evolution"
}

// Bind passes on what Bind gives.
func (c *evolving) Bind(ctx context.Context) { Bind(ctx, c.Converter) }
