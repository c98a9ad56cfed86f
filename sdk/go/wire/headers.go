package wire

import (
	"errors"
	"fmt"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// MaxHeaders bounds the headers of one record.
const MaxHeaders = 1000

// Header is a record header as it stands in a block: a name and a value in
// wire form under a schema id (0: none).
type Header struct {
	Name   string
	Schema uint32
	Value  []byte
}

// AppendHeader appends one header whose value is in wire form already.
func AppendHeader(dst []byte, name string, schema uint32, value []byte) []byte {
	dst = data.AppendString(dst, name)
	dst = data.AppendLong(dst, int64(schema))
	return data.AppendBytes(dst, value)
}

// ReadHeader takes the first header off a record's header bytes. The value
// aliases b.
func ReadHeader(b []byte) (h Header, rest []byte, err error) {
	name, b, err := data.ReadBytes(b)
	if err != nil {
		return h, nil, fmt.Errorf("header name: %w", err)
	}
	id, b, err := data.ReadLong(b)
	if err != nil {
		return h, nil, fmt.Errorf("schema id of header %q: %w", name, err)
	}
	if id < 0 || id > MaxSchemas {
		return h, nil, fmt.Errorf("header %q has schema id %d: out of range", name, id)
	}
	value, b, err := data.ReadBytes(b)
	if err != nil {
		return h, nil, fmt.Errorf("value of header %q: %w", name, err)
	}
	return Header{Name: string(name), Schema: uint32(id), Value: value}, b, nil
}

// checkHeaders walks the header bytes of one record.
func checkHeaders(b []byte, schemas *SchemaTable) error {
	for n := 0; len(b) > 0; n++ {
		if n == MaxHeaders {
			return fmt.Errorf("a record has more than %d headers", MaxHeaders)
		}
		h, rest, err := ReadHeader(b)
		if err != nil {
			return err
		}
		if int(h.Schema) >= schemas.limit() {
			return errors.New("header " + h.Name + " names a schema id that was never defined on this stream")
		}
		b = rest
	}
	return nil
}
