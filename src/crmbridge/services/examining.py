"""Examine: whether each connection works and fits the process, for `crmbridge doctor`. It only reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from crmbridge.engine.nearest import nearest
from crmbridge.errors import CrmbridgeError
from crmbridge.model.records import Status
from crmbridge.ports import Description, NativeStage
from crmbridge.services.workspace import Workspace


class Health(StrEnum):
    """How a thing that was looked at is."""

    GOOD = "ok"
    WEAK = "warning"  # it works, but something will be missing
    BAD = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at. `advice` is what to do about it."""

    about: str  # a connection, `state` or `process`
    health: Health
    message: str
    advice: str = ""
    exit_code: int = 3


def examine(workspace: Workspace) -> tuple[Check, ...]:
    """Look at the state and at every connection; what fails does not keep the rest from being looked at."""
    checks = [_state(workspace)]
    for connection in workspace.connections:
        workspace.progress("doctor", connection)
        checks += _connection(workspace, connection)
    if not workspace.connections:
        checks.append(
            Check(
                about="connections",
                health=Health.WEAK,
                message="the settings file has no connections",
                advice="Add one under `connections:`, or try `crmbridge demo`.",
            )
        )
    return tuple(checks)


def _state(workspace: Workspace) -> Check:
    unclear = len(workspace.store.journal.unsettled())
    if unclear:
        return Check(
            about="state",
            health=Health.WEAK,
            message=f"{unclear} changes have no clear outcome yet",
            advice="The next `crmbridge run` reads back what became of them.",
        )
    return Check(about="state", health=Health.GOOD, message="open, and every change has a clear outcome")


def _connection(workspace: Workspace, connection: str) -> Iterator[Check]:
    try:
        description = workspace.adapter(connection).describe()
    except CrmbridgeError as error:
        yield Check(
            about=connection,
            health=Health.BAD,
            message=error.message,
            advice=error.advice,
            exit_code=error.exit_code,
        )
        return
    version = f", API {description.api_version}" if description.api_version else ""
    yield Check(about=connection, health=Health.GOOD, message=f"signed in to {description.account}{version}")
    yield from _stages(workspace, connection, description)
    yield from _fields(workspace, connection, description)
    yield from _key(workspace, connection, description)


def _stages(workspace: Workspace, connection: str, description: Description) -> Iterator[Check]:
    stage_map = workspace.project.settings.stages.get(connection)
    if stage_map is None:
        message = "its stages are not mapped, so its deals are not held against the process"
        yield _weak(connection, message, f"Add stages: {connection}: to the settings.")
        return
    pipeline = next((p for p in description.pipelines if p.id == stage_map.pipeline), None)
    if pipeline is None:
        known = ", ".join(f"{p.id} ({p.label})" for p in description.pipelines)
        yield _bad(connection, f"there is no pipeline {stage_map.pipeline!r}", f"The account has: {known}.")
        return
    there = {stage.id: stage for stage in pipeline.stages}
    missing = [native for ids in stage_map.map.values() for native in ids if native not in there]
    for native in missing:
        yield _bad(connection, f"the pipeline has no stage {native!r}", _nearest(native, pipeline.stages))
    mapped = {native for ids in stage_map.map.values() for native in ids}
    spare = [s for s in pipeline.stages if s.id not in mapped and s.status is Status.OPEN]
    for stage in spare:
        message = f"the stage {stage.label!r} ({stage.id}) stands for no stage of the process"
        yield _weak(connection, message, "Deals there are reported as unreadable until it is mapped.")
    if not missing and not spare:
        yield Check(about=connection, health=Health.GOOD, message=f"all {len(there)} stages have their place")


def _fields(workspace: Workspace, connection: str, description: Description) -> Iterator[Check]:
    there = {name for native in description.fields for name in (native.name, native.label)}
    bound = workspace.project.settings.connections[connection].fields
    missing = {name: native for name, native in bound.items() if native not in there}
    for name, native in missing.items():
        near = nearest(native, sorted(there))
        advice = f"Did you mean {near!r}?" if near else f"Create it in the CRM, or unbind {name}."
        yield _bad(connection, f"there is no field {native!r} for {name}", advice)
    wanted = {field.id for field in workspace.project.process.fields} - set(bound)
    if wanted:
        message = f"not bound to a field here: {', '.join(sorted(wanted))}"
        yield _weak(connection, message, f"Bind them under connections: {connection}: fields:.")
    elif not missing:
        yield Check(about=connection, health=Health.GOOD, message=f"all {len(bound)} fields are bound")


def _key(workspace: Workspace, connection: str, description: Description) -> Iterator[Check]:
    creates = any(connection in sync.create for sync in workspace.project.settings.sync)
    if description.key_field is None and creates:
        yield _bad(
            connection,
            "the account has no field for the external key, so deals can't be created there safely",
            "Add the field that the adapter's documentation names, or name yours by `key_field`.",
        )
    elif description.key_field is not None:
        message = f"the external key is kept in {description.key_field.name}"
        yield Check(about=connection, health=Health.GOOD, message=message)


def _weak(about: str, message: str, advice: str) -> Check:
    return Check(about=about, health=Health.WEAK, message=message, advice=advice)


def _bad(about: str, message: str, advice: str) -> Check:
    return Check(about=about, health=Health.BAD, message=message, advice=advice)


def _nearest(native: str, stages: Sequence[NativeStage]) -> str:
    """Name the stage that was probably meant, by its id or its label, and all there are."""
    by_name = {name: stage.id for stage in stages for name in (stage.label, stage.id)}
    near = nearest(native, by_name)
    listed = ", ".join(f"{stage.id} ({stage.label})" for stage in stages)
    return f"{f'Did you mean {by_name[near]!r}? ' if near else ''}The pipeline has: {listed}."
