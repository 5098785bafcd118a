"""One DEALER to one endpoint, and a monitor that notices the end of its connection.

Never looks into a message. Belongs to one thread.
"""

from __future__ import annotations

import random
import time
from typing import Any

import zmq
from zmq.utils.monitor import recv_monitor_message

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


def now_at() -> int:
    """Monotonic microseconds."""
    return time.monotonic_ns() // 1000


class Transport:
    """See the module."""

    def __init__(self) -> None:
        self._context: zmq.Context[Any] = zmq.Context()
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
        self.socket = socket
        self.monitor = socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
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
        """For good; what was sent has a tenth of a second to leave."""
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
            recv_monitor_message(self.monitor)
            lost = True  # it is the only event asked for
        return lost

    def is_ready(self, writing: bool) -> bool:
        """Whether there is anything to do now: ZeroMQ's descriptors tell of changes only."""
        assert self.socket is not None and self.monitor is not None
        events = zmq.POLLIN | (zmq.POLLOUT if writing else 0)
        return _has(self.socket, events) or _has(self.monitor, zmq.POLLIN)


def _has(socket: zmq.Socket[Any], events: int) -> bool:
    return bool(int(socket.get(zmq.EVENTS)) & events)
