"""The golden vectors of the value encoding, read and written in Python."""

import base64
import json
import math
import pathlib
import struct
import unittest

import tailrace_values as tv

VECTORS = pathlib.Path(__file__).parents[3] / "proto/tailrace/plugin/v1/testdata/vectors.json"


def schema_of(form):
    if form is None:
        return None
    schema = tv.Schema(
        type=form["type"],
        optional=form["optional"],
        name=form.get("name"),
        parameters=form.get("parameters", {}),
        key_schema=schema_of(form.get("keySchema")),
        value_schema=schema_of(form.get("valueSchema")),
        fields=[(f["name"], schema_of(f["schema"])) for f in form.get("fields", [])],
    )
    if form.get("default") is not None:
        schema.default = tv.encode(value_of(form["default"]), schema)
    return schema


def value_of(form):
    if form is None:
        return None
    t = form["t"]
    if t in ("int8", "int16", "int32", "int64"):
        return {"int8": tv.Int8, "int16": tv.Int16, "int32": tv.Int32, "int64": int}[t](form["v"])
    if t == "float32":
        return tv.Float32(struct.unpack(">f", bytes.fromhex(form["bits"]))[0])
    if t == "float64":
        return struct.unpack(">d", bytes.fromhex(form["bits"]))[0]
    if t == "string":
        return form["v"] if "v" in form else str(bytes.fromhex(form["hex"]), "utf-8", "surrogateescape")
    if t == "bytes":
        return base64.b64decode(form["v"])
    if t == "decimal":
        return tv.Decimal(int(form["unscaled"]), form["scale"])
    if t == "date":
        return tv.Millis(form["millis"])
    if t == "array":
        return [value_of(v) for v in form["v"]]
    if t == "map":
        return tv._map([(value_of(k), value_of(v)) for k, v in form["v"]])
    if t == "struct":
        return {name: value_of(v) for name, v in form.get("fields", [])}
    return form["v"]


def same(a, b):
    """Equal in type and content; NaN is NaN, and -0.0 is not 0.0."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return math.isnan(a) and math.isnan(b) or struct.pack("<d", a) == struct.pack("<d", b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, tv.Pairs):  # a set, told by the bytes of the keys
        return same({tv.encode(k): v for k, v in a}, {tv.encode(k): v for k, v in b})
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def has_nan(form):
    return "NaN" in json.dumps(form)


class Vectors(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vectors = json.loads(VECTORS.read_text("utf-8"))

    def test_a_value_is_written_as_the_vector_says(self):
        for v in self.vectors["valid"]:
            if v.get("only") == "read":
                continue
            with self.subTest(v["name"]):
                got = tv.encode(value_of(v["value"]), schema_of(v["schema"])).hex()
                if got != v["wire"] and has_nan(v):  # C quiets a signalling float32
                    self.assertTrue(math.isnan(tv.decode(bytes.fromhex(got), schema_of(v["schema"]))))
                    continue
                self.assertEqual(got, v["wire"])

    def test_a_value_is_read_as_the_vector_says(self):
        for v in self.vectors["valid"]:
            if v.get("only") == "write":
                continue
            with self.subTest(v["name"]):
                got, want = tv.decode(bytes.fromhex(v["wire"]), schema_of(v["schema"])), value_of(v["value"])
                self.assertTrue(same(got, want), f"{got!r}, want {want!r}")

    def test_every_beginning_of_a_value_is_invalid(self):
        for v in self.vectors["valid"]:
            wire = bytes.fromhex(v["wire"])
            for n in range(len(wire)):
                if n == 0 and v["schema"] is None:
                    continue
                with self.subTest(v["name"], n=n), self.assertRaises(tv.EncodingError):
                    tv.decode(wire[:n], schema_of(v["schema"]))

    def test_bad_bytes_are_refused(self):
        for v in self.vectors["invalid"]:
            with self.subTest(v["name"]), self.assertRaises(tv.EncodingError):
                tv.decode(bytes.fromhex(v["wire"]), schema_of(v["schema"]))

    def test_values_that_do_not_fit_are_refused(self):
        for v in self.vectors["refused"]:
            with self.subTest(v["name"]), self.assertRaises(tv.EncodingError):
                tv.encode(value_of(v["value"]), schema_of(v["schema"]))


if __name__ == "__main__":
    unittest.main()
