"""What servers say behind the back of their clients, and a place where two of their calls wait for each other."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

HEAR_S = 15
MEET_S = 20


class Ear:
    """Hears the datagrams of servers/legacy.mjs and servers/modern.py."""

    def __init__(self, ear: socket.socket):
        self._socket = ear
        self.port = ear.getsockname()[1]

    def hears(self, word: str) -> bool:
        """Whether `word` is said within HEAR_S. What is said before it is dropped."""
        late = time.monotonic() + HEAR_S
        while (left := late - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                if self._socket.recv(4096).decode(errors="replace") == word:
                    return True
            except TimeoutError:
                break
        return False


@contextmanager
def ear() -> Iterator[Ear]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        yield Ear(bound)


class Meeting:
    """Lets two connections go when both are there, or after MEET_S."""

    def __init__(self, door: socket.socket):
        self._door = door
        self.port = door.getsockname()[1]
        # Who came, in order.
        self.met: list[str] = []
        self._thread = threading.Thread(target=self._wait, daemon=True)
        self._thread.start()

    def _wait(self) -> None:
        guests = []
        self._door.settimeout(MEET_S)
        try:
            for _ in range(2):
                guest, _address = self._door.accept()
                guest.settimeout(MEET_S)
                guests.append(guest)
                self.met.append(guest.recv(4096).decode(errors="replace").strip())
        except OSError:
            pass
        for guest in guests:
            guest.close()

    def end(self) -> None:
        self._door.close()
        self._thread.join(MEET_S + 1)


@contextmanager
def meeting() -> Iterator[Meeting]:
    with socket.create_server(("127.0.0.1", 0)) as door:
        held = Meeting(door)
        try:
            yield held
        finally:
            held.end()
