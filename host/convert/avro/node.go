package avro

import (
	"github.com/tailrace/tailrace/sdk/go/data"
)

// op is how the value of a node, null apart, stands in Avro.
type op uint8

const (
	opSame   op = iota // as on the wire
	opAny              // a value without a schema: the record Anything
	opStruct           // fields in order
	opArray            // blocks of children[0]
	opMap              // blocks of children[0] and children[1], string-keyed map or array of MapEntry
	opEnum             // the symbol's place instead of its text
	opFixed            // bytes without their length
	opUnion            // the index of a branch and its value instead of a struct of optional fields
	opOnly             // read only: the index of the one branch of a union, then children[0]
)

// notNullable is a node whose Avro form has no null.
const notNullable = -1

// node maps one schema; it serves both directions.
type node struct {
	op     op
	schema *data.Schema // of the wire form; nil where there is none
	body   *data.Schema // schema, required: what a primitive is checked against
	nullAt int          // the branch of null in Avro's union, or notNullable
	branch int          // the branch of the value in Avro's union
	same   bool         // value and union index are the same bytes on both sides

	children []*node
	branches []int    // opUnion: the Avro branch of each child
	symbols  []string // opEnum
	places   map[string]int
	size     int    // opFixed: bytes
	absent   []byte // what is written for null instead of it; nil if that is null
	minSize  int    // the fewest bytes in Avro
}

// finish computes what follows from the parts. It is called once per node.
func (n *node) finish() *node {
	body := true // the value without its union index is the same
	switch n.op {
	case opSame:
		n.minSize = minPrimitive(n.schema)
	case opAny:
		n.minSize, body = anyFields, false
	case opStruct:
		n.minSize = 0
		for _, c := range n.children {
			n.minSize = min(n.minSize+c.minSize, 1<<30)
			body = body && c.same
		}
	case opArray, opMap:
		n.minSize = 1
		for _, c := range n.children {
			body = body && c.same
		}
	case opOnly:
		n.minSize, body = 1+n.children[0].minSize, false
	case opEnum, opUnion:
		n.minSize, body = 1, false
	case opFixed:
		n.minSize, body = n.size, false
	}
	if n.nullAt != notNullable {
		n.minSize = 1
	}
	n.same = body && n.schema != nil
	if n.same && n.schema.Optional() {
		n.same = n.nullAt == n.schema.NullBranch() && n.branch == 1-n.nullAt
	} else if n.same {
		n.same = n.nullAt == notNullable
	}
	if n.schema != nil {
		n.body = n.schema
		if n.schema.Optional() {
			if required, err := n.schema.ToBuilder().SetOptional(false).Build(); err == nil {
				n.body = required
			}
		}
	}
	return n
}

func minPrimitive(s *data.Schema) int {
	switch s.Type() {
	case data.Float32:
		return 4
	case data.Float64:
		return 8
	}
	return 1
}
