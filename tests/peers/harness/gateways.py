"""The gateway: its file, how it is started, and the ways through it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.clients import Target
from harness.places import program
from harness.process import Server
from harness.report import Report

# Set where the gateway is started, and not for the plugins to see.
SECRET = "TOOLGATE_PEERS_SECRET"


@dataclass(frozen=True)
class Entry:
    """A server as a plugin in the gateway's file. A target without URL and command is the fixture in the process."""

    id: str
    target: Target
    prefix: str | None = None
    era: str = "auto"
    isolation: str | None = None

    def lines(self) -> list[str]:
        runtime = "mcp_http" if self.target.url else "mcp_stdio" if self.target.command else "in_process"
        keys = {"runtime": runtime, "prefix": self.prefix, "isolation": self.isolation}
        keys["era"] = None if self.era == "auto" else self.era
        if self.target.url:
            section = {"url": self.target.url}
        elif self.target.command:
            section = {"command": list(self.target.command)}
        else:
            section = {"entry": "builtin:conformance"}
        # Below what the clients wait for an answer.
        limits = [f"[plugins.{self.id}.limits]", "start_timeout_ms = 25000"]
        return [f"[plugins.{self.id}]", *_toml(keys), *limits, f"[plugins.{self.id}.{runtime}]", *_toml(section), ""]


def _toml(keys: dict[str, object]) -> list[str]:
    return [f"{key} = {json.dumps(value)}" for key, value in keys.items() if value is not None]


def config(path: Path, *entries: Entry) -> Path:
    """Writes a toolgate.toml with these plugins."""
    # Some clients list once and do not listen for changes: on a busy machine the first list waits for Node to start.
    lines = ["[server]", "settle_ms = 20000", "drain_ms = 3000", ""]
    # Beside the file: what the suite does is not what happened at home.
    lines += ["[ledger]", *_toml({"url": f"sqlite:{path.parent / 'ledger.db'}"}), ""]
    for entry in entries:
        lines += entry.lines()
    path.write_text("\n".join(lines))
    return path


@contextmanager
def fronts(report: Report, name: str, entries: list[Entry], scratch: Path) -> Iterator[list[tuple[str, Target]]]:
    """The ways through a gateway that runs until the end of the block. Over stdio each client starts one of its own."""
    file = config(scratch / "toolgate.toml", *entries)
    with gateway(report, name, file, scratch) as server:
        yield [("http", Target(url=f"{server.url()}/mcp")), ("stdio", over_stdio(file))]


def over_stdio(file: Path) -> Target:
    return Target(command=(program("TOOLGATE_BIN"), "stdio", "--config", str(file)))


@contextmanager
def gateway(
    report: Report, name: str, file: Path, scratch: Path, binary: str = "TOOLGATE_BIN"
) -> Iterator[Server]:
    """A gateway over HTTP, and afterwards the check that it stopped and left nothing behind."""
    command = [program(binary), "serve", "--config", str(file), "--listen", "127.0.0.1:0"]
    server = Server("the gateway", command, scratch / "toolgate.log", env={SECRET: "seen"})
    try:
        server.url()
        yield server
    finally:
        report.check(f"{name}, the gateway stops and leaves nothing behind", "\n".join(server.stop()) or None)
