"""Processes that are started and ended, each with its stderr kept and nothing waited for without bound."""

import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

from suite.inbox import Trouble

STOP_S = 10
_running: set["Process"] = set()


def end_all(exit_code: int) -> None:
    """Ends every process of this program at once, then the program itself."""
    for process in list(_running):
        process.kill()
    os._exit(exit_code)


class Process:
    """A child in a session of its own. Its stderr goes to a file, and is searched for what the caller waits for."""

    def __init__(self, command: list[str], log: Path, pipes: bool, env: dict[str, str] | None = None):
        self.command = command
        self.log = log
        self._lines: list[str] = []
        self._news = threading.Condition()
        self._over = False
        pipe = subprocess.PIPE if pipes else subprocess.DEVNULL
        try:
            self.child = subprocess.Popen(
                command,
                stdin=pipe,
                stdout=pipe,
                stderr=subprocess.PIPE,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )
        except OSError as error:
            raise Trouble(f"cannot start {command[0]}: {error}") from None
        _running.add(self)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with self.log.open("ab") as log:
            for line in self.child.stderr:
                log.write(line)
                log.flush()
                with self._news:
                    self._lines.append(line.decode(errors="replace"))
                    self._news.notify_all()
        with self._news:
            self._over = True
            self._news.notify_all()

    def wait_for_line(self, pattern: str, patience_s: float) -> re.Match:
        """The first line on stderr that matches."""
        deadline = time.monotonic() + patience_s
        with self._news:
            while True:
                for line in self._lines:
                    if found := re.search(pattern, line):
                        return found
                left = deadline - time.monotonic()
                if self._over or left <= 0:
                    tail = "".join(self._lines[-20:])
                    raise Trouble(f"{self.command[0]} did not say {pattern!r} on stderr:\n{tail}")
                self._news.wait(left)

    def stop(self) -> None:
        """Closes its input, asks it to end where it has none, and ends it where it does not."""
        if self.child.stdin is not None:
            try:
                self.child.stdin.close()
            except OSError:
                pass
            if self.ended_within(STOP_S / 2):
                return self._sweep()
        if self.child.poll() is None:
            self.child.terminate()
            if not self.ended_within(STOP_S):
                self.child.kill()
                self.child.wait()
        self._sweep()

    def ended_within(self, seconds: float) -> bool:
        """Whether it ends by itself within this time."""
        try:
            self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        """Ends its process group, without asking."""
        try:
            os.killpg(self.child.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError, AttributeError):
            pass

    def _sweep(self) -> None:
        """Ends what is left of its process group, so that the pipes close."""
        self.kill()
        _running.discard(self)
        self._reader.join(STOP_S)
        for pipe in (self.child.stdout, self.child.stderr):
            # A pipe that a left process holds open is still being read; it ends with this program.
            if pipe is not None and not self._reader.is_alive():
                pipe.close()
