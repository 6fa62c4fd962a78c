"""Runs the probes on a pair, and compares pairs with what was seen without a gateway."""

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from suite import gateways
from suite.allowances import permitting
from suite.canonical import bridged
from suite.compare import Difference, Seen, messages
from suite.gateways import Gateway, Server
from suite.inbox import Trouble
from suite.observer import Observer
from suite.pairs import Pair
from suite.processes import Process
from suite.registry import Probe
from suite.stage import OWN, Hopeless, Stage

SIBLINGS = ("left", "right")


@dataclass
class Notes:
    """What both sides saw in one probe, and what did not come."""

    clients: list[Seen] = field(default_factory=list)
    servers: list[Seen] = field(default_factory=list)
    trouble: str | None = None


@dataclass
class Outcome:
    """One probe in one pair."""

    pair: Pair
    probe: Probe
    failures: list[Difference]
    allowed: list[tuple[Difference, str]]


class Broken(Exception):
    """The suite itself, or a reference server, does not do what it must."""


class Runner:
    """All of one run. Pairs are independent of each other and run beside each other."""

    def __init__(self, gateway: Gateway, probes: list[Probe], patience_s: float, jobs: int, allowances: list):
        self.gateway = gateway
        self.probes = probes
        self.patience_s = patience_s
        self.jobs = jobs
        self.allowances = allowances

    def run(self, pairs: list[Pair]) -> Iterator[tuple[Pair, list[Outcome]]]:
        """The outcomes of each pair, in the order of the pairs."""
        needed = {(pair.client_era, pair.client_transport) for pair in pairs}
        needed |= {(pair.server_era, pair.server_transport) for pair in pairs}
        with ThreadPoolExecutor(self.jobs) as pool:
            own = [Pair(era, transport, era, transport) for era, transport in sorted(needed)]
            directly = zip(own, pool.map(self._direct, own))
            baselines = {(pair.client_era, pair.client_transport): notes for pair, notes in directly}
            for pair, notes in zip(pairs, pool.map(self._through, pairs)):
                expected = baselines[pair.client_era, pair.client_transport]
                servers = baselines[pair.server_era, pair.server_transport]
                yield pair, self._compare(pair, notes, expected, servers)

    def _direct(self, pair: Pair) -> dict[str, Notes]:
        notes = self._notes(gateways.none(), pair)
        if wrong := [f"{id}: {seen.trouble}" for id, seen in notes.items() if seen.trouble]:
            raise Broken("\n  ".join([f"without a gateway, {pair}:", *wrong]))
        return notes

    def _through(self, pair: Pair) -> dict[str, Notes]:
        return self._notes(self.gateway, pair)

    def _notes(self, gateway: Gateway, pair: Pair) -> dict[str, Notes]:
        """What was seen in each probe. A pair that cannot be set up has the same trouble in each."""
        wanted = [probe for probe in self.probes if probe.applies(pair)]
        notes: dict[str, Notes] = {}
        try:
            with tempfile.TemporaryDirectory(prefix="fidelity-", ignore_cleanup_errors=True) as folder:
                with _set_up(gateway, pair, Path(folder), self.patience_s) as stage:
                    for probe in wanted:
                        notes[probe.id] = _try(probe, stage)
        except Trouble as trouble:
            # Also told at the end, when something is left running: then the last probe bears it.
            missing = [probe.id for probe in wanted if probe.id not in notes] or [wanted[-1].id]
            notes |= {id: Notes(trouble=str(trouble)) for id in missing}
        return notes

    def _compare(self, pair: Pair, notes: dict, clients: dict, servers: dict) -> list[Outcome]:
        outcomes = []
        for probe in self.probes:
            if probe.id not in notes:
                continue
            seen, failures, allowed = notes[probe.id], [], []
            expected = clients[probe.id].clients, servers[probe.id].servers
            for difference in self._differences(pair, seen, *expected):
                allowance = permitting(difference, pair, self.allowances)
                if allowance is None:
                    failures.append(difference)
                else:
                    allowed.append((difference, allowance.name))
            outcomes.append(Outcome(pair, probe, failures, allowed))
        return outcomes

    def _differences(self, pair: Pair, seen: Notes, clients: list[Seen], servers: list[Seen]) -> Iterator[Difference]:
        def permitted(difference: Difference) -> bool:
            return permitting(difference, pair, self.allowances) is not None

        for side, expected, actual in (("client", clients, seen.clients), ("server", servers, seen.servers)):
            if not pair.same_era:
                expected, actual = [bridged(one) for one in expected], [bridged(one) for one in actual]
            for difference in messages(side, expected, actual, permitted):
                # After a trouble the rest of the probe did not run: what is missing then says nothing more.
                if seen.trouble is None or difference.kind != "lost" or difference.path:
                    yield difference
        if seen.trouble is not None:
            yield Difference("lost", "client", seen.trouble, ())


def _try(probe: Probe, stage: Stage) -> Notes:
    trouble = None
    try:
        stage.begin(probe.id)
        probe.run(stage)
    except Hopeless:
        raise
    except Trouble as error:
        trouble = str(error)
    notes = Notes(stage.clients, stage.servers, trouble)
    stage.end(failed=trouble is not None)
    return notes


@contextmanager
def _set_up(gateway: Gateway, pair: Pair, folder: Path, patience_s: float) -> Iterator[Stage]:
    observer = Observer(patience_s)
    names = (OWN, *SIBLINGS)[: pair.servers]
    processes: list[Process] = []
    try:
        servers = [_server(pair, name, observer, folder, processes) for name in names]
        running = gateway.start(pair, servers, folder, patience_s)
        stage = Stage(pair, observer, running.open, running.prefix, running.direct)
        try:
            yield stage
        finally:
            stage.end(failed=True)
            running.stop()
        for process in processes:
            process.stop()
        if not observer.all_gone():
            raise Trouble("a server was left running when its gateway had ended")
    finally:
        for process in processes:
            process.stop()
        observer.close()


def _server(pair: Pair, name: str, observer: Observer, folder: Path, processes: list[Process]) -> Server:
    """A reference server. Over HTTP it is started here, over stdio by whoever uses it."""
    command = gateways.reference(pair.server_era, pair.server_transport, name, observer.address)
    if pair.server_transport == "stdio":
        return Server(name, command)
    since = len(observer.entries)
    processes.append(Process(command, folder / f"{name}.log", pipes=False))
    told = observer.wait("start", lambda entry: entry["event"] == "listening at" and entry["server"] == name, since)
    return Server(name, command, told["url"])
