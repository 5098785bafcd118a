/** Ask FACT from Node: exact answers from tools and their distributed cache. See docs/clients.md. */

export const VERSION: string;
/** Where a broker listens by default. */
export const ENDPOINT: string;
/** Calls that one client may have without an end. */
export const CALLS_MAX: number;

/** Whether the work was done. */
export const EXECUTED: Readonly<{ NO: 0; MAYBE: 1; YES: 2 }>;

export interface StatusRow {
  readonly name: string;
  readonly value: number;
  readonly executed: number;
  /** NEVER; AFTER retryAfterMs; ELSEWHERE: at another broker; CALLER: if it may be done twice. */
  readonly retry: "NEVER" | "AFTER" | "ELSEWHERE" | "CALLER";
  readonly text: string;
}
/** By value. */
export const STATUSES: readonly StatusRow[];
/** The value of each status, by name. */
export const STATUS: Readonly<Record<string, number>>;

export interface ClientOptions {
  /** Name of this process, for people; at most 64 bytes. */
  instance?: string;
  /** Of all calls: on whose behalf; at most 64 bytes each. */
  tenant?: string;
  user?: string;
  /** Calls without an end, 1 to CALLS_MAX; one more rejects at once with BUSY_FULL. */
  callsMax?: number;
  /** False: nothing is sent twice or held back, and one broker is held at a time. */
  retries?: boolean;
  /** Brokers that others name are not used. */
  givenOnly?: boolean;
  /**
   * The key pair to connect with (NAME.secret of `fact keys generate`), which nobody but its owner may read,
   * and the file with the broker's public key; both, or neither. peer.reason says so if the key is not let
   * in; it is tried again every second.
   */
  keyFile?: string;
  serverKeyFile?: string;
}

/** How a request uses the cache. */
export interface CacheOptions {
  max_age_ms?: number;
  ttl_ms?: number;
  stale_ok?: boolean;
  scope?: "public" | "tenant" | "user";
  prefix?: string;
  version?: string;
  after?: unknown;
}

export interface CallOptions {
  /** Its deadline, milliseconds from now; 5000 if it is left out. */
  timeoutMs?: number;
  /** Doing it twice does no harm: it may be tried again even where nobody knows whether it was done. */
  idempotent?: boolean;
  /** 0 critical plus, 1 critical (the usual), 2 sheddable plus, 3 sheddable. */
  importance?: 0 | 1 | 2 | 3;
  /** Neither read nor fill the cache. */
  noCache?: boolean;
  /** Compute anew, and fill it. */
  refresh?: boolean;
  /** Compute nothing. */
  onlyIfCached?: boolean;
  options?: CacheOptions;
  tenant?: string;
  user?: string;
  /** Keeps related requests together; 0 to 2^64 - 1. */
  key?: number | bigint;
  /** 16 bytes: a request is known by it again. */
  idempotencyKey?: Uint8Array;
  /** While one of the same idempotencyKey waits or runs, this one shares its execution. */
  coalesce?: boolean;
  /**
   * The broker holds the answer until it has arrived: the call outlives a connection that breaks and is back
   * within 3 s. As a rule what is not idempotent is kept; what is, is asked again.
   */
  keep?: boolean;
  /**
   * It goes on though this client ends; for 30 s after, the same request under the same idempotencyKey, with
   * coalesce, gets its answer.
   */
  detached?: boolean;
  /** W3C trace context, 25 bytes. */
  trace?: Uint8Array;
  /** False: it is sent once, whatever comes. */
  retries?: boolean;
  /** Told of what comes before the answer, if anything does; number counts from 0. */
  onPartial?: (part: any, number: number) => void;
  /** Withdraws it: it rejects with Cancelled, and the broker is told. */
  signal?: AbortSignal;
}

export interface Answer {
  outcome: "ok" | "partial" | "no_data";
  /** The result; of a call the tool's data. Integers beyond 2^53 are BigInt, bytes are Uint8Array. */
  value: any;
  /** A sentence, where a planner makes one. */
  text: string;
  /** Of no_data: why, what was looked for, and what exists. */
  reason: string;
  detail: Record<string, unknown>;
  /** The tool calls it stands on. */
  sources: Array<Record<string, unknown>>;
  /** State of the data, milliseconds of Unix time. */
  asOf: number;
  cache: { status?: "hit" | "stale" | "miss" | "waited" | "bypass" | "refresh"; age_ms?: number; key?: string };
  /** What was done without. */
  degraded: string[];
  /** Of a language model, as its provider said; null: none was asked. */
  usage: Record<string, number> | null;
  /** Where the time went in the driver, microseconds. */
  timings: Record<string, number>;
  reply: {
    /** The process that answered. */
    instance: string | null;
    attempts: number;
    queueUs: number;
    serviceUs: number;
    /** From the call to its end, milliseconds. */
    totalMs: number;
  };
}

/** One broker that is known, given or named by another. */
export interface Broker {
  endpoint: string;
  /** Empty: not greeted yet. */
  instance: string;
  /** There is, or is to be, a connection. */
  held: boolean;
  /** It has greeted us, and is there. */
  up: boolean;
  /** It will not have us. */
  refused: boolean;
}

export interface Counts {
  /** Attempts after a refusal. */
  retried: number;
  /** Attempts after the loss of a broker. */
  resent: number;
  /** Calls that were not begun: most of what was asked was refused for overload. */
  heldBack: number;
}

export interface Peer {
  /** Where the next call goes. */
  endpoint: string;
  state: "greeting" | "up" | "refused";
  /** Of the broker greeted last; empty: none yet. */
  instance: string;
  /** Of its process: another one is a restart; null: none yet. */
  generation: number | bigint | null;
  /** Greetings so far. */
  connections: number;
  /** Why it is refused or lost, for people; may be empty. */
  reason: string;
  /** Without an end. */
  calls: number;
}

/**
 * A connection to FACT. It connects and greets by itself, again and again; a call made meanwhile waits
 * for that within its deadline. Every call ends exactly once, by its deadline at the latest. Calls
 * made in one turn of the loop leave as one message.
 */
export class Client {
  /**
   * @param endpoints of brokers, at most 16, as a list or with commas; they name others. Two are held, in an
   *   order of the client's own; if one is lost, silent, full or going away, calls go to the other.
   * @throws RangeError an argument is out of its bounds, an endpoint is none, a key file is of no use
   * @throws Error of node:fs: a key file cannot be read
   */
  constructor(endpoints?: string | string[], options?: ClientOptions);
  /**
   * Run a tool, or get its answer from the cache.
   * @throws FactError it was not served
   */
  call(tool: string, args?: Record<string, unknown>, options?: CallOptions): Promise<Answer>;
  /**
   * Ask a question in words, at most 10,000 characters.
   * @throws FactError
   */
  query(question: string, options?: CallOptions): Promise<Answer>;
  /**
   * Ask the broker itself: directory, statistics, status, events, instance (docs/reference.md).
   * @throws FactError
   */
  askBroker(method: string, body?: Record<string, unknown>, options?: CallOptions): Promise<any>;
  /** The way to the broker and back, milliseconds. */
  ping(options?: CallOptions): Promise<number>;
  /** Wait until it is greeted; false: not in time, or it is refused. */
  waitUp(timeoutMs?: number): Promise<boolean>;
  /** Who is at the other end: a copy. */
  readonly peer: Peer;
  /** All brokers that are known, those given first. */
  readonly brokers: Broker[];
  /** Since its start. */
  readonly counts: Counts;
  /** Say goodbye; calls without an end reject with Cancelled. May be called twice. */
  close(): void;
}

/** Connect to FACT; nobody need be there yet. */
export function connect(endpoints?: string | string[], options?: ClientOptions): Client;

/** A call ended with another status than OK. */
export class FactError extends Error {
  readonly status: number;
  readonly statusName: string;
  /** Stable name of the error, for programs. */
  readonly code: string;
  /** What the server says of it, for people. */
  readonly said: string;
  /** One of EXECUTED. */
  readonly executed: number;
  /** 0: not said. */
  readonly retryAfterMs: number;
  /** Trying again can help, and cannot do a thing twice. */
  readonly mayRetry: boolean;
  readonly field: string;
  readonly hint: string;
  readonly errorId: string;
  /** For programs, where there is more to say: of AUTH_REQUIRED url, authorization_id, scopes. */
  readonly details: Record<string, unknown>;
  /** No reply came: this client made the status. */
  readonly local: boolean;
  readonly attempts: number;
}
/** CANCELLED: it was withdrawn. */
export class Cancelled extends FactError {}
/** BAD_REQUEST, VERSION, TOO_LARGE: it would fail again. */
export class BadRequest extends FactError {}
/** UNAUTHENTICATED, FORBIDDEN: who asks may not. */
export class NotAllowed extends FactError {}
/** NO_ROLE: no such role or method. */
export class NotFound extends FactError {}
/** BUSY_FULL, BUSY_SHED, INFEASIBLE, RATE_LIMITED, RETRY_BUDGET: too much is asked just now. */
export class Busy extends FactError {}
/** NO_WORKER, CIRCUIT_OPEN, DRAINING: who would serve it is not there. */
export class Unavailable extends FactError {}
/** DEADLINE_QUEUED, DEADLINE_RUNNING: too late. */
export class DeadlineExceeded extends FactError {}
/** WORKER_LOST, POISON, DUPLICATE_RUNNING: nobody can say what became of it. */
export class Lost extends FactError {}
/** APP_ERROR: the tool ran and failed; code says how. */
export class ToolFailed extends FactError {}
/** INTERNAL: a fault of the servers, logged under errorId. */
export class InternalError extends FactError {}

/** The error of a status, in its family. */
export function errorOf(status: number, what?: Record<string, unknown>): FactError;
