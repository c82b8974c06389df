"""Publish: compute the indicators, render the report, and push it to its sinks, to people at most once a day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct

from crmbridge.errors import ConfigurationError, CrmbridgeError, UnclearError
from crmbridge.indicators import compute
from crmbridge.indicators.elsewhere import elsewhere
from crmbridge.ports import Document
from crmbridge.report import fingerprint, open_sink, render
from crmbridge.services.exit_codes import PARTLY
from crmbridge.services.reports.crm_sink import read_crm_entry, write_figures, write_note, write_rows
from crmbridge.services.reports.measuring import language_of, report_options
from crmbridge.services.reports.told import Book, Told, sink_key
from crmbridge.services.workspace import Workspace
from crmbridge.settings import Report

# Rewritten each time. The other sinks reach people, so they are told once a day.
FILE_SINKS = frozenset({"html", "markdown", "json", "csv"})


class Delivery(Struct, frozen=True, kw_only=True):
    """What became of a report at one sink. Neither a place nor an error: it was there already.

    `note` says what a person should know of one that was there already, such as that it may not have arrived.
    """

    report: str
    sink: str
    place: str = ""
    error: CrmbridgeError | None = None
    note: str = ""


def make_document(workspace: Workspace, report: Report, summary: Mapping[str, Any] | None) -> Document:
    """Compute and render one report. `summary` is what the run did, where the report is part of one."""
    project = workspace.project
    options = report_options(workspace, report)
    scorecard = elsewhere(compute, project.store_url, project.process, workspace.clock.now(), options)
    title = report.title or report.name.replace("_", " ").capitalize()
    language = language_of(workspace, report)
    return render(scorecard, summary, name=report.name, title=title, language=language)


def publish(
    workspace: Workspace, run: str, report: Report, summary: Mapping[str, Any] | None = None
) -> tuple[Delivery, ...]:
    """Push a report to all its sinks; one that fails does not keep the others from theirs."""
    today = workspace.clock.now().astimezone(ZoneInfo(report.timezone)).date()
    desk = _Desk(
        workspace=workspace,
        run=run,
        document=make_document(workspace, report, summary),
        day=today.isoformat(),
        period=period_of(report, today),
        book=Book(workspace, run, report.name),
    )
    return tuple(desk.deliver(f"{number}:{next(iter(entry))}", entry) for number, entry in enumerate(report.sinks, 1))


def period_of(report: Report, day: date) -> str:
    """Name the period of a report that a day is in; the day itself where the report has none."""
    match report.period:
        case "month":
            return f"{day:%Y-%m}"
        case "quarter":
            return f"{day.year}-Q{(day.month + 2) // 3}"
        case "year":
            return str(day.year)
        case _:
            return day.isoformat()


def exit_code(deliveries: Sequence[Delivery]) -> int:
    """Give the exit code of deliveries: 0, that of the error where all that failed is alike, else 6 (partly done)."""
    codes = {one.error.exit_code for one in deliveries if one.error is not None}
    return codes.pop() if len(codes) == 1 else PARTLY if codes else 0


def reports(workspace: Workspace, name: str | None = None) -> tuple[Report, ...]:
    """Give the reports of the settings, or the one named; raises ConfigurationError for one that isn't there."""
    found = tuple(r for r in workspace.project.settings.reports if name in {None, r.name})
    if name and not found:
        known = ", ".join(r.name for r in workspace.project.settings.reports) or "none"
        raise ConfigurationError(f"There is no report {name!r}", advice=f"The settings file has: {known}.")
    return found


class _Desk(Struct, frozen=True, kw_only=True):
    """One report on its way to its sinks."""

    workspace: Workspace
    run: str
    document: Document
    day: str
    period: str  # the day, or the month, quarter or year that the report is of
    book: Book

    def deliver(self, sink: str, entry: Mapping[str, Any]) -> Delivery:
        """Deliver to one sink; what goes wrong is in the answer."""
        self.workspace.progress("report", f"{self.document.name} to {sink}")
        try:
            if next(iter(entry)) in FILE_SINKS:
                return self._at(sink, self._hand_over(entry))
            return self._in_crm(sink, entry) if "crm" in entry else self._told_once(sink, entry)
        except CrmbridgeError as error:
            return Delivery(report=self.document.name, sink=sink, error=error)

    def _at(self, sink: str, place: str) -> Delivery:
        return Delivery(report=self.document.name, sink=sink, place=place)

    def _in_crm(self, sink: str, entry: Mapping[str, Any]) -> Delivery:
        """Write figures where they changed, or a note once; what a killed run wrote is found by journal and looking."""
        place = read_crm_entry(self.workspace, entry["crm"])
        if place.fields:
            return self._at(sink, write_figures(self.workspace, self.run, place, self.document))
        key, mark = sink_key(entry), fingerprint(self.document)
        before = self.book.of(key, self.day, mark)
        if before and (before.fingerprint == mark or not place.rows):  # rows are set anew when their figures changed
            return self._at(sink, "")
        write, when = (write_rows, self.period) if place.rows else (write_note, self.day)
        said = write(self.workspace, self.run, place, self.document, when)
        self.book.note(key, self.day, mark, Told.SENT)
        return self._at(sink, said)

    def _told_once(self, sink: str, entry: Mapping[str, Any]) -> Delivery:
        """Tell people, unless they were told today or of just this; what may have arrived is not sent again."""
        key, mark = sink_key(entry), fingerprint(self.document)
        before = self.book.of(key, self.day, mark)
        if before is not None and before.state is Told.SENDING:
            self.book.note(key, before.day, before.fingerprint, Told.UNCLEAR)
            raise UnclearError(
                f"An earlier run was ended while it sent this, at {before.at}, so it may have arrived.",
                advice="Look there. It is not sent again today; the next report is.",
            )
        if before is not None:
            note = f"it may have arrived at {before.at}: look there" if before.state is Told.UNCLEAR else ""
            return Delivery(report=self.document.name, sink=sink, note=note)
        return self._at(sink, self._tell(key, mark, entry))

    def _tell(self, key: str, mark: str, entry: Mapping[str, Any]) -> str:
        """Note that it begins, tell the sink, and note how it ended: a kill in between is seen by the next run."""
        self.book.note(key, self.day, mark, Told.SENDING)
        try:
            place = self._hand_over(entry)
        except UnclearError:
            self.book.note(key, self.day, mark, Told.UNCLEAR)
            raise
        except CrmbridgeError:
            self.book.forget(key)
            raise
        self.book.note(key, self.day, mark, Told.SENT)
        return place

    def _hand_over(self, entry: Mapping[str, Any]) -> str:
        workspace = self.workspace
        sinks = workspace.plugins.sinks()
        sink = open_sink(entry, workspace.project.folder, sinks, workspace.clock.now)
        try:
            return sink.deliver(self.document)
        except CrmbridgeError:
            raise
        except Exception as error:
            name = next(iter(entry))
            if name not in sinks:  # ours; that is a bug, and wants to be seen as one
                raise
            raise UnclearError(
                f"The plugin's sink {name!r} failed ({type(error).__name__}), so it may have arrived.",
                advice="Look there, and tell the plugin's author.",
            ) from error
