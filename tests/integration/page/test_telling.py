"""The page over HTTP: what it says, in the visitor's language; hostile text is text, and it stays quick and small."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from msgspec.structs import force_setattr
from tests.integration.page.conftest import ASKING, TOKENS, Serve, conflict
from tests.integration.two_way import entry

from crmbridge.model.changes import Blocked, Cause, FieldEdit
from crmbridge.model.findings import Waiver
from crmbridge.model.records import Kind, Ref
from crmbridge.ports import Document
from crmbridge.report import render
from crmbridge.services.answers.held_deals import held_deals
from crmbridge.services.runs.running import run_pull, run_steps
from crmbridge.testing.factories import make_change, make_evaluation, make_finding, make_process, make_stage
from crmbridge.testing.figures import make_indicator_figure, make_scorecard
from crmbridge.testing.workspaces import Bench, make_bench
from crmbridge.web.views import runs

HOSTILE = "<script>alert(1)</script>\u202e\x1b]52;c;aGk=\x07"


def test_findings_are_told_in_the_visitors_language(serve: Serve) -> None:
    """The list of held deals and a deal's page say what is wrong in the visitor's language."""

    def fill(bench: Bench) -> None:
        deal = bench.crms["north"].create_deal("Rollout", stage="qualification")
        bench.crms["north"].move_deal(deal.id, "closing")
        run_steps(bench.workspace, "cycle")

    served, said = serve(fill=fill), {}
    deal = next(one.finding.deal for one in served.bench.workspace.store.findings.findings())
    for language in ("en", "pt", "zh"):
        with served.visitor() as visitor:
            visitor.get(f"/language/{language}")
            said[language] = [visitor.get(path).text for path in ("/deals", f"/deals/{deal.connection}/{deal.id}")]

    assert ["skipped Proposal" in text or "went on from" in text for text in said["en"]] == [True, True]
    assert ["e pulou Proposal" in text for text in said["pt"]] == [True, True]
    assert ["跳过了Proposal" in text for text in said["zh"]] == [True, True]
    assert not any("The deal" in text for text in (*said["pt"], *said["zh"]))
    # The page says once which zone its times are in, so no finding may have its own.
    assert not any(re.search(r"\d UTC", text) for texts in said.values() for text in texts)


def test_what_stays_apart_is_told_by_name_and_with_why(serve: Serve) -> None:
    """A company by its name, not by the link that it stands in; and that no run changes what stays as it is."""

    def fill(bench: Bench) -> None:
        bench.crms["north"].create_deal("Rollout", stage="qualification")
        run_steps(bench.workspace, "cycle")
        (there,) = (one.ref for one in bench.crms["south"].records.values() if one.fields.get("name") == "Rollout")
        company = next(one.ref for one in bench.crms["south"].records.values() if one.ref.kind is Kind.COMPANY)
        bench.crms["south"].edit_deal(there.id, company=company.id)
        run_steps(bench.workspace, "cycle")
        named.append(str(bench.crms["south"].records[company].fields["name"]))
        deal.append(there.id)

    named: list[str] = []
    deal: list[str] = []
    served = serve(deals=1, fill=fill, **entry(fields={"company": {"direction": "from: north"}}))
    with served.visitor() as visitor:
        text = visitor.get(f"/deals/south/{deal[0]}").text

    assert named[0] in text
    assert "lnk" not in text
    assert "No run changes what stays as it is" in text


def test_the_pages_show_indicators_as_the_report_does(serve: Serve) -> None:
    """In the same words and figures; beside that, how each moved."""
    documents = {
        language: render(make_scorecard(indicators=(make_indicator_figure(name="Deals <b>won"),)), None, "R", language)
        for language in ("en", "pt")
    }
    served = serve(write=lambda: documents)
    served.site.board.refresh()
    with served.visitor() as visitor:
        start, tiles = (visitor.get(path).text for path in ("/", "/indicators"))
        visitor.get("/language/pt")
        azulejos = visitor.get("/indicators").text

    for text in (start, tiles):
        assert '<h3>Deals &lt;b&gt;won</h3>\n<p class="value">22%</p>' in text
        assert 'Target ≥ 25% · <b class="bad">✗ missed</b><br>2026-05: 28% · up · from 25% in 2026-04' in text
        assert 'aria-label="Trend: 2026-03: 22%; 2026-04: 25%; 2026-05: 28%"><svg' in text
    assert ("9 of 40 · 12% – 38%" in tiles, "9 of 40" in start) == (True, False)  # noqa: RUF001  the dash of a range
    rows = re.findall(r"<tr><th scope=\"row\">([^<]*)</th><td class=\"figure\">([^<]*)</td></tr>", tiles)
    assert [("2026-03", "22%"), ("2026-04", "25%"), ("2026-05", "28%")] == rows  # and none of all time
    assert 'Meta ≥ 25% · <b class="bad">✗ não cumprida</b>' in azulejos


def test_a_browser_that_prefers_none_of_the_languages_gets_that_of_the_settings(serve: Serve) -> None:
    """One that prefers one of them gets it."""
    served = serve(language="pt")
    with served.visitor(None) as stranger:
        pages = [stranger.get("/sign-in", headers={"accept-language": said}).text for said in ("de", "en")]

    assert ["pt-BR", "en"] == [re.findall('<html lang="([^"]+)"', text)[0] for text in pages]


def test_why_things_are_planned_or_wait_is_told_in_the_visitors_language(serve: Serve) -> None:
    """What a finding asks for, what sync copies, and what a person must decide on, with what to do about it."""

    def fill(bench: Bench) -> None:
        conflict(bench)
        bench.crms["north"].create_deal("Lacking", stage="qualification", owner="nobody <b>known</b>")
        skipped = bench.crms["north"].create_deal("Skipper", stage="qualification")
        bench.crms["north"].move_deal(skipped.id, "closing")
        bench.crms["north"].create_deal("Nowhere to go", stage="a stage that nobody mapped")

    served = serve(fill=fill, enforce=[{"rule": "*", "action": "task"}], **ASKING)
    said = {}
    with served.visitor() as visitor:
        visitor.post("/plan/make", data=served.form(visitor, pull="yes"))
        served.wait()
        for language in ("en", "pt", "zh"):
            visitor.get(f"/language/{language}")
            said[language] = [visitor.get(path).text for path in ("/plan", "/waiting")]

    (plan, waiting), (piano, pendente), (jihua, daiban) = (said[language] for language in ("en", "pt", "zh"))
    assert [True] * 3 == ["skipped" in plan, "e pulou" in piano, "跳过了" in jihua]
    assert [True] * 3 == ["has no counterpart in" in plan, "não tem correspondente em" in piano, "没有对应" in jihua]
    assert "changed to different values in north and south" in waiting
    assert "mudou para valores diferentes em north e south" in pendente
    assert "在 north 和 south 中改成了不同的值" in daiban
    assert ["Nowhere to go</a>" in text for text in (waiting, pendente, daiban)] == [True] * 3
    foreign = ["The deal", "has no counterpart", "changed to", "Map the value", "Move the deal"]
    assert [] == [each for each in foreign for text in (piano, pendente, jihua, daiban) if each in text]


def test_hostile_text_is_text_on_every_page(serve: Serve) -> None:
    """Names, owners and addresses of a CRM: escaped, without what drives a terminal or turns text around."""

    def fill(bench: Bench) -> None:
        deal = bench.crms["north"].create_deal(HOSTILE, stage="qualification", url="javascript:alert(1)")
        bench.crms["north"].move_deal(deal.id, "closing")
        run_steps(bench.workspace, "cycle")
        refused = {"link": "L1", "deal": deal, "name": f"amount, {HOSTILE}", "reason": f"refused before: {HOSTILE}"}
        bench.workspace.store.waiting.replace(["L1"], [Blocked(**refused, cause=Cause.REFUSED)], bench.clock.now())

    served = serve(fill=fill)
    deals = [one.finding.deal for one in served.bench.workspace.store.findings.findings()]
    assert deals
    run = served.bench.workspace.store.runs.runs(1)[0].id
    with served.visitor() as visitor:
        path = f"/deals/{deals[0].connection}/{quote(deals[0].id, safe='')}"
        texts = [visitor.get(each).text for each in ("/", "/deals", path, f"/runs/{run}", "/waiting")]
        visitor.get("/language/zh")
        texts += [visitor.get(each).text for each in ("/", "/deals", path, f"/runs/{run}", "/waiting")]

    assert 8 <= sum("&lt;script&gt;alert(1)" in text for text in texts)
    for text in texts:
        assert [] == [bad for bad in ("<script", "\u202e", "\x1b", "javascript:alert") if bad in text]


def test_a_deal_that_is_missing_elsewhere_is_said_to_be(serve: Serve) -> None:
    """With the setting that keeps it from being made there, in the visitor's language."""

    def fill(bench: Bench) -> None:
        bench.crms["north"].create_deal("Rollout", stage="qualification")
        run_steps(bench.workspace, "cycle")

    served = serve(fill=fill, sync=[{"name": "main", "between": ["north", "south"]}])
    (deal,) = served.bench.workspace.store.records.records("north", Kind.DEAL)
    with served.visitor() as visitor:
        english = visitor.get(f"/deals/north/{deal.ref.id}").text
        visitor.get("/language/pt")
        portuguese = visitor.get(f"/deals/north/{deal.ref.id}").text

    assert "Not in south, and not made there: <code>create</code> in the sync does not name it." in english
    assert "Não existe em south e não é criado lá" in portuguese


def test_hostile_text_is_text_in_plans_and_what_became_of_them(serve: Serve) -> None:
    """Before they are written, while they are confirmed, and after."""
    served = serve(
        fill=lambda bench: bench.crms["north"].create_deal(HOSTILE, stage="qualification") and None, **ASKING
    )
    with served.visitor() as visitor:
        visitor.post("/plan/make", data=served.form(visitor, pull="yes"))
        served.wait()
        made = served.site.desk.made
        assert made is not None
        texts = [visitor.get(path).text for path in ("/plan", f"/plan/apply?id={made.plan.id}")]
        visitor.post("/plan/apply", data=served.form(visitor, id=made.plan.id))
        served.wait()
        runs = served.bench.workspace.store.runs.runs(1)
        texts += [visitor.get(path).text for path in ("/work", f"/runs/{runs[0].id}", "/deals")]

    assert 2 <= sum("&lt;script&gt;alert(1)" in text for text in texts)
    assert [] == [bad for text in texts for bad in ("<script", "\u202e", "\x1b") if bad in text]


def test_what_the_overview_counts_is_named_where_it_leads(serve: Serve) -> None:
    """Unclear writes with their runs, and the waivers that are about to end with who gave them and why."""

    def fill(bench: Bench) -> None:
        deal = bench.crms["north"].create_deal("Rollout", stage="qualification")
        run_steps(bench.workspace, "cycle")
        store, now = bench.workspace.store, bench.clock.now()
        for rule, days in (("qualification.late", 6), ("qualification.soon", 2), ("qualification.distant", 8)):
            until = now + timedelta(days=days)
            store.waivers.put(Waiver(deal=deal, rule=rule, by=HOSTILE, why="a pilot", until=until, at=now))
        store.journal.intend("r1", [make_change(target=deal, edits=(FieldEdit("owner", "1", HOSTILE),))], now)

    served = serve(fill=fill)
    with served.visitor("read") as visitor:
        overview, waiting = visitor.get("/").text, visitor.get("/waiting").text
    unclear, ending = (part.partition("</section>")[0] for part in waiting.split('<section aria-labelledby="')[1:])

    assert ["/waiting#unclear", "/waiting#ending"] == re.findall('href="(/waiting#[^"]+)"', overview)
    assert [True] * 3 == [each in unclear for each in (">Rollout</a>", "north: update", "/runs/r1")]
    assert ["soon", "late"] == re.findall("Qualification: (\\w+)", ending)
    assert ("a pilot" in ending, "&lt;script&gt;" in ending, "<script" in waiting) == (True, True, False)
    assert "Nothing waits for a person." not in waiting


def test_a_monitor_reads_figures_and_no_text(serve: Serve) -> None:
    """With a token of any role; what is counted agrees with the state."""

    def fill(bench: Bench) -> None:
        conflict(bench)
        store, now = bench.workspace.store, bench.clock.now()
        deal = (
            next(one.finding.deal for one in store.findings.findings())
            if store.findings.findings()
            else Ref("north", Kind.DEAL, "1")
        )
        store.waivers.put(Waiver(deal=deal, rule="x.y", by="me", why="so", until=now + timedelta(days=2), at=now))
        bench.clock.advance(timedelta(minutes=5))

    served = serve(fill=fill, **ASKING)
    with served.visitor(None) as monitor:
        answer = monitor.get("/metrics", headers={"authorization": f"Bearer {TOKENS['read']}"})
        wrong = monitor.get("/metrics", headers={"authorization": "Bearer guessed"})
    lines = dict(line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#"))

    assert (200, 401) == (answer.status_code, wrong.status_code)
    assert ("1.0", "1.0", "300.0", "7.0") == tuple(
        lines[f"crmbridge_{name}"]
        for name in ('waiting{cause="conflict"}', "waivers_ending", "last_run_age_seconds", "last_run_exit_code")
    )
    applied = [e for e in served.bench.workspace.store.journal.entries() if e.outcome == "applied"]
    assert str(float(len(applied))) == lines['crmbridge_journal_outcomes_total{outcome="applied"}']
    assert "Rollout" not in answer.text


def test_a_bug_tells_a_stranger_nothing(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """A page in style, without how it came about; the log names the kind."""
    served = serve()
    served.bench.workspace.store.close()
    force_setattr(served.site, "board", None)
    with served.visitor() as visitor:
        answer = visitor.get("/deals")

    assert (500, True, False) == (answer.status_code, "Something went wrong" in answer.text, "NoneType" in answer.text)
    assert "AttributeError" in caplog.text


def test_the_numbers_of_the_overview_lead_to_as_many_deals(serve: Serve) -> None:
    """Those that are held, late, and due soon; no deal beside them."""

    def fill(bench: Bench) -> None:
        run_steps(bench.workspace, "cycle")
        due = sorted(one.due_at for one in held_deals(bench.workspace) if one.is_open and one.due_at)
        bench.clock.advance(due[len(due) // 2] - bench.clock.now() - timedelta(hours=1))

    served = serve(deals=300, fill=fill, parts={"north": (0.0, 1.0)})
    card = re.compile(r'class="value">(\d+)</span><span class="label"><a href="(/deals[^"]*)"')
    with served.visitor() as visitor:
        overview = visitor.get("/").text
        found = card.findall(overview)
        listed = [re.findall(r" of (\d+)</p>", visitor.get(path).text) for _, path in found]

    assert ["/deals", "/deals?time=over", "/deals?time=day"] == [path for _, path in found]
    assert [[number] for number, _ in found] == listed
    assert 3 == len({number for number, _ in found} - {"0"})
    stages = overview.split('<ul class="bars">')[1].partition("</ul>")[0]
    counts = re.findall(r"<b>(\d+)</b>", stages)
    assert int(found[0][0]) == sum(map(int, counts))
    with served.visitor() as visitor:
        paths = re.findall('href="(/deals[^"]+)"', stages)
        assert counts == [number for path in paths for number in re.findall(r" of (\d+)</p>", visitor.get(path).text)]
        assert "/deals?stage=-" == paths[-1]


def test_pages_of_many_deals_are_small_and_in_one_order(serve: Serve) -> None:
    """Each deal once over all pages, the least time left first; no page is larger than 300 KB."""
    served = serve(
        deals=1200, fill=lambda bench: run_steps(bench.workspace, "cycle") and None, parts={"north": (0.0, 1.0)}
    )
    held = [one for one in served.site.board.held().deals if one.is_open]
    seen: list[str] = []
    with served.visitor() as visitor:
        for number in range(1, -(-len(held) // 50) + 1):
            answer = visitor.get(f"/deals?page={number}")
            assert len(answer.content) < 300_000
            seen += [part.split('"')[0] for part in answer.text.split('<th scope="row"><a href="')[1:]]
        last = visitor.get("/deals?page=99999").text

    assert len(held) > 100
    assert [f"/deals/north/{one.deal.id}" for one in held] == seen
    assert f'"{seen[-1]}"' in last


def test_stages_that_are_written_are_named_in_the_visitors_language(serve: Serve) -> None:
    """In a plan, and in what became of it."""
    name = {"en": "Qualification", "pt": "Qualificação"}
    stages = [make_stage("qualification", name=name), make_stage("proposal"), make_stage("closing")]
    process = make_process(languages=["en", "pt"], stages=[*stages, make_stage("care", status="won")])
    served = serve(
        process=process,
        fill=lambda bench: bench.crms["north"].create_deal("New", stage="qualification") and None,
        **ASKING,
    )
    with served.visitor() as visitor:
        visitor.get("/language/pt")
        visitor.post("/plan/make", data=served.form(visitor, pull="yes"))
        served.wait()
        made = served.site.desk.made
        assert made is not None
        plan = visitor.get("/plan").text
        visitor.post("/plan/apply", data=served.form(visitor, id=made.plan.id))
        served.wait()
        run = visitor.get(f"/runs/{served.bench.workspace.store.runs.runs(1)[0].id}").text

    assert ("criar (negócio)" in plan, "<ins>Qualificação</ins>" in plan, "Etapa: Qualificação" in run) == (True,) * 3


def test_a_run_that_judges_nothing_tells_of_no_findings(serve: Serve) -> None:
    """That a pull found none would be news."""

    def fill(bench: Bench) -> None:
        run_pull(bench.workspace)
        run_steps(bench.workspace, "cycle")

    with serve(fill=fill).visitor() as visitor:
        cells = re.findall(r'data-label="Findings" class="figure">([^<]*)<', visitor.get("/runs").text)

    assert ["0", "\u2013"] == cells


def test_an_sla_is_called_as_the_process_names_it(serve: Serve) -> None:
    """What deals are held by has the name of the process file; an SLA of the whole process has no stage before it."""
    touch = {"kind": "first_touch", "goal": "1h"}
    stages = [make_stage("qualification", slas=[{"id": "touch", "name": "Touched at once", **touch}])]
    stages += [make_stage("proposal"), make_stage("closing"), make_stage("care", status="won")]
    process = make_process(stages=stages, slas=[{"id": "silent", "name": "Never silent", **touch}])

    def fill(bench: Bench) -> None:
        deal = bench.crms["north"].create_deal("Rollout", stage="qualification")
        run_steps(bench.workspace, "cycle")
        broken = tuple(make_finding(deal=deal, rule=rule) for rule in ("qualification.touch", "sla.silent"))
        bench.workspace.store.findings.save([make_evaluation(deal=deal, findings=broken)], bench.clock.now())

    with serve(process=process, fill=fill).visitor() as visitor:
        start = visitor.get("/").text

    assert "Qualification: Touched at once" in start
    assert ">Never silent<" in start


def test_figures_that_cannot_be_counted_cost_only_themselves(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The other pages go on, and the log says why."""
    from crmbridge.errors import ConfigurationError  # noqa: PLC0415  for this test alone
    from crmbridge.web.board import Board  # noqa: PLC0415  the same

    def refuse() -> Mapping[str, Document]:
        raise ConfigurationError("a rate is missing")

    board = Board(make_bench().workspace, refuse)
    assert board.is_counting
    board.refresh()

    assert (None, False, ()) == (board.report("en"), board.is_counting, board.held().deals)
    assert "a rate is missing" in caplog.text


def test_closing_does_not_wait_for_figures(caplog: pytest.LogCaptureFixture) -> None:
    """They are counted in a process of its own, which is ended without a word: nobody would see them."""
    from crmbridge.indicators.elsewhere import elsewhere  # noqa: PLC0415  for this test alone
    from crmbridge.web.board import Board  # noqa: PLC0415  the same

    counts = threading.Event()

    def write() -> Mapping[str, Document]:
        counts.set()
        elsewhere(time.sleep, 60)
        return {}

    board = Board(make_bench().workspace, write)
    board.start()
    assert counts.wait(30)
    begun = time.monotonic()
    board.close()

    assert time.monotonic() - begun < 20
    assert [] == caplog.messages


def test_what_one_setting_settles_is_shown_once_with_the_deals(serve: Serve) -> None:
    """Each of them is a step away."""

    def fill(bench: Bench) -> None:
        items = [
            Blocked(
                link="",
                deal=Ref("north", Kind.DEAL, f"x{number}"),
                name="owner",
                reason="nobody is boss in `people:`, so the deal keeps its owner (move: `enforce` 1)",
                cause=Cause.COUNTERPART,
            )
            for number in range(30)
        ]
        bench.workspace.store.waiting.replace([""], items, bench.clock.now())

    served = serve(fill=fill)
    with served.visitor() as visitor:
        text = visitor.get("/waiting").text

    assert 1 == text.count("nobody is boss")
    assert "The same waits on 29 other deals:" in text
    assert 30 == len(set(re.findall(r"north:x\d+<", text)))


def test_a_run_is_shown_however_many_came_since(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mails and other pages lead to runs of long ago."""

    def fill(bench: Bench) -> None:
        for _ in range(3):
            run_steps(bench.workspace, "cycle")
            bench.clock.sleep(600)

    served = serve(fill=fill)
    monkeypatch.setattr(runs, "MOST", 1)
    listed = [run.id for run in served.bench.workspace.store.runs.runs(10)]
    with served.visitor() as visitor:
        found = [visitor.get(f"/runs/{id_}").status_code for id_ in (*listed, "2")]

    assert [*[200] * len(listed), 404] == found
