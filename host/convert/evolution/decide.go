package evolution

import (
	"strings"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// Policy is what to do with values whose schema is not the known one.
type Policy string

// The policies, by their values of schema.evolution.
const (
	// Evolve lets every schema pass: the converter, and with it the registry, decides.
	Evolve Policy = "evolve"
	// Strict refuses every change.
	Strict Policy = "strict"
	// Ignore writes values in the known schema: what is new is left out.
	Ignore Policy = "ignore"
)

// Verdict is what becomes of the values of a schema: refused when Refused is not empty, else projected when Projection
// is set, else they pass as they are.
type Verdict struct {
	// Refused are the changes that the policy does not allow.
	Refused []Change
	// Ignored are the changes that the projection takes out.
	Ignored    []Change
	Projection *Projection
}

// Decide compares a schema with the known one. read is schema as it would be read back from where known comes from, and
// schema itself where nothing comes between. known is nil when nothing is known yet.
func Decide(p Policy, known, read, schema *data.Schema) Verdict {
	if p == Evolve || known == nil {
		return Verdict{}
	}
	changes := Compare(known, read)
	if len(changes) == 0 {
		return Verdict{}
	}
	if p == Strict {
		return Verdict{Refused: changes}
	}
	projection, refused := project(known, read, schema)
	if len(refused) > 0 {
		return Verdict{Refused: refused}
	}
	return Verdict{Ignored: changes, Projection: projection}
}

// Text lists changes for a message.
func Text(changes []Change) string {
	texts := make([]string, len(changes))
	for i, c := range changes {
		texts[i] = c.String()
	}
	text := strings.Join(texts, "; ")
	if len(changes) >= maxChanges {
		text += "; and more"
	}
	return text
}
