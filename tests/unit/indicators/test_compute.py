"""Figures of small cases, counted by hand."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.unit.indicators.cards import measured, values

from crmbridge.errors import ConfigurationError, StateError
from crmbridge.indicators import Options, compute
from crmbridge.model.figures import Row, Scorecard, Unit
from crmbridge.model.findings import Evaluation, Place, Severity, SlaState
from crmbridge.model.process import Process
from crmbridge.model.records import Status
from crmbridge.store import open_store
from crmbridge.testing.factories import (
    NOON,
    make_clock,
    make_deal,
    make_evaluation,
    make_finding,
    make_process,
    make_ref,
    make_stage,
    make_user,
    make_visit,
)

SaveState = Callable[..., str]
QUALIFICATION, PROPOSAL = Place("qualification", Status.OPEN), Place("proposal", Status.OPEN)
WON, LOST, NOWHERE = Place("care", Status.WON), Place(None, Status.LOST), Place(None, Status.OPEN)


def stayed(number: int, *steps: tuple[str, float, float | None, Place | None], place: Place) -> Evaluation:
    """Evaluate a deal whose visits are (stage, days ago entered, days ago left, where to)."""
    counted: dict[str, int] = {}
    visits = []
    for stage, entered, left, to in steps:
        counted[stage] = counted.get(stage, 0) + 1
        visits.append(
            make_visit(
                stage,
                deal=make_ref(number),
                number=counted[stage],
                entered_at=NOON - timedelta(days=entered),
                left_at=None if left is None else NOON - timedelta(days=left),
                to=to,
            )
        )
    return make_evaluation(deal=make_ref(number), visits=tuple(visits), place=place)


def indicators(*measures: tuple[str, str | None, str | None]) -> Process:
    """Make a process with one indicator per (measure, stage, target)."""
    entries: list[dict[str, Any]] = [
        {"id": f"i{n}", "name": f"Number {n}", "measure": measure, "stage": stage, "target": target}
        for n, (measure, stage, target) in enumerate(measures)
    ]
    return make_process(indicators=entries)


def row_of(card: Scorecard, measure: str, stage: str) -> Row:
    """Give a stage's row of a measure."""
    return next(each for each in measured(card, measure).rows if each.stage == stage)


def test_conversion_counts_a_deals_last_visit(save_state: SaveState) -> None:
    """A stage's conversion is forward of those that left; deals still there and unknown ways stand apart."""
    url = save_state(
        stayed(1, ("qualification", 9, 7, PROPOSAL), ("proposal", 7, None, None), place=PROPOSAL),
        stayed(2, ("qualification", 9, 7, LOST), place=LOST),
        stayed(3, ("qualification", 9, None, None), place=QUALIFICATION),
        stayed(4, ("qualification", 9, 8, NOWHERE), place=NOWHERE),
        stayed(5, ("qualification", 9, 8, WON), place=WON),
        stayed(
            6,
            ("qualification", 9, 8, PROPOSAL),
            ("proposal", 8, 7, QUALIFICATION),
            ("qualification", 7, 6, LOST),
            place=LOST,
        ),
    )

    card = compute(url, make_process(), NOON)

    first, second = (row_of(card, "stage_conversion", stage) for stage in ("qualification", "proposal"))
    assert (6, 2, 2, 0, 1, 1) == values(first, "entered", "forward", "lost", "back", "elsewhere", "open")
    assert (2, 5) == (first.figures["conversion"].numerator, first.figures["conversion"].denominator)
    assert (2, 0, 1, 1) == values(second, "entered", "forward", "back", "open")


def test_won_stage_has_no_conversion(save_state: SaveState) -> None:
    """Where deals stand after they are won, nothing is sold, so nothing is converted."""
    url = save_state(stayed(1, ("closing", 3, 2, WON), ("care", 2, None, None), place=WON))

    card = compute(url, make_process(), NOON)

    assert ["closing"] == [each.stage for each in measured(card, "stage_conversion").rows]


def test_win_rate_counts_what_is_closed(save_state: SaveState) -> None:
    """The win rate is won of won and lost; open deals are in neither."""
    url = save_state(
        stayed(1, ("qualification", 9, 8, WON), place=WON),
        stayed(2, ("qualification", 9, 8, LOST), place=LOST),
        stayed(3, ("proposal", 9, 8, LOST), place=LOST),
        stayed(4, ("proposal", 9, None, None), place=PROPOSAL),
    )
    process = indicators(("win_rate", None, "25%"), ("win_rate", "qualification", "51%"))

    card = compute(url, process, NOON)

    headline = measured(card, "win_rate").headline
    assert headline is not None
    assert (1, 3) == (headline.numerator, headline.denominator)
    assert [(1, 3, True), (1, 2, False)] == [
        (each.figure.numerator, each.figure.denominator, each.met) for each in card.indicators
    ]


def test_open_visits_count_as_ones_that_last_at_least_so_long(save_state: SaveState) -> None:
    """An open visit is censored: it moves the median up to where half are over, and 90 % may not be known yet."""
    url = save_state(
        stayed(1, ("qualification", 20, 18, PROPOSAL), place=PROPOSAL),
        stayed(2, ("qualification", 20, 16, PROPOSAL), place=PROPOSAL),
        stayed(3, ("qualification", 20, 12, PROPOSAL), place=PROPOSAL),
        stayed(4, ("qualification", 100, None, None), place=QUALIFICATION),
    )

    stage = row_of(compute(url, make_process(), NOON), "time_in_stage", "qualification")

    assert (4.0, 4) == (stage.figures["median"].value, stage.figures["median"].n)
    assert (None, 3, 1, 100.0) == values(stage, "p90", "closed", "open", "open_median_age")


def test_time_is_compared_in_business_days_where_the_sla_measures_them(save_state: SaveState) -> None:
    """A target in business days is held against the stage's own SLA clocks; elsewhere it is not compared."""
    left = stayed(1, ("qualification", 20, 6, PROPOSAL), ("proposal", 6, 5, LOST), place=LOST)
    clock = make_clock(visit=left.visits[0], elapsed=timedelta(hours=80), state=SlaState.BREACHED)
    url = save_state(make_evaluation(deal=left.deal, visits=left.visits, place=left.place, clocks=(clock,)))
    process = indicators(
        ("time_in_stage", "qualification", "10bd"),
        ("time_in_stage", "qualification", "79bh"),
        ("time_in_stage", "qualification", "14d"),
        ("time_in_stage", "qualification", "335h"),
        ("time_in_stage", "proposal", "10bd"),
        ("time_in_stage", None, None),
    )

    card = compute(url, process, NOON)

    assert [
        (Unit.BUSINESS_DAYS, 10.0, True, True),
        (Unit.BUSINESS_HOURS, 80.0, False, True),
        (Unit.DAYS, 14.0, True, True),
        (Unit.HOURS, 336.0, False, True),
        (Unit.DAYS, 1.0, None, False),
        (Unit.DAYS, 1.0, None, False),
    ] == [(each.figure.unit, each.figure.value, each.met, each.comparable) for each in card.indicators]


@pytest.mark.parametrize(
    ("rule", "language", "expected"),
    [
        ("qualification.sla", "pt", "Proposal · SLA"),
        ("prospecting.handoff", "en", "Proposal · Hand-off from Prospecting"),
        ("prospecting.handoff", "pt", "Proposal · Passagem de Prospecting"),
        ("sla.touch", "pt", "Proposal · Primeiro contato"),
        ("sla.gone", "en", "Proposal · sla.gone"),
    ],
)
def test_slas_are_called_as_the_process_does(save_state: SaveState, rule: str, language: str, expected: str) -> None:
    """And not by the ids of their rules, as long as the process has them."""
    handing = {"handoff": {"to": "seller", "accept_within": "4h", "accepted": "plan"}}
    process = make_process(
        fields=[{"id": "plan", "name": "Plan"}],
        slas=[{"id": "touch", "name": {"en": "First", "pt": "Primeiro contato"}, "kind": "first_touch", "goal": "4h"}],
        stages=[
            make_stage("prospecting", **handing),
            make_stage("qualification", sla={"goal": "5bd", "calendar": "office"}),
            make_stage("proposal"),
        ],
    )
    done = stayed(1, ("proposal", 9, 1, LOST), place=LOST)
    clock = make_clock(visit=done.visits[0], sla=rule)
    url = save_state(make_evaluation(deal=done.deal, visits=done.visits, place=LOST, clocks=(clock,)))

    (row,) = measured(compute(url, process, NOON, Options(language=language)), "sla_attainment").rows

    assert expected == row.label


def test_sla_attainment_is_of_stopped_clocks(save_state: SaveState) -> None:
    """Attainment counts clocks that stopped; running ones stand beside it as they are now."""
    closed, running = (SlaState.ON_TIME, SlaState.AT_RISK, SlaState.BREACHED), (SlaState.AT_RISK, SlaState.BREACHED)
    evaluations = []
    for number, (state, left) in enumerate([*((s, 1) for s in closed), *((s, None) for s in running)]):
        to = None if left is None else PROPOSAL
        done = stayed(number, ("qualification", 9, left, to), place=to or QUALIFICATION)
        clock = make_clock(visit=done.visits[0], state=state)
        evaluations.append(make_evaluation(deal=done.deal, visits=done.visits, place=done.place, clocks=(clock,)))
    process = indicators(("sla_attainment", None, "90%"), ("sla_attainment", "qualification", "60%"))

    card = compute(save_state(*evaluations), process, NOON)

    (sla,) = measured(card, "sla_attainment").rows
    kept = sla.figures["attainment"]
    assert ("Qualification · SLA", 2, 3) == (sla.label, kept.numerator, kept.denominator)
    assert (2, 1, 1) == values(sla, "running", "at_risk", "breached")
    assert [False, True] == [each.met for each in card.indicators]


def test_findings_are_counted_by_the_owners_name(save_state: SaveState) -> None:
    """One person's deals are counted together, unknown ids stand for themselves, and nobody's deals are shown."""
    deals = [make_deal(n, fields={"owner": owner}) for n, owner in enumerate(["7", "7", "99", None])]
    evaluations = [
        make_evaluation(
            *(
                make_finding(id=f"{deal.ref.id}-{n}", deal=deal.ref, severity=severity, since=NOON - timedelta(days=n))
                for n, severity in enumerate(severities)
            ),
            deal=deal.ref,
            visits=(),
        )
        for deal, severities in zip(
            deals,
            [(Severity.ERROR, Severity.WARNING), (Severity.ERROR,), (Severity.WARNING,), (Severity.INFO,)],
            strict=True,
        )
    ]
    process = indicators(("open_findings", None, "0"), ("open_findings", "proposal", "0"))

    card = compute(save_state(*evaluations, deals=deals, users=[make_user(7, name="Rita Prado")]), process, NOON)

    found = measured(card, "open_findings").rows
    assert [("Rita Prado", 2, 1, 0, 2), ("99", 0, 1, 0, 1), ("Nobody", 0, 0, 1, 1)] == [
        (each.label, *values(each, "errors", "warnings", "infos", "deals")) for each in found
    ]
    assert ((1.0,), (0.0,)) == (values(found[0], "oldest"), values(found[2], "oldest"))
    assert [(5, False), (0, True)] == [(each.figure.value, each.met) for each in card.indicators]


def test_cleared_findings_and_forgotten_deals_do_not_count(save_state: SaveState) -> None:
    """A finding that was cleared, and a deal that is no longer evaluated, are in no figure."""
    found = [
        make_evaluation(make_finding(id=f"f{n}", deal=make_ref(n)), deal=make_ref(n), visits=()) for n in (1, 2, 3)
    ]
    url = save_state(*found)
    store = open_store(url)
    store.findings.save([make_evaluation(deal=make_ref(1), visits=())], NOON)
    store.findings.forget([make_ref(3)], NOON)
    store.close()

    card = compute(url, indicators(("open_findings", None, "1")), NOON)

    assert [("Nobody", 1)] == [(row.label, *values(row, "deals")) for row in measured(card, "open_findings").rows]
    assert (2, 1.0) == (card.coverage.deals, card.indicators[0].figure.value)


def test_columns_that_start_empty_are_read(save_state: SaveState) -> None:
    """A first value that comes after ten thousand empty ones is read as what it is."""
    still = [stayed(n, ("qualification", 9, None, None), place=QUALIFICATION) for n in range(10_000)]
    left = stayed(99_999, ("qualification", 9, 8, LOST), place=LOST)

    card = compute(save_state(*still, left), make_process(), NOON)

    assert (10_000, 1) == values(row_of(card, "stage_conversion", "qualification"), "open", "lost")


def test_coverage_says_how_far_history_goes(save_state: SaveState) -> None:
    """The scorecard says how many deals have a history, and since when."""
    url = save_state(
        stayed(1, ("qualification", 30, None, None), place=QUALIFICATION),
        stayed(2, ("qualification", 9, 8, WON), place=WON),
        stayed(3, place=LOST),
    )

    coverage = compute(url, make_process(), NOON).coverage

    assert (3, 1, 1, 1, 2) == (coverage.deals, coverage.open, coverage.won, coverage.lost, coverage.with_history)
    assert datetime(2026, 5, 11, 12, tzinfo=UTC) == coverage.since


def test_empty_state_has_no_data(save_state: SaveState) -> None:
    """Before the first evaluation there is a scorecard, and it says that there is no data."""
    measures = ("stage_conversion", "win_rate", "time_in_stage", "sla_attainment", "open_findings")
    process = indicators(*((measure, None, None) for measure in measures))

    card = compute(save_state(), process, NOON)

    assert 0 == card.coverage.deals
    assert [None] * 5 == [each.figure.value for each in card.indicators]
    assert {()} == {each.rows for each in card.measures}


def test_visit_from_the_future_has_age_zero(save_state: SaveState) -> None:
    """A CRM whose clock runs ahead makes no negative ages."""
    card = compute(save_state(stayed(1, ("qualification", -2, None, None), place=QUALIFICATION)), make_process(), NOON)

    assert (0.0,) == values(row_of(card, "time_in_stage", "qualification"), "open_median_age")


@pytest.mark.parametrize(("language", "word"), [("en", "share"), ("pt-BR", "parcela"), ("zh", "占比"), ("xx", "share")])
def test_definitions_are_in_the_language(save_state: SaveState, language: str, word: str) -> None:
    """Each figure's definition is in the language asked for, else in English."""
    card = compute(save_state(), make_process(), NOON, Options(language=language))

    assert word in measured(card, "win_rate").definition


@pytest.mark.parametrize("url", ["not a url", "sqlite://", "sqlite:///:memory:", "mysql://somewhere/db"])
def test_only_a_state_is_read(url: str) -> None:
    """Any other kind of state is a setting to correct."""
    with pytest.raises(ConfigurationError):
        compute(url, make_process(), NOON)


def test_threads_take_their_usual_turns_afterwards(save_state: SaveState, tmp_path: Path) -> None:
    """How long they work in Python at a time is the whole process's: it is as before, after an error, too."""
    usual = sys.getswitchinterval()

    compute(save_state(), make_process(), NOON)
    with pytest.raises(ConfigurationError):
        compute(f"sqlite:///{tmp_path / 'none.db'}", make_process(), NOON)

    assert usual == sys.getswitchinterval()


def test_missing_state_is_not_made(tmp_path: Path) -> None:
    """Asking for figures makes no file."""
    with pytest.raises(ConfigurationError, match="There is no state"):
        compute(f"sqlite:///{tmp_path / 'none.db'}", make_process(), NOON)

    assert [] == list(tmp_path.iterdir())


def test_damaged_state_is_said(tmp_path: Path) -> None:
    """A file that is no state is named, with what to do."""
    path = tmp_path / "state.db"
    path.write_text("not a database " * 99)

    with pytest.raises(StateError, match="can't be read") as caught:
        compute(f"sqlite:///{path}", make_process(), NOON)

    assert caught.value.advice


def test_state_with_odd_path_is_read(tmp_path: Path) -> None:
    """A folder's name may hold what a URL would read as something else."""
    folder = tmp_path / "50% of a #1 team"
    folder.mkdir()
    url = f"sqlite:///{folder / 'state.db'}"
    open_store(url).close()

    assert 0 == compute(url, make_process(), NOON).coverage.deals


@pytest.mark.parametrize("shown", ["sqlite:///{}/a%20b.db", "sqlite+pysqlite:///{}/a b.db", "sqlite:///{}/a b.db?x=1"])
def test_stores_url_is_read_as_the_store_reads_it(tmp_path: Path, shown: str) -> None:
    """Percent signs, a driver's name and options do not lead to another file."""
    open_store(f"sqlite:///{tmp_path}/a b.db").close()

    assert 0 == compute(shown.format(tmp_path), make_process(), NOON).coverage.deals
