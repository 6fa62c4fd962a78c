"""Builds and starts the programs of the benchmark, and ends them again. Python's standard library only."""

import json
import os
import pathlib
import re
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
RELEASE = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
RIG = str(RELEASE / "rig")
# Under valgrind a start takes seconds.
START_SECONDS = 60
STOP_SECONDS = 15
# The gateways that are measured record their calls here, and not at home. Gone with this program.
STATE = tempfile.TemporaryDirectory(prefix="toolgate-bench-state-")
os.environ["TOOLGATE_STATE_DIR"] = STATE.name
LISTENING = re.compile(r"listening on (http://[0-9.]+:[0-9]+)")


class Failed(Exception):
    """Something the benchmark cannot go on without; shown without a traceback."""


def build(packages):
    """Builds packages of the workspace, optimized as users get them."""
    words = ["cargo", "build", "--release", "--locked", "--quiet"]
    for package in packages:
        words += ["--package", package]
    if subprocess.run(words, cwd=ROOT).returncode != 0:
        raise Failed("the build failed")


def rig(program, **flags):
    """Runs a program of the rig to its end and returns the JSON line it printed."""
    words = [RIG, program]
    command = flags.pop("command", None)
    for name, value in flags.items():
        words += [f"--{name.replace('_', '-')}", str(value)]
    if command:
        words += ["--", *command]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"{' '.join(words)}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def resident_kib(pid):
    """Resident memory of a process now, in KiB."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^VmRSS:\s+([0-9]+) kB", status, re.MULTILINE)[1])


def median(values):
    """The median of a few rounds."""
    return statistics.median(values)


class Server:
    """A started program that listens: its process id, its origin, and how to end it."""

    def __init__(self, words, stderr_path, cwd):
        self.words = words
        self.stderr_path = stderr_path
        with open(stderr_path, "wb") as stderr:
            self.process = subprocess.Popen(
                words, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr
            )
        self.pid = self.process.pid
        try:
            self.origin = self._origin()
        except BaseException:
            self.stop()
            raise

    def _origin(self):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            said = LISTENING.search(self.stderr())
            if said:
                return said[1]
            if self.process.poll() is not None:
                break
            time.sleep(0.005)
        raise Failed(f"{' '.join(self.words)} does not listen:\n{self.stderr()}")

    def stderr(self):
        """What the program has said so far, without colours."""
        text = self.stderr_path.read_text(errors="replace")
        return re.sub(r"\x1b\[[0-9;]*m", "", text)

    @property
    def mcp(self):
        """The address of the MCP endpoint."""
        return f"{self.origin}/mcp"

    def await_tool(self, tool):
        """Calls a tool until it answers: plugins may need a moment after the start."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                rig("drive", url=self.mcp, tool=tool, calls=1)
                return
            except Failed as problem:
                if time.monotonic() > deadline:
                    raise Failed(f"{problem}\n{self.stderr()}") from None
                time.sleep(0.1)

    def stop(self):
        """Asks the process to end, and kills it when it does not."""
        if self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Bench:
    """A temporary directory and the servers started in it; all end with the `with` block."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.servers = []

    def __enter__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="toolgate-bench-")
        self.path = pathlib.Path(self.directory.name)
        return self

    def __exit__(self, *_):
        for server in reversed(self.servers):
            server.stop()
        self.directory.cleanup()

    def start(self, words):
        """Starts a server and waits until it listens."""
        stderr_path = self.path / f"{len(self.servers)}.stderr"
        server = Server(words, stderr_path, self.path)
        self.servers.append(server)
        return server

    def stop(self, server):
        """Ends one server before the others."""
        server.stop()
        self.servers.remove(server)

    def config(self, name, text):
        """Writes a configuration of the gateway; its path."""
        path = self.path / f"{name}.toml"
        path.write_text(text)
        return path

    def start_gateway(self, name, text, wrapper=()):
        """Starts the gateway with a configuration."""
        words = [self.gateway, "serve", "--config", str(self.config(name, text))]
        return self.start([*wrapper, *words, "--listen", "127.0.0.1:0"])


# More than the most connections that are opened.
ROOM = "limits.max_concurrent_calls = 1024\n"


def stdio_plugin(plugin, n_tools=1, scenes=None):
    """The configuration of a plugin that is the raw echo as a child process; `scenes` names its resources."""
    words = [RIG, "echo-stdio", "--tools", str(n_tools)]
    command = json.dumps(words if scenes is None else [*words, "--scenes", scenes])
    return (
        f'[plugins.{plugin}]\nruntime = "mcp_stdio"\n{ROOM}'
        f"[plugins.{plugin}.mcp_stdio]\ncommand = {command}\n"
    )


def http_plugin(plugin, url):
    """The configuration of a plugin that is an MCP server reached over HTTP."""
    return (
        f'[plugins.{plugin}]\nruntime = "mcp_http"\n{ROOM}'
        f"[plugins.{plugin}.mcp_http]\nurl = {json.dumps(url)}\n"
    )


def actor_plugin(plugin, isolation):
    """The configuration of a plugin that is the legacy server which asks, changes and tells."""
    command = json.dumps([RIG, "actor"])
    return (
        f'[plugins.{plugin}]\nruntime = "mcp_stdio"\nera = "legacy"\nisolation = "{isolation}"\n'
        "limits.max_concurrent_calls = 4096\nlimits.max_instances = 2048\nlimits.start_timeout_ms = 120000\n"
        f"limits.call_timeout_ms = 300000\n[plugins.{plugin}.mcp_stdio]\ncommand = {command}\n"
    )


# The plugin that is compiled into the gateway.
IN_PROCESS_PLUGIN = f"[plugins.echo]\nenabled = true\n{ROOM}"
