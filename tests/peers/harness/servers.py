"""The servers behind the gateway: how each is started, what is asked of it, and how the gateway's file names it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from harness.clients import Target
from harness.places import NODE, PACKAGES, PEERS, PYTHON
from harness.process import Failed, Server

SLOW = "trigger-long-running-operation"
# No server has it. Every client asks for it.
UNKNOWN = {"do": "call", "name": "no_such_tool"}


@dataclass(frozen=True)
class Plugin:
    """One server as a plugin of the gateway. The first three steps are a list, a call and a call that fails."""

    id: str
    steps: list[dict]
    command: list[str] = field(default_factory=list)
    serves_http: bool = False
    era: str = "auto"


def _call(name: str, **arguments: object) -> dict:
    return {"do": "call", "name": name, "arguments": arguments}


EVERYTHING_STEPS = [
    {"do": "list"},
    _call("echo", message="plain"),
    _call("echo"),
    _call("echo", message='ünï↯ "quoted" \\ \u2028 😀'),
    _call("get-sum", a=0.1, b=9007199254740991),
    _call("get-structured-content", location="Chicago"),
    _call("get-tiny-image"),
    _call("get-annotated-message", messageType="error", includeImage=True),
    _call("get-resource-links", count=3),
    {"do": "progress", "name": SLOW, "arguments": {"duration": 0.6, "steps": 3}},
    {"do": "cancel", "name": SLOW, "arguments": {"duration": 60, "steps": 300}},
    _call("echo", message="still here"),
    UNKNOWN,
]

TIME_STEPS = [
    {"do": "list"},
    _call("convert_time", source_timezone="Europe/Berlin", time="12:30", target_timezone="Asia/Tokyo"),
    _call("convert_time", source_timezone="Nowhere/Here", time="12:30", target_timezone="Asia/Tokyo"),
    _call("convert_time", source_timezone="Europe/Berlin", time="25:99", target_timezone="Asia/Tokyo"),
    UNKNOWN,
]


def everything(face: str) -> Plugin:
    """server-everything, which speaks legacy MCP over stdio and over HTTP."""
    main = str(PACKAGES / "server-everything/dist/index.js")
    if face == "stdio":
        return Plugin("everything", EVERYTHING_STEPS, [str(NODE), main, "stdio"])
    # By itself it listens on every address and on a port it was told.
    command = [str(NODE), "--import", (PEERS / "node/loopback.mjs").as_uri(), main, "streamableHttp"]
    return Plugin("everything", EVERYTHING_STEPS, command, serves_http=True)


def filesystem(scratch: Path) -> Plugin:
    """server-filesystem on a folder with two files and an empty folder."""
    folder = scratch / "files"
    (folder / "empty").mkdir(parents=True)
    (folder / "a.txt").write_text("first line\nsecond line, ünï\n")
    (folder / "b.txt").write_text("")
    steps = [
        {"do": "list"},
        _call("read_text_file", path=str(folder / "a.txt")),
        _call("read_text_file", path="/etc/hostname"),
        _call("list_directory", path=str(folder / "empty")),
        _call("read_text_file", path=str(folder / "a.txt"), head=1),
        _call("read_multiple_files", paths=[str(folder / "a.txt"), str(folder / "missing.txt")]),
        _call("write_file", path=str(folder / "c.txt"), content="written\n"),
        UNKNOWN,
    ]
    return Plugin("files", steps, [str(NODE), str(PACKAGES / "server-filesystem/dist/index.js"), str(folder)])


def time(era: str) -> Plugin:
    """mcp-server-time, which speaks both eras."""
    command = [str(PYTHON), "-m", "mcp_server_time", "--local-timezone", "Europe/Berlin"]
    return Plugin("time", TIME_STEPS, command, era=era)


@contextmanager
def served(plugin: Plugin, scratch: Path) -> Iterator[Target]:
    """Where the server itself is reached. A server over HTTP runs until the end of the block."""
    if not plugin.serves_http:
        yield Target(command=tuple(plugin.command))
        return
    server = Server(plugin.id, plugin.command, scratch / f"{plugin.id}.log")
    try:
        yield Target(url=f"{server.url()}/mcp")
    except BaseException:
        server.stop()
        raise
    if wrong := server.stop():
        raise Failed("\n".join(wrong))


def config(path: Path, id: str, target: Target, prefix: str | None = None, era: str = "auto") -> Path:
    """Writes a toolgate.toml with one plugin. A target without URL and command is the fixture in the process."""
    runtime = "mcp_http" if target.url else "mcp_stdio" if target.command else "in_process"
    # Some clients list once and do not listen for changes: on a busy machine the first list waits for Node to start.
    lines = ["[server]", "settle_ms = 20000", "", f"[plugins.{id}]", f'runtime = "{runtime}"']
    if prefix is not None:
        lines.append(f"prefix = {json.dumps(prefix)}")
    if era != "auto":
        lines.append(f"era = {json.dumps(era)}")
    lines.append(f"\n[plugins.{id}.{runtime}]")
    if target.url:
        lines.append(f"url = {json.dumps(target.url)}")
    elif target.command:
        lines.append(f"command = {json.dumps(list(target.command))}")
    else:
        lines.append('entry = "builtin:conformance"')
    path.write_text("\n".join(lines) + "\n")
    return path
