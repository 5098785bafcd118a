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

import { mapOf, read, write } from "./lib/bodies.js";
import { errorOf, InternalError } from "./lib/errors.js";
import { readKeys } from "./lib/keys.js";
import { Lines } from "./lib/lines.js";
import { ATTEMPTS_MAX, Budget, waitMs } from "./lib/retry.js";
import { BROKERS_MAX, isEndpoint } from "./lib/routes.js";
import { Session, STATE } from "./lib/session.js";
import { EXECUTED, STATUS, STATUSES } from "./lib/statuses.js";
import { Throttle } from "./lib/throttle.js";
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
const CALLS_BYTES_MAX = 64 * 1024 * 1024; // of what calls without an end ask
const STAYS_MS = 100; // where all brokers go away: look again for one that stays
const HELD_BACK = "held back: most of what was asked within two minutes was refused for overload";

const now = () => performance.now();

function checkName(name, value) {
  if (value !== undefined && value !== null && (typeof value !== "string" || Buffer.byteLength(value) > LIMIT.NAME))
    throw new RangeError(`${name}: a text of at most ${LIMIT.NAME} bytes`);
}

function flagsOf(command, options) {
  const keep = command === COMMAND.REQUEST && (options.keep ?? !options.idempotent);
  return (keep ? FLAG.KEEP : 0) | (options.detached ? FLAG.DETACHED : 0) | (options.coalesce ? FLAG.COALESCE : 0) |
    (options.idempotent ? FLAG.IDEMPOTENT : 0) | (options.noCache ? FLAG.NO_CACHE : 0) |
    (options.refresh ? FLAG.REFRESH : 0) | (options.onlyIfCached ? FLAG.ONLY_IF_CACHED : 0) |
    (options.onPartial ? FLAG.STREAM : 0);
}

/** What each call may say beside what it asks. */
const OPTIONS = new Set(["timeoutMs", "idempotent", "importance", "noCache", "refresh", "onlyIfCached", "options",
  "tenant", "user", "key", "idempotencyKey", "coalesce", "keep", "detached", "trace", "retries", "signal", "onPartial"]);

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

function checkEndpoints(endpoints) {
  const list = Array.isArray(endpoints) ? [...endpoints] : String(endpoints).split(",").map((text) => text.trim());
  if (list.length === 0 || list.length > BROKERS_MAX) throw new RangeError(`endpoints: 1 to ${BROKERS_MAX}`);
  for (const endpoint of list)
    if (!isEndpoint(endpoint)) throw new RangeError(`${endpoint} is no endpoint: give tcp://HOST:PORT`);
  return list;
}

export class Client {
  #config;
  #keys;
  #lines;
  #transports = new Map(); // by line
  #budget = new Budget(now());
  #throttle = new Throttle();
  #calls = new Map(); // by tag: attempts under way
  #open = 0; // calls without an end, and the bytes that they ask
  #openBytes = 0;
  #counts = { retried: 0, resent: 0, heldBack: 0 };
  #nextTag = 1;
  #timer = null;
  #timerAt = Infinity;
  #turnIsDue = false;
  #turnAt = 0;
  #closed = false;
  #waiters = new Set(); // of waitUp()

  /** See index.d.ts. */
  constructor(endpoints = ENDPOINT, options = {}) {
    const { instance = `node-${process.pid}`, tenant, user, callsMax = CALLS_MAX, retries = true, givenOnly = false,
      keyFile, serverKeyFile } = options;
    const list = checkEndpoints(endpoints);
    if (!Number.isInteger(callsMax) || callsMax < 1 || callsMax > CALLS_MAX)
      throw new RangeError(`callsMax: 1 to ${CALLS_MAX}`);
    for (const [name, value] of Object.entries({ instance, tenant, user })) checkName(name, value);
    this.#keys = readKeys(keyFile, serverKeyFile);
    this.#config = { instance, tenant, user, callsMax, retries };
    this.#lines = new Lines({
      endpoints: list, seed: Math.random(), single: !retries, givenOnly, open: (line) => this.#openSession(line),
      connect: (line) => this.#connect(line), close: (line) => this.#closeLine(line),
      moveWaiting: (line) => this.#moveWaiting(line),
    }, now());
    this.#wake();
  }

  #openSession(line) {
    const { instance, callsMax } = this.#config;
    return new Session({
      id: randomBytes(16), instance, pid: process.pid, version: VERSION, callsMax,
      waitingBytesMax: WAITING_BYTES_MAX,
      onEnd: (end) => this.#onEnd(line, end),
      onUp: (welcome) => this.#lines.onUp(line, welcome),
      onDown: (reason) => this.#lines.onDown(line, reason),
      onRefused: () => this.#lines.onRefused(line),
      onGoaway: (goaway, leavesMs) => this.#lines.onGoaway(line, goaway, leavesMs, now()),
      onError: (message) => { this.#lines.reason = message; },
      onPartial: (part) => this.#onPartial(part),
    }, now());
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
    if (this.#lines.state !== STATE.GREETING) return this.#lines.state === STATE.UP;
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
    const { route, session } = this.#lines.best(1, now()) ?? this.#lines.all[0];
    const { state, connections, reason } = this.#lines;
    return { endpoint: route.endpoint, state, instance: route.instance, generation: session.generation, connections,
      reason, calls: this.#open };
  }

  /** All brokers that are known, those given first. */
  get brokers() {
    const up = new Set(this.#lines.all.filter((line) => line.isUp).map((line) => line.route));
    return this.#lines.routes.all.map((route) => ({
      endpoint: route.endpoint, instance: route.instance, held: route.held, up: up.has(route), refused: route.refused,
    }));
  }

  /** Since its start. */
  get counts() {
    return { ...this.#counts };
  }

  /** Say goodbye; calls without an end reject with Cancelled. May be called twice. */
  close() {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const line of [...this.#lines.all]) this.#closeLine(line);
    this.#tellWaiters(false);
  }

  // One call: attempts, until it is served or not worth another.

  async #ask(command, role, method, body, options) {
    checkOptions(options);
    if (typeof method !== "string" || method === "" || Buffer.byteLength(method) > LIMIT.NAME)
      throw new RangeError(`a method is a text of 1 to ${LIMIT.NAME} bytes`);
    const { signal, onPartial, timeoutMs = TIMEOUT_MS, importance = 1 } = options;
    const begunAt = now();
    const call = {
      header: this.#header(command, role, method, options), body, deadlineAt: begunAt + timeoutMs, importance, signal,
      onPartial, attempts: 1, harmless: command !== COMMAND.REQUEST || (options.idempotent ?? false),
      once: !(options.retries ?? true), begun: false,
    };
    const refusal = this.#refusalOf(call);
    if (refusal !== null) throw this.#failureOf(refusal, call);
    this.#open += 1;
    this.#openBytes += body.length;
    try {
      for (;;) {
        const end = await this.#attempt(call);
        if (end.status === STATUS.OK)
          return { ...end, attempts: call.attempts, idempotent: call.harmless, totalMs: now() - begunAt };
        const wait = this.#waitOf(end, call);
        if (wait === null) throw this.#failureOf(end, call);
        call.begun ||= end.executed !== EXECUTED.NO;
        call.attempts += 1;
        if (wait > 0) await this.#pause(wait, signal);
      }
    } finally {
      this.#open -= 1;
      this.#openBytes -= body.length;
    }
  }

  /** Why a call is not even begun; null: it is. */
  #refusalOf({ header, body, importance }) {
    if (this.#open >= this.#config.callsMax || this.#openBytes + body.length > CALLS_BYTES_MAX)
      return { ...localEnd(STATUS.BUSY_FULL), reason: "too many calls are without an end" };
    if (header.command !== COMMAND.REQUEST) return null;
    this.#budget.earn();
    if (!this.#config.retries || importance === 0 || !this.#throttle.holds(now(), Math.random())) return null;
    this.#counts.heldBack += 1;
    return { ...localEnd(STATUS.BUSY_SHED), reason: HELD_BACK };
  }

  /** How long to wait before the next attempt, milliseconds; null: there is none. */
  #waitOf(end, call) {
    if (!this.#config.retries || call.once || this.#closed) return null;
    if (end.local) return this.#outlives(end, call) ? 0 : null;
    if (STATUSES[end.status].retry === "ELSEWHERE") return this.#elsewhere(call);
    const wait = waitMs(end, call.harmless, call.attempts, Math.random());
    if (wait === null || now() + wait + 1 > call.deadlineAt || !this.#budget.spend(now())) return null;
    this.#counts.retried += 1;
    return wait;
  }

  /**
   * A broker that goes away has executed nothing. Another one is asked at once; while there is none that stays,
   * one is waited for, which is no attempt.
   */
  #elsewhere(call) {
    const at = now();
    const line = this.#lines.best(call.importance, at);
    const stays = line !== null && line.route.leavesUntilAt <= at;
    if (this.#lines.routes.usable < 2 || (!stays && at + STAYS_MS + 1 > call.deadlineAt)) return null;
    this.#counts.retried += 1;
    if (!stays || call.attempts >= ATTEMPTS_MAX) call.attempts -= 1; // the one that is to come is the same
    return stays ? 0 : STAYS_MS;
  }

  /** No reply came, its broker is lost: what may be done twice goes to another, or there once it is back. */
  #outlives(end, call) {
    if (end.status !== STATUS.WORKER_LOST || !call.harmless || call.attempts >= ATTEMPTS_MAX) return false;
    const line = this.#lines.best(call.importance, now());
    if (line === null) return false;
    line.sayResume(this.#turnAt);
    this.#counts.resent += 1;
    return true;
  }

  #header(command, role, method, options) {
    const user = options.user ?? this.#config.user ?? null;
    return {
      command, role, method, flags: flagsOf(command, options), class: options.importance ?? 1,
      key: options.key ?? null, tenant: options.tenant ?? this.#config.tenant ?? null,
      idempotencyKey: options.idempotencyKey ?? null, trace: options.trace ?? null,
      extension: user === null ? null : write({ user }),
    };
  }

  #attempt(call) {
    const { signal } = call;
    return new Promise((resolve) => {
      const tag = this.#nextTag;
      this.#nextTag += 1;
      if (signal?.aborted) {
        resolve(localEnd(STATUS.CANCELLED));
        return;
      }
      const abort = () => {
        const attempt = this.#calls.get(tag);
        attempt?.line.session.cancel(tag);
        this.#wake();
      };
      const end = (ended) => {
        signal?.removeEventListener("abort", abort);
        this.#calls.delete(tag);
        resolve(ended);
      };
      this.#calls.set(tag, { call, end, line: null });
      if (this.#put(tag)) signal?.addEventListener("abort", abort, { once: true });
    });
  }

  /** Ask, for the first time or again elsewhere; false: it has ended, since it cannot be. */
  #put(tag) {
    const attempt = this.#calls.get(tag);
    const { header, body, deadlineAt, importance, attempts } = attempt.call;
    const line = this.#lines.best(importance, now());
    const status = this.#closed ? STATUS.CANCELLED : line === null ? this.#lines.whyNobody
      : line.session.ask({ ...header, attempt: attempts - 1 }, body, deadlineAt, tag, now());
    attempt.line = line;
    if (status === STATUS.OK) this.#wake();
    else attempt.end({ ...localEnd(status), reason: line === null ? this.#lines.reason : "" });
    return status === STATUS.OK;
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

  #onEnd(line, end) {
    const attempt = this.#calls.get(end.tag);
    if (!end.local) {
      line.route.learn(end, now());
      if (attempt.call.header.command === COMMAND.REQUEST) this.#throttle.learn(end, now());
    } else if (line.isRefused && !this.#closed && end.executed === EXECUTED.NO && !attempt.call.once &&
               this.#lines.best(1, now()) !== null) {
      this.#put(end.tag); // that broker wants none of us, another may
      return;
    }
    attempt.end(end.local ? { ...end, reason: this.#lines.reason } : end);
  }

  #onPartial({ tag, number, body }) {
    try {
      this.#calls.get(tag).call.onPartial?.(read(body), number);
    } catch (error) { // of the caller's: other calls are served all the same
      process.emitWarning(error);
    }
  }

  /** What waits there goes to another that is up. What has left stays: it is resumed, or ends. */
  #moveWaiting(line) {
    for (const [tag, attempt] of [...this.#calls])
      if (attempt.line === line && line.session.takeBack(tag)) this.#put(tag);
  }

  // Transports

  #connect(line) {
    let transport = this.#transports.get(line);
    if (transport === undefined) {
      transport = new Transport(
        (message) => this.#onMessage(line, message),
        () => this.#onLost(line),
        (why) => this.#onRefusal(why),
        this.#keys,
      );
      this.#transports.set(line, transport);
    }
    try {
      transport.connect(line.route.endpoint);
    } catch {
      this.#lines.noEndpoint(line); // what a broker has named
    }
  }

  #onMessage(line, message) {
    line.session.take(message, now());
    this.#wake();
  }

  #onLost(line) {
    line.session.lost("the connection was closed", now());
    this.#wake();
  }

  #onRefusal(why) {
    this.#lines.reason = why;
    this.#wake();
  }

  /** Say goodbye there, and end. */
  #closeLine(line) {
    const transport = this.#transports.get(line);
    this.#transports.delete(line);
    line.session.close();
    transport?.send(() => line.session.takeOutgoing(now())).finally(() => transport.close());
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
    this.#turnAt = at; // one reading a turn
    this.#lines.tick(at);
    for (const [line, transport] of this.#transports) {
      if (transport.againAt <= at) transport.connect(line.route.endpoint);
      if (transport.socket !== null) transport.send(() => line.session.takeOutgoing(now()));
      else while (line.session.takeOutgoing(at) !== null); // where it is to go is no endpoint
    }
    if (this.#lines.state !== STATE.GREETING) this.#tellWaiters(this.#lines.state === STATE.UP);
    this.#arm();
  }

  #tellWaiters(up) {
    for (const waiter of [...this.#waiters]) waiter.tell(up);
  }

  #arm() {
    const dueAt = Math.min(this.#lines.dueAt(), ...[...this.#transports.values()].map((transport) => transport.againAt));
    if (dueAt === this.#timerAt && this.#timer !== null) return;
    clearTimeout(this.#timer);
    this.#timerAt = dueAt;
    const ms = Math.min(Math.max(0, Math.ceil(dueAt - now())), TIMEOUT_MS_MAX);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#wake();
    }, ms);
  }

  /** What a call rejects with. */
  #failureOf(end, { attempts, harmless, begun }) {
    const executed = begun && end.executed === EXECUTED.NO ? EXECUTED.MAYBE : end.executed;
    const failure = mapOf(end.body);
    const text = (value) => (typeof value === "string" && value !== "" ? value : undefined);
    return errorOf(end.status, {
      code: text(failure.code), message: text(failure.message) ?? text(end.reason), field: text(failure.field),
      hint: text(failure.hint), errorId: text(failure.error_id), details: failure.details, executed,
      retryAfterMs: end.retryAfterMs, local: end.local, attempts, idempotent: harmless,
    });
  }
}

/** An end that is made here, of what never left. */
function localEnd(status) {
  return { status, executed: EXECUTED.NO, retryAfterMs: 0, body: null, local: true };
}

/** Connect to FACT; nobody need be there yet. */
export function connect(endpoints = ENDPOINT, options = {}) {
  return new Client(endpoints, options);
}

// Ends, as callers want them.

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
  const body = mapOf(end.body);
  if (typeof body.outcome !== "string") return bodyOf({ ...end, body: null });
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
