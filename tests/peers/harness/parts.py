"""The parts of the suite, each of which can be run by itself."""

import tempfile
from pathlib import Path

from harness import servers
from harness.part_behaviour import behaviour
from harness.part_bridge import bridge_part
from harness.part_conformance import conformance_part
from harness.part_conformance_client import conformance_client
from harness.part_sampling import sampling
from harness.part_servers import server_part, tasks_part
from harness.part_skeletons import skeletons
from harness.part_two_clients import two_clients
from harness.report import Options, Part, Report, caught

PARTS: dict[str, Part] = {
    "everything-stdio": server_part("everything-stdio", lambda _: servers.everything("stdio")),
    "everything-http": server_part("everything-http", lambda _: servers.everything("http")),
    "everything-tasks": tasks_part,
    "filesystem-stdio": server_part("filesystem-stdio", servers.filesystem),
    "time-auto": server_part("time-auto", lambda _: servers.time("auto")),
    "time-legacy": server_part("time-legacy", lambda _: servers.time("legacy")),
    "time-modern": server_part("time-modern", lambda _: servers.time("modern")),
    "bridge-legacy-server": bridge_part("bridge-legacy-server", "legacy"),
    "bridge-modern-server": bridge_part("bridge-modern-server", "modern"),
    "behaviour": behaviour,
    "two-clients": two_clients,
    "sampling": sampling,
    "skeletons": skeletons,
    "conformance-client": conformance_client,
    "conformance-stdio": conformance_part("conformance-stdio", "stdio"),
    "conformance-http": conformance_part("conformance-http", "http"),
    "conformance-inprocess": conformance_part("conformance-inprocess", "inprocess"),
}


def run_part(name: str, report: Report, options: Options) -> None:
    """Runs one part in a folder of its own."""
    before = (report.passed, report.failed)
    with tempfile.TemporaryDirectory(prefix="toolgate-peers-") as scratch, caught(report, name):
        PARTS[name](report, options, Path(scratch).resolve())
    print(f"{name}: {report.passed - before[0]} passed, {report.failed - before[1]} failed", flush=True)
