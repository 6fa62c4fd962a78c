"""Processes that are started, waited for with deadlines, and leave nothing behind.

Every process here leads a session of its own. What it starts stays in that session, whatever process groups it makes,
so everything that is left of it can be found.
"""

import os
import re
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

START_S = 30
STOP_S = 15
# What was killed on the way out may take that long to be gone.
ORPHAN_S = 1


class Failed(Exception):
    """A process did not do what it was started for."""


class Server:
    """A running server. Its stderr goes to `log`, from where its address is read."""

    def __init__(self, name: str, command: list[str], log: Path, env: dict[str, str] | None = None):
        self.name = name
        self.log = log
        self._found: dict[str, str] = {}
        self._news = threading.Condition()
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, **(env or {})},
            start_new_session=True,
            text=True,
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with self.log.open("w") as log:
            for line in self.process.stderr:
                log.write(line)
                log.flush()
                found = re.search(r"listening on (http://127\.0\.0\.1:\d+)", line)
                with self._news:
                    if found:
                        self._found.setdefault("url", found[1])
                    self._news.notify_all()
        with self._news:
            self._found.setdefault("end", "")
            self._news.notify_all()

    def url(self) -> str:
        """The address the server said it listens on, without a path."""
        with self._news:
            self._news.wait_for(lambda: self._found, timeout=START_S)
        if "url" not in self._found:
            raise Failed(f"{self.name} did not say where it listens:\n{self.tail()}")
        return self._found["url"]

    def tail(self, lines: int = 20) -> str:
        """The end of its stderr."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""

    def stop(self) -> list[str]:
        """SIGTERM, and what is wrong about how it went: late, still there, or something of it left."""
        wrong = []
        if self.process.poll() is not None:
            wrong.append(f"{self.name} ended by itself with {self.process.returncode}:\n{self.tail()}")
        else:
            family = descendants(self.process.pid)
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                wrong.append(f"{self.name} was still there {STOP_S} s after SIGTERM:\n{self.tail()}")
                self.process.kill()
                self.process.wait()
            wrong += leftovers(self.process.pid, family, wait_s=ORPHAN_S)
        wrong += leftovers(self.process.pid, {}, wait_s=ORPHAN_S)
        self._reader.join(STOP_S)
        self.process.stderr.close()
        return wrong


def run(command: list[str], deadline_s: float, env: dict[str, str] | None = None) -> tuple[int, str, str, list[str]]:
    """Runs a command to its end: exit code, stdout, stderr, and what is left of it a moment after its end."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **(env or {})},
        start_new_session=True,
        text=True,
        errors="replace",
    )
    try:
        out, err = process.communicate(timeout=deadline_s)
    except subprocess.TimeoutExpired:
        for pid in session(process.pid):
            kill(pid)
        out, err = process.communicate()
        raise Failed(f"no end after {deadline_s} s: {' '.join(command)[:200]}\n{out[-2000:]}\n{err[-2000:]}") from None
    return process.returncode, out, err, leftovers(process.pid, {}, wait_s=STOP_S)


def leftovers(leader: int, family: dict[int, str], wait_s: float) -> list[str]:
    """What still runs of the session of `leader` and of `family` after at most `wait_s`; then it is killed."""
    end = time.monotonic() + wait_s

    def alive() -> dict[int, str]:
        known = {pid: start for pid, start in family.items() if started(pid) == start}
        return {**known, **session(leader)}

    left = alive()
    while left and time.monotonic() < end:
        for pid in left:
            _wait_for_end(pid, end)
        left = alive()
    words = [f"left running: {pid} {command_line(pid)}" for pid in left]
    for pid in left:
        kill(pid)
    return words


def _wait_for_end(pid: int, end: float) -> None:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        select.select([handle], [], [], max(0, end - time.monotonic()))
    finally:
        os.close(handle)


def session(leader: int) -> dict[int, str]:
    """The processes of one session, zombies aside: pid and start time."""
    return _processes(lambda fields: int(fields[3]) == leader)


def descendants(root: int) -> dict[int, str]:
    """The children of a process and their children: pid and start time."""
    found: dict[int, str] = {}
    parents = {root}
    while parents:
        children = _processes(lambda fields, parents=parents: int(fields[1]) in parents)
        parents = set(children) - set(found)
        found.update(children)
    return found


def _processes(wanted: Callable[[list[str]], bool]) -> dict[int, str]:
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = stat(int(entry.name))
            if fields and fields[0] != "Z" and wanted(fields):
                found[int(entry.name)] = fields[19]
    return found


def stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on (see proc(5), field 3), or nothing."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def started(pid: int) -> str | None:
    fields = stat(pid)
    return fields[19] if fields and fields[0] != "Z" else None


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")[:200]
    except OSError:
        return "(gone)"


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
