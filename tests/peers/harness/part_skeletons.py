"""What `toolgate plugins new` writes: made, built, tried with `toolgate plugins test`, and called."""

import json
import os
import shutil
from pathlib import Path

from harness.places import NODE, PYTHON, program
from harness.process import Failed, run
from harness.report import Options, Report, caught

# Packages are fetched from caches that tests/peers/install has filled, or from their registries.
BUILD_S = 300
TEST_S = 120
CALL_S = 60


def skeletons(report: Report, options: Options, scratch: Path) -> None:
    if options.direct:
        return
    toolgate = program("TOOLGATE_BIN")
    for language in ["python", "typescript", "rust"]:
        with caught(report, f"skeletons, {language}"):
            folder = _new(report, toolgate, scratch, f"new-{language}", "--language", language)
            if language == "rust":
                # The same source is a package of the workspace, and built with it.
                (folder / "bin").mkdir()
                shutil.copy(program("SKELETON_RUST_STDIO_BIN"), folder / "bin" / folder.name)
            else:
                _ran(report, f"skeletons, {language} is built", [toolgate, "plugins", "build", str(folder)], BUILD_S)
            _try(report, language, [toolgate], folder)
    with caught(report, "skeletons, rust in process"):
        where = ["--language", "rust", "--runtime", "in_process"]
        folder = _new(report, toolgate, scratch, "greeter", *where)
        _try(report, "rust in process", [program("SKELETON_RUST_IN_PROCESS_BIN")], folder)


def _new(report: Report, toolgate: str, scratch: Path, name: str, *how: str) -> Path:
    """A new skeleton; a second one of the name is refused."""
    command = [toolgate, "plugins", "new", name, "--dir", str(scratch), *how]
    _ran(report, f"skeletons, {name} is made", command, CALL_S)
    code, _, err, _ = run(command, CALL_S, _env())
    wrong = None if code == 1 and "is there already" in err else f"exit code {code}: {err}"
    report.check(f"skeletons, {name} is not made twice", wrong)
    return scratch / name


def _try(report: Report, what: str, gateway: list[str], folder: Path) -> None:
    code, out, err, left = run([*gateway, "plugins", "test", str(folder), "--json"], TEST_S, _env())
    report.check(f"skeletons, {what} leaves nothing running", "\n".join(left) or None)
    try:
        found = json.loads(out)
    except ValueError:
        raise Failed(f"`plugins test` printed no JSON, exit code {code}: {out[-500:]}{err[-500:]}") from None
    for check in found["checks"]:
        wrong = f"{check['detail']} ({check['mend']})" if check["verdict"] == "failed" else None
        report.check(f"skeletons, {what}, {check['check']}", wrong)
    wrong = None if code == 0 and found["ok"] and len(found["checks"]) == 12 else f"exit code {code}: {out}{err}"
    report.check(f"skeletons, {what} keeps the contract", wrong)


def _ran(report: Report, what: str, command: list[str], deadline_s: float) -> None:
    code, out, err, left = run(command, deadline_s, _env())
    report.check(what, None if code == 0 and not left else f"exit code {code}: {out[-1000:]}{err[-2000:]}{left}")
    if code != 0:
        raise Failed(f"{what}: it is not, so it cannot be tried")


def _env() -> dict[str, str]:
    """Node and Python are those of the peers."""
    return {"PATH": f"{NODE.parent}{os.pathsep}{os.environ['PATH']}", "PYTHON": str(PYTHON)}
