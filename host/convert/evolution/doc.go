// Package evolution decides what becomes of a value whose schema is not the one that is known for its topic
// (schema.evolution of a connector), before a registry could refuse it.
//
// Shapes: [Decide] is a pure function of the known schema, the new one and the policy. Its verdict is to let the value
// pass, to refuse it with the list of changes, or a [Projection], which turns values in wire form from the new schema
// into the known one without building them.
//
// Where a registry keeps schemas, the known one is what its newest version reads as, and that has passed through the
// registry's format: names are completed, types are widened. So the new schema comes twice, as the plugin gave it and as
// it would be read back. The second is compared; the first is what values are in.
//
// Invariants:
//   - I-7: a projection changes nothing but what it says: it drops fields that are not known, fills in what is gone and
//     may be, and refuses everything else.
//   - I-3: wire bytes are not trusted; they are checked while they are projected.
//
// It imports sdk/go/data only. Package convert uses it.
package evolution
