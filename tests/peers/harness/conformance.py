"""The official conformance suite: run it, read what it found, judge it.

The suite's own exit code leaves the scenarios out that it does not score. Here all of them are judged, warnings count
as failures (the suite does that too when it is given a file of expected failures), and a scenario that is expected to
fail and passes is a failure, so that the file empties itself.
"""

import json
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from harness.places import NODE, SUITE
from harness.process import Failed, run

# How the suite is asked for a revision, and how many scenarios it then runs.
REVISIONS = {
    "2025-06-18": (["--suite", "all", "--spec-version", "2025-06-18"], 27),
    "2025-11-25": (["--requirements", "2025-11-25"], 33),
    "2026-07-28": (["--requirements", "2026-07-28"], 50),
}
DEADLINE_S = 600


@dataclass
class Scenario:
    """One scenario and its verdict: passed, failed, expected (a failure) or stale (an expected failure that passed)."""

    name: str
    verdict: str = "passed"
    passed: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        return self.verdict in ("passed", "expected")


def read_expected(path: Path | None, wanted: str = "server") -> dict[str, set[str]]:
    """The `wanted` list of an expected-failures file: scenario -> its check ids, none for the whole scenario.

    The form is the suite's: YAML with `server:` and `client:`, each a list of `scenario` or `scenario:check-id`.
    """
    expected: dict[str, set[str]] = {}
    section = None
    for number, line in enumerate(path.read_text().splitlines() if path else [], 1):
        line = re.sub(r"(^|\s)#.*", "", line).rstrip()
        if not line:
            continue
        if match := re.fullmatch(r"(server|client):(?: \[\])?", line):
            section = match[1]
        elif (match := re.fullmatch(r"\s*- ([^\s:]+)(?::(\S+))?", line)) and section:
            if section == wanted:
                checks = expected.setdefault(match[1], set())
                if match[2]:
                    checks.add(match[2])
        else:
            raise Failed(f"{path}:{number}: neither a section nor `- scenario` nor `- scenario:check-id`")
    return expected


def suite(
    url: str, revision: str, out: Path, expected: Path | None = None, scenario: str | None = None
) -> list[Scenario]:
    """Runs the suite against `url`, keeps what it says under `out`, and gives its scenarios in its order."""
    flags, wanted = REVISIONS[revision]
    if scenario:
        flags, wanted = ["--scenario", scenario, "--spec-version", revision], 1
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    command = [str(NODE), str(SUITE), "server", "--url", url, *flags, "-o", str(out)]
    _, stdout, stderr, _ = run(command, DEADLINE_S)
    (out / "suite.log").write_text(stdout + stderr)

    found = [read_scenario(name, out) for name in _names(stdout, scenario)]
    if len(found) != wanted:
        raise Failed(f"the suite ran {len(found)} scenarios and not {wanted}, see {out}/suite.log:\n{stderr[-2000:]}")
    known = read_expected(expected)
    for one in found:
        judge(one, known.get(one.name))
    return found


def _names(stdout: str, scenario: str | None) -> list[str]:
    if scenario:
        return [scenario]
    summary = stdout.rpartition("=== SUMMARY ===")[2].partition("\nTotal:")[0]
    return re.findall(r"^[✓✗] (\S+): ", summary, re.MULTILINE)


def read_scenario(name: str, out: Path) -> Scenario:
    """What the suite wrote of one scenario, not judged yet."""
    found = Scenario(name)
    folder = re.compile(rf"(server-)?{re.escape(name)}-\d{{4}}-.*")
    files = [path for path in out.glob("*/checks.json") if folder.fullmatch(path.parent.name)]
    if not files:
        found.failed["no-result"] = "the suite wrote no result, so the scenario broke off"
    for check in (check for path in files for check in json.loads(path.read_text())):
        if check["status"] in ("FAILURE", "WARNING"):
            found.failed[check["id"]] = str(check.get("errorMessage") or check.get("description"))
        elif check["status"] == "SUCCESS":
            found.passed.add(check["id"])
    return found


def judge(found: Scenario, expected: set[str] | None) -> None:
    """Sets the verdict by what was expected to fail."""
    # An empty set stands for the whole scenario.
    if expected is None:
        found.verdict = "failed" if found.failed else "passed"
    elif expected and set(found.failed) - expected:
        found.verdict = "failed"
    elif not found.failed or expected & found.passed - set(found.failed):
        found.verdict = "stale"
    else:
        found.verdict = "expected"


def table(found: list[Scenario]) -> str:
    """One line a scenario, and under it what failed."""
    width = max(len(one.name) for one in found)
    lines = []
    for one in found:
        lines.append(f"{one.verdict:8}  {one.name:{width}}  {len(one.passed)} checks passed, {len(one.failed)} failed")
        if one.verdict == "failed":
            lines += [f"            {check}: {' '.join(why.split())[:300]}" for check, why in one.failed.items()]
    return "\n".join(lines)
