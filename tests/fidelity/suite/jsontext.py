"""JSON that keeps what Python's own values lose: the text of numbers, and the order of members."""

import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Number:
    """A number as it was written: 1, 1.0 and 1E0 differ, and no digit is lost."""

    text: str


class NotJson(Exception):
    """A text is no JSON."""


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def parse(text: str) -> object:
    """The value of a JSON text. Objects keep the order of their members, numbers their text."""
    try:
        return json.loads(text, parse_int=Number, parse_float=Number, parse_constant=_refuse)
    except ValueError as error:
        raise NotJson(f"{error}: {text[:200]!r}") from None


def dump(value: object) -> str:
    """The JSON text of a value, on one line, without spaces, members in their order, nothing escaped without need."""
    if isinstance(value, Number):
        return value.text
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key, ensure_ascii=False)}:{dump(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(dump(item) for item in value) + "]"
    # A lone surrogate cannot be written as UTF-8; it stays the escape it was.
    text = json.dumps(value, ensure_ascii=False)
    return text if text.isascii() or text.encode("utf-8", "ignore").decode() == text else json.dumps(value)


def at(value: object, *path: object) -> object:
    """What stands at a path of keys and indices, or None."""
    for step in path:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value
