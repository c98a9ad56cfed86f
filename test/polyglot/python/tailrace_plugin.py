"""What every Tailrace plugin in Python needs below its connectors, written from docs/protocol.md without an SDK.

serve() is the life of the process: handshake, services, keep-alive. A Connector says what there is; its Source or Sink
does the work of one task. User code of a task runs in one thread; gRPC's threads carry the frames and the heartbeats.
"""

import os
import sys
import threading
import time
import traceback
from collections import deque
from concurrent import futures
from itertools import repeat

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from tailrace.plugin.v1 import config_pb2, connector_pb2, plugin_pb2, plugin_pb2_grpc, sink_pb2, source_pb2, types_pb2

from tailrace_values import decode, encode

BATCH_BYTES = 1 << 20  # aimed at
BLOCK_BYTES = 4 << 20  # the limit of a frame
RECORD_COST = 64  # credit of a record beside its bytes
HEARTBEAT_SECONDS = 2
OUTBOX_FRAMES = 8
MAX_STREAMS = 512  # each open stream holds a thread of gRPC's pool for its whole life


class Fault(Exception):
    """An error for the person who reads it: what failed, where, why, what to do."""

    def __init__(self, message, code="", retriable=False):
        super().__init__(message)
        self.code, self.retriable = code, retriable


class StreamEnded(Exception):
    """The host is gone from this stream: stop its work."""


def error_of(fault):
    known = isinstance(fault, Fault)
    return types_pb2.Error(
        code=fault.code if known else "",
        message=str(fault) if known else f"{type(fault).__name__}: {fault}. This is a fault of the plugin; please report it with the trace.",
        class_name=type(fault).__name__,
        retriable=known and fault.retriable,
        trace="" if known else "".join(traceback.format_exception(fault))[-65536:],
    )


# The process.


def serve(name, version, connectors):
    """Serves the connectors until the host ends the process."""
    if os.environ.get("TAILRACE_PLUGIN") != "6f1d1a8e-connect":
        sys.exit(f"{name} is a plugin of Tailrace: put it into a folder of the worker's plugin.path; the worker starts it.")
    if "1" not in os.environ.get("PLUGIN_PROTOCOL_VERSIONS", "").split(","):
        sys.exit(f"{name} speaks version 1 of the plugin protocol, the worker {os.environ.get('PLUGIN_PROTOCOL_VERSIONS')!r}: use a plugin and a worker that fit.")
    threading.Thread(target=_end_with_host, args=(int(os.environ["TAILRACE_KEEPALIVE_FD"]),), daemon=True).start()

    server = grpc.server(
        futures.ThreadPoolExecutor(MAX_STREAMS),
        options=[("grpc.max_receive_message_length", 8 << 20), ("grpc.max_send_message_length", 8 << 20)],
    )
    plugin_pb2_grpc.add_ConnectorPluginServiceServicer_to_server(_Service(name, version, connectors), server)
    healthy = health.HealthServicer()
    healthy.set("plugin", health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    shutdown = threading.Event()
    server.add_generic_rpc_handlers((_controller(shutdown),))
    path = os.path.join(os.environ["PLUGIN_UNIX_SOCKET_DIR"], f"{os.getpid()}.sock")
    server.add_insecure_port("unix:" + path)
    server.start()
    print(f"1|1|unix|{path}|grpc", flush=True)

    shutdown.wait()
    server.stop(grace=1).wait()
    os._exit(0)  # do not wait for threads of user code


def _end_with_host(fd):
    while os.read(fd, 1):
        pass
    os._exit(1)


def _controller(shutdown):
    def handle(_request, _context):
        shutdown.set()
        return b""  # a message without fields

    return grpc.method_handlers_generic_handler("plugin.GRPCController", {"Shutdown": grpc.unary_unary_rpc_method_handler(handle)})


class Connector:
    """One connector of a plugin. Subclasses set the attributes and override what differs."""

    name = ""
    kind = plugin_pb2.CONNECTOR_KIND_UNSPECIFIED
    documentation = ""
    keys = ()  # config_pb2.ConfigKey
    capabilities = ()
    task = None  # the class of its tasks, a Source or a Sink

    def validate(self, config):
        """Yields (key, sentence) for what the host cannot see from the keys alone."""
        return ()

    def task_configs(self, config, max_tasks):
        return [config]

    def exactly_once(self, config):
        return connector_pb2.SUPPORT_UNSPECIFIED


class _Service(plugin_pb2_grpc.ConnectorPluginServiceServicer):
    def __init__(self, name, version, connectors):
        self.name, self.version = name, version
        self.connectors = {c.name: c for c in connectors}

    def Describe(self, request, context):
        return plugin_pb2.DescribeResponse(
            name=self.name,
            version=self.version,
            connectors=[
                plugin_pb2.ConnectorDescription(name=c.name, kind=c.kind, documentation=c.documentation, config_keys=c.keys, capabilities=c.capabilities)
                for c in self.connectors.values()
            ],
        )

    def Validate(self, request, context):
        connector, config = self.connectors[request.connector], request.config
        values = {}
        for key in connector.keys:
            value = config_pb2.ConfigValue(name=key.name, visible=True)
            if key.name in config:
                value.value = config[key.name]
            elif key.HasField("default_value"):
                value.value = key.default_value
            values[key.name] = value
        for name, sentence in connector.validate(config):
            values[name].errors.append(sentence)
        return plugin_pb2.ValidateResponse(values=values.values())

    def RunConnector(self, requests, context):
        return _ConnectorStream(self.connectors, connector_pb2.RunConnectorResponse).run(requests, context)

    def RunSource(self, requests, context):
        return _SourceStream(self.connectors, source_pb2.RunSourceResponse).run(requests, context)

    def RunSink(self, requests, context):
        return _SinkStream(self.connectors, sink_pb2.RunSinkResponse).run(requests, context)


# Streams.


class _Stream:
    """One stream: frames in are handled in order in a thread of the stream, frames out go through a bounded queue."""

    def __init__(self, connectors, response):
        self.connectors = connectors
        self.response = response  # class of the frames out
        self.epoch = None
        self.changed = threading.Condition()  # guards all below, and the state of subclasses
        self.out = deque()
        self.finished = False  # nothing comes after what is in out
        self.broken = False
        self.call = ("", 0.0)

    def run(self, requests, context):
        """The handler of the call: yields frames to gRPC."""
        context.add_callback(self._break)
        reader = threading.Thread(target=self._read, args=(requests,), daemon=True)
        reader.start()
        beat = time.monotonic()
        while True:
            with self.changed:
                while not (self.out or self.finished or self.broken):
                    wait = beat + HEARTBEAT_SECONDS - time.monotonic()
                    if wait <= 0 and self.epoch is not None:
                        break
                    self.changed.wait(max(wait, 0.1))
                if self.broken or (self.finished and not self.out):
                    return
                frame = self.out.popleft() if self.out else None
                self.changed.notify_all()
                call, since = self.call
            now = time.monotonic()
            if now - beat >= HEARTBEAT_SECONDS and self.epoch is not None:
                beat = now
                yield self.response(epoch=self.epoch, heartbeat=types_pb2.Heartbeat(call=call, call_ms=int((now - since) * 1000) if call else 0))
            if frame is not None:
                yield frame

    def send(self, **frame):
        """Queues a frame, and waits while the queue is full."""
        message = self.response(epoch=self.epoch, **frame)
        with self.changed:
            while len(self.out) >= OUTBOX_FRAMES and not (self.broken or self.finished):
                self.changed.wait()
            if self.broken or self.finished:
                raise StreamEnded
            self.out.append(message)
            self.changed.notify_all()

    def fail(self, fault):
        """Sends Failure, the last frame."""
        if not isinstance(fault, Fault):
            traceback.print_exception(fault)
        with self.changed:
            if not (self.broken or self.finished):
                self.out.append(self.response(epoch=self.epoch, failure=connector_pb2.Failure(error=error_of(fault))))
        self._finish()

    def _finish(self):
        with self.changed:
            self.finished = True
            self.changed.notify_all()

    def _break(self):
        with self.changed:
            self.broken = True
            self.changed.notify_all()

    def _read(self, requests):
        try:
            for request in requests:
                if self.epoch is None:
                    self.epoch = request.epoch
                kind = request.WhichOneof("frame")
                handler = getattr(self, "on_" + kind, None) if kind else None
                if request.epoch == self.epoch and handler:
                    handler(getattr(request, kind))
        except StreamEnded:
            pass
        except grpc.RpcError:
            self._break()
        except Exception as fault:  # whatever user code throws ends this stream and no other
            if not self.broken:
                self.fail(fault)
        finally:
            try:
                self.close()
            except Exception as fault:
                traceback.print_exception(fault)
            self._finish()

    def find(self, name):
        if name not in self.connectors:
            raise Fault(f"This plugin has no connector {name!r}; it has {', '.join(self.connectors)}.")
        return self.connectors[name]

    def close(self):
        """The host closed its half, or the stream broke."""


class _ConnectorStream(_Stream):
    def on_start(self, start):
        self.connector, self.config = self.find(start.connector), dict(start.config)
        self.send(started=connector_pb2.ConnectorStarted())

    def on_initialize(self, initialize):
        self.connector, self.config = self.find(initialize.connector), dict(initialize.config)

    def on_task_configs(self, ask):
        configs = self.connector.task_configs(self.config, ask.max_tasks)
        self.send(task_configs_result=connector_pb2.TaskConfigsResult(request_id=ask.request_id, configs=[connector_pb2.TaskConfig(config=c) for c in configs]))

    def on_alter_offsets(self, ask):
        self.send(alter_offsets_result=connector_pb2.AlterOffsetsResult(request_id=ask.request_id, handled=False))

    def on_exactly_once_support(self, ask):
        self.send(support_result=connector_pb2.SupportResult(request_id=ask.request_id, support=self.connector.exactly_once(dict(ask.config))))

    def on_transaction_boundary_support(self, ask):
        self.send(support_result=connector_pb2.SupportResult(request_id=ask.request_id, support=connector_pb2.SUPPORT_UNSUPPORTED))

    def on_deleted(self, ask):
        self.send(deleted_result=connector_pb2.DeletedResult(request_id=ask.request_id))

    def on_stop(self, stop):
        self.send(stopped=connector_pb2.ConnectorStopped())


class Source:
    """The work of one source task. All methods are called from one thread."""

    idle_seconds = 0.1  # how long to wait after a poll that found nothing

    def start(self, config, host):
        """Opens what it reads. host has read_offsets, define_schema and define_partition."""

    def poll(self):
        """A SourceBatch without its sequence number, or None when there is nothing now."""

    def commit(self, through_seq):
        """The records up to through_seq are in Kafka and their offsets stored."""

    def close(self):
        """Gives back what it holds; also called when start failed."""


class _SourceStream(_Stream):
    def __init__(self, connectors, response):
        super().__init__(connectors, response)
        self.credit = 0
        self.paused = self.draining = self.ending = False
        self.committed = 0
        self.offsets = None
        self.asked = self.schemas = self.partitions = self.last_seq = 0
        self.worker = None
        self.source = None

    # Frames from the host, in the stream's thread: they only change the state that the task's thread waits for.

    def on_start(self, start):
        self.credit, self.paused = start.credit_bytes, start.paused
        self.source = self.find(start.connector).task()
        self.worker = threading.Thread(target=self._work, args=(dict(start.config),), daemon=True)
        self.worker.start()

    def on_offsets(self, offsets):
        self._change(offsets=offsets)

    def on_credit(self, credit):
        with self.changed:
            self.credit += credit.bytes
            self.changed.notify_all()

    def on_commit(self, commit):
        with self.changed:
            self.committed = max(self.committed, commit.through_seq)
            self.changed.notify_all()

    def on_pause(self, _):
        self._change(paused=True)

    def on_resume(self, _):
        self._change(paused=False)

    def on_drain(self, _):
        self._change(draining=True)

    def close(self):
        self._change(ending=True)
        if self.worker:
            self.worker.join()

    def _change(self, **state):
        with self.changed:
            self.__dict__.update(state)
            self.changed.notify_all()

    # The task's thread.

    def _work(self, config):
        try:
            try:
                self.source.start(config, self)
                self.send(started=source_pb2.TaskStarted())
                while self._may_poll():
                    self.call = ("poll", time.monotonic())
                    batch = self.source.poll()
                    self.call = ("", 0.0)
                    if batch is None:
                        with self.changed:
                            self.changed.wait_for(self._urgent, self.source.idle_seconds)
                    else:
                        self._send_batch(batch)
                if self.draining:
                    self.send(drained=source_pb2.Drained(last_seq=self.last_seq))
                self._await_end()
            finally:
                self.source.close()
        except StreamEnded:
            pass
        except Exception as fault:
            self.fail(fault)

    def _urgent(self):
        return self.draining or self.ending or self.broken or self.finished

    def _may_poll(self):
        """Waits for credit and the end of a pause; false when polling is over. Nothing is polled that may not be sent."""
        told = 0
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self._urgent() or self.committed > told or (self.credit > 0 and not self.paused))
                if self.broken or self.finished:
                    raise StreamEnded
                told, committed = self.committed, self.committed > told and self.committed
                go = self.credit > 0 and not self.paused
                over = self.draining or self.ending
            if committed:
                self.source.commit(committed)
            if over or go:
                return not over

    def _await_end(self):
        """After Drained: commits still come, until the host closes its half."""
        told = 0
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.ending or self.broken or self.finished or self.committed > told)
                if self.committed <= told:
                    return
                told = self.committed
            self.source.commit(told)

    def _send_batch(self, batch):
        batch.first_seq = self.last_seq + 1
        with self.changed:
            self.credit -= len(batch.block) + RECORD_COST * batch.count
        self.send(batch=batch)
        self.last_seq += batch.count

    # For the source.

    def read_offsets(self, partitions):
        """The stored offsets of source partitions (dicts), None where there is none."""
        self.asked += 1
        self.send(read_offsets=types_pb2.ReadOffsets(request_id=self.asked, partitions=[encode(p) for p in partitions]))
        with self.changed:
            self.changed.wait_for(lambda: (self.offsets and self.offsets.request_id == self.asked) or self.ending or self.broken or self.finished)
            answer = self.offsets
        if not answer or answer.request_id != self.asked:
            raise StreamEnded
        if answer.HasField("error"):
            raise Fault(f"The stored source offsets could not be read: {answer.error.message}", retriable=answer.error.retriable)
        return [decode(raw) for raw in answer.offsets]

    def define_schema(self, schema):
        self.schemas += 1
        self.send(schema=types_pb2.SchemaDef(id=self.schemas, schema=schema))
        return self.schemas

    def define_partition(self, partition):
        self.partitions += 1
        self.send(partition=source_pb2.PartitionDef(id=self.partitions, partition=encode(partition)))
        return self.partitions


class Sink:
    """The work of one sink task. All methods are called from one thread, in the order of the frames."""

    def start(self, config, name):
        """Opens what it writes."""

    def open(self, partitions):
        """Takes {(topic, partition): offset of the next record}."""

    def put(self, topic, partition, batch, schemas):
        """Writes a SinkBatch; schemas has the Schema messages by id."""

    def flush(self):
        """Makes safe what was put, and returns {(topic, partition): offset of the next record}."""

    def committed(self, offsets):
        """Kafka has these offsets."""

    def forget(self, partitions):
        """These partitions are no longer ours; with lost ones, nothing of them was flushed."""

    def rewind(self, offsets):
        """The host goes back to these offsets after a flush that failed."""

    def close(self):
        """Gives back what it holds; also called when start failed."""


class _SinkStream(_Stream):
    def __init__(self, connectors, response):
        super().__init__(connectors, response)
        self.schemas = {}
        self.ids = {}  # partition id -> (topic, partition)
        self.sink = None

    def on_start(self, start):
        self.sink = self.find(start.connector).task()
        self.sink.start(dict(start.config), start.name)
        self.send(started=source_pb2.TaskStarted())

    def on_schema(self, definition):
        self.schemas[definition.id] = definition.schema

    def on_assign(self, assign):
        self.ids.update((p.id, (p.topic, p.partition)) for p in assign.partitions)
        self.sink.open({(p.topic, p.partition): p.position for p in assign.partitions})
        self.send(assigned=sink_pb2.Assigned(token=assign.token))

    def on_records(self, records):
        self.call = ("put", time.monotonic())
        seq = records.first_seq - 1
        for batch in records.batches:
            self.sink.put(*self.ids[batch.partition], batch, self.schemas)
            seq += batch.count
        self.call = ("", 0.0)
        if records.batches:
            self.send(accepted=sink_pb2.Accepted(through_seq=seq))

    def on_flush(self, flush):
        try:
            flushed = sink_pb2.Flushed(token=flush.token, offsets=self._positions(self.sink.flush()))
        except (Fault, OSError) as fault:  # the host goes back and sends the records again
            flushed = sink_pb2.Flushed(token=flush.token, error=error_of(fault))
        self.send(flushed=flushed)

    def on_revoke(self, revoke):
        revoked = sink_pb2.Revoked(token=revoke.token)
        if not revoke.lost:
            try:
                revoked.offsets.extend(p for p in self._positions(self.sink.flush()) if p.partition in revoke.partitions)
            except (Fault, OSError) as fault:
                revoked.error.CopyFrom(error_of(fault))
        self.sink.forget([self.ids.pop(i) for i in revoke.partitions])
        self.send(revoked=revoked)

    def on_offsets_committed(self, committed):
        self.sink.committed({self.ids[p.partition]: p.offset for p in committed.offsets if p.partition in self.ids})

    def on_sought(self, sought):
        self.sink.rewind({self.ids[p.partition]: p.offset for p in sought.offsets if p.partition in self.ids})

    def on_drain(self, _):
        self.send(drained=source_pb2.Drained())

    def close(self):
        if self.sink:
            self.sink.close()

    def _positions(self, offsets):
        ids = {name: i for i, name in self.ids.items()}
        return [sink_pb2.PartitionPosition(partition=ids[name], offset=offset) for name, offset in offsets.items() if name in ids]


# Columns of a batch: no element (all have the default), one (all have that), or one per record.


def column(values, default=0):
    """The shortest form of a column."""
    first = values[0]
    if values.count(first) == len(values):
        return [] if first == default else [first]
    return values


def cells(column, count, default=0):
    """The value of each record."""
    if len(column) == count:
        return column
    return repeat(column[0] if column else default, count)
