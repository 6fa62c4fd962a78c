"""What is compared of a message: all but what belongs to one hop (see `STAND_INS` in allowances.py)."""

from suite.client import Client
from suite.compare import Seen
from suite.jsontext import at

SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"


def client_side(client: Client, message: dict) -> Seen:
    """A message that a client read."""
    if "method" not in message:
        label = client.labels.get(message.get("id"), "a request that nobody sent")
        return Seen(f"answer to {label}", {key: message[key] for key in ("result", "error") if key in message})
    params = message.get("params")
    if isinstance(params, dict):
        params = dict(params)
        if (token := params.get("progressToken")) in client.tokens:
            params["progressToken"] = client.tokens[token]
        if at(params, "_meta", SUBSCRIPTION) in client.listens:
            params["_meta"] = {**params["_meta"], SUBSCRIPTION: "<subscription id>"}
        if params.get("requestId") in client.questions:
            params["requestId"] = f"<id of {client.questions[params['requestId']]}>"
    kind = "question" if "id" in message else "notice"
    return Seen(f"{kind} {message['method']}", {} if params is None else {"params": params})


def bridged(seen: Seen) -> Seen:
    """As it is compared between eras: questions by their places, whatever the keys are."""
    asked = at(seen.body, "result", "inputRequests")
    if not isinstance(asked, dict):
        return seen
    numbered = {f"<question {number}>": question for number, question in enumerate(asked.values(), 1)}
    return Seen(seen.label, {**seen.body, "result": {**seen.body["result"], "inputRequests": numbered}})


def server_side(message: dict, about: str | None, headers: dict) -> Seen:
    """A message that the reference server read."""
    if "method" not in message:
        return Seen(f"answer to {about}", {key: message[key] for key in ("result", "error") if key in message})
    params = message.get("params")
    if isinstance(params, dict) and at(params, "_meta", "progressToken") is not None:
        params = {**params, "_meta": {**params["_meta"], "progressToken": "<progress token>"}}
    label = message["method"]
    if name := at(params, "name") or at(params, "uri"):
        label += f" {name}"
    body = {} if params is None else {"params": params}
    return Seen(label, {**body, "headers": headers} if headers else body)
