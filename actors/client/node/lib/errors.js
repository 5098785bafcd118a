/** What a call that was not served rejects with: one class for each family of statuses. */
import { mayRetry } from "./retry.js";
import { STATUS, STATUSES } from "./statuses.js";

export class FactError extends Error {
  /**
   * @param {number} status how it ended
   * @param {object} [what] code, message, executed, retryAfterMs, idempotent, field, hint, errorId,
   *   local, attempts
   */
  constructor(status, what = {}) {
    const row = STATUSES[status];
    const code = what.code || row.name;
    const said = what.message || row.text;
    super(`${code === row.name ? code : `${row.name} ${code}`}: ${said}${more(what)}`);
    this.name = new.target.name;
    this.status = status;
    this.statusName = row.name;
    this.code = code;
    this.said = said;
    this.executed = what.executed ?? row.executed;
    this.retryAfterMs = what.retryAfterMs ?? 0;
    this.field = what.field ?? "";
    this.hint = what.hint ?? "";
    this.errorId = what.errorId ?? "";
    this.details = isMap(what.details) ? what.details : {};
    this.local = what.local ?? false;
    this.attempts = what.attempts ?? 1;
    this.mayRetry = mayRetry(status, this.executed, this.retryAfterMs, what.idempotent ?? false);
  }
}

function isMap(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function more(what) {
  const parts = [["field", what.field], ["hint", what.hint], ["error id", what.errorId]]
    .filter(([, text]) => text).map(([name, text]) => ` (${name}: ${text})`);
  return parts.join("");
}

/** CANCELLED: it was withdrawn. */
export class Cancelled extends FactError {}
/** BAD_REQUEST, VERSION, TOO_LARGE: it would fail again. */
export class BadRequest extends FactError {}
/** UNAUTHENTICATED, FORBIDDEN: who asks may not. */
export class NotAllowed extends FactError {}
/** NO_ROLE: no such role or method. */
export class NotFound extends FactError {}
/** BUSY_FULL, BUSY_SHED, INFEASIBLE, RATE_LIMITED, RETRY_BUDGET: too much is asked just now. */
export class Busy extends FactError {}
/** NO_WORKER, CIRCUIT_OPEN, DRAINING: who would serve it is not there. */
export class Unavailable extends FactError {}
/** DEADLINE_QUEUED, DEADLINE_RUNNING: too late. */
export class DeadlineExceeded extends FactError {}
/** WORKER_LOST, POISON, DUPLICATE_RUNNING: nobody can say what became of it. */
export class Lost extends FactError {}
/** APP_ERROR: the tool ran and failed; code says how. */
export class ToolFailed extends FactError {}
/** INTERNAL: a fault of the servers, logged under errorId. */
export class InternalError extends FactError {}

const families = new Map([
  [Cancelled, [STATUS.CANCELLED]],
  [BadRequest, [STATUS.BAD_REQUEST, STATUS.VERSION, STATUS.TOO_LARGE]],
  [NotAllowed, [STATUS.UNAUTHENTICATED, STATUS.FORBIDDEN]],
  [NotFound, [STATUS.NO_ROLE]],
  [Busy, [STATUS.BUSY_FULL, STATUS.BUSY_SHED, STATUS.INFEASIBLE, STATUS.RATE_LIMITED, STATUS.RETRY_BUDGET]],
  [Unavailable, [STATUS.NO_WORKER, STATUS.CIRCUIT_OPEN, STATUS.DRAINING]],
  [DeadlineExceeded, [STATUS.DEADLINE_QUEUED, STATUS.DEADLINE_RUNNING]],
  [Lost, [STATUS.WORKER_LOST, STATUS.POISON, STATUS.DUPLICATE_RUNNING]],
  [ToolFailed, [STATUS.APP_ERROR]],
  [InternalError, [STATUS.INTERNAL]],
]);
const classOf = new Map([...families].flatMap(([family, list]) => list.map((status) => [status, family])));

/** The error of a status, in its family. @returns {FactError} */
export function errorOf(status, what) {
  return new (classOf.get(status))(status, what);
}
