"""A client of either era over any channel. It knows no types: it sends and keeps raw JSON-RPC."""

import threading
from collections.abc import Callable

from suite.inbox import Inbox, Trouble
from suite.jsontext import Number, at, dump

LEGACY_VERSION = "2025-11-25"
MODERN_VERSION = "2026-07-28"
META = "io.modelcontextprotocol/"
INFO = {"name": "fidelity-client", "title": "Fidelity", "version": "1.0.0"}
# More rounds than any probe asks for; a server that goes on asking is stopped here.
MAX_ROUNDS = 8

Answers = Callable[[str, dict], dict]


class Client:
    """One client and its connection. Probes send through it; what comes stands in its inbox."""

    def __init__(self, era: str, channel, capabilities: dict, answers: Answers, patience_s: float):
        self.era = era
        self.capabilities = capabilities
        self.answers = answers
        self.inbox = Inbox(patience_s)
        self.channel = channel
        self.level: str | None = None
        self.labels: dict[object, str] = {}
        self.tokens: dict[object, str] = {}
        self.listens: set = set()
        self.questions: dict[object, str] = {}
        self.noted = 0
        self._count = 0
        self._lock = threading.Lock()
        channel.start(self.inbox, self._came)

    def open(self) -> dict:
        """The handshake of the era; returns its answer."""
        if self.era == "modern":
            greeting = self.answer(self.request("server/discover", {}))
        else:
            greeting = self.answer(self.request("initialize", self._hello()))
            self.channel.version = at(greeting, "result", "protocolVersion")
            self.notify("notifications/initialized")
            self.channel.opened()
        if "result" not in greeting:
            raise Trouble(f"the handshake failed: {dump(greeting.get('error'))}")
        self.noted = len(self.inbox.arrivals)
        return greeting

    def _hello(self) -> dict:
        return {"protocolVersion": LEGACY_VERSION, "capabilities": self.capabilities, "clientInfo": INFO}

    def _came(self, message: dict) -> None:
        """A request of a legacy server is answered where it is read."""
        if "method" not in message or "id" not in message:
            return
        self.questions[message["id"]] = message["method"]
        if message["method"] == "ping":
            body = {"result": {}}
        else:
            answer = self.answers(message["method"], message.get("params") or {})
            body = answer if "error" in answer else {"result": answer}
        try:
            self.channel.send({"jsonrpc": "2.0", "id": message["id"], **body}, {})
        except Trouble as trouble:
            self.inbox.add(f'{{"method":"(an answer was refused)","params":"{type(trouble).__name__}"}}')

    def next_id(self) -> Number:
        with self._lock:
            self._count += 1
            return Number(str(self._count))

    def request(
        self,
        method: str,
        params: dict | None = None,
        label: str | None = None,
        id: object = None,
        headers: dict[str, str] | None = None,
    ) -> object:
        """Sends a request and returns its id. Modern requests get the `_meta` of their era after the caller's own."""
        id = self.next_id() if id is None else id
        params = dict(params or {})
        if self.era == "modern":
            params["_meta"] = {**params.get("_meta", {}), **self._meta()}
        if (token := at(params, "_meta", "progressToken")) is not None:
            self.tokens[token] = "<progress token>"
        self.labels[id] = label or method
        message = {"jsonrpc": "2.0", "id": id, "method": method, **({"params": params} if params else {})}
        self.channel.send(message, headers or {})
        return id

    def _meta(self) -> dict:
        level = {f"{META}logLevel": self.level} if self.level else {}
        return {
            f"{META}protocolVersion": MODERN_VERSION,
            f"{META}clientInfo": INFO,
            f"{META}clientCapabilities": self.capabilities,
            **level,
        }

    def notify(self, method: str, params: dict | None = None) -> None:
        body = {"params": params} if params is not None else {}
        self.channel.send({"jsonrpc": "2.0", "method": method, **body}, {})

    def answer(self, id: object) -> dict:
        """The answer to a request, of whatever kind."""
        label = self.labels[id]
        return self.inbox.wait(f"answer to {label}", lambda message: _answers(message, id), id=id).message

    def finish(self, id: object, method: str, params: dict, headers: dict[str, str] | None = None) -> dict:
        """The last answer to a request: questions of modern servers are answered by further rounds."""
        answer = self.answer(id)
        for _ in range(MAX_ROUNDS):
            result = answer.get("result")
            if at(result, "resultType") != "input_required":
                return answer
            asked = result.get("inputRequests") or {}
            given = {key: self.answers(asked[key].get("method"), asked[key].get("params") or {}) for key in asked}
            retry = {**params, "inputResponses": given}
            if "requestState" in result:
                retry["requestState"] = result["requestState"]
            answer = self.answer(self.request(method, retry, self.labels[id], headers=headers))
        raise Trouble(f"{self.labels[id]}: still asking after {MAX_ROUNDS} rounds")

    def cancel(self, id: object, reason: str) -> None:
        """Cancels a request as era and transport have it."""
        if self.channel.cancels_by_closing:
            self.channel.cancel(id)
        else:
            self.notify("notifications/cancelled", {"requestId": id, "reason": reason})

    def listen(self, filter: dict) -> object:
        """Modern: opens a stream of subscriptions, and waits for its acknowledgement."""
        since = len(self.inbox.arrivals)
        id = self.next_id()
        self.listens.add(id)
        self.request("subscriptions/listen", {"notifications": filter}, id=id)
        self.wait_for("notifications/subscriptions/acknowledged", since, id)
        return id

    def wait_for(self, method: str, since: int, id: object = None) -> dict:
        """The first message with this method from `since` on. An answer to `id` ends the waiting: none will come."""

        def wanted(message: dict) -> bool:
            return message.get("method") == method or (id is not None and _answers(message, id))

        message = self.inbox.wait(method, wanted, since, id).message
        if "method" not in message:
            raise Trouble(f"{method}: refused with {dump(message.get('error', 'a result'))}")
        return message

    def close(self) -> None:
        self.channel.close()


def _answers(message: dict, id: object) -> bool:
    return "method" not in message and message.get("id") == id
