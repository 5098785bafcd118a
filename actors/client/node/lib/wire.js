/**
 * The wire: headers, pairs and messages as bytes. Pure: no socket, no clock. What comes from outside
 * is believed nowhere: no recursion, and nothing allocated by a length that a peer claims.
 * See docs/protocol.md.
 */
import { STATUS } from "./statuses.js";

export const COMMAND = Object.freeze({
  HELLO: 1, WELCOME: 2, READY: 3, REQUEST: 4, REPLY: 5, ACCEPTED: 6, STARTED: 7, PARTIAL: 8, CHUNK: 9,
  CREDIT: 10, CANCEL: 11, TOUCH: 12, HEARTBEAT: 13, ACKFLOOR: 14, DRAIN: 15, DISCONNECT: 16, GOAWAY: 17,
  ERROR: 18, QUERY: 19, ADMIN: 20, INVALIDATE: 21, EVENT: 22,
});
export const FLAG = Object.freeze({
  IDEMPOTENT: 1, STREAM: 2, DEGRADED: 32, COALESCE: 128, DETACHED: 1024, NO_CACHE: 2048, REFRESH: 4096,
  ONLY_IF_CACHED: 8192, KEEP: 32768,
});
export const ROLE = Object.freeze({
  BROKER: 1, DRIVER: 2, CACHE_PARTITION: 3, TOOL_EXECUTOR: 4, ARCADE_GATEWAY: 5, CLIENT: 6,
  AUTOSCALER: 7, CONSOLE: 8,
});

/** Bounds of the wire, in bytes where nothing else is said. */
export const LIMIT = Object.freeze({
  HEADER: 1024, EXTENSION: 768, NAME: 64, IDEMPOTENCY_KEY: 16, TRACE: 25, MESSAGE: 65536,
  MESSAGE_PAIRS: 256, ALONE: 32768, BODY: 262144, FRAME: 266240, NESTING: 32, HEADER_FIELDS: 15,
});

const VERSION = 1;
const REPLY_LAYOUT = new Set([
  COMMAND.WELCOME, COMMAND.REPLY, COMMAND.ACCEPTED, COMMAND.STARTED, COMMAND.PARTIAL, COMMAND.CREDIT,
  COMMAND.DISCONNECT, COMMAND.GOAWAY, COMMAND.ERROR,
]);
const U32_MAX = 0xffffffff;
const KIND = Object.freeze({
  BAD: 0, NIL: 1, BOOL: 2, UINT: 3, INT: 4, FLOAT: 5, TEXT: 6, BLOB: 7, ARRAY: 8, MAP: 9, EXT: 10,
});
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** MessagePack tokens over bytes from outside; once bad, it stays bad. */
class Cursor {
  constructor(bytes, at, end) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = at;
    this.end = end;
    this.bad = false;
  }

  fail() {
    this.bad = true;
    this.kind = KIND.BAD;
    this.number = 0;
    return this;
  }

  /** An unsigned number of 1, 2, 4 or 8 bytes; of 8 a BigInt only where it must be one. */
  unsigned(width) {
    if (this.end - this.at < width) return this.fail().number;
    const at = this.at;
    this.at += width;
    if (width === 1) return this.bytes[at];
    if (width === 2) return this.view.getUint16(at);
    if (width === 4) return this.view.getUint32(at);
    const high = this.view.getUint32(at);
    return high < 0x200000 ? high * 0x100000000 + this.view.getUint32(at + 4)
      : this.view.getBigUint64(at);
  }

  token(kind, number) {
    this.kind = this.bad ? KIND.BAD : kind;
    this.number = number;
    return this;
  }

  /** Text, blob or extension: its bytes are passed over and stay in this.data. */
  bulk(kind, size) {
    if (this.bad || size > this.end - this.at) return this.fail();
    this.data = this.bytes.subarray(this.at, this.at + size);
    this.at += size;
    return this.token(kind, size);
  }

  /** Read one token: kind and number (a value, a length, or how many elements follow). */
  next() {
    if (this.bad || this.at >= this.end) return this.fail();
    const tag = this.bytes[this.at++];
    if (tag < 0x80) return this.token(KIND.UINT, tag);
    if (tag < 0x90) return this.token(KIND.MAP, tag & 15);
    if (tag < 0xa0) return this.token(KIND.ARRAY, tag & 15);
    if (tag < 0xc0) return this.bulk(KIND.TEXT, tag & 31);
    if (tag >= 0xe0) return this.token(KIND.INT, tag - 0x100);
    return this.tagged(tag);
  }

  tagged(tag) {
    switch (tag) {
      case 0xc0: return this.token(KIND.NIL, 0);
      case 0xc2: case 0xc3: return this.token(KIND.BOOL, tag & 1);
      case 0xc4: case 0xc5: case 0xc6: return this.bulk(KIND.BLOB, this.unsigned(1 << (tag - 0xc4)));
      case 0xc7: case 0xc8: case 0xc9:
        return this.bulk(KIND.EXT, this.unsigned(1 << (tag - 0xc7)) + 1);
      case 0xca: this.unsigned(4); return this.token(KIND.FLOAT, 0);
      case 0xcb: this.unsigned(8); return this.token(KIND.FLOAT, 0);
      case 0xcc: case 0xcd: case 0xce: case 0xcf:
        return this.token(KIND.UINT, this.unsigned(1 << (tag - 0xcc)));
      case 0xd0: case 0xd1: case 0xd2: case 0xd3: return this.signed(1 << (tag - 0xd0));
      case 0xd4: case 0xd5: case 0xd6: case 0xd7: case 0xd8:
        return this.bulk(KIND.EXT, (1 << (tag - 0xd4)) + 1);
      case 0xd9: case 0xda: case 0xdb: return this.bulk(KIND.TEXT, this.unsigned(1 << (tag - 0xd9)));
      case 0xdc: return this.token(KIND.ARRAY, this.unsigned(2));
      case 0xdd: return this.token(KIND.ARRAY, this.unsigned(4));
      case 0xde: return this.token(KIND.MAP, this.unsigned(2));
      case 0xdf: return this.token(KIND.MAP, this.unsigned(4));
      default: return this.fail();
    }
  }

  /** A signed integer that is not negative counts as unsigned, in whatever width it came. */
  signed(width) {
    const number = this.unsigned(width);
    const big = BigInt.asIntN(8 * width, BigInt(number));
    return big >= 0n ? this.token(KIND.UINT, number) : this.token(KIND.INT, Number(big));
  }

  /** Pass over one value; false: it is none, is cut, or is nested deeper than nesting. */
  skip(nesting = Infinity) {
    const open = [];
    let left = 1; // values of the innermost container that are still to come
    while (left > 0) {
      this.next();
      if (this.bad) return false;
      left -= 1;
      if (this.kind === KIND.ARRAY || this.kind === KIND.MAP) {
        const count = this.kind === KIND.MAP ? 2 * this.number : this.number;
        if (count > this.end - this.at || open.length >= nesting) {
          this.fail(); // each value takes a byte at least
          return false;
        }
        open.push(left);
        left = count;
      }
      while (left === 0 && open.length > 0) left = open.pop();
    }
    return true;
  }
}

function readNumber(cursor, max) {
  cursor.next();
  if (cursor.kind !== KIND.UINT || cursor.number > max) cursor.bad = true;
  return cursor.bad ? 0 : cursor.number;
}

function readText(cursor) {
  cursor.next();
  if (cursor.kind === KIND.NIL) return null;
  if (cursor.kind !== KIND.TEXT || cursor.number > LIMIT.NAME) {
    cursor.bad = true;
    return null;
  }
  try {
    return utf8.decode(cursor.data);
  } catch {
    cursor.bad = true;
    return null;
  }
}

function readBlob(cursor, size) {
  cursor.next();
  if (cursor.kind === KIND.NIL) return null;
  if (cursor.kind !== KIND.BLOB || cursor.number !== size) cursor.bad = true;
  return cursor.bad ? null : cursor.data;
}

function readKey(cursor) {
  cursor.next();
  if (cursor.kind === KIND.NIL) return null;
  if (cursor.kind !== KIND.UINT) cursor.bad = true;
  return cursor.number;
}

/** The extension, as bytes, if there is one; then what only a newer peer knows. */
function readEnd(cursor, fields, known) {
  if (fields < known) cursor.bad = true;
  if (cursor.bad || fields === known) return null;
  const start = cursor.at;
  const kind = new Cursor(cursor.bytes, start, cursor.end).next().kind;
  cursor.skip(2);
  if (kind !== KIND.MAP || cursor.at - start > LIMIT.EXTENSION) cursor.bad = true;
  const extension = cursor.bytes.subarray(start, cursor.at);
  for (let i = known + 1; i < fields && !cursor.bad; i++) cursor.skip();
  return extension;
}

function readRequest(cursor, header, fields) {
  header.deadlineMs = readNumber(cursor, U32_MAX);
  header.class = readNumber(cursor, 3);
  header.attempt = readNumber(cursor, 127);
  header.role = readNumber(cursor, 127);
  header.method = readText(cursor);
  header.key = readKey(cursor);
  header.tenant = readText(cursor);
  header.idempotencyKey = readBlob(cursor, LIMIT.IDEMPOTENCY_KEY);
  header.trace = readBlob(cursor, LIMIT.TRACE);
  header.extension = readEnd(cursor, fields, 13);
  if (header.command === COMMAND.REQUEST && (header.deadlineMs === 0 || header.id === 0))
    cursor.bad = true;
}

function readReply(cursor, header, fields) {
  header.status = readNumber(cursor, STATUS.INTERNAL);
  header.executed = readNumber(cursor, 2);
  header.admitLevel = readNumber(cursor, 3);
  header.retryAfterMs = readNumber(cursor, U32_MAX);
  header.queueUs = readNumber(cursor, U32_MAX);
  header.serviceUs = readNumber(cursor, U32_MAX);
  header.credit = readNumber(cursor, U32_MAX);
  header.instance = readText(cursor);
  header.extension = readEnd(cursor, fields, 12);
}

/** What is wrong with a bad header, and whose it is: elements 0 to 3 are the same in any version. */
function glance(bytes, at, end) {
  const cursor = new Cursor(bytes, at, end);
  const array = cursor.next();
  if (array.kind !== KIND.ARRAY || array.number < 4) return { status: STATUS.BAD_REQUEST, id: 0 };
  const numbers = [];
  for (let i = 0; i < 4; i++) {
    const value = new Cursor(bytes, cursor.at, end).next();
    cursor.skip();
    numbers.push(value.kind === KIND.UINT && !cursor.bad ? value.number : 0);
  }
  return { status: numbers[0] > VERSION ? STATUS.VERSION : STATUS.BAD_REQUEST, id: numbers[3] };
}

/**
 * Decode the header that stands at a place.
 *
 * @returns {{status: number, header?: object, end?: number, id?: number}} status 0: header and where
 *   it ends; else what is wrong with it, and its id, 0 if that cannot be read.
 */
export function decodeHeader(bytes, at = 0) {
  const end = Math.min(bytes.length, at + LIMIT.HEADER);
  const cursor = new Cursor(bytes, at, end);
  const array = cursor.next();
  const fields = array.number;
  if (array.kind !== KIND.ARRAY || fields > LIMIT.HEADER_FIELDS) return glance(bytes, at, end);
  if (readNumber(cursor, Infinity) !== VERSION) return glance(bytes, at, end);
  const header = {
    command: readNumber(cursor, COMMAND.EVENT), flags: readNumber(cursor, 0xffff),
    id: readNumber(cursor, Infinity),
  };
  if (header.command === 0) cursor.bad = true;
  if (REPLY_LAYOUT.has(header.command)) readReply(cursor, header, fields);
  else readRequest(cursor, header, fields);
  if (cursor.bad) return glance(bytes, at, end);
  return { status: STATUS.OK, header, end: cursor.at };
}

/** The body behind a header: nil is null. Adds status, body and end to the pair; false: broken. */
function readBody(bytes, at, pair) {
  const cursor = new Cursor(bytes, at, bytes.length);
  const token = cursor.next();
  if (token.bad) return false;
  pair.body = token.kind === KIND.BLOB ? token.data : null;
  pair.end = cursor.at;
  if (token.kind === KIND.BLOB || token.kind === KIND.NIL) {
    if (pair.status === STATUS.OK && token.kind === KIND.BLOB && token.number > LIMIT.BODY)
      pair.status = STATUS.TOO_LARGE;
    return true;
  }
  if (pair.status === STATUS.OK) pair.status = STATUS.BAD_REQUEST;
  const whole = new Cursor(bytes, at, bytes.length);
  const good = whole.skip();
  pair.end = whole.at;
  return good;
}

function readPair(bytes, at) {
  const read = decodeHeader(bytes, at);
  const pair = { status: read.status, header: read.header ?? null, id: read.header?.id ?? read.id };
  let end = read.end;
  if (read.status !== STATUS.OK) {
    const cursor = new Cursor(bytes, at, bytes.length);
    if (!cursor.skip()) return null;
    end = cursor.at;
  }
  return readBody(bytes, end, pair) ? pair : null;
}

/**
 * Walk a message, pair by pair.
 *
 * @param {Uint8Array} bytes one message, whole
 * @returns {{pairs: object[], broken: boolean}} each pair {status, header, id, body}; of a bad one
 *   (status not 0) perhaps only the id. broken: what follows them is no pair.
 */
export function decodeMessage(bytes) {
  const pairs = [];
  let at = 0;
  if (bytes.length === 0) return { pairs, broken: true };
  while (at < bytes.length) {
    const pair = readPair(bytes, at);
    if (pair === null) return { pairs, broken: true };
    const alone = pairs.length === 0 && pair.end === bytes.length;
    const fits = pairs.length < LIMIT.MESSAGE_PAIRS && pair.end <= LIMIT.MESSAGE;
    if (!alone && !fits) return { pairs, broken: true };
    at = pair.end;
    pairs.push(pair);
  }
  return { pairs, broken: false };
}

/** A growing buffer of fixed bounds: a header has at most LIMIT.HEADER bytes. */
class Writer {
  constructor() {
    this.bytes = Buffer.allocUnsafe(LIMIT.HEADER + 5);
    this.at = 0;
  }

  u8(value) {
    this.at = this.bytes.writeUInt8(value, this.at);
  }

  u16(value) {
    this.u8(0xcd);
    this.at = this.bytes.writeUInt16BE(value, this.at);
  }

  u32(value) {
    this.u8(0xce);
    this.at = this.bytes.writeUInt32BE(value, this.at);
  }

  u64(value) {
    this.u8(0xcf);
    this.at = this.bytes.writeBigUInt64BE(BigInt(value), this.at);
  }

  raw(bytes) {
    this.bytes.set(bytes, this.at);
    this.at += bytes.length;
  }

  text(value, max) {
    if (value === null || value === undefined) return this.u8(0xc0);
    const bytes = Buffer.from(value, "utf8");
    if (bytes.length > max) throw new RangeError(`'${value}' has over ${max} bytes`);
    if (bytes.length < 32) this.u8(0xa0 | bytes.length);
    else this.raw([0xd9, bytes.length]);
    return this.raw(bytes);
  }

  blob(value, size) {
    if (value === null || value === undefined) return this.u8(0xc0);
    if (value.length !== size) throw new RangeError(`${value.length} bytes where ${size} are wanted`);
    this.raw([0xc4, size]);
    return this.raw(value);
  }
}

function writeRequest(writer, header) {
  writer.u32(header.deadlineMs ?? 0);
  writer.u8(header.class ?? 1);
  writer.u8(header.attempt ?? 0);
  writer.u8(header.role ?? 0);
  writer.text(header.method, LIMIT.NAME);
  if (header.key === null || header.key === undefined) writer.u8(0xc0);
  else writer.u64(header.key);
  writer.text(header.tenant, LIMIT.NAME);
  writer.blob(header.idempotencyKey, LIMIT.IDEMPOTENCY_KEY);
  writer.blob(header.trace, LIMIT.TRACE);
}

function writeReply(writer, header) {
  writer.u8(header.status ?? 0);
  writer.u8(header.executed ?? 0);
  writer.u8(header.admitLevel ?? 3);
  writer.u32(header.retryAfterMs ?? 0);
  writer.u32(header.queueUs ?? 0);
  writer.u32(header.serviceUs ?? 0);
  writer.u32(header.credit ?? 0);
  writer.text(header.instance, LIMIT.NAME);
}

function writeHeader(writer, header) {
  const reply = REPLY_LAYOUT.has(header.command);
  const extension = header.extension ?? null;
  writer.u8(0x90 + (reply ? 12 : 13) + (extension !== null));
  writer.u8(VERSION);
  writer.u8(header.command);
  writer.u16(header.flags ?? 0);
  writer.u64(header.id ?? 0);
  if (reply) writeReply(writer, header);
  else writeRequest(writer, header);
  if (extension !== null) {
    if (extension.length > LIMIT.EXTENSION) throw new RangeError("the extension is too long");
    writer.raw(extension);
  }
}

/** A header in our fixed widths: the broker patches it in place. @returns {Buffer} */
export function encodeHeader(header) {
  const writer = new Writer();
  writeHeader(writer, header);
  return writer.bytes.subarray(0, writer.at);
}

/**
 * A pair as it travels.
 *
 * @param {object} header see decodeHeader(); what is left out is zero or nil
 * @param {Uint8Array|null} body its bytes, MessagePack; null: none
 * @returns {Buffer}
 */
export function encodePair(header, body = null) {
  const writer = new Writer();
  writeHeader(writer, header);
  if (body === null) {
    writer.u8(0xc0);
    return writer.bytes.subarray(0, writer.at);
  }
  if (body.length > LIMIT.BODY) throw new RangeError(`a body of over ${LIMIT.BODY} bytes`);
  if (body.length < 0x100) writer.raw([0xc4, body.length]);
  else if (body.length < 0x10000) writer.raw([0xc5, body.length >> 8, body.length & 255]);
  else writer.raw([0xc6, 0, body.length >> 16, (body.length >> 8) & 255, body.length & 255]);
  return Buffer.concat([writer.bytes.subarray(0, writer.at), body]);
}

/** Where the deadline of an encoded request stands. */
export function patchDeadline(pair, deadlineMs) {
  pair.writeUInt32BE(deadlineMs, 16);
}

/** Check a body before it is decoded: one value, nested no deeper than the wire allows. */
export function bodyIsSound(bytes) {
  const cursor = new Cursor(bytes, 0, bytes.length);
  return cursor.skip(LIMIT.NESTING) && cursor.at === bytes.length;
}
