"""How the Python client answers what a server asks it: as answers.mjs does."""

import re

from mcp.client.session import ClientRequestContext
from mcp_types import (
    CreateMessageRequestParams,
    CreateMessageResult,
    CreateMessageResultWithTools,
    ElicitRequestParams,
    ElicitResult,
    ListRootsResult,
    Root,
)

from py_heard import Heard, plain


class Answers:
    """An answer is made from the question and the client's name and from nothing else."""

    def __init__(self, name: str, heard: Heard):
        self.name = name
        self.heard = heard

    async def elicited(self, _context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        asked = plain(params)
        self.heard.asked("elicitation/create", asked)
        for action in ("decline", "cancel"):
            if f"{action} please" in asked["message"]:
                return ElicitResult(action=action)
        if asked.get("mode") == "url":
            return ElicitResult(action="accept")
        fields = asked["requestedSchema"]["properties"]
        content = {key: value(self.name, asked["message"], key, schema) for key, schema in fields.items()}
        return ElicitResult(action="accept", content=content)

    async def sampled(
        self, _context: ClientRequestContext, params: CreateMessageRequestParams
    ) -> CreateMessageResult | CreateMessageResultWithTools:
        asked = plain(params)
        self.heard.asked("sampling/createMessage", asked)
        content = asked["messages"][-1]["content"]
        blocks = content if isinstance(content, list) else [content]
        said = " ".join(_words(block) for block in blocks)
        base = {"role": "assistant", "model": f"{self.name}-model"}
        tools = asked.get("tools")
        if tools and all(block["type"] != "tool_result" for block in blocks):
            number = len(asked["messages"])
            use = {"type": "tool_use", "id": f"use-{number}", "name": tools[0]["name"], "input": {"asked": said}}
            return CreateMessageResultWithTools(**base, stop_reason="toolUse", content=use)
        system = asked.get("systemPrompt", "no system prompt")
        # A model that is told word for word what to say.
        word = re.search(r"\bsay exactly: (.+)", said)
        text = word[1] if word else f"{self.name} completes: {said} ({asked['maxTokens']} tokens, {system})"
        kind = CreateMessageResultWithTools if tools else CreateMessageResult
        return kind(**base, stop_reason="endTurn", content={"type": "text", "text": text})

    async def roots(self, _context: ClientRequestContext) -> ListRootsResult:
        self.heard.asked("roots/list", {})
        one, two = (
            Root(uri=f"file:///peers/{self.name}/{root}", name=f"{self.name} {root}") for root in ("one", "two")
        )
        return ListRootsResult(roots=[one, two])


def value(name: str, message: str, key: str, schema: dict) -> object:
    seed = sum(map(ord, f"{message}/{key}"))
    if choice := _choices(schema):
        picked = choice[seed % len(choice)]
        return [picked] if schema["type"] == "array" else picked
    low = schema.get("minimum", 0)
    steps = schema.get("maximum", low + 100) - low
    numbers = {
        "boolean": lambda: seed % 2 == 0,
        "integer": lambda: low + seed % (steps + 1),
        "number": lambda: low + seed % steps + 0.25,
    }
    if schema["type"] in numbers:
        return numbers[schema["type"]]()
    texts = {
        "email": f"{key}-{seed}@peers.example",
        "uri": f"https://peers.example/{name}/{key}/{seed}",
        "date": f"2026-01-{10 + seed % 20}",
        "date-time": f"2026-01-{10 + seed % 20}T12:00:00Z",
    }
    return texts.get(schema.get("format"), f"{name} says {key} to: {message}")


def _choices(schema: dict) -> list | None:
    items = schema.get("items", {})
    named = items.get("anyOf") or schema.get("oneOf")
    return items.get("enum") or schema.get("enum") or (named and [one["const"] for one in named])


def _words(block: dict) -> str:
    if "text" in block:
        return block["text"]
    inner = block.get("content") or [{}]
    return inner[0].get("text") or block["type"]
