/** Bodies: values of this language as MessagePack, and back. What comes is trusted in nothing. */
import { decode, encode } from "@msgpack/msgpack";

import { bodyIsSound, LIMIT } from "./wire.js";

/** What ought to be a map in a body from outside; {}: it is none. */
export function mapOf(body) {
  const value = read(body);
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
}

/** What ought to be a text; "": it is none. */
export function textOf(value) {
  return typeof value === "string" ? value : "";
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
