"""The composition root: the one place where files, plugins, the state and the clock become a workspace."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from crmbridge.clock import SystemClock
from crmbridge.model.replacing import replace
from crmbridge.plugins import Plugins, load_plugins
from crmbridge.ports import Clock
from crmbridge.services.projects.checking import load_project, models_of
from crmbridge.services.workspace import Progress, Workspace, silent
from crmbridge.settings import Connection, PageToken, Secret, Settings
from crmbridge.store import open_store


@contextlib.contextmanager
def open_workspace(
    path: Path,
    progress: Progress = silent,
    *,
    clock: Clock | None = None,
    plugins: Plugins | None = None,
    patience: timedelta = timedelta(0),
) -> Iterator[Workspace]:
    """Open the project in a folder (or of a settings file) for work, and close it when the block ends.

    The files are checked before anything else: raises InvalidFilesError, which carries every diagnostic, and touches
    neither the state nor a network. Raises StateError for a state that can't be used. Connections are opened later,
    when they are first asked for. `plugins` are the installed ones unless said otherwise. A run waits at most
    `patience` for another one that holds the state.
    """
    plugins = plugins or load_plugins()
    project = load_project(path, *models_of(plugins))
    project = replace(project, settings=_rooted(project.settings, project.folder))
    workspace = Workspace(
        project=project,
        store=open_store(project.store_url),
        clock=clock or SystemClock(),
        plugins=plugins,
        progress=progress,
        patience=patience,
    )
    try:
        yield workspace
    finally:
        workspace.close()


def _rooted(settings: Settings, folder: Path) -> Settings:
    """Let the files that secrets are kept in count from the project's folder, wherever the command is called.

    The digest was taken before, so a project means the same after it is moved.
    """
    return settings.model_copy(
        update={
            "connections": {
                name: _connection_in(connection, folder) for name, connection in settings.connections.items()
            },
            "reports": tuple(
                report.model_copy(update={"sinks": tuple(_with_files_in(sink, folder) for sink in report.sinks)})
                for report in settings.reports
            ),
            "notices": {name: _with_files_in(sink, folder) for name, sink in settings.notices.items()},
            "serve": settings.serve.model_copy(
                update={"tokens": tuple(_token_in(token, folder) for token in settings.serve.tokens)}
            ),
        }
    )


def _token_in(token: PageToken, folder: Path) -> PageToken:
    found = _with_files_in({"token": token.token.model_dump(exclude_none=True)}, folder)
    return token.model_copy(update={"token": Secret.model_validate(found["token"])})


def _connection_in(connection: Connection, folder: Path) -> Connection:
    update = _with_files_in(connection.options, folder)
    if connection.webhook is not None:
        update["webhook"] = _with_files_in(connection.webhook, folder)
    return connection.model_copy(update=update)


def _with_files_in(options: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    def rooted(value: Any) -> Any:
        match value:
            case {"file": str(file)} if len(value) == 1:
                # A home is looked up when the secret is fetched, where a wrong one can be said.
                return {"file": file if file.startswith("~") else str(folder.resolve() / file)}
            case dict():
                return _with_files_in(value, folder)
            case _:
                return value

    return {name: rooted(value) for name, value in options.items()}
