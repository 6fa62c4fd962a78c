"""The tools: each does one thing that gateways are known to lose, change or delay."""

import asyncio
from collections.abc import Awaitable, Callable

from reference import ask, tasks
from reference.call import Call, Refusal
from suite.jsontext import Number, dump


def _text(text: str) -> dict:
    return {"content": [{"type": "text", "text": text}]}


async def _echo(call: Call) -> dict:
    if call.params.get("task") is not None:
        return tasks.create_legacy(call)
    arguments = call.params.get("arguments")
    structured = {"structuredContent": arguments} if isinstance(arguments, dict) else {}
    return {"zz": [Number("1.0"), Number("1e5"), Number("-0")], **_text(dump(arguments)), **structured}


async def _all_content(call: Call) -> dict:
    return call.engine.offering.answers["new content" if call.arguments.get("new") else "content"]


async def _fail_as_result(call: Call) -> dict:
    return call.engine.offering.answers["failure"]


async def _fail_as_error(call: Call) -> dict:
    error = call.engine.offering.answers["error"]
    raise Refusal(call.arguments.get("code", 7), error["message"], error["data"])


async def _progress(call: Call) -> dict:
    token = call.meta.get("progressToken")
    for step in range(10) if token is not None else []:
        params = {"x": Number("1.0"), "progressToken": token, "progress": Number(f"{step}.50"), "total": Number("10.0")}
        call.notify("notifications/progress", {**params, "message": f"step {step} \u2028", "_meta": {"z": 1, "a": 2}})
    return _text(f"done {call.arguments.get('mark', '')}")


async def _talk(call: Call) -> dict:
    for level in ("debug", "info", "warning", "emergency"):
        call.log(level, {"z": Number("1.0"), "a": [f"at {level} \u2028", None]})
    return _text("said")


async def _hold(call: Call) -> dict:
    call.engine.journal.tell("held", what=call.arguments["until"])
    await call.engine.gate(call.arguments["until"]).wait()
    return {**_text("let go"), "structuredContent": call.arguments}


async def _whoami(call: Call) -> dict:
    call.engine.journal.tell("capabilities", seen=dump(call.capabilities))
    return _text(dump(call.capabilities))


async def _ask(call: Call) -> dict:
    if until := call.arguments.get("until"):
        call.engine.journal.tell("held", what=until)
        await call.engine.gate(until).wait()
    mark = call.arguments.get("mark", "")
    answers = await ask.put(call, call.arguments["questions"], call.arguments.get("at_once", False), mark)
    return {**_text("answered"), "structuredContent": {"answers": answers, "mark": mark}}


async def _take_back(call: Call) -> dict:
    """Legacy: asks, and takes the question back before it waits for an answer."""
    id, (method, params) = call.engine.next_id(), ask.question(call, "form", "taken-back")
    call.send({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
    call.notify("notifications/cancelled", {"requestId": id, "reason": "never mind", "x": Number("1.0")})
    call.notify("notifications/elicitation/complete", {"elicitationId": "elicitation-0-url", "x": Number("1.0")})
    return _text("taken back")


async def _big(call: Call) -> dict:
    return _text("é\u2028😀" * 220_000)


async def _crash(call: Call) -> dict:
    call.engine.on_crash()
    raise asyncio.CancelledError("crashed")


TOOLS: dict[str, Callable[[Call], Awaitable[dict]]] = {
    "echo": _echo,
    "all_content": _all_content,
    "fail_as_result": _fail_as_result,
    "fail_as_error": _fail_as_error,
    "progress": _progress,
    "talk": _talk,
    "hold": _hold,
    "whoami": _whoami,
    "ask": _ask,
    "take_back": _take_back,
    "big": _big,
    "crash": _crash,
    "work": tasks.work,
    "routed": _echo,
    "dotted.name-1": _echo,
    "added_later": _echo,
}


async def _call(call: Call) -> dict:
    tool = TOOLS.get(call.params.get("name"))
    if tool is None:
        raise Refusal(-32602, f"Unknown tool: {call.params.get('name')}")
    return await tool(call)


METHODS = {"tools/call": _call}
