"""From a state that the store wrote to a page in a folder."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from crmbridge.indicators import compute
from crmbridge.model.figures import WaivedFindings
from crmbridge.model.findings import Place, SlaState, Waived
from crmbridge.model.records import Kind, Status
from crmbridge.ports import Page
from crmbridge.report import open_sink, render
from crmbridge.store import open_store
from crmbridge.testing.factories import (
    NOON,
    make_clock,
    make_deal,
    make_evaluation,
    make_finding,
    make_process,
    make_ref,
    make_user,
    make_visit,
)


def test_page_shows_what_the_store_holds(tmp_path: Path) -> None:
    """A late deal with a finding stands in the page with its owner's name, and the state is left as it was."""
    url = f"sqlite:///{tmp_path / 'state.db'}"
    store = open_store(url)
    store.records.save_page("north", Kind.USER, Page(records=(make_user(7, name="Rita <Prado>"),), cursor="1"), NOON)
    store.records.save_page("north", Kind.DEAL, Page(records=(make_deal(1),), cursor="1"), NOON)
    late = make_evaluation(make_finding(), clocks=(make_clock(state=SlaState.BREACHED),))
    gone = make_visit(
        deal=make_ref(2), left_at=NOON - timedelta(days=3), to=Place(None, Status.LOST), entered_at=NOON - timedelta(9)
    )
    lost = make_evaluation(deal=make_ref(2), place=Place(None, Status.LOST), visits=(gone,))
    store.findings.save([late, lost], NOON)
    process = make_process(
        indicators=[{"id": "time", "name": "Time", "measure": "time_in_stage", "stage": "qualification"}]
    )

    document = render(compute(url, process, NOON), {"found": 1}, "Weekly", name="weekly")
    open_sink({"html": "reports/"}, tmp_path, {}).deliver(document)

    page = (tmp_path / "reports" / "weekly.html").read_text("utf-8")
    assert "Rita &lt;Prado&gt;" in page
    assert 6.0 == document.facts["indicators"][0]["figure"]["value"]
    attainment = next(measure for measure in document.facts["measures"] if measure["id"] == "sla_attainment")
    assert 1 == attainment["rows"][0]["figures"]["breached"]["value"]
    assert 1 == len(store.findings.findings())
    store.close()


def test_what_is_waived_is_shown_apart(tmp_path: Path) -> None:
    """It is not counted as open, and what runs out soon is pointed out."""
    url = f"sqlite:///{tmp_path / 'state.db'}"
    store = open_store(url)
    store.records.save_page("north", Kind.DEAL, Page(records=(make_deal(1),), cursor="1"), NOON)
    findings = [
        make_finding(id="open"),
        make_finding(id="soon", waived=Waived("Ann", "a pilot", NOON + timedelta(days=7))),
        make_finding(id="later", waived=Waived("Ann", "a pilot", NOON + timedelta(days=8))),
        make_finding(id="ever", waived=Waived("Bo", "approved in north")),
    ]
    store.findings.save([make_evaluation(*findings)], NOON)
    store.close()

    card = compute(url, make_process(), NOON)
    assert WaivedFindings(findings=3, ending=1, next_end=NOON + timedelta(days=7)) == card.waived
    found = card.measure("open_findings")
    assert found is not None
    assert found.headline is not None
    assert 1 == found.headline.value
    text = "; ".join(render(card, None, "Weekly").facts["summary"])
    assert "Open findings: 1. " in text
    assert "Waived findings: 3. ending within a week: 1; the first on 2026-06-17." in text


def test_report_is_read_while_the_store_is_being_written(tmp_path: Path) -> None:
    """Figures can be computed while a run has the state open and writes to it."""
    url = f"sqlite:///{tmp_path / 'state.db'}"
    store = open_store(url)
    store.findings.save([make_evaluation()], NOON)

    before = compute(url, make_process(), NOON)
    store.findings.save([make_evaluation(deal=make_ref(2), visits=())], NOON)
    after = compute(url, make_process(), NOON)
    store.close()

    assert (1, 2) == (before.coverage.deals, after.coverage.deals)
