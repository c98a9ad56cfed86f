"""The other side of the round trips: fastavro, with Confluent's framing and REST calls.

  peer.py write URL TOPIC   writes one record per line, base64
  peer.py read URL TOPIC    reads base64 lines, prints the values as JSON
"""
import base64, datetime, decimal, io, json, struct, sys, urllib.request

import fastavro

SCHEMA = """{"type":"record","name":"All","namespace":"peer","doc":"every type","fields":[
 {"name":"b","type":"boolean"},{"name":"i","type":"int"},{"name":"l","type":"long"},{"name":"f","type":"float"},
 {"name":"d","type":"double"},{"name":"s","type":"string"},{"name":"y","type":"bytes"},
 {"name":"dec","type":{"type":"bytes","logicalType":"decimal","precision":20,"scale":2}},
 {"name":"fdec","type":{"type":"fixed","name":"FD","size":8,"logicalType":"decimal","precision":18,"scale":3}},
 {"name":"date","type":{"type":"int","logicalType":"date"}},
 {"name":"time","type":{"type":"int","logicalType":"time-millis"}},
 {"name":"ts","type":{"type":"long","logicalType":"timestamp-millis"}},
 {"name":"fix","type":{"type":"fixed","name":"Fix","size":3}},
 {"name":"e","type":{"type":"enum","name":"Colour","symbols":["RED","GREEN"]}},
 {"name":"opt","type":["null","string"],"default":null},
 {"name":"second","type":["string","null"],"default":"z"},
 {"name":"u","type":["null","long","string",{"type":"record","name":"In","fields":[{"name":"x","type":"int"}]}]},
 {"name":"arr","type":{"type":"array","items":["null","int"]}},
 {"name":"map","type":{"type":"map","values":"In"}},
 {"name":"def","type":"int","default":7}]}"""


def record(n):
    return {
        "b": True, "i": -2147483648, "l": 9223372036854775807, "f": 1.5, "d": -0.1, "s": "grüße", "y": b"\x00\xff",
        "dec": decimal.Decimal("-123.45"), "fdec": decimal.Decimal("1.234"), "date": datetime.date(1969, 12, 31),
        "time": datetime.time(23, 59, 59, 999000), "ts": datetime.datetime(2026, 11, 21, 5, 0, 0, 123000, datetime.timezone.utc),
        "fix": b"abc", "e": "GREEN", "opt": None if n % 2 else "o", "second": None if n % 2 else "p",
        "u": [None, 5, "text", {"x": 3}][n % 4], "arr": [1, None, 3], "map": {"k": {"x": 1}}, "def": n,
    }


def plain(o):
    if isinstance(o, (bytes, bytearray)):
        return "0x" + o.hex()
    return str(o)


def call(path, body=None):
    request = urllib.request.Request(url + path, data=body and json.dumps(body).encode(),
                                     headers={"Content-Type": "application/vnd.schemaregistry.v1+json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


mode, url, topic = sys.argv[1:4]
if mode == "write":
    id = call(f"/subjects/{topic}-value/versions", {"schema": SCHEMA})["id"]
    schema = fastavro.parse_schema(json.loads(SCHEMA))
    for n in range(4):
        out = io.BytesIO(struct.pack(">bI", 0, id))
        out.seek(5)
        fastavro.schemaless_writer(out, schema, record(n))
        print(base64.b64encode(out.getvalue()).decode())
else:
    for line in sys.stdin:
        raw = base64.b64decode(line)
        magic, id = struct.unpack(">bI", raw[:5])
        assert magic == 0
        body = io.BytesIO(raw[5:])
        schema = fastavro.parse_schema(json.loads(call(f"/schemas/ids/{id}")["schema"]))
        value = fastavro.schemaless_reader(body, schema, None)
        assert body.read() == b""
        print(json.dumps(value, default=plain, sort_keys=True))
