package avro

import (
	"fmt"
	"strings"

	"github.com/tailrace/tailrace/host/convert/javaerr"
	"github.com/tailrace/tailrace/sdk/go/data"
)

// anyFields is how many fields the record Anything has. They are optional, in
// this order.
const anyFields = 9

const (
	anyBoolean = iota
	anyBytes
	anyDouble
	anyFloat
	anyInt
	anyLong
	anyString
	anyArray
	anyMap
)

// encode turns a value of the wire into Avro.
func (n *node) encode(dst, wire []byte) (after, rest []byte, err error) {
	if n.same {
		if rest, err = data.SkipValue(n.schema, wire); err != nil {
			return dst, wire, err
		}
		return append(dst, wire[:len(wire)-len(rest)]...), rest, nil
	}
	if n.op == opAny {
		return encodeAny(dst, wire, 0)
	}
	if n.schema.Optional() {
		present, rest, err := data.ReadPresence(n.schema, wire)
		if err != nil {
			return dst, wire, err
		}
		wire = rest
		switch {
		case !present && n.absent != nil:
			return append(dst, n.absent...), wire, nil
		case !present && n.nullAt == notNullable:
			return dst, wire, javaerr.Data("a null stands where the Avro schema has no null (%s)", n.schema)
		case !present:
			return data.AppendLong(dst, int64(n.nullAt)), wire, nil
		}
	}
	if n.nullAt != notNullable && n.op != opUnion {
		dst = data.AppendLong(dst, int64(n.branch))
	}
	return n.encodeBody(dst, wire)
}

func (n *node) encodeBody(dst, wire []byte) (after, rest []byte, err error) {
	switch n.op {
	case opStruct:
		for i, c := range n.children {
			if dst, wire, err = c.encode(dst, wire); err != nil {
				return dst, wire, in(err, n.schema, i)
			}
		}
		return dst, wire, nil
	case opArray, opMap:
		return n.blocks(dst, wire, n.wireItemSize(), (*node).encode)
	case opEnum:
		symbol, rest, err := data.ReadString(wire)
		if err != nil {
			return dst, wire, err
		}
		i, ok := n.places[symbol]
		if !ok {
			return dst, wire, javaerr.Data("%q is not a symbol of the enum %s; its symbols are %s", clip(symbol), n.schema, clip(strings.Join(n.symbols, ", ")))
		}
		return data.AppendLong(dst, int64(i)), rest, nil
	case opFixed:
		raw, rest, err := data.ReadBytes(wire)
		if err != nil {
			return dst, wire, err
		}
		if len(raw) != n.size {
			return dst, wire, javaerr.Data("a fixed of %d bytes cannot hold %d bytes (%s)", n.size, len(raw), n.schema)
		}
		return append(dst, raw...), rest, nil
	case opUnion:
		return n.encodeUnion(dst, wire)
	}
	if rest, err = data.SkipValue(n.body, wire); err != nil {
		return dst, wire, err
	}
	return append(dst, wire[:len(wire)-len(rest)]...), rest, nil
}

// encodeUnion takes the one field that is not null.
func (n *node) encodeUnion(dst, wire []byte) (after, rest []byte, err error) {
	found := false
	for i, c := range n.children {
		present := true
		if c.schema.Optional() {
			if present, wire, err = data.ReadPresence(c.schema, wire); err != nil {
				return dst, wire, in(err, n.schema, i)
			}
		}
		if !present {
			continue
		}
		if found {
			return dst, wire, javaerr.Data("more than one field of the union %s is set", n.schema)
		}
		found = true
		dst = data.AppendLong(dst, int64(n.branches[i]))
		if dst, wire, err = c.encodeBody(dst, wire); err != nil {
			return dst, wire, in(err, n.schema, i)
		}
	}
	if !found {
		return dst, wire, javaerr.Data("no field of the union %s is set", n.schema)
	}
	return dst, wire, nil
}

func (n *node) wireItemSize() int {
	size := 0
	for _, c := range n.children {
		size += c.schema.MinSize()
	}
	return size
}

func (n *node) avroItemSize() int {
	size := 0
	for _, c := range n.children {
		size += c.minSize
	}
	return size
}

// blocks transcodes the items of an array or map.
func (n *node) blocks(dst, src []byte, itemSize int, item func(*node, []byte, []byte) ([]byte, []byte, error)) (after, rest []byte, err error) {
	for {
		count, rest, err := data.ReadBlock(src, itemSize)
		if err != nil {
			return dst, src, err
		}
		src = rest
		if count == 0 {
			return data.AppendBlockEnd(dst), src, nil
		}
		dst = data.AppendBlockStart(dst, count)
		for range count {
			for _, c := range n.children {
				if dst, src, err = item(c, dst, src); err != nil {
					return dst, src, err
				}
			}
		}
	}
}

// decode turns Avro into a value of the wire.
func (n *node) decode(dst, avro []byte) (after, rest []byte, err error) {
	if n.same {
		if rest, err = data.SkipValue(n.schema, avro); err != nil {
			return dst, avro, err
		}
		return append(dst, avro[:len(avro)-len(rest)]...), rest, nil
	}
	if n.op == opAny {
		return decodeAny(dst, avro, 0)
	}
	switch n.op {
	case opUnion:
		return n.decodeUnion(dst, avro)
	case opOnly:
		i, rest, err := data.ReadLong(avro)
		if err != nil {
			return dst, avro, err
		}
		if i != 0 {
			return dst, avro, javaerr.Data("the Avro union has no branch %d", i)
		}
		return n.children[0].decode(dst, rest)
	}
	if n.nullAt != notNullable {
		i, rest, err := data.ReadLong(avro)
		if err != nil {
			return dst, avro, err
		}
		switch i {
		case int64(n.nullAt):
			return data.AppendPresence(dst, n.schema, false), rest, nil
		case int64(n.branch):
		default:
			return dst, avro, javaerr.Data("the Avro union has no branch %d", i)
		}
		avro = rest
	}
	return n.decodeBody(data.AppendPresence(dst, n.schema, true), avro)
}

func (n *node) decodeBody(dst, avro []byte) (after, rest []byte, err error) {
	switch n.op {
	case opStruct:
		for i, c := range n.children {
			if dst, avro, err = c.decode(dst, avro); err != nil {
				return dst, avro, in(err, n.schema, i)
			}
		}
		return dst, avro, nil
	case opArray, opMap:
		return n.blocks(dst, avro, n.avroItemSize(), (*node).decode)
	case opEnum:
		i, rest, err := data.ReadLong(avro)
		if err != nil {
			return dst, avro, err
		}
		if i < 0 || i >= int64(len(n.symbols)) {
			return dst, avro, javaerr.Data("the enum %s has no symbol %d", n.schema, i)
		}
		return data.AppendString(dst, n.symbols[i]), rest, nil
	case opFixed:
		if len(avro) < n.size {
			return dst, avro, data.ErrShort
		}
		if _, ok, _ := n.schema.IsDecimal(); ok && n.size == 0 {
			return dst, avro, javaerr.Data("a decimal of no bytes (%s)", n.schema)
		}
		return data.AppendBytes(dst, avro[:n.size]), avro[n.size:], nil
	case opAny:
		return decodeAny(dst, avro, 0)
	}
	if rest, err = data.SkipValue(n.body, avro); err != nil {
		return dst, avro, err
	}
	return append(dst, avro[:len(avro)-len(rest)]...), rest, nil
}

// decodeUnion writes a struct with one field set.
func (n *node) decodeUnion(dst, avro []byte) (after, rest []byte, err error) {
	i, rest, err := data.ReadLong(avro)
	if err != nil {
		return dst, avro, err
	}
	if i == int64(n.nullAt) && n.nullAt != notNullable {
		return data.AppendPresence(dst, n.schema, false), rest, nil
	}
	dst, found := data.AppendPresence(dst, n.schema, true), false
	for f, c := range n.children {
		if int64(n.branches[f]) != i {
			dst = data.AppendPresence(dst, c.schema, false)
			continue
		}
		found = true
		if dst, rest, err = c.decodeBody(data.AppendPresence(dst, c.schema, true), rest); err != nil {
			return dst, rest, in(err, n.schema, f)
		}
	}
	if !found {
		return dst, avro, javaerr.Data("the Avro union has no branch %d", i)
	}
	return dst, rest, nil
}

// encodeAny writes a value without a schema as the record Anything.
func encodeAny(dst, wire []byte, depth int) (after, rest []byte, err error) {
	branch, body, err := data.ReadLong(wire)
	if err != nil {
		return dst, wire, err
	}
	if depth > data.MaxSchemalessDepth {
		return dst, wire, javaerr.Data("a value without a schema is nested more than %d deep", data.MaxSchemalessDepth)
	}
	var field int
	var sub *data.Schema // of a primitive
	switch branch {
	case data.AnyNull:
		return append(dst, make([]byte, anyFields)...), body, nil
	case data.AnyBoolean:
		field, sub = anyBoolean, data.BooleanSchema
	case data.AnyInt8:
		field, sub = anyInt, data.Int8Schema
	case data.AnyInt16:
		field, sub = anyInt, data.Int16Schema
	case data.AnyInt32:
		field, sub = anyInt, data.Int32Schema
	case data.AnyInt64:
		field, sub = anyLong, data.Int64Schema
	case data.AnyFloat32:
		field, sub = anyFloat, data.Float32Schema
	case data.AnyFloat64:
		field, sub = anyDouble, data.Float64Schema
	case data.AnyBytes:
		field, sub = anyBytes, data.BytesSchema
	case data.AnyString:
		field, sub = anyString, data.StringSchema
	case data.AnyArray:
		field = anyArray
	case data.AnyMap, data.AnyPairs:
		field = anyMap
	default:
		return dst, wire, javaerr.Data("Unknown Java type for schemaless data: a decimal or a time; give the value a schema")
	}
	for i := range anyFields {
		if i != field {
			dst = append(dst, 0)
			continue
		}
		dst = data.AppendLong(dst, 1)
		if sub != nil {
			if rest, err = data.SkipValue(sub, body); err != nil {
				return dst, wire, err
			}
			dst, body = append(dst, body[:len(body)-len(rest)]...), rest
			continue
		}
		if dst, body, err = encodeAnyItems(dst, body, branch, depth); err != nil {
			return dst, wire, err
		}
	}
	return dst, body, nil
}

// encodeAnyItems writes the items of a list, or the entries of a map; a text key becomes an Anything of its own.
func encodeAnyItems(dst, wire []byte, branch int64, depth int) (after, rest []byte, err error) {
	itemSize := 1
	if branch != data.AnyArray {
		itemSize = 2
	}
	for {
		count, rest, err := data.ReadBlock(wire, itemSize)
		if err != nil {
			return dst, wire, err
		}
		wire = rest
		if count == 0 {
			return data.AppendBlockEnd(dst), wire, nil
		}
		dst = data.AppendBlockStart(dst, count)
		for range count {
			switch branch {
			case data.AnyMap:
				text, rest, err := data.ReadBytes(wire)
				if err != nil {
					return dst, wire, err
				}
				dst = append(dst, make([]byte, anyString)...)
				dst = data.AppendBytes(data.AppendLong(dst, 1), text)
				dst = append(dst, make([]byte, anyFields-anyString-1)...)
				wire = rest
			case data.AnyPairs:
				if dst, wire, err = encodeAny(dst, wire, depth+1); err != nil {
					return dst, wire, err
				}
			}
			if dst, wire, err = encodeAny(dst, wire, depth+1); err != nil {
				return dst, wire, err
			}
		}
	}
}

var anyBranches = [anyFields]struct {
	wire   int64
	schema *data.Schema
}{
	anyBoolean: {data.AnyBoolean, data.BooleanSchema}, anyBytes: {data.AnyBytes, data.BytesSchema},
	anyDouble: {data.AnyFloat64, data.Float64Schema}, anyFloat: {data.AnyFloat32, data.Float32Schema},
	anyInt: {data.AnyInt32, data.Int32Schema}, anyLong: {data.AnyInt64, data.Int64Schema},
	anyString: {data.AnyString, data.StringSchema}, anyArray: {data.AnyArray, nil}, anyMap: {data.AnyPairs, nil},
}

// decodeAny reads the record Anything; the first field that is set counts.
func decodeAny(dst, avro []byte, depth int) (after, rest []byte, err error) {
	if depth > data.MaxSchemalessDepth {
		return dst, avro, javaerr.Data("a value without a schema is nested more than %d deep", data.MaxSchemalessDepth)
	}
	start, set := len(dst), false
	for i := range anyFields {
		branch, rest, err := data.ReadLong(avro)
		if err != nil {
			return dst, avro, err
		}
		avro = rest
		if branch == 0 {
			continue
		}
		if branch != 1 {
			return dst, avro, javaerr.Data("the Avro union has no branch %d", branch)
		}
		if set {
			return dst[:start], avro, javaerr.Data("a value without a schema has more than one type")
		}
		set = true
		b := anyBranches[i]
		dst = data.AppendLong(dst, b.wire)
		if b.schema != nil {
			if rest, err = data.SkipValue(b.schema, avro); err != nil {
				return dst, avro, err
			}
			dst, avro = append(dst, avro[:len(avro)-len(rest)]...), rest
			continue
		}
		if dst, avro, err = decodeAnyItems(dst, avro, i == anyMap, depth); err != nil {
			return dst, avro, err
		}
	}
	if !set {
		dst = data.AppendLong(dst, data.AnyNull)
	}
	return dst, avro, nil
}

func decodeAnyItems(dst, avro []byte, pairs bool, depth int) (after, rest []byte, err error) {
	parts := 1
	if pairs {
		parts = 2
	}
	for {
		count, rest, err := data.ReadBlock(avro, parts*anyFields)
		if err != nil {
			return dst, avro, err
		}
		avro = rest
		if count == 0 {
			return data.AppendBlockEnd(dst), avro, nil
		}
		dst = data.AppendBlockStart(dst, count)
		for range count * parts {
			if dst, avro, err = decodeAny(dst, avro, depth+1); err != nil {
				return dst, avro, err
			}
		}
	}
}

// in names the field of an error.
func in(err error, s *data.Schema, field int) error {
	return fmt.Errorf("field %q: %w", s.Fields()[field].Name, err)
}

func clip(text string) string {
	if len(text) > 200 {
		return text[:200] + "…"
	}
	return text
}
