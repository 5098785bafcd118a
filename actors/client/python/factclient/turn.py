"""One turn of a client's loop: bytes between a core and its transports. Blocks nowhere."""

from __future__ import annotations

from typing import Any, Callable, Protocol

import zmq

from .calls import Ended, Told
from .core import Core
from .keys import Keys
from .lines import Connect
from .session import NEVER
from .transport import Transport, now_at

TURN_MESSAGES_MAX = 64  # taken in before others get their turn


class _Talks(Protocol):
    """A session, or what stands on one."""

    def take(self, message: bytes, now_at: int) -> None: ...

    def outgoing(self, now_at: int) -> bytes | None: ...

    def sent(self) -> None: ...


def take_in(talks: _Talks, transport: Transport) -> None:
    """Take in what has come."""
    for _ in range(TURN_MESSAGES_MAX):
        message = transport.receive()
        if message is None:
            break
        talks.take(message, now_at())


def send_out(talks: _Talks, transport: Transport) -> bool:
    """Send what is ready.

    Returns
    -------
    bool
        Something could not leave: wait until the socket takes more.
    """
    while (message := talks.outgoing(now_at())) is not None:
        if not transport.send(message):
            return True
        talks.sent()
    return False


class Wires:
    """The transports of a core's lines.

    Parameters
    ----------
    core : Core
    keys : Keys or None
    on_open, on_close : callable, optional
        Told of a transport after it has connected, and before it leaves where it was.

    Attributes
    ----------
    writing : set of Transport
        Those in which something could not leave.
    """

    def __init__(
        self,
        core: Core,
        keys: Keys | None,
        on_open: Callable[[Transport], None] = lambda _: None,
        on_close: Callable[[Transport], None] = lambda _: None,
    ) -> None:
        self._core, self._keys, self._on_open, self._on_close = core, keys, on_open, on_close
        self._context: zmq.Context[Any] = zmq.Context()
        self._transports: dict[int, Transport] = {}
        self.writing: set[Transport] = set()
        self._change()

    def all(self) -> list[Transport]:
        """Those that are connected, or are to be."""
        return list(self._transports.values())

    def due_at(self) -> int:
        """When `turn` is wanted, though nothing comes."""
        return min((transport.again_at for transport in self.all()), default=NEVER)

    def turn(self) -> list[Ended | Told]:
        """Take in, do what is due, send.

        Returns
        -------
        list of Ended and Told
            Calls that have ended, and parts of answers before that, in order.
        """
        core = self._core
        for line in core.lines.all():
            transport = self._transports.get(line.number)
            if transport is None:
                continue
            take_in(line.session, transport)
            if transport.was_lost():
                core.lost(now_at(), line.number)
            if transport.refusal:
                core.lines.reason = transport.refusal
        core.tick(now_at())
        self._change()
        self.writing = set()
        for line in core.lines.all():
            transport = self._transports.get(line.number)
            if transport is None:  # where it is to go is no endpoint
                while line.session.outgoing(now_at()) is not None:
                    line.session.sent()
            elif send_out(line.session, transport):
                self.writing.add(transport)
        return core.events()

    def disconnect(self) -> None:
        """All of them; what was sent has a tenth of a second to leave."""
        for transport in self.all():
            self._on_close(transport)
            transport.disconnect()
        self._transports = {}

    def close(self) -> None:
        """For good; waits until what was sent has left."""
        self.disconnect()
        self._context.term()

    # Its own

    def _change(self) -> None:
        """What the core wants, and where a handshake has failed a new one."""
        for number, transport in list(self._transports.items()):
            endpoint = transport.connects_again(now_at())
            if endpoint is not None:
                self._connect(number, endpoint)
        for change in self._core.changes():
            if isinstance(change, Connect):
                self._connect(change.line, change.endpoint)
            elif change.line in self._transports:
                transport = self._transports.pop(change.line)
                self._on_close(transport)
                for message in change.farewell:
                    transport.send(message)
                transport.disconnect()

    def _connect(self, number: int, endpoint: str) -> None:
        transport = self._transports.pop(number, None)
        if transport is None:
            transport = Transport(self._keys, self._context)
        else:
            self._on_close(transport)
        try:
            transport.connect(endpoint)
        except ValueError:  # what a broker has named may be none
            self._core.lines.no_endpoint(number)
            return
        self._transports[number] = transport
        self._on_open(transport)
