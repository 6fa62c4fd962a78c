"""What the server offers: definitions and answers, read from JSON so that odd numbers and orders stay as written."""

from pathlib import Path

from suite.jsontext import parse

FOLDER = Path(__file__).resolve().parent / "offering"

LEGACY_VERSION = "2025-11-25"
MODERN_VERSION = "2026-07-28"
ECHO = "com.example/echo"
TASKS = "io.modelcontextprotocol/tasks"

INSTRUCTIONS = "Use it well. \u2028 Zweite Zeile: café 😀"


class Offering:
    """Definitions and answers of one server. Its name stands in its URIs, so that two of them do not collide."""

    def __init__(self, name: str):
        def read(file: str) -> object:
            return parse((FOLDER / file).read_text(encoding="utf-8").replace("NAME", name))

        self.tools: list = read("tools.json")
        self.prompts: list = read("prompts.json")
        self.resources: list = read("resources.json")
        self.templates: list = read("templates.json")
        self.answers: dict = read("answers.json")
        self.uri = f"ref://{name}/"

    def change(self, kind: str, on: bool) -> None:
        """Adds or removes one tool, prompt or resource at the end."""
        added = {
            "tools": {"name": "added_later", "inputSchema": {"type": "object", "z": 1, "a": 2}},
            "prompts": {"name": "added_later", "z": 1, "a": 2},
            "resources": {"uri": f"{self.uri}added", "name": "added_later", "z": 1, "a": 2},
        }[kind]
        definitions: list = getattr(self, kind)
        definitions[:] = [known for known in definitions if known["name"] != "added_later"] + ([added] if on else [])


def capabilities(era: str) -> dict:
    """What the server declares in an era."""
    both = {
        "tools": {"listChanged": True},
        "resources": {"subscribe": True, "listChanged": True},
        "prompts": {"listChanged": True},
        "completions": {},
        "logging": {},
        "experimental": {"com.example/x": {"v": parse("1.0")}},
        "extensions": {ECHO: {"level": 2, "a": None}},
    }
    if era == "modern":
        both["extensions"][TASKS] = {}
        return both
    return {**both, "tasks": {"list": {}, "cancel": {}, "requests": {"tools": {"call": {}}}}}


def server_info() -> dict:
    return {"name": "fidelity-reference", "title": "Reference", "version": "1.0.0", "x": parse("1.0")}
