"""The server on standard input and output: one message a line."""

import asyncio
import os
import sys
import threading

from reference.call import Peer
from reference.engine import Engine
from suite.jsontext import NotJson, dump, parse


def _send(message: dict) -> None:
    sys.stdout.buffer.write((dump(message) + "\n").encode())
    sys.stdout.buffer.flush()


async def serve(engine: Engine) -> None:
    """Serves until the input ends. What is still in work then is let go."""
    loop, lines = asyncio.get_running_loop(), asyncio.Queue()
    # A crash is a real one: the process is gone, without a word.
    engine.on_crash = lambda: os._exit(3)

    def read() -> None:
        for line in sys.stdin.buffer:
            loop.call_soon_threadsafe(lines.put_nowait, line)
        loop.call_soon_threadsafe(lines.put_nowait, b"")

    threading.Thread(target=read, daemon=True).start()
    peer = Peer(_send)
    if engine.era == "legacy":
        engine.peers.add(peer)
    while line := await lines.get():
        try:
            message = parse(line.decode())
        except (NotJson, UnicodeDecodeError) as error:
            engine.journal.tell("garbage", text=str(error))
            continue
        engine.receive(message, peer, _send)
