"""The plugins against a host made here from the same documentation: processes, handshake, streams, kills."""

import os
import pathlib
import queue
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tailrace.plugin.v1 import connector_pb2, plugin_pb2, plugin_pb2_grpc, sink_pb2, source_pb2, types_pb2

import tailrace_values as tv
from tailrace_plugin import cells

HERE = pathlib.Path(__file__).parent
EPOCH = 7
DEADLINE = 20


class Plugin:
    """A plugin process as the host starts it."""

    def __init__(self, script):
        self.dir = tempfile.TemporaryDirectory(prefix="tr-")
        alive, self.alive = os.pipe()
        env = {"PATH": "/usr/bin:/bin", "TAILRACE_PLUGIN": "6f1d1a8e-connect", "PLUGIN_PROTOCOL_VERSIONS": "1", "PLUGIN_UNIX_SOCKET_DIR": self.dir.name, "TAILRACE_KEEPALIVE_FD": str(alive)}
        started = time.monotonic()
        self.process = subprocess.Popen([sys.executable, HERE / script], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, pass_fds=[alive], process_group=0)
        os.close(alive)
        ready, _, _ = select.select([self.process.stdout], [], [], 10)
        assert ready, "no handshake within 10 s"
        self.handshake = self.process.stdout.readline().decode().strip().split("|")
        self.started_in = time.monotonic() - started
        self.channel = grpc.insecure_channel("unix:" + self.handshake[3], options=[("grpc.max_receive_message_length", 8 << 20)])
        self.stub = plugin_pb2_grpc.ConnectorPluginServiceStub(self.channel)

    def kill(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.end()

    def shutdown(self):
        empty = lambda b: b  # noqa: E731
        self.channel.unary_unary("/plugin.GRPCController/Shutdown", request_serializer=empty, response_deserializer=empty)(b"", timeout=5)

    def end(self):
        self.channel.close()
        if self.alive is not None:
            os.close(self.alive)
            self.alive = None
        code = self.process.wait(DEADLINE)
        self.process.stdout.close()
        self.dir.cleanup()
        return code


class Stream:
    """The host's side of a stream. expect() gives the next frame of a kind; heartbeats are counted beside."""

    def __init__(self, call, request):
        self.request = request
        self.outgoing = queue.SimpleQueue()
        self.incoming = queue.SimpleQueue()
        self.heartbeats = 0
        self.call = call(iter(self.outgoing.get, None))
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            for frame in self.call:
                self.incoming.put(frame)
            self.incoming.put(None)
        except grpc.RpcError as broken:
            self.incoming.put(broken)
        self.outgoing.put(None)

    def send(self, epoch=EPOCH, **frame):
        self.outgoing.put(self.request(epoch=epoch, **frame))

    def half_close(self):
        self.outgoing.put(None)

    def next(self, timeout=DEADLINE):
        """The next frame that is no heartbeat; None when the stream ended well."""
        deadline = time.monotonic() + timeout
        while True:
            frame = self.incoming.get(timeout=max(0, deadline - time.monotonic()))
            if isinstance(frame, grpc.RpcError):
                raise frame
            if frame is None:
                return None
            assert frame.epoch == EPOCH, frame
            if frame.WhichOneof("frame") != "heartbeat":
                return frame
            self.heartbeats += 1

    def expect(self, kind):
        frame = self.next()
        assert frame is not None and frame.WhichOneof("frame") == kind, f"want {kind}, got {frame}"
        return getattr(frame, kind)

    def nothing(self, seconds):
        try:
            frame = self.next(seconds)
        except queue.Empty:
            return
        raise AssertionError(f"want no frame, got {frame}")


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.dir = pathlib.Path(folder.name)
        self.plugins = []

    def tearDown(self):
        for plugin in self.plugins:
            if plugin.process.poll() is None:
                plugin.kill()

    def start(self, script):
        plugin = Plugin(script)
        self.plugins.append(plugin)
        return plugin


class Process(Case):
    def test_a_person_gets_a_hint(self):
        done = subprocess.run([sys.executable, HERE / "pyfile_source.py"], env={}, capture_output=True, text=True, timeout=DEADLINE)
        self.assertEqual(done.returncode, 1)
        self.assertIn("plugin.path", done.stderr)

    def test_it_shakes_hands_describes_itself_and_shuts_down(self):
        for script, name, kind in (("pyfile_source.py", "py-file-source", plugin_pb2.CONNECTOR_KIND_SOURCE), ("pyfile_sink.py", "py-file-sink", plugin_pb2.CONNECTOR_KIND_SINK)):
            with self.subTest(name):
                plugin = self.start(script)
                print(f"{name}: handshake after {plugin.started_in:.2f} s", file=sys.stderr)
                self.assertEqual(plugin.handshake[:3] + plugin.handshake[4:], ["1", "1", "unix", "grpc"])
                health = health_pb2_grpc.HealthStub(plugin.channel).Check(health_pb2.HealthCheckRequest(service="plugin"), timeout=5)
                self.assertEqual(health.status, health_pb2.HealthCheckResponse.SERVING)
                described = plugin.stub.Describe(plugin_pb2.DescribeRequest(host_version="test"), timeout=5)
                self.assertEqual([(c.name, c.kind) for c in described.connectors], [(name, kind)])
                values = plugin.stub.Validate(plugin_pb2.ValidateRequest(connector=name, config={"file": str(self.dir)}), timeout=5).values
                self.assertEqual([len(v.errors) for v in values if v.name == "file"], [1])
                plugin.shutdown()
                self.assertEqual(plugin.process.wait(DEADLINE), 0)
                plugin.end()

    def test_it_ends_with_the_host(self):
        plugin = self.start("pyfile_source.py")
        started = time.monotonic()
        self.assertEqual(plugin.end(), 1)
        self.assertLess(time.monotonic() - started, 1)

    def test_a_connector_divides_its_work(self):
        plugin = self.start("pyfile_source.py")
        stream = Stream(plugin.stub.RunConnector, connector_pb2.RunConnectorRequest)
        config = {"file": "a", "topic": "b"}
        stream.send(start=connector_pb2.StartConnector(connector="py-file-source", name="c", config=config))
        stream.expect("started")
        stream.send(epoch=EPOCH + 1, task_configs=connector_pb2.TaskConfigs(request_id=1, max_tasks=4))  # of another life
        stream.send(task_configs=connector_pb2.TaskConfigs(request_id=2, max_tasks=4))
        answer = stream.expect("task_configs_result")
        self.assertEqual((answer.request_id, [dict(c.config) for c in answer.configs]), (2, [config]))
        stream.send(stop=connector_pb2.StopConnector(deadline_ms=1000))
        stream.expect("stopped")
        stream.half_close()
        self.assertIsNone(stream.next())

    def test_questions_come_on_a_stream_of_their_own(self):
        plugin = self.start("pyfile_source.py")
        stream = Stream(plugin.stub.RunConnector, connector_pb2.RunConnectorRequest)
        stream.send(initialize=connector_pb2.InitializeConnector(connector="py-file-source", name="c"))
        stream.send(exactly_once_support=connector_pb2.ExactlyOnceSupport(request_id=1))
        self.assertEqual(stream.expect("support_result").support, connector_pb2.SUPPORT_SUPPORTED)
        stream.send(alter_offsets=connector_pb2.AlterOffsets(request_id=2))
        self.assertEqual(stream.expect("alter_offsets_result").request_id, 2)
        stream.half_close()
        self.assertIsNone(stream.next())

    def test_an_unknown_connector_fails_its_stream_only(self):
        plugin = self.start("pyfile_source.py")
        stream = Stream(plugin.stub.RunSource, source_pb2.RunSourceRequest)
        stream.send(start=source_pb2.StartSource(connector="nobody"))
        self.assertIn("nobody", stream.expect("failure").error.message)
        self.assertIsNone(stream.next())
        plugin.stub.Describe(plugin_pb2.DescribeRequest(), timeout=5)


OFFSET = tv.Schema("struct", fields=[("position", tv.Schema("int64"))])


class Source(Case):
    def setUp(self):
        super().setUp()
        self.file = self.dir / "in.txt"
        self.credit = 8 << 20

    def task(self, plugin, offset=b"", paused=False):
        stream = Stream(plugin.stub.RunSource, source_pb2.RunSourceRequest)
        config = {"file": str(self.file), "topic": "lines"}
        stream.send(start=source_pb2.StartSource(connector="py-file-source", name="s", config=config, credit_bytes=self.credit, paused=paused))
        ask = stream.expect("read_offsets")
        self.assertEqual([tv.decode(p) for p in ask.partitions], [{"filename": str(self.file)}])
        stream.send(offsets=types_pb2.Offsets(request_id=ask.request_id, offsets=[offset]))
        self.assertEqual(tv.decode(stream.expect("partition").partition), {"filename": str(self.file)})
        self.assertEqual(tv.schema_from_proto(stream.expect("schema").schema), tv.Schema("string"))
        self.assertEqual(tv.schema_from_proto(stream.expect("schema").schema), OFFSET)
        stream.expect("started")
        stream.seq = 0
        return stream

    def records(self, stream, batch):
        """(line, position) of each record, read as the documentation says."""
        self.assertEqual(batch.first_seq, stream.seq + 1)
        stream.seq += batch.count
        self.assertLessEqual(len(batch.block), 4 << 20)
        self.assertEqual((batch.topics, list(batch.value_schema), list(batch.offset_schema), list(batch.source_partition)), (["lines"], [1], [2], [1]))
        at, out = 0, []
        for value, offset in zip(cells(batch.value_length, batch.count), cells(batch.offset_length, batch.count)):
            line = tv.decode(batch.block[at : at + value], tv.Schema("string"))
            out.append((line, tv.decode(batch.block[at + value : at + value + offset], OFFSET)["position"]))
            at += value + offset
        self.assertEqual(at, len(batch.block))
        return out

    def test_lines_arrive_in_order_and_a_killed_task_resumes(self):
        want = [f"{i} " + "x" * (i % 300) for i in range(10_000)]
        self.file.write_text("".join(line + "\n" for line in want))
        plugin = self.start("pyfile_source.py")
        stream, got = self.task(plugin), []
        while len(got) < 5000:
            batch = stream.expect("batch")
            got += self.records(stream, batch)
            stream.send(credit=source_pb2.Credit(bytes=len(batch.block) + 64 * batch.count))
            stream.send(commit=source_pb2.Commit(through_seq=stream.seq))
        plugin.kill()
        got = got[:4321]  # through this one the host had stored the offsets
        stream = self.task(self.start("pyfile_source.py"), tv.encode({"position": got[-1][1]}))
        while len(got) < len(want):
            got += self.records(stream, stream.expect("batch"))
        self.assertEqual([line for line, _ in got], want)

    def test_it_sends_only_while_the_balance_is_positive(self):
        self.file.write_text("x" * 99 + "\n")
        self.file.write_bytes(self.file.read_bytes() * 20_000)
        self.credit = 1
        stream = self.task(self.start("pyfile_source.py"))
        for _ in range(3):
            batch = stream.expect("batch")  # one batch may take it below zero
            stream.nothing(0.3)
            cost = len(batch.block) + 64 * batch.count
            stream.send(credit=source_pb2.Credit(bytes=cost - 1))
            stream.nothing(0.3)
            stream.send(credit=source_pb2.Credit(bytes=1))

    def test_pause_resume_drain(self):
        stream = self.task(self.start("pyfile_source.py"), paused=True)
        self.file.write_text("a\nunfinished")
        stream.nothing(0.5)
        stream.send(resume=source_pb2.ResumeTask())
        self.assertEqual(self.records(stream, stream.expect("batch")), [("a", 2)])
        stream.send(pause=source_pb2.PauseTask())
        time.sleep(0.3)  # a poll under way may end
        with self.file.open("a") as f:
            f.write(" no more\n")
        stream.nothing(0.5)
        stream.send(resume=source_pb2.ResumeTask())
        self.assertEqual(self.records(stream, stream.expect("batch")), [("unfinished no more", 21)])
        stream.send(drain=source_pb2.Drain(deadline_ms=1000))
        self.assertEqual(stream.expect("drained").last_seq, 2)
        stream.send(commit=source_pb2.Commit(through_seq=2))
        stream.half_close()
        self.assertIsNone(stream.next())

    def test_heartbeats_while_nothing_happens(self):
        stream = self.task(self.start("pyfile_source.py"))
        stream.nothing(5)  # a busy machine has a second of grace
        self.assertEqual(stream.heartbeats, 2)

    def test_odd_lines(self):
        self.file.write_bytes(b"\n\r\n\xff\xfe bad\ngr\xc3\xbcn\n" + b"y" * (3 << 20) + b"\nlast\n")
        stream = self.task(self.start("pyfile_source.py"))
        lines, batches = [], []
        while len(lines) < 6:
            batches.append(self.records(stream, stream.expect("batch")))
            lines += [line for line, _ in batches[-1]]
        self.assertEqual(lines, ["", "\r", "\ufffd\ufffd bad", "grün", "y" * (3 << 20), "last"])
        self.assertEqual([len(b) for b in batches if b[0][0][:2] == "yy"], [1])

    def test_a_line_beyond_the_limit_fails_the_task(self):
        self.file.write_bytes(b"ok\n" + b"y" * (5 << 20) + b"\n")
        stream = self.task(self.start("pyfile_source.py"))
        stream.expect("batch")
        self.assertIn("byte 3 of", stream.expect("failure").error.message)
        self.assertIsNone(stream.next())

    def test_rate(self):
        lines = 300_000
        self.file.write_text("".join(f"{i:09d} {'x' * (60 + i % 50)}\n" for i in range(lines)))
        stream = self.task(self.start("pyfile_source.py"))
        started, got = time.monotonic(), 0
        while got < lines:
            batch = stream.expect("batch")
            got += batch.count
            stream.send(credit=source_pb2.Credit(bytes=len(batch.block) + 64 * batch.count))
        rate = lines / (time.monotonic() - started)
        print(f"source: {rate:,.0f} lines/s", file=sys.stderr)
        self.assertGreater(rate, 20_000)


class Sink(Case):
    def setUp(self):
        super().setUp()
        self.file = self.dir / "out.txt"

    def task(self, plugin, positions):
        stream = Stream(plugin.stub.RunSink, sink_pb2.RunSinkRequest)
        stream.send(start=sink_pb2.StartSink(connector="py-file-sink", name="s", config={"file": str(self.file), "topics": "lines"}, credit_bytes=8 << 20))
        stream.expect("started")
        stream.seq = stream.token = 0
        self.assign(stream, positions)
        schema = types_pb2.Schema(type=types_pb2.SCHEMA_TYPE_STRING, optional=True)
        stream.send(schema=types_pb2.SchemaDef(id=1, schema=schema))
        return stream

    def assign(self, stream, positions):
        """positions: {partition: offset}; ids are partition + 1."""
        stream.token += 1
        stream.send(assign=sink_pb2.Assign(token=stream.token, partitions=[sink_pb2.TopicPartition(id=p + 1, topic="lines", partition=p, position=o) for p, o in positions.items()]))
        self.assertEqual(stream.expect("assigned").token, stream.token)

    def put(self, stream, partition, first_offset, lines, **columns):
        values = [tv.encode(line, tv.Schema("string", optional=True)) for line in lines]
        batch = sink_pb2.SinkBatch(partition=partition + 1, count=len(lines), block=b"".join(values), first_offset=first_offset, value_schema=[1], value_length=[len(v) for v in values], **columns)
        stream.send(records=sink_pb2.Records(first_seq=stream.seq + 1, batches=[batch]))
        stream.seq += len(lines)
        self.assertEqual(stream.expect("accepted").through_seq, stream.seq)

    def flush(self, stream):
        stream.token += 1
        stream.send(flush=sink_pb2.Flush(token=stream.token, through_seq=stream.seq))
        flushed = stream.expect("flushed")
        self.assertEqual((flushed.token, flushed.HasField("error")), (stream.token, False))
        return {p.partition - 1: p.offset for p in flushed.offsets}

    def lines(self):
        return self.file.read_text().splitlines()

    def test_each_line_once_wherever_it_is_killed(self):
        want = [f"line {i}" for i in range(100)]
        plugin = self.start("pyfile_sink.py")
        stream = self.task(plugin, {0: 0})
        self.put(stream, 0, 0, want[:5])
        plugin.kill()  # before the first flush

        plugin = self.start("pyfile_sink.py")
        stream = self.task(plugin, {0: 0})
        self.put(stream, 0, 0, want[:10])
        self.assertEqual(self.flush(stream), {0: 10})
        stream.send(offsets_committed=sink_pb2.OffsetsCommitted(offsets=[sink_pb2.PartitionPosition(partition=1, offset=10)]))
        self.put(stream, 0, 10, want[10:20])
        with self.file.open("a") as torn:
            torn.write("half a li")
        plugin.kill()  # after a flush that was committed

        plugin = self.start("pyfile_sink.py")
        stream = self.task(plugin, {0: 10})
        self.put(stream, 0, 10, want[10:30])
        self.assertEqual(self.flush(stream), {0: 30})
        plugin.kill()  # after a flush that was not committed

        plugin = self.start("pyfile_sink.py")
        stream = self.task(plugin, {0: 10})
        self.put(stream, 0, 10, want[10:])
        stream.token += 1
        stream.send(revoke=sink_pb2.Revoke(token=stream.token, partitions=[1]))
        revoked = stream.expect("revoked")
        self.assertEqual([(p.partition, p.offset) for p in revoked.offsets], [(1, 100)])
        stream.send(drain=source_pb2.Drain(deadline_ms=1000))
        stream.expect("drained")
        stream.half_close()
        self.assertIsNone(stream.next())
        self.assertEqual(self.lines(), want)

    def test_a_failed_flush_goes_back(self):
        stream = self.task(self.start("pyfile_sink.py"), {0: 0})
        self.put(stream, 0, 0, ["a", "b"])
        self.assertEqual(self.flush(stream), {0: 2})
        self.put(stream, 0, 2, ["c"])
        stream.send(sought=sink_pb2.Sought(offsets=[sink_pb2.PartitionPosition(partition=1, offset=2)]))
        self.put(stream, 0, 2, ["c", "d"])
        self.assertEqual(self.flush(stream), {0: 4})
        self.assertEqual(self.lines(), ["a", "b", "c", "d"])

    def test_lost_partitions_are_forgotten(self):
        stream = self.task(self.start("pyfile_sink.py"), {0: 0, 1: 0})
        self.put(stream, 0, 0, ["a"])
        self.put(stream, 1, 0, ["b"])
        self.assertEqual(self.flush(stream), {0: 1, 1: 1})
        self.put(stream, 0, 1, ["lost"])
        stream.token += 1
        stream.send(revoke=sink_pb2.Revoke(token=stream.token, partitions=[1, 2], lost=True))
        self.assertEqual(len(stream.expect("revoked").offsets), 0)
        stream.token += 1
        stream.send(assign=sink_pb2.Assign(token=stream.token, partitions=[sink_pb2.TopicPartition(id=3 + p, topic="lines", partition=p, position=1) for p in (0, 1)]))
        stream.expect("assigned")
        self.assertEqual(self.lines(), ["a", "b"])

    def test_moved_offsets_leave_nothing_out(self):
        plugin = self.start("pyfile_sink.py")
        stream = self.task(plugin, {0: 5})
        self.put(stream, 0, 5, ["a", "b"], offset_delta=[0, 7])
        self.assertEqual(self.flush(stream), {0: 13})
        plugin.kill()
        stream = self.task(self.start("pyfile_sink.py"), {0: 2})
        self.put(stream, 0, 2, ["z"])
        self.assertEqual(self.lines(), ["a", "b", "z"])

    def test_values_of_every_form(self):
        stream = self.task(self.start("pyfile_sink.py"), {0: 0})
        stream.send(schema=types_pb2.SchemaDef(id=2, schema=types_pb2.Schema(type=types_pb2.SCHEMA_TYPE_STRING)))
        values = [(2, tv.encode("x" * 200, tv.Schema("string"))), (1, b"\x00"), (0, b""), (0, tv.encode({"a": [1, tv.Decimal(5, 1)]})), (0, tv.encode("s"))]
        batch = sink_pb2.SinkBatch(
            partition=1, count=5, block=b"".join(b"kk" + v + b"h" for _, v in values), key_length=[2], header_length=[1], value_schema=[s for s, _ in values], value_length=[len(v) for _, v in values]
        )
        stream.send(records=sink_pb2.Records(first_seq=1, batches=[batch]))
        stream.expect("accepted")
        self.assertEqual(self.lines(), ["x" * 200, "null", "null", '{"a": [1, [5, 1]]}', "s"])

    def test_rate(self):
        stream = self.task(self.start("pyfile_sink.py"), {0: 0})
        count, batches = 500, 600
        values = [tv.encode(f"{i:09d} {'x' * (60 + i % 50)}", tv.Schema("string", optional=True)) for i in range(count)]
        batch = sink_pb2.SinkBatch(partition=1, count=count, block=b"".join(values), value_schema=[1], value_length=[len(v) for v in values])
        started = time.monotonic()
        for i in range(batches):
            batch.first_offset = i * count
            stream.send(records=sink_pb2.Records(first_seq=i * count + 1, batches=[batch]))
        for _ in range(batches):
            stream.expect("accepted")
        rate = count * batches / (time.monotonic() - started)
        print(f"sink: {rate:,.0f} lines/s", file=sys.stderr)
        self.assertGreater(rate, 20_000)


if __name__ == "__main__":
    unittest.main()
