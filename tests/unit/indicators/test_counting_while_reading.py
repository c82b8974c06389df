"""Clocks that are counted while they are read, and deals that are looked up by id alone, give the same figures."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.indicators.conftest import State

from crmbridge.indicators import Options, compute
from crmbridge.indicators.own import OwnMeasure
from crmbridge.model.figures import Scorecard, Unit
from crmbridge.model.findings import Evaluation, Place, SlaClock, SlaState, Visit
from crmbridge.model.records import Status
from crmbridge.testing.factories import NOON, make_clock, make_evaluation, make_process, make_ref

OWN = OwnMeasure(id="mine", name="Mine", definition="One.", unit=Unit.COUNT, sql="SELECT 1 AS value", place="my.sql")
AIMED = {"id": "quick", "name": "Quick", "measure": "time_in_stage", "stage": "qualification", "target": "5bd"}
PROCESS = make_process(indicators=[AIMED, {"id": "kept", "name": "Kept", "measure": "sla_attainment"}])


@st.composite
def _evaluation(draw: st.DrawFn, number: int, connection: str) -> Evaluation:
    """Let a deal be in qualification once, for long or still, with a clock that may be of an SLA that is no more."""
    deal, entered = make_ref(number, connection=connection), NOON - timedelta(days=draw(st.integers(1, 800)))
    ends = draw(st.booleans())
    left = entered + (NOON - entered) * draw(st.floats(0, 1)) if ends else None
    to = Place("proposal", Status.OPEN) if ends else None
    visit = Visit(deal=deal, stage="qualification", number=1, entered_at=entered, left_at=left, to=to)
    clocks = draw(st.lists(st.sampled_from(("qualification.sla", "qualification.gone", "Übergabe'.x")), unique=True))
    told = tuple(_clock(draw, visit, sla) for sla in clocks)
    place = Place("proposal" if ends else "qualification", Status.OPEN)
    return make_evaluation(deal=deal, place=place, visits=(visit,), clocks=told)


def _clock(draw: st.DrawFn, visit: Visit, sla: str) -> SlaClock:
    elapsed = timedelta(seconds=draw(st.integers(0, 10**7)))
    return make_clock(visit=visit, sla=sla, state=draw(st.sampled_from(SlaState)), elapsed=elapsed)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), several=st.booleans())
def test_the_same_is_counted_of_clocks_that_are_kept(state: State, data: st.DataObject, *, several: bool) -> None:
    """SQL of one's own may look at single clocks, which are kept then: every other figure is as without it.

    The same deal ids are in two connections, or all deals are in one.
    """
    connections = ("a", "b") if several else ("a",)
    refs = [(number, connection) for number in range(4) for connection in connections]
    state.store.findings.forget([make_ref(number, connection=each) for number in range(4) for each in ("a", "b")], NOON)
    found = [data.draw(_evaluation(number, connection)) for number, connection in refs]
    state.store.findings.save(found, NOON)

    counted, kept = (compute(state.url, PROCESS, NOON, options) for options in (Options(), Options(own=(OWN,))))

    assert len(refs) == counted.coverage.with_history
    assert _told(counted) == _told(kept)


def _told(card: Scorecard) -> object:
    return [each for each in card.measures if each.id != OWN.id], card.indicators, card.coverage
