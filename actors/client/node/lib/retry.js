/**
 * When a call that was not served is tried again. Pure. At most three attempts; only what the table of
 * statuses allows; spread by chance, so that many who were refused together do not come back together;
 * and within a budget, so that those who come back do not make an overload worse.
 */
import { EXECUTED, STATUS, STATUSES } from "./statuses.js";

export const ATTEMPTS_MAX = 3;
const BACKOFF_MS = 50; // chance between 0 and this; twice as much each time
const BUDGET_PART = 0.1; // of the requests
const BUDGET_PER_S = 10; // and so many
const BUDGET_MAX = 100; // what quiet times may save up

// The work may have been done, and doing it again cannot help, whoever asks.
const NEVER_AGAIN = new Set([STATUS.DUPLICATE_RUNNING]);

/** Trying again can help, and cannot do a thing twice. */
export function mayRetry(status, executed, retryAfterMs, idempotent) {
  const { retry } = STATUSES[status];
  if (retry === "NEVER" || NEVER_AGAIN.has(status)) return false;
  if (retry === "AFTER") return retryAfterMs > 0;
  if (retry === "ELSEWHERE") return true;
  return executed === EXECUTED.NO || idempotent;
}

/**
 * How long to wait before the next attempt, in milliseconds; null: it is not tried again. What the
 * caller withdrew, and what the tool itself says, is his to decide, whatever the table allows.
 *
 * @param {{status: number, executed: number, retryAfterMs: number}} end
 * @param {boolean} idempotent
 * @param {number} attempts made so far, at least 1
 * @param {number} chance 0 to below 1
 */
export function waitMs(end, idempotent, attempts, chance) {
  if (attempts >= ATTEMPTS_MAX || end.status === STATUS.CANCELLED || end.status === STATUS.APP_ERROR) return null;
  if (!mayRetry(end.status, end.executed, end.retryAfterMs, idempotent)) return null;
  const { retry } = STATUSES[end.status];
  if (retry === "ELSEWHERE") return 0;
  const backoff = chance * BACKOFF_MS * 2 ** (attempts - 1);
  return backoff + (retry === "AFTER" ? end.retryAfterMs : 0);
}

/** How many calls may be tried again: a tenth of the requests, and 10 a second. */
export class Budget {
  constructor(nowAt) {
    this.tokens = BUDGET_PER_S;
    this.at = nowAt;
  }

  /** A request was made. */
  earn() {
    this.tokens = Math.min(this.tokens + BUDGET_PART, BUDGET_MAX);
  }

  /** Try one again; false: not now. */
  spend(nowAt) {
    this.tokens = Math.min(this.tokens + (BUDGET_PER_S * (nowAt - this.at)) / 1000, BUDGET_MAX);
    this.at = nowAt;
    if (this.tokens < 1) return false;
    this.tokens -= 1;
    return true;
  }
}
