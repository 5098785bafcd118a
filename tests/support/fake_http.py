#!/usr/bin/env python3
"""A scripted HTTP/1.1 server on loopback, as good or as bad as a test wants it.

    server = FakeServer()
    server.on("GET", "/health", answer(503), answer(200, {"healthy": True}))

The n-th request of a method and path gets the n-th action; the last one stays. A path ending in *
stands for all that begin so; an action may also be picked by a function of the request (choose). What
came is kept: requests, connections, peak, gone. By itself, for tests that are not Python:

    fake_http.py [SCRIPT.json]   prints `listening PORT`; each line on stdin is answered with a line of
                                 JSON, the record so far; ends when stdin does

with a script such as {"GET /health": [{"do": "answer", "status": 503, "after": 0.5}, {"do": "hang"}]}.
"""
import email.utils
import gzip
import json
import os
import select
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
from urllib.parse import parse_qsl, urlsplit

HEAD_BYTES_MAX = 65536
CHUNK = 65536


class Request:
    """One request as it came. Names of headers are in lower case; at is monotonic seconds."""

    def __init__(self, method, target, headers, body, connection):
        self.method, self.target, self.headers, self.body = method, target, headers, body
        self.connection, self.at = connection, time.monotonic()
        self.number = 0  # of its method and path, from 1
        parts = urlsplit(target)
        self.path, self.query = parts.path, dict(parse_qsl(parts.query, keep_blank_values=True))

    @property
    def json(self):
        return json.loads(self.body)

    def record(self):
        return {"method": self.method, "target": self.target, "headers": self.headers,
                "body": self.body.decode("utf-8", "replace"), "connection": self.connection}


class Ended(Exception):
    """The connection is over, by either side."""


class Exchange:
    """A request and the way back to who sent it. Actions write there; how it goes out can be spoilt."""

    def __init__(self, server, connection, request):
        self.server, self.socket, self.request = server, connection, request
        self.piece = 0          # so many bytes at a time; 0: all at once
        self.cut_at = None      # the connection ends after so many bytes of the body
        self.by_reset = False   # and by a reset
        self.keeps = request.headers.get("connection", "").lower() != "close"

    def head(self, data):
        self._send(data)

    def body(self, data):
        if self.cut_at is not None and len(data) >= self.cut_at:
            self._send(data[:self.cut_at])
            self.end()
        if self.cut_at is not None:
            self.cut_at -= len(data)
        self._send(data)

    def _send(self, data):
        for start in range(0, len(data), self.piece or CHUNK):
            self.socket.sendall(data[start:start + (self.piece or CHUNK)])

    def wait(self, seconds):
        """Until then, or the server stops (Ended), or the other side has gone (Ended)."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self.server.stopped.wait(min(left, 0.02)):
                raise Ended
            if self.server.authority is None and select.select([self.socket], [], [], 0)[0]:
                if not self.socket.recv(1, socket.MSG_PEEK):
                    self.server.note_gone(self.request)
                    raise Ended

    def end(self):
        if self.by_reset:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Ended


# Actions: each is called with the exchange.

def encode(body):
    """Bytes and texts are sent as they are, anything else as JSON."""
    if isinstance(body, bytes):
        return body
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


def answer(status=200, body=b"", headers=None, content_type="application/json", length=None):
    """length: what Content-Length says, if not the truth."""
    data = encode(body)

    def act(exchange):
        fields = {"Content-Type": content_type,
                  "Content-Length": len(data) if length is None else length, **(headers or {})}
        if not exchange.keeps:
            fields["Connection"] = "close"
        lines = ["HTTP/1.1 %d Fake" % status]
        lines += ["%s: %s" % field for field in fields.items() if field[1] is not None]
        exchange.head(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        if exchange.request.method != "HEAD":
            exchange.body(data)
        if length is not None and length != len(data):
            exchange.end()

    return act


def raw(data):
    """These bytes, and the end."""
    def act(exchange):
        exchange.body(encode(data))
        exchange.end()

    return act


def hang():
    """No answer, ever."""
    return lambda exchange: exchange.wait(3600)


def close():
    """The end before a byte of an answer."""
    return lambda exchange: exchange.end()


def reset():
    def act(exchange):
        exchange.by_reset = True
        exchange.end()

    return act


def after(seconds, action):
    def act(exchange):
        exchange.wait(seconds)
        action(exchange)

    return act


def slowly(action, piece=1):
    """A byte at a time, each in a packet of its own if the kernel is willing."""
    def act(exchange):
        exchange.piece = piece
        action(exchange)
        exchange.piece = 0

    return act


def cut(at, action, by_reset=False):
    """The end after so many bytes of the body, whatever the headers promised."""
    def act(exchange):
        exchange.cut_at, exchange.by_reset = at, by_reset
        action(exchange)

    return act


def held(event, action):
    """Only when a test sets the threading.Event."""
    def act(exchange):
        while not event.is_set():
            exchange.wait(0.02)
        action(exchange)

    return act


def choose(function):
    """The action that a function of the request returns."""
    return lambda exchange: function(exchange.request)(exchange)


def oversize(size, status=200):
    return answer(status, b'"' + b"x" * (size - 2) + b'"')


def gzip_bomb(size, status=200):
    """Small on the way, so large when unpacked."""
    return answer(status, gzip.compress(b" " * size), {"Content-Encoding": "gzip"})


def many_headers(count, size=20):
    return answer(200, {}, {"X-%d" % i: "x" * size for i in range(count)})


def wrong_length(difference, body):
    """Content-Length is off by so much; then the end."""
    return answer(200, body, length=len(encode(body)) + difference)


def bad_json(body=b'{"output": {"value": '):
    return answer(200, body)


def bad_utf8():
    return answer(200, b'{"output": {"value": "\xc3\x28"}}')


def wrong_type():
    return answer(200, "<html><body>It works!</body></html>", content_type="text/html")


def too_many(seconds=None, ms=None, date_in=None, status=429):
    """429, and when to come back: in seconds, in milliseconds, as a date so many seconds from now."""
    def act(exchange):
        headers = {}
        if seconds is not None:
            headers["Retry-After"] = seconds
        if ms is not None:
            headers["Retry-After-Ms"] = ms
        if date_in is not None:
            headers["Retry-After"] = email.utils.formatdate(time.time() + date_in, usegmt=True)
        answer(status, {"name": "too_many_requests", "message": "slow down"}, headers)(exchange)

    return act


def should_retry(yes, status=503):
    return answer(status, {"name": "unavailable", "message": "not now"},
                  {"x-should-retry": "true" if yes else "false"})


def redirect(location, status=302):
    return answer(status, headers={"Location": location})


def sse(*events, piece=0, pause=0.0, chunked=True):
    """A stream of events: texts as they are, anything else as the JSON of a data line."""
    def act(exchange):
        exchange.head(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" +
                      (b"Transfer-Encoding: chunked\r\n\r\n" if chunked
                       else b"Connection: close\r\n\r\n"))
        for event in events:
            data = encode(event if isinstance(event, (str, bytes))
                          else "data: %s\n\n" % json.dumps(event))
            step = piece or len(data)
            for start in range(0, len(data), step):
                part = data[start:start + step]
                exchange.body(b"%x\r\n%s\r\n" % (len(part), part) if chunked else part)
            exchange.wait(pause)
        if not chunked:
            exchange.end()
        exchange.body(b"0\r\n\r\n")

    return act


class Authority:
    """A certificate authority of the test's own: authority.pem, and a server that it vouches for."""

    def __init__(self, names=("DNS:localhost", "IP:127.0.0.1")):
        self.folder = tempfile.TemporaryDirectory(prefix="fact-ca-")
        self.ca_file = self._file("authority.pem")
        self.certificate, self.key = self._file("server.pem"), self._file("server.key")
        self._openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                      "/CN=FACT test authority", "-keyout", self._file("authority.key"),
                      "-out", self.ca_file)
        self._openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=fake",
                      "-keyout", self.key, "-out", self._file("server.csr"))
        with open(self._file("names"), "w", encoding="ascii") as names_file:
            names_file.write("subjectAltName=" + ",".join(names))
        self._openssl("x509", "-req", "-days", "2", "-in", self._file("server.csr"), "-CA",
                      self.ca_file, "-CAkey", self._file("authority.key"), "-CAcreateserial",
                      "-extfile", self._file("names"), "-out", self.certificate)

    def _file(self, name):
        return os.path.join(self.folder.name, name)

    def _openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True)

    def context(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


class FakeServer:
    """Serves until stop(), a thread a connection. As a context it is stopped at the end."""

    def __init__(self, authority=None, port=0):
        self.authority = authority
        self.context = authority.context() if authority else None
        self.listener = socket.create_server(("127.0.0.1", port), backlog=256)
        self.port = self.listener.getsockname()[1]
        self.url = "%s://127.0.0.1:%d" % ("https" if authority else "http", self.port)
        self.lock, self.stopped = threading.Lock(), threading.Event()
        self.rules, self.sockets = {}, set()
        self.requests = []     # in the order in which they came
        self.gone = []         # requests whose sender went away before an answer
        self.connections = 0   # that were ever taken
        self.open_peak = 0     # connections at once
        self.in_flight = self.peak = 0  # requests at once
        threading.Thread(target=self._accept, daemon=True).start()

    def on(self, method, path, *actions):
        """Replaces what was said of this method and path; counting begins anew."""
        with self.lock:
            self.rules[method, path] = [actions, 0]
        return self

    def asked(self, method, path):
        """The requests of this method and path so far."""
        return [r for r in list(self.requests) if (r.method, r.path) == (method, path)]

    def note_gone(self, request):
        with self.lock:
            self.gone.append(request)

    def record(self):
        return {"requests": [request.record() for request in self.requests],
                "connections": self.connections, "peak": self.peak, "gone": len(self.gone)}

    def stop(self):
        """New connections are refused, those that are there are broken off."""
        self.stopped.set()
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        with self.lock:
            sockets = list(self.sockets)
        for connection in sockets:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.context:
                connection = self.context.wrap_socket(connection, server_side=True,
                                                      do_handshake_on_connect=False)
            with self.lock:
                self.connections += 1
                number = self.connections
                self.sockets.add(connection)
                self.open_peak = max(self.open_peak, len(self.sockets))
            threading.Thread(target=self._serve, args=(connection, number), daemon=True).start()

    def _serve(self, connection, number):
        try:
            if self.context:
                connection.do_handshake()
            with connection.makefile("rb") as stream:
                while (request := read_request(connection, stream, number)) is not None:
                    if not self._answer(Exchange(self, connection, request)):
                        break
        except (Ended, OSError, ValueError):
            pass  # who asked learns of it by the end of the connection
        finally:
            with self.lock:
                self.sockets.discard(connection)
            connection.close()

    def _answer(self, exchange):
        request = exchange.request
        with self.lock:
            self.requests.append(request)
            self.in_flight += 1
            self.peak = max(self.peak, self.in_flight)
            action = self._action(request)
        try:
            action(exchange)
            return exchange.keeps
        finally:
            with self.lock:
                self.in_flight -= 1

    def _action(self, request):
        keys = [key for key in self.rules if key[0] == request.method and (
            key[1] == request.path or key[1].endswith("*") and request.path.startswith(key[1][:-1]))]
        if not keys:
            return answer(404, {"name": "not_found", "message": "no such path"})
        rule = self.rules[max(keys, key=lambda key: len(key[1]))]
        rule[1] += 1
        request.number = rule[1]
        return rule[0][min(rule[1], len(rule[0])) - 1]


def read_request(connection, stream, number):
    """The next request of a connection; None: there is none."""
    line = stream.readline(HEAD_BYTES_MAX)
    if not line.strip():
        return None
    method, target, _ = line.decode("latin-1").split(" ", 2)
    headers = {}
    while (line := stream.readline(HEAD_BYTES_MAX)).strip():
        name, value = line.decode("latin-1").split(":", 1)
        headers[name.strip().lower()] = value.strip()
    if headers.get("expect", "").lower() == "100-continue":
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return Request(method, target, headers, b"".join(read_chunks(stream)), number)
    size = int(headers.get("content-length", 0))
    body = stream.read(size)
    if len(body) < size:
        return None
    return Request(method, target, headers, body, number)


def read_chunks(stream):
    while size := int(stream.readline(HEAD_BYTES_MAX).split(b";")[0], 16):
        yield stream.read(size)
        stream.readline(HEAD_BYTES_MAX)
    while stream.readline(HEAD_BYTES_MAX).strip():
        pass


BY_NAME = {function.__name__: function for function in (
    answer, raw, hang, close, reset, oversize, gzip_bomb, many_headers, wrong_length, bad_json,
    bad_utf8, wrong_type, too_many, should_retry, redirect)}


def action_of(row):
    """An action from a row of a script."""
    row = dict(row)
    if row.get("do") == "sse":
        return sse(*row.get("events", ()), piece=row.get("piece", 0))
    spoilt = {name: row.pop(name) for name in ("after", "slowly", "cut") if name in row}
    action = BY_NAME[row.pop("do")](**row)
    if "cut" in spoilt:
        action = cut(spoilt["cut"], action)
    if spoilt.get("slowly"):
        action = slowly(action)
    return after(spoilt["after"], action) if "after" in spoilt else action


def main():
    server = FakeServer()
    if len(sys.argv) > 1:
        with open(sys.argv[1], encoding="utf-8") as script:
            for key, rows in json.load(script).items():
                server.on(*key.split(" ", 1), *map(action_of, rows))
    print("listening %d" % server.port, flush=True)
    for _ in sys.stdin:
        print(json.dumps(server.record()), flush=True)


if __name__ == "__main__":
    main()
