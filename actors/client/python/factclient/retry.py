"""When a call that was not served is tried again. Pure.

At most three attempts; only what the table of statuses allows; spread by chance, so that many who
were refused together do not come back together; and within a budget, so that those who come back
do not make an overload worse.
"""

from __future__ import annotations

from random import Random

from .status import Executed, Retry, Status, may_retry

TRIES_MAX = 3
BACKOFF_US = 50_000  # chance between 0 and this; twice as much each time
BUDGET_PART = 10  # one attempt for so many requests ...
BUDGET_PER_S = 10  # ... and so many a second
BUDGET_MAX = 100  # what quiet times may save up
_ONE = 1_000_000  # an attempt, so that a microsecond earns a whole number


class Budget:
    """How many calls may be tried again: a tenth of the requests, and 10 a second."""

    def __init__(self, now_at: int) -> None:
        self._saved, self._at = BUDGET_PER_S * _ONE, now_at

    def earn(self) -> None:
        """A request was made."""
        self._saved = min(self._saved + _ONE // BUDGET_PART, BUDGET_MAX * _ONE)

    def spend(self, now_at: int) -> bool:
        """Try one again; False: not now."""
        self._saved = min(self._saved + BUDGET_PER_S * (now_at - self._at), BUDGET_MAX * _ONE)
        self._at = now_at
        if self._saved < _ONE:
            return False
        self._saved -= _ONE
        return True


def wait_us(
    status: Status,
    executed: Executed,
    retry_after_ms: int,
    idempotent: bool,
    attempts: int,
    chance: Random,
) -> int | None:
    """How long to wait before the next attempt.

    Parameters
    ----------
    status, executed, retry_after_ms
        As the reply says.
    idempotent : bool
        Doing it twice does no harm.
    attempts : int
        Made so far, at least 1.
    chance : Random

    Returns
    -------
    int or None
        Microseconds; None: it is not tried again. What the caller withdrew and what the tool itself
        says is his to decide, whatever the table allows.
    """
    if attempts >= TRIES_MAX or status in (Status.CANCELLED, Status.APP_ERROR):
        return None
    if not may_retry(status, executed, retry_after_ms, idempotent):
        return None
    if status.retry is Retry.ELSEWHERE:
        return 0
    backoff_us = int(chance.uniform(0, BACKOFF_US * 2 ** (attempts - 1)))
    return backoff_us + (retry_after_ms * 1000 if status.retry is Retry.AFTER else 0)
