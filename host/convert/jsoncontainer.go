package convert

import (
	"bytes"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// member is one name of an object and the place of its value.
type member struct {
	name []byte
	at   int
}

// manyMembers is the size from which a map finds repeated names.
const manyMembers = 16

// members lists an object: a repeated name keeps its first place and its last value.
func (r *jsonReader) members(i int) []member {
	b := r.b
	var list []member
	var index map[string]int
	i = b.space(i + 1)
	for b[i] != '}' {
		name, end := b.unquote(i)
		at := b.space(b.space(end) + 1)
		found := -1
		if index != nil {
			if j, ok := index[string(name)]; ok {
				found = j
			}
		} else {
			for j := range list {
				if bytes.Equal(list[j].name, name) {
					found = j
					break
				}
			}
		}
		if found >= 0 {
			list[found].at = at
		} else {
			list = append(list, member{name, at})
			if index != nil {
				index[string(name)] = len(list) - 1
			} else if len(list) == manyMembers {
				index = make(map[string]int, 2*manyMembers)
				for j := range list {
					index[string(list[j].name)] = j
				}
			}
		}
		if i = b.space(b.end(at)); b[i] == ',' {
			i = b.space(i + 1)
		}
	}
	return list
}

// array writes a JSON array. As in Java, an object gives its values and anything
// else nothing.
func (r *jsonReader) array(dst []byte, s *data.Schema, i int) ([]byte, error) {
	var err error
	switch r.b[i] {
	case '[':
		start, n := len(dst), 0
		for i = r.b.space(i + 1); r.b[i] != ']'; n++ {
			if dst, err = r.part(dst, s.ValueSchema(), i, "element of array "); err != nil {
				return dst, err
			}
			if i = r.b.space(r.b.end(i)); r.b[i] == ',' {
				i = r.b.space(i + 1)
			}
		}
		return closeBlock(dst, start, n), nil
	case '{':
		list := r.members(i)
		dst = data.AppendBlockStart(dst, len(list))
		for _, m := range list {
			if dst, err = r.part(dst, s.ValueSchema(), m.at, "element of array "); err != nil {
				return dst, err
			}
		}
	}
	return data.AppendBlockEnd(dst), nil
}

// closeBlock puts the count in front of the n items that were written from start
// on, and ends the array.
func closeBlock(dst []byte, start, n int) []byte {
	if n > 0 {
		var head [10]byte
		count := data.AppendBlockStart(head[:0], n)
		dst = append(dst, count...)
		copy(dst[start+len(count):], dst[start:len(dst)-len(count)])
		copy(dst[start:], count)
	}
	return data.AppendBlockEnd(dst)
}

func (r *jsonReader) mapping(dst []byte, s *data.Schema, i int) (_ []byte, err error) {
	key := s.KeySchema()
	if key == nil || key.Type() == data.String && (!r.c.byRegistry || !key.Optional()) {
		if r.b[i] != '{' {
			return dst, dataError("Maps with string fields should be encoded as JSON objects, but found %s", r.nodeType(i))
		}
		list := r.members(i)
		dst = data.AppendBlockStart(dst, len(list))
		for _, m := range list {
			if key == nil {
				dst = data.AppendLong(dst, data.AnyString)
			} else {
				dst = data.AppendPresence(dst, key, true)
			}
			dst = data.AppendBytes(dst, m.name)
			if dst, err = r.part(dst, s.ValueSchema(), m.at, "value of map "); err != nil {
				return dst, err
			}
		}
		return data.AppendBlockEnd(dst), nil
	}
	if r.b[i] != '[' {
		items := "tuples"
		if r.c.byRegistry {
			items = "objects"
		}
		return dst, dataError("Maps with non-string fields should be encoded as JSON array of %s, but found %s", items, r.nodeType(i))
	}
	start, n := len(dst), 0
	for i = r.b.space(i + 1); r.b[i] != ']'; n++ {
		if r.c.byRegistry {
			dst, err = r.entry(dst, s, i)
		} else {
			dst, err = r.tuple(dst, s, i)
		}
		if err != nil {
			return dst, err
		}
		if i = r.b.space(r.b.end(i)); r.b[i] == ',' {
			i = r.b.space(i + 1)
		}
	}
	return closeBlock(dst, start, n), nil
}

func (r *jsonReader) tuple(dst []byte, s *data.Schema, i int) ([]byte, error) {
	if r.b[i] != '[' {
		return dst, dataError("Found invalid map entry instead of array tuple: %s", r.nodeType(i))
	}
	var parts []int
	for i = r.b.space(i + 1); r.b[i] != ']'; {
		parts = append(parts, i)
		if i = r.b.space(r.b.end(i)); r.b[i] == ',' {
			i = r.b.space(i + 1)
		}
	}
	if len(parts) != 2 {
		return dst, dataError("Found invalid map entry, expected length 2 but found :%d", len(parts))
	}
	dst, err := r.part(dst, s.KeySchema(), parts[0], "key of map ")
	if err != nil {
		return dst, err
	}
	return r.part(dst, s.ValueSchema(), parts[1], "value of map ")
}

func (r *jsonReader) structure(dst []byte, s *data.Schema, i int) ([]byte, error) {
	if r.b[i] != '{' {
		return dst, dataError("Structs should be encoded as JSON objects, but found %s", r.nodeType(i))
	}
	mark := len(dst)
	dst, ok, err := r.structureInOrder(dst, s, i)
	if ok || err != nil {
		return dst, err
	}
	dst = dst[:mark]
	list := r.members(i)
	for _, f := range s.Fields() {
		at := -1
		for _, m := range list {
			if string(m.name) == f.Name {
				at = m.at
				break
			}
		}
		if dst, err = r.field(dst, f, at); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// structureInOrder is the usual case: the names are those of the fields, in
// their order. ok is false when they are not.
func (r *jsonReader) structureInOrder(dst []byte, s *data.Schema, i int) (_ []byte, ok bool, err error) {
	b := r.b
	i = b.space(i + 1)
	for _, f := range s.Fields() {
		end := i + len(f.Name) + 2
		if end > len(b) || b[i] != '"' || b[end-1] != '"' || string(b[i+1:end-1]) != f.Name {
			return dst, false, nil
		}
		at := b.space(b.space(end) + 1)
		if dst, err = r.field(dst, f, at); err != nil {
			return dst, false, err
		}
		if i = b.space(b.end(at)); b[i] == ',' {
			i = b.space(i + 1)
		}
	}
	return dst, b[i] == '}', nil
}

// field writes one field; at is -1 when it is missing.
func (r *jsonReader) field(dst []byte, f data.Field, at int) ([]byte, error) {
	if at < 0 {
		dst, err := r.null(dst, f.Schema)
		if err != nil && r.c.byRegistry {
			err = missing(f)
		}
		return dst, err
	}
	if r.isNullText(f.Schema, at) && !f.Schema.Optional() {
		return dst, dataError("Invalid value: null used for required field: \"%s\", schema type: %s", f.Name, f.Schema.Type())
	}
	before := r.lost
	dst, err := r.value(dst, f.Schema, at)
	if err == nil && before == nil && r.lost != nil {
		err = r.lost.in(`field: "` + f.Name + `"`)
	}
	return dst, err
}
