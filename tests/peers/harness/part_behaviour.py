"""The part `behaviour`: one table of what gateways get wrong, with one and with three plugins, for both eras."""

import http.client
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from harness import clients, gateways, servers
from harness.checks import show
from harness.clients import As, Client, Target
from harness.ear import Ear, ear
from harness.process import Failed, Server
from harness.report import Options, Report
from harness.steps import call, prefixed

# A legacy client and a modern one.
PROBED = ("ts_legacy", "py_auto")
FULL = As(clients.ALL_FEATURES)
LOGGED = "notifications/message"
Table = dict[str, dict[str, str]]

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "evil", "version": "1"}},
}


def behaviour(report: Report, options: Options, scratch: Path) -> None:
    table: Table = {}
    probed = [client for client in options.clients if client.name in PROBED]
    with ear() as ears:
        target = servers.ours("legacy", ears.port)
        if options.direct:
            _probe_all(report, table, probed, "directly", target, "", ears, scratch)
        else:
            time = Target(command=tuple(servers.time("auto").command))
            more = [gateways.Entry("other", servers.ours("modern")), gateways.Entry("time", time)]
            for others in ([], more):
                entries = [gateways.Entry("ours", target), *others]
                _gateway(report, table, probed, entries, ears, scratch)
    _print(table)


def _gateway(
    report: Report, table: Table, probed: list[Client], entries: list[gateways.Entry], ears: Ear, scratch: Path
) -> None:
    name = f"{len(entries)} plugin{'s' if len(entries) > 1 else ''}"
    file = gateways.config(scratch / "toolgate.toml", *entries)
    with gateways.gateway(report, f"behaviour, {name}", file, scratch) as server:
        _probe_all(report, table, probed, name, Target(url=f"{server.url()}/mcp"), "ours__", ears, scratch)
        for client in probed:
            column = f"{name}, {client.era}"
            _note(report, table, column, "evil Origin and Host are 403", _evil(server.url()))
            table.setdefault("memory of the gateway", {})[column] = _memory(server)


def _probe_all(
    report: Report,
    table: Table,
    probed: list[Client],
    name: str,
    target: Target,
    prefix: str,
    ears: Ear,
    scratch: Path,
) -> None:
    """All rows, the clients at the same time."""
    rows = {**ROWS, **(THROUGH if prefix else {})}

    def probe(client: Client) -> dict[str, str | None]:
        def take(steps: list[dict], as_: As = FULL) -> list[dict]:
            return client.take(target, [prefixed(step, prefix) for step in steps], scratch, as_)

        found = {}
        for row, ask in rows.items():
            try:
                found[row] = ask(take, f"{name}, {client.era}", ears)
            except (Failed, ValueError) as error:
                found[row] = str(error)
        return found

    with ThreadPoolExecutor(len(probed) or 1) as pool:
        for client, found in zip(probed, pool.map(probe, probed), strict=True):
            for row, wrong in found.items():
                _note(report, table, f"{name}, {client.era}", row, wrong)


def _note(report: Report, table: Table, column: str, row: str, wrong: str | None) -> None:
    table.setdefault(row, {})[column] = "no" if wrong else "yes"
    report.check(f"behaviour, {column}, {row}", wrong)


Take = Callable[..., list[dict]]


def _questions(take: Take, _column: str, _ears: Ear) -> str | None:
    (said,) = take([call("interview", subject="Ada")])
    asked = [one["method"] for one in said.get("asked", [])]
    wanted = ["elicitation/create", "elicitation/create", "sampling/createMessage"]
    good = asked == wanted and "peer completes: Ada: describe peer says name" in _text(said)
    return None if good else f"asked {asked}; {show(said)[:300]}"


def _capabilities(take: Take, _column: str, _ears: Ear) -> str | None:
    for can in ((), ("elicitation", "elicitation.url"), clients.ALL_FEATURES):
        (said,) = take([call("capabilities")], As(can))
        seen = _features(json.loads(_text(said) or "{}"))
        if "result" not in said or seen != set(can):
            return f"a client that can {sorted(can)} is seen as {sorted(seen)}: {show(said)[:200]}"
    return None


def _features(seen: dict) -> set[str]:
    inner = {"sampling": "tools", "elicitation": "url"}
    found = {name for name in ("roots", "sampling", "elicitation") if name in seen}
    return found | {f"{name}.{key}" for name, key in inner.items() if key in seen.get(name, {})}


def _progress(take: Take, _column: str, _ears: Ear) -> str | None:
    (said,) = take([{"do": "cancel", "name": "wait", "arguments": {"subject": "Bea"}}])
    wanted = [{"message": "Bea 1", "progress": 1, "total": 3}]
    return None if said.get("progress") == wanted else show(said)[:200]


def _logs(take: Take, _column: str, _ears: Ear) -> str | None:
    heard = {"do": "heard", "method": LOGGED, "part": "Cid at error"}
    steps = [{"do": "level", "level": "warning"}, call("news", subject="Cid"), heard, {"do": "told", "method": LOGGED}]
    *_, last, told = take(steps)
    levels = [one["level"] for one in told.get("told", []) if one["data"].startswith("Cid")]
    return None if "heard" in last and levels == ["warning"] else f"{show(last)[:200]}, before that {levels}"


def _list_changed(take: Take, column: str, _ears: Ear) -> str | None:
    heard = {"do": "heard", "method": "notifications/tools/list_changed"}
    watching, changed, said = take([{"do": "watch"}, call("change", tool=f"added_{column.rpartition(' ')[2]}"), heard])
    good = "done" in watching and "result" in changed and "heard" in said
    return None if good else f"{show(watching)[:200]}; {show(changed)[:200]}; {show(said)[:200]}"


def _cancelled(take: Take, column: str, ears: Ear) -> str | None:
    subject = f"Dan of {column}"
    cancel = {"do": "cancel", "name": "wait", "arguments": {"subject": subject}}
    # A client that ended at once could take its cancellation with it.
    said, *_ = take([cancel, call("echo", text="still here"), call("echo", text="still here")])
    if not said.get("aborted"):
        return f"was not aborted: {show(said)[:200]}"
    return None if ears.hears(f"cancelled {subject}") else "the server was not told"


def _crashed(take: Take, _column: str, _ears: Ear) -> str | None:
    before, crashed, after = take([call("echo", text="one"), call("crash"), call("echo", text="two")])
    died = "error" in crashed or crashed["result"].get("isError")
    good = "one" in _text(before) and died and "two" in _text(after)
    return None if good else f"{show(before)[:200]}; {show(crashed)[:200]}; {show(after)[:200]}"


ROWS = {
    "elicitation and sampling reach the client": _questions,
    "the capabilities the server sees are the client's": _capabilities,
    "progress": _progress,
    "log messages": _logs,
    "tools/list_changed": _list_changed,
    "cancellation reaches the server": _cancelled,
}
THROUGH = {"after the child crashed the same session works": _crashed}


def _text(said: dict) -> str:
    return "".join(one.get("text", "") for one in said.get("result", {}).get("content", []))


def _evil(url: str) -> str | None:
    address = urlsplit(url).netloc
    wrong = []
    for evil in ({"Host": address, "Origin": "http://evil.example"}, {"Host": "evil.example"}):
        connection = http.client.HTTPConnection(address, timeout=10)
        headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream", **evil}
        connection.request("POST", "/mcp", json.dumps(INITIALIZE), headers)
        if (status := connection.getresponse().status) != 403:
            wrong.append(f"{evil} got {status}")
        connection.close()
    return "; ".join(wrong) or None


def _memory(server: Server) -> str:
    lines = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    kilobytes = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
    return f"{kilobytes / 1000:.0f} MB"


def _print(table: Table) -> None:
    columns = list(dict.fromkeys(column for cells in table.values() for column in cells))
    width = max(map(len, table))
    print("  ".join([" " * width, *columns]))
    for row, cells in table.items():
        print("  ".join([f"{row:{width}}", *(f"{cells.get(one, '-'):{len(one)}}" for one in columns)]), flush=True)
