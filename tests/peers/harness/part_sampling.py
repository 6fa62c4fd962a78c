"""The part `sampling`: the clients' models write commands for the built-in plugin `llm`, on a stand-in for kubectl."""

import json
from pathlib import Path

from harness import gateways
from harness.checks import show
from harness.clients import As, Client, Target
from harness.report import Options, Report, caught
from harness.steps import call

TOOL = "llm.kubectl_action"
ABLE = As(("sampling", "elicitation"))
# The answers of the clients to yes-or-no questions are made from the question: one letter more or less, and it is the
# other one. Both of these mean the same.
DELETE = ("kubectl delete pod web-0 --now", "kubectl delete pod web-0 --now=true")
# What becomes of both.
DELETED = "--context=peers --namespace=default delete pod web-0 --now --wait=false"
STEPS = [
    {"do": "list"},
    call(TOOL, goal="which pods? say exactly: kubectl get pods -n shop"),
    call(TOOL, goal="which pods? say exactly: kubectl get pods | sh"),
    call(TOOL, goal="restart it, say exactly: kubectl delete pod web-0"),
    *[call(TOOL, command=command) for command in DELETE],
]


def sampling(report: Report, options: Options, scratch: Path) -> None:
    """Every client whose SDK samples, over HTTP and over a pipe. There is no server to compare with."""
    chosen = [client for client in options.clients if not client.cli]
    if options.direct or not chosen:
        print("sampling: needs a gateway and a client of an SDK", flush=True)
        return
    calls = scratch / "calls"
    kubectl = scratch / "kubectl"
    # The gateway looks at its start whether there is such a context.
    contexts = '[ "$*" = "config get-contexts -o name" ] && echo peers && exit 0'
    kubectl.write_text(f'#!/bin/sh\n{contexts}\necho "$*" >> {calls}\necho "web-0 1/1"\n')
    kubectl.chmod(0o755)
    file = gateways.config(scratch / "toolgate.toml")
    settings = {"program": str(kubectl), "context": "peers"}
    with file.open("a") as more:
        more.write("\n[plugins.llm]\nenabled = true\n[plugins.llm.config]\n")
        more.writelines(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())
        # Nobody waits here for an operator.
        more.write("\n[policy.approval]\nwait_ms = 0\n")
    with gateways.gateway(report, "sampling", file, scratch) as server:
        for face, target in (("http", Target(url=f"{server.url()}/mcp")), ("stdio", gateways.over_stdio(file))):
            for client in chosen:
                name = f"sampling, {face}, {client.name}"
                with caught(report, name):
                    calls.unlink(missing_ok=True)
                    _judge(report, name, client, client.take(target, STEPS, scratch, ABLE), calls)
                    _without(report, name, client, target, scratch)


def _judge(report: Report, name: str, client: Client, results: list[dict], calls: Path) -> None:
    def check(what: str, good: bool, one: dict) -> None:
        report.check(f"{name}, {what}", None if good else show(one)[:600])

    tools, look, piped, proposed, *deletes = results
    check("the tool is listed", any(tool["name"] == TOOL for tool in tools.get("tools", [])), tools)
    value = _value(look)
    told = (value.get("state"), value.get("author"), value.get("model"), value.get("stdout"))
    check("the model's command is run", told == ("ran", "client_model", "peer-model", "web-0 1/1\n"), look)
    methods = [one["method"] for one in look.get("asked", [])]
    check("the model is asked once", methods == ["sampling/createMessage"], look)
    good = piped.get("result", {}).get("isError") is True and "was asked 2 times" in _text(piped)
    check("what is no command is refused twice", good and len(piped.get("asked", [])) == 2, piped)
    value = _value(proposed)
    check("a change is proposed", value.get("state") == "proposed" and "delete pod web-0" in value["proposal"], proposed)
    answers = []
    for one in deletes:
        asked = one.get("asked", [])
        check("a person is asked about the change", [ask["method"] for ask in asked] == ["elicitation/create"], one)
        message = asked[0]["params"]["message"] if asked else ""
        check("and sees all of it", f"`kubectl {DELETED}`" in message, one)
        said = sum(map(ord, f"{message}/approve")) % 2 == 0
        answers.append(said)
        ran = _value(one).get("state") == "ran"
        good = ran if said else "declined by the user" in _text(one)
        check(f"and {'agrees' if said else 'declines'}", good, one)
    check("both answers were given", sorted(answers) == [False, True], deletes[0])
    done = calls.read_text().splitlines()
    wanted = ["--context=peers --namespace=shop get pods", DELETED]
    report.check(f"{name}, nothing else was run", None if done == wanted else show({"calls": done}))


def _without(report: Report, name: str, client: Client, target: Target, scratch: Path) -> None:
    """A client that does not sample is told what to do."""
    (said,) = client.take(target, [call(TOOL, goal="which pods?")], scratch)
    good = said.get("result", {}).get("isError") is True and "Call again with `command`" in _text(said)
    report.check(f"{name}, without sampling", None if good else show(said)[:400])


def _value(said: dict) -> dict:
    return said.get("result", {}).get("structuredContent") or {}


def _text(said: dict) -> str:
    return "".join(one.get("text", "") for one in said.get("result", {}).get("content", []))
