"""What a client has read, in the order of its arrival, and waiting for it within bounds."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from suite.jsontext import NotJson, parse


class Trouble(Exception):
    """Something that had to come did not come, or something broke on the way to it."""


@dataclass(frozen=True)
class Arrival:
    """One message as it was read."""

    number: int
    text: str
    message: dict


class Inbox:
    """All that came to one client. Readers add from threads of their own."""

    def __init__(self, patience_s: float):
        self.patience_s = patience_s
        self.arrivals: list[Arrival] = []
        self._news = threading.Condition()
        self._ended: str | None = None
        self._broken: dict[object, str] = {}

    def add(self, text: str) -> dict:
        """Keeps a message. Text that is no JSON object is kept as garbage, which no probe expects."""
        try:
            message = parse(text)
        except NotJson:
            message = None
        if not isinstance(message, dict):
            message = {"method": "(garbage)", "params": text}
        with self._news:
            self.arrivals.append(Arrival(len(self.arrivals), text, message))
            self._news.notify_all()
        return message

    def fail(self, id: object, why: str) -> None:
        """The request with this id will not be answered."""
        with self._news:
            self._broken[id] = why
            self._news.notify_all()

    def end(self, why: str) -> None:
        """Nothing will come any more."""
        with self._news:
            self._ended = self._ended or why
            self._news.notify_all()

    def wait(self, what: str, wanted: Callable[[dict], bool], since: int = 0, id: object = None) -> Arrival:
        """The first message from `since` on that is wanted."""
        deadline = time.monotonic() + self.patience_s
        with self._news:
            while True:
                for arrival in self.arrivals[since:]:
                    if wanted(arrival.message):
                        return arrival
                if id is not None and id in self._broken:
                    raise Trouble(f"{what}: {self._broken[id]}")
                if self._ended is not None:
                    raise Trouble(f"{what}: {self._ended}")
                left = deadline - time.monotonic()
                if left <= 0:
                    raise Trouble(f"{what}: nothing came within {self.patience_s:g} s")
                self._news.wait(left)
