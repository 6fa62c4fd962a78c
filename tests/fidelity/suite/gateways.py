"""The gateways: how each is started in front of the reference servers, and how a client reaches it."""

import json
import os
import shlex
import shutil
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from suite.http_channel import HttpChannel
from suite.inbox import Trouble
from suite.pairs import Pair
from suite.processes import Process
from suite.stdio_channel import StdioChannel

FIDELITY = Path(__file__).resolve().parent.parent
START_S = 60
# Between two looks whether a foreign program listens: its end is waited for meanwhile.
LOOK_S = 0.05


class Missing(Exception):
    """A gateway's program is not there."""


@dataclass(frozen=True)
class Server:
    """A reference server: as a command, or running under a URL."""

    name: str
    command: list[str]
    url: str | None = None


@dataclass
class Running:
    """A gateway in front of servers. Each `open` is one more client."""

    open: Callable[[], object]
    stop: Callable[[], None] = lambda: None
    prefix: str = ""
    direct: bool = False


@dataclass(frozen=True)
class Gateway:
    """A recipe."""

    name: str
    start: Callable[[Pair, list[Server], Path, float], Running]
    client_transports: tuple = ("stdio", "http")
    server_transports: tuple = ("stdio", "http")
    several: bool = False


def none() -> Gateway:
    """No gateway: the client is connected to the server itself."""

    def start(pair: Pair, servers: list[Server], folder: Path, patience_s: float) -> Running:
        [server] = servers
        if server.url:
            return Running(lambda: HttpChannel(server.url, pair.client_era, patience_s), direct=True)
        return Running(lambda: StdioChannel(server.command, folder / "server.log"), direct=True)

    return Gateway("none", start)


def toolgate() -> Gateway:
    """toolgate: the program that TOOLGATE_BIN names, else target/debug/toolgate of this repository."""
    program = os.environ.get("TOOLGATE_BIN") or str(FIDELITY.parent.parent / "target/debug/toolgate")
    if not Path(program).is_file():
        raise Missing(f"{program} is not there: build it, or name another in TOOLGATE_BIN")

    def start(pair: Pair, servers: list[Server], folder: Path, patience_s: float) -> Running:
        several = len(servers) > 1
        config = folder / "toolgate.toml"
        # Beside the file: what the suite does is not what happened at home.
        ledger = f'[ledger]\nurl = "sqlite:{folder / "ledger.db"}"\n\n'
        config.write_text(ledger + _toolgate_toml(servers, several), encoding="utf-8")
        prefix = f"{servers[0].name}__" if several else ""
        # What it keeps for its children stands below TMPDIR, and goes with the folder.
        log, env = folder / "toolgate.log", {"TMPDIR": str(folder)}
        if pair.client_transport == "stdio":
            command = [program, "stdio", "--config", str(config)]
            return Running(lambda: StdioChannel(command, log, env), prefix=prefix)
        process = Process([program, "serve", "--config", str(config)], log, pipes=False, env=env)
        try:
            url = process.wait_for_line(r"listening on (http://127\.0\.0\.1:\d+)", START_S)[1]
        except Trouble:
            process.stop()
            raise
        return Running(lambda: HttpChannel(f"{url}/mcp", pair.client_era, patience_s), process.stop, prefix)

    return Gateway("toolgate", start, several=True)


def _toolgate_toml(servers: list[Server], several: bool) -> str:
    lines = ["[server]", 'listen = "127.0.0.1:0"', "settle_ms = 20000"]
    for server in servers:
        runtime = "mcp_http" if server.url else "mcp_stdio"
        lines += ["", f"[plugins.{server.name}]", f'runtime = "{runtime}"']
        lines += [] if several else ['prefix = ""']
        lines += ["", f"[plugins.{server.name}.{runtime}]"]
        lines += [f"url = {json.dumps(server.url)}" if server.url else f"command = {json.dumps(server.command)}"]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Template:
    """Any gateway, as a command line.

    {server_command} is the server as words, {server_line} the same as one word for a shell, {server_url} where it
    runs, {port} a free port, {folder} a folder that is removed at the end.
    """

    command: str
    url: str | None = None
    ready: str | None = None
    env: dict = field(default_factory=dict)


def command(template: Template) -> Gateway:
    """A gateway that a command starts: with a URL it is reached over HTTP, without one over stdio."""

    def start(pair: Pair, servers: list[Server], folder: Path, patience_s: float) -> Running:
        [server] = servers
        port = _free_port()
        words = {"{server_url}": server.url or "", "{port}": str(port), "{folder}": str(folder)}
        line = _filled(shlex.split(template.command), server.command, words)
        log = folder / "gateway.log"
        if template.url is None:
            return Running(lambda: StdioChannel(line, log))
        url = template.url.replace("{port}", str(port))
        process = Process(line, log, pipes=False)
        try:
            _wait_until_ready(process, url, template.ready)
        except Trouble:
            process.stop()
            raise
        return Running(lambda: HttpChannel(url, pair.client_era, patience_s), process.stop)

    program = shlex.split(template.command)[0]
    if shutil.which(program) is None:
        raise Missing(f"{program} is not there, or cannot be run")
    by_url = "{server_url}" in template.command
    faces = ("http",) if template.url else ("stdio",)
    return Gateway("command", start, faces, ("http",) if by_url else ("stdio",))


def _filled(template: list[str], server_command: list[str], words: dict[str, str]) -> list[str]:
    words = {**words, "{server_line}": shlex.join(server_command)}
    line = []
    for word in template:
        if word == "{server_command}":
            line += server_command
            continue
        for name, value in words.items():
            word = word.replace(name, value)
        line.append(word)
    return line


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def _wait_until_ready(process: Process, url: str, ready: str | None) -> None:
    if ready is not None:
        process.wait_for_line(ready, START_S)
    parts, deadline = urlsplit(url), time.monotonic() + START_S
    while True:
        try:
            socket.create_connection((parts.hostname, parts.port or 80), 1).close()
            return
        except OSError:
            if process.ended_within(LOOK_S) or time.monotonic() > deadline:
                raise Trouble(f"the gateway does not listen at {url}; see {process.log}") from None


def reference(era: str, transport: str, name: str, observer: str) -> list[str]:
    """The command line of a reference server."""
    program = str(FIDELITY / "reference" / "server")
    # Without the site packages, which it has no use for, it starts in half the time.
    flags = ["--era", era, "--transport", transport, "--name", name, "--observer", observer]
    return [sys.executable, "-E", "-S", program, *flags]
