"""The Python SDK 2.x as a client: modern where the server is, else legacy.

Command line and output are those of steps.mjs, with one more option: --mode auto|legacy|2026-07-28.
"""

import argparse
import asyncio
import json
from contextlib import AsyncExitStack

from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp_types import Implementation, SamplingCapability, SamplingToolsCapability

from py_answers import Answers
from py_heard import Heard, plain
from py_steps import Peer, take_steps


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mode", default="auto")
    parser.add_argument("--can", type=json.loads, default=[])
    parser.add_argument("--name", default="peer")
    server = parser.add_mutually_exclusive_group(required=True)
    server.add_argument("--url")
    server.add_argument("--stdio", type=json.loads)
    parser.add_argument("steps", type=json.loads)
    arguments = parser.parse_args()
    asyncio.run(take(arguments))


async def take(arguments: argparse.Namespace) -> None:
    target = arguments.url
    if target is None:
        target = StdioServerParameters(command=arguments.stdio[0], args=arguments.stdio[1:])
    heard = Heard()
    answers = Answers(arguments.name, heard)
    can = arguments.can
    client = Client(
        target,
        mode=arguments.mode,
        cache=None,
        read_timeout_seconds=30,
        client_info=Implementation(name=f"{arguments.name}-py", version="1.0.0"),
        message_handler=heard.told,
        sampling_callback=answers.sampled if "sampling" in can else None,
        sampling_capabilities=SamplingCapability(tools=SamplingToolsCapability() if "sampling.tools" in can else None),
        # This SDK declares both modes of elicitation or none.
        elicitation_callback=answers.elicited if "elicitation" in can else None,
        list_roots_callback=answers.roots if "roots" in can else None,
    )
    async with client, AsyncExitStack() as stack:
        connected = {
            "era": "modern" if client.protocol_version >= "2026" else "legacy",
            "protocolVersion": client.protocol_version,
            "server": plain(client.server_info) if client.server_info else None,
            "capabilities": plain(client.server_capabilities),
            "instructions": client.instructions,
        }
        await take_steps(Peer(client, heard, connected, stack), arguments.steps)


if __name__ == "__main__":
    main()
