/** The files with the keys that a connection is made with: those that `fact keys generate` writes. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";

const FILE_BYTES_MAX = 4096;
export const SERVER_KEYS_MAX = 4;
const OTHERS = 0o077; // the access that others than its owner must not have to a secret
/** source: ZeroMQ RFC 32 */
const DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/** 40 characters of Z85, each five of them a number of 32 bits. */
function isKey(text) {
  if (text.length !== 40 || [...text].some((digit) => !DIGITS.includes(digit))) return false;
  for (let at = 0; at < 40; at += 5) {
    let number = 0;
    for (const digit of text.slice(at, at + 5)) number = number * DIGITS.length + DIGITS.indexOf(digit);
    if (number > 0xffffffff) return false;
  }
  return true;
}

/** Its text; of one that is too long none. */
function readText(path, secret) {
  const file = openSync(path, "r");
  try {
    if (secret && process.platform !== "win32" && (fstatSync(file).mode & OTHERS) !== 0)
      throw new RangeError(`${path}: others may read the secret key: chmod 600 ${path}`);
    const bytes = Buffer.alloc(FILE_BYTES_MAX + 1);
    const size = readSync(file, bytes, 0, bytes.length, 0);
    return size > FILE_BYTES_MAX ? "" : bytes.toString("latin1", 0, size);
  } finally {
    closeSync(file);
  }
}

/** Every key of this name; null: one of them is none. */
function keysOf(text, name) {
  const line = new RegExp(`^[ \\t]*${name}[ \\t]*=[ \\t]*"?(.*?)"?[ \\t\\r]*$`, "gm");
  const keys = [...text.matchAll(line)].map((match) => match[1]);
  return keys.every(isKey) ? keys : [];
}

/**
 * Read both files.
 *
 * @param {string} [keyFile] our pair, NAME.secret; nobody but its owner may have access to it
 * @param {string} [serverKeyFile] the public key of the broker, or several
 * @returns {{publicKey: string, secretKey: string, servers: string[]}|null} null: neither file is given,
 *   connections are plain. servers: the keys that the broker may have, 1 to 4, tried in turn
 * @throws {RangeError} only one of the two, a file without such keys, or a secret that others may read;
 *   it says what to mend. {Error} of node:fs: a file cannot be read
 */
export function readKeys(keyFile, serverKeyFile) {
  if (keyFile === undefined && serverKeyFile === undefined) return null;
  if (keyFile === undefined || serverKeyFile === undefined)
    throw new RangeError("keyFile and serverKeyFile go together: give both, or neither");
  const text = readText(keyFile, true);
  const [publicKeys, secretKeys] = [keysOf(text, "public-key"), keysOf(text, "secret-key")];
  if (publicKeys.length !== 1 || secretKeys.length !== 1)
    throw new RangeError(`${keyFile} holds no key pair: give a NAME.secret of fact keys generate`);
  const servers = keysOf(readText(serverKeyFile, false), "public-key");
  if (servers.length < 1 || servers.length > SERVER_KEYS_MAX)
    throw new RangeError(`${serverKeyFile} holds no public key: give the broker's NAME.public`);
  return { publicKey: publicKeys[0], secretKey: secretKeys[0], servers };
}
