"""Tools for tests of the life of workers: `life_worker.py BACKEND INSTANCE FILE`. Each run is a line of
FILE: number, attempt, instance. With an instance that begins with "old" it is fit to die."""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "actors", "client", "python"))
from factclient.worker import Worker, current_task  # noqa: E402

backend, instance, path = sys.argv[1:]
worker = Worker(backend, instance=instance, concurrency=4, drain=5)
NUMBER = {"type": "object", "properties": {"n": {"type": "integer"}}}


def note(n):
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, b"%d %d %s\n" % (n, current_task().attempt, instance.encode()))
    os.close(file)


@worker.tool("Test_Note", version="1.0.0", parameters=NUMBER)
def run(n):
    """Be noted, and take a while."""
    note(n)
    time.sleep(0.05)
    return {"instance": instance}


@worker.tool("Test_Sleep", version="1.0.0", parameters=NUMBER)
def sleep(n):
    """Take n milliseconds."""
    time.sleep(n / 1000)
    return {"instance": instance}


@worker.tool("Test_Hang", version="1.0.0", parameters=NUMBER, timeout_ms=500)
def hang(n):
    """The first time, never end."""
    note(n)
    while current_task().attempt == 0:
        time.sleep(0.05)
    return {"instance": instance}


@worker.tool("Test_Die", version="1.0.0", parameters=NUMBER)
def die(n):
    """End the process, if it is old."""
    note(n)
    if instance.startswith("old"):
        os._exit(9)
    return {"instance": instance}


worker.run()
