"""The way past the gateway: tells the observer what the server saw, and does what the observer commands."""

import asyncio

from suite.jsontext import dump, parse


class Journal:
    """A connection to the observer. What is told first arrives first."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, host: str, port: int, name: str) -> "Journal":
        reader, writer = await asyncio.open_connection(host, port, limit=2**24)
        journal = cls(reader, writer)
        journal.tell("hello", name=name)
        # Until the observer knows this server, its fences would not ask it.
        await reader.readline()
        return journal

    def tell(self, event: str, **facts: object) -> None:
        """Notes a fact. Never waits: the observer always reads."""
        self._writer.write((dump({"event": event, **facts}) + "\n").encode())

    async def obey(self, engine: object) -> None:
        """Does what is commanded, until the observer goes away."""
        while line := await self._reader.readline():
            command = parse(line.decode())
            if command["do"] == "fence":
                self.tell("fence", number=command["number"])
            else:
                engine.command(command)

    def close(self) -> None:
        self._writer.close()
