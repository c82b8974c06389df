# ruff: noqa: INP001  a script beside its picture, not a package
"""Make docs/img/report.png: the report on an invented team's deals, as Chromium shows it.

Run it with `python docs/img/make_report_picture.py`. With a folder as argument, it also keeps the HTML and Markdown
there, with pictures of the whole page: light, dark, 320 px wide, and in Chinese.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from crmbridge.indicators import compute
from crmbridge.model.findings import Evaluation, Finding, FindingKind, Place, Severity, SlaClock, SlaState, Visit
from crmbridge.model.process import Process
from crmbridge.model.records import Kind, Record, Status
from crmbridge.ports import Document, Page
from crmbridge.report import render
from crmbridge.store import open_store
from crmbridge.testing.factories import (
    make_clock,
    make_deal,
    make_evaluation,
    make_finding,
    make_process,
    make_stage,
    make_user,
)

NOW = datetime(2026, 6, 10, 12, tzinfo=UTC)
PICTURE = Path(__file__).with_name("report.png")
OWNERS = ("Ana Ribeiro", "Jonas Weber", "Li Na", "Maya Cohen", "Tom Baker", "Zoë Laurent")

# stage, English, Portuguese, Chinese, usual days, share that goes on, SLA in business days
STAGES = (
    ("prospecting", "Prospecting", "Prospecção", "客户开发", 3, 0.8, 4),
    ("qualification", "Qualification", "Qualificação", "资格审查", 6, 0.68, 7),
    ("diagnosis", "Diagnosis", "Diagnóstico", "需求诊断", 12, 0.84, 15),
    ("proposal", "Proposal", "Proposta", "方案", 7, 0.61, 9),
    ("negotiation", "Negotiation", "Negociação", "谈判", 9, 0.8, 8),
    ("closing", "Closing", "Fechamento", "签约", 3, 0.93, 4),
)
INDICATORS = (
    ("qualified", "Prospects that qualify", "stage_conversion", "prospecting", "50%"),
    ("proposals", "Proposals that convince", "stage_conversion", "proposal", "50%"),
    ("wins", "Win rate", "win_rate", None, "25%"),
    ("speed", "Time in diagnosis", "time_in_stage", "diagnosis", "10bd"),
    ("sla", "SLAs kept", "sla_attainment", None, "90%"),
    ("clean", "Open findings", "open_findings", None, "0"),
)


def process() -> Process:
    """Make the seven stages with their SLAs and six indicators."""
    stages = [
        make_stage(stage, name={"en": en, "pt": pt, "zh": zh}, sla={"goal": f"{sla}bd", "calendar": "office"})
        for stage, en, pt, zh, _, _, sla in STAGES
    ]
    stages.append(make_stage("care", name={"en": "After-sales", "pt": "Pós-venda", "zh": "售后"}, status="won"))
    indicators = [
        {"id": i, "name": name, "measure": measure, "target": target} | ({"stage": stage} if stage else {})
        for i, name, measure, stage, target in INDICATORS
    ]
    return make_process(name="Selling to companies", stages=stages, indicators=indicators)


def evaluation(deal: Record, dice: random.Random) -> Evaluation:
    """Let one deal walk through the stages until it is lost, won, or still under way."""
    at, visits, place = NOW - timedelta(days=dice.uniform(2, 110)), [], Place(None, Status.LOST)
    for index, (stage, *_, days, goes_on, _) in enumerate(STAGES):
        left = at + timedelta(days=dice.lognormvariate(0, 0.7) * days)
        if left > NOW:
            visits.append(Visit(deal=deal.ref, stage=stage, number=1, entered_at=at))
            place = Place(stage, Status.OPEN)
            break
        place = Place(None, Status.LOST)
        if dice.random() < goes_on:
            last = index == len(STAGES) - 1
            place = Place("care", Status.WON) if last else Place(STAGES[index + 1][0], Status.OPEN)
        visits.append(Visit(deal=deal.ref, stage=stage, number=1, entered_at=at, left_at=left, to=place))
        if place.status is not Status.OPEN:
            break
        at = left
    clocks = tuple(clock(visit) for visit in visits)
    return make_evaluation(
        *findings(deal, clocks, dice), deal=deal.ref, place=place, visits=tuple(visits), clocks=clocks
    )


def clock(visit: Visit) -> SlaClock:
    """Measure a visit against its stage's SLA, five sevenths of the time being business time."""
    goal = next(timedelta(hours=8 * sla) for stage, *_, sla in STAGES if stage == visit.stage)
    elapsed = ((visit.left_at or NOW) - visit.entered_at) * 5 / 7 / 3
    late = SlaState.BREACHED if elapsed > goal else SlaState.ON_TIME
    state = SlaState.AT_RISK if visit.left_at is None and 0.8 * goal < elapsed <= goal else late
    return make_clock(visit=visit, sla=f"{visit.stage}.sla", goal=goal, elapsed=elapsed, state=state)


def findings(deal: Record, clocks: tuple[SlaClock, ...], dice: random.Random) -> list[Finding]:
    """Find what is late now, and now and then a rule that does not hold."""
    late = [
        make_finding(
            each.sla,
            id=f"{deal.ref}-{each.sla}",
            deal=deal.ref,
            kind=FindingKind.SLA_BREACHED,
            severity=Severity.ERROR,
            since=NOW - timedelta(days=dice.randint(1, 20)),
        )
        for each in clocks
        if each.running and each.state is SlaState.BREACHED
    ]
    if clocks[-1].running and dice.random() < 0.4:
        late.append(make_finding(id=f"{deal.ref}-bant", deal=deal.ref, since=NOW - timedelta(days=dice.randint(1, 30))))
    return late


def document(folder: Path, language: str = "en", deals: int = 240) -> Document:
    """Fill a state, compute its scorecard and render it."""
    url, dice = f"sqlite:///{folder / 'state.db'}", random.Random(11)  # noqa: S311  the same picture each time
    users = tuple(make_user(number, name=name) for number, name in enumerate(OWNERS))
    made = tuple(make_deal(number, fields={"owner": str(dice.randrange(len(OWNERS)))}) for number in range(deals))
    store = open_store(url)
    store.records.save_page("north", Kind.USER, Page(records=users, cursor="1"), NOW)
    store.records.save_page("north", Kind.DEAL, Page(records=made, cursor="1"), NOW)
    store.findings.save([evaluation(deal, dice) for deal in made], NOW)
    store.close()
    run = {"found": 61, "planned": 48, "applied": 46, "refused": 1, "unknown": 1}
    return render(compute(url, process(), NOW, language), run, "Weekly sales report", language, name="weekly")


def photograph(page: Path, picture: Path, *options: str, height: int = 1500) -> None:
    """Have Chromium take a picture of a page."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("Chromium is needed to take the picture.")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size=1040,{height}"]
    command = [browser, *flags, *options, f"--screenshot={picture}", page.as_uri()]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603  our own page


def proofs(made: Document, chinese: Document, folder: Path) -> None:
    """Keep the document and pictures of all of it, for a closer look."""
    (folder / "report.md").write_text(made.markdown, "utf-8")
    pages = {"report": made.html, "chinese": chinese.html}
    pages["narrow"] = '<iframe src="report.html" width="320" height="6200" style="border:0"></iframe>'
    for name, html in pages.items():
        (folder / f"{name}.html").write_text(html, "utf-8")
        photograph(folder / f"{name}.html", folder / f"{name}.png", height=6300 if name == "narrow" else 3500)
    photograph(folder / "report.html", folder / "dark.png", "--blink-settings=preferredColorScheme=0", height=3500)


def main() -> None:
    """Take the picture, and the others when a folder is given."""
    with TemporaryDirectory() as scratch:
        made = document(Path(scratch))
        page = Path(scratch) / "report.html"
        page.write_text(made.html, "utf-8")
        photograph(page, PICTURE)
        if len(sys.argv) > 1:
            proofs(made, document(Path(scratch), "zh"), Path(sys.argv[1]).resolve())


if __name__ == "__main__":
    main()
