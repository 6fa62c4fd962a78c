"""Parts: the official conformance suite against the fixture, through the gateway, in three hostings."""

from pathlib import Path

from harness import conformance, gateways, servers
from harness.places import TARGET, expected_failures, program
from harness.report import Options, Part, Report, caught


def conformance_part(name: str, hosted: str) -> Part:
    def part(report: Report, options: Options, scratch: Path) -> None:
        for revision in conformance.REVISIONS:
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
    expected = None if options.direct else expected_failures(revision)
    with servers.served(plugin, scratch) as server:
        if options.direct:
            found = conformance.suite(server.url, revision, out)
        else:
            file = gateways.config(scratch / "toolgate.toml", gateways.Entry(plugin.id, server, prefix=""))
            with gateways.gateway(report, name, file, scratch, binary) as gateway:
                found = conformance.suite(f"{gateway.url()}/mcp", revision, out, expected)
    count(report, name, found)


def count(report: Report, name: str, found: list[conformance.Scenario]) -> None:
    """Counts what the suite found."""
    for one in found:
        failed = "; ".join(f"{check}: {' '.join(why.split())[:300]}" for check, why in one.failed.items())
        wrong = "it passes and was expected to fail" if one.verdict == "stale" else failed
        report.check(f"{name}, {one.name}", None if one.good else wrong)
    print(f"{name}: {sum(one.verdict == 'expected' for one in found)} scenarios failed as expected", flush=True)
