"""Questions to the client: one after the other, or all at once."""

from reference.call import Call

METHODS = {
    "form": "elicitation/create",
    "url": "elicitation/create",
    "sampling": "sampling/createMessage",
    "roots": "roots/list",
}


def question(call: Call, kind: str, key: str) -> tuple[str, dict]:
    """Method and params of a question. Its key tells whose question it is."""
    params = {**call.engine.offering.answers[kind], "com.example/key": key}
    if kind == "url" and not call.modern:
        params["elicitationId"] = f"elicitation-{key}"
    return METHODS[kind], params


async def put(call: Call, kinds: list[str], at_once: bool = False, mark: str = "") -> list:
    """The answers, in the order of the questions."""
    keys = {f"{mark}{number}-{kind}": kind for number, kind in enumerate(kinds)}
    if at_once:
        return list((await call.ask({key: question(call, kind, key) for key, kind in keys.items()})).values())
    return [(await call.ask({key: question(call, kind, key)}))[key] for key, kind in keys.items()]
