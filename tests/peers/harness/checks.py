"""What must hold between a result through the gateway and the same client's result from the server itself."""

import json
from dataclasses import dataclass

# What a client of one era is told and one of the other is not: the bridge adds or drops them at the top of a result.
ERA_KEYS = ("resultType", "ttlMs", "cacheScope")
SERVER_INFO = "io.modelcontextprotocol/serverInfo"
INVALID_PARAMS = -32602


@dataclass(frozen=True)
class Way:
    """What the way of a result is allowed to change."""

    # What the gateway puts in front of the names.
    prefix: str
    gateway: bool
    # The names the server lists to a client without capabilities. What it lists beyond them to this client, because
    # of what this client can do, may be missing.
    listed_to_all: frozenset[str]
    # Keys of a tool that this client keeps or not depending on the era.
    era_tool_keys: tuple[str, ...]


def compare(step: dict, through: dict, direct: dict, way: Way) -> str | None:
    """What is wrong with the result of one step, or nothing."""
    if step["do"] == "list":
        return _tools(through, direct, way)
    if way.gateway and step["name"] == "no_such_tool":
        return _unknown(through)
    if step["do"] == "cancel":
        if not through.get("aborted") or not through["progress"]:
            return f"was not aborted after its first progress: {show(through)}"
        return None
    if step["do"] == "progress":
        return _progress(through, direct) or _same(through.get("result"), direct.get("result"))
    return _same(_plain_names(through, step["name"], way.prefix), direct)


def _tools(through: dict, direct: dict, way: Way) -> str | None:
    if "tools" not in through or "tools" not in direct:
        return f"no list: {show(through)}; from the server itself: {show(direct)}"
    # The gateway's own tools are its own business.
    mine = {tool["name"]: tool for tool in through["tools"] if not tool["name"].startswith("toolgate__")}
    for tool in direct["tools"]:
        listed = mine.pop(way.prefix + tool["name"], None)
        if listed is None:
            if tool["name"] in way.listed_to_all:
                return f"{way.prefix}{tool['name']} is not listed"
            continue
        kept = [_without({**one, "name": tool["name"]}, way.era_tool_keys) for one in (listed, tool)]
        if wrong := _same(*kept):
            return f"{tool['name']}: {wrong}"
    return f"listed too much: {', '.join(mine)}" if mine else None


def _without(value: dict, keys: tuple[str, ...]) -> dict:
    return {key: inner for key, inner in value.items() if key not in keys}


def _unknown(through: dict) -> str | None:
    if "error" not in through:
        return f"an unknown tool is an error and not a result: {show(through)}"
    # The Inspector refuses by itself, without a code.
    code = through["error"]["code"]
    return None if code in (None, INVALID_PARAMS) else f"the code of an unknown tool is {INVALID_PARAMS}, not {code}"


def _progress(through: dict, direct: dict) -> str | None:
    # The last notification and the result race inside the clients: the TypeScript client 2.4 loses it even directly.
    # Equal is what arrived: a beginning of what was sent, with at least one.
    one, other = through.get("progress") or [], direct.get("progress") or []
    shorter = min(len(one), len(other))
    if shorter == 0 or abs(len(one) - len(other)) > 1 or one[:shorter] != other[:shorter]:
        return f"progress {show(one)}, from the server itself {show(other)}"
    return None


def _same(through: object, direct: object) -> str | None:
    through, direct = show(_without_era(through)), show(_without_era(direct))
    if through == direct:
        return None
    at = next((i for i, (a, b) in enumerate(zip(through, direct)) if a != b), min(len(through), len(direct)))
    begin = max(0, at - 60)
    return f"…{through[begin : at + 160]}… instead of …{direct[begin : at + 160]}…"


def _without_era(value: object) -> object:
    if not isinstance(value, dict):
        return value
    if "result" in value:
        return {**value, "result": _without_era(value["result"])}
    kept = _without(value, ERA_KEYS)
    if isinstance(kept.get("_meta"), dict):
        kept["_meta"] = _without(kept["_meta"], (SERVER_INFO,))
        if not kept["_meta"]:
            del kept["_meta"]
    return kept


def _plain_names(through: dict, name: str, prefix: str) -> dict:
    # Clients put the name of the tool into messages of their own.
    if "error" not in through:
        return through
    message = through["error"]["message"].replace(prefix + name, name)
    return {**through, "error": {**through["error"], "message": message}}


def show(value: object) -> str:
    """Canonical text."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
