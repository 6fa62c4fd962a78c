"""The server over streamable HTTP, in either era."""

import asyncio
import base64

from reference import http_checks
from reference.call import Peer
from reference.engine import Engine
from reference.http_wire import Connection, Gone, Request
from suite.jsontext import NotJson, dump, parse

SESSION = "mcp-session-id"


class Session:
    """A legacy session: its peer, and what waits for its standalone stream."""

    def __init__(self) -> None:
        self.waiting: asyncio.Queue = asyncio.Queue()
        self.peer = Peer(self.waiting.put_nowait)


class HttpFace:
    """All connections, and the legacy sessions."""

    def __init__(self, engine: Engine):
        self.engine = engine
        self.sessions: dict[str, Session] = {}
        self._streams: set[Connection] = set()
        self._opened = 0
        engine.on_crash = self._crash

    def _crash(self) -> None:
        """As after a crash behind a load balancer: requests and streams in work break off, and no session is known.

        Connections that nobody uses stay: whether a client notices their end before it uses them is a matter of luck.
        """
        for connection in list(self._streams):
            connection.abort()
        self.sessions.clear()
        self.engine.peers.clear()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(reader, writer)
        try:
            while True:
                request = await connection.request()
                self._streams.add(connection)
                await self._one(connection, request)
                self._streams.discard(connection)
        except (Gone, ConnectionError):
            pass
        finally:
            self._streams.discard(connection)
            writer.close()

    async def _one(self, connection: Connection, request: Request) -> None:
        if self.engine.era == "modern":
            if request.method != "POST":
                return connection.answer(405)
            return await self._modern(connection, request)
        if request.method == "POST":
            return await self._legacy(connection, request)
        session = self.sessions.get(request.headers.get(SESSION, ""))
        if session is None:
            return connection.answer(404 if SESSION in request.headers else 400)
        if request.method == "DELETE":
            self.engine.peers.discard(self.sessions.pop(request.headers[SESSION]).peer)
            return connection.answer(204)
        return await self._standalone(connection, session)

    async def _standalone(self, connection: Connection, session: Session) -> None:
        connection.open_stream({})
        gone = asyncio.ensure_future(connection.closed())
        while not gone.done():
            news = asyncio.ensure_future(session.waiting.get())
            await asyncio.wait({gone, news}, return_when=asyncio.FIRST_COMPLETED)
            if news.done():
                connection.event([f"data: {dump(news.result())}"])
            news.cancel()
        raise Gone

    async def _legacy(self, connection: Connection, request: Request) -> None:
        message = _message(connection, request)
        if message is None:
            return
        extra = {}
        if message.get("method") == "initialize":
            self._opened += 1
            id, session = f"session-{self._opened}", Session()
            self.sessions[id] = session
            self.engine.peers.add(session.peer)
            extra = {"Mcp-Session-Id": id}
        elif SESSION not in request.headers:
            return connection.answer(400, _error(message, -32600, "Bad Request: no session id"))
        elif (session := self.sessions.get(request.headers[SESSION])) is None:
            return connection.answer(404, _error(message, -32001, "Session not found"))
        await self._run(connection, message, session.peer, {}, extra)

    async def _modern(self, connection: Connection, request: Request) -> None:
        message = _message(connection, request)
        if message is None:
            return
        if wrong := http_checks.mismatch(message, request.headers):
            return connection.answer(400, _error(message, -32020, wrong))
        headers = {name: _decoded(value) for name, value in request.headers.items() if name.startswith("mcp-param-")}
        # A modern server knows a client for one request only.
        await self._run(connection, message, Peer(lambda _: None), headers, {})

    async def _run(self, connection: Connection, message: dict, peer: Peer, headers: dict, extra: dict) -> None:
        sent: asyncio.Queue = asyncio.Queue()
        task = self.engine.receive(message, peer, sent.put_nowait, headers)
        if task is None:
            return connection.answer(202)
        task.add_done_callback(lambda _: sent.put_nowait(None))
        gone = asyncio.ensure_future(connection.closed())
        try:
            await self._write(connection, message, sent, gone, extra)
        finally:
            if gone.done():
                if self.engine.era == "modern":
                    task.cancel(dump(None))
            else:
                # The next request may only be read once nobody else reads.
                gone.cancel()
                await asyncio.wait({gone})

    async def _write(
        self, connection: Connection, message: dict, sent: asyncio.Queue, gone: asyncio.Future, extra: dict
    ) -> None:
        """Writes JSON where the answer comes first, else a stream of events up to the answer."""
        streaming = False
        while not gone.done():
            news = asyncio.ensure_future(sent.get())
            await asyncio.wait({gone, news}, return_when=asyncio.FIRST_COMPLETED)
            if not news.done():
                news.cancel()
                break
            item = news.result()
            if item is None:
                break
            last = "method" not in item
            # Prompts come as events even where JSON would do, so that both forms are tried.
            if last and not streaming and message["method"] != "prompts/get":
                return connection.answer(_status(self.engine.era, item), dump(item).encode(), extra)
            if not streaming:
                streaming = True
                connection.open_stream(extra)
                if self.engine.era == "legacy":
                    connection.event(["id: 0", "retry: 1000", "data: "])
            connection.event([": keep", f"data: {dump(item)}"])
            if last:
                return connection.close_stream()
        raise Gone


def _message(connection: Connection, request: Request) -> dict | None:
    try:
        message = parse(request.body.decode())
    except (NotJson, UnicodeDecodeError):
        message = None
    if not isinstance(message, dict):
        connection.answer(400, _error({}, -32700, "Parse error"))
        return None
    return message


def _error(message: dict, code: int, text: str) -> bytes:
    return dump({"jsonrpc": "2.0", "id": message.get("id"), "error": {"code": code, "message": text}}).encode()


def _status(era: str, answer: dict) -> int:
    code = dump(answer.get("error", {}).get("code"))
    return {"-32601": 404, "-32020": 400, "-32021": 400, "-32022": 400}.get(code, 200) if era == "modern" else 200


def _decoded(value: str) -> str:
    if value.startswith("=?base64?") and value.endswith("?="):
        return base64.b64decode(value[9:-2]).decode(errors="replace")
    return value


async def serve(engine: Engine) -> None:
    face = HttpFace(engine)
    server = await asyncio.start_server(face.connected, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    engine.journal.tell("listening at", url=f"http://127.0.0.1:{port}/mcp")
    async with server:
        await server.serve_forever()
