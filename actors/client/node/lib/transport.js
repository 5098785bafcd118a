/** A DEALER to one endpoint at a time. Moves bytes, knows nothing of them. */
import { capability, Dealer } from "zeromq";

import { LIMIT } from "./wire.js";

const HANDSHAKE_AGAIN_MS = 1000; // after one that failed libzmq may not try again

/** source: docs/protocol.md, "libzmq, set and avoided" */
function openSocket(endpoint, reconnectMs, keys) {
  const socket = new Dealer({
    immediate: true, // else what is sent waits for an endpoint that is not there
    linger: 100, sendHighWaterMark: 128, receiveHighWaterMark: 128, maxMessageSize: LIMIT.FRAME,
    heartbeatInterval: 2000, heartbeatTimeout: 6000, heartbeatTimeToLive: 6000,
    handshakeInterval: 5000, tcpKeepalive: 1, ipv6: true,
    reconnectInterval: reconnectMs, reconnectMaxInterval: 5000, ...keys,
  });
  try {
    socket.connect(endpoint);
  } catch (error) {
    socket.close();
    throw error;
  }
  return socket;
}

export class Transport {
  /**
   * @param {function(Uint8Array)} onMessage
   * @param {function()} onLost the connection was closed by the other side, or broke
   * @param {function(string)} onRefusal a handshake has failed: why, for people. againAt says when to connect
   *   anew
   * @param {object|null} keys of readKeys(); null: connections are plain
   */
  constructor(onMessage, onLost, onRefusal, keys) {
    if (keys !== null && !capability.curve)
      throw new RangeError("this zeromq has no CURVE: install one that has");
    this.onMessage = onMessage;
    this.onLost = onLost;
    this.onRefusal = onRefusal;
    this.keys = keys;
    this.server = 0; // of the servers' keys, the one that is tried now
    this.reconnectMs = 100 + Math.floor(Math.random() * 200); // so that not all come back at once
    this.socket = null;
    this.sending = false;
    this.refused = false; // the last handshake has failed
    this.againAt = Infinity;
  }

  /** Use this endpoint from now on, by a new socket: nothing of the old one leaves any more. */
  connect(endpoint) {
    const refused = this.refused;
    this.close();
    if (refused && this.keys !== null) this.server = (this.server + 1) % this.keys.servers.length;
    const socket = openSocket(endpoint, this.reconnectMs, this.keys === null ? {} : {
      curveServerKey: this.keys.servers[this.server], curvePublicKey: this.keys.publicKey,
      curveSecretKey: this.keys.secretKey,
    });
    this.socket = socket;
    this.sending = false;
    this.watch(socket);
    this.receive(socket);
  }

  watch(socket) {
    const on = (event, act) => socket.events.on(event, () => {
      if (this.socket === socket) act();
    });
    on("disconnect", () => {
      if (!this.refused) this.onLost(); // else nothing was there
    });
    on("handshake", () => this.settle());
    const others = this.keys === null ? "the broker may want a key of us: give keyFile and serverKeyFile"
      : "the broker has another key, or none: see serverKeyFile";
    on("handshake:error:auth", () => this.refuse("the broker does not allow our key: its allow list must name it", true));
    on("handshake:error:protocol", () => this.refuse(others, true));
    on("handshake:error:other", () => this.refuse(others, this.keys !== null)); // else libzmq tries again
  }

  settle() {
    this.refused = false;
    this.againAt = Infinity;
  }

  refuse(why, again) {
    this.refused = true;
    if (again) this.againAt = performance.now() + HANDSHAKE_AGAIN_MS;
    this.onRefusal(why);
  }

  async receive(socket) {
    try {
      for await (const [message] of socket) {
        if (this.socket !== socket) return;
        this.refused = false;
        this.onMessage(message);
      }
    } catch (error) {
      if (this.socket === socket) throw error; // else it was closed: another one receives now, or none
    }
  }

  /** Send, one message after the other; next() gives them, null: no more. */
  async send(next) {
    const { socket } = this;
    if (this.sending || socket === null) return;
    this.sending = true;
    try {
      let message = next();
      while (message !== null) {
        await socket.send(message);
        if (this.socket !== socket) return; // what is next is another's
        message = next();
      }
    } catch {
      // The socket was closed meanwhile: what it held is lost, and the session knows.
    }
    if (this.socket === socket) this.sending = false;
  }

  close() {
    const { socket } = this;
    this.socket = null;
    this.settle();
    if (socket === null) return;
    socket.close();
  }
}
