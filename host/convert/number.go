package convert

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/tailrace/tailrace/sdk/go/data"
)

// number is one of the fixed-width converters: the record is the number, big endian.
type number struct {
	word         string // as Kafka Connect names it in errors
	kind         kind
	schema       *data.Schema
	size         int
	deserializer string
}

var (
	shortNumber   = number{"short", kindInt16, data.OptionalInt16Schema, 2, "ShortDeserializer"}
	integerNumber = number{"integer", kindInt32, data.OptionalInt32Schema, 4, "IntegerDeserializer"}
	longNumber    = number{"long", kindInt64, data.OptionalInt64Schema, 8, "LongDeserializer"}
	floatNumber   = number{"float", kindFloat32, data.OptionalFloat32Schema, 4, "Deserializer"}
	doubleNumber  = number{"double", kindFloat64, data.OptionalFloat64Schema, 8, "Deserializer"}
)

func (n *number) FromConnect(dst []byte, _ string, schema *data.Schema, wire []byte) (out, after []byte, err error) {
	k, body, err := open(schema, wire)
	if err != nil {
		return nil, dst, err
	}
	if k == kindNull {
		return nil, dst, nil
	}
	if k != n.kind {
		return nil, dst, n.wrongClass(k)
	}
	start := len(dst)
	switch n.kind {
	case kindFloat32:
		var f float32
		if f, _, err = data.ReadFloat(body); err == nil {
			dst = binary.BigEndian.AppendUint32(dst, math.Float32bits(f))
		}
	case kindFloat64:
		var f float64
		if f, _, err = data.ReadDouble(body); err == nil {
			dst = binary.BigEndian.AppendUint64(dst, math.Float64bits(f))
		}
	default:
		var v int64
		if v, _, err = data.ReadLong(body); err == nil {
			switch n.size {
			case 2:
				dst = binary.BigEndian.AppendUint16(dst, uint16(v))
			case 4:
				dst = binary.BigEndian.AppendUint32(dst, uint32(v))
			default:
				dst = binary.BigEndian.AppendUint64(dst, uint64(v))
			}
		}
	}
	if err != nil {
		return nil, dst, malformed(schema, err)
	}
	return dst[start:len(dst):len(dst)], dst, nil
}

func (n *number) wrongClass(k kind) error {
	was, want := javaClasses[k], javaClasses[n.kind]
	return &Error{
		Class: DataException, Message: fmt.Sprintf("Failed to serialize to %s (was class %s): ", n.word, was),
		Cause: &Error{
			Class:   "java.lang.ClassCastException",
			Message: fmt.Sprintf("class %s cannot be cast to class %s", was, want),
		},
	}
}

func (n *number) ToConnect(dst []byte, _ string, kafka []byte) (schema *data.Schema, after []byte, err error) {
	s := n.schema
	if kafka == nil {
		return s, appendNull(dst, s), nil
	}
	if len(kafka) != n.size {
		return nil, dst, &Error{
			Class: DataException, Message: "Failed to deserialize " + n.word + ": ",
			Cause: &Error{Class: SerializationException, Message: fmt.Sprintf("Size of data received by %s is not %d", n.deserializer, n.size)},
		}
	}
	dst = data.AppendPresence(dst, s, true)
	switch n.kind {
	case kindInt16:
		return s, data.AppendLong(dst, int64(int16(binary.BigEndian.Uint16(kafka)))), nil
	case kindInt32:
		return s, data.AppendLong(dst, int64(int32(binary.BigEndian.Uint32(kafka)))), nil
	case kindInt64:
		return s, data.AppendLong(dst, int64(binary.BigEndian.Uint64(kafka))), nil
	case kindFloat32:
		return s, data.AppendFloat(dst, math.Float32frombits(binary.BigEndian.Uint32(kafka))), nil
	default:
		return s, data.AppendDouble(dst, math.Float64frombits(binary.BigEndian.Uint64(kafka))), nil
	}
}

func (n *number) FromHeader(dst []byte, topic, _ string, s *data.Schema, wire []byte) (out, after []byte, err error) {
	return n.FromConnect(dst, topic, s, wire)
}

func (n *number) ToHeader(dst []byte, topic, _ string, kafka []byte) (schema *data.Schema, after []byte, err error) {
	return n.ToConnect(dst, topic, kafka)
}

// booleanConverter writes one byte, 0 or 1.
type booleanConverter struct{}

func (booleanConverter) FromConnect(dst []byte, _ string, schema *data.Schema, wire []byte) (out, after []byte, err error) {
	if schema != nil && schema.Type() != data.Boolean {
		return nil, dst, dataError("Invalid schema type for BooleanConverter: %s", schema.Type())
	}
	k, body, err := open(schema, wire)
	if err != nil {
		return nil, dst, err
	}
	switch k {
	case kindNull:
		return nil, dst, nil
	case kindBoolean:
		v, _, err := data.ReadBool(body)
		if err != nil {
			return nil, dst, malformed(schema, err)
		}
		dst = data.AppendBool(dst, v)
		return dst[len(dst)-1 : len(dst) : len(dst)], dst, nil
	}
	return nil, dst, dataError("BooleanConverter is not compatible with objects of type %s", k.javaClass())
}

func (booleanConverter) ToConnect(dst []byte, _ string, kafka []byte) (schema *data.Schema, after []byte, err error) {
	s := data.OptionalBooleanSchema
	if kafka == nil {
		return s, appendNull(dst, s), nil
	}
	why := ""
	switch {
	case len(kafka) != 1:
		why = "Size of data received by BooleanDeserializer is not 1"
	case kafka[0] > 1:
		why = fmt.Sprintf("Unexpected byte received by BooleanDeserializer: %d", int8(kafka[0]))
	default:
		return s, data.AppendBool(data.AppendPresence(dst, s, true), kafka[0] == 1), nil
	}
	return nil, dst, &Error{
		Class: DataException, Message: "Failed to deserialize boolean: ",
		Cause: &Error{Class: SerializationException, Message: why},
	}
}

func (c booleanConverter) FromHeader(dst []byte, topic, _ string, s *data.Schema, wire []byte) (out, after []byte, err error) {
	return c.FromConnect(dst, topic, s, wire)
}

func (c booleanConverter) ToHeader(dst []byte, topic, _ string, kafka []byte) (schema *data.Schema, after []byte, err error) {
	return c.ToConnect(dst, topic, kafka)
}
