/**
 * Hold back what would be refused anyway. Pure. Where more than half of what was asked within two minutes
 * was refused for overload, a part of what comes next is not even sent:
 * p = (requests - 2 accepted) / (requests + 1). What is still sent shows when things are better, and two
 * minutes forget the rest. source: Beyer et al., Site Reliability Engineering, chapter 21, "Client-side
 * throttling"; the same rules as actors/client/throttle.h
 */
import { STATUS } from "./statuses.js";

export const PARTS = 12; // of the two minutes
export const PART_MS = 10000;
export const REQUESTS_MIN = 100; // less says nothing: a client that has just begun holds nothing back

const sum = (numbers) => numbers.reduce((all, number) => all + number, 0);

/** What can never be in time says nothing of the load. */
const meansOverload = ({ status, retryAfterMs }) => status === STATUS.BUSY_FULL || status === STATUS.BUSY_SHED ||
  (status === STATUS.INFEASIBLE && retryAfterMs > 0);

export class Throttle {
  #requests = new Array(PARTS).fill(0); // rings, by part
  #accepted = new Array(PARTS).fill(0);
  #part = 0; // the newest, by the clock

  /**
   * Whether the next request is held back; then it counts as asked and refused.
   *
   * @param {number} nowAt milliseconds
   * @param {number} chance 0 to below 1
   */
  holds(nowAt, chance) {
    this.#turnTo(nowAt);
    const [requests, accepted] = [sum(this.#requests), sum(this.#accepted)];
    if (requests < REQUESTS_MIN || chance * (requests + 1) >= requests - 2 * accepted) return false;
    this.#requests[this.#part % PARTS] += 1;
    return true;
  }

  /** A request was answered, by a REPLY. @param {{status: number, retryAfterMs: number}} reply */
  learn(reply, nowAt) {
    this.#turnTo(nowAt);
    this.#requests[this.#part % PARTS] += 1;
    if (!meansOverload(reply)) this.#accepted[this.#part % PARTS] += 1;
  }

  /** Forget what is older than two minutes. */
  #turnTo(nowAt) {
    const part = Math.floor(nowAt / PART_MS);
    for (let at = Math.max(this.#part + 1, part - PARTS + 1); at <= part; at += 1)
      this.#requests[at % PARTS] = this.#accepted[at % PARTS] = 0;
    this.#part = Math.max(this.#part, part);
  }
}
