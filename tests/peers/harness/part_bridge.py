"""Parts: a server of one era whose tools ask in the middle of a call, used by the clients of both."""

from pathlib import Path

from harness import clients, gateways, servers
from harness.checks import Way, compare, show
from harness.clients import As, Client, Target
from harness.report import Options, Part, Report, caught
from harness.steps import ASK, NEWS, prefixed

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
            expected = {}
            for client in chosen:
                what = f"{name}, {subject}, {DIRECTLY[era][client.name]} directly"
                with caught(report, what):
                    if DIRECTLY[era][client.name] not in expected:
                        expected[DIRECTLY[era][client.name]] = _directly(report, what, client, era, steps, scratch)
            if options.direct:
                continue
            # A legacy server that everyone shares may be asked for its news by anyone, and may ask nobody.
            entry = gateways.Entry("ours", server, era=era, isolation=isolation if era == "legacy" else None)
            with gateways.fronts(report, f"{name}, {subject}", [entry], scratch) as ways:
                for way, target in ways:
                    for client in chosen:
                        direct = expected.get(DIRECTLY[era][client.name])
                        if direct:
                            what = f"{name}, {subject}, {client.name} over {way}"
                            with caught(report, what):
                                _through(report, what, client, target, steps, direct, client.era != era, scratch)

    return part


def _directly(report: Report, what: str, client: Client, era: str, steps: list[dict], scratch: Path) -> list[dict]:
    found = clients.BY_NAME[DIRECTLY[era][client.name]].take(servers.ours(era), steps, scratch, AS)
    for step, one in zip(steps, found, strict=True):
        report.check(f"{what}, {show(step)[:100]}", show(one) if "error" in one else None)
    return found


def _through(
    report: Report,
    what: str,
    client: Client,
    target: Target,
    steps: list[dict],
    direct: list[dict],
    bridged: bool,
    scratch: Path,
) -> None:
    way = Way("ours__", True, None, ("execution",), bridged)
    through = client.take(target, [prefixed(step, way.prefix) for step in steps], scratch, AS)
    for step, one, other in zip(steps, through, direct, strict=True):
        report.check(f"{what}, {show(step)[:100]}", compare(step, one, other, way))
