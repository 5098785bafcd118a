"""Arcade as tests want it: its REST interface on loopback, with tools that a test makes up.

    arcade = FakeArcade(key="k")
    arcade.offer("Math.Add", lambda input, user: input["a"] + input["b"], a="integer", b="integer")

What is not scripted is answered as Arcade does. A script goes before: on("POST", EXECUTE,
answer(503), arcade.execute) fails once, and then runs the tool.
"""
import itertools
import time

from fake_http import FakeServer, after, answer, choose

HEALTH, TOOLS = "/v1/health", "/v1/tools"
EXECUTE, AUTHORIZE, STATUS = "/v1/tools/execute", "/v1/tools/authorize", "/v1/auth/status"

# Every kind of error that an execution may end with.
KINDS = """TOOLKIT_LOAD_FAILED TOOL_DEFINITION_BAD_DEFINITION TOOL_DEFINITION_BAD_INPUT_SCHEMA
TOOL_DEFINITION_BAD_OUTPUT_SCHEMA TOOL_REQUIREMENTS_NOT_MET TOOL_RUNTIME_BAD_INPUT_VALUE
TOOL_RUNTIME_BAD_OUTPUT_VALUE TOOL_RUNTIME_RETRY TOOL_RUNTIME_CONTEXT_REQUIRED TOOL_RUNTIME_FATAL
CONTEXT_CHECK_FAILED CONTEXT_DENIED UPSTREAM_RUNTIME_BAD_REQUEST UPSTREAM_RUNTIME_AUTH_ERROR
UPSTREAM_RUNTIME_NOT_FOUND UPSTREAM_RUNTIME_VALIDATION_ERROR UPSTREAM_RUNTIME_RATE_LIMIT
UPSTREAM_RUNTIME_SERVER_ERROR UPSTREAM_RUNTIME_UNMAPPED NETWORK_TRANSPORT_RUNTIME_TIMEOUT
NETWORK_TRANSPORT_RUNTIME_UNREACHABLE NETWORK_TRANSPORT_RUNTIME_UNMAPPED UNKNOWN""".split()


class ToolError(Exception):
    """Raised by a tool: the execution ends with this kind of error."""

    def __init__(self, kind, message="it broke", can_retry=False, **more):
        super().__init__(message)
        self.error = {"kind": kind, "message": message, "can_retry": can_retry, **more}


def failure(status, name, message):
    return answer(status, {"name": name, "message": message})


def value_schema(val_type):
    """'integer'; 'array of string'; a list of texts: one of these."""
    if isinstance(val_type, list):
        return {"val_type": "string", "inner_val_type": None, "enum": val_type}
    outer, _, inner = val_type.partition(" of ")
    return {"val_type": outer, "inner_val_type": inner or None, "enum": None}


class Leave:
    """Of one user for one tool: pending so many times, then decided."""

    def __init__(self, id, pending, decided, url):
        self.id, self.pending, self.decided, self.url = id, pending, decided, url

    def look(self):
        status, self.pending = ("pending" if self.pending > 0 else self.decided), self.pending - 1
        context = {"token": "token-of-" + self.id} if status == "completed" else {}
        return {"id": self.id, "provider_id": "google", "scopes": ["mail.read"], "status": status,
                "url": self.url, "context": context}


class FakeArcade(FakeServer):
    def __init__(self, key="arc_test_key", **more):
        super().__init__(**more)
        self.key, self.definitions, self.runs = key, {}, {}
        self.leaves, self.wanted, self.numbers = {}, {}, itertools.count(1)
        self.executed = []  # (tool, input, user), in the order in which they began
        self.poll_s = 0.05  # how long a poll waits that could wait longer
        self.execute = self._checked(self._execute)
        self.list = self._checked(self._list)
        self.authorize = self._checked(self._authorize)
        self.status = self._checked(self._status)
        self.describe = self._checked(self._describe)
        self.unlisted = set()  # names that only those learn who ask for them by name
        self.on("GET", HEALTH, answer(200, {"healthy": True}))
        self.on("GET", TOOLS, self.list).on("POST", EXECUTE, self.execute)
        self.on("GET", TOOLS + "/*", self.describe)
        self.on("POST", AUTHORIZE, self.authorize).on("GET", STATUS, self.status)

    def offer(self, name, run, version="1.0.0", description="A tool.", required=(), returns="json",
              **parameters):
        """A tool; flags among the parameters say how it behaves: read_only, idempotent."""
        toolkit, short = name.split(".")
        behavior = {flag: parameters.pop(flag) for flag in
                    ("read_only", "idempotent", "destructive", "open_world") if flag in parameters}
        self.definitions[name] = {
            "name": short, "qualified_name": name, "fully_qualified_name": name + "@" + version,
            "description": description, "toolkit": {"name": toolkit, "version": version},
            "input": {"parameters": [
                {"name": parameter, "required": parameter in required, "inferrable": True,
                 "description": "", "value_schema": value_schema(val_type)}
                for parameter, val_type in parameters.items()]},
            "output": {"available_modes": ["value", "error"],
                       "value_schema": value_schema(returns)},
            "requirements": {"authorization": None, "secrets": [], "met": True},
            "metadata": {"behavior": behavior}}
        self.runs[name] = run
        return self

    def withdraw(self, name):
        del self.definitions[name], self.runs[name]

    def needs_leave(self, name, pending=0, decided="completed",
                    url="https://accounts.example/allow?client=fact&state=%s"):
        """Each user must have allowed the tool: so many looks later it is decided."""
        self.definitions[name]["requirements"]["authorization"] = {
            "provider_id": "google", "provider_type": "oauth2", "oauth2": {"scopes": ["mail.read"]}}
        self.wanted[name] = (pending, decided, url)
        self.leaves = {key: leave for key, leave in self.leaves.items() if key[0] != name}
        return self

    def _checked(self, function):
        """Nobody is answered without the key."""
        def pick(request):
            if request.headers.get("authorization") != "Bearer " + self.key:
                return failure(401, "unauthorized", "no such key")
            return function(request)

        return choose(pick)

    def _list(self, request):
        limit, offset = int(request.query.get("limit", 25)), int(request.query.get("offset", 0))
        if not 1 <= limit <= 100:
            return failure(400, "bad_request", "limit must be 1 to 100")
        toolkit = request.query.get("toolkit")
        rows = [row for name, row in sorted(self.definitions.items())
                if toolkit in (None, row["toolkit"]["name"]) and name not in self.unlisted]
        items = rows[offset:offset + limit]
        return answer(200, {"items": items, "limit": limit, "offset": offset,
                            "page_count": len(items), "total_count": len(rows)})

    def _describe(self, request):
        row = self.definitions.get(request.path[len(TOOLS) + 1:])
        return answer(200, row) if row else failure(404, "not_found", "no such tool")

    def _execute(self, request):
        body = request.json
        name, user = body["tool_name"], body.get("user_id")
        version = self.definitions[name]["toolkit"]["version"] if name in self.runs else None
        if body.get("tool_version", version) != version:
            return failure(404, "not_found", "no tool %s of this version" % name)
        if name not in self.runs:
            return failure(404, "not_found", "no tool " + name)
        if not user:
            return failure(400, "bad_request", "user_id is missing")
        if name in self.wanted and self._leave(name, user).look()["status"] != "completed":
            return self._ended(None, {"error": {"kind": "TOOL_REQUIREMENTS_NOT_MET", "message":
                                                "not allowed", "can_retry": False},
                                      "authorization": self._leave(name, user).look()})
        self.executed.append((name, body.get("input"), user))
        begun = time.monotonic()
        try:
            value = self.runs[name](body.get("input"), user)
        except ToolError as error:
            return self._ended(begun, {"error": error.error})
        return value if callable(value) else self._ended(begun, {"value": value})

    def _ended(self, begun, output):
        number = next(self.numbers)
        success = "value" in output
        return answer(200, {
            "id": "tc_%d" % number, "execution_id": "te_%d" % number, "execution_type": "immediate",
            "status": "success" if success else "failed", "success": success,
            "duration": (time.monotonic() - begun) * 1000 if begun else 0,
            "finished_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "output": {**output, "logs": []}})

    def _leave(self, name, user):
        if (name, user) not in self.leaves:
            id = "ar_%d" % next(self.numbers)
            pending, decided, url = self.wanted[name]
            self.leaves[name, user] = Leave(id, pending, decided, url.replace("%s", id))
        return self.leaves[name, user]

    def _authorize(self, request):
        name, user = request.json["tool_name"], request.json.get("user_id")
        if name not in self.runs:
            return failure(404, "not_found", "no tool " + name)
        if name not in self.wanted:
            return answer(200, {"status": "completed"})
        return answer(200, {**self._leave(name, user).look(), "user_id": user})

    def _status(self, request):
        wait = int(request.query.get("wait", 0))
        if not 0 <= wait <= 59:
            return failure(400, "bad_request", "wait must be 0 to 59")
        for (_, user), leave in list(self.leaves.items()):
            if leave.id == request.query.get("id"):
                reply = answer(200, {**leave.look(), "user_id": user})
                return after(self.poll_s, reply) if wait else reply
        return failure(404, "not_found", "no such authorization")
