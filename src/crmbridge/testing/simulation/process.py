"""One process of the command in a play: what it has open, what it is at, and what ends it."""

from __future__ import annotations

from dataclasses import dataclass, field

from crmbridge.ports import Clock
from crmbridge.services.workspace import Workspace
from crmbridge.testing.simulation.breaking import Breaking
from crmbridge.testing.simulation.fuse import Fuse
from crmbridge.testing.simulation.promised import Promised
from crmbridge.testing.simulation.state import State


@dataclass(slots=True)
class Process:
    """One process. It goes by a clock of its own, which may be wrong, and has the state's file open for itself."""

    clock: Clock
    state: State
    workspace: Workspace | None = None
    fuse: Fuse = field(default_factory=Fuse)
    promised: Promised = field(default_factory=Promised)
    breaking: Breaking = field(default_factory=Breaking)
    exposed: frozenset[str] = frozenset()  # connections in which nobody may do anything just now
    writing: str = ""  # the connection that is being written to
    was_killed: bool = False
    has_held: bool = False  # it had the state for itself
    was_outdone: bool = False  # another run took the state over from it
    was_locked_out: bool = False  # it found the state held by another run

    def end(self) -> None:
        """Let nothing be left of it but what stands in the state's file."""
        if self.workspace is not None:
            self.workspace.close()
        self.workspace = None
