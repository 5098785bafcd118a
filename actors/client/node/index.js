/**
 * Ask FACT from Node.
 *
 *   import { connect } from "factclient";
 *   const fact = connect("tcp://127.0.0.1:5550");
 *   const answer = await fact.query("What was the Q1 2025 revenue of Orvanta Systems?");
 *   console.log(answer.text);
 *   fact.close();
 */
import { randomBytes } from "node:crypto";

import { errorOf, InternalError } from "./lib/errors.js";
import { Budget, isFree, waitMs } from "./lib/retry.js";
import { read, Session, STATE, write } from "./lib/session.js";
import { EXECUTED, STATUS } from "./lib/statuses.js";
import { Transport } from "./lib/transport.js";
import { COMMAND, FLAG, LIMIT, ROLE } from "./lib/wire.js";

export * from "./lib/errors.js";
export { EXECUTED, STATUS, STATUSES } from "./lib/statuses.js";

export const VERSION = "0.1.0";
export const ENDPOINT = "tcp://127.0.0.1:5550";
export const CALLS_MAX = 4096;
const TIMEOUT_MS = 5000;
const TIMEOUT_MS_MAX = 2 ** 31 - 1; // what setTimeout() takes
const WAITING_BYTES_MAX = 16 * 1024 * 1024;
const TRY_NEXT_MS = 1000; // not greeted for so long: another endpoint
const LEAVE_MS = 1000; // what runs at a broker that is going away has so long
const ENDPOINTS_MAX = 16;

const now = () => performance.now();

function checkName(name, value) {
  if (value !== undefined && value !== null && (typeof value !== "string" || Buffer.byteLength(value) > LIMIT.NAME))
    throw new RangeError(`${name}: a text of at most ${LIMIT.NAME} bytes`);
}

function flagsOf(options) {
  return (options.idempotent ? FLAG.IDEMPOTENT : 0) | (options.noCache ? FLAG.NO_CACHE : 0) |
    (options.refresh ? FLAG.REFRESH : 0) | (options.onlyIfCached ? FLAG.ONLY_IF_CACHED : 0) |
    (options.onPartial ? FLAG.STREAM : 0);
}

/** What each call may say beside what it asks. */
const OPTIONS = new Set(["timeoutMs", "idempotent", "importance", "noCache", "refresh", "onlyIfCached", "options",
  "tenant", "user", "key", "idempotencyKey", "trace", "retries", "signal", "onPartial"]);

function checkOptions(options) {
  for (const name of Object.keys(options))
    if (!OPTIONS.has(name)) throw new TypeError(`unknown option: ${name}`);
  const { timeoutMs = TIMEOUT_MS, importance = 1 } = options;
  if (!(timeoutMs >= 0) || timeoutMs > TIMEOUT_MS_MAX)
    throw new RangeError(`timeoutMs: 0 to ${TIMEOUT_MS_MAX}`);
  if (![0, 1, 2, 3].includes(importance)) throw new RangeError("importance: 0 to 3");
  checkName("tenant", options.tenant);
  checkName("user", options.user);
}

export class Client {
  #session;
  #transport;
  #endpoints;
  #endpoint = 0;
  #ownNames = new Set(); // what the brokers that were greeted call themselves
  #triedAt;
  #leaveAt = null; // when a broker that is going away is left at the latest
  #regreets;
  #defaults;
  #budget;
  #calls = new Map(); // by tag: whom to tell
  #nextTag = 1;
  #timer = null;
  #timerAt = Infinity;
  #turnIsDue = false;
  #closed = false;
  #waiters = new Set(); // of waitUp()

  /** See index.d.ts. */
  constructor(endpoints = ENDPOINT, options = {}) {
    const { instance = `node-${process.pid}`, tenant, user, callsMax = CALLS_MAX, retries = true } = options;
    this.#endpoints = Array.isArray(endpoints) ? [...endpoints] : endpoints.split(",");
    if (this.#endpoints.length === 0 || this.#endpoints.length > ENDPOINTS_MAX || this.#endpoints.includes(""))
      throw new RangeError(`endpoints: 1 to ${ENDPOINTS_MAX}`);
    if (!Number.isInteger(callsMax) || callsMax < 1 || callsMax > CALLS_MAX)
      throw new RangeError(`callsMax: 1 to ${CALLS_MAX}`);
    for (const [name, value] of Object.entries({ instance, tenant, user })) checkName(name, value);
    this.#defaults = { tenant, user, retries };
    this.#budget = new Budget(now());
    this.#session = new Session({
      id: randomBytes(16), instance, pid: process.pid, version: VERSION, callsMax,
      waitingBytesMax: WAITING_BYTES_MAX, onEnd: (end) => this.#onEnd(end), onDown: () => this.#onDown(),
      onUp: (welcome) => this.#learn(welcome.brokers, true), onGoaway: (goaway) => this.#onGoaway(goaway),
      onPartial: ({ tag, number, body }) => this.#calls.get(tag).onPartial?.(read(body), number),
    }, now());
    this.#transport = new Transport(
      (message) => this.#onMessage(message),
      () => this.#onLost(),
    );
    this.#transport.connect(this.#endpoints[0]);
    this.#regreets = this.#session.regreets;
    this.#triedAt = now();
    this.#wake();
  }

  /** Run a tool, or get its answer from the cache. */
  async call(tool, args = {}, options = {}) {
    const body = write({ arguments: args, options: options.options ?? {} });
    return answerOf(await this.#ask(COMMAND.REQUEST, ROLE.DRIVER, tool, body, options));
  }

  /** Ask a question in words; it changes nothing, so it may be asked twice. */
  async query(question, options = {}) {
    const body = write({ question, options: options.options ?? {} });
    return answerOf(await this.#ask(COMMAND.REQUEST, ROLE.DRIVER, "query", body, { idempotent: true, ...options }));
  }

  /** Ask the broker itself: directory, statistics, status, events, instance. */
  async askBroker(method, body = {}, options = {}) {
    const end = await this.#ask(COMMAND.QUERY, ROLE.BROKER, method, write(body), options);
    return bodyOf(end);
  }

  /** The way to the broker and back, milliseconds. */
  async ping(options = {}) {
    const end = await this.#ask(COMMAND.QUERY, ROLE.BROKER, "status", write({ id: 0 }), options);
    return end.totalMs;
  }

  /** Wait until it is greeted; false: not in time, or it is refused. */
  async waitUp(timeoutMs = TIMEOUT_MS) {
    if (this.#session.state !== STATE.GREETING) return this.#session.state === STATE.UP;
    return new Promise((resolve) => {
      const waiter = { tell: (up) => {
        clearTimeout(waiter.timer);
        this.#waiters.delete(waiter);
        resolve(up);
      } };
      waiter.timer = setTimeout(() => waiter.tell(false), timeoutMs);
      this.#waiters.add(waiter);
    });
  }

  /** Who is at the other end: a copy. */
  get peer() {
    const { state, peer, generation, connections, reason, calls } = this.#session;
    const endpoint = this.#endpoints[this.#endpoint];
    return { endpoint, state, instance: peer, generation, connections, reason, calls: calls.size };
  }

  /** Say goodbye; calls without an end reject with Cancelled. May be called twice. */
  close() {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#session.close();
    this.#tellWaiters();
    this.#transport.send(() => this.#session.takeOutgoing(now())).finally(() => this.#transport.close());
  }

  // One call: attempts, until it is served or not worth another.

  async #ask(command, role, method, body, options) {
    checkOptions(options);
    if (typeof method !== "string" || method === "" || Buffer.byteLength(method) > LIMIT.NAME)
      throw new RangeError(`a method is a text of 1 to ${LIMIT.NAME} bytes`);
    const header = this.#header(command, role, method, options);
    const { idempotent = false, retries = this.#defaults.retries, signal, timeoutMs = TIMEOUT_MS } = options;
    const begunAt = now();
    const deadlineAt = begunAt + timeoutMs;
    if (command === COMMAND.REQUEST) this.#budget.earn();
    for (let attempts = 1; ; attempts += 1) {
      const end = await this.#attempt({ ...header, attempt: attempts - 1 }, body, deadlineAt, options);
      if (end.status === STATUS.OK) return { ...end, attempts, idempotent, totalMs: now() - begunAt };
      const wait = retries && command === COMMAND.REQUEST
        ? waitMs(end, idempotent, attempts, Math.random()) : null;
      const late = wait === null || now() + wait + 1 > deadlineAt;
      const nowhere = end.status === STATUS.DRAINING && this.#endpoints.length === 1;
      if (late || nowhere || this.#closed || !(isFree(end) || this.#budget.spend(now())))
        throw failureOf(end, { attempts, idempotent });
      if (end.status === STATUS.DRAINING) this.#leave();
      await this.#pause(wait, signal);
    }
  }

  #header(command, role, method, options) {
    const user = options.user ?? this.#defaults.user ?? null;
    return {
      command, role, method, flags: flagsOf(options), class: options.importance ?? 1,
      key: options.key ?? null, tenant: options.tenant ?? this.#defaults.tenant ?? null,
      idempotencyKey: options.idempotencyKey ?? null, trace: options.trace ?? null,
      extension: user === null ? null : write({ user }),
    };
  }

  #attempt(header, body, deadlineAt, { signal, onPartial }) {
    return new Promise((resolve) => {
      const tag = this.#nextTag;
      this.#nextTag += 1;
      const local = (status) => ({ status, executed: EXECUTED.NO, retryAfterMs: 0, body: null, local: true });
      if (signal?.aborted) {
        resolve(local(STATUS.CANCELLED));
        return;
      }
      const status = this.#session.ask(header, body, deadlineAt, tag, now());
      if (status !== STATUS.OK) {
        resolve(local(status));
        return;
      }
      const abort = () => {
        this.#session.cancel(tag);
        this.#wake();
      };
      signal?.addEventListener("abort", abort, { once: true });
      this.#calls.set(tag, {
        onPartial,
        end: (end) => {
          signal?.removeEventListener("abort", abort);
          resolve(end);
        },
      });
      this.#wake();
    });
  }

  /** Wait before the next attempt; who gives up meanwhile is told by the attempt. */
  #pause(ms, signal) {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      signal?.addEventListener("abort", end, { once: true });
    });
  }

  // Turns: what came is taken in, what is due is done, what is ready leaves together.

  #onEnd(end) {
    const call = this.#calls.get(end.tag);
    this.#calls.delete(end.tag);
    call.end(end);
  }

  #onMessage(message) {
    this.#session.take(message, now());
    this.#wake();
  }

  #onLost() {
    this.#session.lost("the connection was closed", now());
    this.#wake();
  }

  /** Look for another broker at once. */
  #onDown() {
    this.#triedAt = -Infinity;
    this.#leaveAt = null;
  }

  /** Brokers that one has named, itself first or not at all. */
  #learn(brokers, namesItself) {
    for (const [number, address] of (Array.isArray(brokers) ? brokers : []).entries()) {
      const endpoint = address?.frontend;
      if (typeof endpoint !== "string" || endpoint === "") continue;
      if (namesItself && number === 0) this.#ownNames.add(endpoint);
      else if (!this.#endpoints.includes(endpoint) && !this.#ownNames.has(endpoint) &&
               this.#endpoints.length < ENDPOINTS_MAX)
        this.#endpoints.push(endpoint);
    }
  }

  #onGoaway(goaway) {
    this.#learn(goaway.brokers, false);
    this.#leave();
  }

  /** The broker is going away: nothing more leaves for it, what runs there may end. */
  #leave() {
    if (this.#endpoints.length === 1 || this.#leaveAt !== null || this.#session.state !== STATE.UP) return;
    this.#leaveAt = now() + LEAVE_MS;
    this.#session.held = true;
    this.#wake();
  }

  /** There is work for this turn of the loop: at its end, so that what is ready travels together. */
  #wake() {
    if (this.#turnIsDue || this.#closed) return;
    this.#turnIsDue = true;
    setImmediate(() => {
      this.#turnIsDue = false;
      if (!this.#closed) this.#turn();
    });
  }

  #turn() {
    const at = now();
    this.#session.tick(at);
    this.#chooseEndpoint(at);
    if (this.#session.state !== STATE.GREETING) this.#tellWaiters();
    this.#transport.send(() => this.#session.takeOutgoing(now()));
    this.#arm();
  }

  /** After a loss a new socket; nobody there who greets: the next endpoint, if there are others. */
  #chooseEndpoint(at) {
    if (this.#session.state === STATE.UP) this.#triedAt = at;
    const leaves = this.#leaveAt !== null && (at >= this.#leaveAt || this.#session.underWay === 0);
    const many = this.#endpoints.length > 1 && this.#session.state === STATE.GREETING;
    const change = leaves || (many && at >= this.#triedAt + TRY_NEXT_MS);
    if (change) {
      this.#endpoint = (this.#endpoint + 1) % this.#endpoints.length;
      this.#session.lost("another broker is tried", at);
      this.#triedAt = at;
      this.#leaveAt = null;
    }
    if (this.#regreets === this.#session.regreets) return;
    this.#regreets = this.#session.regreets;
    this.#connect();
  }

  /** What a broker has named may be no endpoint; the first was given. */
  #connect() {
    try {
      this.#transport.connect(this.#endpoints[this.#endpoint]);
    } catch {
      this.#endpoints.splice(this.#endpoint, 1);
      this.#endpoint = 0;
      this.#transport.connect(this.#endpoints[0]);
    }
  }

  #tellWaiters() {
    for (const waiter of [...this.#waiters]) waiter.tell(this.#session.state === STATE.UP);
  }

  #arm() {
    let dueAt = this.#session.dueAt();
    if (this.#endpoints.length > 1 && this.#session.state === STATE.GREETING)
      dueAt = Math.min(dueAt, this.#triedAt + TRY_NEXT_MS);
    if (this.#leaveAt !== null) dueAt = Math.min(dueAt, this.#leaveAt);
    if (dueAt === this.#timerAt && this.#timer !== null) return;
    clearTimeout(this.#timer);
    this.#timerAt = dueAt;
    const ms = Math.min(Math.max(0, Math.ceil(dueAt - now())), TIMEOUT_MS_MAX);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#wake();
    }, ms);
  }
}

/** Connect to FACT; nobody need be there yet. */
export function connect(endpoints = ENDPOINT, options = {}) {
  return new Client(endpoints, options);
}

// Ends, as callers want them.

function failureOf(end, { attempts, idempotent }) {
  const failure = read(end.body) ?? {};
  const text = (value) => (typeof value === "string" ? value : undefined);
  return errorOf(end.status, {
    code: text(failure.code), message: text(failure.message), field: text(failure.field),
    hint: text(failure.hint), errorId: text(failure.error_id), details: failure.details, executed: end.executed,
    retryAfterMs: end.retryAfterMs, local: end.local, attempts, idempotent,
  });
}

function bodyOf(end) {
  const body = read(end.body);
  if (body === undefined)
    throw new InternalError(STATUS.INTERNAL, {
      code: "BAD_ANSWER", message: "the answer is none", executed: EXECUTED.YES, attempts: end.attempts,
      idempotent: end.idempotent,
    });
  return body;
}

function answerOf(end) {
  const body = bodyOf(end);
  return {
    outcome: body.outcome, value: body.value ?? null, text: body.text ?? "", reason: body.reason ?? "",
    detail: body.detail ?? {}, sources: body.sources ?? [], asOf: body.as_of ?? 0, cache: body.cache ?? {},
    degraded: body.degraded ?? [], usage: body.usage ?? null, timings: body.timings ?? {},
    reply: {
      instance: end.instance, attempts: end.attempts, queueUs: end.queueUs, serviceUs: end.serviceUs,
      totalMs: end.totalMs,
    },
  };
}
