"""What a deal held at a move is asked for where it decides something, and nobody knows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from crmbridge.engine.deals.subject import Subject
from crmbridge.engine.evaluating.doubts import RECENT, Doubt, doubt
from crmbridge.testing.factories import NOON, make_deal, make_moves, make_process, make_stage, make_subject

HOUR = timedelta(hours=1)
CAME, WENT_ON, EDITED = NOON - 9 * HOUR, NOON - 5 * HOUR, NOON - HOUR
RULE = {"id": "named", "check": {"required": ["why"]}}


def moved(*, updated_at: Any = EDITED, **process: Any) -> Subject:
    """Give a deal that went on to proposal, and was edited after; `proposal` has parts of that stage."""
    proposal = process.pop("proposal", {})
    stages = [make_stage("qualification"), make_stage("proposal", **proposal), make_stage("care", status="won")]
    made = make_process(fields=[{"id": "why", "name": "Why"}], stages=stages, **process)
    deal = make_deal(stage="proposal", created_at=CAME, updated_at=updated_at)
    return make_subject(*make_moves((CAME, "qualification"), (WENT_ON, "proposal")), deal=deal, process=made)


def test_an_entry_rule_that_is_broken_is_asked_about() -> None:
    """As of when the deal came in; not where it was not edited since, nor long after."""
    strict = {"proposal": {"entry": [RULE]}}

    assert Doubt(WENT_ON, frozenset({"why"}), WENT_ON) == doubt(moved(**strict), NOON)
    assert doubt(moved(**strict, updated_at=WENT_ON), NOON) is None
    assert doubt(moved(**strict), WENT_ON + RECENT + HOUR) is None
    assert doubt(moved(), NOON) is None


def test_whose_deal_it_was_is_asked_where_that_says_who_may_move_it() -> None:
    """Only where the owner may, and only of the stage that the deal came into."""
    who = [{"proposal": ["owner"]}, {"proposal": ["seller"]}, {"care": ["owner"]}]

    assert [Doubt(WENT_ON, frozenset({"owner"}), WENT_ON), None, None] == [
        doubt(moved(moves={"who": each}), NOON) for each in who
    ]
