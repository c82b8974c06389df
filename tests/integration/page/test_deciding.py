"""The page over HTTP: conflicts are decided, plans written and work told of as the command line does it, once."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from urllib.parse import quote

import pytest
from tests.integration.page.conftest import ASKING, TOKENS, Serve, conflict

from crmbridge.errors import PlanStaleError
from crmbridge.model.replacing import replace
from crmbridge.model.values import Money
from crmbridge.services.apply.choosing import ALL
from crmbridge.services.runs.running import run_plan
from crmbridge.web.views.waiting import seen


def test_nobody_decides_for_a_value_that_they_never_saw(serve: Serve) -> None:
    """A conflict keeps its name while its values change; who decides on the ones before is told to look again."""
    served = serve(fill=conflict, **ASKING)
    (item,) = (one.item for one in served.bench.workspace.store.waiting.all())
    before = seen(replace(item, values={**item.values, "south": Money(Decimal(1), "EUR")}))
    with served.visitor() as visitor:
        answers = [
            visitor.post(f"/waiting/{item.id}", data=served.form(visitor, take="south", **shown))
            for shown in ({"seen": before}, {})
        ]

    assert [409, 409] == [answer.status_code for answer in answers]
    assert [item] == [one.item for one in served.bench.workspace.store.waiting.all()]


def test_a_conflict_is_decided_as_the_command_line_does(serve: Serve) -> None:
    """For a side; the next plan writes it, after a confirmation, and to the other side alone."""
    served = serve(fill=conflict, **ASKING)
    (item,) = (one.item for one in served.bench.workspace.store.waiting.all())
    with served.visitor() as visitor:
        text = visitor.get("/waiting").text
        assert ("11,000 EUR" in text, "12,000 EUR" in text) == (True, True)
        visitor.post(f"/waiting/{item.id}", data=served.form(visitor, take="south", seen=seen(item)))
        assert () == served.bench.workspace.store.waiting.all()
        (run, *_) = served.bench.workspace.store.runs.runs(1)
        told = re.sub(r"<[^>]+>", "", visitor.get(f"/runs/{run.id}").text)
        assert "Amount · Rollout: 12,000 EUR" in told
        assert f"Decided by {run.summary['by']}." in told

        visitor.post("/plan/make", data=served.form(visitor, pull="yes"))
        served.wait()
        made = served.site.desk.made
        assert made is not None
        assert [("north", "update")] == [(change.connection, change.action.value) for change in made.plan.changes]
        assert "Write 1 change</button>" in visitor.get(f"/plan/apply?id={made.plan.id}").text
        assert [] == [
            e for e in served.bench.workspace.store.journal.entries() if e.change.id == made.plan.changes[0].id
        ]
        visitor.post("/plan/apply", data=served.form(visitor, id=made.plan.id))
        served.wait()

        assert "written" in visitor.get("/work").text
        again = visitor.post("/plan/apply", data=served.form(visitor, id=made.plan.id))
        assert (409, True) == (again.status_code, "This plan has been applied" in again.text)
        visitor.get("/language/pt")
        again = visitor.post("/plan/apply", data=served.form(visitor, id=made.plan.id))
        assert "Este plano já foi aplicado" in again.text
    served.bench.clock.advance(timedelta(hours=1))
    ran = run_plan(served.bench.workspace)
    assert ran.cycle is not None
    assert ran.cycle.plan is not None
    assert () == ran.cycle.plan.changes


def test_another_plan_than_the_one_shown_is_not_written(serve: Serve) -> None:
    """It says so, and nothing reaches the journal."""
    served = serve(fill=lambda bench: bench.crms["north"].create_deal("New") and None)
    with served.visitor() as visitor:
        visitor.post("/plan/make", data=served.form(visitor, pull="yes"))
        served.wait()
        answer = visitor.post("/plan/apply", data=served.form(visitor, id="another"))
    with pytest.raises(PlanStaleError):
        served.site.desk.apply("me", "another", ALL)

    assert (409, True) == (answer.status_code, "not the one that stands now" in answer.text)
    assert [] == list(served.bench.workspace.store.journal.entries())


def test_an_id_with_what_ends_a_path_is_come_back_to(serve: Serve) -> None:
    """After signing in, and in another language; nothing in it begins a line of the log."""
    served = serve()
    path = f"/deals/north/{quote('a?b#c/%0A', safe='')}"
    with served.visitor(None) as stranger:
        assert f"/sign-in?next={quote(path, safe='')}" == stranger.get(path).headers["location"]
        answer = stranger.post("/sign-in", data={"token": TOKENS["read"], "next": path})
        other = re.findall('href="(/language/pt[^"]+)"', stranger.get(path).text)[0]

        assert [path] * 2 == [answer.headers["location"], stranger.get(other).headers["location"]]


def test_who_can_not_do_something_is_led_back_to_where_they_were(serve: Serve) -> None:
    """With the focus on why; who has no session any more is led to sign in, and a form's address is no page."""
    served = serve(fill=conflict, **ASKING)
    (item,) = (one.item for one in served.bench.workspace.store.waiting.all())
    with served.visitor() as visitor:
        wrong = visitor.post(f"/waiting/{item.id}", data=served.form(visitor, value="lots", seen=seen(item)))
        again = visitor.get(f"/waiting/{item.id}")
        form = served.form(visitor, take="north", seen=seen(item), page="3")
        visitor.post("/sign-out", data=served.form(visitor))
        ended = visitor.post(f"/waiting/{item.id}", data=form)

    assert (400, True, True) == (wrong.status_code, 'main" href="/waiting"' in wrong.text, "autofocus" in wrong.text)
    assert re.search(r"<p>[^<]*[a-z0-9'].</p>\n<p>", wrong.text), "a sentence, and what to do"
    assert (405, True) == (again.status_code, "This page is not there" in again.text)
    assert (403, True) == (ended.status_code, 'main" href="/sign-in"' in ended.text)
    with served.visitor() as visitor:
        answer = visitor.post(f"/waiting/{item.id}", data={**form, **served.form(visitor)})
        said = visitor.get(answer.headers["location"]).text

    assert "/waiting?decided=1&page=3" == answer.headers["location"]
    assert "<title>Decided. The next plan carries it out." in said


def test_a_button_that_is_pressed_twice_does_it_once(serve: Serve) -> None:
    """And says no error: whoever pressed it sees what is at work. Somebody else is told."""
    served = serve(fill=lambda bench: bench.crms["north"].create_deal("New", stage="qualification") and None, **ASKING)
    with served.visitor() as visitor:
        served.may_work.clear()
        makes = [visitor.post("/plan/make", data=served.form(visitor, pull="yes")) for _ in range(2)]
        served.may_work.set()
        served.wait()
        made = served.site.desk.made
        assert made is not None
        served.may_work.clear()
        writes = [visitor.post("/plan/apply", data=served.form(visitor, id=made.plan.id)) for _ in range(2)]
        other = visitor.post("/plan/apply", data=served.form(visitor, id="another"))
        served.may_work.set()
        served.wait()
    applied = [e.change.id for e in served.bench.workspace.store.journal.entries() if e.outcome == "applied"]

    assert [(303, "/work")] * 4 == [(one.status_code, one.headers["location"]) for one in (*makes, *writes)]
    assert (409, sorted(change.id for change in made.plan.changes)) == (other.status_code, sorted(applied))


def test_what_is_at_work_is_told_until_it_is_done(serve: Serve) -> None:
    """In one answer: a page that loads itself again takes readers' place away."""
    served = serve(fill=lambda bench: bench.crms["north"].create_deal("New", stage="qualification") and None)
    served.may_work.clear()
    with served.visitor() as visitor:
        visitor.post("/plan/make", data=served.form(visitor, pull="yes"))
        with visitor.stream("GET", "/work") as answer:
            parts = answer.iter_text()
            begin = next(parts)
            assert ("Making a plan</h1>" in begin, "Done." in begin, "refresh" in begin) == (True, False, False)
            served.may_work.set()
            rest = "".join(parts)

    assert [True] * 3 == [each in rest for each in ("Done.", 'href="/plan"', "</html>")]


def test_what_takes_too_long_to_be_told_can_be_looked_at_again(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page is whole, and what is at work goes on."""
    monkeypatch.setattr("crmbridge.web.views.work.LONGEST", 0.0)
    served = serve()
    served.may_work.clear()
    with served.visitor() as visitor:
        visitor.post("/plan/make", data=served.form(visitor))
        said = visitor.get("/work").text

    assert ("Look again" in said, said.strip().endswith("</html>"), served.site.desk.is_busy) == (True, True, True)


def test_while_another_run_holds_the_state_it_says_so(serve: Serve) -> None:
    """And the plan is not made."""
    served = serve()
    store, clock = served.bench.workspace.store, served.bench.clock
    with store.runs.lease("another run", clock.now(), timedelta(minutes=5)), served.visitor() as visitor:
        visitor.post("/plan/make", data=served.form(visitor))
        served.wait()

        assert "another run" in visitor.get("/work").text
    assert served.site.desk.made is None
