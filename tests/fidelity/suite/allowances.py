"""What a gateway may change, each with its reason. Everything else that differs is a failure.

`STAND_INS` are values that belong to one hop; they are replaced by a name on both sides before anything is compared.
`ALLOWANCES` permit single differences. Judge them here: no other module decides what is allowed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from suite.compare import Difference, Order
from suite.jsontext import Number
from suite.pairs import Pair

STAND_INS = {
    "JSON-RPC ids": "each hop numbers its own requests; an answer is matched by its id, then the id is left out",
    "progress token": "each hop may choose its own; the client must get back the very token it sent, of the same type",
    "subscription id": "is the id of the listen request of this hop; the client must get back its own",
    "id of a withdrawn question": "is an id of this hop; it must be one the client was asked under",
    "cursors": "are the affair of whoever made the page; the pages are joined before they are compared",
    "keys of questions": "a question of a legacy server has no key; a bridge to a modern client has to make one up",
    "further list_changed": "says only that a list is worth reading again: where one is due it must come, more do no "
    "harm",
    "name prefix": "where several servers stand behind a gateway, names of tools and prompts begin with the server's",
    "entries of other servers": "where several servers stand behind a gateway, lists are merged; only the probed one's "
    "entries are compared, in their order",
}

META = "io.modelcontextprotocol/"
LISTS = ("tools/list", "prompts/list", "resources/list", "resources/templates/list")
GREETINGS = ("initialize", "server/discover")


@dataclass(frozen=True)
class Allowance:
    """A difference that is permitted, and why."""

    name: str
    reason: str
    permits: Callable[[Difference, Pair], bool]


def _ends(difference: Difference, *end: str) -> bool:
    return difference.path[-len(end) :] == end


def _own_server_info(difference: Difference, pair: Pair) -> bool:
    if "serverInfo" in difference.path or f"{META}serverInfo" in difference.path:
        return True
    # A `_meta` that held nothing else goes, or comes, with it.
    value = difference.expected if difference.kind == "lost" else difference.actual
    return _ends(difference, "_meta") and isinstance(value, dict) and list(value) == [f"{META}serverInfo"]


def _own_client_info(difference: Difference, pair: Pair) -> bool:
    return difference.side == "server" and f"{META}clientInfo" in difference.path


def _merged_capabilities(difference: Difference, pair: Pair) -> bool:
    declared = difference.label in GREETINGS and "capabilities" in difference.path
    return declared and difference.kind == "added"


def _merged_greeting(difference: Difference, pair: Pair) -> bool:
    if difference.label not in GREETINGS:
        return False
    if _ends(difference, "instructions"):
        both = isinstance(difference.expected, str) and isinstance(difference.actual, str)
        return both and difference.expected in difference.actual
    return difference.kind == "added" and "supportedVersions" in difference.path


def _narrower_cache_hints(difference: Difference, pair: Pair) -> bool:
    if difference.side != "client" or difference.label not in (*LISTS, *GREETINGS) or difference.kind != "changed":
        return False
    if _ends(difference, "ttlMs"):
        both = isinstance(difference.expected, Number) and isinstance(difference.actual, Number)
        return both and float(difference.actual.text) <= float(difference.expected.text)
    return _ends(difference, "cacheScope") and difference.actual == "private"


def _fields_of_a_merged_list(difference: Difference, pair: Pair) -> bool:
    # A page, or a greeting, has one place for such fields, and several servers to fill it from.
    if pair.servers == 1 or difference.label not in (*LISTS, *GREETINGS):
        return False
    field = difference.path[1:2] if difference.path[:1] in (("fields",), ("result",)) else ()
    return bool(field) and field[0] not in ("capabilities", "protocolVersion", "instructions")


def _order_of_own_answers(difference: Difference, pair: Pair) -> bool:
    own = difference.label in (*LISTS, *GREETINGS, "notice notifications/subscriptions/acknowledged")
    return isinstance(difference.actual, Order) and own and difference.path[1:] in ((), ("capabilities",))


def _wrapped_state(difference: Difference, pair: Pair) -> bool:
    return difference.side == "client" and _ends(difference, "requestState") and isinstance(difference.actual, str)


def _bridge_result_fields(difference: Difference, pair: Pair) -> bool:
    fields = ("resultType", "ttlMs", "cacheScope")
    return not pair.same_era and difference.path[-1:] and difference.path[-1] in fields


def _bridge_meta(difference: Difference, pair: Pair) -> bool:
    if pair.same_era or "_meta" not in difference.path:
        return False
    after = difference.path[difference.path.index("_meta") + 1 :]
    return bool(after) and after[0].startswith(META)


def _bridge_empty_meta(difference: Difference, pair: Pair) -> bool:
    # A `_meta` that held nothing but keys of the era goes with them.
    if pair.same_era or not _ends(difference, "_meta") or difference.kind not in ("lost", "added"):
        return False
    value = difference.expected if difference.kind == "lost" else difference.actual
    return isinstance(value, dict) and all(key.startswith(META) for key in value)


def _bridge_empty_params(difference: Difference, pair: Pair) -> bool:
    if pair.same_era or not _ends(difference, "params") or difference.kind not in ("lost", "added"):
        return False
    value = difference.expected if difference.kind == "lost" else difference.actual
    return isinstance(value, dict) and all(
        key == "_meta" and all(name.startswith(META) for name in value[key]) for key in value
    )


def _bridge_order(difference: Difference, pair: Pair) -> bool:
    if pair.same_era or not isinstance(difference.actual, Order):
        return False
    made = ("resultType", "ttlMs", "cacheScope", "_meta", "inputResponses", "requestState", "elicitationId")

    def kept(order: Order) -> list[str]:
        return [name for name in order.names if name not in made and not name.startswith(META)]

    return kept(difference.expected) == kept(difference.actual)


def _bridge_elicitation_id(difference: Difference, pair: Pair) -> bool:
    return not pair.same_era and _ends(difference, "elicitationId")


def _bridge_capabilities(difference: Difference, pair: Pair) -> bool:
    if pair.same_era or difference.label not in (*GREETINGS, "capabilities"):
        return False
    tasks = any(step in ("tasks", f"{META}tasks") for step in difference.path)
    return tasks or _ends(difference, "roots", "listChanged")


def _bridge_not_found(difference: Difference, pair: Pair) -> bool:
    if pair.same_era or not _ends(difference, "error", "code"):
        return False
    codes = {Number("-32002"), Number("-32602")}
    return {difference.expected, difference.actual} == codes


def _silent_cancel(difference: Difference, pair: Pair) -> bool:
    silent = (pair.client_era, pair.client_transport) == ("modern", "http")
    deaf = (pair.server_era, pair.server_transport) == ("modern", "http")
    return (silent or deaf) and difference.label == "cancelled" and _ends(difference, "reason")


def _wrapped_task(difference: Difference, pair: Pair) -> bool:
    return pair.servers > 1 and difference.side == "client" and _ends(difference, "taskId")


ALLOWANCES = [
    Allowance("own serverInfo", "the client is connected to the gateway, which may say so", _own_server_info),
    Allowance("own clientInfo", "the server is connected to the gateway, which may say so", _own_client_info),
    Allowance("merged capabilities", "a gateway may offer more than the server; never less", _merged_capabilities),
    Allowance("merged greeting", "instructions may be joined, versions added; none lost", _merged_greeting),
    Allowance("cache hints of lists", "a merged list may live shorter and be private", _narrower_cache_hints),
    Allowance("fields beside merged lists", "one page holds the lists of several servers", _fields_of_a_merged_list),
    Allowance("order in own answers", "greeting and list are documents of the gateway's own", _order_of_own_answers),
    Allowance("wrapped requestState", "the client must not look into it; the server gets its own back", _wrapped_state),
    Allowance("bridge: result fields", "resultType and cache hints exist in the modern era only", _bridge_result_fields),
    Allowance("bridge: _meta of the era", "keys io.modelcontextprotocol/* belong to one era", _bridge_meta),
    Allowance("bridge: empty _meta", "what held only keys of the era goes with them", _bridge_empty_meta),
    Allowance("bridge: empty params", "what held only keys of the era goes with them", _bridge_empty_params),
    Allowance("bridge: order", "where the members stand that a bridge takes out or puts in", _bridge_order),
    Allowance("bridge: elicitationId", "questions by URL have it in the legacy era only", _bridge_elicitation_id),
    Allowance("bridge: capabilities", "tasks and roots.listChanged have no counterpart", _bridge_capabilities),
    Allowance("bridge: not found", "-32002 is legacy, -32602 its modern counterpart", _bridge_not_found),
    Allowance("reason of a cancel", "modern HTTP cancels by closing the stream, without a word", _silent_cancel),
    Allowance("wrapped taskId", "with several servers it must say whose task it is", _wrapped_task),
]


def _order_of_members(difference: Difference, pair: Pair) -> bool:
    return isinstance(difference.actual, Order)


def _spelling_of_numbers(difference: Difference, pair: Pair) -> bool:
    both = isinstance(difference.expected, Number) and isinstance(difference.actual, Number)
    return both and Decimal(difference.expected.text) == Decimal(difference.actual.text)


# With --same-meaning: what a reader of JSON must not care for. For gateways that rebuild what they pass on.
SAME_MEANING = [
    Allowance("order of members", "JSON objects are unordered", _order_of_members),
    Allowance("spelling of numbers", "1.0 and 1 are the same number; a lost digit is not", _spelling_of_numbers),
]


def permitting(difference: Difference, pair: Pair, allowances: list[Allowance]) -> Allowance | None:
    """The allowance that permits a difference, if any."""
    return next((allowance for allowance in allowances if allowance.permits(difference, pair)), None)
