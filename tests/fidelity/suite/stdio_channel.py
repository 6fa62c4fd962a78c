"""The way to a server that is a child process: one message a line."""

import threading
from pathlib import Path

from suite.inbox import Inbox, Trouble
from suite.jsontext import dump
from suite.processes import STOP_S, Process


class StdioChannel:
    """Starts the command, writes messages, hands on what is read."""

    cancels_by_closing = False
    version: str | None = None

    def __init__(self, command: list[str], log: Path, env: dict[str, str] | None = None):
        self._process = Process(command, log, pipes=True, env=env)
        self._lock = threading.Lock()

    def start(self, inbox: Inbox, on_message) -> None:
        def read() -> None:
            for line in self._process.child.stdout:
                if line.strip():
                    on_message(inbox.add(line.decode(errors="replace").rstrip("\r\n")))
            inbox.end("the process has ended")

        self._reader = threading.Thread(target=read, daemon=True)
        self._reader.start()

    def send(self, message: dict, headers: dict[str, str]) -> None:
        try:
            with self._lock:
                self._process.child.stdin.write((dump(message) + "\n").encode())
                self._process.child.stdin.flush()
        except (OSError, ValueError) as error:
            raise Trouble(f"the process does not read: {error}") from None

    def opened(self) -> None:
        """Nothing more is needed after the handshake."""

    def close(self) -> None:
        self._process.stop()
        self._reader.join(STOP_S)
