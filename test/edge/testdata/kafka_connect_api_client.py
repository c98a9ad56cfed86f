"""Manages a connector with the client kafka-connect-api (PyPI), unchanged, with a password. Arguments: host, port, topic, file."""
import sys
import time

from kafka_connect_api.errors import GenericNotFound
from kafka_connect_api.kafka_connect_api import Api, Cluster, Connector

host, port, topic, file = sys.argv[1:]
cluster = Cluster(Api(hostname=host, port=int(port), username="alice", password="wonderland"))


def until(what, test):
    end = time.monotonic() + 60
    while not test():
        assert time.monotonic() < end, what
        time.sleep(0.1)


assert cluster.version.startswith("4.1"), cluster.version
assert cluster.kafka_cluster
assert cluster.connectors == {}
made = Connector(cluster, "lines")
try:
    made.exists()
except GenericNotFound:
    pass  # the client says so instead of returning False
else:
    raise AssertionError("a connector is there before it was made")
made.config = {"connector.class": "FileStreamSource", "tasks.max": "1", "topic": topic, "file": file}
assert made.exists()
assert list(cluster.connectors) == ["lines"]
assert made.config["file"] == file
until("RUNNING", lambda: [t.state for t in made.tasks] == ["RUNNING"])
made.pause()
until("PAUSED", lambda: made.state == "PAUSED")
made.resume()
until("RUNNING", lambda: made.state == "RUNNING")
made.restart()
made.restart_all_tasks()
cluster.root_logger = "DEBUG"
assert cluster.root_logger["level"] == "DEBUG"
made.delete()
assert cluster.connectors == {}
try:
    Cluster(Api(hostname=host, port=int(port), username="alice", password="wrong")).connectors
except Exception as refused:
    assert "401" in str(refused), refused
else:
    raise AssertionError("a wrong password was let in")
