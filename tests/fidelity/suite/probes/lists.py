"""Lists and what changes them."""

from suite.canonical import client_side
from suite.client import Client
from suite.jsontext import at
from suite.registry import probe
from suite.stage import Stage

# How the name or URI of what is added ends.
ADDED = ("added", "added_later")


@probe("The list of tools arrives whole")
def tools_list(stage: Stage) -> None:
    stage.list("tools/list", "tools", "name")


@probe("The list of prompts arrives whole")
def prompts_list(stage: Stage) -> None:
    stage.list("prompts/list", "prompts", "name")


@probe("The list of resources arrives whole, from all its pages")
def resources_list(stage: Stage) -> None:
    stage.list("resources/list", "resources", "uri")


@probe("The list of resource templates arrives whole")
def templates_list(stage: Stage) -> None:
    stage.list("resources/templates/list", "resourceTemplates", "uriTemplate")


def _changed(stage: Stage, kind: str, key: str) -> None:
    """One more, and one less: each time the client is told, and the list that it then reads is the new one."""
    client = stage.open()
    # A server that is not started yet has nobody to tell; a call starts it.
    stage.warm(client)
    if client.era == "modern":
        client.listen({f"{kind}ListChanged": True})
        stage.note(client)
    changed = False
    try:
        for on in (True, False):
            since, changed = len(client.inbox.arrivals), on
            stage.observer.command(do="change", kind=kind, on=on)
            told, listed = _until_listed(stage, client, kind, key, since, on)
            stage.clients.append(client_side(client, told))
            stage.note_fact(f"{kind}/list afterwards", listed)
    finally:
        if changed:
            stage.observer.command(do="change", kind=kind, on=False)


def _until_listed(stage: Stage, client: Client, kind: str, key: str, since: int, on: bool) -> tuple[dict, list]:
    """Reads the list whenever the client is told to, until it is the new one. Told more often is no mistake."""
    while True:
        told = client.wait_for(f"notifications/{kind}/list_changed", since)
        since = 1 + next(index for index, arrival in enumerate(client.inbox.arrivals) if arrival.message is told)
        stage.list(f"{kind}/list", kind, key, client)
        listed = [name for name in at(stage.clients.pop().body, "order") or [] if name.endswith(ADDED)]
        if bool(listed) == on:
            return told, listed


@probe("A change of the tools is told, and the new list can be read")
def tools_changed(stage: Stage) -> None:
    _changed(stage, "tools", "name")


@probe("A change of the prompts is told, and the new list can be read")
def prompts_changed(stage: Stage) -> None:
    _changed(stage, "prompts", "name")


@probe("A change of the resources is told, and the new list can be read")
def resources_changed(stage: Stage) -> None:
    _changed(stage, "resources", "uri")
