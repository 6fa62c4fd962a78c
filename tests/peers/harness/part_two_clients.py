"""The part `two-clients`: two clients at once on one gateway, neither of which may see what is the other's."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness import clients, gateways, servers
from harness.checks import show
from harness.clients import As, Client, Target
from harness.ear import meeting
from harness.report import Options, Report, caught
from harness.steps import call, prefixed

# A legacy client and a modern one, and their names.
PAIR = {"ts_legacy": "Anna", "py_auto": "Boris"}
LOGGED, UPDATED = "notifications/message", "notifications/resources/updated"
# The plugins: id, era of the server, isolation.
PLUGINS = (
    ("session", "legacy", "session"),
    ("shared", "legacy", "shared"),
    ("call", "legacy", "call"),
    ("modern", "modern", None),
)


def two_clients(report: Report, options: Options, scratch: Path) -> None:
    if len([client for client in options.clients if client.name in PAIR]) < len(PAIR):
        print(f"two-clients: needs both {' and '.join(PAIR)}", flush=True)
        return
    if options.direct:
        # Each has a server of its own, so only the harness is tried.
        with caught(report, "two-clients, directly"):
            _together(report, "two-clients, directly", servers.ours("legacy"), "", True, scratch)
        return
    # A client connects to one gateway for each: resources of the same URI in two plugins would be renamed.
    for id, era, isolation in PLUGINS:
        name = f"two-clients, {id}"
        entry = gateways.Entry("ours", servers.ours(era), era=era, isolation=isolation)
        file = gateways.config(scratch / "toolgate.toml", entry)
        with caught(report, name), gateways.gateway(report, name, file, scratch) as server:
            # A legacy server that everyone shares is offered nothing of its clients, so it can ask nobody.
            answers = isolation != "shared"
            _together(report, name, Target(url=f"{server.url()}/mcp"), "ours__", answers, scratch)


def _together(report: Report, name: str, target: Target, prefix: str, answers: bool, scratch: Path) -> None:
    with meeting() as place, ThreadPoolExecutor(len(PAIR)) as pool:

        def take(client: Client, me: str) -> list[dict]:
            steps = [prefixed(step, prefix) for step in _steps(me, place.port)]
            return client.take(target, steps, scratch, As(clients.ALL_FEATURES, me))

        running = {me: pool.submit(take, clients.BY_NAME[client], me) for client, me in PAIR.items()}
        found = {}
        for me, future in running.items():
            with caught(report, f"{name}, {me}"):
                found[me] = future.result()
    met = sorted(place.met)
    report.check(f"{name}, both are in a call at once", None if met == sorted(PAIR.values()) else f"only {met} came")
    for me, results in found.items():
        (other,) = set(PAIR.values()) - {me}
        _judge(report, f"{name}, {me}", me, other, results, answers)


def _steps(me: str, meet: int) -> list[dict]:
    """All that a client does has its name in it, so that whatever is another's can be told."""
    return [
        {"do": "level", "level": "debug"},
        {"do": "watch", "uris": [f"peers://notes/{me}"]},
        {"do": "progress", "name": "interview", "arguments": {"subject": me, "meet": meet}},
        call("touch", uri=f"peers://notes/{me}"),
        {"do": "progress", "name": "news", "arguments": {"subject": me}},
        call("visit", subject=me),
        {**call("look_around"), "roots": True},
        call("echo", text=me),
        {"do": "told", "method": LOGGED},
        {"do": "told", "method": UPDATED},
    ]


def _judge(report: Report, name: str, me: str, other: str, results: list[dict], answers: bool) -> None:
    for step, one in zip(_steps(me, 0), results, strict=True):
        what = f"{name}, {step['do']} {step.get('name') or step.get('method', '')}".rstrip()
        # What was not answered was for nobody.
        said = show({key: value for key, value in one.items() if key != "error"})
        report.check(f"{what}: nothing of {other}", said[:400] if other in said else None)
    _level, _watch, interview, _touch, news, visit, roots, echo, _told, _updated = results
    for what, one in (("news", news), ("echo", echo)):
        report.check(f"{name}, {what}: an answer", show(one)[:300] if me not in show(one.get("result")) else None)
    if not answers:
        asked = [question for one in results for question in one.get("asked", [])]
        report.check(f"{name}, nothing is asked", show(asked)[:300] if asked else None)
        return
    wanted = {
        "interview": (interview, f"{me} completes: {me}: describe {me} says name to: {me}: who are you?"),
        "visit": (visit, '"action\\":\\"accept'),
        "look_around": (roots, f"file:///peers/{me}/two"),
    }
    for what, (one, part) in wanted.items():
        said = show(one.get("result"))
        report.check(f"{name}, {what}: its own answers", f"{show(one)[:400]}, without {part}" if part not in said else None)
