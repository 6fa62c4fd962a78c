"""Drives a reference server directly and through a gateway, and compares what both sides see."""
