"""A provider of language models on loopback, in both dialects, whose model says what a script says.

    model = FakeModel(key="sk-...")
    model.script("How much?", calls(("SQL_GetSchema", {})), text("So much."))
    model.script("How few?", calls(...), then(lambda turn: text(str(turn.results[0].value["rows"]))))

The n-th turn of a conversation about a question gets the n-th step of its script; the last one stays.
A step is calls(), text(), an action of fake_http, or then(function of the turn that returns one of them).
What does not fit the dialect, or comes without the key, is refused as the provider would.
"""
import json

import fake_http

USAGE = {"input": 100, "output": 10, "cache_read": 7}


class Result:
    """What a call came to, as the model sees it."""

    def __init__(self, id, content, failed):
        self.id, self.value, self.failed = id, json.loads(content), failed


class Turn:
    """One request for a turn, whichever dialect it came in."""

    def __init__(self, dialect, request):
        self.dialect, self.request, self.body = dialect, request, request.json
        self.tools, self.choice = [], None
        self.question, self.rounds, self.results = None, 0, []
        (self._anthropic if dialect == "anthropic" else self._openai)()

    def _anthropic(self):
        self.key = self.request.headers.get("x-api-key")
        self.tools = [tool["name"] for tool in self.body.get("tools", [])]
        self.choice = self.body.get("tool_choice", {}).get("type")
        assert self.request.headers["anthropic-version"] == "2023-06-01"
        assert all(tool["input_schema"]["type"] == "object" for tool in self.body.get("tools", []))
        open_calls = []
        for message in self.body["messages"]:
            blocks = message["content"]
            if message["role"] == "assistant":
                self.rounds += 1
                open_calls = [block["id"] for block in blocks if block["type"] == "tool_use"]
            elif open_calls:
                self.results = [Result(block["tool_use_id"], block["content"],
                                       block.get("is_error", False)) for block in blocks]
                assert [result.id for result in self.results] == open_calls
            else:
                self.question = blocks[0]["text"]

    def _openai(self):
        self.key = self.request.headers.get("authorization", "").removeprefix("Bearer ")
        self.tools = [tool["function"]["name"] for tool in self.body.get("tools", [])]
        self.choice = self.body.get("tool_choice")
        assert all(tool["type"] == "function" for tool in self.body.get("tools", []))
        assert self.body["messages"][0]["role"] == "system"
        open_calls = []
        for message in self.body["messages"][1:]:
            if message["role"] == "assistant":
                self.rounds += 1
                self.results = []
                open_calls = [call["id"] for call in message["tool_calls"]]
            elif message["role"] == "tool":
                value = json.loads(message["content"])
                failed = isinstance(value, dict) and "error" in value
                self.results.append(Result(message["tool_call_id"], message["content"], failed))
            else:
                self.question = message["content"]
        assert [result.id for result in self.results] == open_calls


def calls(*wanted, said=None, usage=USAGE):
    """A turn that asks for tools: pairs of name and arguments; a text in their place is sent as it is."""
    def step(turn):
        numbered = [("call_%d_%d" % (turn.rounds, n), tool, arguments)
                    for n, (tool, arguments) in enumerate(wanted)]
        if turn.dialect == "anthropic":
            blocks = [{"type": "text", "text": said}] if said else []
            blocks += [{"type": "tool_use", "id": id, "name": tool, "input": arguments}
                       for id, tool, arguments in numbered]
            return anthropic(blocks, "tool_use", usage)
        return openai({"content": said, "tool_calls": [
            {"id": id, "type": "function", "function": {
                "name": tool,
                "arguments": arguments if isinstance(arguments, str) else json.dumps(arguments)}}
            for id, tool, arguments in numbered]}, "tool_calls", usage)

    step.is_step = True
    return step


def text(answer, usage=USAGE):
    """A turn that is the answer."""
    def step(turn):
        if turn.dialect == "anthropic":
            return anthropic([{"type": "text", "text": answer}], "end_turn", usage)
        return openai({"content": answer}, "stop", usage)

    step.is_step = True
    return step


def then(function):
    """A step that depends on the turn."""
    def step(turn):
        return function(turn)

    step.is_step = True
    return step


def anthropic(blocks, reason, usage):
    return fake_http.answer(200, {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "fake-1", "content": blocks,
        "stop_reason": reason, "usage": {
            "input_tokens": usage["input"], "output_tokens": usage["output"],
            "cache_creation_input_tokens": 0, "cache_read_input_tokens": usage["cache_read"]}})


def openai(message, reason, usage):
    return fake_http.answer(200, {
        "id": "chatcmpl-1", "object": "chat.completion", "model": "fake-1",
        "choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}],
        "usage": {"prompt_tokens": usage["input"], "completion_tokens": usage["output"],
                  "prompt_tokens_details": {"cached_tokens": usage["cache_read"]}}})


def refused(status, message):
    return fake_http.answer(status, {"error": {"type": "refused", "message": message}})


class FakeModel(fake_http.FakeServer):
    """turns: what was asked, in order, by question."""

    def __init__(self, key, **options):
        super().__init__(**options)
        self.key, self.scripts, self.turns = key, {}, {}
        self.faults = []  # requests that no provider would take, and why
        self.on("POST", "/v1/messages", fake_http.choose(lambda request: self._turn("anthropic", request)))
        self.on("POST", "/v1/chat/completions",
                fake_http.choose(lambda request: self._turn("openai", request)))
        self.on("GET", "/v1/models", fake_http.choose(self._models))

    def script(self, question, *steps):
        self.scripts[question] = steps
        self.turns[question] = []

    def asked_of(self, question):
        return self.turns[question]

    def _models(self, request):
        key = request.headers.get("x-api-key") or request.headers.get("authorization", "")
        if key.removeprefix("Bearer ") != self.key:
            return refused(401, "the key is wrong")
        return fake_http.answer(200, {"data": [{"id": "fake-1"}]})

    def _turn(self, dialect, request):
        try:
            turn = Turn(dialect, request)
            steps = self.scripts[turn.question]
        except (AssertionError, KeyError, ValueError, TypeError) as fault:
            self.faults.append((repr(fault), request.body[:2000]))
            return refused(400, "no such turn")
        if turn.key != self.key:
            return refused(401, "the key %s is wrong" % turn.key)
        self.turns[turn.question].append(turn)
        return self._action_of(steps[min(turn.rounds, len(steps) - 1)], turn)

    @staticmethod
    def _action_of(step, turn):
        """Steps are functions of a turn; what they come to at last is an action."""
        while getattr(step, "is_step", False):
            step = step(turn)
        return step
