"""Starts the reference server, which serves until its input or its observer ends."""

import argparse
import asyncio

from reference import http_face, stdio_face
from reference.engine import Engine
from reference.journal import Journal


async def _serve(flags: argparse.Namespace) -> None:
    host, port = flags.observer.rsplit(":", 1)
    journal = await Journal.connect(host, int(port), flags.name)
    engine = Engine(flags.era, flags.name, journal)
    face = http_face if flags.transport == "http" else stdio_face
    serving = asyncio.create_task(face.serve(engine))
    # Without an observer there is nobody left to serve: an orphan ends by itself.
    obeying = asyncio.create_task(journal.obey(engine))
    await asyncio.wait({serving, obeying}, return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        serving.result()
    journal.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--era", choices=["legacy", "modern"], required=True)
    parser.add_argument("--transport", choices=["stdio", "http"], required=True)
    parser.add_argument("--name", default="ref", help="stands in its resource URIs")
    parser.add_argument("--observer", required=True, help="HOST:PORT that is told of all that happens here")
    asyncio.run(_serve(parser.parse_args()))
    return 0
