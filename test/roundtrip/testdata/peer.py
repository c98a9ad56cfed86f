"""The other side of the round trips: Confluent's Python client with its own serializers.

  peer.py write FORMAT URL TOPIC   writes one record per line, base64
  peer.py read FORMAT URL TOPIC    reads base64 lines, prints the values as JSON
"""
import base64, datetime, decimal, json, sys, warnings

warnings.simplefilter("ignore")
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.serialization import MessageField, SerializationContext

mode, format, url, topic = sys.argv[1:5]
client = SchemaRegistryClient({"url": url})
context = SerializationContext(topic, MessageField.VALUE)


def plain(o):
    if isinstance(o, (bytes, bytearray)):
        return base64.b64encode(bytes(o)).decode()
    return str(o)


def proto_classes():
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2, wrappers_pb2  # noqa: F401
    from google.type import date_pb2, timeofday_pb2  # noqa: F401
    F = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="peer.proto", package="peer", syntax="proto3")
    file.dependency.extend(["google/protobuf/timestamp.proto", "google/type/date.proto", "google/type/timeofday.proto"])
    message = file.message_type.add(name="All")
    n = 0

    def field(name, type, label=F.LABEL_OPTIONAL, **more):
        nonlocal n
        n += 1
        message.field.add(name=name, number=n, type=type, label=label, **more)

    for name in "double float int64 uint64 int32 fixed64 fixed32 bool string bytes uint32 sfixed32 sfixed64 sint32 sint64".split():
        field("f_" + name, getattr(F, "TYPE_" + name.upper()))
    field("ts", F.TYPE_MESSAGE, type_name=".google.protobuf.Timestamp")
    field("date", F.TYPE_MESSAGE, type_name=".google.type.Date")
    field("time", F.TYPE_MESSAGE, type_name=".google.type.TimeOfDay")
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
    pool = descriptor_pool.Default()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("peer.All"))


JSON_SCHEMA = {
    "$schema": "http://json-schema.org/draft-07/schema#", "title": "Peer", "type": "object", "required": ["i", "s"],
    "properties": {
        "i": {"type": "integer"}, "n": {"type": "number"}, "b": {"type": "boolean"}, "s": {"type": "string"},
        "opt": {"oneOf": [{"type": "null"}, {"type": "string"}]}, "e": {"type": "string", "enum": ["RED", "GREEN"]},
        "list": {"type": "array", "items": {"type": "integer"}}, "in": {"$ref": "inner.json"},
        "u": {"oneOf": [{"type": "integer"}, {"type": "string"}]},
    },
}
INNER = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "Inner", "type": "object", "properties": {"x": {"type": "integer"}}}

AVRO_SCHEMA = """{"type":"record","name":"All","namespace":"peer","fields":[
 {"name":"i","type":"int"},{"name":"l","type":"long"},{"name":"d","type":"double"},{"name":"s","type":"string"},{"name":"y","type":"bytes"},
 {"name":"dec","type":{"type":"bytes","logicalType":"decimal","precision":20,"scale":2}},
 {"name":"date","type":{"type":"int","logicalType":"date"}},{"name":"ts","type":{"type":"long","logicalType":"timestamp-millis"}},
 {"name":"opt","type":["null","string"],"default":null},{"name":"u","type":["null","long","string"]},
 {"name":"in","type":"peer.In"}]}"""
AVRO_INNER = '{"type":"record","name":"In","namespace":"peer","fields":[{"name":"x","type":["null","int"],"default":null}]}'


def values():
    if format == "avro":
        for n in range(3):
            yield {"i": -5, "l": 2**62, "d": -0.1, "s": "grüße", "y": b"\0\xff", "dec": decimal.Decimal("-123.45"),
                   "date": datetime.date(1969, 12, 31), "ts": datetime.datetime(2026, 11, 21, 5, 0, 0, 123000, datetime.timezone.utc),
                   "opt": [None, "o", None][n], "u": [None, 5, "text"][n], "in": {"x": n}}
    elif format == "json":
        yield {"i": 1, "n": 2.5, "b": True, "s": "grüße", "opt": None, "e": "GREEN", "list": [1, 2], "in": {"x": 7}, "u": "text"}
        yield {"i": 2, "n": 1.5, "b": False, "s": "", "opt": "o", "e": "RED", "list": [], "in": {"x": -1}, "u": 5}
    else:
        All = proto_classes()
        m = All(f_double=-0.1, f_float=1.5, f_int64=-2**62, f_uint64=2**63 + 1, f_int32=-5, f_fixed64=7, f_fixed32=2**32 - 1, f_bool=True,
                f_string="grüße", f_bytes=b"\0\xff", f_uint32=2**32 - 1, f_sfixed32=-1, f_sfixed64=-2, f_sint32=-3, f_sint64=-4,
                colour=1, list=[1, 0, -3], u_text="")
        m.ts.FromMilliseconds(-1)
        m.date.year, m.date.month, m.date.day = 2024, 2, 29
        m.time.hours, m.time.seconds = 23, 59
        m.inner.x = 7
        m.m["k"].x = 0
        yield m
        yield All(u_number=5)


def serializer():
    if format == "avro":
        from confluent_kafka.schema_registry.avro import AvroSerializer
        client.register_schema("peer.In", Schema(AVRO_INNER, "AVRO"))
        return AvroSerializer(client, Schema(AVRO_SCHEMA, "AVRO", [SchemaReference("peer.In", "peer.In", 1)]))
    if format == "json":
        from confluent_kafka.schema_registry.json_schema import JSONSerializer
        client.register_schema("inner.json", Schema(json.dumps(INNER), "JSON"))
        return JSONSerializer(Schema(json.dumps(JSON_SCHEMA), "JSON", [SchemaReference("inner.json", "inner.json", 1)]), client)
    from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
    return ProtobufSerializer(proto_classes(), client, {"use.deprecated.format": False})


def read(raw):
    if format == "avro":
        from confluent_kafka.schema_registry.avro import AvroDeserializer
        return AvroDeserializer(client)(raw, context)
    if format == "json":
        from confluent_kafka.schema_registry.json_schema import JSONDeserializer
        return JSONDeserializer(None, schema_registry_client=client)(raw, context)
    from google.protobuf import json_format
    from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer
    All = proto_classes()
    m = ProtobufDeserializer(All, {"use.deprecated.format": False})(raw, context)  # the class has the numbers
    return json_format.MessageToDict(m, preserving_proto_field_name=True)


if mode == "write":
    write = serializer()
    for v in values():
        print(base64.b64encode(write(v, context)).decode())
else:
    for line in sys.stdin:
        print(json.dumps(read(base64.b64decode(line)), default=plain, sort_keys=True))
