"""Whether the headers of a modern request say what its body says (MCP 2026-07-28, transports, request metadata)."""

import base64

from reference.call import VERSION_KEY
from suite.jsontext import at

NAMES = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
NAMES |= {"tasks/get": "taskId", "tasks/update": "taskId", "tasks/cancel": "taskId"}


def mismatch(message: dict, headers: dict[str, str]) -> str | None:
    """What does not agree, for a person; None where everything does."""
    if "id" not in message:
        return None
    params = message.get("params") or {}
    wanted = {
        "mcp-protocol-version": at(params, "_meta", VERSION_KEY),
        "mcp-method": message.get("method"),
        "mcp-name": params.get(NAMES.get(message.get("method"), "")),
    }
    for name, body in wanted.items():
        header = headers.get(name)
        if header is not None and header.startswith("=?base64?"):
            header = base64.b64decode(header[9:-2]).decode(errors="replace")
        if body is not None and header != body:
            return f"Header mismatch: {name} is {header!r}, the body says {body!r}"
    return None
