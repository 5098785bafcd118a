/**
 * Every status of the wire: how far the request came, and who may try again when. The rows are those
 * of protocol/errors.def; a test compares them.
 */

/** @enum {number} whether the work was done */
export const EXECUTED = Object.freeze({ NO: 0, MAYBE: 1, YES: 2 });

// name, executed, retry, text
const rows = [
  ["OK", "YES", "NEVER", "served"],
  ["CANCELLED", "MAYBE", "CALLER", "the requester cancelled it"],
  ["BAD_REQUEST", "NO", "NEVER", "header or body breaks the protocol"],
  ["VERSION", "NO", "NEVER", "this protocol version is not spoken here"],
  ["UNAUTHENTICATED", "NO", "NEVER", "who is asking is not known"],
  ["FORBIDDEN", "NO", "NEVER", "the asker may not do this"],
  ["NO_ROLE", "NO", "NEVER", "no such role or method"],
  ["NO_WORKER", "NO", "AFTER", "no worker of this role is up"],
  ["BUSY_FULL", "NO", "AFTER", "the queue is full"],
  ["BUSY_SHED", "NO", "AFTER", "made room for a more important request"],
  ["INFEASIBLE", "NO", "AFTER", "cannot be served within its deadline"],
  ["RATE_LIMITED", "NO", "AFTER", "over its rate"],
  ["CIRCUIT_OPEN", "NO", "AFTER", "what it depends on is failing"],
  ["DRAINING", "NO", "ELSEWHERE", "this broker is going away"],
  ["RETRY_BUDGET", "NO", "NEVER", "too many of the tenant's requests are retries"],
  ["DEADLINE_QUEUED", "NO", "NEVER", "too late before a worker was free"],
  ["DEADLINE_RUNNING", "MAYBE", "CALLER", "too late while a worker had it"],
  ["WORKER_LOST", "MAYBE", "CALLER", "the worker that had it is gone"],
  ["POISON", "MAYBE", "NEVER", "several workers were lost with it"],
  ["DUPLICATE_RUNNING", "MAYBE", "CALLER", "the same request is running"],
  ["TOO_LARGE", "NO", "NEVER", "over a size limit"],
  ["APP_ERROR", "YES", "CALLER", "the tool failed; the body says how"],
  ["INTERNAL", "MAYBE", "CALLER", "a fault of ours, logged under its error id"],
];

/** The row of each status, by its value. */
export const STATUSES = Object.freeze(
  rows.map(([name, executed, retry, text], value) =>
    Object.freeze({ name, value, executed: EXECUTED[executed], retry, text })));

/** The value of each status, by its name. */
export const STATUS = Object.freeze(Object.fromEntries(STATUSES.map((row) => [row.name, row.value])));
