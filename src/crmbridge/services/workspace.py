"""What every use case works with: the project, the state, the connected CRMs, the clock and the plugins."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final
from urllib.parse import quote

from msgspec import Struct, field
from msgspec.structs import force_setattr

from crmbridge.engine.mapping import StageMapper, stage_mapper
from crmbridge.errors import ConfigurationError
from crmbridge.ledger import HeldLedger
from crmbridge.model.process import Process
from crmbridge.model.records import STANDARD_FIELDS, Kind
from crmbridge.model.values import FieldType
from crmbridge.plugins import Plugins
from crmbridge.ports import Adapter, AdapterContext, Clock, FieldBinding, StateStore
from crmbridge.services.containing import Bugs, Contained
from crmbridge.settings import Settings

# Told what is going on, for people who watch: the step, and what it is about.
Progress = Callable[[str, str], None]

WRITE_FIRST: Final = "write it under `connections:` first."
_SPECIAL: Final = re.compile(r"\?|%(?=[0-9A-Fa-f]{2})")  # in the path of a URL


def silent(_step: str, _about: str) -> None:
    """Show no progress."""


class Project(Struct, frozen=True, kw_only=True):
    """A settings file with its process, read and checked. `digest` changes whenever either does.

    `places` says where each rule stands, by its id, such as `processes/b2b.yaml:57`.
    """

    settings: Settings
    process: Process
    path: Path
    digest: str
    places: Mapping[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The folder that relative paths in the settings start from."""
        return self.path.parent

    @property
    def store_url(self) -> str:
        """The store's URL, its path counted from the project's folder."""
        path = self.settings.store.removeprefix("sqlite:///")
        if path == self.settings.store:
            return path
        # What means something in a URL means nothing in the folder's name: the state would lie in another one.
        folder = _SPECIAL.sub(lambda found: quote(found[0]), str(self.folder.resolve()))
        return f"sqlite:///{(Path(folder) / path).resolve()}"


class Workspace(Struct, frozen=True, kw_only=True):
    """A project at work. Adapters are opened when they are first asked for, and closed by `close`."""

    project: Project
    store: StateStore
    clock: Clock
    plugins: Plugins
    progress: Progress = silent
    patience: timedelta = timedelta(0)  # how long a run waits while another one holds the state
    _open: dict[str, Adapter] = field(default_factory=dict)
    _mappers: dict[str, StageMapper] = field(default_factory=dict)
    _bugs: dict[str, Bugs] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Open nothing yet: a workspace that is made from another one opens, and closes, its own."""
        force_setattr(self, "_open", {})
        force_setattr(self, "_mappers", {})
        force_setattr(self, "_bugs", {})

    def adapter(self, connection: str) -> Adapter:
        """Give the adapter of a connection; raises ConfigurationError for one that isn't set up."""
        if connection not in self._open:
            self._open[connection] = self._connect(connection)
        return self._open[connection]

    def mapper(self, connection: str) -> StageMapper:
        """Give the stage map of a connection."""
        if connection not in self._mappers:
            stages = self.project.settings.stages.get(connection)
            self._mappers[connection] = stage_mapper(connection, self.project.process, stages)
        return self._mappers[connection]

    @property
    def connections(self) -> tuple[str, ...]:
        """Name the connections in the order of the settings file."""
        return tuple(self.project.settings.connections)

    def close(self) -> None:
        """Close the adapters and the store."""
        for adapter in self._open.values():
            adapter.close()
        self.store.close()

    def _connect(self, connection: str) -> Adapter:
        entry = self.project.settings.connections.get(connection)
        if entry is None:
            known = ", ".join(self.connections)
            advice = f"The settings file has: {known}." if known else f"The settings file has none: {WRITE_FIRST}"
            raise ConfigurationError(f"There is no connection {connection!r}", advice=advice)
        spec = self.plugins.adapters().get(entry.adapter)
        if spec is None:
            raise ConfigurationError(
                f"The adapter {entry.adapter!r} of connection {connection!r} is not installed",
                advice=f"pip install crmbridge-{entry.adapter}",
            )
        context = AdapterContext(
            connection=connection,
            clock=self.clock,
            fields=field_bindings(self.project.process, entry.fields),
            ledger=HeldLedger(self.store.rates, self.store.runs.must_hold),
            memory=self.store.memory(connection),
        )
        bugs = self._bugs.setdefault(connection, Bugs(connection))  # whoever asks opens it, until that works
        with bugs.held("open"):
            opened = spec.open(spec.settings.model_validate(entry.options), context)
        return Contained(connection, opened, bugs)


def field_bindings(process: Process, fields: Mapping[str, str]) -> tuple[FieldBinding, ...]:
    """Give what an adapter must know about the process fields that a connection binds."""
    types: dict[str, FieldType] = {**STANDARD_FIELDS[Kind.DEAL], **{f.id: f.type for f in process.fields}}
    return tuple(
        FieldBinding(name=name, native=native, type=types[name])
        for name, native in sorted(fields.items())
        if name in types
    )
