"""The clients: each connects to a target, takes steps and gives what each step gave.

A result is what the client made of the answer. It is only ever compared with what the same client makes of the same
answer on another way, because every client has its own idea of what to keep.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.places import CLIENTS, NODE, PACKAGES, PYTHON
from harness.process import Failed, run

DEADLINE_S = 90


@dataclass(frozen=True)
class Target:
    """Where a client connects: a URL, or a command that speaks MCP on its stdin and stdout."""

    url: str | None = None
    command: tuple[str, ...] = ()


@dataclass(frozen=True)
class Client:
    """A client and what it can do: only some can take progress or cancel, and to some every step is a process."""

    name: str
    take: Callable[[Target, list[dict], Path], list[dict]]
    all_steps: bool = True
    # Keys of a tool that it keeps or not depending on the era of its connection, whatever the server sent.
    era_tool_keys: tuple[str, ...] = ()


def _script(*command: str | Path) -> Callable[[Target, list[dict], Path], list[dict]]:
    def take(target: Target, steps: list[dict], _scratch: Path) -> list[dict]:
        face = ["--url", target.url] if target.url else ["--stdio", json.dumps(target.command)]
        code, out, err, left = run([*map(str, command), *face, json.dumps(steps)], DEADLINE_S)
        if code != 0:
            raise Failed(f"exit code {code}:\n{out[-1000:]}\n{err[-2000:]}")
        if left:
            raise Failed("\n".join(left))
        # Not splitlines: it also splits at characters that may stand inside a JSON text.
        _connected, *results = [json.loads(line) for line in out.split("\n") if line]
        return results

    return take


def _inspector(era: str) -> Callable[[Target, list[dict], Path], list[dict]]:
    """One process of the Inspector's CLI for each step."""

    def take(target: Target, steps: list[dict], scratch: Path) -> list[dict]:
        if target.url:
            server = {"type": "streamable-http", "url": target.url}
        else:
            server = {"type": "stdio", "command": target.command[0], "args": list(target.command[1:])}
        config = scratch / "inspector.json"
        config.write_text(json.dumps({"mcpServers": {"peer": server}}))
        main = [str(NODE), str(PACKAGES / "inspector/clients/launcher/build/index.js"), "--cli"]
        main += ["--config", str(config), "--server", "peer", "--protocol-era", era, "--format", "json", "--quiet"]
        # It keeps state in the home folder; here it shall find none and leave none.
        home = {"HOME": str(scratch)}
        return [_inspect(main, step, home) for step in steps]

    return take


def _inspect(main: list[str], step: dict, env: dict[str, str]) -> dict:
    if step["do"] == "list":
        what = ["--method", "tools/list"]
    else:
        arguments = json.dumps(step.get("arguments", {}))
        what = ["--method", "tools/call", "--tool-name", step["name"], "--tool-args-json", arguments]
    _, out, err, left = run([*main, *what], DEADLINE_S, env)
    if left:
        raise Failed("\n".join(left))
    try:
        said = json.loads(out)
    except json.JSONDecodeError:
        # It exits with an error and says why on stderr, in an envelope of its own.
        return {"error": {"code": None, "message": err.strip().splitlines()[-1] if err.strip() else "", "data": None}}
    said = said.get("result", said)
    return {"tools": said["tools"]} if step["do"] == "list" else {"result": said}


ALL = [
    Client("ts_legacy", _script(NODE, CLIENTS / "ts_legacy.mjs")),
    Client("ts_auto", _script(NODE, CLIENTS / "ts_auto.mjs"), era_tool_keys=("execution",)),
    Client("py_auto", _script(PYTHON, CLIENTS / "py_modern.py")),
    Client("py_legacy", _script(PYTHON, CLIENTS / "py_modern.py", "--mode", "legacy")),
    Client("inspector", _inspector("legacy"), all_steps=False),
    Client("inspector_auto", _inspector("auto"), all_steps=False, era_tool_keys=("execution",)),
]
