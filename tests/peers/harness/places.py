"""Where things are: this folder, the packages, and the programs that are tried."""

import os
from pathlib import Path

PEERS = Path(__file__).resolve().parent.parent
ROOT = PEERS.parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))

NODE = PEERS / "node/node_modules/.bin/node"
PYTHON = PEERS / "python/.venv/bin/python"
PACKAGES = PEERS / "node/node_modules/@modelcontextprotocol"
CLIENTS = PEERS / "clients"
SUITE = PACKAGES / "conformance/dist/index.js"

# Each can be given by an environment variable; the second name is the one in TARGET/debug.
PROGRAMS = {
    "TOOLGATE_BIN": ("toolgate", "cargo build"),
    "TOOLGATE_WITH_FIXTURE_BIN": (
        "toolgate-with-fixture",
        "cargo build -p conformance-fixture --features gateway --bin toolgate-with-fixture",
    ),
    "SKELETON_RUST_STDIO_BIN": ("greeter", "cargo build -p greeter"),
    "SKELETON_RUST_IN_PROCESS_BIN": ("greeter-in-process", "cargo build -p greeter-in-process"),
    "CONFORMANCE_FIXTURE_BIN": ("conformance-fixture", "cargo build -p conformance-fixture"),
}


class Missing(Exception):
    """A program or package is not there; the text says how to get it."""


def program(variable: str) -> str:
    """The path of one of PROGRAMS, which exists."""
    name, how = PROGRAMS[variable]
    path = Path(os.environ.get(variable) or TARGET / "debug" / name).resolve()
    if not path.is_file():
        raise Missing(f"{path} is not there: {how}, or set {variable}")
    return str(path)


def expected_failures(revision: str) -> Path | None:
    """What the conformance suite finds through the gateway today; no file when that is nothing."""
    path = PEERS / f"expected-failures.{revision}.yml"
    return path if path.exists() else None


def need_packages() -> None:
    """Raises Missing unless tests/peers/install was run."""
    if not (NODE.exists() and PYTHON.exists() and (CLIENTS / "node_modules").exists()):
        raise Missing("the packages are not there: tests/peers/install")
