"""One DEALER to one endpoint, and a monitor that notices the end of its connection.

Never looks into a message. Belongs to one thread.
"""

from __future__ import annotations

import random
import time
from typing import Any

import zmq
from zmq.utils.monitor import recv_monitor_message

from .keys import Keys
from .session import NEVER
from .wire import FRAME_BYTES_MAX

# source: docs/protocol.md, "libzmq, set and avoided"'s
_OPTIONS = {
    zmq.IMMEDIATE: 1,  # else what is sent waits for an endpoint that is not there
    zmq.SNDHWM: 128, zmq.RCVHWM: 128, zmq.LINGER: 100, zmq.HEARTBEAT_IVL: 2000, zmq.HEARTBEAT_TTL: 6000,
    zmq.HEARTBEAT_TIMEOUT: 6000, zmq.HANDSHAKE_IVL: 5000, zmq.IPV6: 1, zmq.TCP_KEEPALIVE: 1,
    zmq.TCP_KEEPALIVE_IDLE: 30, zmq.TCP_KEEPALIVE_CNT: 3, zmq.TCP_KEEPALIVE_INTVL: 5,
    zmq.TCP_MAXRT: 10000, zmq.RECONNECT_IVL_MAX: 5000, zmq.MAXMSGSIZE: FRAME_BYTES_MAX,
}  # fmt: skip
RECONNECT_MS_MIN = 100  # and up to 200 more, so that not all come back at once
HANDSHAKE_AGAIN_US = 1_000_000  # after one that failed libzmq may not try again
_FAILURES = (
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL,
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL,
    zmq.EVENT_HANDSHAKE_FAILED_AUTH,
)
_EVENTS = zmq.EVENT_DISCONNECTED | zmq.EVENT_HANDSHAKE_SUCCEEDED
for _failure in _FAILURES:
    _EVENTS |= _failure


def now_at() -> int:
    """Monotonic microseconds."""
    return time.monotonic_ns() // 1000


class Transport:
    """See the module.

    Parameters
    ----------
    keys : Keys or None
        To speak CURVE with; None: connections are plain.
    context : zmq.Context, optional
        Shared with others, whose owner ends it; else it has its own.

    Attributes
    ----------
    refusal : str
        Why the last handshake has failed, for people; empty: none has since a connection was there.
    again_at : int
        When to connect anew, since a handshake has failed.
    """

    def __init__(self, keys: Keys | None = None, context: zmq.Context[Any] | None = None) -> None:
        if keys is not None and not zmq.has("curve"):
            raise ValueError("this pyzmq has no CURVE: install one with libsodium")
        self._context: zmq.Context[Any] = context or zmq.Context()
        self._keys, self._server = keys, 0  # of the servers' keys, the one that is tried now
        self._endpoint = ""
        self.refusal, self.again_at = "", NEVER
        self._reconnect_ms = RECONNECT_MS_MIN + random.randrange(200)
        self.socket: zmq.Socket[Any] | None = None
        self.monitor: zmq.Socket[Any] | None = None

    def connect(self, endpoint: str) -> None:
        """Connect to this endpoint, and to no other any more.

        Raises
        ------
        ValueError
            It is no endpoint.
        """
        self.disconnect()
        socket = self._context.socket(zmq.DEALER)
        for option, value in _OPTIONS.items():
            socket.setsockopt(option, value)
        socket.setsockopt(zmq.RECONNECT_IVL, self._reconnect_ms)
        if self._keys is not None:
            socket.curve_serverkey = self._keys.servers[self._server]
            socket.curve_publickey, socket.curve_secretkey = self._keys.public, self._keys.secret
        self.socket, self._endpoint, self.again_at = socket, endpoint, NEVER
        self.monitor = socket.get_monitor_socket(_EVENTS)
        try:
            socket.connect(endpoint)
        except zmq.ZMQError as error:
            self.disconnect()
            raise ValueError(f"{endpoint!r} is no endpoint: {error}") from None

    def disconnect(self) -> None:
        """Leave where it is connected."""
        if self.socket is not None:
            self.socket.disable_monitor()
            self.socket.close()
        if self.monitor is not None:
            self.monitor.close(0)
        self.socket = self.monitor = None

    def close(self) -> None:
        """For good, with its own context; what was sent has a tenth of a second to leave."""
        self.disconnect()
        self._context.term()

    def send(self, message: bytes) -> bool:
        """False: there is no connection, or it takes no more now."""
        assert self.socket is not None
        try:
            self.socket.send(message, zmq.DONTWAIT)
        except zmq.Again:
            return False
        return True

    def receive(self) -> bytes | None:
        """The next message; None: none now. Frames behind the first are no part of the protocol."""
        assert self.socket is not None
        try:
            frame: bytes = self.socket.recv(zmq.DONTWAIT)
        except zmq.Again:
            return None
        while self.socket.getsockopt(zmq.RCVMORE):
            self.socket.recv()
        return frame

    def was_lost(self) -> bool:
        """True once after each connection that has ended."""
        lost = False
        assert self.monitor is not None
        while _has(self.monitor, zmq.POLLIN):
            event = int(recv_monitor_message(self.monitor)["event"])
            if event == zmq.EVENT_DISCONNECTED:
                lost = True
            else:
                self._on_handshake(event)
        return lost

    def connects_again(self, now_at: int) -> str | None:
        """Where to connect anew, since a handshake has failed; with the next key that the server may
        have. None: not now."""
        if now_at < self.again_at:
            return None
        if self._keys is not None:
            self._server = (self._server + 1) % len(self._keys.servers)
        return self._endpoint

    def _on_handshake(self, event: int) -> None:
        if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self.refusal, self.again_at = "", NEVER
            return
        if event != zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL or self._keys is not None:
            self.again_at = now_at() + HANDSHAKE_AGAIN_US  # else libzmq does it
        if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            self.refusal = "the broker does not allow our key: its allow list must name it"
        elif self._keys is None:
            self.refusal = "the broker may want a key of us: give key_file and server_key_file"
        else:
            self.refusal = "the broker has another key, or none: see server_key_file"

    def is_ready(self, writing: bool) -> bool:
        """Whether there is anything to do now: ZeroMQ's descriptors tell of changes only."""
        assert self.socket is not None and self.monitor is not None
        events = zmq.POLLIN | (zmq.POLLOUT if writing else 0)
        return _has(self.socket, events) or _has(self.monitor, zmq.POLLIN)


def _has(socket: zmq.Socket[Any], events: int) -> bool:
    return bool(int(socket.get(zmq.EVENTS)) & events)
