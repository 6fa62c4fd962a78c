"""One request in work: its way back to the client that sent it, and what it may ask of it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from reference.offering import TASKS
from suite.jsontext import at, dump, parse

VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities"
LEVEL_KEY = "io.modelcontextprotocol/logLevel"
LEVELS = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"]


class Refusal(Exception):
    """Ends a request with a JSON-RPC error."""

    def __init__(self, code: object, message: str, data: object = None):
        super().__init__(message)
        self.error = {"code": code, "message": message, **({} if data is None else {"data": data})}


class InputRequired(Exception):
    """Ends a round of a modern request with questions."""

    def __init__(self, questions: dict, state: str):
        super().__init__("input required")
        self.result = {"resultType": "input_required", "inputRequests": questions, "requestState": state}


@dataclass(eq=False)
class Peer:
    """A client as a legacy server knows it, for as long as its session or its pipe lasts."""

    send: Callable[[dict], None]
    capabilities: dict = field(default_factory=dict)
    level: str | None = None
    watched: set = field(default_factory=set)
    questions: dict = field(default_factory=dict)
    calls: dict = field(default_factory=dict)


class Call:
    """A request, in either era."""

    def __init__(self, engine: object, peer: Peer, message: dict, send: Callable[[dict], None]):
        self.engine = engine
        self.peer = peer
        self.id = message["id"]
        self.method = message["method"]
        self.params = message.get("params") or {}
        self.meta = self.params.get("_meta") or {}
        self.send = send
        self.modern = engine.era == "modern"
        self.arguments = self.params.get("arguments") or {}

    @property
    def capabilities(self) -> object:
        return self.meta.get(CAPABILITIES_KEY) if self.modern else self.peer.capabilities

    @property
    def knows_tasks(self) -> bool:
        return at(self.capabilities, "extensions", TASKS) is not None

    def notify(self, method: str, params: dict) -> None:
        """Tells the client something about this request, on the request's own stream."""
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def log(self, level: str, data: object) -> None:
        """A log message, if the client wants this level. Without a wish a legacy client gets all, a modern one none."""
        wish = self.meta.get(LEVEL_KEY) if self.modern else self.peer.level or "debug"
        if wish in LEVELS and LEVELS.index(level) >= LEVELS.index(wish):
            self.notify("notifications/message", {"level": level, "logger": "ref", "data": data, "x": parse("1.0")})

    async def ask(self, questions: dict[str, tuple[str, dict]]) -> dict:
        """The client's answers to questions that are put at the same time, by their keys."""
        return self._rounds(questions) if self.modern else await self._requests(questions)

    async def _requests(self, questions: dict[str, tuple[str, dict]]) -> dict:
        waiting = {}
        for key, (method, params) in questions.items():
            id = self.engine.next_id()
            waiting[key] = self.peer.questions[id] = asyncio.get_running_loop().create_future()
            waiting[key].about = method
            self.send({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
        return {key: await answer for key, answer in waiting.items()}

    def _rounds(self, questions: dict[str, tuple[str, dict]]) -> dict:
        # The state holds all answers of earlier rounds, so the server itself remembers nothing.
        given = {**self._earlier(), **(self.params.get("inputResponses") or {})}
        if any(key not in given for key in questions):
            asked = {key: {"method": method, "params": params} for key, (method, params) in questions.items()}
            raise InputRequired(asked, "state \u2028 " + dump(given))
        return {key: given[key] for key in questions}

    def _earlier(self) -> dict:
        state = self.params.get("requestState")
        if state is None:
            return {}
        if not isinstance(state, str) or not state.startswith("state \u2028 "):
            raise Refusal(-32602, "this is not the requestState that was given", {"requestState": state})
        return parse(state.removeprefix("state \u2028 "))
