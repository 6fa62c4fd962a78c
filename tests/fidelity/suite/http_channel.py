"""The way to a server over streamable HTTP: answers as JSON and as events, and the legacy era's standalone stream."""

import base64
import http.client
import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

from suite.inbox import Inbox, Trouble
from suite.jsontext import at, dump

VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
NAMES = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
NAMES |= {"tasks/get": "taskId", "tasks/update": "taskId", "tasks/cancel": "taskId"}


def events(response: http.client.HTTPResponse) -> Iterator[str]:
    """The data of each event of a stream, as it comes. Events without data are passed over."""
    data: list[str] = []
    for raw in response:
        line = raw.decode(errors="replace").rstrip("\r\n")
        if line == "":
            if any(data):
                yield "\n".join(data)
            data = []
        elif line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))


def header_value(value: str) -> str:
    """A value as modern MCP writes it into a header."""
    plain = value.isascii() and value.isprintable() and value == value.strip() and not value.startswith("=?base64?")
    return value if plain else f"=?base64?{base64.b64encode(value.encode()).decode()}?="


class HttpChannel:
    """One client of one endpoint. Each request has a connection and a thread of its own."""

    def __init__(self, url: str, era: str, patience_s: float):
        parts = urlsplit(url)
        self._address = (parts.hostname, parts.port or 80)
        self._path = parts.path or "/"
        self._era = era
        self._patience_s = patience_s
        self._session: str | None = None
        self.version: str | None = None
        self._open: dict[object, socket.socket] = {}
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self.cancels_by_closing = era == "modern"

    def start(self, inbox: Inbox, on_message) -> None:
        self._inbox = inbox
        self._on_message = on_message

    def send(self, message: dict, headers: dict[str, str]) -> None:
        """Sends a message. A request goes on in a thread; anything else has been accepted when this returns."""
        if "method" in message and "id" in message:
            self._thread(lambda: self._request(message, headers))
            return
        response, connection = self._post(message, headers)
        try:
            response.read()
            if response.status not in (200, 202, 204):
                raise Trouble(f"{message.get('method', 'an answer')}: HTTP {response.status}")
        finally:
            connection.close()

    def _thread(self, work) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _headers(self, message: dict) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        if self._era == "legacy":
            session = {"Mcp-Session-Id": self._session} if self._session else {}
            version = {"MCP-Protocol-Version": self.version} if self.version else {}
            return {**headers, **session, **version}
        method, params = message.get("method", ""), message.get("params") or {}
        headers |= {"MCP-Protocol-Version": at(params, "_meta", VERSION_KEY) or "2026-07-28", "Mcp-Method": method}
        if (name := params.get(NAMES.get(method, ""))) is not None:
            headers["Mcp-Name"] = header_value(name)
        return headers

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(*self._address, timeout=self._patience_s * 2)

    def _post(self, message: dict, headers: dict[str, str], id: object = None):
        connection = self._connect()
        try:
            connection.connect()
            self._keep(id, connection.sock)
            connection.request("POST", self._path, dump(message).encode(), {**self._headers(message), **headers})
            return connection.getresponse(), connection
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise Trouble(f"{type(error).__name__}: {error}") from None

    def _keep(self, id: object, sock: socket.socket) -> None:
        if id is not None:
            with self._lock:
                self._open[id] = sock

    def _request(self, message: dict, headers: dict[str, str]) -> None:
        id = message["id"]
        try:
            response, connection = self._post(message, headers, id)
            try:
                self._answer(message, response)
            finally:
                connection.close()
            self._inbox.fail(id, "the stream ended without an answer")
        except (OSError, ValueError, AttributeError, http.client.HTTPException, Trouble) as error:
            self._inbox.fail(id, str(error))
        finally:
            with self._lock:
                self._open.pop(id, None)

    def _answer(self, message: dict, response: http.client.HTTPResponse) -> None:
        if message["method"] == "initialize":
            self._session = response.headers.get("Mcp-Session-Id")
        if response.headers.get("Content-Type", "").startswith("text/event-stream"):
            for text in events(response):
                self._on_message(self._inbox.add(text))
            return
        text = response.read().decode(errors="replace")
        if not text.lstrip().startswith("{"):
            raise Trouble(f"HTTP {response.status} {text[:200]}")
        read = self._inbox.add(text)
        if read.get("id") != message["id"]:
            raise Trouble(f"HTTP {response.status} {text[:200]}")
        self._on_message(read)

    def opened(self) -> None:
        """Opens the standalone stream of a legacy session, and waits until the server has taken it."""
        if self._era != "legacy":
            return
        connection = self._connect()
        try:
            headers = {**self._headers({}), "Accept": "text/event-stream"}
            connection.connect()
            sock = connection.sock
            connection.request("GET", self._path, headers=headers)
            response = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise Trouble(f"GET: {error}") from None
        if response.status != 200:
            connection.close()
            return
        self._keep("standalone", sock)

        def read() -> None:
            try:
                # Silence is what this stream is for; it ends when the client closes.
                sock.settimeout(None)
                for text in events(response):
                    self._on_message(self._inbox.add(text))
            except (OSError, ValueError, AttributeError, http.client.HTTPException):
                pass
            finally:
                connection.close()

        self._thread(read)

    def cancel(self, id: object) -> None:
        """Closes the stream of a request, which cancels it in the modern era."""
        with self._lock:
            sock = self._open.get(id)
        if sock is not None:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self) -> None:
        if self._session is not None:
            connection = self._connect()
            try:
                connection.request("DELETE", self._path, headers=self._headers({}))
                connection.getresponse().read()
            except (OSError, http.client.HTTPException):
                pass
            finally:
                connection.close()
        for id in list(self._open):
            self.cancel(id)
        for thread in self._threads:
            thread.join(self._patience_s * 2)
