"""Compares what was seen with what was expected, message by message, and names each difference."""

from collections.abc import Iterator
from dataclasses import dataclass

from suite.jsontext import dump

KINDS = ("lost", "changed", "added", "late")


@dataclass(frozen=True)
class Seen:
    """One message, or one fact, that one side saw. The label says what it is, the body what is compared."""

    label: str
    body: object


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it was without a gateway. An empty path means the message as a whole."""

    kind: str
    side: str
    label: str
    path: tuple[str, ...]
    expected: object = None
    actual: object = None

    @property
    def pointer(self) -> str:
        return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in self.path)

    def __str__(self) -> str:
        words = f"{self.kind:<7} {self.side}: {self.label}{' at ' + self.pointer if self.path else ''}"
        if self.kind == "changed":
            return f"{words}: {short(self.expected)} became {short(self.actual)}"
        value = self.expected if self.kind == "lost" else self.actual
        # Without a value it is the label that says what happened.
        return words if value is None and not self.path else f"{words}: {short(value)}"


@dataclass(frozen=True)
class Order:
    """The order of the members of an object, where that is what differs."""

    names: tuple[str, ...]


def short(value: object, length: int = 110) -> str:
    """A value on one line, cut for people."""
    text = "members in the order " + ", ".join(value.names) if isinstance(value, Order) else dump(value)
    text = text.encode("unicode_escape").decode() if not text.isprintable() else text
    return text if len(text) <= length else f"{text[:length]}… ({len(text)} characters)"


def bodies(expected: object, actual: object, path: tuple[str, ...] = ()) -> Iterator[tuple]:
    """Kind, path, expected and actual of each difference between two values."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        yield from _objects(expected, actual, path)
    elif isinstance(expected, list) and isinstance(actual, list):
        for index, (one, other) in enumerate(zip(expected, actual)):
            yield from bodies(one, other, (*path, str(index)))
        for index in range(len(actual), len(expected)):
            yield "lost", (*path, str(index)), expected[index], None
        for index in range(len(expected), len(actual)):
            yield "added", (*path, str(index)), None, actual[index]
    elif type(expected) is not type(actual) or expected != actual:
        yield "changed", path, expected, actual


def _objects(expected: dict, actual: dict, path: tuple[str, ...]) -> Iterator[tuple]:
    for key, value in expected.items():
        if key in actual:
            yield from bodies(value, actual[key], (*path, key))
        else:
            yield "lost", (*path, key), value, None
    for key, value in actual.items():
        if key not in expected:
            yield "added", (*path, key), None, value
    before = tuple(key for key in expected if key in actual)
    after = tuple(key for key in actual if key in expected)
    if before != after:
        yield "changed", path, Order(before), Order(after)


def messages(side: str, expected: list[Seen], actual: list[Seen], permitted) -> Iterator[Difference]:
    """All differences of one side, permitted ones included."""

    def between(one: Seen, other: Seen) -> list[Difference]:
        return [Difference(kind, side, one.label, path, *rest) for kind, path, *rest in bodies(one.body, other.body)]

    def faithful(one: Seen, other: Seen) -> bool:
        return all(permitted(difference) for difference in between(one, other))

    partner = _matched(expected, actual, faithful)
    for index, one in enumerate(expected):
        if index in partner:
            yield from between(one, actual[partner[index]])
        else:
            yield Difference("lost", side, one.label, (), one.body)
    for index, other in enumerate(actual):
        if index not in partner.values():
            yield Difference("added", side, other.label, (), None, other.body)
    for index in _out_of_order([partner[index] for index in sorted(partner)]):
        yield Difference("late", side, actual[index].label, ())


def _matched(expected: list[Seen], actual: list[Seen], faithful) -> dict[int, int]:
    """Which actual message stands for which expected one: first those that are as they were, then by label."""
    partner: dict[int, int] = {}
    for fits in (faithful, lambda one, other: True):
        for index, one in enumerate(expected):
            for candidate, other in enumerate(actual):
                free = index not in partner and candidate not in partner.values()
                if free and one.label == other.label and fits(one, other):
                    partner[index] = candidate
    return partner


def _out_of_order(places: list[int]) -> list[int]:
    """The fewest places that must be taken out so that the rest increases."""
    best: list[list[int]] = []
    for place in places:
        before = max((run for run in best if run[-1] < place), key=len, default=[])
        best.append([*before, place])
    longest = max(best, key=len, default=[])
    return [place for place in places if place not in longest]
