"""A strict MCP server of either era, on loopback, that errs as it is told to.

    fake = FakeMCP(era="stateless")          or "sessions"; fake.era may change while it runs
    fake.err("tools/call", Err(400, -32020)) the next such request is answered so, once
    fake.stream = True                       answers as events; fake.cut = N: only so many bytes
    fake.pages = [["a"], ["b"]]              names of tools a page; fake.loops: the last points back

What it was asked stands in fake.requests: dicts of method, headers (names in lower case) and body.
"""
import base64
import http.server
import json
import threading
import time
import uuid

STATELESS, SESSIONS = "2026-07-28", "2025-11-25"
META = "io.modelcontextprotocol/"


class Err(Exception):
    """An error of the protocol, or only of HTTP if it has no code; close: not even that."""

    def __init__(self, status, code=None, message="as told", data=None, headers=None, close=False):
        super().__init__(message)
        self.status, self.code, self.message, self.data = status, code, message, data
        self.headers, self.close = headers or {}, close


def tool(name, **more):
    """A definition; x-mcp-header on q, unless told otherwise."""
    definition = {
        "name": name, "description": "Says what it was asked: " + name,
        "inputSchema": {"type": "object", "additionalProperties": False, "properties": {
            "q": {"type": "string", "x-mcp-header": "Query"},
            "wait_ms": {"type": "integer"},
            "fail": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}}}}
    definition.update(more)
    return definition


def decoded(value):
    """The value of a header, out of its base64."""
    if value and value.startswith("=?base64?") and value.endswith("?="):
        return base64.b64decode(value[9:-2]).decode()
    return value


class FakeMCP:
    def __init__(self, era="stateless", tools=None, key=None, port=0):
        self.era, self.key, self.stream, self.cut = era, key, False, None
        self.tools = {one["name"]: one for one in tools or [
            tool("echo", annotations={"readOnlyHint": True}), tool("change")]}
        self.pages, self.loops, self.ttl_ms = [list(self.tools)], False, 0
        self.requests, self.sessions, self.errors, self.cancelled = [], set(), {}, 0
        self.runs = 0
        self.lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"fake": self})
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
        self.http.daemon_threads = True
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    @property
    def url(self):
        return "http://127.0.0.1:%d/mcp" % self.http.server_address[1]

    def stop(self):
        self.http.shutdown()
        self.http.server_close()

    def err(self, method, error):
        """The next request of this method gets this error; several: one after the other."""
        with self.lock:
            self.errors.setdefault(method, []).append(error)

    def lose_sessions(self):
        with self.lock:
            self.sessions.clear()

    def asked(self, method):
        """The requests of this method so far."""
        with self.lock:
            return [request for request in self.requests if request["method"] == method]

    def answer(self, headers, body):
        """The result of a request, and headers to send with it."""
        method, params = body["method"], body.get("params", {})
        with self.lock:
            self.requests.append({"method": method, "headers": headers, "body": body})
            told = self.errors.get(method)
            told = told.pop(0) if told else None
        if told is not None:
            raise told
        if self.key is not None and headers.get("authorization") != "Bearer " + self.key:
            raise Err(401)
        if self.era == "stateless":
            self.check_stateless(headers, method, params)
        elif method != "initialize":
            self.check_session(headers)
        return self.perform(method, params)

    def check_stateless(self, headers, method, params):
        meta = params.get("_meta", {})
        version = headers.get("mcp-protocol-version")
        if META + "protocolVersion" not in meta or META + "clientCapabilities" not in meta:
            raise Err(400, -32602, "_meta is not complete")
        if version != meta[META + "protocolVersion"]:
            raise Err(400, -32020, "version of header and body differ")
        if version != STATELESS:
            raise Err(400, -32022, "Unsupported protocol version",
                      {"supported": [STATELESS], "requested": version})
        wanted = {"mcp-method": method}
        if method == "tools/call":
            wanted["mcp-name"] = params.get("name")
            wanted.update(self.marks(params))
        for name, value in wanted.items():
            if decoded(headers.get(name)) != value:
                raise Err(400, -32020, "%s is %r, not %r" % (name, headers.get(name), value))

    def marks(self, params):
        """What Mcp-Param headers the arguments need."""
        definition = self.tools.get(params.get("name"), {})
        marks = {}
        for name, rule in definition.get("inputSchema", {}).get("properties", {}).items():
            value = params.get("arguments", {}).get(name)
            if "x-mcp-header" in rule and value is not None:
                marks["mcp-param-" + rule["x-mcp-header"].lower()] = str(value)
        return marks

    def check_session(self, headers):
        session = headers.get("mcp-session-id")
        if session is None:
            raise Err(400, -32600, "Bad Request: Missing session ID")
        if session not in self.sessions:
            raise Err(404, -32600, "Session not found")
        if headers.get("mcp-protocol-version") != SESSIONS:
            raise Err(400, -32600, "Bad Request: version")

    def perform(self, method, params):
        if method == "initialize" and self.era == "sessions":
            session = uuid.uuid4().hex
            with self.lock:
                self.sessions.add(session)
            return {"protocolVersion": SESSIONS, "capabilities": {"tools": {}},
                    "serverInfo": {"name": "fake", "version": "1.0.0"}}, {"Mcp-Session-Id": session}
        if method == "server/discover" and self.era == "stateless":
            return self.complete({"supportedVersions": [STATELESS], "capabilities": {"tools": {}}}), {}
        if method == "tools/list":
            return self.complete(self.page(params.get("cursor"))), {}
        if method == "tools/call":
            return self.complete(self.call(params)), {}
        if method in ("ping", "notifications/initialized") and self.era == "sessions":
            return {}, {}
        raise Err(404 if self.era == "stateless" else 200, -32601, "Method not found")

    def complete(self, result):
        if self.era == "stateless":
            result = dict(result, resultType=result.get("resultType", "complete"))
        return result

    def page(self, cursor):
        index = int(cursor) if cursor else 0
        page = {"tools": [self.tools[name] for name in self.pages[index]], "ttlMs": self.ttl_ms,
                "cacheScope": "public"}
        if index + 1 < len(self.pages):
            page["nextCursor"] = str(index + 1)
        elif self.loops:
            page["nextCursor"] = "1"
        return page

    def call(self, params):
        if params.get("name") not in self.tools:
            raise Err(400 if self.era == "stateless" else 200, -32602, "Unknown tool")
        arguments = params.get("arguments", {})
        if arguments.get("fail") == "input":
            return {"resultType": "input_required", "inputRequests": {}}
        if arguments.get("fail"):
            return {"isError": True, "content": [{"type": "text", "text": arguments["fail"]}]}
        time.sleep(arguments.get("wait_ms", 0) / 1000)
        with self.lock:
            self.runs += 1
            return {"content": [], "structuredContent": {"q": arguments.get("q"), "runs": self.runs}}


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake = None

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            self.serve(headers, json.loads(body))
        except (BrokenPipeError, ConnectionResetError):
            self.fake.cancelled += 1
            self.close_connection = True

    def serve(self, headers, body):
        if headers.get("accept") != "application/json, text/event-stream":
            return self.send(406, b"", {})
        try:
            result, more = self.fake.answer(headers, body)
            message, status = {"jsonrpc": "2.0", "id": body.get("id"), "result": result}, 200
        except Err as error:
            if error.close:
                self.close_connection = True
                return None
            more, status = error.headers, error.status
            message = error.code and {
                "jsonrpc": "2.0", "id": body.get("id"),
                "error": {"code": error.code, "message": error.message, "data": error.data}}
        if "id" not in body and status == 200:
            return self.send(202, b"", more)
        if message and self.fake.stream and status == 200:
            return self.send_stream(message, body, more)
        return self.send(status, json.dumps(message).encode() if message else b"",
                         dict(more, **{"Content-Type": "application/json"}))

    def send(self, status, body, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def send_stream(self, message, body, headers):
        """Events, a progress before the answer; cut: the connection ends inside."""
        token = body.get("params", {}).get("_meta", {}).get("progressToken", "nobody asked")
        progress = {"jsonrpc": "2.0", "method": "notifications/progress", "params": {
            "progressToken": token, "progress": 1, "total": 2.5, "message": "half"}}
        events = b": hello\r\n\r\n" + b"".join(
            b"event: message\r\ndata: %s\r\n\r\n" % json.dumps(one).encode()
            for one in (progress, message))
        cut = self.fake.cut if body["method"] == "tools/call" else None
        self.send_response(200)
        for name, value in dict(headers, **{"Content-Type": "text/event-stream"}).items():
            self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for at in range(0, len(events) if cut is None else min(cut, len(events)), 16):
            piece = events[at:at + 16]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        if cut is None:
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.close_connection = True
