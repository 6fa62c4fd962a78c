"""Questions of the server in the middle of a request: requests in the legacy era, rounds in the modern one."""

from suite.client import Client
from suite.registry import both_legacy, probe
from suite.scripted import answers_of
from suite.stage import Stage

ASKED = ("elicitation/create", "sampling/createMessage", "roots/list")


def _ask(stage: Stage, *kinds: str, client: Client | None = None, **more: object) -> dict:
    answer = stage.call("ask", {"questions": list(kinds), **more}, client)
    stage.saw("tools/call", *ASKED)
    return answer


@probe("A question by form reaches the client whole, and its answer the server")
def elicit_form(stage: Stage) -> None:
    _ask(stage, "form")


@probe("A question by URL reaches the client whole, and its answer the server")
def elicit_url(stage: Stage) -> None:
    _ask(stage, "url")


@probe("A sampling request with tools reaches the client whole, and its answer the server")
def sampling(stage: Stage) -> None:
    _ask(stage, "sampling")


@probe("The server gets the client's roots")
def roots(stage: Stage) -> None:
    _ask(stage, "roots")


@probe("Several questions in one call are asked one after the other")
def rounds(stage: Stage) -> None:
    _ask(stage, "form", "sampling", "roots", "form")


@probe("Questions that are asked at once are all answered")
def at_once(stage: Stage) -> None:
    stage.call("ask", {"questions": ["form", "sampling", "roots"], "at_once": True})
    stage.saw(*ASKED)
    # A bridge may put them one after the other: what counts is the end.
    stage.clients = stage.clients[-1:]
    stage.servers = sorted(stage.servers, key=lambda seen: seen.label)


@probe("A declined question stays declined")
def declined(stage: Stage) -> None:
    _ask(stage, "form", client=stage.open(answers=answers_of("", "decline")))


@probe("A cancelled question stays cancelled")
def dismissed(stage: Stage) -> None:
    _ask(stage, "form", client=stage.open(answers=answers_of("", "cancel")))


@probe("A prompt may ask before it is given")
def prompt_asks(stage: Stage) -> None:
    stage.ask("prompts/get", {"name": stage.name("asks")}, label="prompts/get asks")
    stage.saw("prompts/get", *ASKED)


@probe("A resource may ask before it is read")
def resource_asks(stage: Stage) -> None:
    stage.ask("resources/read", {"uri": stage.uri("asks")}, label="resources/read asks")
    stage.saw("resources/read", *ASKED)


@probe("An error instead of an answer reaches the server", both_legacy)
def question_refused(stage: Stage) -> None:
    error = {"code": -1, "message": "User rejected \u2028", "data": {"z": 1, "a": None}}
    _ask(stage, "sampling", client=stage.open(answers=lambda method, params: {"error": error}))


@probe("The client is told that a question was taken back, and that one by URL is done", both_legacy)
def question_withdrawn(stage: Stage) -> None:
    client = stage.open()
    stage.call("take_back", {}, client)


@probe("Questions of two clients' calls reach each its own client")
def questions_two_clients(stage: Stage) -> None:
    clients = {name: stage.open(answers=answers_of(name)) for name in ("one", "two")}
    gate, started = stage.mark("gate"), {}
    for name, client in clients.items():
        arguments = {"questions": ["form", "sampling", "roots"], "mark": f"{name} ", "until": gate}
        started[name] = stage.start_call("ask", arguments, client)
    stage.wait_told("held", times=2, what=gate)
    # Now both are in work; neither has asked yet.
    stage.observer.command(do="release", what=gate)
    for name in clients:
        stage.finish(started[name])
