"""What must hold between a result through the gateway and the same client's result from the server itself."""

import base64
import binascii
import json
import re
from dataclasses import dataclass

# What a client of one era is told and one of the other is not: the bridge adds or drops them at the top of a result.
ERA_KEYS = ("resultType", "ttlMs", "cacheScope")
# What a hop or a stream adds to `_meta`.
HOP_META = ("io.modelcontextprotocol/serverInfo", "io.modelcontextprotocol/subscriptionId")
INVALID_PARAMS = -32602
# The TypeScript client 2.x tells itself of progress whenever it answers a question.
OF_THE_CLIENT = "Fulfilling input required by"
# What the kinds of things are told apart by.
KEYS = {"tools": "name", "prompts": "name", "resources": "uri", "templates": "uriTemplate"}
# Times of day and ids that a server makes up: different in every run.
MADE_UP = (
    (re.compile(r"\b\d{1,2}:\d\d:\d\d([\s\u202f]?[AP]M)?"), "TIME"),
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b[0-9a-f]{32}\b"), "ID"),
)


@dataclass(frozen=True)
class Way:
    """What the way of a result is allowed to change."""

    # What the gateway puts in front of the names.
    prefix: str
    gateway: bool
    # What the server lists to every client. What it lists beyond them to this client, because of what this client can
    # do, may be missing. None: it must list the same.
    listed_to_all: frozenset[str] | None = None
    # Keys of a tool that this client keeps or not depending on the era.
    era_tool_keys: tuple[str, ...] = ()
    # Whether the two results came from servers, or to clients, of different eras.
    bridged: bool = False
    # Whether the client loses progress that is read together with the result behind it.
    loses_progress: bool = False


def compare(step: dict, through: dict, direct: dict, way: Way) -> str | None:
    """What is wrong with the result of one step, or nothing."""
    for kind in KEYS:
        if kind in direct:
            return _lists(kind, through, direct, way)
    if step["do"] == "connected":
        return _connected(through, direct)
    if way.gateway and step.get("name", "").startswith("no_such_"):
        return _unknown(through)
    if step["do"] == "cancel":
        if not through.get("aborted") or not through["progress"]:
            return f"was not aborted after its first progress: {show(through)}"
        return None
    if step.get("loose"):
        return None if "heard" in through else f"was not heard: {show(through)}"
    if step["do"] == "progress":
        if wrong := _progress(through, direct, way):
            return wrong
        through, direct = ({**one, "progress": None} for one in (through, direct))
    if wrong := same(_asked(through, way), _asked(direct, way)):
        return f"asked {wrong}"
    through, direct = ({**one, "asked": None} for one in (through, direct))
    return same(_plain_names(through, step.get("name", ""), way.prefix), direct)


def _lists(kind: str, through: dict, direct: dict, way: Way) -> str | None:
    if kind not in through:
        return f"no list: {show(through)[:300]}"
    key, prefix = KEYS[kind], way.prefix if KEYS[kind] == "name" else ""
    # The gateway's own tools are its own business.
    mine = {one[key]: one for one in through[kind] if not one[key].startswith("toolgate__")}
    missing = []
    for one in direct[kind]:
        listed = mine.pop(prefix + one[key], None)
        if listed is None:
            if way.listed_to_all is None or one[key] in way.listed_to_all:
                missing.append(prefix + one[key])
            continue
        kept = [_without({**each, key: one[key]}, way.era_tool_keys) for each in (listed, one)]
        if wrong := same(*kept):
            return f"{one[key]}: {wrong}"
    wrong = [f"not listed: {', '.join(missing)}"] if missing else []
    return "; ".join([*wrong, *([f"listed too much: {', '.join(mine)}"] if mine else [])]) or None


def _connected(through: dict, direct: dict) -> str | None:
    through, direct = through["connected"], direct["connected"]
    # Tasks of the legacy era have no counterpart in the modern one.
    wanted = direct["capabilities"]
    if through["era"] == "modern":
        wanted = _without(wanted, ("tasks",))
    offered = through["capabilities"] or {}
    missing = [name for name, value in wanted.items() if not _offers(offered.get(name), value)]
    if missing:
        return f"is not offered as the server offers it: {', '.join(missing)}; but {show(offered)}"
    if (direct["instructions"] or "") not in (through["instructions"] or ""):
        return f"the server's instructions did not arrive, but {show(through['instructions'])[:200]}"
    return None


def _offers(offered: object, wanted: object) -> bool:
    if not isinstance(wanted, dict):
        return offered == wanted
    return isinstance(offered, dict) and all(_offers(offered.get(key), value) for key, value in wanted.items())


def _without(value: dict, keys: tuple[str, ...]) -> dict:
    return {key: inner for key, inner in value.items() if key not in keys}


def _unknown(through: dict) -> str | None:
    if "error" not in through:
        return f"what is unknown is an error and not a result: {show(through)}"
    # The Inspector refuses by itself, without a code.
    code = through["error"]["code"]
    return None if code in (None, INVALID_PARAMS) else f"the code of what is unknown is {INVALID_PARAMS}, not {code}"


def _progress(through: dict, direct: dict, way: Way) -> str | None:
    # A notification and the result behind it race inside the clients, at the end of each round of a call: the TypeScript
    # client 2.4 loses one even directly. Equal is what arrived: all of it, or all but one, with at least one.
    one, other = (
        [told for told in result.get("progress") or [] if not told.get("message", "").startswith(OF_THE_CLIENT)]
        for result in (through, direct)
    )
    fewer, more = sorted((one, other), key=len)
    if way.loses_progress and all(told in more for told in fewer):
        return None
    without_one = [more[:at] + more[at + 1 :] for at in range(len(more))]
    if not fewer or fewer not in [more, *without_one]:
        return f"progress {show(one)}, from the server itself {show(other)}"
    return None


def _asked(result: dict, way: Way) -> list[dict]:
    """The questions. An id of an elicitation is of the legacy era: modern clients drop it, and bridges make one up. Which
    keys of `_meta` a question has is of the hop."""
    dropped = ("_meta", "elicitationId") if way.gateway else ("_meta",)
    return [{**one, "params": _without(one["params"], dropped)} for one in result.get("asked", [])]


def same(through: object, direct: object) -> str | None:
    """Where two results differ, apart from the era they came in and what the server makes up."""
    through, direct = show(_settled(_without_era(through))), show(_settled(_without_era(direct)))
    if through == direct:
        return None
    at = next((i for i, (a, b) in enumerate(zip(through, direct)) if a != b), min(len(through), len(direct)))
    begin = max(0, at - 60)
    return f"…{through[begin : at + 160]}… instead of …{direct[begin : at + 160]}…"


def _without_era(value: object) -> object:
    if not isinstance(value, dict):
        return value
    for inner in ("result", "heard"):
        if inner in value:
            return {**value, inner: _without_era(value[inner])}
    kept = _without(value, ERA_KEYS)
    if isinstance(kept.get("_meta"), dict):
        kept["_meta"] = _without(kept["_meta"], HOP_META)
        if not kept["_meta"]:
            del kept["_meta"]
    return kept


def _settled(value: object) -> object:
    if isinstance(value, list):
        return [_settled(one) for one in value]
    if isinstance(value, dict):
        return {key: _settled(_text(one) if key == "blob" else one) for key, one in value.items()}
    if isinstance(value, str):
        for pattern, word in MADE_UP:
            value = pattern.sub(word, value)
    return value


def _text(blob: object) -> object:
    # A schema may have a field of that name.
    if not isinstance(blob, str):
        return blob
    try:
        return base64.b64decode(blob, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return blob


def _plain_names(through: dict, name: str, prefix: str) -> dict:
    # Clients put the name of the tool into messages of their own.
    if "error" not in through or not name:
        return through
    message = through["error"]["message"].replace(prefix + name, name)
    return {**through, "error": {**through["error"], "message": message}}


def show(value: object) -> str:
    """Canonical text."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
