"""What a call that was not served raises: one class for each family of statuses."""

from __future__ import annotations

from .status import Executed, Status, may_retry


class FactError(Exception):
    """A call ended with another status than OK.

    Parameters
    ----------
    status : Status
        How it ended.
    code : str, optional
        Stable name of the error, for programs; the status's own if there is none.
    message : str, optional
        For people; never parse it.
    executed : Executed, optional
        Whether the work was done; as the status says if it is not given.
    retry_after_ms : int, optional
        When to come back, milliseconds; 0: not said.
    idempotent : bool, optional
        Whether the call may be done twice; it decides `may_retry`.
    field, hint, error_id : str, optional
        Path of the field at fault; what to change; what finds the line in the server's log.
    local : bool, optional
        No reply came: this client made the status.
    attempts : int, optional
        How often it was sent.

    Attributes
    ----------
    may_retry : bool
        Trying again can help and cannot do a thing twice.
    """

    def __init__(
        self,
        status: Status,
        *,
        code: str = "",
        message: str = "",
        executed: Executed | None = None,
        retry_after_ms: int = 0,
        idempotent: bool = False,
        field: str = "",
        hint: str = "",
        error_id: str = "",
        local: bool = False,
        attempts: int = 1,
        details: dict[str, object] | None = None,
    ) -> None:
        self.status = status
        self.code = code or status.name
        self.message = message or status.text
        self.executed = status.executed if executed is None else executed
        self.retry_after_ms = retry_after_ms
        self.may_retry = may_retry(status, self.executed, retry_after_ms, idempotent)
        self.field, self.hint, self.error_id = field, hint, error_id
        self.local, self.attempts = local, attempts
        self.details = details or {}
        super().__init__(self._text())

    def _text(self) -> str:
        text = (
            self.status.name if self.code == self.status.name else f"{self.status.name} {self.code}"
        )
        text += f": {self.message}"
        for name in ("field", "hint", "error_id"):
            if getattr(self, name):
                text += f" ({name}: {getattr(self, name)})"
        return text


class Cancelled(FactError):
    """CANCELLED: it was withdrawn."""


class BadRequest(FactError):
    """BAD_REQUEST, VERSION, TOO_LARGE: it would fail again."""


class NotAllowed(FactError):
    """UNAUTHENTICATED, FORBIDDEN: who asks may not."""


class NotFound(FactError):
    """NO_ROLE: no such role or method."""


class Busy(FactError):
    """BUSY_FULL, BUSY_SHED, INFEASIBLE, RATE_LIMITED, RETRY_BUDGET: too much is asked just now."""


class Unavailable(FactError):
    """NO_WORKER, CIRCUIT_OPEN, DRAINING: who would serve it is not there."""


class DeadlineExceeded(FactError, TimeoutError):
    """DEADLINE_QUEUED, DEADLINE_RUNNING: too late."""


class Lost(FactError):
    """WORKER_LOST, POISON, DUPLICATE_RUNNING: nobody can say what became of it."""


class ToolFailed(FactError):
    """APP_ERROR: the tool ran and failed; `code` says how."""


class InternalError(FactError):
    """INTERNAL: a fault of the servers, logged under `error_id`."""


FAMILIES: dict[Status, type[FactError]] = {
    Status.CANCELLED: Cancelled,
    Status.BAD_REQUEST: BadRequest,
    Status.VERSION: BadRequest,
    Status.UNAUTHENTICATED: NotAllowed,
    Status.FORBIDDEN: NotAllowed,
    Status.NO_ROLE: NotFound,
    Status.NO_WORKER: Unavailable,
    Status.BUSY_FULL: Busy,
    Status.BUSY_SHED: Busy,
    Status.INFEASIBLE: Busy,
    Status.RATE_LIMITED: Busy,
    Status.CIRCUIT_OPEN: Unavailable,
    Status.DRAINING: Unavailable,
    Status.RETRY_BUDGET: Busy,
    Status.DEADLINE_QUEUED: DeadlineExceeded,
    Status.DEADLINE_RUNNING: DeadlineExceeded,
    Status.WORKER_LOST: Lost,
    Status.POISON: Lost,
    Status.DUPLICATE_RUNNING: Lost,
    Status.TOO_LARGE: BadRequest,
    Status.APP_ERROR: ToolFailed,
    Status.INTERNAL: InternalError,
}
