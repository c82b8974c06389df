"""Explain: why crmbridge says of a deal what it says, from the very evaluation that findings and actions come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from crmbridge.engine.matching import lead
from crmbridge.errors import ConfigurationError
from crmbridge.model.changes import Change, JournalEntry
from crmbridge.model.findings import Evaluation
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.values import Value
from crmbridge.services import evaluating
from crmbridge.services.gathering import make_viewers
from crmbridge.services.workspace import Workspace

MOST_SHOWN = 10  # candidates named when a text fits several deals


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncedField:
    """One field on every linked record: what each has now, and what was last agreed with each."""

    name: str
    now: Mapping[str, Value]  # by connection
    base: Mapping[str, Value]

    @property
    def in_step(self) -> bool:
        """Tell whether all sides hold the same."""
        values = list(self.now.values())
        return all(value == values[0] for value in values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Everything known of one deal. `subject` is the record that was evaluated: the one that leads its link."""

    subject: Record
    linked: tuple[Record, ...]  # all records of the link, the subject among them
    owner: str | None
    evaluation: Evaluation
    opened: Mapping[str, datetime]  # finding id -> when it was opened, for those that are stored
    wanted: tuple[Change, ...]  # what the bindings ask for
    actions: Mapping[str, str]  # finding id -> the binding's action
    fields: tuple[SyncedField, ...]
    journal: tuple[JournalEntry, ...]


def explain(workspace: Workspace, text: str) -> Explanation:
    """Explain the deal that a text names: `connection:id`, an id, or a part of its name.

    Raises ConfigurationError when it fits no deal, or several.
    """
    found = find_deal(workspace, text)
    refs = _linked(workspace, found.ref)
    link = workspace.store.links.of([found.ref]).get(found.ref, "")
    present = [ref for ref in refs if ref.connection in workspace.connections]  # one may have left the settings
    records = workspace.store.records.get(present)
    order = {name: rank for rank, name in enumerate(workspace.connections)}
    linked = tuple(sorted(records.values(), key=lambda record: order.get(record.ref.connection, len(order))))
    mapped = [record.ref for record in linked if record.ref.connection in workspace.project.settings.stages]
    subject = records[lead(link, mapped) or found.ref]
    judged = evaluating.evaluate_one(workspace, subject)
    viewers = make_viewers(workspace)
    owner = subject.fields.get("owner")
    stored = workspace.store.findings.findings()
    return Explanation(
        subject=subject,
        linked=linked,
        owner=viewers[subject.ref.connection].users.get(str(owner)),
        evaluation=judged.evaluation,
        opened={s.finding.id: s.opened_at for s in stored if s.finding.deal == subject.ref},
        wanted=judged.changes,
        actions={finding.id: judged.bound.get(finding.id, "audit") for finding in judged.evaluation.findings},
        fields=_fields(workspace, linked),
        journal=tuple(e for e in workspace.store.journal.entries() if _is_about(e, refs)),
    )


def find_deal(workspace: Workspace, text: str) -> Record:
    """Find the one deal that a text names."""
    connection, _, rest = text.partition(":")
    if connection in workspace.connections and rest:
        ref = Ref(connection, Kind.DEAL, rest.removeprefix("deal:"))
        if record := workspace.store.records.get([ref]).get(ref):
            return record
    deals = [d for name in workspace.connections for d in workspace.store.records.records(name, Kind.DEAL)]
    fitting = [d for d in deals if d.ref.id == text] or [
        d for d in deals if text.casefold() in str(d.fields.get("name") or "").casefold()
    ]
    return _only(workspace, fitting, text)


def _only(workspace: Workspace, fitting: list[Record], text: str) -> Record:
    if not fitting:
        raise ConfigurationError(
            f"No deal fits {text!r}", advice="Pull first, or name it as CONNECTION:ID; `crmbridge findings` lists some."
        )
    together = _linked(workspace, fitting[0].ref)
    if len(fitting) > 1 and not all(deal.ref in together for deal in fitting):
        names = ", ".join(f"{deal.ref} ({deal.fields.get('name')})" for deal in fitting[:MOST_SHOWN])
        raise ConfigurationError(f"{len(fitting)} deals fit {text!r}", advice=f"Name one of them: {names}")
    return fitting[0]


def _linked(workspace: Workspace, ref: Ref) -> tuple[Ref, ...]:
    """Give the refs that are linked with this one, itself among them."""
    links = workspace.store.links
    return next(iter(links.get(set(links.of([ref]).values())).values()), (ref,))


def _fields(workspace: Workspace, linked: tuple[Record, ...]) -> tuple[SyncedField, ...]:
    if len(linked) < 2:
        return ()
    viewers = make_viewers(workspace, linked)
    bases = workspace.store.links.bases([record.ref for record in linked])
    views = {record.ref: viewers[record.ref.connection].view(record) for record in linked}
    names = sorted({name for view in views.values() for name in view})
    return tuple(
        SyncedField(
            name=name,
            now={ref.connection: view[name] for ref, view in views.items() if name in view},
            base={ref.connection: bases[ref][name] for ref in views if name in bases.get(ref, {})},
        )
        for name in names
        if sum(name in view for view in views.values()) > 1
    )


def _is_about(entry: JournalEntry, refs: tuple[Ref, ...]) -> bool:
    return entry.change.target in refs or entry.ref in refs
