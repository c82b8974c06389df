"""What is one role's, and its first week."""

from __future__ import annotations

from typing import Any

from crmbridge.manual.first_week import first_week, questions
from crmbridge.manual.roles import Duties, duties_of
from crmbridge.manual.speech import Speech
from crmbridge.manual.words import words_of
from crmbridge.testing.factories import make_process, make_stage

ROLES = [
    {"id": "seller", "name": "Seller"},
    {"id": "scout", "name": "Scout"},
    {"id": "expert", "name": "Expert"},
    {"id": "idle", "name": "Idle"},
]
MATERIALS = [
    {"id": "profile", "name": "Profile", "kind": "document"},
    {"id": "script", "name": "Script", "kind": "script"},
    {"id": "crm", "name": "CRM", "kind": "system"},
    {"id": "other", "name": "Other", "kind": "form"},
]


def speech(**overrides: Any) -> Speech:
    """Give a process with a scout, a seller, an expert who helps, and somebody who has nothing to do."""
    find = make_stage(
        "find",
        owner="scout",
        activities=[{"id": "search", "name": "Search", "how": "Look.", "materials": ["profile", "script", "crm"]}],
        exit=[{"id": "contact", "check": {"required": ["contacts"]}}],
        sla={"goal": "5bd", "calendar": "office"},
        slas=[{"id": "touch", "name": "Touch", "kind": "first_touch", "goal": "4bh", "calendar": "office"}],
        handoff={"to": "seller", "accept_within": "2bh", "calendar": "office"},
    )
    sell = make_stage(
        "sell",
        activities=[{"id": "visit", "name": "Visit", "how": "Go there.", "role": "expert"}],
        exit=[{"id": "ok", "check": {"approval": {"field": "amount", "over": 5, "by": "source", "who": ["scout"]}}}],
    )
    usual = {"roles": ROLES, "materials": MATERIALS, "stages": [find, sell, make_stage("care", status="won")]}
    return Speech(make_process(**{**usual, **overrides}), words_of("en"))


def duties(role: str, **overrides: Any) -> Duties:
    """Collect a role's duties."""
    spoken = speech(**overrides)
    return duties_of(next(one for one in spoken.process.roles if one.id == role), spoken)


def test_what_is_due_soonest_comes_first() -> None:
    """Four business hours before five business days, whichever order the file has."""
    assert ["touch", "sla"] == [clock.limit.id for clock in duties("scout").clocks]


def test_a_hand_off_runs_against_who_takes_over() -> None:
    """And is given by who had the deal before."""
    assert ["handoff"] == [clock.limit.id for clock in duties("seller").clocks]
    assert ["find"] == [stage.id for stage in duties("seller").taken]
    assert ["find"] == [stage.id for stage in duties("scout").given]
    assert () == duties("scout").taken


def test_a_limit_of_the_whole_process_runs_against_who_owns_open_deals() -> None:
    """And not against who only helps."""
    limit = [{"id": "silence", "name": "Silence", "kind": "no_activity", "goal": "14d"}]

    assert "silence" in [clock.limit.id for clock in duties("seller", slas=limit).clocks]
    assert () == duties("expert", slas=limit).clocks


def test_work_in_a_stage_of_somebody_else_is_named() -> None:
    """The expert visits in the seller's stage."""
    (part,) = duties("expert").parts

    assert ("sell", False, ["visit"]) == (part.stage.id, part.owned, [one.id for one in part.activities])


def test_who_is_named_in_an_approval_has_it_among_the_duties() -> None:
    """Where nobody is named, it is who leads the process."""
    assert [("sell", "ok")] == [(stage.id, rule) for stage, rule in duties("scout").approvals]
    assert () == duties("seller").approvals


def test_a_first_week_goes_from_reading_to_doing() -> None:
    """Documents are read, systems opened, scripts played, activities watched, done with somebody, then alone."""
    spoken = speech()
    week = first_week(duties("scout"), spoken)
    steps = [[step.text.striptags() for step in day.steps] for day in week]

    assert ["Day 1: read", "Day 2: watch", "Day 3: practise", "Day 4: do it together", "Day 5: do it"] == [
        day.name for day in week
    ]
    assert "Read: Profile" in steps[0]
    assert ["Get your access and open: CRM", "Watch a colleague: Search"] == steps[1]
    assert "Play it through with a colleague, both sides: Script" in steps[2]
    assert ["Do it with a colleague: Search"] == steps[3]
    assert "Bring one deal of your own through Find, the checklist beside you" in steps[4]
    assert "Other" not in str(steps)


def test_a_role_without_work_reads_and_asks() -> None:
    """Days without anything to do fall away."""
    assert ["Day 1: read", "Day 2: do it"] == [day.name for day in first_week(duties("idle"), speech())]


def test_questions_come_with_their_answers() -> None:
    """Of the rules and the times that run against the role."""
    asked = {one.text.striptags(): one.answers for one in questions(duties("scout"), speech())}

    assert "Contacts is filled in" == asked["What must hold before a deal leaves Find?"][0].striptags()
    assert "How long may it take: Touch?" in asked
