"""What must hold between a result through the gateway and the same client's result from the server itself."""

import json

# What a client of one era is told and one of the other is not: the bridge adds or drops them at the top of a result.
ERA_KEYS = ("resultType", "ttlMs", "cacheScope")
SERVER_INFO = "io.modelcontextprotocol/serverInfo"
INVALID_PARAMS = -32602


def compare(step: dict, through: dict, direct: dict, prefix: str, gateway: bool) -> str | None:
    """What is wrong with the result of one step, or nothing."""
    if step["do"] == "list":
        return _tools(through, direct, prefix)
    if gateway and step["name"] == "no_such_tool":
        return _unknown(through)
    if step["do"] == "cancel":
        if not through.get("aborted") or not through["progress"]:
            return f"was not aborted after its first progress: {show(through)}"
        return None
    if step["do"] == "progress":
        return _progress(through, direct) or _same(through.get("result"), direct.get("result"))
    return _same(_plain_names(through, step["name"], prefix), direct)


def _tools(through: dict, direct: dict, prefix: str) -> str | None:
    if "tools" not in through or "tools" not in direct:
        return f"no list: {show(through)}; from the server itself: {show(direct)}"
    # The gateway's own tools are its own business.
    mine = {tool["name"]: tool for tool in through["tools"] if not tool["name"].startswith("toolgate__")}
    for tool in direct["tools"]:
        listed = mine.pop(prefix + tool["name"], None)
        if listed is None:
            return f"{prefix}{tool['name']} is not listed"
        if wrong := _same({**listed, "name": tool["name"]}, tool):
            return f"{tool['name']}: {wrong}"
    return f"listed too much: {', '.join(mine)}" if mine else None


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
    kept = {key: inner for key, inner in value.items() if key not in ERA_KEYS}
    if isinstance(kept.get("_meta"), dict):
        kept["_meta"] = {key: inner for key, inner in kept["_meta"].items() if key != SERVER_INFO}
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
