"""The other side of the round trips: Confluent's Python client with its own serializers.

  peer.py write FORMAT URL TOPIC   writes one record per line, base64
  peer.py read FORMAT URL TOPIC    reads base64 lines, prints the values as JSON
"""
import base64, copy, datetime, decimal, faulthandler, functools, json, sys, uuid, warnings

faulthandler.dump_traceback_later(150, exit=True)  # before the test gives up, so that it can tell where this stood

warnings.simplefilter("ignore")
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.serialization import MessageField, SerializationContext

mode, format, url, topic = sys.argv[1:5]
# Without a time the client waits for an answer for ever; with one it asks again. And without a strategy it first asks which
# subject is associated with the topic: a question that the registry of these tests does not know and, now and then, leaves
# without any answer (one run in ten).
client = SchemaRegistryClient({"url": url, "timeout": 20})
STRATEGY = {"subject.name.strategy.type": "TOPIC"}
context = SerializationContext(topic, MessageField.VALUE)


# Points in time are microseconds here, so that a time whose logical type the other side does not know, and hands on as a
# number, compares with what it was.
def plain(o):
    if isinstance(o, (bytes, bytearray)):
        return base64.b64encode(bytes(o)).decode()
    if isinstance(o, datetime.datetime):
        return (o.replace(tzinfo=o.tzinfo or datetime.timezone.utc) - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)) // datetime.timedelta(microseconds=1)
    if isinstance(o, datetime.time):
        return ((o.hour * 60 + o.minute) * 60 + o.second) * 1_000_000 + o.microsecond
    return str(o)


@functools.cache
def proto_class(version):
    """The message All as its first or second version has it: each version in a pool of its own, as in two programs."""
    from confluent_kafka.schema_registry.confluent import meta_pb2
    from confluent_kafka.schema_registry.confluent.type import decimal_pb2
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2
    from google.type import date_pb2, timeofday_pb2
    F = descriptor_pb2.FieldDescriptorProto
    shared = descriptor_pb2.FileDescriptorProto(name="shared.proto", package="shared", syntax="proto3")
    shared.message_type.add(name="Point").field.add(name="x", number=1, type=F.TYPE_INT32, label=F.LABEL_OPTIONAL)
    file = descriptor_pb2.FileDescriptorProto(name="peer.proto", package="peer", syntax="proto3")
    file.dependency.extend([m.DESCRIPTOR.name for m in (timestamp_pb2, date_pb2, timeofday_pb2, decimal_pb2, meta_pb2)] + [shared.name])
    message = file.message_type.add(name="All")
    n = 0

    def field(name, type, label=F.LABEL_OPTIONAL, **more):
        nonlocal n
        n += 1
        return message.field.add(name=name, number=n, type=type, label=label, **more)

    for name in "double float int64 uint64 int32 fixed64 fixed32 bool string bytes uint32 sfixed32 sfixed64 sint32 sint64".split():
        field("f_" + name, getattr(F, "TYPE_" + name.upper()))
    field("ts", F.TYPE_MESSAGE, type_name=".google.protobuf.Timestamp")
    field("date", F.TYPE_MESSAGE, type_name=".google.type.Date")
    field("time", F.TYPE_MESSAGE, type_name=".google.type.TimeOfDay")
    dec = field("dec", F.TYPE_MESSAGE, type_name=".confluent.type.Decimal")
    dec.options.Extensions[meta_pb2.field_meta].params["scale"] = "2"
    field("point", F.TYPE_MESSAGE, type_name=".shared.Point")
    e = message.enum_type.add(name="Colour")
    e.value.add(name="RED", number=0)
    e.value.add(name="GREEN", number=1)
    field("colour", F.TYPE_ENUM, type_name=".peer.All.Colour")
    field("list", F.TYPE_INT64, F.LABEL_REPEATED)
    inner = message.nested_type.add(name="In")
    inner.field.add(name="x", number=1, type=F.TYPE_INT32, label=F.LABEL_OPTIONAL)
    field("inner", F.TYPE_MESSAGE, type_name=".peer.All.In")
    message.oneof_decl.add(name="u")
    field("u_text", F.TYPE_STRING, oneof_index=0)
    field("u_number", F.TYPE_INT64, oneof_index=0)
    entry = message.nested_type.add(name="MEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=F.TYPE_STRING, label=F.LABEL_OPTIONAL)
    entry.field.add(name="value", number=2, type=F.TYPE_MESSAGE, type_name=".peer.All.In", label=F.LABEL_OPTIONAL)
    field("m", F.TYPE_MESSAGE, F.LABEL_REPEATED, type_name=".peer.All.MEntry")
    if version > 1:
        field("added", F.TYPE_INT32)
    pool = descriptor_pool.DescriptorPool()
    for m in (descriptor_pb2, timestamp_pb2, date_pb2, timeofday_pb2, decimal_pb2, meta_pb2):
        pool.AddSerializedFile(m.DESCRIPTOR.serialized_pb)
    pool.Add(shared)
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("peer.All"))


JSON_SCHEMA = {
    "$schema": "http://json-schema.org/draft-07/schema#", "title": "Peer", "type": "object", "required": ["i", "s"],
    "additionalProperties": False,  # the registry takes another property of an object that may have any as a narrowing
    "properties": {
        "i": {"type": "integer"}, "n": {"type": "number"}, "b": {"type": "boolean"}, "s": {"type": "string"},
        "opt": {"oneOf": [{"type": "null"}, {"type": "string"}]}, "e": {"type": "string", "enum": ["RED", "GREEN"]},
        "list": {"type": "array", "items": {"type": "integer"}}, "in": {"$ref": "inner.json"},
        "u": {"oneOf": [{"type": "integer"}, {"type": "string"}]},
        "i8": {"type": "integer", "connect.type": "int8"}, "f32": {"type": "number", "connect.type": "float32"},
        "y": {"type": "string", "connect.type": "bytes"},
        "m": {"type": "object", "connect.type": "map", "additionalProperties": {"type": "integer"}},
        "dec": {"type": "number", "title": "org.apache.kafka.connect.data.Decimal", "connect.type": "bytes", "connect.parameters": {"scale": "2"}},
        "date": {"type": "integer", "title": "org.apache.kafka.connect.data.Date", "connect.type": "int32"},
        "time": {"type": "integer", "title": "org.apache.kafka.connect.data.Time", "connect.type": "int32"},
        "ts": {"type": "integer", "title": "org.apache.kafka.connect.data.Timestamp", "connect.type": "int64"},
    },
}
INNER = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "Inner", "type": "object", "properties": {"x": {"type": "integer"}}}

AVRO_SCHEMA = """{"type":"record","name":"All","namespace":"peer","fields":[
 {"name":"i","type":"int"},{"name":"l","type":"long"},{"name":"d","type":"double"},{"name":"s","type":"string"},{"name":"y","type":"bytes"},
 {"name":"dec","type":{"type":"bytes","logicalType":"decimal","precision":20,"scale":2}},
 {"name":"date","type":{"type":"int","logicalType":"date"}},{"name":"ts","type":{"type":"long","logicalType":"timestamp-millis"}},
 {"name":"opt","type":["null","string"],"default":null},{"name":"u","type":["null","long","string"]},
 {"name":"in","type":"peer.In"},{"name":"f","type":"float"},{"name":"b","type":"boolean"},
 {"name":"time","type":{"type":"int","logicalType":"time-millis"}},
 {"name":"tus","type":{"type":"long","logicalType":"time-micros"}},{"name":"us","type":{"type":"long","logicalType":"timestamp-micros"}},
 {"name":"lms","type":{"type":"long","logicalType":"local-timestamp-millis"}},{"name":"lus","type":{"type":"long","logicalType":"local-timestamp-micros"}},
 {"name":"id","type":{"type":"string","logicalType":"uuid"}},
 {"name":"fdec","type":{"type":"fixed","name":"Money","size":8,"logicalType":"decimal","precision":18,"scale":4}},
 {"name":"e","type":{"type":"enum","name":"Colour","symbols":["GREEN","RED"]}},{"name":"fix","type":{"type":"fixed","name":"Four","size":4}},
 {"name":"list","type":{"type":"array","items":["null","int"]}},{"name":"m","type":{"type":"map","values":"peer.In"}}]}"""
AVRO_INNER = '{"type":"record","name":"In","namespace":"peer","fields":[{"name":"x","type":["null","int"],"default":null}]}'


def values():
    """Pairs of a schema's version and a record; the second version has one field more."""
    if format == "avro":
        utc = datetime.timezone.utc
        for n in range(3):
            v = {"i": -5, "l": 2**62, "d": -0.1, "s": "grüße", "y": b"\0\xff", "dec": decimal.Decimal("-123.45"),
                 "date": datetime.date(1969, 12, 31), "ts": datetime.datetime(2026, 11, 21, 5, 0, 0, 123000, utc),
                 "opt": [None, "o", None][n], "u": [None, 5, "text"][n], "in": {"x": n}, "f": 1.5, "b": True,
                 "time": datetime.time(23, 59, 0, 7000), "tus": datetime.time(0, 0, 1, 1), "us": datetime.datetime(1969, 12, 31, 23, 59, 59, 999999, utc),
                 "lms": datetime.datetime(2026, 11, 21, 5, 0, 0, 1000), "lus": datetime.datetime(2026, 11, 21, 5, 0, 0, 1),
                 "id": uuid.UUID("0e1b1e0a-7d8b-4a0e-9d8a-0c0c0c0c0c0c"), "fdec": decimal.Decimal("1.2345"), "e": "RED", "fix": b"abcd",
                 "list": [1, None, -3], "m": {"k": {"x": None}}}
            yield (1, v) if n < 2 else (2, dict(v, added=n))
        yield 1, v
    elif format == "json":
        more = {"i8": -128, "f32": 0.5, "y": "AP8=", "m": {"k": 1}, "dec": -123.45, "date": -1, "time": 86399007, "ts": 1795237200123}
        yield 1, dict(more, **{"i": 1, "n": 2.5, "b": True, "s": "grüße", "opt": None, "e": "GREEN", "list": [1, 2], "in": {"x": 7}, "u": "text"})
        second = dict(more, **{"i": 2, "n": 1.5, "b": False, "s": "", "opt": "o", "e": "RED", "list": [], "in": {"x": -1}, "u": 5})
        yield 2, dict(second, added=2)
        yield 1, second
    else:
        for version in (1, 2, 1):
            All = proto_class(version)
            m = All(f_double=-0.1, f_float=1.5, f_int64=-2**62, f_uint64=2**63 + 1, f_int32=-5, f_fixed64=7, f_fixed32=2**32 - 1, f_bool=True,
                    f_string="grüße", f_bytes=b"\0\xff", f_uint32=2**32 - 1, f_sfixed32=-1, f_sfixed64=-2, f_sint32=-3, f_sint64=-4,
                    colour=1, list=[1, 0, -3], u_text="")
            m.ts.seconds, m.ts.nanos = -1, 999000000
            m.date.year, m.date.month, m.date.day = 2024, 2, 29
            m.time.hours, m.time.seconds = 23, 59
            m.dec.value, m.dec.precision, m.dec.scale = b"\xcf\xc7", 5, 2
            m.point.x = -9
            m.inner.x = 7
            m.m["k"].x = 0
            if version > 1:
                m.added = 2
            yield version, m
        yield 1, proto_class(1)(u_number=5)


def serializer(version):
    if format == "avro":
        from confluent_kafka.schema_registry.avro import AvroSerializer
        client.register_schema("peer.In", Schema(AVRO_INNER, "AVRO"))
        schema = json.loads(AVRO_SCHEMA)
        if version > 1:
            schema["fields"].append({"name": "added", "type": "int", "default": 3})
        return AvroSerializer(client, Schema(json.dumps(schema), "AVRO", [SchemaReference("peer.In", "peer.In", 1)]), conf=STRATEGY)
    if format == "json":
        from confluent_kafka.schema_registry.json_schema import JSONSerializer
        client.register_schema("inner.json", Schema(json.dumps(INNER), "JSON"))
        schema = copy.deepcopy(JSON_SCHEMA)
        if version > 1:
            schema["properties"]["added"] = {"type": "integer"}
        return JSONSerializer(Schema(json.dumps(schema), "JSON", [SchemaReference("inner.json", "inner.json", 1)]), client, conf=STRATEGY)
    from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
    return ProtobufSerializer(proto_class(version), client, {"use.deprecated.format": False, **STRATEGY})


def read(raw):
    if format == "avro":
        from confluent_kafka.schema_registry.avro import AvroDeserializer
        value = AvroDeserializer(client, conf=STRATEGY)(raw, context)
        if isinstance(value["lms"], int):  # the logical type is gone, the number of milliseconds is not
            value["lms"] *= 1000
        return value
    if format == "json":
        from confluent_kafka.schema_registry.json_schema import JSONDeserializer
        return JSONDeserializer(None, schema_registry_client=client, conf=STRATEGY)(raw, context)
    from google.protobuf import json_format
    from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer
    m = ProtobufDeserializer(proto_class(2), {"use.deprecated.format": False})(raw, context)  # the class has the numbers
    return json_format.MessageToDict(m, preserving_proto_field_name=True)


if mode == "write":
    write = {version: serializer(version) for version in (1, 2)}
    for version, v in values():
        print(base64.b64encode(write[version](v, context)).decode())
else:
    for line in sys.stdin:
        print(json.dumps(read(base64.b64decode(line)), default=plain, sort_keys=True))
