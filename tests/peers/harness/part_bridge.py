"""Parts: a server of one era whose tools ask in the middle of a call, used by the clients of both."""

from pathlib import Path

from harness import clients, gateways, servers
from harness.checks import Way, compare, show
from harness.clients import AT_ONCE, As, Client, Target, at_once
from harness.report import Options, Part, Report
from harness.steps import ASK, NEWS, of, plain, prefixed

# Directly, only the client of the SDK that speaks the server's era can use the server: what it got is what another
# client of the same SDK must get through the gateway.
DIRECTLY = {
    "legacy": {name: name for name in ("ts_legacy", "ts_auto", "py_legacy", "py_auto")},
    "modern": {"ts_legacy": "ts_auto", "ts_auto": "ts_auto", "py_legacy": "py_auto", "py_auto": "py_auto"},
}
AS = As(clients.ALL_FEATURES)


def bridge_part(name: str, era: str) -> Part:
    def part(report: Report, options: Options, scratch: Path) -> None:
        server = servers.ours(era)
        chosen = [client for client in options.clients if not client.cli]
        for subject, steps, isolation in (("questions", ASK, None), ("news", NEWS, "shared")):
            part_name = f"{name}, {subject}"
            expected = _directly(report, part_name, era, steps, chosen, scratch)
            if options.direct:
                continue
            # A legacy server that everyone shares may be asked for its news by anyone, and may ask nobody.
            shared = isolation if era == "legacy" else None
            entry = gateways.Entry("ours", server, era=era, isolation=shared)
            # What one client touches, everyone is told who watches it on the same instance. The log messages of a
            # modern server on a pipe name no call: with two that want them they could be anyone's.
            n_at_once = 1 if shared or era == "modern" else AT_ONCE
            with gateways.fronts(report, part_name, [entry], scratch) as ways:
                for way, target in ways:
                    _through(report, part_name, era, way, target, steps, expected, chosen, n_at_once, scratch)

    return part


def _steps(era: str, client: Client, steps: list[dict]) -> list[dict]:
    both = client.era == era == "legacy"
    return of(client.name, [step for step in steps if both or not step.get("legacy")])


def _directly(
    report: Report, name: str, era: str, steps: list[dict], chosen: list[Client], scratch: Path
) -> dict[str, list[dict]]:
    """What each client got that can use the server directly."""
    able = [clients.BY_NAME[one] for one in dict.fromkeys(DIRECTLY[era][client.name] for client in chosen)]
    found = {}
    for client, results in at_once(
        lambda client: client.take(servers.ours(era), _steps(era, client, steps), scratch, AS), able
    ).items():
        what = f"{name}, {client.name} directly"
        if isinstance(results, Exception):
            report.check(what, str(results))
            continue
        found[client.name] = results
        for step, one in zip(_steps(era, client, steps), results, strict=True):
            report.check(f"{what}, {show(plain(step))[:100]}", show(one) if "error" in one else None)
    return found


def _through(
    report: Report,
    name: str,
    era: str,
    way: str,
    target: Target,
    steps: list[dict],
    expected: dict[str, list[dict]],
    chosen: list[Client],
    n_at_once: int,
    scratch: Path,
) -> None:
    prefix = "ours__"

    def take(client: Client) -> list[dict]:
        return client.take(target, [prefixed(step, prefix) for step in _steps(era, client, steps)], scratch, AS)

    able = [client for client in chosen if DIRECTLY[era][client.name] in expected]
    for client, through in at_once(take, able, n_at_once).items():
        what = f"{name}, {client.name} over {way}"
        if isinstance(through, Exception):
            report.check(what, str(through))
            continue
        allowed = Way(prefix, True, None, ("execution",), client.era != era, client.loses_progress)
        direct = expected[DIRECTLY[era][client.name]]
        for step, one, other in zip(_steps(era, client, steps), through, direct, strict=True):
            report.check(f"{what}, {show(plain(step))[:100]}", compare(step, one, other, allowed))
