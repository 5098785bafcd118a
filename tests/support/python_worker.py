"""Tools that tests need, in a worker of factclient: `python_worker.py BACKEND INSTANCE CONCURRENCY`."""

import logging
import os
import sys
import threading
import time

from factclient.worker import Result, ToolError, Worker, current_task

logging.basicConfig(stream=sys.stderr)
backend, instance, concurrency = sys.argv[1:]
worker = Worker(backend, instance=instance, concurrency=int(concurrency), drain=20)
lock = threading.Lock()
now = most = 0
NUMBER = {"type": "object", "properties": {"n": {"type": "integer", "default": 0}}}


def say(*words):
    print(*words, flush=True)


@worker.tool(
    "Test_Wait",
    version="1.0.0",
    parameters={
        "type": "object",
        "properties": {
            "seconds": {"type": "number"},
            "heeds": {"type": "boolean", "default": True},
        },
    },
)
def wait(seconds, heeds):
    """Wait so long, or until nobody waits any more."""
    global now, most
    with lock:
        now += 1
        most = max(most, now)
    say("begun", instance)
    end = time.monotonic() + seconds
    while time.monotonic() < end and not (heeds and current_task().cancelled.wait(0.01)):
        time.sleep(0.01)
    with lock:
        now -= 1
    say("cancelled" if current_task().cancelled.is_set() else "waited")
    return {"most": most, "instance": instance}


@worker.tool("Test_Raise", version="1.0.0", parameters=NUMBER)
def fail(n):
    """Raise something that says too much."""
    raise ValueError("the password is swordfish %d" % n)


@worker.tool("Test_Refuse", version="1.0.0", parameters=NUMBER)
def refuse(n):
    """Raise a failure of its own."""
    raise ToolError("OUT_OF_STOCK", "no %d left" % n, field="n", hint="ask for less")


@worker.tool("Test_Die", version="1.0.0", idempotent=True, parameters=NUMBER)
def die(n):
    """End the process, but for the last of them."""
    if instance != "last":
        os._exit(9)
    return {"instance": instance, "n": n}


@worker.tool("Test_DieOnce", version="1.0.0", parameters=NUMBER)
def die_once(n):
    """End the process; it is not idempotent."""
    os._exit(9)


@worker.tool("Test_Whose", version="1.0.0", cacheable=True, scope="user", parameters=NUMBER)
def whose(n):
    """On whose behalf it runs."""
    task = current_task()
    return Result(
        {"tenant": task.tenant, "user": task.user}, as_of=1700000000000, deps=["t:shop.orders"]
    )


@worker.tool("Test_Large", version="1.0.0", parameters=NUMBER)
def large(n):
    """As many bytes."""
    return {"text": "x" * n}


@worker.tool("Test_Odd", version="1.0.0", parameters=NUMBER)
def odd(n):
    """What MessagePack has no word for."""
    return {"value": object()}


worker.run()
say("ended")
