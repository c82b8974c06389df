"""Hints: what a CRM's webhook says may have changed is noted, and re-read when the next pull comes.

A delivery is never believed further than that: the record is read from the CRM before anything follows from it. So a
forged, stale or repeated one has no effect, and a lost one only lets a change wait for the pull.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct
from pydantic import BaseModel

from crmbridge.errors import ConfigurationError, RefusedError
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.ports import Adapter, WebhookRequest, WebhookSpec
from crmbridge.revealed import strike
from crmbridge.secrets import reveal
from crmbridge.services.pull.kinds import pulled_kinds, wanted_kinds
from crmbridge.services.pull.rebound_fields import follow_other_reading, must_be_bound_alike
from crmbridge.services.workspace import Workspace
from crmbridge.settings import Secret

KEEP = timedelta(days=1)  # vendors send a delivery again for hours, not for days
BATCH = 100  # records read at a time

log = logging.getLogger(__name__)


class Receiver(Struct, frozen=True, kw_only=True):
    """How the webhooks of one connection are read."""

    connection: str
    spec: WebhookSpec
    settings: BaseModel
    kinds: frozenset[Kind]  # hints about others are passed over


class Taken(Struct, frozen=True, kw_only=True):
    """What became of a genuine delivery: how many records were noted, and what the CRM wants to hear."""

    noted: int
    body: bytes
    content_type: str


def receivers(workspace: Workspace) -> dict[str, Receiver]:
    """Give how webhooks are read, by connection: those whose settings have a `webhook` part. No account is asked.

    Raises ConfigurationError for one whose adapter reads no webhooks, or whose secret can't be had: all that came would
    be turned away.
    """
    project, adapters = workspace.project, workspace.plugins.adapters()
    found: dict[str, Receiver] = {}
    for name, entry in project.settings.connections.items():
        if entry.webhook is None:
            continue
        spec = adapters[entry.adapter].webhooks if entry.adapter in adapters else None
        if spec is None:
            raise ConfigurationError(
                f"The adapter {entry.adapter!r} of connection {name!r} reads no webhooks",
                advice=f"Take `webhook` out of connections: {name}:, or install a version of the adapter that does.",
            )
        settings = spec.settings.model_validate(entry.webhook)
        for _, value in settings:
            if isinstance(value, Secret):
                reveal(value)
        kinds = wanted_kinds(project.process, entry, project.settings.conditions)
        found[name] = Receiver(connection=name, spec=spec, settings=settings, kinds=kinds)
    return found


def take_delivery(workspace: Workspace, receiver: Receiver, request: WebhookRequest) -> Taken:
    """Note what a delivery says may have changed.

    Raises AuthenticationError for one that is forged or stale, and RefusedError for one that can't be read; nothing is
    stored then. One whose events were all seen within a day is genuine, and has no effect.
    """
    hints = receiver.spec.read(receiver.settings, request)
    store, now = workspace.store.hints, request.received_at
    names = [_digest(receiver.connection, name) for name in hints.deliveries]
    refs = [ref for ref in dict.fromkeys(hints.refs) if _fits(receiver, ref)]
    noted = [*refs, _unnamed(receiver.connection)] if hints.whole else refs
    if not names:
        store.add(noted, now)
    # Together: were it known and not noted, what the vendor sends again would have no effect.
    new = not names or bool(store.first_seen(names, now, KEEP, noted))
    body, content_type = receiver.spec.acknowledge
    return Taken(noted=len(noted) if new else 0, body=body, content_type=content_type)


def _unnamed(connection: str) -> Ref:
    """Stand for whatever changed that a webhook could not name; no record has this ref."""
    return Ref(connection, Kind.DEAL, "")


def asks_for_pull(workspace: Workspace, connection: str) -> tuple[tuple[Ref, datetime], ...]:
    """Give the hints that something changed, and not what: only a pull finds it."""
    unnamed = _unnamed(connection)
    return tuple(hint for hint in workspace.store.hints.pending(connection) if hint[0] == unnamed)


def _fits(receiver: Receiver, ref: Ref) -> bool:
    return ref.connection == receiver.connection and ref.kind in receiver.kinds


def _digest(connection: str, delivery: str) -> str:
    """Name a delivery by as much as is needed to know it again; what vendors put into their names is their own."""
    return hashlib.sha256(f"{connection}\n{delivery}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


def reread_hints(workspace: Workspace, connection: str) -> int:
    """Read the records again that hints name, and give how many were there.

    One that is not there any more is left to the pull, which brings its tombstone; a kind that was never pulled waits
    for its first pull. Raises the adapter's errors; what was not read by then stays noted.
    """
    pending = [hint for hint in workspace.store.hints.pending(connection) if hint[0] != _unnamed(connection)]
    if not pending:
        return 0
    adapter = workspace.adapter(connection)
    entry = workspace.project.settings.connections[connection]
    kinds = pulled_kinds(workspace.project.process, entry, adapter.capabilities, workspace.project.settings.conditions)
    workspace.store.hints.done([(ref, at) for ref, at in pending if ref.kind not in kinds])
    pulled = workspace.store.records.cursors(connection)
    known = [kind for kind in kinds if kind in pulled]
    return sum(_reread(workspace, connection, [hint for hint in pending if hint[0].kind is kind]) for kind in known)


def _reread(workspace: Workspace, connection: str, hints: Sequence[tuple[Ref, datetime]]) -> int:
    """Read the records of one kind, in batches."""
    found = 0
    for start in range(0, len(hints), BATCH):
        part = hints[start : start + BATCH]
        records = _read(workspace.adapter(connection), [ref for ref, _ in part])
        must_be_bound_alike(workspace, connection)
        follow_other_reading(workspace, connection, [each for each in records.values() if each.ref.kind is Kind.DEAL])
        workspace.store.records.put(list(records.values()))
        workspace.store.hints.done(part)
        found += len(records)
        workspace.progress("pull", f"{connection}: {found} of {len(hints)} hinted records")
    return found


def _read(adapter: Adapter, refs: Sequence[Ref]) -> Mapping[Ref, Record]:
    """Read records without those that the CRM refuses to read: one would be in the way of all others for ever."""
    try:
        return adapter.read(refs)
    except RefusedError as error:
        if len(refs) == 1:
            log.warning("%s: what a webhook named can't be read: %s", refs[0], strike(error.message))
            return {}
    half = len(refs) // 2
    return {**_read(adapter, refs[:half]), **_read(adapter, refs[half:])}
