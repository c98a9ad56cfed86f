#!/usr/bin/env python3
"""A Tailrace plugin without an SDK: records become the lines of a file, each exactly once.

A flush makes the file safe and then notes, in <file>.checkpoints, its length beside the offsets of the next records. When
the task is assigned its partitions again, the host says where it goes on; the file is cut back to the length that was
noted with exactly these offsets, so what the host sends again replaces what is cut. Where no note fits (a user moved
the offsets), only what was never flushed is cut, and lines may come twice. Lines are never left out.

A file has one writer, so there is one task, whatever tasks.max says.
"""

import json
import os

from tailrace.plugin.v1 import config_pb2, plugin_pb2, types_pb2
from tailrace_plugin import Connector, Fault, Sink, cells, serve
from tailrace_values import Millis, decode, schema_from_proto

MAX_CHECKPOINTS = 16  # not yet committed ones; the host commits each flush before the next


class FileSink(Sink):
    def start(self, config, name):
        self.file, self.connector = config["file"], name
        self.handle = None
        try:
            self.handle = os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as fault:
            raise Fault(f"The file {self.file} cannot be written: {fault.strerror}. Check the path and its rights.", "FILE_UNWRITABLE") from fault
        self.next = {}  # (topic, partition) -> offset of the next record
        self.stored = {}  # the same, as committed in Kafka
        self.checkpoints = self._load()
        self.texts = {}

    def open(self, partitions):
        if not self.next:  # nothing of this file is ours yet: what is unflushed in it comes again
            self._restore(partitions)
        self.next.update(partitions)
        self.stored.update(partitions)
        self.flush()  # the length that belongs to these offsets

    def put(self, topic, partition, batch, schemas):
        block, at, lines = batch.block, 0, []
        n = batch.count
        columns = zip(cells(batch.key_length, n), cells(batch.value_length, n), cells(batch.header_length, n), cells(batch.value_schema, n))
        for key_length, value_length, header_length, schema in columns:
            start = at + key_length
            end = start + value_length
            at = end + header_length
            text = self.texts.get(schema) or self._text(schema, schemas)
            lines.append(text(block[start:end]))
        lines.append(b"")
        self._write(b"\n".join(lines))
        last = batch.offset_delta[-1] if batch.offset_delta else n - 1
        self.next[topic, partition] = batch.first_offset + last + 1

    def flush(self):
        length = os.fstat(self.handle).st_size
        checkpoint = {"length": length, "offsets": [[*name, offset] for name, offset in sorted(self.next.items())]}
        if self.checkpoints[-1:] != [checkpoint]:
            os.fsync(self.handle)
            self.checkpoints = [*self.checkpoints[1 - MAX_CHECKPOINTS :], checkpoint]
            self._save()
        return dict(self.next)

    def committed(self, offsets):
        """Checkpoints before the one that is committed are not needed any more."""
        self.stored.update(offsets)
        for i, checkpoint in enumerate(self.checkpoints):
            if offsets_of(checkpoint) == self.stored:
                del self.checkpoints[:i]
                return

    def forget(self, partitions):
        for name in partitions:
            del self.next[name], self.stored[name]

    def rewind(self, offsets):
        self.next.update(offsets)
        self._restore(self.next)

    def close(self):
        if getattr(self, "handle", None) is not None:
            os.close(self.handle)

    def _restore(self, offsets):
        """Cuts the file back to where the host goes on."""
        if not self.checkpoints:
            return
        keep = next((i for i in range(len(self.checkpoints) - 1, -1, -1) if offsets_of(self.checkpoints[i]) == offsets), len(self.checkpoints) - 1)
        del self.checkpoints[keep + 1 :]
        length = self.checkpoints[keep]["length"]
        if length <= os.fstat(self.handle).st_size:
            os.ftruncate(self.handle, length)

    def _load(self):
        try:
            with open(self.file + ".checkpoints", encoding="utf-8") as f:
                noted = json.load(f)
        except FileNotFoundError:
            return []
        return noted["checkpoints"] if noted["connector"] == self.connector else []

    def _save(self):
        path = self.file + ".checkpoints"
        with open(path + ".new", "w", encoding="utf-8") as f:
            json.dump({"connector": self.connector, "checkpoints": self.checkpoints}, f)
            f.flush()
            os.fsync(f.fileno())
        os.replace(path + ".new", path)
        folder = os.open(os.path.dirname(os.path.abspath(path)), os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _write(self, data):
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self.handle, view) :]
        except OSError as fault:  # what is torn is cut when the task starts again
            raise Fault(f"The file {self.file} cannot be written: {fault.strerror}. Make room or correct its rights, then restart the task.", "FILE_UNWRITABLE") from fault

    def _text(self, schema_id, schemas):
        """The function that makes a line of a value of this schema."""
        schema = schema_from_proto(schemas[schema_id]) if schema_id else None
        plain = schema is not None and schema.type == "string" and schema.default is None
        if plain and not schema.optional:
            text = string
        elif plain:
            text = optional_string
        else:
            text = lambda raw: line_of(decode(raw, schema))  # noqa: E731
        self.texts[schema_id] = text
        return text


def offsets_of(checkpoint):
    return {(topic, partition): offset for topic, partition, offset in checkpoint["offsets"]}


def string(raw):
    """A STRING is its length and its bytes: these are the line."""
    at = 0
    while raw[at] > 127:
        at += 1
    return raw[at + 1 :]


def optional_string(raw):
    return string(raw[1:]) if raw[0] == 2 else b"null"


def line_of(value):
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    return json.dumps(value, default=lambda v: v.hex() if isinstance(v, bytes) else int(v) if isinstance(v, Millis) else str(v)).encode()


class FileSinkConnector(Connector):
    name = "py-file-sink"
    kind = plugin_pb2.CONNECTOR_KIND_SINK
    documentation = "Writes each record as a line of one file, exactly once. Strings as they are, everything else as JSON."
    keys = (config_pb2.ConfigKey(name="file", type=config_pb2.CONFIG_TYPE_STRING, required=True, importance=config_pb2.IMPORTANCE_HIGH, documentation="Path of the file to write."),)
    task = FileSink

    def validate(self, config):
        path = config.get("file", "")
        if os.path.isdir(path):
            yield "file", f"{path} is a folder. Name a file."
        elif path and not os.path.isdir(os.path.dirname(os.path.abspath(path))):
            yield "file", f"The folder of {path} does not exist. Make it first."


if __name__ == "__main__":
    serve("py-file-sink", "1.0.0", [FileSinkConnector()])
