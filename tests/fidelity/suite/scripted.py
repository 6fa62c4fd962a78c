"""What the clients declare, and how they answer questions."""

from suite.client import Answers
from suite.jsontext import Number, parse

_SAMPLED = parse(
    '{"x":1.0,"role":"assistant","content":[{"type":"tool_use","id":"t2","name":"weather","input":{"z":1.0,'
    '"a":12345678901234567890},"_meta":{"k":1}},{"type":"text","text":"\\u2028 sun","y":null}],"model":"small-1",'
    '"stopReason":"toolUse","_meta":{"z":1,"a":2}}'
)
_FORM = parse('{"action":"accept","x":1.0,"content":{"name":"caf\\u00e9 \\u2028","age":41,"kind":"b","many":["y"]}}')
_ROOTS = parse(
    '{"roots":[{"uri":"file:///home/me/a%20b","name":"A \\u2028","x":1.0,"_meta":{"k":1}},{"uri":"file:///b"}],"y":null}'
)


def full_capabilities(era: str) -> dict:
    """All that a client of this era can declare, and what it may declare beyond the specification."""
    both = {
        "sampling": {"tools": {}, "context": {}},
        "roots": {},
        "elicitation": {"form": {}, "url": {}},
        "experimental": {"com.example/x": {"v": Number("1.0")}},
        "extensions": {"com.example/echo": {"level": 2, "a": None}},
    }
    if era == "modern":
        both["extensions"]["io.modelcontextprotocol/tasks"] = {}
        return both
    return {**both, "roots": {"listChanged": True}, "tasks": {"list": {}, "cancel": {}}}


def answers_of(name: str, action: str = "accept") -> Answers:
    """Answers that carry the name of who gives them. Without a name: the rich ones."""

    def answer(method: str, params: dict) -> dict:
        if method == "sampling/createMessage":
            return {**_SAMPLED, "model": name} if name else _SAMPLED
        if method == "roots/list":
            return {"roots": [{"uri": f"file:///{name}"}]} if name else _ROOTS
        if method != "elicitation/create":
            return {"error": {"code": -32601, "message": f"not understood: {method}"}}
        if action != "accept":
            return {"action": action}
        if params.get("mode") == "url":
            return {"action": "accept", "x": Number("1.0")}
        return {"action": "accept", "content": {"name": name}} if name else _FORM

    return answer
