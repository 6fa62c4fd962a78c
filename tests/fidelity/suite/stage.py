"""What a probe works with: clients, the observer, and the notes of what both sides saw."""

from collections.abc import Callable

from suite.canonical import client_side, server_side
from suite.client import Answers, Client
from suite.compare import Seen
from suite.inbox import Trouble
from suite.jsontext import at, dump, parse
from suite.observer import Observer
from suite.pairs import Pair
from suite.scripted import answers_of, full_capabilities

MAX_PAGES = 50
# So many handshakes in a row may fail before a pair is given up.
MAX_REFUSED = 3
OWN = "ref"


class Hopeless(Trouble):
    """No client gets through: what is left of the pair need not be tried."""


class Stage:
    """One pair, set up. A client is used by one probe after the other until one of them fails."""

    def __init__(self, pair: Pair, observer: Observer, open_channel: Callable, prefix: str, direct: bool):
        self.pair = pair
        self.observer = observer
        self.prefix = prefix
        self.direct = direct
        self.patience_s = observer.patience_s
        self._open_channel = open_channel
        self._shared: Client | None = None
        self._extra: list[Client] = []
        self.clients: list[Seen] = []
        self.servers: list[Seen] = []
        self._since = 0
        self._probe = ""
        self._marks: list[str] = []
        self._refused = 0

    # The life of a probe.

    def begin(self, probe: str) -> None:
        self._probe = probe
        self.clients, self.servers = [], []
        self.observer.fence()
        self._since = len(self.observer.entries)
        if self._shared is not None:
            self._shared.noted = len(self._shared.inbox.arrivals)

    def end(self, failed: bool) -> None:
        """Closes what the probe opened; after a failure also the client that others would go on with."""
        for mark in self._marks:
            # Whatever the probe did not let go would be in the way of the next.
            self.observer.command(do="release", what=mark)
        self._marks = []
        for client in self._extra:
            client.close()
        self._extra = []
        if failed:
            self.drop_client()

    def drop_client(self) -> None:
        client, self._shared = self._shared, None
        if client is not None:
            client.close()

    # Clients.

    @property
    def client(self) -> Client:
        """The client with all capabilities that probes share."""
        if self._shared is None:
            self._shared = self._opened(full_capabilities(self.pair.client_era), answers_of(""), [])
        return self._shared

    def open(self, capabilities: dict | None = None, answers: Answers | None = None) -> Client:
        """A further client, for this probe alone."""
        full = full_capabilities(self.pair.client_era)
        return self._opened(full if capabilities is None else capabilities, answers or answers_of(""), self._extra)

    def _opened(self, capabilities: dict, answers: Answers, owned: list) -> Client:
        channel = self._open_channel()
        client = Client(self.pair.client_era, channel, capabilities, answers, self.patience_s)
        owned.append(client)
        try:
            client.greeting = client.open()
        except Trouble as trouble:
            client.close()
            owned.remove(client)
            self._refused += 1
            if self._refused == MAX_REFUSED:
                raise Hopeless(f"{trouble}, {MAX_REFUSED} times in a row") from None
            raise
        self._refused = 0
        return client

    # What probes do.

    def name(self, name: str) -> str:
        """The name under which the client knows a tool or prompt."""
        return self.prefix + name

    def mark(self, word: str = "") -> str:
        """A word that no other probe uses."""
        mark = f"{self._probe}{'-' if word else ''}{word}"
        self._marks.append(mark)
        return mark

    def warm(self, client: Client | None = None) -> None:
        """A call that is not compared: now the server runs, and knows this client."""
        self.call("dotted.name-1", {}, client)
        self.clients = []

    def uri(self, path: str) -> str:
        return f"ref://{OWN}/{path}"

    def start(self, method: str, params: dict, client: Client | None = None, label: str | None = None, **more) -> tuple:
        """Sends a request; what it returns is for `finish`."""
        client = client or self.client
        headers = more.get("headers")
        id = client.request(method, params, label or method, id=more.get("id"), headers=headers)
        return client, id, method, params, headers

    def finish(self, started: tuple) -> dict:
        """The answer to a started request, questions answered; notes all that came."""
        client, id, method, params, headers = started
        answer = client.finish(id, method, params, headers)
        self.note(client)
        return answer

    def ask(self, method: str, params: dict, client: Client | None = None, label: str | None = None, **more) -> dict:
        return self.finish(self.start(method, params, client, label, **more))

    def tool(self, name: str, arguments: object = None, **params: object) -> tuple[str, dict, str]:
        """Method, params and label of a call."""
        given = {} if arguments is None else {"arguments": arguments}
        return "tools/call", {"name": self.name(name), **given, **params}, f"tools/call {name}"

    def start_call(self, name: str, arguments: object = None, client: Client | None = None, **more) -> tuple:
        method, params, label = self.tool(name, arguments, **more.pop("params", {}))
        return self.start(method, params, client, more.pop("label", label), **more)

    def call(self, name: str, arguments: object = None, client: Client | None = None, **more) -> dict:
        return self.finish(self.start_call(name, arguments, client, **more))

    # Notes.

    def note(self, client: Client | None = None) -> None:
        """Notes all that the client has read since the last time."""
        client = client or self.client
        arrivals = client.inbox.arrivals[client.noted :]
        client.noted += len(arrivals)
        messages = [arrival.message for arrival in arrivals]
        # These may come at any time; the probes of changed lists note those that are due themselves.
        messages = [message for message in messages if not str(message.get("method")).endswith("/list_changed")]
        self.clients.extend(client_side(client, message) for message in messages)

    def skip(self, client: Client | None = None) -> None:
        """Leaves out what the client has read since the last time."""
        client = client or self.client
        client.noted = len(client.inbox.arrivals)

    def note_fact(self, label: str, body: object) -> None:
        self.clients.append(Seen(label, body))

    def events(self, event: str) -> list[dict]:
        """What the probed server told of this kind since the probe began."""
        entries = self.observer.entries[self._since :]
        return [entry for entry in entries if entry["event"] == event and entry["server"] == OWN]

    def saw(self, *methods: str) -> None:
        """Notes what the server read with these methods, or as answers to its questions of these methods."""
        self.observer.fence()
        for entry in self.events("received"):
            message = parse(entry["text"])
            if message.get("method", entry.get("about")) in methods:
                self.servers.append(server_side(message, entry.get("about"), entry["headers"]))

    def told(self, event: str, *keys: str) -> None:
        """Notes facts that the server told of itself."""
        self.observer.fence()
        for entry in self.events(event):
            self.servers.append(Seen(event, {key: parse(entry[key]) for key in keys}))

    def wait_told(self, event: str, times: int = 1, **facts: object) -> None:
        """Waits until the server has told this, so many times since the probe began."""

        def enough(entry: dict) -> bool:
            fits = [seen for seen in self.events(event) if all(seen.get(key) == value for key, value in facts.items())]
            return len(fits) >= times

        self.observer.wait(f"{event} {dump(facts)}", enough, self._since)

    def wait_received(self, method: str) -> None:
        """Waits until the server has read a message with this method since the probe began."""

        def fits(entry: dict) -> bool:
            read = entry["event"] == "received" and entry["server"] == OWN
            return read and parse(entry["text"]).get("method") == method

        self.observer.wait(method, fits, self._since)

    def list(self, method: str, member: str, key: str, client: Client | None = None) -> None:
        """Reads all pages of a list, and notes it as one: its entries by their keys, their order, the other fields."""
        client = client or self.client
        entries, fields, cursor = {}, None, None
        for _ in range(MAX_PAGES):
            answer = client.answer(client.request(method, {} if cursor is None else {"cursor": cursor}))
            result = answer.get("result")
            if not isinstance(result, dict) or not isinstance(result.get(member), list):
                self.skip(client)
                self.note_fact(method, {key: answer[key] for key in ("result", "error") if key in answer})
                return
            if fields is None:
                fields = {name: value for name, value in result.items() if name not in (member, "nextCursor")}
            entries.update(self._own(entry, key) for entry in result[member])
            cursor = result.get("nextCursor")
            if cursor is None:
                break
        self.skip(client)
        entries.pop(None, None)
        self.note_fact(method, {"fields": fields, "order": list(entries), "entries": entries})

    def _own(self, entry: dict, key: str) -> tuple[str | None, dict]:
        """The entry under its own name, or nothing where it belongs to another server."""
        value = at(entry, key)
        if self.pair.servers == 1 and not self.prefix:
            return value, entry
        if key == "name":
            if not isinstance(value, str) or not value.startswith(self.prefix):
                return None, entry
            bare = value.removeprefix(self.prefix)
            return bare, {name: bare if name == "name" else item for name, item in entry.items()}
        return (value if f"://{OWN}/" in str(value) else None), entry
