"""Calls beside each other: none waits for another, none gets what belongs to another."""

from suite.inbox import Trouble
from suite.jsontext import Number, at, dump
from suite.registry import probe
from suite.stage import Stage


@probe("A slow call does not delay a fast one")
def slow_beside_fast(stage: Stage) -> None:
    gate = stage.mark("gate")
    slow = stage.start_call("hold", {"until": gate})
    stage.wait_told("held", what=gate)
    fast = stage.start_call("echo", {"fast": True})
    order = ["fast", "slow"]
    try:
        stage.client.answer(fast[1])
    except Trouble:
        # Late is all it may be: with the slow one let go, it has to come.
        order = ["slow", "fast"]
    stage.observer.command(do="release", what=gate)
    answers = {"fast": stage.client.answer(fast[1]), "slow": stage.client.answer(slow[1])}
    stage.skip()
    for name in order:
        stage.note_fact(f"the {name} call", answers[name].get("result"))


@probe("Five calls at once are all answered, each with its own")
def many_at_once(stage: Stage) -> None:
    gate = stage.mark("gate")
    calls = [
        stage.start_call("hold", {"until": gate, "number": number}, label=f"call {number}") for number in range(5)
    ]
    stage.wait_told("held", times=5, what=gate)
    stage.observer.command(do="release", what=gate)
    for call in calls:
        stage.finish(call)
    stage.clients.sort(key=lambda seen: seen.label)


@probe("A cancelled call is cancelled at the server, and the next one works")
def cancel(stage: Stage) -> None:
    gate = stage.mark("gate")
    client, id, *_ = stage.start_call("hold", {"until": gate})
    stage.wait_told("held", what=gate)
    client.cancel(id, "no longer needed \u2028")
    stage.wait_told("cancelled", about=dump({"until": gate}))
    stage.told("cancelled", "about", "reason")
    stage.servers = [seen for seen in stage.servers if at(seen.body, "about", "until") == gate]
    stage.call("echo", {"after": "the cancelled one"})


@probe("The same id, used by two clients at once, gets each its own answer")
def same_id(stage: Stage) -> None:
    gate, clients = stage.mark("gate"), [stage.open(), stage.open()]
    calls = [
        stage.start_call("hold", {"until": gate, "mark": number}, client, id=Number("7"))
        for number, client in enumerate(clients)
    ]
    stage.wait_told("held", times=2, what=gate)
    fast = [
        stage.start_call("echo", {"mark": number}, client, id=Number("8")) for number, client in enumerate(clients)
    ]
    for started in fast:
        stage.finish(started)
    stage.observer.command(do="release", what=gate)
    for started in calls:
        stage.finish(started)


@probe("Progress under the same token reaches each of two clients its own")
def progress_two_clients(stage: Stage) -> None:
    clients = [stage.open(), stage.open()]
    calls = [
        stage.start_call("progress", {"mark": str(number)}, client, params={"_meta": {"progressToken": "same"}})
        for number, client in enumerate(clients)
    ]
    for started in calls:
        stage.finish(started)


@probe("Log messages reach the client whose call they belong to, and no other")
def log_two_clients(stage: Stage) -> None:
    one, other = stage.open(), stage.open()
    for client in (one, other):
        if client.era == "legacy":
            stage.ask("logging/setLevel", {"level": "debug"}, client)
        client.level = "debug"
    stage.call("talk", {"mark": 1}, one)
    stage.call("echo", {"mark": 2}, other)
    stage.call("talk", {"mark": 3}, one)


@probe("A call that the server dies in is answered, and the next one works in the same session")
def call_crash(stage: Stage) -> None:
    client = stage.open()
    stage.warm(client)
    started = stage.start_call("crash", {}, client)
    try:
        answer = client.finish(*started[1:])
        outcome = "failed" if "error" in answer or at(answer, "result", "isError") is True else answer
    except Trouble as trouble:
        # Without a gateway the end of the server is the end of the connection. A gateway has to answer.
        outcome = "failed" if stage.direct else str(trouble)
    stage.note_fact("the call that the server died in", outcome)
    stage.skip(client)
    if stage.direct:
        client = stage.open()
    stage.call("echo", {"after": "the crash"}, client)
    # To other clients of a server over HTTP, its crash is the end of their sessions as well.
    stage.drop_client()
