/**
 * The brokers that a client knows, and which of them it is to use. Pure. Some were given, the others were
 * named by a broker's WELCOME or GOAWAY. Each client puts them in an order of its own, by hash, so that
 * clients spread over all brokers and those of one that dies over the rest. source: Thaler and
 * Ravishankar, Using name-based mappings to increase hit rates, 1998 (rendezvous); the same rules as
 * actors/client/routes.h
 */
import { createHash } from "node:crypto";

import { STATUS } from "./statuses.js";

export const BROKERS_MAX = 16;
const ENDPOINT_BYTES_MAX = 256;
const IPC_PATH_BYTES_MAX = 107; // source: unix(7)
const FADES_MS = 1000; // what a reply has told is forgotten after so long
const MARGIN_US = 1000; // waits that differ by less are the same
const WEIGHT = 8; // a new wait counts an eighth

/** Whether somebody can be connected to by this text, from outside perhaps. A name is not looked up. */
export function isEndpoint(text) {
  if (typeof text !== "string" || text.length > ENDPOINT_BYTES_MAX) return false;
  const tcp = /^tcp:\/\/[A-Za-z0-9.\-:%;[\]_]+:([0-9]{1,6})$/.exec(text);
  if (tcp !== null) return Number(tcp[1]) > 0 && Number(tcp[1]) < 65536;
  return /^inproc:\/\/[!-~]+$/.test(text) ||
    (/^ipc:\/\/[!-~]+$/.test(text) && text.length <= "ipc://".length + IPC_PATH_BYTES_MAX);
}

/** One broker. */
export class Route {
  /**
   * @param {string} endpoint
   * @param {number} order the highest is the first choice
   */
  constructor(endpoint, order) {
    this.endpoint = endpoint;
    this.order = order;
    this.name = null; // what the broker itself calls it; null: not known yet
    this.instance = ""; // of the broker greeted last
    this.generation = null; // of its process
    this.held = false; // by a line of the client
    this.refused = false; // it wants none of us
    this.same = false; // it is the broker of another route
    this.leavesUntilAt = -Infinity; // it has said that it goes: not used before this time
    this.triedAt = -Infinity; // when it was given up last
    this.learnedAt = -Infinity; // of the two below
    this.admitLevel = 3;
    this.queueUs = 0; // smoothed
  }

  get usable() {
    return !this.refused && !this.same;
  }

  /** What is left of what was learned: all at first, nothing after FADES_MS. */
  waitUs(nowAt) {
    return this.queueUs * Math.max(0, 1 - (nowAt - this.learnedAt) / FADES_MS);
  }

  admits(importance, nowAt) {
    return importance <= this.admitLevel || nowAt - this.learnedAt >= FADES_MS;
  }

  /** A reply came from there. @param {{status: number, admitLevel: number, queueUs: number}} reply */
  learn(reply, nowAt) {
    const beforeUs = this.waitUs(nowAt);
    this.queueUs = beforeUs + (reply.queueUs - beforeUs) / WEIGHT;
    this.admitLevel = reply.admitLevel;
    this.learnedAt = nowAt;
    if (reply.status === STATUS.DRAINING && this.leavesUntilAt < nowAt) this.leavesUntilAt = nowAt + FADES_MS;
  }

  /**
   * Whether a request goes rather here: where the other leaves, or refuses its class, or lets wait twice
   * as long; else by the order.
   */
  precedes(other, importance, nowAt) {
    const otherLeaves = nowAt < other.leavesUntilAt;
    if (nowAt < this.leavesUntilAt !== otherLeaves) return otherLeaves;
    const admits = this.admits(importance, nowAt);
    if (admits !== other.admits(importance, nowAt)) return admits;
    const [ours, theirs] = [this.waitUs(nowAt), other.waitUs(nowAt)];
    if (ours > 2 * theirs + MARGIN_US || theirs > 2 * ours + MARGIN_US) return ours < theirs;
    return this.order > other.order;
  }
}

export class Routes {
  /**
   * @param {string[]} endpoints those that were given
   * @param {number} seed of the client, at random
   */
  constructor(endpoints, seed) {
    this.seed = seed;
    this.all = [];
    for (const endpoint of endpoints) this.#append(endpoint);
  }

  #append(endpoint) {
    const hash = createHash("sha256").update(`${this.seed} ${endpoint}`).digest();
    this.all.push(new Route(endpoint, hash.readUIntBE(0, 6)));
  }

  /** One that a broker has named; known ones and what does not fit are passed over. */
  add(endpoint) {
    const known = this.all.some((route) => route.endpoint === endpoint || route.name === endpoint);
    if (isEndpoint(endpoint) && !known && this.all.length < BROKERS_MAX) this.#append(endpoint);
  }

  /** To take up next: the first in order of those tried longest ago; null: all are held or of no use. */
  next() {
    let best = null;
    for (const route of this.all)
      if (route.usable && !route.held && (best === null || route.triedAt < best.triedAt ||
          (route.triedAt === best.triedAt && route.order > best.order))) best = route;
    return best;
  }

  /** How many may be of use. */
  get usable() {
    return this.all.filter((route) => route.usable).length;
  }
}
