"""The servers behind the gateway: how each is started, and what is asked of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from harness.clients import ALL_FEATURES, Target
from harness.places import NODE, PACKAGES, PEERS, PYTHON
from harness.process import Failed, Server
from harness.steps import EVERYTHING, LIST, UNKNOWN, call, cli



@dataclass(frozen=True)
class Plugin:
    """One server as a plugin of the gateway."""

    id: str
    steps: list[dict]
    command: list[str] = field(default_factory=list)
    serves_http: bool = False
    era: str = "auto"
    # What the clients declare and answer, see clients/steps.mjs.
    can: tuple[str, ...] = ()


TIME_STEPS = [
    LIST,
    cli(call("convert_time", source_timezone="Europe/Berlin", time="12:30", target_timezone="Asia/Tokyo")),
    cli(call("convert_time", source_timezone="Nowhere/Here", time="12:30", target_timezone="Asia/Tokyo")),
    call("convert_time", source_timezone="Europe/Berlin", time="25:99", target_timezone="Asia/Tokyo"),
    UNKNOWN,
]


def everything(face: str) -> Plugin:
    """server-everything, which speaks legacy MCP over stdio and over HTTP."""
    main = str(PACKAGES / "server-everything/dist/index.js")
    if face == "stdio":
        return Plugin("everything", EVERYTHING, [str(NODE), main, "stdio"], can=ALL_FEATURES)
    # By itself it listens on every address and on a port it was told.
    command = [str(NODE), "--import", (PEERS / "node/loopback.mjs").as_uri(), main, "streamableHttp"]
    return Plugin("everything", EVERYTHING, command, serves_http=True, can=ALL_FEATURES)


def filesystem(scratch: Path) -> Plugin:
    """server-filesystem on a folder with two files and an empty folder."""
    folder = scratch / "files"
    (folder / "empty").mkdir(parents=True)
    (folder / "a.txt").write_text("first line\nsecond line, ünï\n")
    (folder / "b.txt").write_text("")
    steps = [
        LIST,
        cli(call("read_text_file", path=str(folder / "a.txt"))),
        cli(call("read_text_file", path="/etc/hostname")),
        call("list_directory", path=str(folder / "empty")),
        call("read_text_file", path=str(folder / "a.txt"), head=1),
        call("read_multiple_files", paths=[str(folder / "a.txt"), str(folder / "missing.txt")]),
        call("write_file", path=str(folder / "c.txt"), content="written\n"),
        UNKNOWN,
    ]
    return Plugin("files", steps, [str(NODE), str(PACKAGES / "server-filesystem/dist/index.js"), str(folder)])


def time(era: str) -> Plugin:
    """mcp-server-time, which speaks both eras."""
    command = [str(PYTHON), "-m", "mcp_server_time", "--local-timezone", "Europe/Berlin"]
    return Plugin("time", TIME_STEPS, command, era=era)


def ours(era: str, ear: int | None = None) -> Target:
    """servers/legacy.mjs or servers/modern.py, which have the same tools."""
    heard = () if ear is None else ("--ear", str(ear))
    if era == "legacy":
        return Target(command=(str(NODE), str(PEERS / "servers/legacy.mjs"), *heard))
    return Target(command=(str(PYTHON), "-B", str(PEERS / "servers/modern.py"), *heard))


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
