"""What both sides say of themselves."""

from suite.registry import both_legacy, one_server, probe
from suite.scripted import full_capabilities
from suite.stage import Stage


@probe("What the server says of itself reaches the client")
def greeting(stage: Stage) -> None:
    client = stage.open()
    label = "server/discover" if client.era == "modern" else "initialize"
    stage.note_fact(label, {"result": client.greeting["result"]})


def _capabilities(stage: Stage, capabilities: dict) -> None:
    """The server saw these, in every call: they are the client's, whatever the gateway can do."""
    client = stage.open(capabilities)
    stage.call("whoami", client=client)
    stage.clients = []
    stage.told("capabilities", "seen")


@probe("The server sees all capabilities of the client")
def capabilities_all(stage: Stage) -> None:
    _capabilities(stage, full_capabilities(stage.pair.client_era))


@probe("The server sees that a client has no capabilities")
def capabilities_none(stage: Stage) -> None:
    _capabilities(stage, {})


@probe("The server sees that a client has elicitation by form only")
def capabilities_form(stage: Stage) -> None:
    _capabilities(stage, {"elicitation": {"form": {}}})


@probe("A ping is answered", both_legacy)
def ping(stage: Stage) -> None:
    stage.ask("ping", {})


@probe("The server is told that the client's roots changed", both_legacy)
def roots_changed(stage: Stage) -> None:
    stage.warm()
    stage.client.notify("notifications/roots/list_changed", {"_meta": {"com.example/z": 1, "a": 2}})
    stage.wait_received("notifications/roots/list_changed")
    stage.saw("notifications/roots/list_changed")


@probe("A method of a declared extension passes both ways", one_server)
def extension_method(stage: Stage) -> None:
    stage.ask("com.example/echo", {"value": {"z": [1, None], "a": "\u2028"}, "_meta": {"com.example/k": 1}})
    stage.saw("com.example/echo")


@probe("A notification of a declared extension reaches the server", both_legacy)
def extension_notification(stage: Stage) -> None:
    stage.warm()
    stage.client.notify("notifications/com.example/said", {"z": 1, "a": {"\u2028": None}})
    stage.wait_received("notifications/com.example/said")
    stage.saw("notifications/com.example/said")
