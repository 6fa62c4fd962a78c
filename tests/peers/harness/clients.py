"""The clients: each connects to a target, takes steps and gives what each step gave.

A result is what the client made of the answer. It is only ever compared with what the same client makes of the same
answer on another way, because every client has its own idea of what to keep.
"""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from harness.places import CLIENTS, NODE, PACKAGES, PYTHON
from harness.process import Failed, run
from harness.steps import plain

DEADLINE_S = 120
# So many clients at once, processes of the Inspector included. Most of their time they wait, those in TypeScript two
# seconds for the end of a server; but more of them, each with a server that starts, would be too much for two cores.
AT_ONCE = 2
ROOM = threading.BoundedSemaphore(AT_ONCE)
# What the SDK clients can declare and answer, tasks aside.
ALL_FEATURES = ("roots", "sampling", "sampling.tools", "elicitation", "elicitation.url")


@dataclass(frozen=True)
class Target:
    """Where a client connects: a URL, or a command that speaks MCP on its stdin and stdout."""

    url: str | None = None
    command: tuple[str, ...] = ()


@dataclass(frozen=True)
class As:
    """What a client declares and answers, and the name in its answers."""

    can: tuple[str, ...] = ()
    name: str = "peer"


Take = Callable[[Target, list[dict], Path, As], list[dict]]


@dataclass(frozen=True)
class Client:
    """A client and what it can do."""

    name: str
    run: Take
    # How it speaks to a server that speaks both eras.
    era: str
    # The Inspector: every step is a process, and it has a step for few things only.
    cli: bool = False
    # Keys of a tool that it keeps or not depending on the era of its connection, whatever the server sent.
    era_tool_keys: tuple[str, ...] = ()
    # Whether it loses progress that it reads together with the result: it handles results first.
    loses_progress: bool = False

    def takes(self, step: dict) -> bool:
        return (step.get("cli", False) or not self.cli) and (self.era == "legacy" or not step.get("legacy"))

    def take(self, target: Target, steps: list[dict], scratch: Path, as_: As = As()) -> list[dict]:
        return self.run(target, [plain(step) for step in steps], scratch, as_)


def _script(*command: str | Path) -> Take:
    def take(target: Target, steps: list[dict], _scratch: Path, as_: As) -> list[dict]:
        face = ["--url", target.url] if target.url else ["--stdio", json.dumps(target.command)]
        face += ["--can", json.dumps(as_.can), "--name", as_.name]
        with ROOM:
            code, out, err, left = run([*map(str, command), *face, json.dumps(steps)], DEADLINE_S)
        if code != 0:
            raise Failed(f"exit code {code}:\n{out[-1000:]}\n{err[-2000:]}")
        if left:
            raise Failed("\n".join(left))
        # Not splitlines: it also splits at characters that may stand inside a JSON text.
        return [json.loads(line) for line in out.split("\n") if line]

    return take


def _inspector(era: str) -> Take:
    """One process of the Inspector's CLI for each step."""

    def take(target: Target, steps: list[dict], scratch: Path, _as: As) -> list[dict]:
        if target.url:
            server = {"type": "streamable-http", "url": target.url}
        else:
            server = {"type": "stdio", "command": target.command[0], "args": list(target.command[1:])}
        config = scratch / f"inspector.{era}.json"
        config.write_text(json.dumps({"mcpServers": {"peer": server}}))
        main = [str(NODE), str(PACKAGES / "inspector/clients/launcher/build/index.js"), "--cli"]
        main += ["--config", str(config), "--server", "peer", "--protocol-era", era, "--format", "json", "--quiet"]
        # It keeps state in the home folder; here it shall find none and leave none.
        home = {"HOME": str(scratch)}
        # Directly over stdio each waits two seconds for the end of the server.
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(lambda step: _inspect(main, step, home), steps))

    return take


_LISTS = {
    "list": ("tools/list", "tools"),
    "prompts": ("prompts/list", "prompts"),
    "resources": ("resources/list", "resources"),
    "templates": ("resources/templates/list", "resourceTemplates"),
}


def _inspect(main: list[str], step: dict, env: dict[str, str]) -> dict:
    do, arguments = step["do"], step.get("arguments", {})
    if do in _LISTS:
        what = [_LISTS[do][0]]
    elif do == "prompt":
        pairs = [f"{key}={value}" for key, value in arguments.items()]
        what = ["prompts/get", "--prompt-name", step["name"], *(["--prompt-args", *pairs] if pairs else [])]
    elif do == "read":
        what = ["resources/read", "--uri", step["uri"]]
    else:
        what = ["tools/call", "--tool-name", step["name"], "--tool-args-json", json.dumps(arguments)]
    with ROOM:
        _, out, err, left = run([*main, "--method", *what], DEADLINE_S, env)
    if left:
        raise Failed("\n".join(left))
    try:
        said = json.loads(out)
    except json.JSONDecodeError:
        # It exits with an error and says why on stderr, in an envelope of its own.
        return {"error": {"code": None, "message": err.strip().splitlines()[-1] if err.strip() else "", "data": None}}
    said = said.get("result", said)
    return {do if do != "list" else "tools": said[_LISTS[do][1]]} if do in _LISTS else {"result": said}


def at_once(
    take: Callable[[Client], list[dict]], chosen: list[Client], n_at_once: int = AT_ONCE
) -> dict[Client, list[dict] | Exception]:
    """What each of the clients got, or how it broke off."""

    def outcome(client: Client) -> list[dict] | Exception:
        try:
            return take(client)
        except (Failed, OSError, ValueError) as error:
            return error

    with ThreadPoolExecutor(n_at_once) as pool:
        return dict(zip(chosen, pool.map(outcome, chosen), strict=True))


_PY = (PYTHON, "-B", "-W", "ignore", CLIENTS / "py_client.py")
ALL = [
    Client("ts_legacy", _script(NODE, CLIENTS / "ts_legacy.mjs"), "legacy"),
    Client(
        "ts_auto",
        _script(NODE, CLIENTS / "ts_auto.mjs"),
        "modern",
        era_tool_keys=("execution",),
        loses_progress=True,
    ),
    Client("py_auto", _script(*_PY), "modern"),
    Client("py_legacy", _script(*_PY, "--mode", "legacy"), "legacy"),
    Client("inspector", _inspector("legacy"), "legacy", cli=True),
    Client("inspector_auto", _inspector("auto"), "modern", cli=True, era_tool_keys=("execution",)),
]
BY_NAME = {client.name: client for client in ALL}
