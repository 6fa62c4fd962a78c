"""What is counted and printed, and what was chosen to run."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.clients import Client
from harness.places import Missing
from harness.process import Failed


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


# A part of the suite, with a folder of its own.
Part = Callable[[Report, Options, Path], None]


@contextmanager
def caught(report: Report, what: str) -> Iterator[None]:
    """What breaks off inside the block fails the check `what`, and the suite goes on."""
    try:
        yield
    except (Failed, Missing, OSError, ValueError) as error:
        report.check(what, str(error))
