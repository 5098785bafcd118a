/**
 * One connection, seen from the client. Pure: bytes and time in; ends of calls, and messages to send,
 * out. It greets and beats, keeps to the credit it was given, numbers what is asked and ends each
 * call exactly once, notices silence, and packs what is ready together into one message. Who owns
 * it moves bytes between it and a DEALER. Times are milliseconds of one monotonic clock.
 */
import { encode } from "@msgpack/msgpack";

import { mapOf, read, textOf } from "./bodies.js";
import { EXECUTED, STATUS } from "./statuses.js";
import { COMMAND, decodeMessage, encodePair, FLAG, LIMIT, patchDeadline, ROLE } from "./wire.js";

const GREETING_MS = 3000; // greet again after so much silence; WELCOME says what holds then
const REGREET_MS = 100; // but not more often than this, whoever sends us away
const GRACE_MS = 50; // the broker's own word on a deadline says more than ours
export const RESUME_MS = 3000; // so soon after a loss it must be known that a call with KEEP goes on
export const ACKS = 32; // answers that were held for us are acknowledged after so many, or with a beat
export const STATUS_FIRST = 2 ** 49; // from here count the questions of our own what became of one

export { read, write } from "./bodies.js";

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
   * @param {function(*, number)} [config.onGoaway] the broker is going away: what GOAWAY says, and within
   *   how many milliseconds
   * @param {function(string)} [config.onDown] the connection, or who was there, is gone
   * @param {function()} [config.onRefused] the broker wants none of us, for good
   * @param {function(string)} [config.onError] a complaint of the broker
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
    this.unacknowledged = 0; // answers that are held for us
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
      id, tag, pair, deadlineAt, counts: header.command === COMMAND.REQUEST, endsAt: deadlineAt, resuming: false,
      kept: header.command === COMMAND.REQUEST && (header.flags & FLAG.KEEP) !== 0, // it outlives a connection
    };
    const waits = this.waiting.size > 0 || !this.maySend(call.counts) || this.isStalled(nowAt);
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

  maySend(counts) {
    return this.state === STATE.UP && (!counts || this.sent !== this.granted);
  }

  /**
   * We have said nothing for so long that the broker has given us up, as after a stop of the process: what
   * would leave now would be from a stranger.
   */
  isStalled(nowAt) {
    return this.state === STATE.UP && nowAt - this.beatAt >= this.deadMs - this.heartbeatMs;
  }

  /** A REQUEST would leave at once. */
  get hasCredit() {
    return this.waiting.size === 0 && this.maySend(true);
  }

  /** It is up, and has not been heard for half of the time after which it counts as gone. */
  isSuspect(nowAt) {
    return this.state === STATE.UP && nowAt - this.heardAt >= this.deadMs / 2;
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
    if (this.isStalled(nowAt)) return;
    for (const id of this.waiting) {
      const call = this.calls.get(id);
      if (!this.maySend(call.counts)) return;
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

  /** One that has not left is not to leave, and nobody is told; false: it has, or there is none. */
  takeBack(tag) {
    const call = this.calls.get(this.ids.get(tag));
    if (call === undefined || call.pair === null) return false;
    this.forget(call);
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

  /** Tell that what is asked next was at a broker that is lost. */
  sayResume() {
    this.command(COMMAND.HEARTBEAT, 0, encode({ resume: true }));
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
    if (this.unacknowledged >= ACKS) this.acknowledge();
    if (this.state === STATE.UP) this.sendWhatWaits(nowAt);
  }

  takePair({ header, body }, nowAt) {
    switch (header.command) {
      case COMMAND.WELCOME: return this.onWelcome(header, body, nowAt);
      case COMMAND.REPLY: return this.onReply(header, body);
      case COMMAND.PARTIAL: return this.onPartial(header, body);
      case COMMAND.CREDIT: return this.takeCredit(header.credit);
      case COMMAND.DISCONNECT: return this.onDisconnect(header, body, nowAt);
      case COMMAND.ERROR: return this.config.onError?.(textOf(mapOf(body).message));
      case COMMAND.GOAWAY: return this.config.onGoaway?.(read(body), header.retryAfterMs);
      default: return undefined; // HEARTBEAT, and what a newer broker says
    }
  }

  onWelcome(header, body, nowAt) {
    const welcome = mapOf(body);
    const { heartbeat_ms: heartbeatMs, dead_ms: deadMs, generation } = welcome;
    const sound = Number.isInteger(heartbeatMs) && Number.isInteger(deadMs) && heartbeatMs > 0 && deadMs >= heartbeatMs &&
      deadMs <= 0xffffffff && typeof welcome.instance === "string" && ["number", "bigint"].includes(typeof generation);
    if (this.state !== STATE.GREETING || header.status !== STATUS.OK || !sound) {
      this.malformed += 1;
      return;
    }
    this.state = STATE.UP;
    if (generation !== this.generation) this.endWhatLeft(true); // it knows nothing of them
    this.generation = generation;
    this.peer = welcome.instance;
    this.heartbeatMs = heartbeatMs;
    this.deadMs = deadMs;
    this.beatAt = nowAt + this.heartbeatMs;
    this.granted = header.credit;
    this.sent = 0;
    this.connections += 1;
    this.reason = "";
    this.askWhatBecame();
    this.config.onUp?.(welcome);
    this.sendWhatWaits(nowAt);
  }

  takeCredit(credit) {
    if (isLater(credit, this.granted)) this.granted = credit;
  }

  onReply(header, body) {
    const call = this.calls.get(header.id);
    this.takeCredit(header.credit);
    if (header.id > STATUS_FIRST) {
      this.onWhatBecame(header, body);
      return;
    }
    if (call === undefined || call.pair !== null) return; // too late, or never asked
    if (call.kept) this.unacknowledged += 1;
    this.forget(call);
    this.config.onEnd({ ...header, tag: call.tag, body, local: false });
  }

  /** A part of an answer, before it; of what nobody waits for any more it is passed over. */
  onPartial(header, body) {
    const call = this.calls.get(header.id);
    if (call === undefined || call.pair !== null) return;
    const seq = mapOf(header.extension ?? null).seq;
    const number = Number.isInteger(seq) ? seq : 0;
    this.config.onPartial?.({ tag: call.tag, number, body });
  }

  /** Sent away, but welcome again: greet. Anything else is for good. */
  onDisconnect(header, body, nowAt) {
    if (header.status === STATUS.NO_ROLE) {
      this.lost("not known there any more", nowAt);
      return;
    }
    this.state = STATE.REFUSED;
    this.refusedWith = header.status === STATUS.OK ? STATUS.BAD_REQUEST : header.status;
    this.reason = textOf(mapOf(body).reason);
    this.outgoing.clear();
    this.endWhatLeft(true);
    for (const id of [...this.waiting]) this.end(this.calls.get(id), this.refusedWith, EXECUTED.NO);
    this.config.onRefused?.();
  }

  /** What had left may have been executed, and nobody will say. What had not, leaves later. */
  endWhatLeft(keptToo) {
    for (const call of [...this.calls.values()])
      if (call.pair === null && (keptToo || !call.kept)) this.end(call, STATUS.WORKER_LOST, EXECUTED.MAYBE);
  }

  /** The connection is gone, or another is tried. */
  lost(reason, nowAt) {
    if (this.state === STATE.REFUSED || (this.greet && this.state === STATE.GREETING)) return; // nothing was there
    const wasUp = this.state === STATE.UP;
    this.regreet(nowAt);
    this.reason = reason;
    this.endWhatLeft(false);
    this.awaitResuming(nowAt);
    if (wasUp) this.config.onDown?.(reason);
  }

  // What outlives a connection

  /** What is held for us may still be answered, if the other side soon says so. */
  awaitResuming(nowAt) {
    for (const call of this.calls.values()) {
      if (call.pair !== null || call.resuming) continue;
      call.resuming = true;
      call.endsAt = Math.min(call.endsAt, nowAt + RESUME_MS);
      this.endsAt = Math.min(this.endsAt, call.endsAt);
    }
  }

  /** Of those that had left; answers that are held for us come before the answer to this. */
  askWhatBecame() {
    for (const call of this.calls.values())
      if (call.pair === null)
        this.outgoing.put(encodePair({
          command: COMMAND.QUERY, id: STATUS_FIRST + call.id, deadlineMs: RESUME_MS, role: ROLE.BROKER, method: "status",
        }, encode({ id: call.id })));
  }

  onWhatBecame(header, body) {
    const call = this.calls.get(Number(header.id) - STATUS_FIRST);
    if (call === undefined || !call.resuming) return;
    const state = header.status === STATUS.OK ? textOf(mapOf(body).state) : "";
    if (state === "" || state === "unknown") {
      this.end(call, STATUS.WORKER_LOST, EXECUTED.MAYBE);
      return;
    }
    call.resuming = false;
    call.endsAt = call.deadlineAt + GRACE_MS;
    this.endsAt = Math.min(this.endsAt, call.endsAt);
  }

  /** Every answer below the oldest call that is open has come. */
  acknowledge() {
    const [oldest = this.nextId] = this.calls.keys();
    if (this.state !== STATE.UP || oldest === 1) return;
    this.command(COMMAND.ACKFLOOR, oldest - 1);
    this.unacknowledged = 0;
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
    if (this.isStalled(nowAt)) this.lost("this process stood still", nowAt);
    if (this.state === STATE.UP && nowAt >= this.beatAt) {
      this.beats += 1;
      this.command(COMMAND.HEARTBEAT, this.beats);
      if (this.unacknowledged > 0) this.acknowledge();
      this.beatAt = nowAt + this.heartbeatMs;
    }
  }

  /** Looked through only when something may be due: most calls end long before their deadline. */
  endWhatIsLate(nowAt) {
    for (const call of [...this.calls.values()]) if (call.endsAt <= nowAt) this.endLate(call, nowAt);
    this.endsAt = Infinity;
    for (const call of this.calls.values()) this.endsAt = Math.min(this.endsAt, call.endsAt);
  }

  /** Of what has not left it is known that nothing was executed. */
  endLate(call, nowAt) {
    const left = call.pair === null;
    if (left && call.counts && this.state === STATE.UP) this.command(COMMAND.CANCEL, call.id);
    if (call.resuming && nowAt < call.deadlineAt) this.end(call, STATUS.WORKER_LOST, EXECUTED.MAYBE);
    else this.end(call, left ? STATUS.DEADLINE_RUNNING : STATUS.DEADLINE_QUEUED,
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
