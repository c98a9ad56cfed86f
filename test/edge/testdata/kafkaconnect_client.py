"""Manages a connector with the client kafkaconnect (PyPI), unchanged. Arguments: host, port, topic, file."""
import json
import sys
import time

from kafkaconnect.connect import Connect

host, port, topic, file = sys.argv[1:]
client = Connect(f"http://{host}:{port}")
config = {"connector.class": "FileStreamSource", "tasks.max": "1", "topic": topic, "file": file}


def until(what, test):
    end = time.monotonic() + 60
    while not test():
        assert time.monotonic() < end, what
        time.sleep(0.1)


assert json.loads(client.list()) == []
assert any(p["class"].endswith("FileStreamSourceConnector") or p["class"] == "FileStreamSource" or "file" in p["class"].lower() for p in json.loads(client.plugins()))
made = json.loads(client.create_or_update("lines", json.dumps(config)))
assert made["name"] == "lines" and made["config"]["topic"] == topic, made
until("RUNNING", lambda: [t["state"] for t in json.loads(client.status("lines"))["tasks"]] == ["RUNNING"])
assert json.loads(client.info("lines"))["tasks"] == [{"connector": "lines", "task": 0}]
assert json.loads(client.config("lines"))["file"] == file
assert len(json.loads(client.tasks("lines"))) == 1
until("topics", lambda: json.loads(client.topics("lines")) == {"lines": {"topics": [topic]}})
checked = json.loads(client.validate("FileStreamSource", json.dumps(config | {"name": "lines", "tasks.max": "none"})))
found = {c["value"]["name"]: c["value"]["errors"] for c in checked["configs"] if c["value"]["errors"]}
assert list(found) == ["tasks.max"], (checked["error_count"], found)
client.pause("lines")
until("PAUSED", lambda: json.loads(client.status("lines"))["connector"]["state"] == "PAUSED")
client.resume("lines")
until("RUNNING", lambda: json.loads(client.status("lines"))["connector"]["state"] == "RUNNING")
client.restart("lines")
client.remove("lines")
assert json.loads(client.list()) == []
assert client.info("lines").endswith("not found."), client.info("lines")
