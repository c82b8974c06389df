"""What changed between two versions, in words."""

from __future__ import annotations

from typing import Any

from crmbridge.manual.comparing import ChangedPart, compare
from crmbridge.manual.words import words_of
from crmbridge.testing.factories import make_calendar, make_process, make_stage


def changes(old: dict[str, Any], new: dict[str, Any]) -> list[tuple[str, str, str, str, str, str]]:
    """Compare two processes; each change as part, what, kind, name, before and after."""
    found = compare(make_process(**old), make_process(**new), words_of("en"))
    return [row for part in found for row in _rows(part)]


def _rows(part: ChangedPart) -> list[tuple[str, str, str, str, str, str]]:
    return [
        (
            part.name.striptags(),
            one.what,
            one.kind.striptags(),
            one.name.striptags(),
            one.before.striptags(),
            one.after.striptags(),
        )
        for one in part.changes
    ]


def stage(**parts: Any) -> dict[str, Any]:
    """Give a process of one stage."""
    return {"stages": [make_stage(**parts)]}


def test_nothing_changed() -> None:
    """The same process has no changes."""
    assert [] == changes({}, {})


def test_stages_come_and_go() -> None:
    """And stages that stay are not told of."""
    assert [
        ("The whole process", "removed", "Stage", "A", "", ""),
        ("The whole process", "added", "Stage", "C", "", ""),
    ] == (changes({"stages": [make_stage("a"), make_stage("b")]}, {"stages": [make_stage("b"), make_stage("c")]}))


def test_the_order_of_stages_is_told() -> None:
    """When it is another one."""
    a, b = make_stage("a"), make_stage("b")

    assert ("The whole process", "changed", "Order of the stages", "", "A and B", "B and A") in (
        changes({"stages": [a, b]}, {"stages": [b, a]})
    )


def test_a_rule_is_told_with_what_it_said_before() -> None:
    """In words."""
    old = stage(exit=[{"id": "x", "check": {"bounds": {"field": "amount", "min": 5}}}])
    new = stage(exit=[{"id": "x", "check": {"bounds": {"field": "amount", "min": 9}}}])

    assert [("Qualification", "changed", "Exit rule", "x", "Amount is at least 5.", "Amount is at least 9.")] == (
        changes(old, new)
    )


def test_slas_hand_offs_and_owners_are_told() -> None:
    """Added, changed and removed."""
    roles = [{"id": "seller", "name": "Seller"}, {"id": "carer", "name": "Carer"}]
    old = stage(sla={"goal": "5bd", "calendar": "office", "warn_at": ["80%"]})
    new = stage(owner="carer", handoff={"to": "seller", "accept_within": "4h"})
    found = changes({**old, "roles": roles}, {**new, "roles": roles})

    assert ("Qualification", "changed", "Owner", "", "Seller", "Carer") in found
    assert ("Qualification", "added", "Hand-off", "", "", "Seller, within 4 hours") in found
    assert ("removed", "SLA") in [(row[1], row[2]) for row in found]


def test_activities_are_told() -> None:
    """With what has to be done now."""
    old = stage(activities=[{"id": "call", "name": "Call", "how": "Dial."}])
    new = stage(
        activities=[{"id": "call", "name": "Ring", "how": "Dial."}, {"id": "visit", "name": "Visit", "how": "Go."}]
    )

    assert [
        ("Qualification", "changed", "Activity", "Ring", "Call Dial.", "Ring Dial."),
        ("Qualification", "added", "Activity", "Visit", "", "Go."),
    ] == changes(old, new)


def test_a_new_name_of_a_role_is_told_once() -> None:
    """And not wherever the role is named."""
    roles = [[{"id": "seller", "name": name}] for name in ("Seller", "Account executive")]
    parts = stage(handoff={"to": "seller", "accept_within": "4h"})

    assert [("The whole process", "changed", "Role", "", "Seller", "Account executive")] == (
        changes({"roles": roles[0], **parts}, {"roles": roles[1], **parts})
    )


def test_calendars_fields_and_moves_are_told() -> None:
    """What belongs to the whole process."""
    old = {
        "calendars": {"office": make_calendar()},
        "fields": [{"id": "plan", "name": "Plan"}],
        "stages": [make_stage()],
    }
    new = {
        "calendars": {"office": make_calendar(timezone="Asia/Shanghai")},
        "fields": [{"id": "plan", "name": "Plan", "type": "date"}],
        "stages": [make_stage()],
        "moves": {"skip": True},
    }
    told = [(what, kind, name) for _part, what, kind, name, _before, _after in changes(old, new)]

    assert [("changed", "Moves", ""), ("changed", "Field", "Plan"), ("changed", "Calendar", "office")] == told
