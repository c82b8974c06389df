"""Checks of what stands beside a deal's own fields: activities, company, contacts, documents, and who approved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmbridge.engine.deals.checks import judge
from crmbridge.engine.evaluating.evaluate import evaluate
from crmbridge.engine.rules.case import NOTHING_BESIDE, Beside, Case
from crmbridge.model.findings import Judgement, Verdict
from crmbridge.model.records import Kind, Record
from crmbridge.model.values import Value
from crmbridge.testing.factories import (
    NOON,
    make_company,
    make_contact,
    make_deal,
    make_process,
    make_record,
    make_stage,
    make_subject,
    make_user,
    make_visit,
)

DAY = timedelta(days=1)
PASS, FAIL, UNKNOWN = Judgement.PASS, Judgement.FAIL, Judgement.UNKNOWN


def said(check: Mapping[str, Any], fields: Mapping[str, Value] | None = None, **around: Any) -> Verdict:
    """Judge a deal with these fields by one check, at noon, in a stage that it has been in for nine days."""
    process = make_process(stages=[make_stage(exit=[{"id": "rule", "check": check}])])
    stage = process.stages[0]
    usual: dict[str, Any] = {"visit": make_visit(), "now": NOON, "zone": UTC}
    case = Case(process=process, stage=stage, fields=fields or {}, **{**usual, **around})
    return judge(stage.exit[0], case)


def activity(kind: str = "call", at: datetime | None = NOON - DAY, *, done: bool = True, subject: str = "") -> Record:
    """Make an activity."""
    return make_record(Kind.ACTIVITY, fields={"type": kind, "at": at, "done": done, "subject": subject})


# ── Activities ──────────────────────────────────────────────────────────────────────────────────────────


def counted(wanted: Mapping[str, Any], *activities: Record) -> int:
    """Say how many of these activities count."""
    verdict = said({"activities": {"at_least": 1, **wanted}}, activities=activities)
    count = verdict.seen["activities"]
    assert isinstance(count, Decimal)
    return int(count)


@pytest.mark.parametrize(
    ("wanted", "counts"),
    [
        ({"kind": "call"}, 2),
        ({"kind": ["Call", "meeting"]}, 3),
        ({"kind": "demo"}, 1),
        ({"kind": "call", "state": "done"}, 1),
        ({"kind": "call", "state": "open"}, 1),
        ({"subject": "BANT"}, 2),
        ({"kind": "call", "subject": "bant"}, 1),
    ],
)
def test_activities_count_by_kind_state_and_subject(wanted: Mapping[str, Any], counts: int) -> None:
    """In any case; a CRM's own kinds go by its own word."""
    activities = (
        activity("call", subject="Bant: first"),
        activity("call", NOON + DAY, done=False),
        activity("meeting", subject="About bant"),
        activity("Demo"),
    )

    assert counts == counted(wanted, *activities)


@pytest.mark.parametrize(
    ("state", "days", "counts"),
    [
        ("done", [-30, -29, 0], 3),
        ("done", [-31, 1], 0),
        ("open", [0, 30], 2),
        ("open", [-1, 31], 0),
    ],
)
def test_within_looks_back_for_what_is_done_and_ahead_for_what_is_open(
    state: str, days: Sequence[int], counts: int
) -> None:
    """Both ends included; what is overdue is no next step."""
    activities = [activity(at=NOON + day * DAY, done=state == "done") for day in days]

    assert counts == counted({"state": state, "within": "30d"}, *activities, activity(at=None, done=state == "done"))


def test_in_stage_counts_those_of_the_visit() -> None:
    """From its first moment to its last; a stage that was skipped had none."""
    start, end = NOON - 5 * DAY, NOON - DAY
    visit = make_visit(entered_at=start, left_at=end)
    activities = [activity(at=at) for at in (start - DAY, start, end, end + DAY)]
    check = {"activities": {"in_stage": True, "at_least": 2}}

    assert PASS is said(check, activities=activities, visit=visit).judgement
    assert FAIL is said(check, activities=activities[:2], visit=visit).judgement
    assert FAIL is said(check, activities=activities, visit=None).judgement


def test_activities_that_are_not_pulled_are_unknown() -> None:
    """That is not the same as there being none."""
    check = {"activities": {"kind": "call", "within": "30d", "state": "done"}}
    none = said(check, activities=())

    assert (UNKNOWN, ("activities",)) == ((unknown := said(check)).judgement, unknown.missing)
    assert (FAIL, "The deal has 0 of the 1 done call activities within 30 days it needs.") == (
        none.judgement,
        none.message,
    )


def test_more_than_is_needed_is_not_said_as_a_part_of_it() -> None:
    """Four calls are two of the two that are needed; all four are what the rule saw."""
    check = {"activities": {"kind": "call", "at_least": 2, "state": "done"}}
    found = said(check, activities=[activity(at=NOON - DAY) for _ in range(4)])
    counted_by_crm = said({"activities": {"at_least": 2, "state": "done"}}, {"activities_done": Decimal(4)})

    assert (PASS, "The deal has 2 of the 2 done call activities it needs.") == (found.judgement, found.message)
    assert {"activities": 4} == found.seen
    assert (PASS, "The deal has 2 of the 2 done activities it needs.") == (
        counted_by_crm.judgement,
        counted_by_crm.message,
    )


def within(wanted: str) -> dict[str, Any]:
    """Make a process that asks for a done call, and an open task, within some time."""
    rules = [
        {"id": state, "check": {"activities": {"within": wanted, "state": state}}} for state in ("done", "open", "any")
    ]
    return {"stages": [make_stage("qualification", exit=rules), make_stage("proposal")]}


@given(
    hours=st.lists(st.integers(-72, 72), max_size=4),
    done=st.lists(st.booleans(), min_size=4, max_size=4),
    share=st.floats(0, 0.999999),
)
def test_an_evaluation_is_good_until_an_activity_begins_or_ceases_to_count(
    hours: list[int], done: list[bool], share: float
) -> None:
    """Before that moment it says the same, whenever it is asked."""
    activities = [activity(at=NOON + timedelta(hours=h), done=d) for h, d in zip(hours, done, strict=False)]
    subject = make_subject(process=make_process(**within("2d")), activities=activities)
    first = evaluate(subject, NOON)
    end = first.until or NOON + 400 * DAY
    later = evaluate(subject, min(NOON + (end - NOON) * share, end - timedelta(microseconds=1)))

    assert [v.judgement for v in first.readiness] == [v.judgement for v in later.readiness]


def test_an_activity_falls_out_of_the_time_it_counts_in() -> None:
    """Exactly the length of time still counts; from the next moment on it doesn't."""
    process = make_process(**within("2d"))
    subject = make_subject(process=process, activities=[activity(at=NOON)])
    until = evaluate(subject, NOON + DAY).until

    assert NOON + 2 * DAY + timedelta(microseconds=1) == until
    assert [PASS, FAIL] == [evaluate(subject, at).readiness[0].judgement for at in (NOON + 2 * DAY, until)]


# ── Company and contacts ────────────────────────────────────────────────────────────────────────────────


def test_a_company_must_be_linked_and_filled_in() -> None:
    """Where companies are pulled; else nobody can tell."""
    check = {"company": {"required": ["domain"]}}
    known, bare = make_company(domain="acme.example"), make_company(domain=" ")

    assert UNKNOWN is said(check).judgement
    assert (FAIL, "No company is linked.") == (
        (none := said(check, beside=Beside(companies=[]))).judgement,
        none.message,
    )
    assert {"company.domain": "acme.example"} == said(check, beside=Beside(companies=[known])).seen
    assert ("company.domain",) == said(check, beside=Beside(companies=[bare])).missing


@pytest.mark.parametrize(
    ("wanted", "judgement"),
    [
        ({}, PASS),
        ({"at_least": 3}, FAIL),
        ({"title": ["head", "chief"]}, PASS),
        ({"title": "head", "at_least": 2}, UNKNOWN),  # the other one may be
        ({"title": "head", "at_least": 3}, FAIL),
        ({"title": "buyer"}, UNKNOWN),
        ({"title": "buyer", "required": ["email"]}, FAIL),
        ({"required": ["email"], "at_least": 2}, FAIL),
        ({"required": ["email"], "title": "head"}, PASS),
    ],
)
def test_contacts_count_by_title_and_what_is_known_of_them(wanted: Mapping[str, Any], judgement: Judgement) -> None:
    """One of the words must stand in the title, in any case; whether one without a title counts, nobody can tell."""
    contacts = [make_contact(1, name="Ana", title="Head of IT"), make_contact(2, name="Bo", title=None, email="")]
    verdict = said({"contacts": wanted}, beside=Beside(contacts=contacts))

    assert judgement is verdict.judgement
    assert ("Ana (Head of IT)", "Bo") == verdict.seen["contacts"]


def test_contacts_that_are_not_pulled_are_unknown() -> None:
    """And none linked is a failure."""
    assert [UNKNOWN, FAIL] == [said({"contacts": {}}, beside=one).judgement for one in (Beside(), Beside(contacts=[]))]


# ── Documents ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("value", "judgement"),
    [
        ("https://docs.example/proposal", PASS),
        ("file:///shares/proposal.pdf", PASS),
        ("\\\\server\\share\\proposal.pdf", PASS),
        (("https://a.example/1", "https://a.example/2"), PASS),
        ("sent by mail", FAIL),
        ("proposal: see mail", FAIL),
        ("http://[", FAIL),
        ("", FAIL),
        (None, FAIL),
        (True, FAIL),
    ],
)
def test_a_document_is_there_when_a_field_holds_a_link(value: Value, judgement: Judgement) -> None:
    """To the web, a file or a share; words are no document."""
    assert judgement is said({"attachments": {"links": ["source"]}}, {"source": value}).judgement


def test_a_note_can_show_that_something_is_there() -> None:
    """Where notes are pulled; both must hold where both are asked for."""
    check = {"attachments": {"links": ["source"], "note": "minutes"}}
    note = make_record(Kind.NOTE, fields={"body": "The Minutes of our meeting"})
    link: dict[str, Value] = {"source": "https://a.example"}

    assert PASS is said(check, link, beside=Beside(notes=[note])).judgement
    assert ("notes",) == said(check, link, beside=Beside(notes=[])).missing
    assert ("source",) == said(check, beside=Beside(notes=[note])).missing
    assert UNKNOWN is said(check, link).judgement


# ── Approvals ───────────────────────────────────────────────────────────────────────────────────────────

USERS = (
    make_user("7", name="Rita Prado", email="rita@example.com"),
    make_user("8", name="Bo Lund", email="bo@example.com"),
    make_user("9", name="Bo Lund", email="other.bo@example.com"),
)
STAFF = Beside(users=USERS, people={"leader": ["Bo@example.com"], "finance": []})


def approved(by: Value, beside: Beside = STAFF, amount: int = 20, **rule: Any) -> Judgement:
    """Judge a discount that was approved, of a deal that Rita owns."""
    check = {"approval": {"field": "discount", "over": 10, "by": "source", **rule}}
    return said(check, {"discount": Decimal(amount), "source": by, "owner": "7"}, beside=beside).judgement


@pytest.mark.parametrize(
    ("by", "who", "judgement"),
    [
        ("bo@example.com", ["leader"], PASS),
        ("BO@example.com ", "leader", PASS),
        ("8", ["leader"], PASS),
        ("rita prado", ["leader", "rita@example.com"], PASS),
        ("rita@example.com", ["leader"], FAIL),
        ("7", ["leader"], FAIL),
        ("Bo Lund", ["leader"], UNKNOWN),  # two have that name
        ("Somebody", ["leader"], UNKNOWN),
        ("bo@example.com", ["finance"], UNKNOWN),  # nobody is listed
        (True, ["leader"], UNKNOWN),
        ("", ["leader"], FAIL),
    ],
)
def test_an_approval_counts_from_those_who_may(by: Value, who: Any, judgement: Judgement) -> None:
    """Named by e-mail, by a user's id or by a name that only one has; what can't be told is not decided."""
    assert judgement is approved(by, who=who)


def test_below_the_threshold_nobody_is_asked() -> None:
    """Whoever is named."""
    assert PASS is approved("Somebody", amount=10, who=["leader"], not_owner=True)


@pytest.mark.parametrize(
    ("by", "beside", "judgement"),
    [
        ("bo@example.com", STAFF, PASS),
        ("rita@example.com", STAFF, FAIL),
        ("7", STAFF, FAIL),
        ("bo@example.com", NOTHING_BESIDE, UNKNOWN),
    ],
)
def test_nobody_approves_for_their_own_deal(by: str, beside: Beside, judgement: Judgement) -> None:
    """Where the rule says so; without users nobody knows whose it is."""
    assert judgement is approved(by, beside, not_owner=True)


def test_the_words_say_why_an_approval_does_not_count() -> None:
    """And what would mend it."""
    check = {"approval": {"field": "discount", "over": 10, "by": "source", "not_owner": True}}
    verdict = said(check, {"discount": Decimal(20), "source": "7", "owner": "7"}, beside=STAFF)

    assert "7 owns the deal. Somebody else must approve." == verdict.message
    assert (("source",), {"discount", "source", "owner"}) == (verdict.missing, set(verdict.seen))


def test_a_deal_is_judged_with_what_stands_beside_it() -> None:
    """The subject hands it to the rules of its stage."""
    rule = {"id": "rule", "check": {"contacts": {"title": "head"}}}
    process = make_process(stages=[make_stage("qualification", exit=[rule]), make_stage("proposal")])
    subject = make_subject(deal=make_deal(), process=process, beside=Beside(contacts=[make_contact(title="Head")]))

    assert [PASS] == [verdict.judgement for verdict in evaluate(subject, NOON).readiness]


# ── What nobody shows us ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("check", "name", "value"),
    [
        ({"company": {"required": ["domain"]}}, "company", "12"),
        ({"contacts": {"at_least": 2}}, "contacts", ("3", "4")),
    ],
)
def test_what_a_deal_names_and_nobody_shows_is_not_missing(check: Mapping[str, Any], name: str, value: Value) -> None:
    """The CRM does not show the company or one of the contacts, or who they are can't be read; that is undecided."""
    beside = Beside(companies=(), contacts=(make_contact(),))
    unseen = said(check, {name: value}, beside=beside)
    unread = said(check, beside=beside, unreadable=frozenset({name}))

    assert (UNKNOWN, "fail") == (unseen.judgement, unseen.on_unknown)
    assert f"The CRM does not show us the deal's {name}, so this can't be decided." == unseen.message
    assert (UNKNOWN, "warn") == (unread.judgement, unread.on_unknown)
    assert FAIL is said(check, beside=beside).judgement


def test_contacts_that_are_enough_need_no_others() -> None:
    """Whoever else is on the deal."""
    shown = Beside(contacts=(make_contact(),))

    assert PASS is said({"contacts": {"at_least": 1}}, {"contacts": ("3", "4")}, beside=shown).judgement
