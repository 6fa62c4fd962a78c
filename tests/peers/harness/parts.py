"""The parts of the suite, each of which can be run by itself."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness import clients, conformance, servers
from harness.checks import Way, compare, show
from harness.clients import Client, Target
from harness.places import PEERS, TARGET, Missing, program
from harness.process import Failed, Server

# Set where the gateway is started, and not for the plugins to see.
SECRET = "TOOLGATE_PEERS_SECRET"


@dataclass
class Report:
    """Counts, and prints what failed as it happens."""

    passed: int = 0
    failed: int = 0

    def check(self, what: str, wrong: str | None) -> None:
        if wrong is None:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED {what}: {wrong}", flush=True)


@dataclass(frozen=True)
class Options:
    """What to run: everything through the gateway, or, with `direct`, as if there were none."""

    direct: bool
    clients: list[Client]


Part = Callable[[Report, Options, Path], None]


def _server_part(name: str, make: Callable[[Path], servers.Plugin]) -> Part:
    def part(report: Report, options: Options, scratch: Path) -> None:
        plugin = make(scratch)
        with servers.served(plugin, scratch) as server:
            prefix = "" if options.direct else f"{plugin.id}__"
            expected = {}
            for client in options.clients:
                with caught(report, f"{name}, {client.name} directly"):
                    expected[client.name] = client.take(server, steps_of(plugin, client, ""), scratch)
            listed_to_all = bare_names(server, scratch)
            with fronts(report, name, plugin, server, options, scratch) as ways:
                for way, target in ways:
                    for client in options.clients:
                        if client.name not in expected:
                            continue
                        what = f"{name}, {client.name} over {way}"
                        allowed = Way(prefix, not options.direct, listed_to_all, client.era_tool_keys)
                        with caught(report, what):
                            through = client.take(target, steps_of(plugin, client, prefix), scratch)
                            steps = steps_of(plugin, client, "")
                            for step, one, other in zip(steps, through, expected[client.name], strict=True):
                                report.check(f"{what}, {show(step)[:100]}", compare(step, one, other, allowed))
                if plugin.id == "everything" and not plugin.serves_http and not options.direct:
                    with caught(report, f"{name}, environment"):
                        _environment(report, name, ways[0][1], scratch)

    return part


def bare_names(server: Target, scratch: Path) -> frozenset[str]:
    """The tools that the server lists to a client that can do nothing."""
    (listed,) = clients.ALL[0].take(server, [{"do": "list"}], scratch)
    return frozenset(tool["name"] for tool in listed["tools"])


def steps_of(plugin: servers.Plugin, client: Client, prefix: str) -> list[dict]:
    """The steps that the client can take, with the names as they are listed."""
    able = plugin.steps if client.all_steps else [*plugin.steps[:3], servers.UNKNOWN]
    return [
        {**step, "name": prefix + step["name"]} if "name" in step and step != servers.UNKNOWN else step for step in able
    ]


def _environment(report: Report, name: str, target: Target, scratch: Path) -> None:
    step = {"do": "call", "name": "everything__get-env"}
    said = show(clients.ALL[0].take(target, [step], scratch)[0])
    wrong = said[:300] if SECRET in said or "result" not in said else None
    report.check(f"{name}, a plugin does not see the gateway's environment", wrong)


@contextmanager
def fronts(
    report: Report, name: str, plugin: servers.Plugin, server: Target, options: Options, scratch: Path
) -> Iterator[list[tuple[str, Target]]]:
    """The ways to the server through a gateway that runs until the end of the block. Over stdio each client starts
    a gateway of its own."""
    if options.direct:
        yield [("nothing", server)]
        return
    config = servers.config(scratch / "toolgate.toml", plugin.id, server, era=plugin.era)
    with gateway(report, name, "TOOLGATE_BIN", config, scratch) as url:
        command = (program("TOOLGATE_BIN"), "stdio", "--config", str(config))
        yield [("http", Target(url=url)), ("stdio", Target(command=command))]


@contextmanager
def gateway(report: Report, name: str, binary: str, config: Path, scratch: Path) -> Iterator[str]:
    """A gateway over HTTP, and afterwards the check that it stopped and left nothing behind."""
    command = [program(binary), "serve", "--config", str(config), "--listen", "127.0.0.1:0"]
    server = Server("the gateway", command, scratch / "toolgate.log", env={SECRET: "seen"})
    try:
        yield f"{server.url()}/mcp"
    finally:
        report.check(f"{name}, the gateway stops and leaves nothing behind", "\n".join(server.stop()) or None)


def _conformance_part(name: str, hosted: str) -> Part:
    def part(report: Report, options: Options, scratch: Path) -> None:
        for revision in ("2025-11-25", "2026-07-28"):
            with caught(report, f"{name} {revision}"):
                _conformance(report, options, scratch, f"{name} {revision}", hosted, revision)

    return part


def _conformance(report: Report, options: Options, scratch: Path, name: str, hosted: str, revision: str) -> None:
    out = TARGET / "peers" / name.replace(" ", "/")
    binary, plugin = "TOOLGATE_BIN", servers.Plugin("conformance", [])
    if hosted != "inprocess" or options.direct:
        fixture = program("CONFORMANCE_FIXTURE_BIN")
        over_http = hosted == "http" or options.direct
        command = [fixture, "http", "--port", "0"] if over_http else [fixture, "stdio"]
        plugin = servers.Plugin("conformance", [], command, serves_http=over_http)
    else:
        binary = "TOOLGATE_WITH_FIXTURE_BIN"
    expected = None if options.direct else PEERS / f"expected-failures.{revision}.yml"
    with servers.served(plugin, scratch) as server:
        if options.direct:
            found = conformance.suite(server.url, revision, out)
        else:
            config = servers.config(scratch / "toolgate.toml", plugin.id, server, prefix="")
            with gateway(report, name, binary, config, scratch) as url:
                found = conformance.suite(url, revision, out, expected)
    for one in found:
        failed = "; ".join(f"{check}: {' '.join(why.split())[:300]}" for check, why in one.failed.items())
        wrong = "it passes and was expected to fail" if one.verdict == "stale" else failed
        report.check(f"{name}, {one.name}", None if one.good else wrong)
    print(f"{name}: {sum(one.verdict == 'expected' for one in found)} scenarios failed as expected", flush=True)


@contextmanager
def caught(report: Report, what: str) -> Iterator[None]:
    """What breaks off inside the block fails the check `what`, and the suite goes on."""
    try:
        yield
    except (Failed, Missing, OSError, ValueError) as error:
        report.check(what, str(error))


PARTS: dict[str, Part] = {
    "everything-stdio": _server_part("everything-stdio", lambda _: servers.everything("stdio")),
    "everything-http": _server_part("everything-http", lambda _: servers.everything("http")),
    "filesystem-stdio": _server_part("filesystem-stdio", servers.filesystem),
    "time-auto": _server_part("time-auto", lambda _: servers.time("auto")),
    "time-legacy": _server_part("time-legacy", lambda _: servers.time("legacy")),
    "time-modern": _server_part("time-modern", lambda _: servers.time("modern")),
    "conformance-stdio": _conformance_part("conformance-stdio", "stdio"),
    "conformance-http": _conformance_part("conformance-http", "http"),
    "conformance-inprocess": _conformance_part("conformance-inprocess", "inprocess"),
}


def run_part(name: str, report: Report, options: Options) -> None:
    """Runs one part in a folder of its own."""
    before = (report.passed, report.failed)
    with tempfile.TemporaryDirectory(prefix="toolgate-peers-") as scratch, caught(report, name):
        PARTS[name](report, options, Path(scratch).resolve())
    print(f"{name}: {report.passed - before[0]} passed, {report.failed - before[1]} failed", flush=True)
