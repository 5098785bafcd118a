/** A DEALER to one endpoint at a time. Moves bytes, knows nothing of them. */
import { Dealer } from "zeromq";

import { LIMIT } from "./wire.js";

/** source: docs/protocol.md, "libzmq, set and avoided" */
function openSocket(endpoint, reconnectMs) {
  const socket = new Dealer({
    immediate: true, // else what is sent waits for an endpoint that is not there
    linger: 100, sendHighWaterMark: 128, receiveHighWaterMark: 128, maxMessageSize: LIMIT.FRAME,
    heartbeatInterval: 2000, heartbeatTimeout: 6000, heartbeatTimeToLive: 6000,
    handshakeInterval: 5000, tcpKeepalive: 1, ipv6: true,
    reconnectInterval: reconnectMs, reconnectMaxInterval: 5000,
  });
  socket.connect(endpoint);
  return socket;
}

export class Transport {
  /**
   * @param {function(Uint8Array)} onMessage
   * @param {function()} onLost the connection was closed by the other side, or broke
   */
  constructor(onMessage, onLost) {
    this.onMessage = onMessage;
    this.onLost = onLost;
    this.reconnectMs = 100 + Math.floor(Math.random() * 200); // so that not all come back at once
    this.socket = null;
    this.sending = false;
  }

  /** Use this endpoint from now on, by a new socket: nothing of the old one leaves any more. */
  connect(endpoint) {
    this.close();
    const socket = openSocket(endpoint, this.reconnectMs);
    this.socket = socket;
    this.sending = false;
    socket.events.on("disconnect", () => {
      if (this.socket === socket) this.onLost();
    });
    this.receive(socket);
  }

  async receive(socket) {
    try {
      for await (const [message] of socket) if (this.socket === socket) this.onMessage(message);
    } catch {
      // The socket was closed: another one receives now, or none.
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
    if (socket === null) return;
    socket.close();
  }
}
