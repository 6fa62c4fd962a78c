"""What only the modern era has: discovery, streams of subscriptions, and what every result carries."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from reference.call import Call
from reference.offering import INSTRUCTIONS, MODERN_VERSION, capabilities, server_info
from suite.jsontext import dump

SUBSCRIPTION_KEY = "io.modelcontextprotocol/subscriptionId"
SERVER_KEY = "io.modelcontextprotocol/serverInfo"
FILTERS = {
    "notifications/tools/list_changed": "toolsListChanged",
    "notifications/prompts/list_changed": "promptsListChanged",
    "notifications/resources/list_changed": "resourcesListChanged",
}
# Milliseconds and scope of each kind of answer; all differ, so that one cannot stand for another.
CACHE_HINTS = {
    "server/discover": (61000, "public"),
    "tools/list": (62000, "public"),
    "prompts/list": (63000, "private"),
    "resources/list": (64000, "public"),
    "resources/templates/list": (65000, "public"),
    "resources/read": (66000, "private"),
}


@dataclass(eq=False)
class Listen:
    """One open subscriptions/listen."""

    meta: dict
    filter: dict
    send: Callable[[dict], None]

    def wants(self, method: str, uri: str | None) -> bool:
        if uri is not None:
            return uri in self.filter.get("resourceSubscriptions", [])
        return self.filter.get(FILTERS[method]) is True


async def _discover(call: Call) -> dict:
    return {
        "supportedVersions": [MODERN_VERSION],
        "capabilities": capabilities("modern"),
        "instructions": INSTRUCTIONS,
        "_meta": {"com.example/greeting": {"z": 1, "a": 2}},
    }


async def _listen(call: Call) -> dict:
    wanted = call.params.get("notifications", {})
    listen = Listen({SUBSCRIPTION_KEY: call.id}, wanted, call.send)
    call.notify("notifications/subscriptions/acknowledged", {"_meta": listen.meta, "notifications": wanted})
    call.engine.listens.append(listen)
    for uri in wanted.get("resourceSubscriptions", []):
        call.engine.journal.tell("watched", uri=uri)
    call.engine.journal.tell("listening", filter=dump(wanted))
    try:
        await asyncio.Event().wait()
    finally:
        call.engine.listens.remove(listen)
    return {}


def finish(call: Call, result: dict) -> dict:
    """The result with what every modern result carries."""
    hints = {}
    if call.method in CACHE_HINTS:
        ttl, scope = CACHE_HINTS[call.method]
        hints = {"ttlMs": ttl, "cacheScope": scope}
    meta = {**result.get("_meta", {}), SERVER_KEY: server_info()}
    return {"resultType": "complete", **result, **hints, "_meta": meta}


METHODS = {"server/discover": _discover, "subscriptions/listen": _listen}
