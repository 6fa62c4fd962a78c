"""HTTP/1.1 as far as the reference server needs it: requests with bodies, JSON answers, streams of events."""

import asyncio
from dataclasses import dataclass


@dataclass
class Request:
    """One request, with the names of its headers in small letters."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Gone(Exception):
    """The client has closed the connection."""


class Connection:
    """One connection of a client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self._reader = reader
        self._writer = writer
        self._ahead = b""

    async def _more(self) -> None:
        data = await self._reader.read(65536)
        if not data:
            raise Gone
        self._ahead += data

    async def _until(self, end: bytes) -> bytes:
        while end not in self._ahead:
            await self._more()
        taken, self._ahead = self._ahead.split(end, 1)
        return taken

    async def _exactly(self, length: int) -> bytes:
        while len(self._ahead) < length:
            await self._more()
        taken, self._ahead = self._ahead[:length], self._ahead[length:]
        return taken

    async def request(self) -> Request:
        """The next request. Raises `Gone` at the end."""
        head = (await self._until(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ", 2)
        pairs = (line.partition(":") for line in head[1:])
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = b""
            while length := int((await self._until(b"\r\n")).split(b";")[0], 16):
                body += await self._exactly(length)
                await self._until(b"\r\n")
            await self._until(b"\r\n")
        else:
            body = await self._exactly(int(headers.get("content-length", "0")))
        return Request(method, path, headers, body)

    async def closed(self) -> None:
        """Returns when the client has closed the connection."""
        try:
            while True:
                await self._more()
        except (Gone, ConnectionError):
            return

    def _head(self, status: int, headers: dict[str, str]) -> bytes:
        lines = [f"HTTP/1.1 {status} Status", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        kind = {"Content-Type": "application/json"} if body else {}
        self._writer.write(self._head(status, {**kind, "Content-Length": str(len(body)), **(headers or {})}) + body)

    def open_stream(self, headers: dict[str, str]) -> None:
        kind = {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "Transfer-Encoding": "chunked"}
        self._writer.write(self._head(200, {**kind, **headers}))

    def event(self, lines: list[str]) -> None:
        data = ("".join(f"{line}\n" for line in lines) + "\n").encode()
        self._writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def close_stream(self) -> None:
        self._writer.write(b"0\r\n\r\n")

    def abort(self) -> None:
        """Ends the connection without a word."""
        self._writer.transport.abort()
