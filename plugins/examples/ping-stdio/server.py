"""An MCP server on its standard streams that needs nothing but Python: one tool, `ping`."""

import json
import sys

TOOL = {
    "name": "ping",
    "description": "Answers",
    "inputSchema": {"type": "object", "properties": {"times": {"type": "integer", "minimum": 1, "maximum": 9}}},
    "annotations": {"readOnlyHint": True},
}


def call(arguments):
    times = arguments.get("times", 1)
    if type(times) is not int or not 1 <= times <= 9:
        return {"content": [{"type": "text", "text": "`times` is a number from 1 to 9"}], "isError": True}
    pong = {"pong": True, "times": times}
    return {"content": [{"type": "text", "text": json.dumps(pong)}], "structuredContent": pong}


def answer(method, params):
    if method == "initialize":
        return {
            "protocolVersion": "2025-11-25",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "ping", "version": "0.1.0"},
        }
    if method == "ping":
        return {}
    if method == "tools/list":
        return {"tools": [TOOL]}
    if method == "tools/call" and params.get("name") == "ping":
        return call(params.get("arguments") or {})
    raise LookupError(f"Method not found: {method}")


for line in sys.stdin:
    request = json.loads(line)
    if "id" not in request or "method" not in request:
        continue
    reply = {"jsonrpc": "2.0", "id": request["id"]}
    try:
        reply["result"] = answer(request["method"], request.get("params") or {})
    except LookupError as error:
        reply["error"] = {"code": -32601, "message": str(error)}
    print(json.dumps(reply), flush=True)
