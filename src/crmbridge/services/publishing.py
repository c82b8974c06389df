"""Publish: compute the indicators, render the report, and push it to its sinks, each at most once a day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from crmbridge.errors import ConfigurationError, CrmbridgeError, RefusedError, UnclearError
from crmbridge.indicators import compute
from crmbridge.model.changes import Action, Change, FieldEdit, Origin, Outcome, Plan, change_id
from crmbridge.model.records import Kind, Ref
from crmbridge.ports import Document
from crmbridge.report import note_text, open_sink, render
from crmbridge.services.applying import apply_plan
from crmbridge.services.measuring import report_options
from crmbridge.services.scheduling import TOLD
from crmbridge.services.workspace import Workspace
from crmbridge.settings import Report

FILE_SINKS = {"html", "markdown"}  # rewritten each time; the other sinks reach people, so they are told once a day


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of a report at one sink. Neither a place nor an error: it was there already."""

    report: str
    sink: str
    place: str = ""
    error: CrmbridgeError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What publishing did. `delivered` is what the next run must know: sink -> the day it was told last."""

    deliveries: tuple[Delivery, ...]
    delivered: Mapping[str, str] = field(default_factory=dict)


def make_document(workspace: Workspace, report: Report, summary: Mapping[str, Any] | None) -> Document:
    """Compute and render one report. `summary` is what the run did, where the report is part of one."""
    project = workspace.project
    scorecard = compute(project.store_url, project.process, workspace.clock.now(), report_options(workspace, report))
    title = report.name.replace("_", " ").capitalize()
    return render(scorecard, summary, name=report.name, title=title, language=report.language)


def publish(workspace: Workspace, run: str, report: Report, summary: Mapping[str, Any] | None = None) -> Published:
    """Push a report to all its sinks; one that fails does not keep the others from theirs."""
    document = make_document(workspace, report, summary)
    day = workspace.clock.now().astimezone(ZoneInfo(report.timezone)).date().isoformat()
    told = _told(workspace, report)
    deliveries: list[Delivery] = []
    for index, entry in enumerate(report.sinks):
        kind = next(iter(entry))
        sink = f"{index + 1}:{kind}"
        if kind not in FILE_SINKS and told.get(sink) == day:
            deliveries.append(Delivery(report=report.name, sink=sink))
            continue
        try:
            place = _deliver(workspace, run, entry, document, day)
        except CrmbridgeError as error:
            deliveries.append(Delivery(report=report.name, sink=sink, error=error))
            if isinstance(error, UnclearError):  # it may have arrived, and nobody wants to be told twice
                told[sink] = day
        else:
            deliveries.append(Delivery(report=report.name, sink=sink, place=place))
            told[sink] = day
    return Published(deliveries=tuple(deliveries), delivered=told)


def reports(workspace: Workspace, name: str | None = None) -> tuple[Report, ...]:
    """Give the reports of the settings, or the one named; raises ConfigurationError for one that isn't there."""
    found = tuple(r for r in workspace.project.settings.reports if name in {None, r.name})
    if name and not found:
        known = ", ".join(r.name for r in workspace.project.settings.reports) or "none"
        raise ConfigurationError(f"There is no report {name!r}", advice=f"The settings file has: {known}.")
    return found


def _told(workspace: Workspace, report: Report) -> dict[str, str]:
    last = workspace.store.runs.last(f"{TOLD}{report.name}")
    return dict(last.summary.get("delivered", {})) if last else {}


def _deliver(workspace: Workspace, run: str, entry: Mapping[str, Any], document: Document, day: str) -> str:
    if "crm" in entry:
        return _note(workspace, run, entry["crm"], document, day)
    return open_sink(entry, workspace.project.folder, workspace.plugins.sinks()).deliver(document)


def _note(workspace: Workspace, run: str, entry: Any, document: Document, day: str) -> str:
    """Write the report's figures as a note in a CRM, by the same path as every other change."""
    target = _note_target(workspace, entry)
    key = f"crmbridge:report:{document.name}:{day}"
    change = Change(
        id=change_id(Action.NOTE, target.connection, str(target), key),
        action=Action.NOTE,
        origin=Origin.REPORT,
        connection=target.connection,
        target=target,
        edits=(FieldEdit("body", None, note_text(document)),),
        reason=f"report {document.name} of {day}",
        key=key,
    )
    plan = Plan(id=change.id, made_at=workspace.clock.now(), settings=workspace.project.digest, changes=(change,))
    applied = apply_plan(workspace, plan, run)
    for error in applied.errors.values():
        raise error
    receipt = applied.done[0][1]
    if receipt.outcome is not Outcome.APPLIED:
        kind = UnclearError if receipt.outcome is Outcome.UNKNOWN else RefusedError
        raise kind(f"The note on {target} is {receipt.outcome}: {receipt.message}")
    return f"a note on {target}"


def _note_target(workspace: Workspace, entry: Any) -> Ref:
    """Find what a report's note hangs on: `{connection: hs, company: DOMAIN OR ID}` or `{connection: hs, deal: ID}`."""
    match entry:
        case {"connection": str(connection), "company": str(company)}:
            for record in workspace.store.records.records(connection, Kind.COMPANY):
                if company in {record.ref.id, record.fields.get("domain")}:
                    return record.ref
            raise ConfigurationError(
                f"{connection} has no company {company!r} for the report's note", advice="Name its domain or its id."
            )
        case {"connection": str(connection), "deal": str(deal)}:
            return Ref(connection, Kind.DEAL, deal)
        case _:
            raise ConfigurationError(
                "The sink `crm` must say where its note hangs",
                advice="Write `crm: {connection: NAME, company: DOMAIN}` or `crm: {connection: NAME, deal: ID}`.",
            )
