"""Calls of tools: what reaches the server, and what comes back."""

from suite.compare import Seen
from suite.jsontext import Number, at, parse
from suite.registry import probe
from suite.stage import Stage

ARGUMENTS = parse(
    r'{"z":1234567890123456789012345,"a":1.0,"one":1,"deep":{"$defs":{"x":[1,2,{"b":1E300}]},"\u00e9":"caf\u00e9 \/ '
    r'\ud83d\ude00 \t\u2028\u2029\u0085"},"":null,"10":0,"9":-0.0,"_meta":{"k":1},"$ref":"#/$defs/x","t":[true,false,[]]}'
)


@probe("Arguments reach the server as they were sent, and a structured result comes back so")
def call_echo(stage: Stage) -> None:
    stage.call("echo", ARGUMENTS)
    stage.saw("tools/call")


@probe("A call without arguments stays one without arguments")
def call_bare(stage: Stage) -> None:
    stage.call("dotted.name-1")
    stage.saw("tools/call")


@probe("Unknown parameters and keys of _meta reach the server, traceparent among them")
def call_meta(stage: Stage) -> None:
    meta = {
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "tracestate": "b=1,a=2",
        "baggage": "z=1",
        "com.example/k": {"z": Number("1.0"), "a": [None]},
        "k": Number("12345678901234567890.50"),
    }
    stage.call("echo", {"a": 1}, params={"com.example/later": {"z": 1, "a": Number("1.50")}, "_meta": meta})
    stage.saw("tools/call")


@probe("Every kind of content arrives with all its fields")
def call_content(stage: Stage) -> None:
    stage.call("all_content", {})


@probe("Content of a kind that is not known yet arrives as it is")
def call_new_content(stage: Stage) -> None:
    stage.call("all_content", {"new": True})


@probe("A failed tool stays a result with isError")
def call_failed(stage: Stage) -> None:
    stage.call("fail_as_result", {})


@probe("A JSON-RPC error keeps its code, message and data")
def call_error(stage: Stage) -> None:
    for code in (7, -32050, Number("-32603"), -32602):
        stage.call("fail_as_error", {"code": code})


@probe("An unknown tool is refused with the code of the specification")
def call_unknown(stage: Stage) -> None:
    stage.call("no_such_tool", {})
    # Who refuses it says so in words of its own.
    stage.clients = [Seen(seen.label, at(seen.body, "error", "code")) for seen in stage.clients]


@probe("A result of two megabytes arrives whole")
def call_big(stage: Stage) -> None:
    stage.call("big", {})


@probe("An id that is a text, or a large number, comes back as it was")
def call_ids(stage: Stage) -> None:
    for id in ("a \u2028 text", "7", Number("9007199254740991"), Number("0")):
        stage.call("dotted.name-1", {}, id=id)


@probe("Arguments that a modern server wants in headers get there")
def call_headers(stage: Stage) -> None:
    arguments = {"region": "eu \u00fc", "deep": {"n": Number("3")}, "other": 1}
    modern_http = (stage.pair.client_era, stage.pair.client_transport) == ("modern", "http")
    mirrored = {"Mcp-Param-Region": "=?base64?ZXUgw7w=?=", "Mcp-Param-Deep-N": "3"} if modern_http else None
    stage.call("routed", arguments, headers=mirrored)
    stage.saw("tools/call")
