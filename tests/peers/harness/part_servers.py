"""Parts: a server that we did not write, used by every client directly and through the gateway."""

from collections.abc import Callable
from pathlib import Path

from harness import clients, gateways, servers
from harness.checks import Way, compare, show
from harness.clients import As, Client, Target, at_once
from harness.report import Options, Part, Report, caught
from harness.steps import TASKS, of, plain, prefixed


def server_part(name: str, make: Callable[[Path], servers.Plugin]) -> Part:
    def part(report: Report, options: Options, scratch: Path) -> None:
        plugin = make(scratch)
        with servers.served(plugin, scratch) as server:
            expected = at_once(
                lambda client: client.take(server, _steps(plugin, client), scratch, As(plugin.can)), options.clients
            )
            for client, results in list(expected.items()):
                if isinstance(results, Exception):
                    report.check(f"{name}, {client.name} directly", str(expected.pop(client)))
            listed_to_all = _listed_to_all(server, scratch)
            if options.direct:
                _compare_all(report, name, plugin, [("nothing", server)], expected, scratch, listed_to_all, True)
                return
            entry = gateways.Entry(plugin.id, server, era=plugin.era)
            with gateways.fronts(report, name, [entry], scratch) as ways:
                _compare_all(report, name, plugin, ways, expected, scratch, listed_to_all, False)
                if plugin.id == "everything" and not plugin.serves_http:
                    with caught(report, f"{name}, environment"):
                        _environment(report, name, ways[0][1], scratch)

    return part


def _compare_all(
    report: Report,
    name: str,
    plugin: servers.Plugin,
    ways: list[tuple[str, Target]],
    expected: dict[Client, list[dict]],
    scratch: Path,
    listed_to_all: frozenset[str],
    direct: bool,
) -> None:
    prefix = "" if direct else f"{plugin.id}__"
    for way, target in ways:

        def take(client: Client, target: Target = target) -> list[dict]:
            steps = [prefixed(step, prefix) for step in _steps(plugin, client)]
            return client.take(target, steps, scratch, As(plugin.can))

        for client, through in at_once(take, list(expected)).items():
            what = f"{name}, {client.name} over {way}"
            if isinstance(through, Exception):
                report.check(what, str(through))
                continue
            # What the Inspector can do it does not tell, and its CLI need not be told of all.
            listed = listed_to_all if client.cli else None
            keys, loses = client.era_tool_keys, client.loses_progress
            allowed = Way(prefix, not direct, listed, keys, loses_progress=loses)
            for step, one, other in zip(_steps(plugin, client), through, expected[client], strict=True):
                report.check(f"{what}, {show(plain(step))[:100]}", compare(step, one, other, allowed))


def _steps(plugin: servers.Plugin, client: Client) -> list[dict]:
    taken = [step for step in plugin.steps if client.takes(step) and not (plugin.serves_http and step.get("stdio"))]
    return of(client.name, taken)


def _listed_to_all(server: Target, scratch: Path) -> frozenset[str]:
    steps = [{"do": "list"}]
    (listed,) = clients.ALL[0].take(server, steps, scratch)
    # Whatever is no tool is listed to all.
    return frozenset(tool["name"] for tool in listed["tools"])


def _environment(report: Report, name: str, target: Target, scratch: Path) -> None:
    step = {"do": "call", "name": "everything__get-env"}
    said = show(clients.ALL[0].take(target, [step], scratch)[0])
    wrong = said[:300] if gateways.SECRET in said or "result" not in said else None
    report.check(f"{name}, a plugin does not see the gateway's environment", wrong)


def tasks_part(report: Report, options: Options, scratch: Path) -> None:
    """The tasks of the legacy era, in both directions: only the TypeScript SDK 1.x has them."""
    name, client = "everything-tasks", clients.BY_NAME["ts_legacy"]
    as_ = As((*clients.ALL_FEATURES, "tasks"))
    plugin = servers.everything("stdio")
    server = Target(command=tuple(plugin.command))
    direct = client.take(server, TASKS, scratch, as_)
    for step, one in zip(TASKS, direct, strict=True):
        report.check(f"{name}, directly, {show(step)[:100]}", None if "error" not in one else show(one))
    if options.direct:
        return
    prefix = f"{plugin.id}__"
    with gateways.fronts(report, name, [gateways.Entry(plugin.id, server)], scratch) as ways:
        _, target = ways[0]
        with caught(report, name):
            through = client.take(target, [prefixed(step, prefix) for step in TASKS], scratch, as_)
            for step, one, other in zip(TASKS, through, direct, strict=True):
                report.check(f"{name}, {show(step)[:100]}", compare(step, one, other, Way(prefix, True)))
