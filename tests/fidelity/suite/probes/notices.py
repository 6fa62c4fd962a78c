"""What the server tells while it works."""

from suite.jsontext import Number
from suite.registry import probe
from suite.stage import Stage


def _progress(stage: Stage, token: object) -> None:
    stage.call("progress", {}, params={"_meta": {"progressToken": token, "com.example/k": 1}})
    stage.saw("tools/call")


@probe("Ten progress messages arrive whole, in order, before the answer")
def progress(stage: Stage) -> None:
    _progress(stage, "a token \u2028")


@probe("A progress token that is a number comes back as that number")
def progress_number(stage: Stage) -> None:
    _progress(stage, Number("9007199254740991"))


def _talk(stage: Stage, level: str) -> None:
    client = stage.open()
    if client.era == "legacy":
        stage.ask("logging/setLevel", {"level": level}, client)
    client.level = level
    stage.call("talk", {}, client)


@probe("Log messages during a call arrive whole, in order, before the answer")
def log(stage: Stage) -> None:
    _talk(stage, "debug")


@probe("The log level that a client wants is what it gets")
def log_level(stage: Stage) -> None:
    _talk(stage, "warning")
