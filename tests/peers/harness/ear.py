"""What servers say behind the back of their clients, and a place where two of their calls wait for each other."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

HEAR_S = 15
MEET_S = 20


class Ear:
    """Hears the datagrams of servers/legacy.mjs and servers/modern.py."""

    def __init__(self, ear: socket.socket):
        self._socket = ear
        self.port = ear.getsockname()[1]
        self._said: set[str] = set()
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while word := self._socket.recv(4096).decode(errors="replace"):
            with self._news:
                self._said.add(word)
                self._news.notify_all()

    def hears(self, word: str) -> bool:
        """Whether `word` was said, now or within HEAR_S."""
        with self._news:
            return self._news.wait_for(lambda: word in self._said, HEAR_S)

    def end(self) -> None:
        # An empty word is the last one.
        self._socket.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join(HEAR_S)


@contextmanager
def ear() -> Iterator[Ear]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        heard = Ear(bound)
        try:
            yield heard
        finally:
            heard.end()


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
