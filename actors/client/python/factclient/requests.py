"""What may be asked, and what comes back; shared by the client for threads and that for asyncio."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, TypedDict

from . import wire
from .calls import Outcome, Request
from .core import pack
from .errors import InternalError
from .status import Executed, Status

TIMEOUT_S = 5.0
TIMEOUT_S_MAX = 4_000_000  # what the wire has room for; a broker cuts it to less


class How(TypedDict, total=False):
    """What every call may say beside what it asks. All of it may be left out.

    Parameters
    ----------
    timeout : float
        Its deadline, seconds from now; 5 if it is left out. A broker cuts it to 300.
    idempotent : bool
        Doing it twice does no harm: then it may be tried again, by this client and by the broker,
        even where nobody knows whether it was done. Questions are idempotent, tools are not.
    importance : int
        0 critical plus, 1 critical (the usual), 2 sheddable plus, 3 sheddable.
    no_cache, refresh, only_if_cached : bool
        Neither read nor fill the cache; compute anew and fill it; compute nothing.
    options : dict
        ``max_age_ms``, ``ttl_ms``, ``stale_ok``, ``scope``, ``prefix``, ``version``, ``after``.
    tenant, user : str
        On whose behalf; as the client's if they are left out. At most 64 bytes.
    key : int
        Keeps related requests together; 0 to 2^64 - 1.
    idempotency_key : bytes
        16 bytes: a request is known by it again.
    coalesce : bool
        While one of the same idempotency key waits or runs, this one shares its execution; else it is
        refused with DUPLICATE_RUNNING.
    keep : bool
        The broker holds the answer until it has arrived: the call outlives a connection that breaks and
        is back within 3 s. As a rule what is not idempotent is kept; what is, is asked again.
    detached : bool
        It goes on though this client ends; for 30 s after, the same request under the same
        ``idempotency_key``, with ``coalesce``, gets its answer.
    trace : bytes
        W3C trace context: 25 bytes.
    retries : bool
        False: it is sent once, whatever comes.
    on_partial : callable
        ``on_partial(value, number)`` is told each part that comes before the answer, in order, from 0
        in each attempt; the answer is whole without. It must not wait: the client's thread, or the
        event loop, runs it.
    """

    timeout: float
    idempotent: bool
    importance: int
    no_cache: bool
    refresh: bool
    only_if_cached: bool
    options: dict[str, Any]
    tenant: str
    user: str
    key: int
    idempotency_key: bytes
    coalesce: bool
    keep: bool
    detached: bool
    trace: bytes
    retries: bool
    on_partial: Callable[[Any, int], object]


@dataclass(slots=True)
class Answer:
    """What a driver answers.

    Attributes
    ----------
    outcome : str
        ok, partial or no_data.
    value : Any
        The result; of a call the tool's data.
    text : str
        A sentence, where a planner makes one.
    reason : str
        Of no_data: why.
    detail : dict
        Of no_data: what was looked for, and what exists.
    sources : list of dict
        The tool calls it stands on.
    as_of : int
        State of the data, milliseconds of Unix time.
    cache : dict
        ``status`` (hit, stale, miss, waited, bypass, refresh), ``age_ms``, ``key``.
    degraded : list of str
        What was done without.
    timings : dict
        Where the time went in the driver, microseconds.
    reply : Outcome
        Who answered, and how long it took.
    """

    outcome: str
    value: Any = None
    text: str = ""
    reason: str = ""
    detail: dict[str, Any] = field(default_factory=dict)
    sources: list[dict[str, Any]] = field(default_factory=list)
    as_of: int = 0
    cache: dict[str, Any] = field(default_factory=dict)
    degraded: list[str] = field(default_factory=list)
    timings: dict[str, Any] = field(default_factory=dict)
    reply: Outcome = field(default_factory=lambda: Outcome(Status.OK, Executed.YES))


def answer_of(outcome: Outcome) -> Answer:
    """Read an answer, or raise what the call ended with.

    Raises
    ------
    FactError
        It was not served; or (INTERNAL, BAD_ANSWER) its answer cannot be read.
    """
    body = outcome.value()
    if type(body) is not dict or type(body.get("outcome")) is not str:
        raise InternalError(
            Status.INTERNAL, code="BAD_ANSWER", message="the answer is none", executed=Executed.YES,
            idempotent=outcome.idempotent, attempts=outcome.attempts,
        )  # fmt: skip
    kinds = {
        "text": str,
        "reason": str,
        "detail": dict,
        "sources": list,
        "as_of": int,
        "cache": dict,
    }
    kinds.update({"degraded": list, "timings": dict})
    known = {name: body[name] for name, kind in kinds.items() if type(body.get(name)) is kind}
    return Answer(body["outcome"], body.get("value"), reply=outcome, **known)


def value_of(outcome: Outcome) -> Any:
    """The decoded body of a reply."""
    return outcome.value()


def seconds_of(outcome: Outcome) -> float:
    """How long the way there and back took."""
    outcome.value()
    return outcome.total_us / 1e6


@dataclass(slots=True)
class Question:
    """A request, and what is made of its end."""

    request: Request
    read: Callable[[Outcome], Any]
    on_partial: Callable[[Any, int], object] | None = None


def _header(command: int, role: int, method: str, how: How) -> wire.Header:
    flags = wire.IDEMPOTENT * how.get("idempotent", False)
    flags |= wire.NO_CACHE * how.get("no_cache", False) | wire.REFRESH * how.get("refresh", False)
    flags |= wire.ONLY_IF_CACHED * how.get("only_if_cached", False)
    flags |= wire.STREAM * (how.get("on_partial") is not None)
    flags |= wire.COALESCE * how.get("coalesce", False) | wire.DETACHED * how.get("detached", False)
    if command == wire.REQUEST:
        flags |= wire.KEEP * how.get("keep", not flags & wire.IDEMPOTENT)
    header = wire.Header(
        command, flags, role=role, method=method, importance=how.get("importance", 1), key=how.get("key"),
        tenant=how.get("tenant"), idempotency_key=how.get("idempotency_key"), trace=how.get("trace"),
    )  # fmt: skip
    if how.get("user") is not None:
        header.extension = {"user": how["user"]}
    if (
        not method
        or not 0 <= header.importance <= 3
        or len(how.get("user", "").encode()) > wire.NAME_BYTES_MAX
    ):
        raise ValueError("a method is needed, an importance of 0 to 3, a user of at most 64 bytes")
    wire.encode_header(header)  # so that what is wrong is said to the caller, at once
    return header


def _request(header: wire.Header, body: Any, how: How) -> Request:
    unknown = set(how) - set(How.__annotations__)
    if unknown:
        raise TypeError(f"unknown: {', '.join(sorted(unknown))}")
    timeout = how.get("timeout", TIMEOUT_S)
    if not 0 <= timeout <= TIMEOUT_S_MAX:
        raise ValueError(f"timeout: 0 to {TIMEOUT_S_MAX} seconds")
    timeout_us = int(timeout * 1e6)
    return Request(header, pack(body), timeout_us, how.get("retries", True))


def tool_call(tool: str, arguments: dict[str, Any] | None, how: How) -> Question:
    """A tool's run, or its answer from the cache."""
    body = {"arguments": arguments or {}, "options": how.get("options") or {}}
    header = _header(wire.REQUEST, wire.DRIVER, tool, how)
    return Question(_request(header, body, how), answer_of, how.get("on_partial"))


def question(text: str, how: How) -> Question:
    """A question in words; it changes nothing, so it may be asked twice."""
    body = {"question": text, "options": how.get("options") or {}}
    how = {"idempotent": True, **how}
    header = _header(wire.REQUEST, wire.DRIVER, "query", how)
    return Question(_request(header, body, how), answer_of, how.get("on_partial"))


def to_broker(method: str, body: dict[str, Any] | None, how: How) -> Question:
    """What the broker itself answers."""
    header = _header(wire.QUERY, wire.BROKER, method, how)
    return Question(_request(header, body or {}, how), value_of)


def ping(how: How) -> Question:
    """The cheapest thing to ask a broker: of a request that never was."""
    header = _header(wire.QUERY, wire.BROKER, "status", how)
    return Question(_request(header, {"id": 0}, how), seconds_of)
