"""Export the exit rules as a CRM's own enforcement, so that it blocks at the source what it can."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from crmbridge.errors import ConfigurationError
from crmbridge.model.process import Process
from crmbridge.model.replacing import replace
from crmbridge.ports import GuardRequest, Guards, LeftOut, rule_name
from crmbridge.services.workspace import Workspace, field_bindings


def export_rules(workspace: Workspace, connection: str, *, language: str = "en", ask: bool = False) -> Guards:
    """Write the process's exit rules as the connection's CRM has them. Nothing is sent.

    With `ask`, the account is described first, so that names and options are its own; that is the only request. Raises
    ConfigurationError when the adapter has no such export, when the connection's stages are not mapped, or for a
    language that the process is not written in.
    """
    settings, process = workspace.project.settings, workspace.project.process
    adapter = workspace.adapter(connection) if ask or connection not in settings.connections else None
    entry = settings.connections[connection]
    spec = workspace.plugins.adapters().get(entry.adapter)
    if spec is None or spec.guards is None:
        raise ConfigurationError(
            f"The adapter {entry.adapter!r} of connection {connection!r} exports no rules",
            advice="crmbridge goes on checking them: `crmbridge findings` shows what is broken.",
        )
    stages = settings.stages.get(connection)
    if stages is None:
        raise ConfigurationError(
            f"The stages of {connection!r} are not mapped, so no rule has its place there",
            advice=f"Add stages: {connection}: to the settings; `connections describe {connection}` has the ids.",
        )
    if language not in process.languages:
        raise ConfigurationError(
            f"The process is not written in {language!r}", advice=f"Choose one of: {', '.join(process.languages)}."
        )
    request = GuardRequest(
        connection=connection,
        process=process,
        stages=stages.map,
        pipeline=stages.pipeline,
        fields=field_bindings(process, entry.fields),
        language=language,
        account=adapter.describe() if adapter is not None else None,
    )
    found = spec.guards(request)
    return replace(found, left_out=(*found.left_out, *_on_entry(process)))


def _on_entry(process: Process) -> Iterator[LeftOut]:
    """Name the entry rules: no adapter exports them."""
    for stage in process.stages:
        for rule in stage.entry:
            yield LeftOut(rule=rule_name(stage, rule), why="it is an entry rule, which is checked by crmbridge alone")


def write_files(files: Mapping[str, str], folder: Path, *, force: bool = False) -> tuple[Path, ...]:
    """Write an export's files into a folder, and nowhere else; give their paths.

    Raises ConfigurationError, with nothing written, for a path that leads out of the folder, and for a file that is
    there and differs, unless forced; and when a file can't be written.
    """
    try:
        paths = {_inside(folder, name): text.encode() for name, text in files.items()}
        differ = [path for path, content in paths.items() if path.exists() and path.read_bytes() != content]
        if differ and not force:
            raise ConfigurationError(
                f"{differ[0]} is there already and differs{f', and {len(differ) - 1} more' if differ[1:] else ''}",
                advice="Look at it, then give --force to replace it, or another folder by --to.",
            )
        for path, content in paths.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    except (OSError, RuntimeError) as error:  # of these, RuntimeError says that a link leads to itself
        raise ConfigurationError(
            f"The rules can't be written to {folder}: {getattr(error, 'strerror', None) or error}",
            advice="Choose another folder by --to.",
        ) from error
    return tuple(paths)


def _inside(folder: Path, name: str) -> Path:
    """Give a file's path; raises ConfigurationError for one that is not in the folder, links included."""
    parts = PurePosixPath(name).parts
    path = folder.joinpath(*parts)
    plain = bool(parts) and not {"..", "/"} & set(parts) and not any(sign in name for sign in ("\\", ":", "\x00"))
    if not plain or not path.resolve().is_relative_to(folder.resolve()):
        raise ConfigurationError(
            f"The adapter wants to write {name!r}, which is not in {folder}",
            advice="Nothing was written. Tell the adapter's makers.",
        )
    return path
