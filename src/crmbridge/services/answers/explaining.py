"""Explain: why crmbridge says of a deal what it says, from the very evaluation that findings and actions come from."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from crmbridge.engine.deals.history import is_known, last_seen, recorded, untold_of
from crmbridge.engine.deals.subject import Subject
from crmbridge.engine.evaluating.hindsight import rewind
from crmbridge.engine.evaluating.remedies import remedy
from crmbridge.engine.rules.files import FILES
from crmbridge.engine.sync.forms import read
from crmbridge.engine.sync.matching import lead
from crmbridge.engine.sync.merge import Side, decided_ref, merge
from crmbridge.errors import ConfigurationError
from crmbridge.model.changes import Cause
from crmbridge.model.edits import COUNTED
from crmbridge.model.findings import Evaluation, Judgement, Verdict
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.values import Value, show
from crmbridge.ports import Waiting
from crmbridge.services.answers.explanation import (
    Absent,
    Asked,
    ExplainedClock,
    ExplainedRule,
    Explanation,
    Seen,
    SyncedField,
    Told,
    readiness_of,
)
from crmbridge.services.enforce.evaluating import evaluate_at, is_elsewhere, subject_of
from crmbridge.services.links.gathering import make_viewers
from crmbridge.services.links.linking import is_open
from crmbridge.services.workspace import Workspace

MOST_SHOWN = 10  # candidates named when a text fits several deals
MOST_COUNTED = 1000  # and those that are looked at
NAME = 60  # characters of a candidate's name


def explain(workspace: Workspace, text: str, at: datetime | None = None) -> Explanation:
    """Explain the deal that a text names: `connection:id`, an id, or a part of its name.

    With a moment, say what would have been said then: with the moves and activities up to it, and with the values of
    then where they are known. Raises ConfigurationError when the text fits no deal, or several, or when the deal was
    not there yet.
    """
    refs, linked = _records(workspace, find_deal(workspace, text).ref)
    subject = subject_of(workspace, _leading(workspace, linked))
    connection = subject.deal.ref.connection
    records = workspace.store.records
    pulled = {kind: records.pulled_at(connection, kind) for kind in (Kind.DEAL, Kind.ACTIVITY, Kind.FILE)}
    return _Explaining(workspace=workspace, refs=refs, linked=linked, today=subject, at=at, pulled=pulled).whole()


def _records(workspace: Workspace, ref: Ref) -> tuple[tuple[Ref, ...], tuple[Record, ...]]:
    """Give the refs linked with a deal, and their records in the order of the settings, of connections still there."""
    refs = linked_refs(workspace, ref)
    present = [each for each in refs if each.connection in workspace.connections]  # one may have left the settings
    order = {name: rank for rank, name in enumerate(workspace.connections)}
    records = workspace.store.records.get(present).values()
    return refs, tuple(sorted(records, key=lambda record: order.get(record.ref.connection, len(order))))


def _leading(workspace: Workspace, linked: Sequence[Record]) -> Record:
    """Give the record that its link is evaluated by."""
    found = linked[0].ref
    link = workspace.store.links.of([found]).get(found, "")
    mapped = [record.ref for record in linked if record.ref.connection in workspace.project.settings.stages]
    elsewhere = {record.ref for record in linked if record.ref in mapped and is_elsewhere(workspace, record)}
    wanted = lead(link, [ref for ref in mapped if ref not in elsewhere] or mapped) or found
    return next(record for record in linked if record.ref == wanted)


class _Explaining(Struct, frozen=True, kw_only=True):
    """Puts together what is known of one deal: of `today`, or of an earlier moment that was asked for."""

    workspace: Workspace
    refs: tuple[Ref, ...]
    linked: tuple[Record, ...]
    today: Subject
    at: datetime | None
    pulled: Mapping[Kind, datetime | None]

    def whole(self) -> Explanation:
        """Give the whole explanation."""
        now = self.workspace.clock.now()
        subject = self._then() if self.at else self.today
        judged = evaluate_at(self.workspace, subject, self.at or now)
        evaluation = judged.evaluation
        waiting = tuple(one for one in self.workspace.store.waiting.all() if one.item.deal in self.refs)
        known = self.workspace.store.findings.known([subject.deal.ref]).get(subject.deal.ref, ())
        owner = self._owner(subject.deal)
        rules = tuple(self._rules(evaluation, owner))
        return Explanation(
            subject=subject.deal,
            linked=self.linked,
            owner=owner,
            evaluation=evaluation,
            readiness=readiness_of(evaluation, subject.stage_name(evaluation.place.stage)),
            rules=rules,
            clocks=tuple(ExplainedClock(clock=clock, place=self._place(clock.sla)) for clock in evaluation.clocks),
            opened={one.finding.id: one.life.opened_at for one in known if one.life.cleared_at is None},
            wanted=() if self.at else judged.changes,
            actions={finding.id: judged.bound.get(finding.id, "audit") for finding in evaluation.findings},
            fields=_fields(self.workspace, self.linked, waiting),
            absent=_absent(self.workspace, subject.deal, {ref.connection for ref in self.refs}),
            unbound=_unbound(self.workspace, self.linked),
            waiting=waiting,
            journal=self.workspace.store.journal.about(self.refs),
            at=self.at,
            unknown_then=tuple(sorted({s.name for rule in rules for s in rule.seen if not s.of_then}))
            if self.at
            else (),
        )

    def _then(self) -> Subject:
        assert self.at is not None  # noqa: S101  the caller looked
        found = rewind(self.today, self.at)
        if found is None:
            began = self.today.deal.created_at or self.today.moves[0].at
            raise ConfigurationError(
                f"The deal {self.today.deal.ref} was not there yet on {show(self.at)}",
                advice=f"It is there since {show(began)}.",
            )
        return found

    def _owner(self, deal: Record) -> str | None:
        viewers = make_viewers(self.workspace)
        return viewers[deal.ref.connection].users.get(str(deal.fields.get("owner")))

    def _place(self, rule: str) -> str:
        return self.workspace.project.places.get(rule, "")

    def _rules(self, evaluation: Evaluation, owner: str | None) -> Iterator[ExplainedRule]:
        for asked, verdicts in (
            (Asked.TO_LEAVE, evaluation.readiness),
            (Asked.ON_ENTRY, evaluation.entry),
            (Asked.LEFT_BEHIND, evaluation.judged),
        ):
            yield from (self._rule(verdict, asked, owner) for verdict in verdicts)

    def _rule(self, verdict: Verdict, asked: Asked, owner: str | None) -> ExplainedRule:
        process, language = self.today.process, self.today.language
        stage = process.stage(verdict.stage)
        role = next((role for role in process.roles if stage and role.id == stage.owner), None)
        return ExplainedRule(
            verdict=verdict,
            asked=asked,
            place=self._place(verdict.rule),
            seen=tuple(self._seen(name, verdict) for name in sorted(verdict.seen)),
            remedy=self._remedy(verdict),
            role=role.name.in_language(language) if role else "",
            person=owner,
        )

    def _remedy(self, verdict: Verdict) -> str:
        """Say what would clear a rule that fails, or that can't be decided."""
        if verdict.judgement not in {Judgement.FAIL, Judgement.UNKNOWN}:
            return ""
        fields = [name for name in verdict.missing if name not in COUNTED]
        if verdict.missing and not fields:
            return "Do the activities that are missing, and note them on the deal."
        return remedy(fields, self.today)

    def _is_of_then(self, name: str, moment: datetime) -> bool:
        """Tell whether a value is that of an earlier moment; of what stands beside a deal only today's is known."""
        if name == FILES:  # those that are still there tell themselves when they were added
            return True
        return not name.startswith("company.") and is_known(self.today, [name], moment)

    def _seen(self, name: str, verdict: Verdict) -> Seen:
        """Say of a value that a rule saw where it was read, and when."""
        deal = self.today.deal
        counted = name in COUNTED and self.today.activities is not None
        moment = verdict.as_of or self.at
        then = self._is_of_then(name, moment) if self.at and moment else verdict.values == "then"
        kind = Kind.ACTIVITY if counted else Kind.FILE if name == FILES else Kind.DEAL
        told, told_at, why = (
            (Told.NOW, None, "") if kind is not Kind.DEAL or not moment else self._told(name, moment, then=then)
        )
        return Seen(
            name=name,
            label=self.today.field_names([name]),
            value=verdict.seen[name],
            source=deal.ref.connection,
            of_then=then,
            changed_at=deal.updated_at if kind is Kind.DEAL else None,
            pulled_at=self.pulled[kind],
            told=told,
            told_at=told_at,
            why=why,
        )

    def _told(self, name: str, moment: datetime, *, then: bool) -> tuple[Told, datetime | None, str]:
        """Say what tells of a value, since when, and what keeps the CRM from telling of it."""
        if not then:
            judged = max((move.at for move in self.today.moves if move.at <= moment), default=moment)
            return Told.NOW, None, untold_of(self.today, name, judged)
        held = recorded(self.today, name, moment)
        return (Told.RECORDED, held.at, "") if held else (Told.SEEN, last_seen(self.today, moment), "")


def find_deal(workspace: Workspace, text: str) -> Record:
    """Find the one deal that a text names: by its ref, by its id in any connection, else by a part of its name."""
    records = workspace.store.records
    connection, _, rest = text.partition(":")
    if connection in workspace.connections and rest:
        ref = Ref(connection, Kind.DEAL, rest.removeprefix("deal:"))
        if record := records.get([ref]).get(ref):
            return record
    by_id = records.get([Ref(name, Kind.DEAL, text) for name in workspace.connections])
    if by_id:
        return _only(workspace, list(by_id), text)
    named = [ref for name in workspace.connections for ref in records.named(name, Kind.DEAL, text, MOST_COUNTED)]
    return _only(workspace, named, text)


def _only(workspace: Workspace, fitting: Sequence[Ref], text: str) -> Record:
    if not fitting:
        raise ConfigurationError(
            f"No deal fits {text!r}", advice="Pull first, or name it as CONNECTION:ID; `crmbridge findings` lists some."
        )
    apart = _apart(workspace, fitting)
    shown = workspace.store.records.get(apart[:MOST_SHOWN])
    if len(apart) > 1:
        names = ", ".join(f"{ref} ({_short(str(deal.fields.get('name')))})" for ref, deal in shown.items())
        count = str(len(apart)) if len(fitting) < MOST_COUNTED else f"{MOST_COUNTED:,} or more"
        raise ConfigurationError(f"{count} deals fit {text!r}", advice=f"Name one of them: {names}")
    return shown[fitting[0]]


def _apart(workspace: Workspace, fitting: Sequence[Ref]) -> list[Ref]:
    """Leave of the records of one link the first: to people they are one deal."""
    links = workspace.store.links.of(fitting)
    first: dict[Ref | str, Ref] = {}
    for ref in fitting:
        first.setdefault(links.get(ref, ref), ref)
    return list(first.values())


def _short(name: str) -> str:
    return name if len(name) <= NAME else name[:NAME] + "…"


def linked_refs(workspace: Workspace, ref: Ref) -> tuple[Ref, ...]:
    """Give the refs that are linked with this one, itself among them."""
    links = workspace.store.links
    return next(iter(links.get(set(links.of([ref]).values())).values()), (ref,))


def _absent(workspace: Workspace, deal: Record, there: Collection[str]) -> dict[str, Absent]:
    """Say where a deal should stand as well and doesn't, as somebody looks for it there."""
    settings = workspace.project.settings
    entry = next((sync for sync in settings.sync if deal.ref.connection in sync.between), None)
    lacking = [name for name in entry.between if name not in there] if entry else []
    beside = workspace.mapper(deal.ref.connection).is_beside(deal.position)
    made = Absent.CLOSED if not is_open(deal) else Absent.BESIDE if beside else Absent.NOT_YET
    return {name: made if entry and name in entry.create else Absent.NOT_NAMED for name in lacking}


def _fields(workspace: Workspace, linked: tuple[Record, ...], waiting: Sequence[Waiting]) -> tuple[SyncedField, ...]:
    if len(linked) < 2:
        return ()
    viewers = make_viewers(workspace, linked)
    bases = workspace.store.links.bases([record.ref for record in linked])
    views = {record.ref: viewers[record.ref.connection].view(record) for record in linked}
    names = sorted({name for view in views.values() for name in view})
    waits = {one.item.name for one in waiting if one.item.cause is Cause.CONFLICT}
    held = {name for one in waiting if one.item.cause is not Cause.UNCLEAR for name in one.item.name.split(", ")}
    taken_up = _taken_up(workspace, linked, views, bases)
    return tuple(
        SyncedField(
            name=name,
            now={ref.connection: view[name] for ref, view in views.items() if name in view},
            base={ref.connection: bases[ref][name] for ref in views if name in bases.get(ref, {})},
            waits=name in waits,
            held=name in held,
            left=name not in taken_up,
        )
        for name in names
        if sum(name in view for view in views.values()) > 1
    )


def _taken_up(
    workspace: Workspace,
    linked: Sequence[Record],
    views: Mapping[Ref, Mapping[str, Value]],
    bases: Mapping[Ref, Mapping[str, Value]],
) -> set[str]:
    """Name the fields that the next run does something about, by the very merge that it makes."""
    entry = next((sync for sync in workspace.project.settings.sync if linked[0].ref.connection in sync.between), None)
    if entry is None:
        return set()
    sides = [
        Side(ref=one.ref, now=read(views[one.ref], base, one.version).now, base=base, updated_at=one.updated_at)
        for one in linked
        if one.ref.connection in entry.between
        for base in [bases.get(one.ref, {})]
    ]
    link = workspace.store.links.of([linked[0].ref]).get(linked[0].ref, "")
    whole = decided_ref(link)
    merged = merge(link, sides, entry.policy, workspace.store.links.bases([whole]).get(whole, {}))
    return {edit.name for edits in merged.edits.values() for edit in edits} | {item.name for item in merged.blocked}


def _unbound(workspace: Workspace, linked: Sequence[Record]) -> dict[str, tuple[str, ...]]:
    """Say which fields of the process are bound in one CRM of a deal and not in another, which so never gets them."""
    connections = workspace.project.settings.connections
    bound = {record.ref.connection: connections[record.ref.connection].fields.keys() for record in linked}
    declared = {field.id for field in workspace.project.process.fields}
    somewhere = declared.intersection(itertools.chain(*bound.values()))
    lacking = {name: tuple(sorted(somewhere - its)) for name, its in bound.items()}
    return {name: fields for name, fields in lacking.items() if fields}
