"""The Python clients behind the protocol of tests/system/52_behaviours: `adapter_python.py threads`,
or `asyncio`."""

import asyncio
import base64
import json
import sys
import threading

import msgpack

import factclient
import factclient.aio
from factclient import Executed, FactError, Status

FIELDS = ("idempotent", "importance", "no_cache", "only_if_cached", "tenant", "user", "retries")
_lock = threading.Lock()


def say(**line):
    with _lock:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def value_of(value):
    if isinstance(value, factclient.Answer):
        value = {
            name: getattr(value, name) for name in ("outcome", "value", "text", "reason", "cache")
        }
    return base64.b64encode(msgpack.packb(value)).decode("ascii")


def tell(id, value=None, error=None):
    """The end of a call."""
    if isinstance(error, asyncio.CancelledError):  # how asyncio says it
        error = factclient.Cancelled(Status.CANCELLED, local=True)
    if error is None:
        attempts = value.reply.attempts if isinstance(value, factclient.Answer) else 1
        say(
            id=id,
            status="OK",
            executed="yes",
            local=False,
            attempts=attempts,
            value=value_of(value),
        )
    elif isinstance(error, FactError):
        say(
            id=id,
            status=error.status.name,
            executed=Executed(error.executed).name.lower(),
            code=error.code,
            message=error.message,
            field=error.field,
            local=error.local,
            retry_after_ms=error.retry_after_ms,
            may_retry=error.may_retry,
            attempts=error.attempts,
        )
    else:
        say(id=id, status="RAISED", message=repr(error))


def how(line):
    """The keywords of a call."""
    keywords = {name: line[name] for name in FIELDS if name in line}
    if line.get("stream"):
        keywords["on_partial"] = lambda value, number: say(
            id=line["id"], part=value_of(value), number=number
        )
    return dict(keywords, timeout=line["timeout_ms"] / 1000)


def body_of(line):
    return msgpack.unpackb(base64.b64decode(line["body"]), strict_map_key=False)


def state_of(client):
    peer = client.peer
    return {"state": peer.state, "connections": peer.connections, "reason": peer.reason}


def options_of(line):
    """What a client is made with, beside endpoints."""
    names = ("retries", "key_file", "server_key_file")
    return {name: line[name] for name in names if name in line}


class Threads:
    """Acts on factclient.Client."""

    client = None
    calls = {}

    def open(self, line):
        self.close(line)
        self.client = None
        try:
            self.client = factclient.Client(line["endpoints"], **options_of(line))
        except ValueError as error:
            say(opened=False, reason=str(error))
            return
        say(opened=True)

    def done(self, id, call):
        self.calls.pop(id, None)
        error = call.exception()
        tell(id, None if error else call.result(), error)

    def begin(self, line):
        client, id, kind = self.client, line["id"], line["kind"]
        if kind == "broker":
            threading.Thread(
                target=self.wait,
                args=(
                    id,
                    lambda: client.ask_broker(
                        line["method"], body_of(line), timeout=line["timeout_ms"] / 1000
                    ),
                ),
            ).start()
        elif kind == "ping":
            threading.Thread(
                target=self.wait, args=(id, lambda: client.ping(timeout=line["timeout_ms"] / 1000))
            ).start()
        else:
            call = (
                client.submit_query(body_of(line), **how(line))
                if kind == "query"
                else client.submit(line["method"], body_of(line), **how(line))
            )
            self.calls[id] = call
            call.add_done_callback(lambda call: self.done(id, call))

    def wait(self, id, ask):
        try:
            tell(id, ask())
        except FactError as error:
            tell(id, error=error)

    def submit(self, line):
        with self.client.together():
            for call in line["calls"]:
                self.begin(call)

    def cancel(self, line):
        call = self.calls.get(line["id"])
        say(cancelled=call is not None and call.cancel())

    def state(self, line):
        say(**state_of(self.client))

    def close(self, line):
        if self.client is not None:
            self.client.close()

    def run(self):
        for text in sys.stdin:
            line = json.loads(text)
            act = getattr(self, line["do"], None)
            if act is None:
                say(unknown=line["do"])
            else:
                act(line)
            if line["do"] == "close":
                break


class Loop:
    """Acts on factclient.aio.Client."""

    client = None

    def __init__(self):
        self.calls = {}

    async def open(self, line):
        await self.close(line)
        self.client = None
        try:
            self.client = factclient.aio.Client(line["endpoints"], **options_of(line))
        except ValueError as error:
            say(opened=False, reason=str(error))
            return
        say(opened=True)

    def ask(self, line):
        client, kind = self.client, line["kind"]
        if kind == "broker":
            return client.ask_broker(
                line["method"], body_of(line), timeout=line["timeout_ms"] / 1000
            )
        if kind == "ping":
            return client.ping(timeout=line["timeout_ms"] / 1000)
        if kind == "query":
            return client.query(body_of(line), **how(line))
        return client.call(line["method"], body_of(line), **how(line))

    async def wait(self, line):
        try:
            tell(line["id"], await self.ask(line))
        except (FactError, asyncio.CancelledError) as error:
            tell(line["id"], error=error)
        finally:
            self.calls.pop(line["id"], None)

    async def submit(self, line):
        for call in line["calls"]:
            self.calls[call["id"]] = asyncio.create_task(self.wait(call))

    async def cancel(self, line):
        task = self.calls.get(line["id"])
        say(cancelled=task is not None and task.cancel())

    async def state(self, line):
        say(**state_of(self.client))

    async def close(self, line):
        if self.client is not None:
            await self.client.close()

    async def run(self):
        loop = asyncio.get_running_loop()
        lines = asyncio.StreamReader(limit=64 * 1024 * 1024)
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        while text := await lines.readline():
            line = json.loads(text)
            act = getattr(self, line["do"], None)
            if act is None:
                say(unknown=line["do"])
            else:
                await act(line)
            if line["do"] == "close":
                break


if sys.argv[1:] == ["asyncio"]:
    asyncio.run(Loop().run())
else:
    Threads().run()
