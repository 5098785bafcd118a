"""Every status of the wire, once: how far the request came, and who may try again and when.

The rows are those of ``protocol/errors.def``; a test compares them.
"""

from __future__ import annotations

from enum import Enum, IntEnum


class Executed(IntEnum):
    """Whether the work was done."""

    NO = 0
    MAYBE = 1
    YES = 2


class Retry(Enum):
    """Who may try again, and when."""

    NEVER = "never"
    AFTER = "after"  # retry_after_ms; 0: never
    ELSEWHERE = "elsewhere"  # at another broker, now
    CALLER = "caller"  # safe if executed is NO or the request is idempotent


class Status(IntEnum):
    """How a request ended: a number of the wire, and what follows from it.

    Attributes
    ----------
    executed : Executed
        As a rule; what a reply says of itself counts.
    retry : Retry
        Who may try again.
    text : str
        What it means, for people.
    """

    executed: Executed
    retry: Retry
    text: str

    def __new__(cls, value: int, executed: Executed, retry: Retry, text: str) -> Status:
        """Keep what follows from the number beside it."""
        self = int.__new__(cls, value)
        self._value_ = value
        self.executed, self.retry, self.text = executed, retry, text
        return self

    OK = 0, Executed.YES, Retry.NEVER, "served"
    CANCELLED = 1, Executed.MAYBE, Retry.CALLER, "the requester cancelled it"
    BAD_REQUEST = 2, Executed.NO, Retry.NEVER, "header or body breaks the protocol"
    VERSION = 3, Executed.NO, Retry.NEVER, "this protocol version is not spoken here"
    UNAUTHENTICATED = 4, Executed.NO, Retry.NEVER, "who is asking is not known"
    FORBIDDEN = 5, Executed.NO, Retry.NEVER, "the asker may not do this"
    NO_ROLE = 6, Executed.NO, Retry.NEVER, "no such role or method"
    NO_WORKER = 7, Executed.NO, Retry.AFTER, "no worker of this role is up"
    BUSY_FULL = 8, Executed.NO, Retry.AFTER, "the queue is full"
    BUSY_SHED = 9, Executed.NO, Retry.AFTER, "made room for a more important request"
    INFEASIBLE = 10, Executed.NO, Retry.AFTER, "cannot be served within its deadline"
    RATE_LIMITED = 11, Executed.NO, Retry.AFTER, "over its rate"
    CIRCUIT_OPEN = 12, Executed.NO, Retry.AFTER, "what it depends on is failing"
    DRAINING = 13, Executed.NO, Retry.ELSEWHERE, "this broker is going away"
    RETRY_BUDGET = 14, Executed.NO, Retry.NEVER, "too many of the tenant's requests are retries"
    DEADLINE_QUEUED = 15, Executed.NO, Retry.NEVER, "too late before a worker was free"
    DEADLINE_RUNNING = 16, Executed.MAYBE, Retry.CALLER, "too late while a worker had it"
    WORKER_LOST = 17, Executed.MAYBE, Retry.CALLER, "the worker that had it is gone"
    POISON = 18, Executed.MAYBE, Retry.NEVER, "several workers were lost with it"
    DUPLICATE_RUNNING = 19, Executed.MAYBE, Retry.CALLER, "the same request is running"
    TOO_LARGE = 20, Executed.NO, Retry.NEVER, "over a size limit"
    APP_ERROR = 21, Executed.YES, Retry.CALLER, "the tool failed; the body says how"
    INTERNAL = 22, Executed.MAYBE, Retry.CALLER, "a fault of ours, logged under its error id"


STATUSES = tuple(Status)  # by value


def may_retry(status: Status, executed: Executed, retry_after_ms: int, idempotent: bool) -> bool:
    """Whether trying again can help and cannot do a thing twice.

    Parameters
    ----------
    status : Status
    executed : Executed
        As the reply says.
    retry_after_ms : int
        As the reply says, milliseconds; 0: not said.
    idempotent : bool
        Whether doing it twice does no harm.

    Returns
    -------
    bool
    """
    if status.retry is Retry.AFTER:
        return retry_after_ms > 0
    if status.retry is Retry.ELSEWHERE:
        return True
    return status.retry is Retry.CALLER and (executed == Executed.NO or idempotent)
