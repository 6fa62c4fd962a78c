"""The Python SDK 2.x as a client: modern where the server is, else legacy.

Command line and output are those of steps.mjs, with one more option in front: --mode auto|legacy|2026-07-28.
"""

import argparse
import asyncio
import json
import sys

from mcp import Client, MCPError
from mcp.client.stdio import StdioServerParameters


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mode", default="auto")
    server = parser.add_mutually_exclusive_group(required=True)
    server.add_argument("--url")
    server.add_argument("--stdio", type=json.loads)
    parser.add_argument("steps", type=json.loads)
    arguments = parser.parse_args()
    target = arguments.url
    if target is None:
        target = StdioServerParameters(command=arguments.stdio[0], args=arguments.stdio[1:])
    asyncio.run(take_steps(target, arguments.mode, arguments.steps))


async def take_steps(target: str | StdioServerParameters, mode: str, steps: list[dict]) -> None:
    async with Client(target, mode=mode, cache=None) as client:
        version = client.protocol_version
        info = plain(client.server_info) if client.server_info else None
        show({"connected": {"protocolVersion": version, "server": info}})
        for step in steps:
            try:
                show(await take(client, step))
            except MCPError as error:
                show({"error": {"code": error.code, "message": error.message, "data": error.data}})


async def take(client: Client, step: dict) -> dict:
    if step["do"] == "list":
        return {"tools": await all_tools(client)}
    name, arguments = step["name"], step.get("arguments", {})
    if step["do"] == "call":
        return {"result": plain(await client.call_tool(name, arguments))}

    progress: list[dict] = []
    first = asyncio.Event()

    async def note(now: float, total: float | None, message: str | None) -> None:
        said = {"progress": now, "total": total, "message": message}
        progress.append({key: value for key, value in said.items() if value is not None})
        first.set()

    call = asyncio.ensure_future(client.call_tool(name, arguments, progress_callback=note))
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


async def all_tools(client: Client) -> list:
    tools, cursor = [], None
    while True:
        page = await client.list_tools(cursor=cursor)
        tools += [plain(tool) for tool in page.tools]
        cursor = page.next_cursor
        if cursor is None:
            return tools


def plain(model) -> dict:
    return model.model_dump(mode="json", by_alias=True, exclude_unset=True)


def show(line: dict) -> None:
    print(json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=False))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
