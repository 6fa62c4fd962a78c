"""All probes. Importing a module registers its probes, in the order of the table."""

from suite.probes import greetings, lists, calls, resources, prompts, notices, questions, tasks, traffic  # noqa: F401
