#!/usr/bin/env python3
"""A Tailrace plugin without an SDK: the lines of a file become records, and new lines follow as they are written."""

import os
from itertools import accumulate

from tailrace.plugin.v1 import config_pb2, connector_pb2, plugin_pb2, source_pb2, types_pb2
from tailrace_plugin import BATCH_BYTES, BLOCK_BYTES, Connector, Fault, Source, column, serve
from tailrace_values import long_bytes

BATCH_LINES = 2000

# Lengths of lines are small numbers: their bytes are made once.
LENGTHS = [long_bytes(n) for n in range(4096)]


class FileSource(Source):
    def start(self, config, host):
        self.file, self.topic = config["file"], config["topic"]
        self.handle = None
        partition = {"filename": self.file}
        (offset,) = host.read_offsets([partition])
        self.position = offset["position"] if offset else 0
        self.pending = b""  # read from the file behind position, not yet a batch
        self.partition = host.define_partition(partition)
        self.line_schema = host.define_schema(types_pb2.Schema(type=types_pb2.SCHEMA_TYPE_STRING))
        position = types_pb2.SchemaField(name="position", schema=types_pb2.Schema(type=types_pb2.SCHEMA_TYPE_INT64))
        self.offset_schema = host.define_schema(types_pb2.Schema(type=types_pb2.SCHEMA_TYPE_STRUCT, fields=[position]))

    def poll(self):
        lines = self._lines()
        if not lines:
            return None
        ends = list(accumulate((len(line) + 1 for line in lines), initial=self.position))[1:]
        values = [LENGTHS[n] + line if (n := len(line)) < 4096 else long_bytes(n) + line for line in map(valid, lines)]
        offsets = [long_bytes(end) for end in ends]
        block = b"".join([part for record in zip(values, offsets) for part in record])
        if len(block) > BLOCK_BYTES:
            raise self._too_long()
        self.position = ends[-1]
        return source_pb2.SourceBatch(
            count=len(lines),
            block=block,
            topics=[self.topic],
            value_schema=[self.line_schema],
            value_length=column(list(map(len, values))),
            offset_length=column(list(map(len, offsets))),
            source_partition=[self.partition],
            offset_schema=[self.offset_schema],
        )

    def _lines(self):
        """The next whole lines, without their ends: up to a batch of them."""
        if b"\n" not in self.pending and not self._read():
            return []
        if self.pending.find(b"\n", BATCH_BYTES) < 0:
            lines = self.pending.split(b"\n", BATCH_LINES)
        else:  # a line above 1 MiB travels alone
            lines = self.pending.split(b"\n", 1)
        self.pending = lines.pop()
        return lines

    def _read(self):
        """Reads on until a line is whole."""
        if self.handle is None:
            try:
                self.handle = os.open(self.file, os.O_RDONLY)
            except FileNotFoundError:
                return False  # it may come
            except OSError as fault:
                raise Fault(f"The file {self.file} cannot be read: {fault.strerror}. Check the path and its rights.", "FILE_UNREADABLE") from fault
        while chunk := os.pread(self.handle, BATCH_BYTES - len(self.pending) % BATCH_BYTES, self.position + len(self.pending)):
            self.pending += chunk
            if b"\n" in chunk:
                return True
            if len(self.pending) >= BLOCK_BYTES:
                raise self._too_long()
        return False

    def _too_long(self):
        return Fault(
            f"The line at byte {self.position} of {self.file} takes more than {BLOCK_BYTES} bytes, the limit of a record. Split it, or move the stored offset behind it.",
            "LINE_TOO_LONG",
        )

    def close(self):
        if getattr(self, "handle", None) is not None:
            os.close(self.handle)


def valid(line):
    """A STRING is UTF-8: what is not becomes U+FFFD."""
    if line.isascii():
        return line
    return line.decode("utf-8", "replace").encode()


class FileSourceConnector(Connector):
    name = "py-file-source"
    kind = plugin_pb2.CONNECTOR_KIND_SOURCE
    documentation = "Reads the lines of one file into a topic and follows the file as it grows."
    capabilities = (types_pb2.CAPABILITY_EXACTLY_ONCE,)
    keys = (
        config_pb2.ConfigKey(name="file", type=config_pb2.CONFIG_TYPE_STRING, required=True, importance=config_pb2.IMPORTANCE_HIGH, documentation="Path of the file to read. It may come later."),
        config_pb2.ConfigKey(name="topic", type=config_pb2.CONFIG_TYPE_STRING, required=True, importance=config_pb2.IMPORTANCE_HIGH, documentation="Topic to write to."),
    )
    task = FileSource

    def validate(self, config):
        if os.path.isdir(config.get("file", "")):
            yield "file", f"{config['file']} is a folder. Name a file."

    def exactly_once(self, config):
        return connector_pb2.SUPPORT_SUPPORTED  # every record has its offset


if __name__ == "__main__":
    serve("py-file-source", "1.0.0", [FileSourceConnector()])
