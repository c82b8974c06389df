"""Sinks: the places a report can go that crmbridge knows itself, and the ones that plugins add."""

from crmbridge.report.sinks.opening import open_sink, read_entry

__all__ = ["open_sink", "read_entry"]
