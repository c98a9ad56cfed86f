package data

import (
	"maps"
	"slices"
)

// MaxSchemaDepth is the deepest nesting of arrays, maps and structs that Build accepts. It bounds the recursion of
// every function that follows a schema.
const MaxSchemaDepth = 512

// Schema describes a value. It is immutable: build one with [NewStruct], [NewArray], [NewMap], [NewPrimitive] or a
// logical constructor, or use a ready-made one such as [Int64Schema]. A nil *Schema means schemaless; of the methods only
// String and Equal may be called on it.
type Schema struct {
	typ      Type
	optional bool
	logical  logical
	// nullFirst is meaningful when optional: the wire union is [null, T] if set, else [T, null].
	nullFirst  bool
	stringKey  bool // a map that is an Avro map on the wire
	hasName    bool
	hasVersion bool
	hasDoc     bool

	version int32
	scale   int32 // of a Decimal; valid if scaleErr is empty
	depth   int32 // 1 for a primitive
	strings int   // of a struct: how many fields are strings
	minSize int   // the fewest bytes that a value takes on the wire
	hash    uint64

	name     string
	doc      string
	scaleErr string
	params   []Parameter // sorted by key
	def      any         // nil = no default
	bare     *Schema     // of a struct with a default: the same without it, which is the schema of the default
	fields   []Field
	index    map[string]int // field name -> position; nil for few fields
	key      *Schema
	value    *Schema
}

// Field is a field of a struct schema. Index is its position, which is also its place on the wire.
type Field struct {
	Name   string
	Index  int
	Schema *Schema
}

// Parameter is one of a schema's free-form parameters.
type Parameter struct{ Key, Value string }

// Type is the Connect type.
func (s *Schema) Type() Type { return s.typ }

// Optional reports whether null is a value of the schema.
func (s *Schema) Optional() bool { return s.optional }

// Name is the schema's name, "" if it has none. See HasName for a name that is really empty.
func (s *Schema) Name() string { return s.name }

// HasName tells an empty name from no name; Kafka Connect keeps them apart.
func (s *Schema) HasName() bool { return s.hasName }

// Version is the schema's version and whether it has one.
func (s *Schema) Version() (int32, bool) { return s.version, s.hasVersion }

// Doc is the documentation text, "" if there is none.
func (s *Schema) Doc() string { return s.doc }

// HasDoc tells an empty doc from no doc.
func (s *Schema) HasDoc() bool { return s.hasDoc }

// Parameters are sorted by key. The slice is shared: do not change it.
func (s *Schema) Parameters() []Parameter { return s.params }

// Parameter is the value of one parameter and whether it is there.
func (s *Schema) Parameter(key string) (string, bool) {
	i, ok := slices.BinarySearchFunc(s.params, key, func(p Parameter, k string) int {
		if p.Key < k {
			return -1
		} else if p.Key > k {
			return 1
		}
		return 0
	})
	if !ok {
		return "", false
	}
	return s.params[i].Value, true
}

// Default is the default value and whether there is one. A default is never nil. It is shared: do not change it.
func (s *Schema) Default() (any, bool) { return s.def, s.def != nil }

// Fields are a struct's fields in order; nil for other types. The slice is shared: do not change it.
func (s *Schema) Fields() []Field { return s.fields }

// Field finds a struct's field by name.
func (s *Schema) Field(name string) (Field, bool) {
	if i := s.fieldIndex(name); i >= 0 {
		return s.fields[i], true
	}
	return Field{}, false
}

func (s *Schema) fieldIndex(name string) int {
	if s.index != nil {
		if i, ok := s.index[name]; ok {
			return i
		}
		return -1
	}
	for i := range s.fields {
		if s.fields[i].Name == name {
			return i
		}
	}
	return -1
}

// KeySchema is the schema of a map's keys. It is nil for other types, and for a map whose keys are schemaless.
func (s *Schema) KeySchema() *Schema { return s.key }

// ValueSchema is the schema of an array's elements or a map's values. It is nil for other types, and where elements or
// values are schemaless.
func (s *Schema) ValueSchema() *Schema { return s.value }

// String names the schema as Kafka Connect prints it: "Schema{name:TYPE}" or "Schema{TYPE}".
func (s *Schema) String() string {
	switch {
	case s == nil:
		return "null"
	case s.hasName:
		return "Schema{" + s.name + ":" + s.typ.String() + "}"
	default:
		return "Schema{" + s.typ.String() + "}"
	}
}

// Equal reports whether two schemas are the same in every attribute (type, optional, name, version, doc, parameters,
// default and all parts), as Java's ConnectSchema.equals does. The same pointer is answered at once, and different
// schemas nearly always by their hash, so it is fit for the hot path.
func (s *Schema) Equal(o *Schema) bool {
	if s == o {
		return true
	}
	if s == nil || o == nil || s.hash != o.hash {
		return false
	}
	if s.typ != o.typ || s.optional != o.optional ||
		s.hasName != o.hasName || s.name != o.name ||
		s.hasVersion != o.hasVersion || s.version != o.version ||
		s.hasDoc != o.hasDoc || s.doc != o.doc ||
		len(s.fields) != len(o.fields) || !slices.Equal(s.params, o.params) {
		return false
	}
	for i := range s.fields {
		if s.fields[i].Name != o.fields[i].Name || !s.fields[i].Schema.Equal(o.fields[i].Schema) {
			return false
		}
	}
	return s.key.Equal(o.key) && s.value.Equal(o.value) && Equal(s.def, o.def)
}

// fits reports whether a struct made with schema o is a value of s. That is Equal, except that the default of a struct
// schema cannot carry that schema itself, so the schema without the default is as good.
func (s *Schema) fits(o *Schema) bool {
	return o == s || s.bare != nil && o.Equal(s.bare) || o.Equal(s)
}

// sameFields reports whether two struct schemas differ in other things than their fields only.
func (s *Schema) sameFields(o *Schema) bool {
	return slices.EqualFunc(s.fields, o.fields, func(a, b Field) bool {
		return a.Name == b.Name && a.Schema.Equal(b.Schema)
	})
}

// Hash is a 64-bit digest of everything that Equal compares: equal schemas have equal hashes, in every process and
// release of protocol v1. It was computed by Build; use it as the key of a cache and Equal to confirm. It does not
// resist deliberate collisions.
func (s *Schema) Hash() uint64 {
	if s == nil {
		return 0
	}
	return s.hash
}

// MinSize is the fewest bytes that a value of the schema takes on the wire. It is 0 only for a required struct made of
// nothing but such structs.
func (s *Schema) MinSize() int {
	if s == nil {
		return 1
	}
	return s.minSize
}

// NullBranch is the wire union index of null in an optional schema: 0 (union [null, T]) unless the schema has a
// default, then 1 (union [T, null]), as Confluent's Avro mapping has it.
func (s *Schema) NullBranch() int {
	if s.nullFirst {
		return 0
	}
	return 1
}

// IsStringKey reports whether a map's keys are required strings without a logical meaning, so that it travels as an
// Avro map. All other maps travel as an array of (key, value) pairs. It is false for types other than MAP.
func (s *Schema) IsStringKey() bool { return s.stringKey }

// finish computes what is derived from the attributes. It runs once, in Build.
func (s *Schema) finish() {
	s.logical = logicalOf(s)
	s.nullFirst = s.def == nil
	s.stringKey = s.typ == MapType && s.key != nil && s.key.typ == String && !s.key.optional
	s.depth, s.minSize = 1, 1
	for _, part := range []*Schema{s.key, s.value} {
		if part != nil {
			s.depth = max(s.depth, part.depth+1)
		}
	}
	switch {
	case s.typ == Float32:
		s.minSize = 4
	case s.typ == Float64:
		s.minSize = 8
	case s.logical == logicalDecimal:
		s.minSize = 2
	case s.typ == StructType:
		s.minSize = 0
		s.strings = 0
		for _, f := range s.fields {
			if f.Schema.typ == String {
				s.strings++ // for box
			}
			s.depth = max(s.depth, f.Schema.depth+1)
			s.minSize = min(s.minSize+f.Schema.minSize, 1<<30) // shared parts can multiply: keep far from overflow
		}
	}
	if s.optional {
		s.minSize = 1
	}
	if len(s.fields) > 8 {
		s.index = make(map[string]int, len(s.fields))
		for i, f := range s.fields {
			s.index[f.Name] = i
		}
	}
	s.hash = s.computeHash()
}

func (s *Schema) computeHash() uint64 {
	h := fnvOffset
	h = hashUint(h, uint64(s.typ))
	h = hashBool(h, s.optional)
	h = hashText(h, s.name, s.hasName)
	h = hashText(h, s.doc, s.hasDoc)
	h = hashBool(h, s.hasVersion)
	h = hashUint(h, uint64(s.version))
	h = hashUint(h, uint64(len(s.params)))
	for _, p := range s.params {
		h = hashText(h, p.Key, true)
		h = hashText(h, p.Value, true)
	}
	if s.def != nil {
		h = hashText(h, string(appendIdentity(nil, s.def)), true)
	}
	h = hashUint(h, uint64(len(s.fields)))
	for _, f := range s.fields {
		h = hashText(h, f.Name, true)
		h = hashUint(h, f.Schema.hash)
	}
	h = hashUint(h, s.key.Hash())
	h = hashUint(h, s.value.Hash())
	if h == 0 { // 0 is the hash of nil
		h = 1
	}
	return h
}

// FNV-1a, because it is stable across processes (maphash is not) and needs no state.
const (
	fnvOffset uint64 = 14695981039346656037
	fnvPrime  uint64 = 1099511628211
)

func hashUint(h, v uint64) uint64 {
	for range 8 {
		h = (h ^ (v & 0xff)) * fnvPrime
		v >>= 8
	}
	return h
}

func hashBool(h uint64, v bool) uint64 {
	if v {
		return (h ^ 1) * fnvPrime
	}
	return h * fnvPrime
}

func hashText(h uint64, text string, present bool) uint64 {
	h = hashUint(hashBool(h, present), uint64(len(text)))
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * fnvPrime
	}
	return h
}

func sortedParameters(m map[string]string) []Parameter {
	if len(m) == 0 {
		return nil
	}
	params := make([]Parameter, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		params = append(params, Parameter{k, m[k]})
	}
	return params
}
