"""The steps of the Python client: as steps.mjs."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from mcp import Client, MCPError
from mcp_types import PromptReference, ResourceTemplateReference

from py_heard import Heard, plain

LOG_LEVEL = "io.modelcontextprotocol/logLevel"


@dataclass
class Peer:
    """A connected client, and what its steps leave for later ones."""

    client: Client
    heard: Heard
    connected: dict
    stack: AsyncExitStack
    meta: dict = field(default_factory=dict)

    @property
    def modern(self) -> bool:
        return self.connected["era"] == "modern"


async def take_steps(peer: Peer, steps: list[dict]) -> None:
    for step in steps:
        try:
            result = await STEPS[step["do"]](peer, step)
        except MCPError as error:
            result = {"error": {"code": error.code, "message": error.message, "data": error.data}}
        except (RuntimeError, ValueError) as error:
            result = {"error": {"code": None, "message": str(error), "data": None}}
        if asked := peer.heard.take_asked(step.get("roots", False)):
            result["asked"] = asked
        print(json.dumps(result, sort_keys=True, separators=(",", ":"), ensure_ascii=False))
        sys.stdout.flush()


async def _connected(peer: Peer, _step: dict) -> dict:
    return {"connected": peer.connected}


def _pages(fetch: str, key: str, said: str) -> Callable[[Peer, dict], Awaitable[dict]]:
    async def take(peer: Peer, _step: dict) -> dict:
        items, cursor = [], None
        while True:
            page = await getattr(peer.client, fetch)(cursor=cursor)
            items += [plain(item) for item in getattr(page, key)]
            cursor = page.next_cursor
            if cursor is None:
                return {said: items}

    return take


async def _prompt(peer: Peer, step: dict) -> dict:
    return {"result": plain(await peer.client.get_prompt(step["name"], step.get("arguments")))}


async def _read(peer: Peer, step: dict) -> dict:
    return {"result": plain(await peer.client.read_resource(step["uri"]))}


async def _complete(peer: Peer, step: dict) -> dict:
    kind = PromptReference if step["ref"]["type"] == "ref/prompt" else ResourceTemplateReference
    ref = kind(**step["ref"])
    return {"result": plain(await peer.client.complete(ref, step["argument"], step.get("context")))}


async def _level(peer: Peer, step: dict) -> dict:
    if peer.modern:
        peer.meta = {LOG_LEVEL: step["level"]}
    else:
        await peer.client.set_logging_level(step["level"])
    return {"done": True}


async def _watch(peer: Peer, step: dict) -> dict:
    uris = step.get("uris", [])
    if peer.modern:
        await peer.stack.aclose()
        lists = {"tools_list_changed": True, "prompts_list_changed": True, "resources_list_changed": True}
        await peer.stack.enter_async_context(peer.client.listen(**lists, resource_subscriptions=uris))
    else:
        for uri in uris:
            await peer.client.subscribe_resource(uri)
    return {"done": True}


async def _unwatch(peer: Peer, step: dict) -> dict:
    if peer.modern:
        await peer.stack.aclose()
    else:
        for uri in step.get("uris", []):
            await peer.client.unsubscribe_resource(uri)
    return {"done": True}


async def _heard(peer: Peer, step: dict) -> dict:
    return {"heard": await peer.heard.take(step["method"], step.get("part", ""))}


async def _told(peer: Peer, step: dict) -> dict:
    return {"told": peer.heard.all(step["method"])}


async def _roots_changed(peer: Peer, _step: dict) -> dict:
    await peer.client.send_roots_list_changed()
    return {"done": True}


async def _call(peer: Peer, step: dict) -> dict:
    call = peer.client.call_tool(step["name"], step.get("arguments", {}), meta=peer.meta or None)
    return {"result": plain(await call)}


async def _watched(peer: Peer, step: dict) -> dict:
    progress: list[dict] = []
    first = asyncio.Event()

    async def note(now: float, total: float | None, message: str | None) -> None:
        said = {"progress": now, "total": total, "message": message}
        progress.append({key: value for key, value in said.items() if value is not None})
        first.set()

    call = peer.client.call_tool(
        step["name"], step.get("arguments", {}), progress_callback=note, meta=peer.meta or None
    )
    call = asyncio.ensure_future(call)
    if step["do"] == "progress":
        result = await call
        return {"progress": progress, "result": plain(result)}
    waiting = asyncio.ensure_future(first.wait())
    await asyncio.wait([call, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    call.cancel()
    try:
        return {"progress": progress, "result": plain(await call)}
    except asyncio.CancelledError:
        return {"aborted": True, "progress": progress}


STEPS = {
    "connected": _connected,
    "list": _pages("list_tools", "tools", "tools"),
    "prompts": _pages("list_prompts", "prompts", "prompts"),
    "resources": _pages("list_resources", "resources", "resources"),
    "templates": _pages("list_resource_templates", "resource_templates", "templates"),
    "prompt": _prompt,
    "read": _read,
    "complete": _complete,
    "level": _level,
    "watch": _watch,
    "unwatch": _unwatch,
    "heard": _heard,
    "told": _told,
    "roots-changed": _roots_changed,
    "call": _call,
    "progress": _watched,
    "cancel": _watched,
}
