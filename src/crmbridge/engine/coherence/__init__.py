"""Does a process hang together, and do the settings fit it? Every answer is a list of issues; nothing is raised."""

from __future__ import annotations

from crmbridge.engine.coherence.process import PROCESS_CHECKS
from crmbridge.engine.coherence.settings import SETTINGS_CHECKS
from crmbridge.engine.issues import CODES, Issue
from crmbridge.model.process import Process
from crmbridge.settings import Settings

__all__ = ["CODES", "Issue", "check_process", "check_settings"]


def check_process(process: Process) -> tuple[Issue, ...]:
    """Find what doesn't hang together within a process. Paths lead into the process file."""
    return tuple(found for check in PROCESS_CHECKS for found in check(process))


def check_settings(settings: Settings, process: Process) -> tuple[Issue, ...]:
    """Find what in the settings doesn't fit the process or itself. Paths lead into the settings file."""
    return tuple(found for check in SETTINGS_CHECKS for found in check(settings, process))
