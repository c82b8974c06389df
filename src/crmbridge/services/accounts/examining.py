"""Examine: whether each connection works and fits the process, for `crmbridge doctor`. It writes to no CRM."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from crmbridge.engine.deals.activities import kinds_asked_for
from crmbridge.engine.nearest import nearest
from crmbridge.errors import CrmbridgeError
from crmbridge.model.records import Kind, Status
from crmbridge.model.values import iso
from crmbridge.ports import Description, NativeStage
from crmbridge.services.accounts.bound_people import check_people
from crmbridge.services.accounts.field_types import check_types
from crmbridge.services.accounts.health import Check, bad, good, weak
from crmbridge.services.accounts.signin import check_sign_in, check_version
from crmbridge.services.pull.kinds import wanted_kinds
from crmbridge.services.pull.unread_kinds import unread
from crmbridge.services.workspace import Workspace

_TRIED = "crmbridge.tried_to_write"


def examine(workspace: Workspace) -> tuple[Check, ...]:
    """Look at the state and at every connection; what fails does not keep the rest from being looked at."""
    checks = [_state(workspace)]
    seen: list[Description] = []
    for connection in workspace.connections:
        workspace.progress("doctor", connection)
        checks += _connection(workspace, connection, seen)
    if len(seen) == len(workspace.connections) and all(one.users for one in seen):
        checks += _teams(workspace, seen)
    if not workspace.connections:
        checks.append(
            weak(
                "connections",
                "the settings file has no connections",
                "Add one under `connections:`, or try `crmbridge demo`.",
            )
        )
    return tuple(checks)


def _state(workspace: Workspace) -> Check:
    try:
        _try_to_write(workspace)
    except CrmbridgeError as error:
        return bad("state", error.message, error.advice, error.exit_code)
    unclear = len(workspace.store.journal.unsettled())
    if unclear:
        message = f"{unclear} changes have no clear outcome yet"
        return weak("state", message, "The next `crmbridge run` reads back what became of them.")
    return good("state", "open for writing, and every change has a clear outcome")


def _try_to_write(workspace: Workspace) -> None:
    """Write to the state, and take it out again: a file that can be read says nothing of the disk that it is on."""
    memory = workspace.store.memory("state")
    memory[_TRIED] = iso(workspace.clock.now())
    with suppress(KeyError):  # somebody else was here at the same time
        del memory[_TRIED]


def _connection(workspace: Workspace, connection: str, seen: list[Description]) -> Iterator[Check]:
    """Look at one connection, and add what its account has to what was seen."""
    try:
        description = workspace.adapter(connection).describe()
    except CrmbridgeError as error:
        yield bad(connection, error.message.removeprefix(f"{connection}: "), error.advice, error.exit_code)
        return
    seen.append(description)
    version = f", API {description.api_version}" if description.api_version else ""
    yield good(connection, f"signed in to {description.account}{version}")
    yield from check_version(workspace, connection, description)
    yield from check_sign_in(workspace, connection, description)
    yield from _stages(workspace, connection, description)
    yield from _fields(workspace, connection, description)
    yield from check_types(workspace, connection, description)
    yield from _files(workspace, connection)
    yield from _key(workspace, connection, description)
    yield from check_people(workspace, connection, description)


def _files(workspace: Workspace, connection: str) -> Iterator[Check]:
    """Look at whether files are read from a connection, where rules ask for them."""
    settings, process = workspace.project.settings, workspace.project.process
    if Kind.FILE not in kinds_asked_for(process, settings.conditions):
        return
    undecided = "Until then the rules that look at files are undecided for its deals."
    if Kind.FILE not in wanted_kinds(process, settings.connections[connection], settings.conditions):
        yield weak(connection, "rules look at files, which its `kinds` leave out", f"Add file to them. {undecided}")
    elif Kind.FILE not in workspace.adapter(connection).capabilities.kinds:
        yield weak(connection, "rules look at files, which its adapter does not read", undecided)
    elif reason := unread(workspace, connection, Kind.FILE):
        yield weak(connection, reason, undecided)


def _teams(workspace: Workspace, seen: Sequence[Description]) -> Iterator[Check]:
    """Name people of teams whom no CRM knows. Asked only when each has told its users, as any may know them."""
    known = {str(user.fields.get("email") or "").strip().lower() for one in seen for user in one.users}
    people = [one.strip() for team in workspace.project.settings.teams.values() for one in team]
    unknown = [one for one in people if one.lower() not in known]
    if unknown:
        message = f"no CRM has a user with {'this address' if len(unknown) == 1 else 'these addresses'}: "
        advice = "No deal counts for them by team. Write the address that the CRM has, or take it out of `teams:`."
        yield weak("teams", message + ", ".join(unknown), advice)


def _stages(workspace: Workspace, connection: str, description: Description) -> Iterator[Check]:
    stage_map = workspace.project.settings.stages.get(connection)
    if stage_map is None:
        message = "its stages are not mapped, so its deals are not held against the process"
        yield weak(connection, message, f"Add stages: {connection}: to the settings.")
        return
    pipeline = next((p for p in description.pipelines if p.id == stage_map.pipeline), None)
    if pipeline is None:
        known = ", ".join(f"{p.id} ({p.label})" for p in description.pipelines)
        none = "It shows none at all to this credential: make one there, or let the credential see them."
        yield bad(
            connection, f"there is no pipeline {stage_map.pipeline!r}", f"The account has: {known}." if known else none
        )
        return
    there = {stage.id: stage for stage in pipeline.stages}
    missing = [native for ids in stage_map.map.values() for native in ids if native not in there]
    for native in missing:
        yield bad(connection, f"the pipeline has no stage {native!r}", _nearest(native, pipeline.stages))
    mapped = {native for ids in stage_map.map.values() for native in ids}
    spare = [s for s in pipeline.stages if s.id not in mapped and s.status is Status.OPEN]
    for stage in spare:
        message = f"the stage {stage.label!r} ({stage.id}) stands for no stage of the process"
        yield weak(connection, message, "Deals there are reported as unreadable until it is mapped.")
    if not missing and not spare:
        yield good(connection, f"all {len(there)} stages have their place")
    if others := [f"{p.label} ({p.id})" for p in description.pipelines if p.id != pipeline.id]:
        yield good(connection, f"not of this process are deals in other pipelines: {', '.join(others)}")


def _fields(workspace: Workspace, connection: str, description: Description) -> Iterator[Check]:
    there = {name for native in description.fields for name in (native.name, native.label)}
    bound = workspace.project.settings.connections[connection].fields
    missing = {name: native for name, native in bound.items() if native not in there}
    for name, native in missing.items():
        near = nearest(native, sorted(there))
        advice = (
            f"Did you mean {near!r}?"
            if near
            else f"`crmbridge connections setup {connection}` makes it; or unbind {name}."
        )
        yield bad(connection, f"there is no field {native!r} for {name}", advice)
    wanted = {field.id for field in workspace.project.process.fields} - set(bound)
    if wanted:
        message = f"not bound to a field here: {', '.join(sorted(wanted))}"
        yield weak(
            connection,
            message,
            f"Bind them under connections: {connection}: fields:; `crmbridge connections setup {connection}` helps.",
        )
    elif not missing:
        yield good(connection, f"all {len(bound)} fields are bound")


def _key(workspace: Workspace, connection: str, description: Description) -> Iterator[Check]:
    creates = any(connection in sync.create for sync in workspace.project.settings.sync)
    if description.key_field is None and creates:
        yield bad(
            connection,
            "the account has no field for the external key, so deals can't be created there safely",
            f"`crmbridge connections setup {connection}` makes it, or says how; or name yours by `key_field`.",
        )
    elif description.key_field is not None:
        message = f"the external key is kept in {description.key_field.name}"
        yield good(connection, message)


def _nearest(native: str, stages: Sequence[NativeStage]) -> str:
    """Name the stage that was probably meant, by its id or its label, and all there are."""
    by_name = {name: stage.id for stage in stages for name in (stage.label, stage.id)}
    near = nearest(native, by_name)
    listed = ", ".join(f"{stage.id} ({stage.label})" for stage in stages)
    return f"{f'Did you mean {by_name[near]!r}? ' if near else ''}The pipeline has: {listed}."
