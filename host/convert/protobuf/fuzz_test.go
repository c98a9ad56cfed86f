package protobuf

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/tailrace/tailrace/sdk/go/data"
	"github.com/tailrace/tailrace/test/bounded"
)

// FuzzDecode: what the library refuses is refused, what is read is a value, and it can be written again.
func FuzzDecode(f *testing.F) {
	o := &options{rawWrappers: true, unionIndex: true, proto2Optionals: true, optionals: true}
	w, err := writeSchema(o, everything())
	if err != nil {
		f.Fatal(err)
	}
	file, err := compile(w.text, nil)
	if err != nil {
		f.Fatal(err)
	}
	m, _ := findMessage(file, w.message)
	r, err := readSchema(o, m, 0)
	if err != nil {
		f.Fatal(err)
	}
	e, err := planEncode(o, r.schema, m, 0)
	if err != nil {
		f.Fatal(err)
	}
	out, _, err := e.message(nil, mustValue(f, r, o))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(out)
	f.Add([]byte{0x92, 0x01, 0x00})
	f.Fuzz(func(t *testing.T, b []byte) {
		d := &decoder{}
		var wire []byte
		var err error
		bounded.Allocation(t, len(b), func() { wire, err = d.message(nil, r.root, b) })
		if _, _, ok := cutIndexes(b); ok {
			_, _ = messageAt(file, b)
		}
		if err != nil {
			_ = err.Error()
			return
		}
		if err := proto.Unmarshal(b, dynamicpb.NewMessage(m)); err != nil {
			t.Logf("the library refuses it: %v", err) // it also checks fields that are replaced later
		}
		if rest, err := data.SkipValue(r.schema, wire); err != nil || len(rest) > 0 {
			t.Fatalf("%x became wire bytes that are no value: %v, %d left", b, err, len(rest))
		}
		again, _, err := e.message(nil, wire)
		if err != nil {
			return // an enum number without a symbol, a union member of that kind
		}
		twice, err := d.message(nil, r.root, again)
		if err != nil {
			t.Fatalf("%x was written as %x, which cannot be read: %v", b, again, err)
		}
		if string(twice) != string(wire) {
			t.Fatalf("%x changed on its way: %x, %x", b, wire, twice)
		}
	})
}

// FuzzCompile: no text of a registry harms the reader.
func FuzzCompile(f *testing.F) {
	f.Add(wrapperText, []byte{1})
	f.Add("syntax = \"proto2\"; message A { required int32 a = 1 [default = 5]; oneof o { B b = 2; } repeated group G = 3 {} map<string, A> m = 4; } message B { extensions 5 to 6; }", []byte{})
	f.Add("syntax = \"proto3\"; import \"confluent/meta.proto\"; message A { int32 a = 1 [(confluent.field_meta) = {params: [{key: \"connect.type\", value: \"int8\"}]}]; }", []byte{8, 1})
	o := &options{rawWrappers: true, unionIndex: true, proto2Optionals: true}
	f.Fuzz(func(t *testing.T, text string, b []byte) {
		file, err := compile(text, nil)
		if err != nil {
			_ = err.Error()
			return
		}
		m, ok := messageAt(file, []byte{0})
		if !ok {
			return
		}
		r, err := readSchema(o, m, 1)
		if err != nil {
			return
		}
		d := &decoder{}
		if wire, err := d.message(nil, r.root, b); err == nil {
			if rest, err := data.SkipValue(r.schema, wire); err != nil || len(rest) > 0 {
				t.Fatalf("%q: %x became wire bytes that are no value: %v, %d left", text, b, err, len(rest))
			}
		}
	})
}

func mustValue(f *testing.F, r *readPlan, o *options) []byte {
	s := everything()
	w, err := writeSchema(o, s)
	if err != nil {
		f.Fatal(err)
	}
	file, err := compile(w.text, nil)
	if err != nil {
		f.Fatal(err)
	}
	m, _ := findMessage(file, w.message)
	e, err := planEncode(o, s, m, 0)
	if err != nil {
		f.Fatal(err)
	}
	out, _, err := e.message(nil, everyValue(f, s))
	if err != nil {
		f.Fatal(err)
	}
	wire, err := (&decoder{}).message(nil, r.root, out)
	if err != nil {
		f.Fatal(err)
	}
	return wire
}
