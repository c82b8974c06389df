"""The StoreSuite's tests of visits and SLA clocks."""

from __future__ import annotations

from datetime import timedelta

from crmbridge.model.business_time import Duration
from crmbridge.model.findings import Place, SlaClock, SlaState, Visit
from crmbridge.model.records import Status
from crmbridge.model.replacing import replace
from crmbridge.ports import StateStore
from crmbridge.testing.stores.makers import HOUR, START, make_evaluation, make_ref


class ClockSuite:
    """Visits and SLA clocks come back as they were saved, and are replaced with the next evaluation."""

    def test_visits_and_clocks_are_replaced(self, store: StateStore) -> None:
        """The deal's own; they come back whole."""
        left = Visit(
            deal=make_ref(),
            stage="qualification",
            number=1,
            entered_at=START,
            left_at=START + HOUR,
            to=Place(None, Status.LOST),
        )
        stays = replace(left, number=2, entered_at=START + 2 * HOUR, left_at=None, to=None)
        clock = SlaClock(
            visit=left,
            sla="qualification.sla",
            calendar="office",
            limit=Duration.parse("12.5bh"),
            goal=timedelta(days=5),
            elapsed=timedelta(hours=1, microseconds=1),
            started_at=START,
            ended_at=START + HOUR,
            due_at=None,
            state=SlaState.ON_TIME,
            pauses=((START, START + HOUR / 4), (START + HOUR / 2, START + HOUR)),
            judged_by="0123/4567",
        )
        pauses = ((START + 3 * HOUR, None),)
        running = replace(clock, visit=stays, ended_at=None, due_at=START, state=SlaState.AT_RISK, pauses=pauses)
        store.findings.save([make_evaluation("1", visits=(left,)), make_evaluation("2")], START)
        whole = make_evaluation("1", visits=(left, stays), clocks=(running, clock))
        store.findings.save([whole], START + HOUR)
        store.findings.save([make_evaluation("2")], START + HOUR)

        assert [left, stays] == list(store.findings.visits())
        assert [clock, running] == list(store.findings.clocks())
        assert [False, True] == [each.running for each in store.findings.clocks()]
        assert {make_ref(): (clock, running)} == store.findings.clocks_of([make_ref(), make_ref("2"), make_ref("3")])

    def test_one_visit_can_have_several_clocks_of_an_sla(self, store: StateStore) -> None:
        """Each message of a customer is one; they come in the order in which they began."""
        visit = Visit(deal=make_ref(), stage="diagnosis", number=1, entered_at=START)
        first = SlaClock(
            visit=visit,
            sla="sla.answer",
            calendar="",
            limit=Duration.parse("4h"),
            goal=4 * HOUR,
            elapsed=HOUR,
            started_at=START + HOUR,
            ended_at=START + 2 * HOUR,
            due_at=START + 5 * HOUR,
            state=SlaState.ON_TIME,
        )
        second = replace(first, started_at=START + 3 * HOUR, ended_at=None)
        store.findings.save([make_evaluation("1", visits=(visit,), clocks=(second, first))], START)

        assert {make_ref(): (first, second)} == store.findings.clocks_of([make_ref()])
