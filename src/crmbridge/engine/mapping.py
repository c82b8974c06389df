"""Translate between where a deal stands in one CRM and where it stands in the process."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from crmbridge.model.findings import Place
from crmbridge.model.process import Process
from crmbridge.model.records import Position, Status
from crmbridge.settings import StageMap

WON, LOST = "won", "lost"  # stand beside the stage ids in a stage map


class StageMapper(Struct, frozen=True, kw_only=True):
    """One connection's stage map, both ways. Make it with `stage_mapper`.

    `natives` has, per stage of the process and for `won` and `lost`, the CRM's stage ids; the first is the one that
    is written. `places` is the same the other way round.
    """

    connection: str
    pipeline: str | None  # None: nothing of this connection is mapped
    natives: Mapping[str, tuple[str, ...]]
    places: Mapping[str, Place]
    won: Place
    last_open: str | None  # the CRM's stage where the last open stage of the process stands

    def place(self, position: Position | None) -> Place:
        """Say where a position is in the process.

        Lost deals have no stage. Won deals stand in the process's won stage, if it has one. An open deal in a
        pipeline or stage that is not mapped has no stage; `covers` tells that apart.
        """
        mapped = self._mapped(position)
        if position is None:
            return Place(None, Status.OPEN)
        if position.status is Status.LOST:
            return Place(None, Status.LOST)
        if position.status is Status.WON:
            return mapped if mapped and mapped.status is Status.WON else self.won
        return mapped or Place(None, Status.OPEN)

    def covers(self, position: Position | None) -> bool:
        """Tell whether a position has a counterpart; won and lost deals always do."""
        place = self.place(position)
        return place.stage is not None or place.status is not Status.OPEN

    def is_beside(self, position: Position | None) -> bool:
        """Tell whether a deal stands in another pipeline than the one that is mapped, which is not the process's."""
        return position is not None and self.pipeline is not None and position.pipeline != self.pipeline

    def position(self, stage: str, current: Position | None = None) -> Position | None:
        """Say what to write so that a deal stands in a stage, `won` and `lost` included; None when it is not mapped.

        The CRM's current stage is kept where it already stands for the same. Where won and lost are no stages of
        the CRM, only the status changes; a deal that is not there yet then stands in the last open stage.
        """
        status = self._status(stage)
        natives = self._natives(stage)
        if natives and self.pipeline is not None:
            keep = current is not None and current.pipeline == self.pipeline and current.stage in natives
            return Position(self.pipeline, current.stage if current and keep else natives[0], status)
        if status is Status.OPEN:
            return None
        if current is not None:
            return Position(current.pipeline, current.stage, status)
        if self.pipeline is None or self.last_open is None:
            return None
        return Position(self.pipeline, self.last_open, status)

    def _mapped(self, position: Position | None) -> Place | None:
        if position is None or position.pipeline != self.pipeline:
            return None
        return self.places.get(position.stage)

    def _natives(self, stage: str) -> tuple[str, ...]:
        # The won stage of the process and `won` are two names for one thing; either may be the one that is mapped.
        names = (stage, WON, self.won.stage or WON) if stage in {WON, self.won.stage} else (stage,)
        return next((self.natives[name] for name in names if name in self.natives), ())

    def _status(self, stage: str) -> Status:
        if stage == LOST:
            return Status.LOST
        return Status.WON if stage in {WON, self.won.stage} else Status.OPEN


def stage_mapper(connection: str, process: Process, stages: StageMap | None) -> StageMapper:
    """Make a connection's mapper from the process and its part of `stages` in the settings (None: nothing mapped)."""
    won_stage = process.won_stage
    won = Place(won_stage.id if won_stage else None, Status.WON)
    natives = dict(stages.map) if stages else {}
    mapped_open = [stage.id for stage in process.stages if stage.status == "open" and stage.id in natives]
    return StageMapper(
        connection=connection,
        pipeline=stages.pipeline if stages else None,
        natives=natives,
        places={native: _place(name, process, won) for name, ids in natives.items() for native in ids},
        won=won,
        last_open=natives[mapped_open[-1]][0] if mapped_open else None,
    )


def _place(name: str, process: Process, won: Place) -> Place:
    if name == LOST:
        return Place(None, Status.LOST)
    stage = process.stage(name)
    if stage is None:
        return won if name == WON else Place(None, Status.OPEN)
    return Place(stage.id, Status(stage.status))
