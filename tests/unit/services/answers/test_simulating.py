"""Trying a changed process on the stored history."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from crmbridge.files.diagnostics import InvalidFilesError
from crmbridge.model.process import Process
from crmbridge.model.records import Kind, Ref
from crmbridge.ports import Page
from crmbridge.services.answers.replaying import subjects
from crmbridge.services.answers.simulating import Candidate, RuleChange, Simulation, read_candidate, simulate
from crmbridge.services.enforce.awaiting import dealt
from crmbridge.services.enforce.evaluating import judge_pending, subject_of
from crmbridge.services.pull.pulling import pull
from crmbridge.services.runs.running import run_steps
from crmbridge.store import open_store
from crmbridge.testing.factories import make_calendar, make_process, make_record, make_stage
from crmbridge.testing.workspaces import Bench, make_bench

DAY = timedelta(days=1)
BANT = ("bant.budget", "bant.authority", "bant.need", "bant.timeline")


def process_of(needed: int = 3, *, sla: str = "5bd", **overrides: object) -> Process:
    """Give a process that asks for so many of BANT, and gives so much time."""
    rule = {"id": "bant", "check": {"at_least": needed, "of": list(BANT)}}
    stages = [
        make_stage("qualification", exit=[rule], sla={"goal": sla, "calendar": "office"}),
        make_stage("proposal"),
        make_stage("closing"),
        make_stage("care", status="won"),
    ]
    return make_process(**{"stages": stages, **overrides})


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Give an empty CRM before a state in a file."""
    store = open_store(f"sqlite:///{tmp_path / 'state.db'}")
    yield make_bench(process=process_of(), store=store, parts={"north": (0, 0)}, sync=[])
    store.close()


def deal(bench: Bench, filled: int, *, days: int = 2) -> Ref:
    """Create a deal that leaves qualification after some days, with so many of BANT filled in."""
    crm = bench.crms["north"]
    ref = crm.create_deal(f"Deal with {filled}", stage="qualification", **dict.fromkeys(BANT[:filled], "yes"))
    bench.clock.advance(timedelta(days=days))
    crm.move_deal(ref.id, "proposal")
    return ref


def tried(bench: Bench, process: Process | None = None, *, days: int = 90) -> Simulation:
    pull(bench.workspace)
    candidate = Candidate(process=process, places={}) if process else None
    return simulate(bench.workspace, bench.clock.now() - days * DAY, candidate)


def change(said: Simulation, rule: str = "qualification.bant") -> RuleChange:
    (found,) = (one for one in said.rules if one.rule == rule)
    return found


def test_every_sla_is_told_from_the_rules_of_moves(bench: Bench) -> None:
    """Also one that is about no stage's time: it has clocks at risk, and no values of today."""
    touch = {"id": "touch", "name": "Touch", "kind": "first_touch", "goal": "4h"}
    rule = {"id": "bant", "check": {"required": ["source"]}}
    stage = make_stage("qualification", exit=[rule], slas=[touch], handoff={"to": "seller"})
    changed = process_of(stages=[stage, make_stage("proposal")], slas=[touch])
    said = tried(bench, changed)

    assert {"move", "qualification.bant"} == {one.rule for one in said.rules if not one.is_sla}
    assert {"sla.touch", "qualification.touch", "qualification.handoff"} <= {one.rule for one in said.rules}


def test_a_rule_is_counted_over_the_moves_it_is_about(bench: Bench) -> None:
    """How many it judged, how many failed, and on how many deals."""
    for filled in (0, 2, 3, 4):
        deal(bench, filled)
    said = tried(bench)
    tally = change(said).after

    assert (4, 4) == (said.deals, said.moves)
    assert tally is not None
    assert (4, 2, 0, 2, 0.5) == (tally.judged, tally.failed, tally.unknown, tally.deals, tally.share)
    assert not said.compared
    assert change(said).before is None


def test_a_looser_rule_names_the_deals_it_no_longer_finds(bench: Bench) -> None:
    """Beside what the process as it is found."""
    refs = [deal(bench, filled) for filled in (0, 2, 3)]
    found = change(tried(bench, process_of(2)))

    assert found.before is not None
    assert found.after is not None
    assert (2, 1) == (found.before.deals, found.after.deals)
    assert (0, 1, [refs[1]]) == (found.newly, found.no_longer, [one.ref for one in found.no_longer_examples])
    assert "Deal with 2" == found.no_longer_examples[0].name


def test_a_stricter_rule_names_the_deals_it_newly_finds(bench: Bench) -> None:
    """Which nobody has noticed yet."""
    refs = [deal(bench, filled) for filled in (0, 3, 4)]
    found = change(tried(bench, process_of(4)))

    assert (1, 0, [refs[1]]) == (found.newly, found.no_longer, [one.ref for one in found.newly_examples])


def test_a_shorter_sla_finds_visits_that_are_over(bench: Bench) -> None:
    """And one that is gone from the process finds none."""
    deal(bench, 4, days=7)
    deal(bench, 4, days=1)
    shorter, none = process_of(sla="1bd"), process_of().model_copy(update={"stages": process_of().stages[1:]})
    found = change(tried(bench, shorter), "qualification.sla")
    gone = change(tried(bench, none), "qualification.sla")

    assert (2, 0) == (found.before.judged, found.before.failed)
    assert (2, 1, 1) == (found.after.judged, found.after.failed, found.newly)
    assert (None, 0) == (gone.after, gone.newly)


def test_a_visit_that_was_judged_already_is_tried_anew(bench: Bench) -> None:
    """How its clock ended is kept in the state, and stays so; the changed process is asked all the same."""
    deal(bench, 4, days=7)
    pull(bench.workspace)
    judge_pending(bench.workspace)
    found = change(tried(bench, process_of(sla="1bd")), "qualification.sla")

    assert (0, 1) == (found.before.failed, found.after.failed)
    assert ["on_time"] == [clock.state for clock in bench.workspace.store.findings.clocks()]


def test_another_calendar_of_the_same_name_counts_for_its_own_process_alone(bench: Bench) -> None:
    """Holidays may be what is changed."""
    deal(bench, 4, days=7)
    closed = make_calendar(hours={"mon": ["09:00-10:00"]})
    found = change(tried(bench, process_of(sla="2bd", calendars={"office": closed})), "qualification.sla")

    assert (0, 0) == (found.before.failed, found.after.failed)


def test_moves_before_the_time_are_left_out(bench: Bench) -> None:
    """They are judged by nobody."""
    deal(bench, 0)
    bench.clock.advance(30 * DAY)
    deal(bench, 0)

    assert 1 == change(tried(bench, days=10)).after.judged
    assert 2 == change(tried(bench, days=60)).after.judged


def test_what_a_deal_held_when_it_moved_counts(bench: Bench) -> None:
    """A team that fills it in after the fact is found; with the history pulled, its values of then are known."""
    ref = deal(bench, 1)
    pull(bench.workspace)
    bench.clock.advance(DAY)
    bench.crms["north"].edit_deal(ref.id, **dict.fromkeys(BANT, "yes"))
    tally = change(tried(bench)).after

    assert (1, 1, 0) == (tally.judged, tally.failed, tally.of_today)


def test_values_of_today_are_counted(bench: Bench) -> None:
    """Where the deal was changed before it was first seen."""
    ref = deal(bench, 1)
    bench.clock.advance(DAY)
    bench.crms["north"].edit_deal(ref.id, **dict.fromkeys(BANT, "yes"))
    tally = change(tried(bench)).after

    assert (1, 0, 1) == (tally.judged, tally.failed, tally.of_today)


def test_nothing_is_saved(bench: Bench) -> None:
    """No finding, no run, and nothing is taken for looked at."""
    deal(bench, 0)
    tried(bench, process_of(4))
    store = bench.workspace.store

    assert ((), (), frozenset()) == (store.findings.findings(), store.runs.runs(9), store.backlog.readers())


def test_linked_deals_are_played_once() -> None:
    """By the one that leads, as they are evaluated."""
    bench = make_bench(deals=8)
    run_steps(bench.workspace, "cycle")

    assert 8 == len({subject.deal.ref for subject in subjects(bench.workspace)}) == len(list(subjects(bench.workspace)))


def called(bench: Bench, *calls: tuple[int, Ref]) -> None:
    """Pull done calls, by number, each on a deal."""
    page = Page(
        records=tuple(
            make_record(Kind.ACTIVITY, number, fields={"done": True, "deals": (ref.id,)}, updated_at=bench.clock.now())
            for number, ref in calls
        ),
        cursor="c",
    )
    bench.workspace.store.records.save_page("north", Kind.ACTIVITY, page, bench.clock.now())


@pytest.mark.parametrize("indexed", [False, True], ids=["by-reading-all", "by-the-index"])
def test_activities_are_found_however_far_the_index_is(*, indexed: bool) -> None:
    """It may have been made before the newest were pulled, and before one was hung on another deal; or not at all."""
    rule = {"id": "talked", "check": {"activities": {"state": "done"}}}
    process = make_process(stages=[make_stage("qualification", exit=[rule]), make_stage("proposal")])
    bench = make_bench(process=process, parts={"north": (0, 0)}, sync=[])
    first, second, third = (bench.crms["north"].create_deal(f"Deal {n}", stage="qualification") for n in range(3))
    pull(bench.workspace)
    called(bench, (1, first), (2, first), (3, second))
    if indexed:
        judged = judge_pending(bench.workspace)
        dealt(bench.workspace, judged, ())
    bench.clock.advance(DAY)
    called(bench, (2, third), (4, first))
    found = {one.deal.ref: {each.ref.id for each in one.activities or ()} for one in subjects(bench.workspace)}

    assert {first: {"1", "4"}, second: {"3"}, third: {"2"}} == found
    assert all(one.activities == subject_of(bench.workspace, one.deal).activities for one in subjects(bench.workspace))


def test_a_process_that_is_wrong_is_not_tried(tmp_path: Path) -> None:
    """Its errors are said as `check` says them."""
    file = tmp_path / "new.yaml"
    file.write_text("version: 1\nid: b2b\n")
    with pytest.raises(InvalidFilesError) as caught:
        read_candidate(file)

    assert str(file) == caught.value.diagnostics[0].file
