"""A report's figures go into fields of a CRM, by the one write path, and only where they changed."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pytest

from crmbridge.model.changes import Action, Origin, Outcome
from crmbridge.model.records import Kind, Ref
from crmbridge.services.accounts.setup import plan_setup
from crmbridge.services.reports.publishing import period_of
from crmbridge.services.runs.running import Ran, run_pull, run_reports, run_steps
from crmbridge.settings import Report
from crmbridge.store import open_store
from crmbridge.testing.factories import make_process
from crmbridge.testing.workspaces import Bench, make_bench

COMPANY = Ref("north", Kind.COMPANY, "1")
INDICATORS = [
    {"id": "wins", "name": "Wins", "measure": "win_rate"},
    {"id": "found", "name": "Open findings", "measure": "open_findings"},
]


def make(tmp_path: Path, **entry: Any) -> Bench:
    """Make a bench whose report writes figures, after one whole cycle."""
    store = f"sqlite:///{tmp_path / 'state.db'}"
    usual = {"connection": "north", "company": "1", "fields": {"wins": "figure"}}
    bench = make_bench(
        process=make_process(indicators=INDICATORS),
        deals=20,
        parts={"north": (0, 1)},
        store=open_store(store),
        folder=tmp_path,
        store_url=store,
        reports=[{"name": "weekly", "cron": "0 8 * * *", "sinks": [{"crm": {**usual, **entry}}]}],
    )
    bench.crms["north"].able = True
    run_steps(bench.workspace, "cycle")
    return bench


def push(bench: Bench) -> Ran:
    return run_reports(bench.workspace, bench.workspace.project.settings.reports, None)


def held(bench: Bench) -> Any:
    return bench.crms["north"].figures.get(COMPANY, {}).get("figure")


def error_of(ran: Ran) -> str:
    (delivery,) = ran.delivered
    assert delivery.error is not None
    return f"{delivery.error.message} {delivery.error.advice}"


def test_a_figure_is_written_and_journaled(tmp_path: Path) -> None:
    """The field holds the share as a fraction; the journal has an intent and an outcome, with before and after."""
    bench = make(tmp_path)
    ran = push(bench)
    rows = [e for e in bench.workspace.store.journal.entries() if e.change.origin is Origin.REPORT]

    assert (0, "1 of 1 figures on north:company:1") == (ran.exit_code, ran.delivered[0].place)
    assert 0 < held(bench) < 1
    assert [None, Outcome.APPLIED] == [row.outcome for row in rows]
    assert [Action.UPDATE] * 2 == [row.change.action for row in rows]
    assert (None, held(bench)) == rows[0].change.edits[0][1:]
    bench.workspace.close()


def test_what_did_not_change_is_not_written(tmp_path: Path) -> None:
    """A second push writes nothing, on the same day or the next; a change by hand is put right, on the same day too."""
    bench = make(tmp_path)
    push(bench)
    writes = bench.crms["north"].writes
    again = push(bench)
    bench.clock.advance(timedelta(days=1))
    run_pull(bench.workspace)
    push(bench)
    quiet = bench.crms["north"].writes - writes
    bench.crms["north"].figures[COMPANY]["figure"] = Decimal(7)
    ran = push(bench)

    assert (0, "") == (quiet, again.delivered[0].place)
    assert (0, "1 of 1 figures on north:company:1") == (ran.exit_code, ran.delivered[0].place)
    assert Decimal(7) != held(bench)
    bench.workspace.close()


def test_figures_are_nobodys_edit(tmp_path: Path) -> None:
    """The cycle after a push finds nothing to write: the figures are no field that is kept in step."""
    bench = make(tmp_path)
    push(bench)
    writes = bench.crms["north"].writes
    run_steps(bench.workspace, "cycle")

    assert writes == bench.crms["north"].writes
    bench.workspace.close()


@pytest.mark.parametrize(("fault", "writes"), [("drop_after", 1), ("drop_before", 2)])
def test_an_unclear_write_is_looked_up_by_the_next_push(tmp_path: Path, fault: str, writes: int) -> None:
    """It is unknown (7) and says so; the next push reads it back, and writes it only if it is not there."""
    bench = make(tmp_path)
    before = bench.crms["north"].writes
    bench.crms["north"].faults.append(fault)
    first = push(bench)
    second = push(bench)

    assert (7, 0) == (first.exit_code, second.exit_code)
    assert "looks whether it is there" in error_of(first)
    assert writes == bench.crms["north"].writes - before
    assert held(bench) is not None
    settled = [e.outcome for e in bench.workspace.store.journal.entries() if e.change.origin is Origin.REPORT][2]
    assert (Outcome.APPLIED if fault == "drop_after" else Outcome.FAILED) is settled
    assert () == tuple(bench.workspace.store.journal.unsettled())
    bench.workspace.close()


def test_a_field_that_is_not_there_names_the_set_up(tmp_path: Path) -> None:
    """The refusal says what lacks and which command makes it."""
    ran = push(bench := make(tmp_path, fields={"wins": "missing"}))

    assert 3 == ran.exit_code
    assert "no field missing" in error_of(ran)
    assert "crmbridge connections setup north" in error_of(ran)
    bench.workspace.close()


def test_set_up_wants_the_fields_of_reports(tmp_path: Path) -> None:
    """`connections setup` has what a report writes to and the account lacks, and leaves alone what is there."""
    bench = make(tmp_path, fields={"wins": "figure", "found": "missing"})
    wanted = [each.wish for each in plan_setup(bench.workspace, "north").wanted if each.wish.on is Kind.COMPANY]

    assert [("missing", "company:missing")] == [(wish.name, wish.key) for wish in wanted]
    bench.workspace.close()


def test_rows_are_set_by_indicator_and_period(tmp_path: Path) -> None:
    """Each indicator has one row a day, which is set anew when figures changed, and left alone when none did."""
    bench = make(tmp_path, company=None, rows=True, fields={})
    crm = bench.crms["north"]
    first = push(bench)
    keys, writes = set(crm.rows), crm.writes
    push(bench)
    bench.clock.advance(timedelta(days=1))
    push(bench)

    assert "2 rows of figures in north" == first.delivered[0].place
    assert {"weekly|wins|2026-06-08", "weekly|found|2026-06-08"} == keys
    assert (writes + 1, 4) == (crm.writes, len(crm.rows))
    assert {"report", "indicator", "name", "period", "value", "unit", "target", "as_of"} == set(
        crm.rows["weekly|wins|2026-06-08"]
    )
    bench.workspace.close()


@pytest.mark.parametrize("fault", ["drop_after", "drop_before"])
def test_rows_that_are_unclear_are_set_once_more(tmp_path: Path, fault: str) -> None:
    """Setting a row twice makes one row, so the next push does just that."""
    bench = make(tmp_path, company=None, rows=True, fields={})
    bench.crms["north"].faults.append(fault)
    codes = [push(bench).exit_code, push(bench).exit_code]

    assert ([7, 0], 2) == (codes, len(bench.crms["north"].rows))
    assert () == tuple(bench.workspace.store.journal.unsettled())
    bench.workspace.close()


@pytest.mark.parametrize(
    ("period", "expected"), [(None, "2026-06-08"), ("month", "2026-06"), ("quarter", "2026-Q2"), ("year", "2026")]
)
def test_a_row_is_of_the_reports_period(period: Literal["month", "quarter", "year"] | None, expected: str) -> None:
    """A report by months sets one row a month, and so on."""
    assert expected == period_of(Report(name="weekly", period=period), date(2026, 6, 8))


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"fields": {"nothing": "figure"}}, "no figure 'nothing'"),
        ({"company": None, "user": "ann@acme.example"}, "can't keep figures on its users"),
        ({"company": None, "deal": "1"}, "on a deal there is a note only"),
        ({"company": "nowhere.example"}, "has no company 'nowhere.example'"),
        ({"company": None}, "give one of company, deal, user and rows"),
        ({"connection": "east"}, "names the connection 'east'"),
        ({"extra": "s3cret"}, "extra: Extra inputs are not permitted"),
    ],
)
def test_wrong_entries_are_explained(tmp_path: Path, entry: dict[str, Any], expected: str) -> None:
    """What can't be written says why, as a setting to correct."""
    ran = push(bench := make(tmp_path, **entry))

    assert 3 == ran.exit_code
    assert expected in error_of(ran)
    assert "s3cret" not in error_of(ran)
    bench.workspace.close()
