"""What the server does with a message, whatever the era and the transport."""

import asyncio
from collections.abc import Callable

from reference import legacy, lists, modern, tasks, tools
from reference.call import CAPABILITIES_KEY, VERSION_KEY, Call, InputRequired, Peer, Refusal
from reference.journal import Journal
from reference.offering import Offering
from suite.jsontext import Number, dump

Send = Callable[[dict], None]


class Engine:
    """The server behind its faces. One per process."""

    def __init__(self, era: str, name: str, journal: Journal):
        self.era = era
        self.name = name
        self.journal = journal
        self.offering = Offering(name)
        self.peers: set = set()
        self.listens: list = []
        self.tasks: dict = {}
        self._gates: dict[str, asyncio.Event] = {}
        self._asked = 0
        self.on_crash: Callable[[], None] = lambda: None
        own = modern.METHODS if era == "modern" else legacy.METHODS
        self._methods = {**lists.METHODS, **tools.METHODS, **tasks.METHODS, **own}

    def next_id(self) -> Number:
        self._asked += 1
        return Number(str(self._asked))

    def gate(self, name: str) -> asyncio.Event:
        """Opens when the observer says so."""
        return self._gates.setdefault(name, asyncio.Event())

    def command(self, command: dict) -> None:
        """Does what the observer commands."""
        if command["do"] == "release":
            self.gate(command["what"]).set()
        elif command["do"] == "change":
            self.offering.change(command["kind"], command["on"])
            self._broadcast(f"notifications/{command['kind']}/list_changed", None)
        elif command["do"] == "update":
            self._broadcast("notifications/resources/updated", command["uri"])

    def _broadcast(self, method: str, uri: str | None) -> None:
        message = {"jsonrpc": "2.0", "method": method}
        extra = {"uri": uri, "title": "new", "x": Number("1.0")} if uri else {}
        for peer in self.peers:
            if uri is None or uri in peer.watched:
                peer.send({**message, "params": extra} if extra else message)
        for listen in self.listens:
            if listen.wants(method, uri):
                listen.send({**message, "params": {"_meta": listen.meta, **extra}})

    def receive(self, message: dict, peer: Peer, send: Send, headers: dict | None = None) -> asyncio.Task | None:
        """Notes a message and starts what it asks for. A request's task ends when its answer was sent."""
        question = peer.questions.get(message.get("id")) if "method" not in message else None
        about = {"about": question.about} if question else {}
        self.journal.tell("received", text=dump(message), headers=headers or {}, **about)
        if question is not None:
            if not question.done():
                question.set_result(message.get("result", {"error": message.get("error")}))
            return None
        if "method" not in message:
            return None
        if "id" not in message:
            self._notified(message, peer)
            return None
        task = asyncio.ensure_future(self._answer(Call(self, peer, message, send)))
        peer.calls[message["id"]] = task
        task.add_done_callback(lambda _: peer.calls.pop(message["id"], None))
        return task

    def _notified(self, message: dict, peer: Peer) -> None:
        if message["method"] != "notifications/cancelled":
            return
        task = peer.calls.get(message["params"].get("requestId"))
        if task is not None:
            task.cancel(dump(message["params"].get("reason")))

    async def _answer(self, call: Call) -> None:
        try:
            if self.era == "modern":
                _need_meta(call)
            method = self._methods.get(call.method)
            if method is None:
                raise Refusal(-32601, f"Method not found: {call.method}")
            result = await method(call)
            body = {"result": modern.finish(call, result) if self.era == "modern" else result}
        except InputRequired as needed:
            body = {"result": needed.result}
        except Refusal as refusal:
            body = {"error": refusal.error}
        except asyncio.CancelledError as cancelled:
            self.journal.tell("cancelled", about=dump(call.params.get("arguments")), reason=str(cancelled))
            return
        except Exception as defect:  # A defect of this server must be told, not waited for.
            body = {"error": {"code": -32603, "message": f"defect of the reference server: {defect!r}"}}
        call.send({"jsonrpc": "2.0", "id": call.id, **body})


def _need_meta(call: Call) -> None:
    for key in (VERSION_KEY, CAPABILITIES_KEY):
        if key not in call.meta:
            raise Refusal(-32602, f"_meta lacks {key}")
    if call.meta[VERSION_KEY] != modern.MODERN_VERSION:
        data = {"supported": [modern.MODERN_VERSION], "requested": call.meta[VERSION_KEY]}
        raise Refusal(-32022, "Unsupported protocol version", data)
