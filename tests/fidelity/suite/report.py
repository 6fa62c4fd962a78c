"""The table for people, and the file for programs."""

import json
from pathlib import Path

from suite.compare import KINDS, Difference, short
from suite.pairs import Pair
from suite.runner import Outcome


# Differences stand a little to the right of the sentence of their probe.
MARGIN = " " * 46


def table(pair: Pair, outcomes: list[Outcome], show_all: bool, show_allowed: bool, n_lines: int) -> str:
    """One pair: a line per probe that differs, with its numbers, and the first differences below it."""
    failed = [outcome for outcome in outcomes if outcome.failures]
    lines = [f"{pair}: {len(outcomes) - len(failed)} of {len(outcomes)} as without a gateway"]
    shown = outcomes if show_all else failed
    if shown:
        lines.append("  " + " ".join(f"{kind:>7}" for kind in (*KINDS, "allowed")) + "  probe")
    for outcome in shown:
        numbers = [_count(outcome.failures, kind) for kind in KINDS] + [len(outcome.allowed)]
        cells = " ".join(f"{number or '.':>7}" for number in numbers)
        lines.append(f"  {cells}  {outcome.probe.sentence} ({outcome.probe.id})")
        lines += [f"{MARGIN}{difference}" for difference in outcome.failures[:n_lines]]
        if len(outcome.failures) > n_lines:
            lines.append(f"{MARGIN}and {len(outcome.failures) - n_lines} more")
        if show_allowed:
            lines += [f"{MARGIN}allowed ({name}): {difference}" for difference, name in outcome.allowed]
    return "\n".join(lines)


def overview(results: list[tuple[Pair, list[Outcome]]]) -> str:
    """Probes that differ somewhere, and in which pairs: `x` differs, `.` does not, a blank does not apply."""
    pairs = [pair for pair, _ in results]
    found = {(pair, outcome.probe.id): bool(outcome.failures) for pair, outcomes in results for outcome in outcomes}
    failed = sorted({id for (_, id), differs in found.items() if differs})
    if not failed or len(pairs) < 2:
        return ""
    lines = ["", "Where which probe differs:"]
    lines += [f"  {chr(ord('A') + number)} {pair}" for number, pair in enumerate(pairs)]
    lines.append("  " + "".join(chr(ord("A") + number) for number in range(len(pairs))))
    for id in failed:
        cells = "".join({True: "x", False: "."}.get(found.get((pair, id)), " ") for pair in pairs)
        lines.append(f"  {cells}  {id}")
    return "\n".join(lines)


def _count(differences: list[Difference], kind: str) -> int:
    return sum(difference.kind == kind for difference in differences)


def write_json(path: Path, gateway: str, results: list[tuple[Pair, list[Outcome]]]) -> None:
    """All outcomes with all their differences."""

    def words(difference: Difference) -> dict:
        found = {"kind": difference.kind, "side": difference.side, "message": difference.label}
        values = {"expected": difference.expected, "actual": difference.actual}
        return {**found, "path": difference.pointer, **{key: short(value, 2000) for key, value in values.items()}}

    outcomes = [
        {
            "pair": str(pair),
            "probe": outcome.probe.id,
            "sentence": outcome.probe.sentence,
            "passed": not outcome.failures,
            "differences": [words(difference) for difference in outcome.failures],
            "allowed": [{**words(difference), "allowance": name} for difference, name in outcome.allowed],
        }
        for pair, outcomes in results
        for outcome in outcomes
    ]
    path.write_text(json.dumps({"gateway": gateway, "outcomes": outcomes}, indent=1, ensure_ascii=False) + "\n")
