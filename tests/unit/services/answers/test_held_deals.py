"""Which deals are held, by what, and how long they still have."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from crmbridge.model.findings import Place, Severity, Waived
from crmbridge.model.records import Kind, Position, Status
from crmbridge.model.replacing import replace
from crmbridge.ports import Page
from crmbridge.services.answers.held_deals import HeldDeal, HeldQuery, by_rule, held_deals
from crmbridge.services.workspace import Workspace
from crmbridge.testing.factories import (
    make_clock,
    make_deal,
    make_evaluation,
    make_finding,
    make_ref,
    make_user,
    make_visit,
)
from crmbridge.testing.fake_records import PIPELINE
from crmbridge.testing.workspaces import MONDAY, make_bench


def workspace_with(*evaluations: Any) -> Workspace:
    """Give a workspace whose deals 1 to 4 were evaluated; 1 to 3 are known, 4 is gone."""
    bench = make_bench()
    records = [make_deal(n, position=Position(PIPELINE, "qualification", Status.OPEN)) for n in (1, 2, 3)]
    bench.workspace.store.records.save_page("north", Kind.DEAL, Page(records=tuple(records), cursor="c"), MONDAY)
    bench.workspace.store.records.save_page("north", Kind.USER, Page(records=(make_user(),), cursor="c"), MONDAY)
    bench.workspace.store.findings.save(evaluations, MONDAY)
    return bench.workspace


def evaluated(number: int, *findings: Any, due_at: datetime | None = None, **overrides: Any) -> Any:
    """Make a deal's evaluation; with a time, its clock runs out then."""
    ref = make_ref(number)
    clocks = (make_clock(visit=make_visit(deal=ref), due_at=due_at),) if due_at else ()
    visits = tuple(clock.visit for clock in clocks)
    return make_evaluation(*findings, deal=ref, visits=visits, clocks=clocks, **overrides)


def finding(number: int, rule: str = "qualification.bant", **overrides: Any) -> Any:
    """Make an open finding on a deal."""
    return make_finding(rule, id=f"{number}-{rule}", deal=make_ref(number), **overrides)


def test_the_least_time_left_comes_first() -> None:
    """Then those without a running clock, the gravest first; a deal that is gone or not held is not there."""
    found = held_deals(
        workspace_with(
            evaluated(1, finding(1, severity=Severity.WARNING)),
            evaluated(2, finding(2), due_at=MONDAY + timedelta(days=1)),
            evaluated(3, finding(3, severity=Severity.ERROR)),
            evaluated(4, finding(4)),
        )
    )

    assert ["2", "3", "1"] == [one.deal.id for one in found]
    assert [86_400.0, None, None] == [one.left(MONDAY) for one in found]


def test_a_deal_stands_once_with_the_gravest_first() -> None:
    """What somebody accepted does not hold it."""
    waived = finding(1, "qualification.sla", waived=Waived("me", "so"))
    held = finding(1, severity=Severity.WARNING), finding(1, "qualification.who", severity=Severity.ERROR)
    (found,) = held_deals(
        workspace_with(evaluated(1, *held, waived), evaluated(2, finding(2, waived=Waived("me", "so"))))
    )

    assert ["qualification.who", "qualification.bant"] == [hold.rule for hold in found.holds]
    assert ("Deal 1", "Rita Prado", "qualification", Severity.ERROR) == (
        found.name,
        found.owner,
        found.place.stage,
        found.severity,
    )


def some() -> HeldDeal:
    """Give a held deal."""
    (found,) = held_deals(workspace_with(evaluated(1, finding(1))))
    return found


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        (HeldQuery(), True),
        (HeldQuery(status="closed"), False),
        (HeldQuery(status="all"), True),
        (HeldQuery(owner="Rita Prado"), True),
        (HeldQuery(owner=""), False),
        (HeldQuery(stage="closing"), False),
        (HeldQuery(stage=""), False),
        (HeldQuery(rule="qualification.bant", stage="qualification"), True),
        (HeldQuery(rule="qualification.b"), False),
        (HeldQuery(name="EAL 1"), True),
        (HeldQuery(name="deals"), False),
        (HeldQuery(due_before=MONDAY + timedelta(days=1)), True),
        (HeldQuery(due_before=MONDAY), False),
        (HeldQuery(due_from=MONDAY), True),
        (HeldQuery(due_from=MONDAY + timedelta(seconds=1)), False),
    ],
)
def test_what_is_looked_for(query: HeldQuery, *, fits: bool) -> None:
    """All that is said must fit, whole."""
    assert fits == query.fits(replace(some(), due_at=MONDAY))


def test_without_a_running_clock_nothing_is_due() -> None:
    """Neither late nor soon."""
    never = some()

    assert [True, False, False] == [
        query.fits(never) for query in (HeldQuery(), HeldQuery(due_from=MONDAY), HeldQuery(due_before=MONDAY))
    ]


def test_owners_are_named_as_they_are_shown() -> None:
    """A browser gives spaces back as it shows them, and what turns text around is shown nowhere."""
    workspace = workspace_with(evaluated(1, finding(1)))
    user = make_user(fields={"name": " Rita\u202e   Prado"})
    workspace.store.records.save_page("north", Kind.USER, Page(records=(user,), cursor="d"), MONDAY)

    assert ["Rita Prado"] == [one.owner for one in held_deals(workspace)]


def test_closed_deals_are_told_apart() -> None:
    """By where they stand in their CRM."""
    one = some()

    assert [True, False, False] == [
        HeldDeal(deal=one.deal, name="", owner="", place=Place(None, status), amount=None, holds=one.holds).is_open
        for status in (Status.OPEN, Status.WON, Status.LOST)
    ]


def test_deals_are_counted_once_for_each_rule() -> None:
    """However often it holds them."""
    again = make_finding(id="again", deal=make_ref(1), visit=2)
    found = held_deals(workspace_with(evaluated(1, finding(1), again), evaluated(2, finding(2), finding(2, "move"))))

    assert [("qualification.bant", 2), ("move", 1)] == by_rule(found)
