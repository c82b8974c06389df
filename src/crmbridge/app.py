"""The composition root: the one place where files, plugins, the state and the clock become a workspace."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from crmbridge.clock import SystemClock
from crmbridge.plugins import Plugins, load_plugins
from crmbridge.ports import Clock
from crmbridge.services.checking import load_project
from crmbridge.services.workspace import Progress, Workspace, silent
from crmbridge.store import open_store


@contextlib.contextmanager
def open_workspace(
    path: Path, progress: Progress = silent, *, clock: Clock | None = None, plugins: Plugins | None = None
) -> Iterator[Workspace]:
    """Open the project in a folder (or of a settings file) for work, and close it when the block ends.

    The files are checked before anything else: raises InvalidFilesError, which carries every diagnostic, and touches
    neither the state nor a network. Raises StateError for a state that can't be used. Connections are opened later,
    when they are first asked for. `plugins` are the installed ones unless said otherwise.
    """
    plugins = plugins or load_plugins()
    adapters = {name: spec.settings for name, spec in plugins.adapters().items()}
    project = load_project(path, adapters)
    workspace = Workspace(
        project=project,
        store=open_store(project.store_url),
        clock=clock or SystemClock(),
        plugins=plugins,
        progress=progress,
    )
    try:
        yield workspace
    finally:
        workspace.close()
