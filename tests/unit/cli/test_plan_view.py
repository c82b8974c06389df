"""How a plan is shown."""

from __future__ import annotations

import pytest
from tests.unit.cli.written import text

from crmbridge.cli.plan_view import change_lines, plan_lines, summary_line
from crmbridge.cli.speech import english
from crmbridge.model.changes import Action, Blocked, FieldEdit
from crmbridge.model.records import Kind
from crmbridge.services.answers.naming import Names
from crmbridge.testing.factories import make_change, make_plan, make_ref

NAMES = Names(
    adapters={"north": "fake"},
    deals={make_ref("1"): "Rollout"},
    others={make_ref("7", kind=Kind.USER): "rita@example.com"},
    stages={"proposal": "Proposal", "closing": "Closing"},
)


def test_an_update_shows_before_and_after_by_name() -> None:
    """Stages and owners by what people call them, each field on a line of its own."""
    edits = (FieldEdit("owner", None, "7"), FieldEdit("stage", "proposal", "closing"))

    assert text(change_lines(make_change(edits=edits), NAMES, english())).splitlines() == [
        '  ~ update "Rollout"  north:1',
        "      owner    (empty)   → rita@example.com",
        "      stage    Proposal  → Closing",
        "      because  the other side was changed",
        "",
    ]


def test_a_deal_without_a_known_name_is_shown_by_its_ref() -> None:
    """Better than nothing."""
    assert "  ~ update north:9  north:9" in text(change_lines(make_change("9"), NAMES, english()))


def test_what_needs_a_person_shows_every_side() -> None:
    """With the reason, under the connection."""
    blocked = Blocked(
        link="l", deal=make_ref("1"), name="amount", reason="both changed", values={"north": 1, "south": 2}
    )
    said = text(plan_lines(make_plan(blocked=(blocked,)), NAMES, english())).splitlines()

    assert [
        '  ! amount of "Rollout"  north:1',
        "      north    1",
        "      south    2",
        "      because  both changed",
    ] == said[2:6]
    assert "Plan: 1 needs a person." == said[-1]


@pytest.mark.parametrize(
    ("actions", "blocked", "says"),
    [
        ([], 0, "Plan: nothing to do. The CRMs agree, and no rule asks for anything."),
        ([Action.CREATE, Action.UPDATE, Action.UPDATE], 0, "Plan: 1 to create, 2 to update."),
        ([Action.TASK, Action.NOTE, Action.NOTE], 0, "Plan: 1 task, 2 notes."),
        ([Action.UPDATE], 2, "Plan: 1 to update, 2 need a person."),
    ],
)
def test_the_last_line_says_it_all(actions: list[Action], blocked: int, says: str) -> None:
    """Counted by what is done."""
    changes = [make_change(str(number), action=action) for number, action in enumerate(actions)]
    stopped = tuple(
        Blocked(link="l", deal=make_ref("1"), name=str(number), reason="", values={}) for number in range(blocked)
    )

    assert says == text([summary_line(make_plan(*changes, blocked=stopped), english())]).strip()


def test_a_plan_of_what_could_be_read_says_so() -> None:
    """Of a CRM that refused us nobody knows whether it agrees."""
    said = text(plan_lines(make_plan(), NAMES, english(), complete=False))

    assert "Plan: nothing to do, as far as the CRMs could be read." == said.strip()


def test_a_long_plan_is_shown_whole() -> None:
    """No pager, no cut."""
    plan = make_plan(*(make_change(str(number)) for number in range(500)))

    assert 500 == text(plan_lines(plan, NAMES, english())).count("~ update")
