"""What only the legacy era has: the handshake, sessions' wishes, and the experimental tasks of 2025-11-25."""

from reference.call import Call
from reference.offering import INSTRUCTIONS, LEGACY_VERSION, capabilities, server_info
from suite.jsontext import at


async def _initialize(call: Call) -> dict:
    call.peer.capabilities = call.params.get("capabilities", {})
    return {
        "protocolVersion": LEGACY_VERSION,
        "capabilities": capabilities("legacy"),
        "serverInfo": server_info(),
        "instructions": INSTRUCTIONS,
        "_meta": {"com.example/greeting": {"z": 1, "a": 2}},
    }


async def _ping(call: Call) -> dict:
    return {}


async def _set_level(call: Call) -> dict:
    call.peer.level = call.params.get("level")
    return {}


async def _subscribe(call: Call) -> dict:
    call.peer.watched.add(call.params.get("uri"))
    call.engine.journal.tell("watched", uri=call.params.get("uri"))
    return {}


async def _unsubscribe(call: Call) -> dict:
    call.peer.watched.discard(call.params.get("uri"))
    return {}


async def _task_result(call: Call) -> dict:
    task = call.engine.tasks.get(call.params.get("taskId"))
    related = {"io.modelcontextprotocol/related-task": {"taskId": call.params.get("taskId")}}
    return {**(at(task, "result") or {}), "_meta": related}


METHODS = {
    "initialize": _initialize,
    "ping": _ping,
    "logging/setLevel": _set_level,
    "resources/subscribe": _subscribe,
    "resources/unsubscribe": _unsubscribe,
    "tasks/result": _task_result,
}
