"""Resources: what is read, and what is told of those that are watched."""

from suite.inbox import Trouble
from suite.jsontext import dump
from suite.registry import probe
from suite.stage import Stage


def _read(stage: Stage, uri: str) -> None:
    stage.ask("resources/read", {"uri": uri, "_meta": {"com.example/k": {"z": 1, "a": 2}}})
    stage.saw("resources/read")


@probe("A text resource arrives whole")
def read_text(stage: Stage) -> None:
    _read(stage, stage.uri("text"))


@probe("A binary resource arrives whole")
def read_blob(stage: Stage) -> None:
    _read(stage, stage.uri("blob"))


@probe("A ui:// resource arrives with its _meta.ui")
def read_panel(stage: Stage) -> None:
    _read(stage, "ui://ref/panel")


@probe("A resource of a template, not listed, can be read")
def read_templated(stage: Stage) -> None:
    _read(stage, stage.uri("item/b%20c/7"))


@probe("A resource that is not there is refused by the server, with its data")
def read_missing(stage: Stage) -> None:
    _read(stage, stage.uri("missing"))


def _watch(stage: Stage, client, uri: str) -> object:
    if client.era == "modern":
        watching = client.listen({"resourceSubscriptions": [uri]})
        stage.note(client)
    else:
        watching = stage.ask("resources/subscribe", {"uri": uri}, client)
        _need_result(watching, "resources/subscribe")
    return watching


def _need_result(answer: dict, what: str) -> None:
    if "result" not in answer:
        raise Trouble(f"{what}: refused with {dump(answer.get('error'))}")


def _updated(stage: Stage, client, uri: str) -> None:
    since = len(client.inbox.arrivals)
    stage.observer.command(do="update", uri=uri)
    client.wait_for("notifications/resources/updated", since)
    stage.note(client)


@probe("Who watches a resource is told of its update")
def updated(stage: Stage) -> None:
    client = stage.open()
    _watch(stage, client, stage.uri("watched-a"))
    _updated(stage, client, stage.uri("watched-a"))
    _updated(stage, client, stage.uri("watched-a"))


@probe("Who no longer watches a resource is not told of its update")
def unwatched(stage: Stage) -> None:
    client, first, second = stage.open(), stage.uri("watched-a"), stage.uri("watched-b")
    watching = _watch(stage, client, first)
    _watch(stage, client, second)
    if client.era == "modern":
        client.cancel(watching, "no longer needed")
        # The stream is closed, not the connection to the server: what follows is a request of its own.
        stage.call("dotted.name-1", {}, client)
    else:
        stage.ask("resources/unsubscribe", {"uri": first}, client)
    stage.observer.command(do="update", uri=first)
    # The second update comes after the first on the same way: with it here, the first will not come any more.
    _updated(stage, client, second)


@probe("An update reaches the client that watches, and no other")
def updated_two_clients(stage: Stage) -> None:
    one, other = stage.open(), stage.open()
    first, second = stage.uri("watched-a"), stage.uri("watched-b")
    _watch(stage, one, first)
    _watch(stage, other, second)
    _updated(stage, one, first)
    _updated(stage, other, second)
    stage.note(one)
