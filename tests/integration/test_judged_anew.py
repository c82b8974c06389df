"""A run that looks only at what changed finds what looking at everything finds; odd dates end no run."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from crmbridge.engine.evaluating.evaluate import unjudged
from crmbridge.engine.sync.matching import link_id
from crmbridge.errors import ConfigurationError
from crmbridge.model.changes import Action
from crmbridge.model.process import Process
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.replacing import replace
from crmbridge.ports import Page
from crmbridge.services.answers.explaining import explain
from crmbridge.services.answers.reviewing import review
from crmbridge.services.answers.simulating import simulate
from crmbridge.services.by_hand.waiving import until_of, unwaive, waive
from crmbridge.services.enforce.awaiting import dealt
from crmbridge.services.enforce.evaluating import evaluate_all, judge_pending, subject_of
from crmbridge.services.pull.pulling import pull
from crmbridge.testing.factories import (
    NOON,
    make_calendar,
    make_process,
    make_record,
    make_stage,
    make_user,
)
from crmbridge.testing.workspaces import Bench, make_bench

LAST_DAY = date(9999, 12, 31)
FIRST = datetime(1, 1, 1, tzinfo=UTC)
REQUIRED = {"id": "rule", "check": {"required": ["amount"]}}


def process_of(*rules: dict[str, Any], **parts: Any) -> Process:
    """Make a process of three stages, the second with these exit rules."""
    stages = [make_stage("prospecting"), make_stage("qualification", exit=list(rules)), make_stage("proposal")]
    return make_process(stages=stages, **parts)


def bench_of(process: Process, **settings: Any) -> tuple[Bench, Ref]:
    """Give a CRM with a deal that went on from the stage that has the rules."""
    bench = make_bench(parts={"north": (0, 0)}, sync=[], process=process, **settings)
    deal = bench.crms["north"].create_deal("Bakery", stage="qualification")
    bench.crms["north"].move_deal(deal.id, "proposal")
    return bench, deal


def judged(bench: Bench) -> None:
    """Judge what changed or fell due."""
    dealt(bench.workspace, judge_pending(bench.workspace), ())


def save(bench: Bench, kind: Kind, *records: Record) -> None:
    """Let a page of another kind have come."""
    bench.workspace.store.records.save_page("north", kind, Page(records=records, cursor="c"), bench.clock.now())


def stored(bench: Bench) -> list[tuple[str, str, bool]]:
    """Give the open findings: the deal, the rule, and whether it is waived."""
    found = [each.finding for each in bench.workspace.store.findings.findings()]
    return sorted((str(one.deal), one.rule, one.waived is not None) for one in found)


def all_of(bench: Bench) -> list[tuple[str, str, bool]]:
    """Give what looking at everything finds."""
    found = [finding for each in evaluate_all(bench.workspace) for finding in each.evaluation.findings]
    return sorted((str(one.deal), one.rule, one.waived is not None) for one in found)


def test_another_address_of_a_user_is_looked_at() -> None:
    """Whoever moved a deal may not have been allowed to, as is known now."""
    process = process_of(moves={"who": {"proposal": ["seller"]}})
    bench, deal = bench_of(process, people={"seller": "boss@lumenworks.example"})
    moves = bench.crms["north"].moves[deal]
    moves[-1] = replace(moves[-1], by="7")
    pull(bench.workspace)
    save(bench, Kind.USER, make_user("7", email="boss@lumenworks.example"))
    judged(bench)
    assert [] == stored(bench)

    save(bench, Kind.USER, make_user("7", email="trainee@lumenworks.example"))
    judged(bench)
    assert [(str(deal), "move", False)] == stored(bench) == all_of(bench)


@pytest.mark.parametrize(
    ("kind", "check"), [(Kind.ACTIVITY, {"activities": {"state": "done"}}), (Kind.NOTE, {"attachments": {"note": "m"}})]
)
def test_a_kind_that_is_pulled_at_last_tells_of_deals_without_any(kind: Kind, check: dict[str, Any]) -> None:
    """Until then nobody could say that there is none."""
    bench, deal = bench_of(process_of({"id": "rule", "check": check, "on_unknown": "skip"}))
    pull(bench.workspace)
    judged(bench)
    assert [] == stored(bench)

    save(bench, kind)
    judged(bench)
    assert [(str(deal), "qualification.rule", False)] == stored(bench) == all_of(bench)


def test_whose_deal_it_was_then_is_not_guessed() -> None:
    """The owner moved it, and handed it on before anything was pulled: nothing is said, and nothing moved back."""
    process = process_of(moves={"who": {"proposal": ["owner"]}})
    bench, deal = bench_of(process, enforce=[{"rule": "move", "action": "revert"}])
    moves = bench.crms["north"].moves[deal]
    moves[-1] = replace(moves[-1], by="7")
    bench.clock.advance(timedelta(hours=1))
    bench.crms["north"].edit_deal(deal.id, owner="8")
    pull(bench.workspace)
    save(
        bench, Kind.USER, make_user("7", email="rita@lumenworks.example"), make_user("8", email="bo@lumenworks.example")
    )
    (each,) = evaluate_all(bench.workspace)

    assert ((), ()) == (each.evaluation.findings, each.changes)


@pytest.mark.parametrize("when", [{"company": {"required": ["name"]}}, {"contacts": {"at_least": 1}}])
def test_a_condition_sees_what_no_rule_looks_at(when: dict[str, Any]) -> None:
    """A binding for deals of some companies or contacts works without a rule about them."""
    bench, deal = bench_of(process_of(REQUIRED), enforce=[{"rule": "*", "action": "task", "when": when}])
    crm = bench.crms["north"]
    crm.set_company(deal.id, crm.create_company(name="Bakery"))
    crm.add_contact(deal.id, crm.create_contact(name="Ann", email="ann@bakery.example"))
    pull(bench.workspace)
    (each,) = evaluate_all(bench.workspace)

    assert [Action.TASK] == [change.action for change in each.changes]


def test_a_waiver_that_is_taken_back_ends_whichever_deal_leads_by_then() -> None:
    """It was given for the deal that led the link before, which is gone."""
    bench = make_bench(parts={"north": (0, 0), "south": (0, 0)}, sync=[], process=process_of(REQUIRED))
    deals = [bench.crms[name].create_deal("Bakery", stage="qualification") for name in ("north", "south")]
    for deal in deals:
        bench.crms[deal.connection].move_deal(deal.id, "proposal")
    bench.workspace.store.links.save({link_id(deals[0]): tuple(deals)})
    pull(bench.workspace)
    judged(bench)
    finding = bench.workspace.store.findings.findings()[0].finding
    waive(bench.workspace, finding.id, by="Ann", why="A pilot", until="300d")
    judged(bench)
    bench.crms[finding.deal.connection].delete_deal(finding.deal.id)
    pull(bench.workspace)
    judged(bench)
    other = bench.workspace.store.findings.findings()[0].finding
    assert (True, True) == (other.deal != finding.deal, other.waived is not None)

    unwaive(bench.workspace, other.id, by="Ann")
    judged(bench)
    assert [(str(other.deal), "qualification.rule", False)] == stored(bench) == all_of(bench)


@pytest.mark.parametrize("until", [LAST_DAY, None])
def test_an_approval_may_have_no_end(until: date | None) -> None:
    """The last day that a CRM can hold is how people write that; it ends no run."""
    assert [True] == [waived for *_, waived in approved(until)]


def test_an_approval_whose_end_cannot_be_read_is_none() -> None:
    """It may be over."""
    assert [False] == [waived for *_, waived in approved("31.12.2025")]


def approved(until: object) -> list[tuple[str, str, bool]]:
    """Give what is found of a deal for which an exception was approved until then."""
    fields = [{"id": "approver", "type": "text", "name": "By"}, {"id": "till", "type": "date", "name": "Till"}]
    rule = {**REQUIRED, "waived_by": {"field": "approver", "until": "till"}}
    bench, deal = bench_of(process_of(rule, fields=fields))
    bench.crms["north"].edit_deal(deal.id, approver="Ann", till=until)
    pull(bench.workspace)
    judged(bench)
    return stored(bench)


@pytest.mark.parametrize("at", [datetime(9999, 12, 31, tzinfo=UTC), datetime(1, 1, 1, tzinfo=UTC)])
def test_an_activity_at_the_end_of_the_calendar_ends_no_run(at: datetime) -> None:
    """What lies some time before or after it is as far as the calendar goes."""
    bench, deal = bench_of(process_of({"id": "rule", "check": {"activities": {"state": "open", "within": "14d"}}}))
    pull(bench.workspace)
    save(bench, Kind.ACTIVITY, make_record(Kind.ACTIVITY, fields={"done": False, "at": at, "deals": (deal.id,)}))
    judged(bench)

    assert [(str(deal), "qualification.rule", False)] == stored(bench)


def beyond_bounds(bench: Bench, deal: Ref, number: int) -> None:
    """Save the like of a deal, that moved on when days had not begun where its office is."""
    records, ref = bench.workspace.store.records, Ref("north", Kind.DEAL, str(number))
    moves = [replace(move, deal=ref, at=FIRST + timedelta(hours=n)) for n, move in enumerate(records.moves_of(deal))]
    held = records.get([deal])[deal]
    fields = {**held.fields, "close_date": date(2020, 1, 1)}
    odd = replace(held, ref=ref, created_at=FIRST, updated_at=FIRST, fields=fields)
    page = Page(records=(odd,), moves=tuple(moves), cursor="c")
    records.save_page("north", Kind.DEAL, page, bench.clock.now())


def test_a_deal_beyond_all_bounds_ends_no_run() -> None:
    """It is named with the cause, asks for what its binding says, and all others are judged as they would be."""
    western = {"office": make_calendar(timezone="America/New_York")}
    process = process_of({"id": "rule", "check": {"dates": {"field": "close_date", "from_days": 0}}}, calendars=western)
    bench, fine = bench_of(process, enforce=[{"rule": "*", "action": "task"}])
    pull(bench.workspace)
    for number in (901, 902):
        beyond_bounds(bench, fine, number)
    found = judge_pending(bench.workspace)
    dealt(bench.workspace, found, ())

    unreadable = [(f"north:{number}", "unreadable", False) for number in (901, 902)]
    assert sorted([(str(fine), "qualification.rule", False), *unreadable]) == stored(bench) == all_of(bench)
    assert ["901", "902", fine.id] == sorted(change.target.id for change in found.changes if change.target)
    (said,) = explain(bench.workspace, "north:901").evaluation.findings
    assert "The deal north:901 can't be judged: date value out of range." in said.message
    assert (1, 3) == (simulate(bench.workspace, FIRST).moves, review(bench.workspace, FIRST).deals)


def test_a_deal_that_can_be_judged_again_is() -> None:
    """Its finding clears; until then it keeps what was said of cycles that ended."""
    process = process_of(REQUIRED)
    bench, deal = bench_of(process)
    pull(bench.workspace)
    judged(bench)
    (subject,) = (subject_of(bench.workspace, each) for each in bench.workspace.store.records.get([deal]).values())
    bench.workspace.store.findings.save([unjudged(subject, NOON, OverflowError("too far"))], NOON)
    assert [(str(deal), "unreadable", False)] == stored(bench)

    bench.crms["north"].edit_deal(deal.id, amount=None)
    bench.workspace.store.backlog.touch([deal])
    judged(bench)
    assert [(str(deal), "qualification.rule", False)] == stored(bench)


@pytest.mark.parametrize("at_once", [1, 2, 2_000])
def test_linked_deals_are_judged_once_however_many_are_looked_at_together(
    monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """Whichever of a link's deals comes first, and wherever the others lie."""
    monkeypatch.setattr("crmbridge.services.enforce.evaluating.AT_ONCE", at_once)
    bench = make_bench(parts={"north": (0, 0), "south": (0, 0)}, sync=[], process=process_of(REQUIRED))
    every = [[crm.create_deal(name, stage="qualification") for crm in bench.crms.values()] for name in "abcd"]
    for deal in (deal for deals in every for deal in deals):
        bench.crms[deal.connection].move_deal(deal.id, "proposal")
    bench.workspace.store.links.save({link_id(deals[0]): tuple(deals) for deals in every[:3]})
    pull(bench.workspace)
    found = judge_pending(bench.workspace)

    leading = [*(deals[0] for deals in every[:3]), *every[3]]
    assert len(leading) == found.deals
    assert sorted((str(deal), "qualification.rule", False) for deal in leading) == stored(bench) == all_of(bench)


def test_a_waiver_may_be_for_good() -> None:
    """Its end is that of the calendar."""
    assert LAST_DAY == until_of("9999-12-31", NOON).date()
    with pytest.raises(ConfigurationError):
        until_of("10000-01-01", NOON)
