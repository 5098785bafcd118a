/**
 * One connection, seen from the client. Pure: bytes and time in; ends of calls, and messages to send,
 * out. It greets and beats, keeps to the credit it was given, numbers what is asked and ends each
 * call exactly once, notices silence, and packs what is ready together into one message. Who owns
 * it moves bytes between it and a DEALER. Times are milliseconds of one monotonic clock.
 */
import { decode, encode } from "@msgpack/msgpack";

import { EXECUTED, STATUS } from "./statuses.js";
import { bodyIsSound, COMMAND, decodeMessage, encodePair, LIMIT, patchDeadline, ROLE } from "./wire.js";

const GREETING_MS = 3000; // greet again after so much silence; WELCOME says what holds then
const REGREET_MS = 100; // but not more often than this, whoever sends us away
const GRACE_MS = 50; // the broker's own word on a deadline says more than ours

export const STATE = Object.freeze({ GREETING: "greeting", UP: "up", REFUSED: "refused" });

/** Later by at most half of the numbers there are: credit counts modulo 2^32. */
function isLater(credit, than) {
  const ahead = (credit - than) >>> 0;
  return ahead !== 0 && ahead < 0x80000000;
}

/** What is ready for the broker, packed within the bounds of a message. */
class Outgoing {
  constructor() {
    this.clear();
  }

  clear() {
    this.messages = [];
    this.pairs = [];
    this.bytes = 0;
  }

  close() {
    if (this.pairs.length > 0) this.messages.push(Buffer.concat(this.pairs));
    this.pairs = [];
    this.bytes = 0;
  }

  put(pair) {
    const alone = pair.length > LIMIT.ALONE;
    if (alone || this.bytes + pair.length > LIMIT.MESSAGE || this.pairs.length === LIMIT.MESSAGE_PAIRS)
      this.close();
    this.pairs.push(pair);
    this.bytes += pair.length;
    if (alone) this.close();
  }

  /** The next message, which is taken out; null: none. */
  take() {
    if (this.messages.length === 0) this.close();
    return this.messages.shift() ?? null;
  }

  get isEmpty() {
    return this.messages.length === 0 && this.pairs.length === 0;
  }
}

export class Session {
  /**
   * @param {object} config
   * @param {Uint8Array} config.id 16 random bytes, the same after a reconnect
   * @param {string} config.instance name of the process, for people
   * @param {number} config.callsMax calls without an end; more: BUSY_FULL
   * @param {number} config.waitingBytesMax of calls that wait for credit or a greeting
   * @param {function(object)} config.onEnd told of the end of each call, once: {tag, status, executed,
   *   flags, retryAfterMs, queueUs, serviceUs, instance, body, local}
   * @param {function(object)} [config.onPartial] told of a part of an answer: {tag, number, body}
   * @param {function(object)} [config.onUp] greeted: what WELCOME says
   * @param {function(object)} [config.onGoaway] the broker is going away: what GOAWAY says
   * @param {function(string)} [config.onDown] the connection, or who was there, is gone
   * @param {number} nowAt
   */
  constructor(config, nowAt) {
    this.config = config;
    this.state = STATE.GREETING;
    this.generation = null;
    this.peer = "";
    this.reason = "";
    this.refusedWith = STATUS.OK;
    this.connections = 0;
    this.malformed = 0;
    this.calls = new Map(); // by id, in the order they were asked, and so of what waits
    this.waiting = new Set(); // ids that have not left
    this.waitingBytes = 0;
    this.ids = new Map(); // by tag
    this.nextId = 1;
    this.beats = 0;
    this.held = false; // what is asked waits in line
    this.granted = 0; // REQUESTs we may have sent in all, modulo 2^32
    this.sent = 0;
    this.endsAt = Infinity; // no call ends by its deadline before
    this.outgoing = new Outgoing();
    this.heartbeatMs = GREETING_MS;
    this.regreets = 0; // each wants a socket that holds nothing of before
    this.regreet(nowAt);
    this.greetAt = nowAt;
  }

  regreet(nowAt) {
    this.regreets += 1;
    this.state = STATE.GREETING;
    this.held = false;
    this.greet = true;
    this.greetAt = nowAt + REGREET_MS;
    this.heardAt = nowAt;
    this.deadMs = GREETING_MS;
    this.outgoing.clear();
  }

  /**
   * Ask.
   *
   * @param {object} header command REQUEST or QUERY, and its fields but id and deadlineMs
   * @param {Uint8Array|null} body
   * @param {number} deadlineAt
   * @param {*} tag the owner's own, unique among its calls without an end
   * @returns {number} OK: onEnd will be told; BUSY_FULL, TOO_LARGE, DEADLINE_QUEUED, or why refused
   */
  ask(header, body, deadlineAt, tag, nowAt) {
    if (this.state === STATE.REFUSED) return this.refusedWith;
    if (this.calls.size >= this.config.callsMax) return STATUS.BUSY_FULL;
    if (body !== null && body.length > LIMIT.BODY) return STATUS.TOO_LARGE;
    if (deadlineAt - nowAt < 1) return STATUS.DEADLINE_QUEUED;
    const id = this.nextId;
    const deadlineMs = Math.min(Math.floor(deadlineAt - nowAt), 0xffffffff);
    const pair = encodePair({ ...header, id, deadlineMs }, body);
    const call = {
      id, tag, pair, deadlineAt, counts: header.command === COMMAND.REQUEST, endsAt: deadlineAt,
    };
    const waits = this.waiting.size > 0 || !this.maySend(call);
    if (waits && this.waitingBytes + pair.length > this.config.waitingBytesMax) return STATUS.BUSY_FULL;
    this.nextId += 1;
    this.calls.set(id, call);
    this.ids.set(tag, id);
    this.waiting.add(id);
    this.waitingBytes += pair.length;
    this.endsAt = Math.min(this.endsAt, deadlineAt);
    if (!waits) this.leave(call, nowAt);
    return STATUS.OK;
  }

  maySend(call) {
    return this.state === STATE.UP && !this.held && (!call.counts || this.sent !== this.granted);
  }

  /** It leaves, with what is left of its deadline. */
  leave(call, nowAt) {
    this.waiting.delete(call.id);
    this.waitingBytes -= call.pair.length;
    patchDeadline(call.pair, Math.min(Math.max(1, Math.floor(call.deadlineAt - nowAt)), 0xffffffff));
    call.endsAt = call.deadlineAt + GRACE_MS;
    if (call.counts) this.sent = (this.sent + 1) >>> 0;
    this.outgoing.put(call.pair);
    call.pair = null; // what has left is not sent twice
  }

  sendWhatWaits(nowAt) {
    for (const id of this.waiting) {
      const call = this.calls.get(id);
      if (!this.maySend(call)) return;
      this.leave(call, nowAt);
    }
  }

  /** Withdraw a call: onEnd is told now. @returns {boolean} false: there is none of this tag */
  cancel(tag) {
    const call = this.calls.get(this.ids.get(tag));
    if (call === undefined) return false;
    if (call.pair === null && call.counts && this.state === STATE.UP)
      this.command(COMMAND.CANCEL, call.id);
    this.end(call, STATUS.CANCELLED, call.pair === null ? EXECUTED.MAYBE : EXECUTED.NO);
    return true;
  }

  forget(call) {
    this.calls.delete(call.id);
    this.ids.delete(call.tag);
    if (this.waiting.delete(call.id)) this.waitingBytes -= call.pair.length;
  }

  /** An end that is made here. */
  end(call, status, executed) {
    this.forget(call);
    this.config.onEnd({
      tag: call.tag, status, executed, flags: 0, retryAfterMs: 0, queueUs: 0, serviceUs: 0,
      instance: null, body: null, local: true,
    });
  }

  command(command, id, body = null) {
    this.outgoing.put(encodePair({ command, id, role: ROLE.CLIENT }, body));
  }

  /** Calls that have left and have no end. */
  get underWay() {
    return this.calls.size - this.waiting.size;
  }

  /** Take one message in. */
  take(message, nowAt) {
    const { pairs, broken } = decodeMessage(message);
    this.heardAt = nowAt;
    for (const pair of pairs) {
      if (this.state === STATE.REFUSED) return;
      if (pair.status === STATUS.OK) this.takePair(pair, nowAt);
      else this.malformed += 1;
    }
    this.malformed += broken;
    if (this.state === STATE.UP) this.sendWhatWaits(nowAt);
  }

  takePair({ header, body }, nowAt) {
    switch (header.command) {
      case COMMAND.WELCOME: return this.onWelcome(header, body, nowAt);
      case COMMAND.REPLY: return this.onReply(header, body);
      case COMMAND.PARTIAL: return this.onPartial(header, body);
      case COMMAND.CREDIT: return this.takeCredit(header.credit);
      case COMMAND.DISCONNECT: return this.onDisconnect(header, body, nowAt);
      case COMMAND.ERROR: {
        this.reason = read(body)?.message ?? this.reason;
        return undefined;
      }
      case COMMAND.GOAWAY: return this.config.onGoaway?.(read(body) ?? {});
      default: return undefined; // HEARTBEAT, and what a newer broker says
    }
  }

  onWelcome(header, body, nowAt) {
    const welcome = read(body);
    const sound = welcome !== undefined && welcome.heartbeat_ms > 0 && welcome.dead_ms >= welcome.heartbeat_ms;
    if (this.state !== STATE.GREETING || header.status !== STATUS.OK || !sound) {
      this.malformed += 1;
      return;
    }
    this.state = STATE.UP;
    this.generation = welcome.generation;
    this.peer = String(welcome.instance);
    this.heartbeatMs = Number(welcome.heartbeat_ms);
    this.deadMs = Number(welcome.dead_ms);
    this.beatAt = nowAt + this.heartbeatMs;
    this.granted = header.credit;
    this.sent = 0;
    this.connections += 1;
    this.reason = "";
    this.config.onUp?.(welcome);
    this.sendWhatWaits(nowAt);
  }

  takeCredit(credit) {
    if (isLater(credit, this.granted)) this.granted = credit;
  }

  onReply(header, body) {
    const call = this.calls.get(header.id);
    this.takeCredit(header.credit);
    if (call === undefined || call.pair !== null) return; // too late, or never asked
    this.forget(call);
    this.config.onEnd({ ...header, tag: call.tag, body, local: false });
  }

  /** A part of an answer, before it; of what nobody waits for any more it is passed over. */
  onPartial(header, body) {
    const call = this.calls.get(header.id);
    if (call === undefined || call.pair !== null) return;
    const number = header.extension === null ? 0 : read(header.extension)?.seq ?? 0;
    this.config.onPartial?.({ tag: call.tag, number, body });
  }

  /** Sent away, but welcome again: greet. Anything else is for good. */
  onDisconnect(header, body, nowAt) {
    const reason = read(body)?.reason ?? "";
    if (header.status === STATUS.NO_ROLE) {
      this.lost("not known there any more", nowAt);
      return;
    }
    this.state = STATE.REFUSED;
    this.refusedWith = header.status === STATUS.OK ? STATUS.BAD_REQUEST : header.status;
    this.reason = String(reason);
    this.outgoing.clear();
    this.endWhatLeft();
    for (const id of [...this.waiting]) this.end(this.calls.get(id), this.refusedWith, EXECUTED.NO);
  }

  /** What had left may have been executed, and nobody will say. What had not, leaves later. */
  endWhatLeft() {
    for (const call of [...this.calls.values()])
      if (call.pair === null) this.end(call, STATUS.WORKER_LOST, EXECUTED.MAYBE);
  }

  /** The connection is gone, or another is tried. */
  lost(reason, nowAt) {
    if (this.state === STATE.REFUSED) return;
    const wasUp = this.state === STATE.UP;
    this.regreet(nowAt);
    this.reason = reason;
    this.endWhatLeft();
    if (wasUp) this.config.onDown?.(reason);
  }

  /** Every call ends now; nothing leaves any more. */
  close() {
    if (this.state === STATE.UP) this.goodbye = encodePair({ command: COMMAND.DISCONNECT, status: STATUS.CANCELLED });
    this.state = STATE.REFUSED;
    this.refusedWith = STATUS.CANCELLED;
    this.outgoing.clear();
    for (const call of [...this.calls.values()])
      this.end(call, STATUS.CANCELLED, call.pair === null ? EXECUTED.MAYBE : EXECUTED.NO);
  }

  /** Do what is due: end what is too late, give up on silence, beat. */
  tick(nowAt) {
    if (this.endsAt <= nowAt) this.endWhatIsLate(nowAt);
    if (this.state === STATE.REFUSED) return;
    if (!this.greet && nowAt - this.heardAt >= this.deadMs) this.lost("silent", nowAt);
    if (this.state === STATE.UP && nowAt >= this.beatAt) {
      this.beats += 1;
      this.command(COMMAND.HEARTBEAT, this.beats);
      this.beatAt = nowAt + this.heartbeatMs;
    }
  }

  /** Looked through only when something may be due: most calls end long before their deadline. */
  endWhatIsLate(nowAt) {
    for (const call of [...this.calls.values()]) if (call.endsAt <= nowAt) this.endLate(call);
    this.endsAt = Infinity;
    for (const call of this.calls.values()) this.endsAt = Math.min(this.endsAt, call.endsAt);
  }

  /** Of what has not left it is known that nothing was executed. */
  endLate(call) {
    const left = call.pair === null;
    if (left && call.counts && this.state === STATE.UP) this.command(COMMAND.CANCEL, call.id);
    this.end(call, left ? STATUS.DEADLINE_RUNNING : STATUS.DEADLINE_QUEUED,
      left ? EXECUTED.MAYBE : EXECUTED.NO);
  }

  /** When tick() or takeOutgoing() wants to be called next. */
  dueAt() {
    if (this.state === STATE.REFUSED) return this.endsAt;
    const beatAt = this.state === STATE.UP ? this.beatAt : Infinity;
    return Math.min(this.endsAt, beatAt, this.greet ? this.greetAt : this.heardAt + this.deadMs);
  }

  /** The next message to send, which is taken out; null: none now. @returns {Buffer|null} */
  takeOutgoing(nowAt) {
    if (this.goodbye !== undefined) {
      const goodbye = this.goodbye;
      this.goodbye = undefined;
      return goodbye;
    }
    if (this.greet && this.state === STATE.GREETING && nowAt >= this.greetAt) {
      this.greet = false;
      this.heardAt = nowAt; // from now on silence counts
      this.command(COMMAND.HELLO, 0, encode({
        session: this.config.id, instance: this.config.instance, pid: this.config.pid,
        version: this.config.version, protocol_min: 1, protocol_max: 1, resume: this.connections > 0,
      }));
    }
    return this.outgoing.take();
  }
}

/** A body as a value; undefined: it is none. Integers above 2^53 are BigInt, all others numbers. */
export function read(body) {
  if (body === null || !bodyIsSound(body)) return undefined;
  try {
    return narrow(decode(body, { useBigInt64: true }));
  } catch {
    return undefined; // text that is no UTF-8, a map with keys of other kinds
  }
}

/** 64 bits are in use for small numbers, too. A body is at most LIMIT.NESTING deep. */
function narrow(value) {
  if (typeof value === "bigint")
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (Array.isArray(value)) return value.map(narrow);
  if (value !== null && typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype)
    for (const key of Object.keys(value)) value[key] = narrow(value[key]);
  return value;
}

/** A whole number beyond 32 bits would be written as a float. */
function widen(value, depth) {
  if (typeof value === "number")
    return Number.isSafeInteger(value) && Math.abs(value) > 0x7fffffff ? BigInt(value) : value;
  if (value === null || typeof value !== "object" || ArrayBuffer.isView(value)) return value;
  if (depth === 0) throw new RangeError(`nested deeper than ${LIMIT.NESTING}`);
  if (Array.isArray(value)) return value.map((element) => widen(element, depth - 1));
  if (Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inside]) => [key, widen(inside, depth - 1)]));
}

/**
 * A value as a body. Whole numbers stay whole; of more than 53 bits they are BigInt.
 *
 * @returns {Uint8Array}
 * @throws {RangeError} nested deeper than the wire allows
 */
export function write(value) {
  return encode(widen(value, LIMIT.NESTING), { useBigInt64: true, ignoreUndefined: true });
}
