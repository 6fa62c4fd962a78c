"""Prompts and completion."""

from suite.registry import probe
from suite.stage import Stage


@probe("A prompt arrives with all its content, its arguments as they were sent")
def prompt_get(stage: Stage) -> None:
    params = {"name": stage.name("brief"), "arguments": {"topic": "caf\u00e9 \u2028", "style": ""}, "x": [None, 1]}
    stage.ask("prompts/get", params, label="prompts/get brief")
    stage.saw("prompts/get")


@probe("A prompt that cannot be given is refused by the server, with its data")
def prompt_error(stage: Stage) -> None:
    stage.ask("prompts/get", {"name": stage.name("plain")}, label="prompts/get plain")


def _complete(stage: Stage, ref: dict) -> None:
    argument, context = {"name": "style", "value": "py \u2028", "x": 1}, {"arguments": {"z": "1", "a": "2"}, "x": None}
    stage.ask("completion/complete", {"ref": ref, "argument": argument, "context": context})
    stage.saw("completion/complete")


@probe("An argument of a prompt is completed, with the context")
def complete_prompt(stage: Stage) -> None:
    _complete(stage, {"type": "ref/prompt", "name": stage.name("brief"), "title": "Brief"})


@probe("A variable of a resource template is completed, with the context")
def complete_template(stage: Stage) -> None:
    _complete(stage, {"type": "ref/resource", "uri": stage.uri("item/{kind}/{id}"), "x": 1})
