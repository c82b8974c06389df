"""The StoreSuite's tests of the life of findings: what happened to each, what was accepted, and looking for them."""

from __future__ import annotations

from typing import Any

import pytest

from crmbridge.model.findings import Evaluation, Finding, FindingKind, Place, Severity, Waived, Waiver
from crmbridge.model.lives import Known, Life, Turn
from crmbridge.model.records import Status
from crmbridge.model.replacing import replace
from crmbridge.ports import FindingQuery, StateStore
from crmbridge.testing.stores.makers import HOUR, START, make_evaluation, make_finding, make_ref

RULE = "qualification.bant"
WAIVED = Waived("Ann", "a pilot", START + 9 * HOUR)


def make_waiver(**other: Any) -> Waiver:
    """Make a waiver of the usual finding's rule for deal 1, given an hour after the start."""
    usual = {"deal": make_ref(), "rule": RULE, "by": "Ann", "why": "a pilot", "until": START + 9 * HOUR}
    return Waiver(**{**usual, "at": START + HOUR, **other})


def turns(store: StateStore, rule: str = RULE) -> list[tuple[Turn, int]]:
    """Give what happened to a rule of deal 1, and how many hours after the start."""
    return [(event.turn, (event.at - START) // HOUR) for event in store.findings.events(make_ref(), rule)]


def save(store: StateStore, hours: int, *findings: Finding) -> None:
    """Save what an evaluation of deal 1 said so many hours after the start."""
    store.findings.save([make_evaluation("1", *findings)], START + hours * HOUR)


class LifeSuite:
    """What happens to findings is noted once; their life says since when they ask for something."""

    def test_every_turn_is_noted_once(self, store: StateStore) -> None:
        """However often the same is saved again."""
        grave, waived = make_finding(severity=Severity.ERROR), make_finding(severity=Severity.ERROR, waived=WAIVED)
        for hours, finding in enumerate([make_finding(), grave, waived, grave]):
            save(store, hours, finding)
            save(store, hours, finding)
        save(store, 4)
        save(store, 5)
        save(store, 6, make_finding())

        expected = [Turn.OPENED, Turn.ESCALATED, Turn.WAIVED, Turn.RESUMED, Turn.CLEARED]
        assert [*((turn, hours) for hours, turn in enumerate(expected)), (Turn.OPENED, 6)] == turns(store)

    def test_an_sla_is_at_risk_and_then_breached(self, store: StateStore) -> None:
        """Two findings of one rule share a history."""
        rule = "qualification.sla"
        risk = make_finding("a", rule=rule, kind=FindingKind.SLA_AT_RISK)
        breach = make_finding("b", rule=rule, kind=FindingKind.SLA_BREACHED)
        save(store, 0, risk)
        save(store, 1, breach)

        assert [(Turn.AT_RISK, 0), (Turn.BREACHED, 1), (Turn.CLEARED, 1)] == turns(store, rule)

    def test_a_life_says_since_when_a_finding_asks_for_something(self, store: StateStore) -> None:
        """Since it was opened, or its waiver ended; each time is counted, and cleared ones stay known."""
        plain, waived, other = make_finding(), make_finding(waived=WAIVED), make_finding("f2")
        save(store, 0, plain, other)
        save(store, 1, waived)
        save(store, 2, plain)
        assert {
            make_ref(): (
                Known(plain, Life(START, START + 2 * HOUR, 2)),
                Known(other, Life(START, START, 1, START + HOUR)),
            )
        } == store.findings.known([make_ref(), make_ref("7")])
        save(store, 3)
        save(store, 4, waived)

        assert (
            Known(waived, Life(START + 4 * HOUR, START + 4 * HOUR, 3))
            == store.findings.known([make_ref()])[make_ref()][0]
        )

    def test_forgetting_a_deal_clears_what_was_open(self, store: StateStore) -> None:
        """And says so."""
        save(store, 0, make_finding())
        store.findings.forget([make_ref()], START + HOUR)
        store.findings.forget([make_ref()], START + 2 * HOUR)

        assert [(Turn.OPENED, 0), (Turn.CLEARED, 1)] == turns(store)

    def test_a_waiver_counts_at_once(self, store: StateStore) -> None:
        """Its open findings are waived, are not counted, and their deal falls due; other rules and deals stay."""
        mine, other, theirs = make_finding(), make_finding("f2", rule="move"), make_finding("f3", deal="2")
        store.findings.save([make_evaluation("1", mine, other), make_evaluation("2", theirs)], START)
        store.waivers.put(make_waiver())

        assert [replace(mine, waived=WAIVED), other, theirs] == [s.finding for s in store.findings.findings()]
        assert {Severity.WARNING: 2} == store.findings.counts()
        assert ((), (make_ref(),)) == (store.findings.due(START), store.findings.due(START + HOUR))
        assert [(Turn.OPENED, 0), (Turn.WAIVED, 1)] == turns(store)
        save(store, 2, replace(mine, waived=WAIVED), other)
        assert [(Turn.OPENED, 0), (Turn.WAIVED, 1)] == turns(store)

    def test_a_waiver_takes_the_place_of_the_one_before(self, store: StateStore) -> None:
        """One for each rule of a deal; they come ordered, also those that ran out."""
        later = make_waiver(until=START + 99 * HOUR, why="still a pilot")
        others = [make_waiver(deal=make_ref("2")), make_waiver(rule="move")]
        for waiver in (make_waiver(), later, *others):
            store.waivers.put(waiver)

        assert (others[1], later, others[0]) == store.waivers.all()

    def test_what_was_accepted_at_a_moment_is_kept(self, store: StateStore) -> None:
        """Until another waiver took its place, or somebody took it back; also one that ran out in between."""
        first, second = make_waiver(), make_waiver(at=START + 3 * HOUR, why="still a pilot")
        store.waivers.put(first)
        store.waivers.put(second)
        store.waivers.drop(make_ref(), RULE, START + 5 * HOUR, "Bo")

        held = [(), (first,), (first,), (second,), (second,), ()]
        assert held == [store.waivers.at(START + hour * HOUR) for hour in range(6)]
        assert () == store.waivers.all()

    def test_a_waiver_is_taken_back(self, store: StateStore) -> None:
        """Its findings ask again from then on; where there is none, nothing happens."""
        save(store, 0, make_finding())
        store.waivers.put(make_waiver())
        assert store.waivers.drop(make_ref(), RULE, START + 2 * HOUR, "Bo")
        assert not store.waivers.drop(make_ref(), RULE, START + 3 * HOUR, "Bo")

        assert () == store.waivers.all()
        ((known,),) = store.findings.known([make_ref()]).values()
        assert Known(make_finding(), Life(START, START + 2 * HOUR, 2)) == known
        assert [(Turn.OPENED, 0), (Turn.WAIVED, 1), (Turn.RESUMED, 2)] == turns(store)
        assert "taken back by Bo" == store.findings.events(make_ref(), RULE)[-1].said

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ({}, ["e1", "w0", "w1", "i0"]),
            ({"states": frozenset({"open"})}, ["e1", "w1", "i0"]),
            ({"states": frozenset({"waived", "cleared"})}, ["c0", "w0"]),
            ({"rule": "*.sla"}, ["e1"]),
            ({"rule": "m?ve"}, ["w1"]),
            ({"rule": "MOVE"}, ["w1"]),
            ({"rule": "m%"}, []),
            ({"severity": Severity.WARNING}, ["e1", "w0", "w1"]),
            ({"stage": "proposal"}, ["w1"]),
            ({"connection": "sf"}, []),
            ({"opened_before": START}, ["w0", "i0"]),
            ({"id_begins": "w"}, ["w0", "w1"]),
            ({"id_begins": "%"}, []),
            ({"limit": 2}, ["e1", "w0"]),
            ({"skip": 1, "limit": 2}, ["w0", "w1"]),
            ({"skip": 9}, []),
        ],
    )
    def test_findings_are_looked_for(self, store: StateStore, query: dict[str, Any], expected: list[str]) -> None:
        """The gravest first, then the oldest; the total heeds no limit."""
        waived = make_finding("w0", waived=WAIVED)
        other = make_finding("w1", deal="2", rule="move", stage="proposal")
        late = make_finding("e1", rule="qualification.sla", severity=Severity.ERROR)
        hint, cleared = make_finding("i0", severity=Severity.INFO), make_finding("c0", severity=Severity.ERROR)
        save(store, 0, hint, waived, cleared)
        save(store, 1, hint, waived, late)
        store.findings.save([make_evaluation("2", other)], START + HOUR)

        asked = FindingQuery(**query)
        assert expected == [stored.finding.id for stored in store.findings.search(asked)]
        whole = [*store.findings.search(replace(asked, skip=0, limit=None))]
        assert len(whole) == store.findings.total(asked)
        assert len({stored.finding.deal for stored in whole}) == store.findings.deals(asked)

    def test_what_has_been_wrong_for_longest_comes_first_of_what_was_found_at_once(self, store: StateStore) -> None:
        """A first run finds all at one moment, and people look at the old ones first."""
        new, old = make_finding("a"), make_finding("b", rule="move", since=START - 40 * HOUR)
        save(store, 0, new, old)

        assert ["b", "a"] == [stored.finding.id for stored in store.findings.search(FindingQuery())]

    def test_open_deals_are_counted(self, store: StateStore) -> None:
        """Of those that were evaluated, and not forgotten; so are those that have findings."""
        won: Evaluation = make_evaluation("2", make_finding("w", deal="2"), place=Place(None, Status.WON))
        store.findings.save([make_evaluation("1"), won, make_evaluation("3"), make_evaluation("4")], START)
        store.findings.forget([make_ref("3")], START)
        before = store.findings.deals(FindingQuery())
        store.findings.save([make_evaluation("1", make_finding("a"), make_finding("b"))], START)

        assert (2, 0, 1) == (store.findings.open_deals(), before, store.findings.deals(FindingQuery()))
