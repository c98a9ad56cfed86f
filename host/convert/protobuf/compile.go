package protobuf

import (
	"context"
	"encoding/base64"
	"io"
	"strings"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/parser"
	"github.com/bufbuild/protocompile/reporter"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/tailrace/tailrace/host/convert/javaerr"
)

// mainName is the file that a schema's text stands in. Nothing imports it.
const mainName = "tailrace.main.proto"

// compile reads a schema's text; refs are the texts that it imports.
func compile(text string, refs map[string]string) (protoreflect.FileDescriptor, error) {
	resolve := func(path string) (protocompile.SearchResult, error) {
		switch source, ok := refs[path]; {
		case path == mainName:
			return read(path, text)
		case ok:
			return read(path, source)
		}
		if source, ok := known[path]; ok {
			return read(path, source)
		}
		return protocompile.SearchResult{}, protoreflectNotFound(path)
	}
	c := protocompile.Compiler{
		Resolver: protocompile.WithStandardImports(protocompile.ResolverFunc(resolve)), MaxParallelism: 1,
		Reporter: reporter.NewReporter(nil, nil),
	}
	files, err := c.Compile(context.Background(), mainName)
	if err != nil {
		return nil, &javaerr.Error{Class: javaerr.SerializationException, Message: "Invalid Protobuf schema: " + strings.ReplaceAll(err.Error(), mainName+":", "line ")}
	}
	return files[0], nil
}

type protoreflectNotFound string

func (p protoreflectNotFound) Error() string {
	return "the schema imports " + string(p) + ", which is not among its references in the registry"
}

// read parses a text, or the descriptor in base64 that some clients register instead.
func read(path, text string) (protocompile.SearchResult, error) {
	if raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text)); err == nil && len(raw) > 0 {
		file := &descriptorpb.FileDescriptorProto{}
		if proto.Unmarshal(raw, file) == nil {
			file.Name = proto.String(path)
			nameFields(file.GetMessageType())
			return protocompile.SearchResult{Proto: file}, nil
		}
	}
	handler := reporter.NewHandler(nil)
	tree, err := parser.Parse(path, io.LimitReader(strings.NewReader(text), maxTextBytes), handler)
	if err != nil {
		return protocompile.SearchResult{}, err
	}
	result, err := parser.ResultFromAST(tree, false, handler)
	if err != nil {
		return protocompile.SearchResult{}, err
	}
	return protocompile.SearchResult{ParseResult: result}, nil
}

// maxTextBytes bounds a schema's text (I-3).
const maxTextBytes = 16 << 20

// indexes is the place of a message in its file, as it stands before records.
func indexes(m protoreflect.MessageDescriptor) []byte {
	var path []int
	for d := protoreflect.Descriptor(m); ; d = d.Parent() {
		if _, file := d.(protoreflect.FileDescriptor); file {
			break
		}
		path = append([]int{d.Index()}, path...)
	}
	if len(path) == 1 && path[0] == 0 {
		return []byte{0}
	}
	b := protowire.AppendVarint(nil, protowire.EncodeZigZag(int64(len(path))))
	for _, i := range path {
		b = protowire.AppendVarint(b, protowire.EncodeZigZag(int64(i)))
	}
	return b
}

// maxIndexes bounds how deep a message may be nested in others.
const maxIndexes = 64

// cutIndexes takes the place of the message from the front of b.
func cutIndexes(b []byte) (place, rest []byte, ok bool) {
	if len(b) > 0 && b[0] == 0 {
		return b[:1], b[1:], true
	}
	count, n := protowire.ConsumeVarint(b)
	size := protowire.DecodeZigZag(count)
	if n < 0 || size < 0 || size > maxIndexes {
		return nil, b, false
	}
	at := n
	for range size {
		_, n := protowire.ConsumeVarint(b[at:])
		if n < 0 {
			return nil, b, false
		}
		at += n
	}
	return b[:at], b[at:], true
}

// messageAt finds a message by its place.
func messageAt(file protoreflect.FileDescriptor, place []byte) (protoreflect.MessageDescriptor, bool) {
	count, n := protowire.ConsumeVarint(place)
	size := int(protowire.DecodeZigZag(count))
	messages := file.Messages()
	if size == 0 {
		if messages.Len() == 0 {
			return nil, false
		}
		return messages.Get(0), true
	}
	var m protoreflect.MessageDescriptor
	for at := n; size > 0; size-- {
		v, n := protowire.ConsumeVarint(place[at:])
		i := protowire.DecodeZigZag(v)
		if i < 0 || i >= int64(messages.Len()) {
			return nil, false
		}
		m = messages.Get(int(i))
		messages, at = m.Messages(), at+n
	}
	return m, true
}

// findMessage finds a message by its full name.
func findMessage(file protoreflect.FileDescriptor, name string) (protoreflect.MessageDescriptor, bool) {
	var find func(list protoreflect.MessageDescriptors) protoreflect.MessageDescriptor
	find = func(list protoreflect.MessageDescriptors) protoreflect.MessageDescriptor {
		for i := range list.Len() {
			m := list.Get(i)
			if string(m.FullName()) == name {
				return m
			}
			if inner := find(m.Messages()); inner != nil {
				return inner
			}
		}
		return nil
	}
	m := find(file.Messages())
	return m, m != nil
}

// metaOf reads the params of confluent.field_meta.
func metaOf(f protoreflect.FieldDescriptor) map[string]string {
	options, ok := f.Options().(*descriptorpb.FieldOptions)
	if !ok || options == nil {
		return nil
	}
	raw, err := proto.Marshal(options)
	if err != nil {
		return nil
	}
	params := map[string]string{}
	eachBytes(raw, metaField, func(meta []byte) {
		eachBytes(meta, metaParams, func(entry []byte) {
			var key, value string
			eachBytes(entry, 1, func(b []byte) { key = string(b) })
			eachBytes(entry, 2, func(b []byte) { value = string(b) })
			params[key] = value
		})
	})
	return params
}

// eachBytes calls do for every field of a number that has bytes.
func eachBytes(b []byte, number protowire.Number, do func([]byte)) {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeField(b)
		_ = typ
		if n < 0 {
			return
		}
		if num == number {
			_, t, head := protowire.ConsumeTag(b)
			if t == protowire.BytesType {
				v, _ := protowire.ConsumeBytes(b[head:])
				do(v)
			}
		}
		b = b[n:]
	}
}

// nameFields gives fields the JSON names that some clients leave empty in their descriptors.
func nameFields(messages []*descriptorpb.DescriptorProto) {
	for _, m := range messages {
		for _, f := range m.GetField() {
			if f.GetJsonName() == "" {
				f.JsonName = proto.String(jsonName(f.GetName()))
			}
		}
		nameFields(m.GetNestedType())
	}
}

// jsonName is protoc's: no underscores, and the letter behind one in upper case.
func jsonName(name string) string {
	b, upper := make([]byte, 0, len(name)), false
	for i := range len(name) {
		c := name[i]
		switch {
		case c == '_':
			upper = true
			continue
		case upper && c >= 'a' && c <= 'z':
			c -= 'a' - 'A'
		}
		b, upper = append(b, c), false
	}
	return string(b)
}
