"""The part `conformance-client`: the suite's scenarios for clients, against the gateway's own client."""

import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness.conformance import REVISIONS, Scenario, judge, read_expected, read_scenario
from harness.part_conformance import count
from harness.places import NODE, PEERS, SUITE, TARGET, expected_failures
from harness.process import Failed, run
from harness.report import Options, Report, caught

# How many scenarios there are without those of authorization and of extensions.
SCENARIOS = {"2025-06-18": 2, "2025-11-25": 5, "2026-07-28": 8}
TIMEOUT_S = 60
# So many scenarios at once. Each starts a gateway and a client.
AT_ONCE = 3


def conformance_client(report: Report, options: Options, _scratch: Path) -> None:
    for revision in REVISIONS:
        name = f"conformance-client {revision}"
        with caught(report, name):
            out = TARGET / "peers/conformance-client" / revision
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir(parents=True)
            names = _scenarios(revision)
            if len(names) != SCENARIOS[revision]:
                raise Failed(f"the suite has {len(names)} scenarios and not {SCENARIOS[revision]}: {', '.join(names)}")
            with ThreadPoolExecutor(AT_ONCE) as pool:
                found = list(pool.map(lambda one: _run(one, revision, out, options.direct), names))
            known = read_expected(None if options.direct else expected_failures(revision), "client")
            for one in found:
                judge(one, known.get(one.name))
            count(report, name, found)


def _scenarios(revision: str) -> list[str]:
    _, out, _, _ = run([str(NODE), str(SUITE), "list", "--client", "--spec-version", revision], TIMEOUT_S)
    names = re.findall(r"^\s+- (\S+) \[", out, re.MULTILINE)
    return [name for name in names if not name.startswith("auth/")]


def _run(name: str, revision: str, out: Path, direct: bool) -> Scenario:
    client = str(PEERS / "conformance-client") + (" --direct" if direct else "")
    command = [str(NODE), str(SUITE), "client", "--command", client, "--scenario", name, "--spec-version", revision]
    command += ["--timeout", str(TIMEOUT_S * 1000), "-o", str(out)]
    code, stdout, stderr, left = run(command, TIMEOUT_S + 30)
    (out / f"{name}.log").write_text(stdout + stderr)
    found = read_scenario(name, out)
    if left:
        found.failed["leftovers"] = "\n".join(left)
    if code != 0 and not found.failed:
        found.failed["exit-code"] = f"the suite ended with {code}, see {out / name}.log"
    return found
