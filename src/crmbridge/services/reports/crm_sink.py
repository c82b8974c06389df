"""Write a report into a CRM, by the one path that every change goes: a note, figures in fields, or rows of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from crmbridge.engine.sync.sameness import altered, same
from crmbridge.errors import ConfigurationError, RefusedError, RetryLaterError, UnclearError
from crmbridge.model.changes import Action, Change, FieldEdit, Origin, Outcome, Plan, Receipt, change_id
from crmbridge.model.figures import Figure, IndicatorFigure, Scorecard, Unit
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.values import Value, is_empty, iso
from crmbridge.ports import Document
from crmbridge.report import note_text, read_entry
from crmbridge.services.apply.applying import apply_plan
from crmbridge.services.apply.reconciling import reconcile
from crmbridge.services.reports.figure_fields import holds_figures
from crmbridge.services.workspace import Workspace
from crmbridge.sink_settings import CrmEntry

PLACES = {Unit.SHARE: 4, Unit.COUNT: 0}  # digits after the point; 2 for everything else


def read_crm_entry(workspace: Workspace, value: Any) -> CrmEntry:
    """Read what the settings say of the sink `crm`; raises ConfigurationError."""
    entry = read_entry(CrmEntry, value, "crm")
    if entry.connection not in workspace.connections:
        known = ", ".join(workspace.connections) or "none"
        raise ConfigurationError(
            f"The sink `crm` names the connection {entry.connection!r}, which there is none of.",
            advice=f"The settings have: {known}.",
        )
    return entry


def write_note(workspace: Workspace, run: str, entry: CrmEntry, document: Document, day: str) -> str:
    """Write the report's figures as a note, and say on what; one a day, whichever run is killed."""
    target = _target(workspace, entry)
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
    _apply(workspace, run, (change,), f"The note on {target}")
    return f"a note on {target}"


def write_figures(workspace: Workspace, run: str, entry: CrmEntry, document: Document) -> str:
    """Write the figures that differ from what the CRM holds, and say to how many fields; nothing when none does."""
    adapter = workspace.adapter(entry.connection)
    holds_figures(adapter, entry)
    target = _target(workspace, entry)
    wanted = {native: _value(document.scorecard, figure) for figure, native in entry.fields.items()}
    if any(each.change.target == target for each in workspace.store.journal.unsettled()):
        reconcile(workspace, run)
    now = adapter.read([target], fields=set(wanted)).get(target)
    if now is None:
        raise ConfigurationError(f"{target} is gone from the CRM.", advice="Name another under the sink `crm`.")
    edits = tuple(_edit(now, native, wanted[native]) for native in sorted(wanted) if _differs(now, native, wanted))
    if not edits:
        return ""
    change = Change(
        # With the time: the same figures may come and go, and each time is a change of its own.
        id=change_id(Action.UPDATE, target.connection, str(target), iso(workspace.clock.now()), run, edits=edits),
        action=Action.UPDATE,
        origin=Origin.REPORT,
        connection=target.connection,
        target=target,
        edits=edits,
        reason=f"figures of the report {document.name}",
    )
    _apply(workspace, run, (change,), f"Writing the figures to {target}")
    return f"{len(edits)} of {len(wanted)} figures on {target}"


def _differs(now: Record, native: str, wanted: dict[str, Value]) -> bool:
    """Tell whether a field holds something else than the figure, or the form that the CRM made of it."""
    held, after = now.fields.get(native), wanted[native]
    return not same(held, after) and (is_empty(held) or not altered(after, held))


def _edit(now: Record, native: str, after: Value) -> FieldEdit:
    return FieldEdit(native, now.fields.get(native), after)


def _value(card: Scorecard | None, figure_id: str) -> Value:
    """Give a figure's value as a number, shares as fractions; None where there is no data, which empties the field."""
    figure = None if card is None else _figure(card, figure_id)
    return None if figure is None else _number(figure)


def _number(figure: Figure) -> Value:
    if figure.value is None:
        return None
    return Decimal(str(round(figure.value, PLACES.get(figure.unit, 2)))).normalize() + 0


def _figure(card: Scorecard, figure_id: str) -> Figure | None:
    indicators = {each.id: each.figure for each in card.indicators}
    measures = {each.id: each.headline for each in card.measures if each.headline is not None}
    known = {**measures, **indicators}
    if figure_id not in known:
        raise ConfigurationError(
            f"The report has no figure {figure_id!r} to write to a field.",
            advice=f"Use one of: {', '.join(sorted(known)) or 'none, as the process lists no indicators'}.",
        )
    return known[figure_id]


def write_rows(workspace: Workspace, run: str, entry: CrmEntry, document: Document, period: str) -> str:
    """Set the row of each indicator for this period, and say how many; a row of an earlier period stays as it was."""
    if Kind.FIGURE not in workspace.adapter(entry.connection).capabilities.creates:
        raise ConfigurationError(
            f"{entry.connection} has no rows for figures.",
            advice="Write them to fields of a company by `fields`, or write a note.",
        )
    card = document.scorecard
    if card is None or not card.indicators:
        raise ConfigurationError(
            "The report has no indicators to make rows of.", advice="List them under `indicators` of the process."
        )
    changes = tuple(_row(each, card, entry.connection, (document.name, period), run) for each in card.indicators)
    _apply(workspace, run, changes, "Writing the rows of figures")
    return f"{len(changes)} {'row' if len(changes) == 1 else 'rows'} of figures in {entry.connection}"


def _row(each: IndicatorFigure, card: Scorecard, connection: str, where: tuple[str, str], run: str) -> Change:
    report, period = where
    values: dict[str, Value] = {
        "report": report,
        "indicator": each.id,
        "name": each.name,
        "period": period,
        "value": _number(each.figure),
        "unit": " ".join(filter(None, [each.figure.unit, each.figure.currency])),
        "target": each.target,
        "as_of": card.as_of,
    }
    key = f"{report}|{each.id}|{period}"
    edits = tuple(FieldEdit(name, None, value) for name, value in sorted(values.items()))
    return Change(
        id=change_id(Action.CREATE, connection, key, run, edits=edits),
        action=Action.CREATE,
        origin=Origin.REPORT,
        connection=connection,
        target=None,
        edits=edits,
        reason=f"figures of the report {report}",
        key=key,
        creates=Kind.FIGURE,
    )


def _apply(workspace: Workspace, run: str, changes: tuple[Change, ...], what: str) -> None:
    """Make a report's changes; what an earlier run sent of it and left unclear is looked up before.

    Raises the connection's error, RetryLaterError for what failed or changed meanwhile, RefusedError, or UnclearError.
    """
    keys = {change.key or change.id for change in changes}
    if any((entry.change.key or entry.change.id) in keys for entry in workspace.store.journal.unsettled()):
        reconcile(workspace, run)
    made_at, digest = workspace.clock.now(), workspace.project.digest
    plan = Plan(id=changes[0].id, made_at=made_at, settings=digest, changes=changes)
    applied = apply_plan(workspace, plan, run)
    for error in applied.errors.values():
        raise error
    for _, receipt in applied.done:
        if receipt.outcome is not Outcome.APPLIED:
            raise _why(what, receipt)


def _why(what: str, receipt: Receipt) -> RefusedError | RetryLaterError | UnclearError:
    said = f"{what} is {receipt.outcome}: {receipt.message}"
    if receipt.outcome is Outcome.UNKNOWN:
        return UnclearError(said, advice="The next run looks whether it is there, and sends nothing twice.")
    if receipt.outcome is Outcome.REFUSED:
        connection = receipt.ref.connection if receipt.ref else "NAME"
        return RefusedError(said, advice=f"`crmbridge connections setup {connection}` says what the account lacks.")
    return RetryLaterError(said)


def _target(workspace: Workspace, entry: CrmEntry) -> Ref:
    """Find what a report is written to, among what was pulled: a company by domain or id, a user by e-mail or id."""
    if entry.deal is not None:
        return Ref(entry.connection, Kind.DEAL, str(entry.deal))
    name, by = str(entry.user or entry.company), "email" if entry.kind is Kind.USER else "domain"
    for record in workspace.store.records.records(entry.connection, entry.kind):
        if record.ref.id == name or str(record.fields.get(by) or "").casefold() == name.casefold():
            return record.ref
    raise ConfigurationError(
        f"{entry.connection} has no {entry.kind} {name!r} for the report", advice=f"Name its {by} or its id."
    )
