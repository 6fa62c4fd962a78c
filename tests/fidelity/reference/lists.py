"""Lists, resources, prompts, completion and the method of an extension."""

from reference import ask
from reference.call import Call, Refusal
from reference.offering import ECHO
from suite.jsontext import Number, dump, parse

PAGE = 3


async def _tools(call: Call) -> dict:
    return {"x": {"z": 1, "a": 2}, "tools": call.engine.offering.tools, "_meta": {"com.example/list": Number("1.0")}}


async def _prompts(call: Call) -> dict:
    return {"prompts": call.engine.offering.prompts}


async def _templates(call: Call) -> dict:
    return {"resourceTemplates": call.engine.offering.templates}


async def _resources(call: Call) -> dict:
    """In pages, whose cursors mean something to this server alone."""
    cursor = call.params.get("cursor", "from 0 \u2028")
    everything = call.engine.offering.resources
    start = int(cursor.split()[1])
    page = {"resources": everything[start : start + PAGE]}
    if start + PAGE < len(everything):
        page["nextCursor"] = f"from {start + PAGE} \u2028"
    return page


async def _read(call: Call) -> dict:
    uri, offering = call.params.get("uri"), call.engine.offering
    path = uri.removeprefix(offering.uri)
    if path in ("text", "blob"):
        return offering.answers[path]
    if uri.startswith("ui://"):
        return offering.answers["panel"]
    if path == "asks":
        return {"contents": [{"uri": uri, "text": dump(await ask.put(call, ["form"]))}]}
    if path.startswith("item/"):
        return {"contents": [{"uri": uri, "mimeType": "application/json", "text": dump({"path": path})}]}
    code = -32602 if call.modern else -32002
    raise Refusal(code, "Resource not found", {"uri": uri, "x": Number("1.0")})


async def _prompt(call: Call) -> dict:
    name = call.params.get("name")
    if name == "asks":
        text = dump(await ask.put(call, ["sampling"]))
        return {"messages": [{"role": "user", "content": {"type": "text", "text": text}}]}
    if name != "brief":
        raise Refusal(-32602, "No such prompt", {"name": name, "x": Number("1.0")})
    text = dump(call.engine.offering.answers["prompt"])
    return parse(text.replace("TOPIC", call.arguments.get("topic", "nothing")))


async def _complete(call: Call) -> dict:
    return call.engine.offering.answers["completion"]


async def _echo(call: Call) -> dict:
    call.notify("notifications/com.example/told", {"z": Number("1.0"), "a": 2})
    return {"com.example/z": call.params.get("value"), "a": Number("1.0")}


METHODS = {
    "tools/list": _tools,
    "prompts/list": _prompts,
    "resources/list": _resources,
    "resources/templates/list": _templates,
    "resources/read": _read,
    "prompts/get": _prompt,
    "completion/complete": _complete,
    ECHO: _echo,
}
