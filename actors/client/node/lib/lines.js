/**
 * The brokers that a client holds: two, so that the second is there when the first is lost. Pure but for
 * what its owner does when it is told. A line is one of them: a route, and the session that speaks over
 * it. Who is not greeted in a second, while others are known that are not held, makes room for one of
 * them. The same rules as actors/client/fact_lines.c; see docs/decisions/0121.
 */
import { Routes } from "./routes.js";
import { STATE } from "./session.js";
import { STATUS, STATUSES } from "./statuses.js";

const LINES_MAX = 2;
const TRY_NEXT_MS = 1000; // not greeted for so long: another broker
const LEAVES_MS_MIN = 1000; // who says that it goes is not used for so long at least

/** One broker that is held. */
export class Line {
  constructor(number, route, nowAt) {
    this.number = number;
    this.route = route;
    this.session = null;
    this.regreets = -1; // of the session, when it was connected last
    this.aliveAt = nowAt; // when it was last up, or taken up; -Infinity: look for another at once
    this.closing = false; // to be closed when nobody stands in it
    this.resumeAt = -Infinity; // when it was told last that another line was lost
  }

  get isUp() {
    return this.session.state === STATE.UP;
  }

  get isRefused() {
    return this.session.state === STATE.REFUSED;
  }

  /** Whether a call goes rather to this line than to the other. */
  precedes(other, importance, nowAt) {
    const [ours, theirs] = [this, other].map((line) => line.standing(nowAt));
    if (ours !== theirs) return ours > theirs;
    return this.route.precedes(other.route, importance, nowAt);
  }

  /** One that is there and stays is best; one that is to come is better than one that goes. */
  standing(nowAt) {
    return 8 * (this.route.leavesUntilAt <= nowAt) + 4 * this.isUp + 2 * !this.session.isSuspect(nowAt) +
      this.session.hasCredit;
  }

  /** What it is asked next was at a broker that is lost: no sign of overload. Once a turn. */
  sayResume(nowAt) {
    if (this.isUp && this.resumeAt !== nowAt) this.session.sayResume();
    this.resumeAt = nowAt;
  }
}

export class Lines {
  /**
   * @param {object} config
   * @param {string[]} config.endpoints
   * @param {number} config.seed of the order
   * @param {boolean} config.single one broker at a time
   * @param {boolean} config.givenOnly brokers that others name are not used
   * @param {function(Line): Session} config.open a session for a line
   * @param {function(Line)} config.connect use its route from now on, by a new socket
   * @param {function(Line)} config.close say goodbye there, and end
   * @param {function(Line)} config.moveWaiting calls that wait there are better off elsewhere
   * @param {number} nowAt milliseconds
   */
  constructor(config, nowAt) {
    this.config = config;
    this.routes = new Routes(config.endpoints, config.seed);
    this.connections = 0; // greetings so far
    this.refusedWith = null; // why a broker wants none of us, which one said last
    this.reason = ""; // for people: why refused or lost, or a broker's last complaint
    this.all = [];
    this.#open(0, this.routes.next(), nowAt);
  }

  #open(number, route, nowAt) {
    const line = new Line(number, route, nowAt);
    route.held = true;
    line.session = this.config.open(line);
    this.all.push(line);
  }

  other(line) {
    return this.all.find((each) => each !== line) ?? null;
  }

  /** The line that a call goes to; null: none of use is left. */
  best(importance, nowAt) {
    let best = null;
    for (const line of this.all)
      if (!line.isRefused && !line.closing && (best === null || line.precedes(best, importance, nowAt))) best = line;
    return best;
  }

  /** UP: one of them is; REFUSED: all of them are. */
  get state() {
    if (this.all.some((line) => line.isUp)) return STATE.UP;
    return this.all.every((line) => line.isRefused) ? STATE.REFUSED : STATE.GREETING;
  }

  onUp(line, welcome) {
    const { route } = line;
    const other = this.other(line);
    if (route.generation !== welcome.generation) route.leavesUntilAt = -Infinity; // another has come
    route.instance = line.session.peer;
    route.generation = welcome.generation;
    this.learn(line, welcome.brokers, true);
    this.reason = "";
    this.connections += 1;
    if (other !== null && other.isUp && other.session.generation === welcome.generation) {
      route.same = true;
      line.closing = true;
    } else if (other !== null && !other.isUp) this.config.moveWaiting(other);
  }

  onDown(line, reason) {
    this.reason = reason;
    line.aliveAt = -Infinity;
    if (this.other(line)?.isUp) this.config.moveWaiting(line);
  }

  onRefused(line) {
    this.refusedWith = line.session.refusedWith;
    this.reason = line.session.reason || STATUSES[this.refusedWith].text;
    line.route.refused = true;
  }

  /** It is going away: nothing more is asked there, what runs may end. */
  onGoaway(line, goaway, leavesMs, nowAt) {
    this.learn(line, goaway?.brokers, false);
    line.route.leavesUntilAt = nowAt + Math.max(leavesMs, LEAVES_MS_MIN);
  }

  /** Brokers that one has named, itself first or not at all. */
  learn(line, brokers, namesItself) {
    for (const [number, address] of (Array.isArray(brokers) ? brokers : []).entries()) {
      const endpoint = address?.frontend;
      if (namesItself && number === 0) line.route.name = typeof endpoint === "string" ? endpoint : null;
      else if (!this.config.givenOnly) this.routes.add(endpoint);
    }
  }

  /** What a broker has named is no endpoint. */
  noEndpoint(line) {
    line.route.refused = true;
    line.aliveAt = -Infinity;
    this.reason = `${line.route.endpoint} is no endpoint`;
  }

  /** Do what is due: of sessions, and move lines that do no good where they are. */
  tick(nowAt) {
    for (const line of [...this.all]) this.#tickLine(line, nowAt);
    for (let number = 0; number < LINES_MAX && !this.config.single; number += 1) {
      const route = this.routes.next();
      if (route !== null && !this.all.some((line) => line.number === number)) this.#open(number, route, nowAt);
    }
    for (const line of this.all) this.#connect(line);
  }

  /** After a loss, or to another broker, a socket that holds nothing of before. */
  #connect(line) {
    if (line.regreets === line.session.regreets) return;
    line.regreets = line.session.regreets;
    this.config.connect(line);
  }

  #tickLine(line, nowAt) {
    const { session, route } = line;
    const other = this.other(line);
    session.tick(nowAt);
    if (line.isUp) line.aliveAt = nowAt;
    const idle = session.calls.size === 0;
    const leaves = other !== null && idle && route.leavesUntilAt > nowAt;
    const late = session.state === STATE.GREETING && nowAt - line.aliveAt >= TRY_NEXT_MS;
    if (other !== null && idle && (line.closing || line.isRefused)) {
      this.#leave(line, nowAt);
      this.all.splice(this.all.indexOf(line), 1);
      this.config.close(line);
    } else if ((line.isRefused || late || leaves) && this.routes.next() !== null)
      this.#move(line, this.routes.next(), nowAt);
  }

  #leave({ route }, nowAt) {
    route.held = false;
    route.triedAt = nowAt;
  }

  /** To another broker. What waits goes along. */
  #move(line, route, nowAt) {
    this.#leave(line, nowAt);
    line.route = route;
    line.aliveAt = nowAt;
    route.held = true;
    if (line.isRefused) line.session = this.config.open(line);
    else line.session.lost("another broker is tried", nowAt);
    line.regreets = -1;
  }

  /** When tick() wants to be called next. */
  dueAt() {
    let dueAt = Math.min(...this.all.map((line) => line.session.dueAt()));
    if (this.routes.next() === null) return dueAt;
    for (const line of this.all)
      if (line.session.state === STATE.GREETING && line.aliveAt !== -Infinity)
        dueAt = Math.min(dueAt, line.aliveAt + TRY_NEXT_MS);
    return dueAt;
  }

  /** Why nobody can be asked. @returns {number} a status */
  get whyNobody() {
    return this.refusedWith ?? STATUS.NO_WORKER;
  }
}
