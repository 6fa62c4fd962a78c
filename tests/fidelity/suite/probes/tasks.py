"""Tasks: the extension of the modern era, and the experimental ones of 2025-11-25."""

from suite.jsontext import at
from suite.registry import both_legacy, both_modern, probe
from suite.stage import Stage


@probe("A task is created, asked for, and brings its result", both_modern)
def task(stage: Stage) -> None:
    created = stage.call("work", {"task": stage.mark()})
    id = at(created, "result", "taskId") or stage.mark()
    stage.ask("tasks/get", {"taskId": id})
    stage.ask("tasks/get", {"taskId": id, "_meta": {"com.example/k": 1}})
    stage.saw("tasks/get")


@probe("A task that needs input gets it", both_modern)
def task_input(stage: Stage) -> None:
    created = stage.call("work", {"task": stage.mark(), "input": True})
    id = at(created, "result", "taskId") or stage.mark()
    stage.ask("tasks/get", {"taskId": id})
    given = {"first": {"action": "accept", "content": {"name": "\u2028", "age": 1}, "x": None}}
    stage.ask("tasks/update", {"taskId": id, "inputResponses": given})
    stage.ask("tasks/get", {"taskId": id})
    stage.saw("tasks/get", "tasks/update")


@probe("A task can be cancelled", both_modern)
def task_cancelled(stage: Stage) -> None:
    created = stage.call("work", {"task": stage.mark()})
    stage.ask("tasks/cancel", {"taskId": at(created, "result", "taskId") or stage.mark()})
    stage.told("task cancelled", "id")


@probe("A call as an experimental task is created, asked for, and brings its result", both_legacy)
def legacy_task(stage: Stage) -> None:
    created = stage.call("work", {"task": stage.mark()}, params={"task": {"ttl": 60000, "x": 1}})
    id = at(created, "result", "task", "taskId") or stage.mark()
    for method in ("tasks/get", "tasks/result", "tasks/cancel"):
        stage.ask(method, {"taskId": id})
    stage.saw("tools/call", "tasks/get", "tasks/result", "tasks/cancel")


@probe("Experimental tasks are listed", both_legacy)
def legacy_task_list(stage: Stage) -> None:
    client = stage.open()
    stage.call("work", {"task": stage.mark()}, client, params={"task": {"ttl": 60000}})
    stage.clients = []
    answer = stage.ask("tasks/list", {}, client)
    stage.clients = []
    # A server over HTTP has tasks of other probes as well.
    found = [entry for entry in at(answer, "result", "tasks") or [] if at(entry, "taskId") == stage.mark()]
    stage.note_fact("the task in the list", found or answer)
