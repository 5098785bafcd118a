"""The brokers that a client knows, and which of them it is to use. Pure.

Some were given, the others were named by a broker's WELCOME or GOAWAY. Each client puts them in an
order of its own, by hash, so that clients spread over all brokers and those of one that dies over the
rest. source: Thaler and Ravishankar, Using name-based mappings to increase hit rates, 1998
(rendezvous); the same rules as ``actors/client/routes.h``
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any

from . import wire
from .status import Status

BROKERS_MAX = 16
ENDPOINT_BYTES_MAX = 256
IPC_PATH_BYTES_MAX = 107  # source: unix(7)
FADES_US = 1_000_000  # what a reply has told is forgotten after so long
MARGIN_US = 1000  # waits that differ by less are the same
WEIGHT = 8  # a new wait counts an eighth
LONG_AGO = -(2**63)
_TCP = re.compile(r"tcp://[A-Za-z0-9.\-:%;\[\]_]+:([0-9]{1,6})")
_OTHER = re.compile(r"(?:ipc|inproc)://[!-~]+")


def is_endpoint(text: Any) -> bool:
    """Whether somebody can be connected to by this text, from outside perhaps. A name is not looked up."""
    if type(text) is not str or len(text) > ENDPOINT_BYTES_MAX:
        return False
    tcp = _TCP.fullmatch(text)
    if tcp is not None:
        return 0 < int(tcp.group(1)) < 65536
    long = text.startswith("ipc://") and len(text) > len("ipc://") + IPC_PATH_BYTES_MAX
    return _OTHER.fullmatch(text) is not None and not long


@dataclass(slots=True)
class Route:
    """One broker.

    Attributes
    ----------
    endpoint : str
    order : int
        The highest is the first choice.
    name : str
        What the broker itself calls its endpoint; empty: not known yet.
    instance : str
        Of the broker greeted last.
    generation : int
        Of its process; 0: not greeted yet.
    held, refused, same : bool
        There is a line to it; it wants none of us; it is the broker of another route.
    leaves_until_at : int
        It has said that it goes: not used before this time.
    tried_at : int
        When it was given up last.
    learned_at, admit_level, queue_us : int
        When the latter two were heard; the least important class it admits; its wait, smoothed.
    """

    endpoint: str
    order: int
    name: str = ""
    instance: str = ""
    generation: int = 0
    held: bool = False
    refused: bool = False
    same: bool = False
    leaves_until_at: int = LONG_AGO
    tried_at: int = LONG_AGO
    learned_at: int = LONG_AGO
    admit_level: int = 3
    queue_us: int = 0

    @property
    def usable(self) -> bool:
        """It may be of use."""
        return not self.refused and not self.same

    def wait_us(self, now_at: int) -> int:
        """What is left of what was learned: all at first, nothing after FADES_US."""
        left_us = FADES_US - (now_at - self.learned_at)
        return self.queue_us * left_us // FADES_US if left_us > 0 else 0

    def admits(self, importance: int, now_at: int) -> bool:
        """As far as replies tell."""
        return importance <= self.admit_level or now_at - self.learned_at >= FADES_US

    def learn(self, reply: wire.Header, now_at: int) -> None:
        """A reply came from there."""
        before_us = self.wait_us(now_at)
        self.queue_us = before_us + (reply.queue_us - before_us + WEIGHT - 1) // WEIGHT
        self.admit_level, self.learned_at = reply.admit_level, now_at
        if reply.status == Status.DRAINING and self.leaves_until_at < now_at:
            self.leaves_until_at = now_at + FADES_US

    def precedes(self, other: Route, importance: int, now_at: int) -> bool:
        """Whether a request goes rather here: where the other leaves, or refuses its class, or lets wait
        twice as long; else by the order."""
        leaves, other_leaves = now_at < self.leaves_until_at, now_at < other.leaves_until_at
        if leaves != other_leaves:
            return other_leaves
        admits, other_admits = self.admits(importance, now_at), other.admits(importance, now_at)
        if admits != other_admits:
            return admits
        ours_us, theirs_us = self.wait_us(now_at), other.wait_us(now_at)
        if ours_us > 2 * theirs_us + MARGIN_US or theirs_us > 2 * ours_us + MARGIN_US:
            return ours_us < theirs_us
        return self.order > other.order


class Routes:
    """All of them, at most BROKERS_MAX.

    Parameters
    ----------
    endpoints : list of str
        Those that were given.
    seed : int
        Of the client, 64 bits, at random.
    """

    def __init__(self, endpoints: list[str], seed: int) -> None:
        self._key = seed.to_bytes(8, "big")
        self.all: list[Route] = []
        for endpoint in endpoints:
            self._append(endpoint)

    def add(self, endpoint: Any) -> None:
        """One that a broker has named; known ones and what does not fit are passed over."""
        known = any(endpoint in (route.endpoint, route.name) for route in self.all)
        if is_endpoint(endpoint) and not known and len(self.all) < BROKERS_MAX:
            self._append(endpoint)

    def next(self) -> Route | None:
        """The one to take up next: the first in order of those tried longest ago. None: all are held or
        of no use."""
        free = [route for route in self.all if route.usable and not route.held]
        return min(free, key=lambda route: (route.tried_at, -route.order), default=None)

    @property
    def usable(self) -> int:
        """How many may be of use."""
        return sum(route.usable for route in self.all)

    def _append(self, endpoint: str) -> None:
        hash = hashlib.blake2b(endpoint.encode(), digest_size=8, key=self._key)
        self.all.append(Route(endpoint, int.from_bytes(hash.digest(), "big")))
