"""The way past the gateway: what the reference servers saw, and commands to them."""

import socket
import threading
import time
from collections.abc import Callable

from suite.inbox import Trouble
from suite.jsontext import Number, dump, parse


class Observer:
    """Hears all reference servers of one pair. Each connects when it starts, and its end is seen."""

    def __init__(self, patience_s: float):
        self.patience_s = patience_s
        self.entries: list[dict] = []
        self._news = threading.Condition()
        self._servers: dict[socket.socket, str] = {}
        self._fences = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def _accept(self) -> None:
        while True:
            try:
                server, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._read, args=(server,), daemon=True).start()

    def _read(self, server: socket.socket) -> None:
        name = ""
        try:
            with server.makefile("rb") as lines:
                for line in lines:
                    entry = parse(line.decode(errors="replace"))
                    if entry["event"] == "hello":
                        name = entry["name"]
                        self._servers[server] = name
                        server.sendall(b'{"do":"welcome"}\n')
                    with self._news:
                        self.entries.append({**entry, "server": name, "socket": server})
                        self._news.notify_all()
        except OSError:
            pass
        with self._news:
            self._servers.pop(server, None)
            self._news.notify_all()
        server.close()

    def wait(self, what: str, wanted: Callable[[dict], bool], since: int = 0) -> dict:
        """The first entry from `since` on that is wanted."""
        found: list[dict] = []

        def look() -> bool:
            found.extend([entry for entry in self.entries[since:] if wanted(entry)][:1])
            return bool(found)

        self._until(look, f"the server did not see: {what}")
        return found[0]

    def _until(self, done: Callable[[], bool], complaint: str) -> None:
        deadline = time.monotonic() + self.patience_s
        with self._news:
            while not done():
                left = deadline - time.monotonic()
                if left <= 0:
                    raise Trouble(f"{complaint} within {self.patience_s:g} s")
                self._news.wait(left)

    def command(self, **command: object) -> None:
        """Commands all servers that run."""
        for server in list(self._servers):
            try:
                server.sendall((dump(command) + "\n").encode())
            except OSError:
                pass

    def fence(self) -> None:
        """Returns when all that the servers had noted until now has arrived here."""
        self._fences += 1
        number, since = Number(str(self._fences)), len(self.entries)
        asked = set(self._servers)
        self.command(do="fence", number=number)

        def done() -> bool:
            passed = {entry["socket"] for entry in self.entries[since:] if entry.get("number") == number}
            return all(server in passed or server not in self._servers for server in asked)

        self._until(done, "a server did not answer its observer")

    def all_gone(self) -> bool:
        """Whether every server has ended, after a bounded wait."""
        try:
            self._until(lambda: not self._servers, "servers still run")
        except Trouble:
            return False
        return True

    def close(self) -> None:
        """Hangs up. A server that still runs ends itself."""
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()
        for server in list(self._servers):
            try:
                server.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
