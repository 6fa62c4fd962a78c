"""Tasks: the extension io.modelcontextprotocol/tasks, and the experimental ones of 2025-11-25.

Nothing works in the background: a task moves on when it is asked for, so that its states follow from the requests.
"""

from reference import ask
from reference.call import Call, Refusal
from suite.jsontext import Number, dump

_TIMES = {"createdAt": "2026-01-01T00:00:00Z", "lastUpdatedAt": "2026-01-01T00:00:01Z"}


def _state(id: str, status: str) -> dict:
    hints = {"ttlMs": 60000, "pollIntervalMs": Number("10")}
    return {"x": Number("1.0"), "taskId": id, "status": status, "statusMessage": f"{status} \u2028", **_TIMES, **hints}


def _result(call: Call, given: object) -> dict:
    return {"content": [{"type": "text", "text": "worked"}], "structuredContent": {"given": given}, "isError": False}


async def work(call: Call) -> dict:
    """A task, where the client knows tasks; else the result itself."""
    if call.params.get("task") is not None:
        return create_legacy(call)
    if not call.modern or not call.knows_tasks:
        return _result(call, None)
    id = call.arguments.get("task", "task-0")
    needs_input = call.arguments.get("input", False)
    call.engine.tasks[id] = {"polls": 0, "needs_input": needs_input, "given": None}
    return {**_state(id, "working"), "resultType": "task", "_meta": {"z": 1, "a": 2}}


def create_legacy(call: Call) -> dict:
    id = call.arguments.get("task", "task-0")
    task = {"taskId": id, "status": "working", "ttl": call.params["task"].get("ttl"), "pollInterval": Number("10")}
    call.engine.tasks[id] = {"state": {**task, **_TIMES, "x": Number("1.0")}, "result": _result(call, None)}
    return {"task": call.engine.tasks[id]["state"], "_meta": {"z": 1, "a": 2}}


def _find(call: Call) -> dict:
    task = call.engine.tasks.get(call.params.get("taskId"))
    if task is None:
        raise Refusal(-32602, "No such task", {"taskId": call.params.get("taskId")})
    return task


async def _get(call: Call) -> dict:
    task, id = _find(call), call.params["taskId"]
    if not call.modern:
        return {**task["state"], "status": "completed"}
    task["polls"] += 1
    if task["needs_input"] and task["given"] is None:
        method, params = ask.question(call, "form", id)
        return {**_state(id, "input_required"), "inputRequests": {"first": {"method": method, "params": params}}}
    if task["polls"] < 2:
        return _state(id, "working")
    return {**_state(id, "completed"), "result": _result(call, task["given"])}


async def _update(call: Call) -> dict:
    _find(call)["given"] = call.params.get("inputResponses")
    return {}


async def _cancel(call: Call) -> dict:
    task = _find(call)
    call.engine.journal.tell("task cancelled", id=dump(call.params["taskId"]))
    return {} if call.modern else {**task["state"], "status": "cancelled"}


async def _list(call: Call) -> dict:
    return {"tasks": [task["state"] for task in call.engine.tasks.values() if "state" in task], "x": Number("1.0")}


METHODS = {"tasks/get": _get, "tasks/update": _update, "tasks/cancel": _cancel, "tasks/list": _list}
