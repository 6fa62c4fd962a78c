"""The pairs: which client, over which transport, uses which server, over which transport, and how many there are."""

from dataclasses import dataclass
from fnmatch import fnmatch

ERAS = ("legacy", "modern")
TRANSPORTS = ("stdio", "http")


@dataclass(frozen=True)
class Pair:
    """A client and a server, and how many servers stand behind the gateway."""

    client_era: str
    client_transport: str
    server_era: str
    server_transport: str
    servers: int = 1

    def __str__(self) -> str:
        several = f"+{self.servers}" if self.servers > 1 else ""
        return f"{self.client_era}-{self.client_transport}>{self.server_era}-{self.server_transport}{several}"

    @property
    def same_era(self) -> bool:
        return self.client_era == self.server_era


def direct() -> list[Pair]:
    """The pairs that exist without a gateway."""
    return [Pair(era, transport, era, transport) for era in ERAS for transport in TRANSPORTS]


def through(client_transports: tuple, server_transports: tuple, several: bool) -> list[Pair]:
    """All pairs that a gateway with these faces can be tried in; `several`: with three servers as well."""
    pairs = [
        Pair(client_era, client_transport, server_era, server_transport)
        for client_era in ERAS
        for client_transport in client_transports
        for server_era in ERAS
        for server_transport in server_transports
    ]
    # With several servers names and lists are what differs, not the transport: one of each is enough.
    crowd = [
        Pair(client_era, client_transports[-1], server_era, server_transports[0], servers=3)
        for client_era in ERAS
        for server_era in ERAS
    ]
    return pairs + (crowd if several else [])


def chosen(pairs: list[Pair], patterns: list[str] | None) -> list[Pair]:
    return [pair for pair in pairs if not patterns or any(fnmatch(str(pair), pattern) for pattern in patterns)]
