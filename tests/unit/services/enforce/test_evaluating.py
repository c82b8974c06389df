"""Evaluate: every deal once, and what is remembered of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from crmbridge.engine.sync.matching import belongs_to, lead, link_id
from crmbridge.engine.time.calendars import business_time
from crmbridge.model.findings import Judgement
from crmbridge.model.records import Kind, Position, Record, Ref, Signature, Status
from crmbridge.model.replacing import replace
from crmbridge.ports import Page
from crmbridge.services.answers.explaining import explain
from crmbridge.services.enforce.awaiting import dealt
from crmbridge.services.enforce.evaluating import (
    OLDEST_YEARS,
    compile_calendars,
    evaluate_all,
    evaluate_one,
    judge_pending,
    leads,
)
from crmbridge.services.pull.pulling import pull
from crmbridge.testing.factories import (
    make_calendar,
    make_company,
    make_contact,
    make_process,
    make_record,
    make_stage,
    make_user,
)
from crmbridge.testing.workspaces import Bench, make_bench


@pytest.fixture
def bench() -> Bench:
    """Give two empty CRMs that are not kept in step."""
    return make_bench(parts={"north": (0, 0), "south": (0, 0)}, sync=[])


def deal(bench: Bench, connection: str, name: str = "Rollout") -> Ref:
    """Create a deal that has left qualification too early."""
    ref = bench.crms[connection].create_deal(name, stage="qualification")
    bench.crms[connection].move_deal(ref.id, "proposal")
    return ref


def judged(bench: Bench) -> list[Ref]:
    """Pull, evaluate, and give the deals in the order of their evaluation."""
    pull(bench.workspace)
    return [one.deal.ref for one in evaluate_all(bench.workspace)]


def judge(bench: Bench) -> int:
    """Judge what is pending, as a cycle does, and give how many deals that was."""
    found = judge_pending(bench.workspace)
    dealt(bench.workspace, found, ())
    return found.deals


def test_every_deal_is_evaluated_once(bench: Bench) -> None:
    """Connection by connection, and each with its own history."""
    first, second, other = deal(bench, "north"), deal(bench, "north"), deal(bench, "south")

    assert [first, second, other] == judged(bench)
    assert all(len(one.evaluation.visits) == 2 for one in evaluate_all(bench.workspace))


@pytest.mark.parametrize("first", ["north", "south"])
def test_linked_deals_are_evaluated_once_by_their_lead(bench: Bench, first: str) -> None:
    """The deal that the link is named after, on whichever side it is."""
    refs = {name: deal(bench, name) for name in ("north", "south")}
    single = deal(bench, "south", "Another")
    bench.workspace.store.links.save({link_id(refs[first]): tuple(refs.values())})

    assert {refs[first], single} == set(judged(bench))
    assert 2 == len(judged(bench))


def test_the_next_one_leads_when_the_lead_is_gone(bench: Bench) -> None:
    """A deal is not lost because its counterpart was deleted."""
    refs = [deal(bench, name) for name in ("north", "south")]
    link = link_id(refs[0])
    bench.workspace.store.links.save({link: refs})
    pull(bench.workspace)
    bench.crms["north"].delete_deal(refs[0].id)

    assert [refs[1]] == judged(bench)
    assert refs[1] == lead(link, refs[1:])


@pytest.mark.parametrize("changed", ["north", "south"])
def test_a_deal_in_another_pipeline_does_not_lead(bench: Bench, changed: str) -> None:
    """The one that is linked with it is in the process, and is judged, whichever of them is looked at."""
    refs = [deal(bench, name) for name in ("north", "south")]
    bench.workspace.store.links.save({link_id(refs[0]): refs})
    north = bench.crms["north"].records[refs[0]]
    bench.crms["north"].records[refs[0]] = replace(north, position=Position("renewals", "due", Status.OPEN))
    assert [refs[1]] == judged(bench)
    found, others = leads(bench.workspace, [ref for ref in refs if ref.connection == changed])

    assert ([refs[1]], {refs[0]}) == (list(found), others)
    assert refs[1] == explain(bench.workspace, str(refs[0])).subject.ref


def test_of_deals_that_are_all_in_another_pipeline_the_lead_is_looked_at(bench: Bench) -> None:
    """Nothing is found; the stages that it left before still count."""
    refs = [deal(bench, name) for name in ("north", "south")]
    bench.workspace.store.links.save({link_id(refs[0]): refs})
    for ref in refs:
        made = bench.crms[ref.connection].records[ref]
        bench.crms[ref.connection].records[ref] = replace(made, position=Position("renewals", "due", Status.OPEN))

    assert [refs[0]] == judged(bench)


def test_deals_of_unmapped_connections_are_not_evaluated(bench: Bench) -> None:
    """Nobody can say where they stand; a linked one is then judged by its mapped side."""
    north, south = deal(bench, "north"), deal(bench, "south")
    deal(bench, "north", "Alone")
    bench.workspace.store.links.save({link_id(north): (north, south)})
    settings = bench.workspace.project.settings
    unmapped = bench.again(settings.model_copy(update={"stages": {"south": settings.stages["south"]}}))

    assert [south] == judged(unmapped)


def test_one_deal_is_evaluated_as_all_are(bench: Bench) -> None:
    """Explaining a deal says what the cycle said."""
    ref = deal(bench, "north")
    pull(bench.workspace)
    (whole,) = evaluate_all(bench.workspace)

    assert whole == evaluate_one(bench.workspace, bench.workspace.store.records.get([ref])[ref])
    assert ["qualification.bant"] == [finding.rule for finding in whole.evaluation.findings]


def test_evaluating_remembers_nothing(bench: Bench) -> None:
    """`plan` and `explain` look without leaving a trace."""
    deal(bench, "north")
    judged(bench)

    assert () == bench.workspace.store.findings.findings()
    assert () == tuple(bench.workspace.store.findings.visits())


def test_what_was_said_is_saved_and_cleared(bench: Bench) -> None:
    """A finding keeps its opening time while it holds, and is cleared when it holds no more."""
    ref = deal(bench, "north")
    findings = bench.workspace.store.findings
    times = [bench.clock.now()]
    pull(bench.workspace)
    judge(bench)
    bench.clock.advance(timedelta(hours=1))
    judge(bench)
    kept = findings.findings()
    bench.clock.advance(timedelta(hours=1))
    times.append(bench.clock.now())
    bench.crms["north"].edit_deal(ref.id, **{f"bant.{name}": "yes" for name in ("budget", "authority", "need")})
    pull(bench.workspace)
    judge(bench)

    assert [(times[0], None)] == [(one.opened_at, one.cleared_at) for one in kept]
    assert () == findings.findings()
    assert [tuple(times)] == [(one.opened_at, one.cleared_at) for one in findings.findings(cleared=True)]


def test_what_is_known_of_a_deal_that_is_gone_is_forgotten(bench: Bench) -> None:
    """Its findings are cleared and its visits dropped; those of others stay."""
    gone, stays = deal(bench, "north"), deal(bench, "south")
    pull(bench.workspace)
    judge(bench)
    bench.crms["north"].delete_deal(gone.id)
    pull(bench.workspace)
    judge(bench)
    findings = bench.workspace.store.findings

    assert [stays] == [one.finding.deal for one in findings.findings()]
    assert {stays} == {visit.deal for visit in findings.visits()} == {clock.visit.deal for clock in findings.clocks()}


def test_only_what_changed_or_fell_due_is_judged_again(bench: Bench) -> None:
    """Nothing, while nothing happens; the deal that is edited; and all whose clocks reach a warning."""
    first, _ = (bench.crms[name].create_deal("Rollout", stage="qualification") for name in ("north", "south"))
    pull(bench.workspace)
    counts = [judge(bench), judge(bench)]
    bench.crms["north"].edit_deal(first.id, name="Renamed")
    pull(bench.workspace)
    counts.append(judge(bench))
    bench.clock.advance(timedelta(days=30))
    counts += [judge(bench), judge(bench)]

    assert [2, 0, 1, 2, 0] == counts


def test_what_is_judged_bit_by_bit_is_what_is_judged_at_once(bench: Bench) -> None:
    """After each of many steps, what is saved is what evaluating everything says, time included."""
    refs = [deal(bench, name) for name in ("north", "south", "north")]
    for step in range(12):
        crm = bench.crms[refs[step % 3].connection]
        crm.edit_deal(refs[step % 3].id, **{"bant.budget": "yes" if step % 2 else ""})
        if step == 5:
            bench.workspace.store.links.save({link_id(refs[0]): refs[:2]})
            crm.edit_deal(refs[0].id, name="Linked") if refs[0].connection == crm.connection else None
        bench.clock.advance(timedelta(hours=31))
        pull(bench.workspace)
        judge(bench)
        stored = [one.finding for one in bench.workspace.store.findings.findings()]
        wanted = [finding for one in evaluate_all(bench.workspace) for finding in one.evaluation.findings]

        assert sorted(wanted, key=lambda one: one.id) == sorted(stored, key=lambda one: one.id)


def test_bindings_say_what_is_done() -> None:
    """A task for what is broken, on the deal that was judged."""
    bench = make_bench(
        parts={"north": (0, 0)}, enforce=[{"rule": "*", "action": "audit"}, {"rule": "*.bant", "action": "task"}]
    )
    ref = deal(bench, "north")
    pull(bench.workspace)
    (one,) = evaluate_all(bench.workspace)

    assert [(ref, Kind.TASK)] == [(change.target, change.kind) for change in one.changes]


def test_calendars_know_the_holidays_of_the_years_that_matter() -> None:
    """From those of the oldest visits to next year's: Christmas of each is a closed day, whatever its weekday."""
    week = {day: ["09:00-17:00"] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}
    calendar = make_calendar(holidays={"country": "DE"}, hours=week)
    bench = make_bench(process=make_process(calendars={"office": calendar}))
    office = compile_calendars(bench.workspace)["office"]
    years = range(bench.clock.now().year - OLDEST_YEARS, bench.clock.now().year + 2)
    christmas = [datetime(year, 12, 25, tzinfo=UTC) for year in years]
    day = timedelta(days=1)

    assert {timedelta(0)} == {business_time(office, start, start + day) for start in christmas}
    assert {timedelta(hours=8)} == {business_time(office, start - 2 * day, start - day) for start in christmas}


def activities(bench: Bench, connection: str, *on: Ref) -> None:
    """Pull one done activity on each of these deals."""
    found = [
        make_record(Kind.ACTIVITY, n, connection=connection, fields={"done": True, "deals": (ref.id,)})
        for n, ref in enumerate(on)
    ]
    bench.workspace.store.records.save_page(
        connection, Kind.ACTIVITY, Page(records=tuple(found), cursor="c"), bench.clock.now()
    )


def broken(bench: Bench) -> set[Ref]:
    """Give the deals that broke a rule; all and one by one say the same."""
    workspace = bench.workspace
    for one in evaluate_all(workspace):
        (record,) = workspace.store.records.get([one.deal.ref]).values()
        assert one == evaluate_one(workspace, record)
    return {one.deal.ref for one in evaluate_all(workspace) if one.evaluation.findings}


def test_activities_that_were_pulled_are_counted() -> None:
    """For each deal of the connection; in one that pulled none yet, nobody can say, and what the CRM gave stands."""
    called = make_process(
        stages=[
            make_stage(exit=[{"id": "call", "check": {"activities": {"state": "done"}}, "on_unknown": "skip"}]),
            make_stage("proposal"),
        ]
    )
    bench = make_bench(parts={"north": (0, 0), "south": (0, 0)}, sync=[], process=called)
    first, second, given, unknown = (
        deal(bench, "north"),
        deal(bench, "north", "Two"),
        bench.crms["south"].create_deal("Three", stage="qualification", activities_done=Decimal(1)),
        deal(bench, "south", "Four"),
    )
    bench.crms["south"].move_deal(given.id, "proposal")
    pull(bench.workspace)
    activities(bench, "north", first)

    assert {second} == broken(bench)
    activities(bench, "south", unknown)
    assert {second, given} == broken(bench)


# ── What stands beside a deal ───────────────────────────────────────────────────────────────────────────


def bench_asking(*checks: dict[str, Any], **overrides: Any) -> Bench:
    """Give a CRM whose process asks for these on leaving qualification."""
    rules = [{"id": f"rule{n}", "check": check} for n, check in enumerate(checks)]
    process = make_process(stages=[make_stage("qualification", exit=rules), make_stage("proposal")])
    return make_bench(**{"parts": {"north": (0, 0)}, "sync": [], "process": process, **overrides})


def beside(bench: Bench, kind: Kind, *records: Record) -> None:
    """Pull these records of a kind."""
    bench.workspace.store.records.save_page("north", kind, Page(records=records, cursor="c"), bench.clock.now())


def open_rules(bench: Bench) -> list[str]:
    """Judge what is pending, and give the rules of the findings that are open then."""
    judge(bench)
    found = [one.finding.rule for one in bench.workspace.store.findings.findings()]
    wanted = [finding.rule for one in evaluate_all(bench.workspace) for finding in one.evaluation.findings]
    assert sorted(wanted) == sorted(found)
    return sorted(found)


def test_a_change_of_a_contact_or_company_judges_the_deals_that_name_it() -> None:
    """And no others, and no deal where no rule asks for it."""
    bench = bench_asking({"contacts": {"title": ["head"]}}, {"company": {"required": ["domain"]}})
    first, _ = deal(bench, "north"), deal(bench, "north", "Another")
    bench.crms["north"].edit_deal(first.id, contacts=("50",), company="30")
    beside(bench, Kind.CONTACT, make_contact("50", title="Assistant"))
    beside(bench, Kind.COMPANY, make_company("30", domain=""))
    pull(bench.workspace)
    counts = [open_rules(bench)]
    beside(bench, Kind.CONTACT, make_contact("50", title="Head of IT", version="v2"))
    counts.append(open_rules(bench))
    beside(bench, Kind.COMPANY, make_company("30", domain="acme.example"))
    looked_at = judge_pending(bench.workspace).deals
    counts.append(open_rules(bench))

    assert [4, 3, 2] == list(map(len, counts))
    assert 1 == looked_at


def test_what_a_deal_is_matched_by_stays_when_what_it_names_is_noted() -> None:
    """Sync and enforcement share the index."""
    bench = bench_asking({"contacts": {}})
    ref = deal(bench, "north")
    bench.crms["north"].edit_deal(ref.id, contacts=("50",))
    pull(bench.workspace)
    signed = Signature("deal: name", "rollout")
    bench.workspace.store.matches.put({ref: [signed]})
    judge(bench)

    assert {signed, belongs_to(make_contact("50").ref)} == set(bench.workspace.store.matches.of([ref])[ref])


def test_notes_and_users_are_loaded_where_a_rule_asks() -> None:
    """A note that comes later clears the finding; an approval goes by who the user is."""
    approval = {"approval": {"field": "discount", "over": 10, "by": "approver", "who": ["seller"]}}
    bench = bench_asking({"attachments": {"note": "minutes"}}, approval)
    ref = deal(bench, "north")
    bench.crms["north"].edit_deal(ref.id, discount=Decimal(20), approver="7")
    pull(bench.workspace)
    beside(bench, Kind.NOTE)
    beside(bench, Kind.USER, make_user("7", email="rita@example.com"))
    before = open_rules(bench)
    beside(bench, Kind.NOTE, make_record(Kind.NOTE, fields={"body": "The minutes", "deals": (ref.id,)}))
    settings = bench.workspace.project.settings.model_copy(update={"people": {"seller": "rita@example.com"}})

    assert ["qualification.rule0", "qualification.rule1"] == before
    assert ["qualification.rule1"] == open_rules(bench)
    assert [] == open_rules(bench.again(settings))


def test_what_is_not_pulled_is_unknown() -> None:
    """That is not the same as there being none."""
    bench = bench_asking({"contacts": {}}, {"company": {}}, {"attachments": {"note": "minutes"}})
    settings = bench.workspace.project.settings
    only_deals = settings.connections["north"].model_copy(update={"kinds": ("user",)})
    deal(bench, "north")
    pull(bench.workspace)
    (pulled,) = evaluate_all(bench.workspace)
    narrow = bench.again(settings.model_copy(update={"connections": {"north": only_deals}}))
    (not_pulled,) = evaluate_all(narrow.workspace)

    fail, unknown = Judgement.FAIL, Judgement.UNKNOWN
    assert [fail, fail, unknown] == [verdict.judgement for verdict in pulled.evaluation.judged]
    assert [unknown] * 3 == [verdict.judgement for verdict in not_pulled.evaluation.judged]


def test_a_rule_is_judged_by_what_the_deal_held_when_it_moved() -> None:
    """Seen by pulls before and after, a value that was taken away later breaks nothing, and `explain` says so."""
    bench = bench_asking({"required": ["source"]})
    crm = bench.crms["north"]
    ref = crm.create_deal("Rollout", stage="qualification", source="fair")
    pull(bench.workspace)
    bench.clock.advance(timedelta(hours=1))
    crm.move_deal(ref.id, "proposal")
    pull(bench.workspace)
    bench.clock.advance(timedelta(hours=1))
    crm.edit_deal(ref.id, source="")
    pull(bench.workspace)
    judge(bench)
    (one,) = evaluate_all(bench.workspace)

    assert [(Judgement.PASS, "then")] == [(v.judgement, v.values) for v in one.evaluation.judged]
    assert () == bench.workspace.store.findings.findings()
