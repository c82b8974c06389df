"""Hints: what a CRM's webhook says may have changed is noted, and re-read when the next pull comes.

A delivery is never believed further than that: the record is read from the CRM before anything follows from it. So a
forged, stale or repeated one has no effect, and a lost one only lets a change wait for the pull.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import BaseModel

from crmbridge.errors import ConfigurationError
from crmbridge.model.records import Kind, Ref
from crmbridge.ports import WebhookRequest, WebhookSpec
from crmbridge.services.kinds import pulled_kinds, wanted_kinds
from crmbridge.services.workspace import Workspace

KEEP = timedelta(days=1)  # vendors send a delivery again for hours, not for days
BATCH = 100  # records read at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """How the webhooks of one connection are read."""

    connection: str
    spec: WebhookSpec
    settings: BaseModel
    kinds: frozenset[Kind]  # hints about others are passed over


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of a genuine delivery: how many records were noted, and what the CRM wants to hear."""

    noted: int
    body: bytes
    content_type: str


def receivers(workspace: Workspace) -> dict[str, Receiver]:
    """Give how webhooks are read, by connection: those whose settings have a `webhook` part. No account is asked.

    Raises ConfigurationError for one whose adapter reads no webhooks.
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
        kinds = wanted_kinds(project.process, entry)
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
    new = not names or bool(store.first_seen(names, now, KEEP))
    refs = [ref for ref in dict.fromkeys(hints.refs) if _fits(receiver, ref)] if new else []
    if refs:
        store.add(refs, now)
    body, content_type = receiver.spec.acknowledge
    return Taken(noted=len(refs), body=body, content_type=content_type)


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
    pending = workspace.store.hints.pending(connection)
    if not pending:
        return 0
    adapter = workspace.adapter(connection)
    entry = workspace.project.settings.connections[connection]
    kinds = pulled_kinds(workspace.project.process, entry, adapter.capabilities)
    workspace.store.hints.done([(ref, at) for ref, at in pending if ref.kind not in kinds])
    known = [kind for kind in kinds if workspace.store.records.cursor(connection, kind) is not None]
    return sum(_reread(workspace, connection, [hint for hint in pending if hint[0].kind is kind]) for kind in known)


def _reread(workspace: Workspace, connection: str, hints: Sequence[tuple[Ref, datetime]]) -> int:
    """Read the records of one kind, in batches."""
    found = 0
    for start in range(0, len(hints), BATCH):
        part = hints[start : start + BATCH]
        records = workspace.adapter(connection).read([ref for ref, _ in part])
        workspace.store.records.put(list(records.values()))
        workspace.store.hints.done(part)
        found += len(records)
        workspace.progress("pull", f"{connection}: {found} of {len(hints)} hinted records")
    return found
