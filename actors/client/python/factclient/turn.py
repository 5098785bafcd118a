"""One turn of a client's loop: bytes between a core and a transport. Blocks nowhere."""

from __future__ import annotations

from typing import Callable, Protocol

from .core import Connect, Core, Ended, Told
from .transport import Transport, now_at

TURN_MESSAGES_MAX = 64  # taken in before others get their turn


class _Talks(Protocol):
    """What a core and a session have in common."""

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


def turn(
    core: Core, transport: Transport, connect: Callable[[str], None]
) -> tuple[list[Ended | Told], bool]:
    """Take in, do what is due, send.

    Parameters
    ----------
    core : Core
    transport : Transport
    connect : callable
        Connects the transport to another endpoint.

    Returns
    -------
    happened : list of Ended and Told
        Calls that have ended, and parts of answers before that, in order.
    writing : bool
        Something could not leave.
    """
    take_in(core, transport)
    if transport.was_lost():
        core.lost(now_at())
    if transport.refusal:
        core.peer.reason = transport.refusal
    endpoint = transport.connects_again(now_at())
    if endpoint is not None:
        connect(endpoint)
    core.tick(now_at())
    happened: list[Ended | Told] = []
    for event in core.events():
        if isinstance(event, Connect):
            try:
                connect(event.endpoint)
            except ValueError:  # one that was given would have been refused at the start
                connect(core.forget(event.endpoint))
        else:
            happened.append(event)
    return happened, send_out(core, transport)
