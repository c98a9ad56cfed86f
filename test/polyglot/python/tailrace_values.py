"""The value encoding of the Tailrace plugin protocol (docs/protocol.md section 2), every type of it.

How Connect values look in Python:

    INT8 INT16 INT32 INT64   Int8, Int16, Int32, int (subclasses of int, so that a value keeps its type)
    FLOAT32, FLOAT64         Float32 (a subclass of float), float
    BOOLEAN STRING BYTES     bool, str, bytes; bytes of a string that are not UTF-8 become surrogate escapes and back
    ARRAY                    list
    MAP                      dict when all keys are strings, else Pairs, a list of (key, value)
    STRUCT                   dict by field name
    Decimal                  Decimal(unscaled, scale)
    Date, Time, Timestamp    Millis, a subclass of int: milliseconds since 1970-01-01T00:00:00Z
"""

import struct
from dataclasses import dataclass, field
from typing import NamedTuple, Optional

MAX_DEPTH = 64  # nesting of values without a schema
MAX_EMPTY = 65536  # items that take no bytes: structs without fields
DAY_MS = 86_400_000
LOGICAL = "org.apache.kafka.connect.data."


class EncodingError(ValueError):
    """The bytes are no value of the schema, or the value does not fit it."""


class Int8(int):
    pass


class Int16(int):
    pass


class Int32(int):
    pass


class Float32(float):
    pass


class Millis(int):
    pass


class Decimal(NamedTuple):
    unscaled: int
    scale: int


class Pairs(list):
    """A map whose keys are not all strings."""


@dataclass
class Schema:
    type: str  # "int8" … "struct"
    optional: bool = False
    name: Optional[str] = None
    parameters: dict = field(default_factory=dict)
    default: Optional[bytes] = None  # encoded as not optional; None is no default
    key_schema: Optional["Schema"] = None
    value_schema: Optional["Schema"] = None
    fields: list = field(default_factory=list)  # (name, Schema)

    def logical(self):
        """Date, Time, Timestamp or Decimal; None when the name does not belong to this base type."""
        name = (self.name or "").removeprefix(LOGICAL)
        base = {"Decimal": "bytes", "Date": "int32", "Time": "int32", "Timestamp": "int64"}.get(name)
        return name if self.name == LOGICAL + name and base == self.type else None

    def required(self):
        return Schema(self.type, False, self.name, self.parameters, None, self.key_schema, self.value_schema, self.fields)


_INTS = {"int8": (8, Int8), "int16": (16, Int16), "int32": (32, Int32), "int64": (64, int)}


# Writing.


def long_bytes(n):
    """An Avro long: zigzag, then 7 bits a byte."""
    z = (n << 1) ^ (n >> 63)
    if 0 <= z < 128:
        return bytes((z,))
    if not 0 <= z < 1 << 64:
        raise EncodingError(f"{n} does not fit 64 bits")
    out = bytearray()
    while z > 127:
        out.append(z & 127 | 128)
        z >>= 7
    out.append(z)
    return bytes(out)


def _sized(raw):
    return long_bytes(len(raw)) + raw


def _text(value):
    return _sized(value.encode("utf-8", "surrogateescape"))


def _unscaled(n):
    return n.to_bytes((n if n >= 0 else ~n).bit_length() // 8 + 1, "big", signed=True)


def encode(value, schema=None):
    """The bytes of a value by its schema; without one, of the union of any type."""
    if schema is None:
        return _encode_any(value, 0)
    if value is None and not schema.optional:
        if schema.default is None:
            raise EncodingError(f"null for a required {schema.type}")
        return schema.default
    if schema.optional:
        null, there = (b"\x02", b"\x00") if schema.default is not None else (b"\x00", b"\x02")
        return null if value is None else there + _encode(value, schema)
    return _encode(value, schema)


def _encode(value, schema):
    kind = schema.type
    wrong = EncodingError(f"{type(value).__name__} for {schema.name or kind}")
    logical = schema.logical()
    if logical == "Decimal":
        if not isinstance(value, Decimal):
            raise wrong
        if value.scale != _scale(schema):
            raise EncodingError(f"scale {value.scale} for a decimal of scale {_scale(schema)}")
        return _sized(_unscaled(value.unscaled))
    if logical is not None:
        if not isinstance(value, Millis):
            raise wrong
        if logical == "Date":
            if value % DAY_MS:
                raise EncodingError(f"{value} ms is not midnight")
            return _int(value // DAY_MS, 32)
        if logical == "Time" and not 0 <= value <= DAY_MS:
            raise EncodingError(f"{value} ms is not on 1970-01-01")
        return long_bytes(value)
    if kind in _INTS:
        bits, own = _INTS[kind]
        if type(value) is not own:
            raise wrong
        return _int(value, bits)
    if kind in ("float32", "float64"):
        if type(value) is not (Float32 if kind == "float32" else float):
            raise wrong
        return _float32(value) if kind == "float32" else struct.pack("<d", value)
    if kind == "boolean" and type(value) is bool:
        return b"\x01" if value else b"\x00"
    if kind == "string" and type(value) is str:
        return _text(value)
    if kind == "bytes" and type(value) is bytes:
        return _sized(value)
    if kind == "array" and type(value) is list:
        return _block(len(value), (encode(item, schema.value_schema) for item in value))
    if kind == "map" and isinstance(value, (dict, Pairs)):
        items = value.items() if isinstance(value, dict) else value
        return _block(len(value), (encode(k, schema.key_schema) + encode(v, schema.value_schema) for k, v in items))
    if kind == "struct" and isinstance(value, dict):
        return b"".join(encode(value.get(name), of) for name, of in schema.fields)
    raise wrong


def _int(value, bits):
    if not -(1 << bits - 1) <= value < 1 << bits - 1:
        raise EncodingError(f"{value} does not fit int{bits}")
    return long_bytes(value)


def _float32(value):
    return struct.pack("<f", value)


def _block(count, items):
    return long_bytes(count) + b"".join(items) + b"\x00" if count else b"\x00"


def _encode_any(value, depth):
    kind = type(value)
    if depth >= MAX_DEPTH and kind in (list, dict, Pairs):
        raise EncodingError(f"nested deeper than {MAX_DEPTH}")
    if value is None:
        return b"\x00"
    if kind is bool:
        return b"\x02\x01" if value else b"\x02\x00"
    if kind is Int8:
        return b"\x04" + _int(value, 8)
    if kind is Int16:
        return b"\x06" + _int(value, 16)
    if kind is Int32:
        return b"\x08" + _int(value, 32)
    if kind is int:
        return b"\x0a" + long_bytes(value)
    if kind is Float32:
        return b"\x0c" + _float32(value)
    if kind is float:
        return b"\x0e" + struct.pack("<d", value)
    if kind is bytes:
        return b"\x10" + _sized(value)
    if kind is str:
        return b"\x12" + _text(value)
    if kind is list:
        return b"\x14" + _block(len(value), [_encode_any(item, depth + 1) for item in value])
    if kind is dict:
        return b"\x16" + _block(len(value), [_text(k) + _encode_any(v, depth + 1) for k, v in value.items()])
    if kind is Pairs:
        return b"\x18" + _block(len(value), [_encode_any(k, depth + 1) + _encode_any(v, depth + 1) for k, v in value])
    if kind is Decimal:
        return b"\x1a" + _int(value.scale, 32) + _sized(_unscaled(value.unscaled))
    if kind is Millis:
        return b"\x1c" + long_bytes(value)
    raise EncodingError(f"a value of class {kind.__name__} cannot travel without a schema")


# Reading.


def decode(raw, schema=None):
    """The value that the bytes are. All of them must be used."""
    if schema is None and len(raw) == 0:
        return None
    reader = Reader(raw)
    value = reader.value(schema)
    if reader.at != len(raw):
        raise EncodingError(f"{len(raw) - reader.at} bytes are left after the value")
    return value


class Reader:
    """Reads values one after another."""

    def __init__(self, raw):
        self.raw = raw
        self.at = 0

    def take(self, n):
        if n < 0 or n > len(self.raw) - self.at:
            raise EncodingError(f"{n} bytes wanted, {len(self.raw) - self.at} are left")
        self.at += n
        return self.raw[self.at - n : self.at]

    def long(self, bits=64):
        z = shift = 0
        while True:
            byte = self.take(1)[0]
            z |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
            if shift >= (70 if bits == 64 else 35):
                raise EncodingError("an integer has too many bytes")
        if z >> 64:
            raise EncodingError("an integer does not fit 64 bits")
        n = z >> 1 ^ -(z & 1)
        if not -(1 << bits - 1) <= n < 1 << bits - 1:
            raise EncodingError(f"{n} does not fit int{bits}")
        return n

    def text(self):
        return str(self.take(self.long()), "utf-8", "surrogateescape")

    def boolean(self):
        byte = self.take(1)[0]
        if byte > 1:
            raise EncodingError(f"a boolean is 0 or 1, not {byte}")
        return byte == 1

    def decimal(self, scale):
        raw = self.take(self.long())
        if not raw:
            raise EncodingError("a decimal has at least one byte")
        return Decimal(int.from_bytes(raw, "big", signed=True), scale)

    def items(self, item):
        """The items of blocks, read by item()."""
        out = []
        empty = 0
        while count := self.long():
            end = None
            if count < 0:
                count, size = -count, self.long()
                end = self.at + size
                if size < 0 or end > len(self.raw):
                    raise EncodingError(f"a block of {size} bytes, {len(self.raw) - self.at} are left")
            for _ in range(count):
                before = self.at
                out.append(item())
                empty += self.at == before
                if empty > MAX_EMPTY:
                    raise EncodingError("too many items without content")
            if end is not None and self.at != end:
                raise EncodingError("the items of a block do not end at its size")
        return out

    def value(self, schema, depth=0):
        if schema is None:
            return self.any(depth)
        if schema.optional:
            index = self.long()
            if index not in (0, 1):
                raise EncodingError(f"union index {index}, want 0 or 1")
            if index == (1 if schema.default is not None else 0):
                return None
        kind = schema.type
        logical = schema.logical()
        if logical == "Decimal":
            return self.decimal(_scale(schema))
        if kind in _INTS:
            bits, own = _INTS[kind]
            n = self.long(bits)
            if logical == "Time" and not 0 <= n <= DAY_MS:
                raise EncodingError(f"{n} ms is no time of day")
            return Millis(n * DAY_MS if logical == "Date" else n) if logical else own(n)
        if kind == "float32":
            return Float32(struct.unpack("<f", self.take(4))[0])
        if kind == "float64":
            return struct.unpack("<d", self.take(8))[0]
        if kind == "boolean":
            return self.boolean()
        if kind == "string":
            return self.text()
        if kind == "bytes":
            return bytes(self.take(self.long()))
        if kind == "array":
            return self.items(lambda: self.value(schema.value_schema, depth))
        if kind == "map":
            return _map(self.items(lambda: (self.value(schema.key_schema, depth), self.value(schema.value_schema, depth))))
        if kind == "struct":
            return {name: self.value(of, depth) for name, of in schema.fields}
        raise EncodingError(f"unknown type {kind}")

    def any(self, depth):
        index = self.long()
        if depth >= MAX_DEPTH and index in (10, 11, 12):
            raise EncodingError(f"nested deeper than {MAX_DEPTH}")
        if index == 0:
            return None
        if index == 1:
            return self.boolean()
        if 2 <= index <= 5:
            bits, own = list(_INTS.values())[index - 2]
            return own(self.long(bits))
        if index == 6:
            return Float32(struct.unpack("<f", self.take(4))[0])
        if index == 7:
            return struct.unpack("<d", self.take(8))[0]
        if index == 8:
            return bytes(self.take(self.long()))
        if index == 9:
            return self.text()
        if index == 10:
            return self.items(lambda: self.any(depth + 1))
        if index == 11:
            return dict(self.items(lambda: (self.text(), self.any(depth + 1))))
        if index == 12:
            return _map(self.items(lambda: (self.any(depth + 1), self.any(depth + 1))))
        if index == 13:
            return self.decimal(self.long(32))
        if index == 14:
            return Millis(self.long())
        raise EncodingError(f"unknown union index {index}")


def _map(pairs):
    return dict(pairs) if all(type(k) is str for k, _ in pairs) else Pairs(pairs)


def _scale(schema):
    try:
        return int(schema.parameters["scale"])
    except (KeyError, ValueError):
        raise EncodingError('a Decimal schema needs the parameter "scale", a number') from None


# Schemas on the wire.

_TYPES = ["", "int8", "int16", "int32", "int64", "float32", "float64", "boolean", "string", "bytes", "array", "map", "struct"]


def schema_from_proto(message):
    """A Schema from the protocol's message."""
    return Schema(
        type=_TYPES[message.type],
        optional=message.optional,
        name=message.name if message.HasField("name") else None,
        parameters=dict(message.parameters),
        default=message.default_value if message.HasField("default_value") else None,
        key_schema=schema_from_proto(message.key_schema) if message.HasField("key_schema") else None,
        value_schema=schema_from_proto(message.value_schema) if message.HasField("value_schema") else None,
        fields=[(f.name, schema_from_proto(f.schema)) for f in message.fields],
    )
