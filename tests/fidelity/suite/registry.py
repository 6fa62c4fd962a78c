"""The probes: each is a function, named by a sentence, that says in which pairs it makes sense."""

from collections.abc import Callable
from dataclasses import dataclass

from suite.pairs import Pair
from suite.stage import Stage

PROBES: list["Probe"] = []


@dataclass(frozen=True)
class Probe:
    """One thing that is tried. Its id is the name of its function."""

    id: str
    sentence: str
    run: Callable[[Stage], None]
    applies: Callable[[Pair], bool]


def any_pair(pair: Pair) -> bool:
    return True


def both_legacy(pair: Pair) -> bool:
    """What exists in the legacy era only, and cannot be bridged."""
    return pair.client_era == pair.server_era == "legacy"


def both_modern(pair: Pair) -> bool:
    """What exists in the modern era only, and cannot be bridged."""
    return pair.client_era == pair.server_era == "modern"


def one_server(pair: Pair) -> bool:
    """What a gateway could not route if several servers stood behind it."""
    return pair.servers == 1


def probe(sentence: str, applies: Callable[[Pair], bool] = any_pair) -> Callable:
    """Makes a function a probe. The sentence says what must hold."""

    def register(run: Callable[[Stage], None]) -> Callable[[Stage], None]:
        PROBES.append(Probe(run.__name__, sentence, run, applies))
        return run

    return register
