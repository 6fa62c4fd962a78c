"""What the clients are asked to do. The steps and their keys are those of clients/steps.mjs.

Some keys are for this harness and say who takes a step: `cli`, the Inspector too, and not only the SDKs; `legacy`, only
clients that speak legacy to the gateway, because nothing of the kind reaches a modern one, or because it needs a
session; `stdio`, only when the server is reached over stdio; `loose`, what is heard is random, and only that something
is.
"""

import json

OURS = ("cli", "legacy", "stdio", "loose")
_SLOW = "trigger-long-running-operation"


def call(name: str, /, **arguments: object) -> dict:
    return {"do": "call", "name": name, "arguments": arguments}


def cli(step: dict) -> dict:
    return {**step, "cli": True}


def legacy(step: dict) -> dict:
    return {**step, "legacy": True}


def plain(step: dict) -> dict:
    """The step without the keys of this harness."""
    return {key: value for key, value in step.items() if key not in OURS}


def of(client: str, steps: list[dict]) -> list[dict]:
    """The steps with the client's name where ME stands, for what some servers keep once for all their sessions."""
    return json.loads(json.dumps(steps).replace("ME", client))


def prefixed(step: dict, prefix: str) -> dict:
    """The step with the names as a gateway lists them. Resources keep their URIs."""
    if step == UNKNOWN:
        return step
    if "name" in step:
        return {**step, "name": prefix + step["name"]}
    if "name" in step.get("ref", {}):
        return {**step, "ref": {**step["ref"], "name": prefix + step["ref"]["name"]}}
    return step


LIST = cli({"do": "list"})
# No server has it. Every client asks for it.
UNKNOWN = cli({"do": "call", "name": "no_such_tool"})

_DOCUMENT = "demo://resource/static/document/features.md"
_TEXT = "demo://resource/dynamic/text/7"
_BLOB = "demo://resource/dynamic/blob/8"
_PACKED = "demo://resource/session/ME.gz"
_DATA = "data:text/plain,peers%20and%20peers"
_UPDATED = "notifications/resources/updated"
_LOGGED = "notifications/message"


def _completed(argument: str, value: str, **more: object) -> dict:
    return {"do": "complete", "argument": {"name": argument, "value": value}, **more}


_TEAM = {"type": "ref/prompt", "name": "completable-prompt"}
_TEMPLATE = {"type": "ref/resource", "uri": "demo://resource/dynamic/text/{resourceId}"}

_TOOLS = [
    cli(call("echo", message="plain")),
    cli(call("echo")),
    call("echo", message='ünï↯ "quoted" \\ \u2028 😀'),
    call("get-sum", a=0.1, b=9007199254740991),
    call("get-structured-content", location="Chicago"),
    call("get-tiny-image"),
    call("get-annotated-message", messageType="error", includeImage=True),
    call("get-resource-links", count=3),
    call("get-resource-reference", resourceType="Text", resourceId=3),
    call("get-resource-reference", resourceType="Blob", resourceId=4),
    {"do": "progress", "name": _SLOW, "arguments": {"duration": 0.6, "steps": 3}},
    UNKNOWN,
]

_PROMPTS = [
    cli({"do": "prompts"}),
    cli({"do": "prompt", "name": "simple-prompt"}),
    cli({"do": "prompt", "name": "args-prompt", "arguments": {"city": "Ulm", "state": "Swabia"}}),
    {"do": "prompt", "name": "args-prompt", "arguments": {"city": "Bad Ems"}},
    {"do": "prompt", "name": "args-prompt"},
    {"do": "prompt", "name": "completable-prompt", "arguments": {"department": "Sales", "name": "Eve"}},
    {"do": "prompt", "name": "resource-prompt", "arguments": {"resourceType": "Text", "resourceId": "5"}},
    {"do": "prompt", "name": "resource-prompt", "arguments": {"resourceType": "Blob", "resourceId": "6"}},
    {"do": "prompt", "name": "resource-prompt", "arguments": {"resourceType": "Blob", "resourceId": "none"}},
    {"do": "prompt", "name": "no_such_prompt"},
    _completed("department", "S", ref=_TEAM),
    _completed("name", "", ref=_TEAM, context={"department": "Marketing"}),
    _completed("resourceType", "T", ref={"type": "ref/prompt", "name": "resource-prompt"}),
]

_RESOURCES = [
    cli({"do": "resources"}),
    cli({"do": "templates"}),
    cli({"do": "read", "uri": _DOCUMENT}),
    cli({"do": "read", "uri": _TEXT}),
    {"do": "read", "uri": _BLOB},
    {"do": "read", "uri": "demo://resource/dynamic/text/none"},
    {"do": "read", "uri": "demo://nowhere"},
    _completed("resourceId", "12", ref=_TEMPLATE),
    _completed("resourceId", "zero", ref=_TEMPLATE),
]

_QUESTIONS = [
    call("trigger-elicitation-request"),
    call("trigger-sampling-request", prompt="who are you?", maxTokens=77),
    call("get-roots-list"),
    call("trigger-url-elicitation", url="https://peers.example/open", elicitationId="peers-1"),
    call("trigger-url-elicitation", url="https://peers.example/not", elicitationId="peers-2", message="decline please"),
    # Its error code must not be sent in the modern era.
    legacy(call("trigger-url-elicitation", url="https://peers.example/first", elicitationId="peers-3", errorPath=True)),
]

_NEWS = [
    {"do": "level", "level": "debug"},
    # The server sends it at once, and over HTTP on a stream of its own.
    {**call("toggle-simulated-logging"), "stdio": True},
    {"do": "heard", "method": _LOGGED, "part": "level", "loose": True, "stdio": True},
    legacy({**call("toggle-simulated-logging"), "stdio": True}),
    legacy({"do": "watch", "uris": [_TEXT]}),
    legacy({"do": "heard", "method": _LOGGED, "part": "Received Subscribe"}),
    legacy(call("toggle-subscriber-updates")),
    legacy({"do": "heard", "method": _UPDATED, "part": _TEXT}),
    legacy(call("toggle-subscriber-updates")),
    legacy({"do": "unwatch", "uris": [_TEXT]}),
    legacy({"do": "heard", "method": _LOGGED, "part": "Received Unsubscribe"}),
    # It keeps a resource for its session, too.
    call("gzip-file-as-resource", name="inline-ME.gz", data=_DATA, outputType="resource"),
    legacy(call("gzip-file-as-resource", name="ME.gz", data=_DATA)),
    legacy({"do": "heard", "method": "notifications/resources/list_changed"}),
    legacy({"do": "resources"}),
    legacy({"do": "read", "uri": _PACKED}),
]

# Last, because server-everything over HTTP may repeat to a client whose stream broke off what it asked since then.
_CANCEL = [
    {"do": "cancel", "name": _SLOW, "arguments": {"duration": 60, "steps": 300}},
    call("echo", message="still here"),
]

# All that server-everything has, for clients that can do all. Tasks have a list of their own.
EVERYTHING = [{"do": "connected"}, LIST, *_TOOLS, *_PROMPTS, *_RESOURCES, *_QUESTIONS, *_NEWS, *_CANCEL]

TASKS = [
    LIST,
    {"do": "task", "name": "simulate-research-query", "arguments": {"topic": "python", "ambiguous": True}},
    call("trigger-sampling-request-async", prompt="later?"),
    call("trigger-elicitation-request-async"),
]

# For servers/legacy.mjs and servers/modern.py: their questions, ...
ASK = [
    {"do": "connected"},
    LIST,
    {"do": "prompts"},
    {"do": "templates"},
    {"do": "level", "level": "warning"},
    {"do": "progress", "name": "interview", "arguments": {"subject": "Ada"}},
    {"do": "heard", "method": _LOGGED, "part": "Ada at warning"},
    {"do": "heard", "method": _LOGGED, "part": "Ada at error"},
    call("interview", subject="decline please"),
    {**call("look_around"), "roots": True},
    call("think", subject="Bob"),
    call("visit", subject="Cid"),
    call("visit", subject="cancel please"),
    call("capabilities"),
    call("news", subject="Dan"),
    {"do": "heard", "method": _LOGGED, "part": "Dan at error"},
    {"do": "told", "method": _LOGGED},
    {"do": "read", "uri": "peers://notes/two"},
    {"do": "read", "uri": "peers://asked/eve"},
    {"do": "prompt", "name": "introduce", "arguments": {"subject": "Fay"}},
    {"do": "cancel", "name": "wait", "arguments": {"subject": "Gus"}},
    call("echo", text="still here"),
]
# ... and their news. What is legacy here needs a legacy server, too.
NEWS = [
    {"do": "watch", "uris": ["peers://notes/one"]},
    call("change", tool="added_by_ME"),
    {"do": "heard", "method": "notifications/tools/list_changed"},
    call("added_by_ME"),
    call("touch", uri="peers://notes/two"),
    call("touch", uri="peers://notes/one"),
    {"do": "heard", "method": _UPDATED, "part": "peers://notes"},
    legacy({"do": "unwatch", "uris": ["peers://notes/one"]}),
    legacy(call("touch", uri="peers://notes/one")),
    call("echo", text="still here"),
    legacy({"do": "told", "method": _UPDATED}),
]
