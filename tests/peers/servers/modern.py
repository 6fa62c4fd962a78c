"""A server of the modern era on the Python SDK 2.x, over stdio. legacy.mjs has the same tools in the legacy one.

modern.py [--ear PORT]: things that no client sees are told to 127.0.0.1:PORT, one datagram each.

Its tools ask by `input_required`, one question a round, and every question holds what the answer before was, so that an
answer that was lost or came from someone else shows in the result.
"""

import argparse
import asyncio
import json
import os
import socket
import warnings
from collections.abc import Callable

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp_types import (
    CreateMessageRequest,
    CreateMessageRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitRequestURLParams,
    InputRequiredResult,
    ListRootsRequest,
)

WAIT_S = 60
COLOURS = ["red", "green", "blue"]
warnings.simplefilter("ignore")
parser = argparse.ArgumentParser()
parser.add_argument("--ear", type=int)
EAR = parser.parse_args().ear

mcp = MCPServer("peers-modern", version="1.0.0", instructions="Ask `interview` about anyone.", log_level="ERROR")


def tool(function: Callable) -> Callable:
    return mcp.tool(structured_output=False)(function)


def said(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def field(key: str) -> dict:
    return {"type": "object", "properties": {key: {"type": "string", "title": key}}, "required": [key]}


def ask(state: dict, key: str, request: object) -> InputRequiredResult:
    """One question. What was known before comes back with its answer."""
    return InputRequiredResult(input_requests={key: request}, request_state=json.dumps(state))


def elicit(message: str, schema: dict) -> ElicitRequest:
    return ElicitRequest(params=ElicitRequestFormParams(mode="form", message=message, requested_schema=schema))


def sample(**params: object) -> CreateMessageRequest:
    return CreateMessageRequest(params=CreateMessageRequestParams(**params))


def user(text: str) -> dict:
    return {"role": "user", "content": {"type": "text", "text": text}}


def known(ctx: Context) -> dict:
    """What was known, and under the keys of the questions their answers."""
    state = json.loads(ctx.request_state or "{}")
    for key, answer in (ctx.input_responses or {}).items():
        state[key] = answer.model_dump(mode="json", by_alias=True, exclude_none=True)
    return state


async def tell(ctx: Context, subject: str, level: str, progress: int, total: int = 3) -> None:
    await ctx.log(level, f"{subject} at {level}", logger_name="peers")
    await ctx.report_progress(progress, total, f"{subject} {progress}")


@tool
async def echo(text: str) -> str:
    return said({"text": text})


@tool
async def interview(subject: str, ctx: Context, meet: int | None = None):
    state = known(ctx)
    if "first" not in state:
        await met(meet, subject)
        await tell(ctx, subject, "warning", 1)
        return ask(state, "first", elicit(f"{subject}: who are you?", field("name")))
    name = state["first"]["content"]["name"]
    if "second" not in state:
        age, colour = {"type": "integer", "minimum": 0, "maximum": 120}, {"type": "string", "enum": COLOURS}
        schema = {"type": "object", "properties": {"age": age, "colour": colour}, "required": ["age", "colour"]}
        return ask(state, "second", elicit(f"{subject}: and then, {name}?", schema))
    details = state["second"]["content"]
    if "third" not in state:
        await tell(ctx, subject, "error", 2)
        text = f"{subject}: describe {name}, {details['age']}, {details['colour']}"
        return ask(state, "third", sample(messages=[user(text)], system_prompt=f"for {subject}", max_tokens=50))
    sampled = state["third"]
    text = sampled["content"]["text"]
    return said({"subject": subject, "name": name, **details, "model": sampled["model"], "text": text})


@tool
async def look_around(ctx: Context):
    state = known(ctx)
    if "roots" not in state:
        return ask(state, "roots", ListRootsRequest())
    return said({"roots": [{"uri": root["uri"], "name": root["name"]} for root in state["roots"]["roots"]]})


@tool
async def think(subject: str, ctx: Context):
    state = known(ctx)
    weigh = {"name": "weigh", "description": "Weighs.", "inputSchema": {"type": "object", "$defs": {"n": {"type": "null"}}}}
    first = user(f"{subject}: how heavy?")
    params = {"max_tokens": 9, "tools": [weigh], "tool_choice": {"mode": "auto"}}
    if "use" not in state:
        return ask(state, "use", sample(messages=[first], **params))
    use = _first(state["use"]["content"])
    if "last" not in state:
        weighed = [{"type": "text", "text": f"{use['input']['asked']} weighs 7"}]
        result = {"role": "user", "content": [{"type": "tool_result", "toolUseId": use["id"], "content": weighed}]}
        messages = [first, {"role": "assistant", "content": [use]}, result]
        return ask(state, "last", sample(messages=messages, **params))
    used = {"name": use["name"], "input": use["input"]}
    return said({"used": used, "text": _first(state["last"]["content"])["text"]})


def _first(content: dict | list) -> dict:
    return content[0] if isinstance(content, list) else content


@tool
async def visit(subject: str, ctx: Context):
    state = known(ctx)
    if "visit" not in state:
        where = {"url": f"https://peers.example/{subject}", "elicitation_id": f"visit-{subject}"}
        params = ElicitRequestURLParams(mode="url", message=f"{subject}: look at this", **where)
        return ask(state, "visit", ElicitRequest(params=params))
    return said({"subject": subject, "action": state["visit"]["action"]})


@tool
async def capabilities(ctx: Context) -> str:
    seen = ctx.client_capabilities
    return said(seen.model_dump(mode="json", by_alias=True, exclude_unset=True) if seen else {})


@tool
async def news(subject: str, ctx: Context) -> str:
    for at, level in enumerate(["debug", "info", "warning", "error"], 1):
        await tell(ctx, subject, level, at, 4)
    return said({"subject": subject})


@tool
async def change(tool: str, ctx: Context) -> str:
    async def more() -> str:
        return said({"added": True})

    mcp.add_tool(more, name=tool, structured_output=False)
    await ctx.notify_tools_changed()
    return said({"changed": True})


@tool
async def wait(subject: str, ctx: Context) -> str:
    try:
        await tell(ctx, subject, "info", 1)
        await asyncio.sleep(WAIT_S)
    except asyncio.CancelledError:
        heard(f"cancelled {subject}")
        raise
    return said({"subject": subject})


@tool
async def crash() -> str:
    os._exit(3)


@tool
async def touch(uri: str, ctx: Context) -> str:
    await ctx.notify_resource_updated(uri)
    return said({"uri": uri})


@mcp.resource("peers://notes/{name}", name="note", mime_type="text/plain")
async def note(name: str) -> str:
    return f"note at peers://notes/{name}"


@mcp.resource("peers://asked/{name}", name="asked", mime_type="text/plain")
async def asked(name: str, ctx: Context):
    state = known(ctx)
    if "leave" not in state:
        return ask(state, "leave", elicit(f"{name}: may it be read?", field("leave")))
    return said(state["leave"].get("content"))


@mcp.prompt()
async def introduce(subject: str, ctx: Context):
    state = known(ctx)
    if "person" not in state:
        return ask(state, "person", elicit(f"{subject}: to whom?", field("person")))
    return [UserMessage(f"introduce {subject} to {state['person']['content']['person']}")]


def heard(word: str) -> None:
    if EAR:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
            ear.sendto(word.encode(), ("127.0.0.1", EAR))


async def met(port: int | None, word: str) -> None:
    """Says at the meeting point that `word` is there, and waits until it lets go."""
    if port is not None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"{word}\n".encode())
        await reader.read()
        writer.close()


mcp.run("stdio")
