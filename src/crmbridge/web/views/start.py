"""The start page and the indicators: how things are, and what needs a person."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from starlette.responses import Response

from crmbridge.model.aims import is_of_now
from crmbridge.model.figures import IndicatorFigure, Scorecard
from crmbridge.model.records import Status
from crmbridge.model.values import Money
from crmbridge.ports import Run
from crmbridge.report.parts import Tile
from crmbridge.report.tiles import course, tiles
from crmbridge.report.wording import value
from crmbridge.report.words import Words as ReportWords
from crmbridge.report.words import words_of
from crmbridge.services.answers.held_deals import HeldDeal, by_rule
from crmbridge.services.answers.overview import Overview, look_over, newest_runs, outcomes_of, under_way
from crmbridge.web.rendering import with_query
from crmbridge.web.site import Asked, Site, page
from crmbridge.web.views.deals import NONE, OVER, SOON, rows_of, rule_name, stage_name
from crmbridge.web.words import Words

RUNS, URGENT, RULES = 6, 6, 8  # lines that are shown
DAY = 86_400
JUDGING = {"plan", "cycle", "enforce"}  # the runs that find something; others know nothing of findings


class Card(NamedTuple):
    """A number that stands out, with what it is about and where to go for more."""

    tone: str  # bad, warn, good or plain
    value: str
    label: str
    detail: str = ""
    href: str | None = None


class Bar(NamedTuple):
    """A bar with its number: `share` of 100 is filled."""

    label: str
    deals: int
    share: float
    href: str


class Ran(NamedTuple):
    """A run in a line."""

    run: Run
    tone: str
    result: str
    took: str
    planned: str
    written: str
    findings: str


def overview(site: Site, asked: Asked) -> Response:
    """Show the start page."""
    t, seen, held = asked.words, look_over(site.workspace), site.board.held()
    now = [one for one in held.deals if one.is_open]
    card = site.board.scorecard(t.language)
    return page(
        site,
        asked,
        "overview.html.j2",
        title=t("overview"),
        needs=list(_needs(seen, t)),
        totals=totals(seen, now, t),
        stages=_by_stage(site, now, t),
        rules=_by_rule(site, now, t),
        urgent=rows_of(site, now[:URGENT], seen.now, t),
        held=len(now),
        tiles=_tiles(card, t) if card else None,
        runs=ran(site, newest_runs(site.workspace, RUNS), t),
        counted=t("all_times", zone=site.zone.key, when=t.moment(held.at)),
    )


def indicators(site: Site, asked: Asked) -> Response:
    """Show the process's indicators with what they were before."""
    t = asked.words
    card = site.board.scorecard(t.language)
    counting = card is None and site.board.is_counting
    return page(
        site,
        asked,
        "indicators.html.j2",
        title=t("indicators"),
        counting=counting,
        card=card,
        tiles=_tiles(card, t) if card else [],
        counted=t("all_times", zone=site.zone.key, when=t.moment(card.as_of)) if card else "",
    )


def ran(site: Site, runs: Sequence[Run], t: Words) -> list[Ran]:
    """Write runs as lines."""
    now = under_way(site.workspace, runs)
    return [_ran(run, outcomes_of(site.workspace, run), t, runs_now=run is now) for run in runs]


def _ran(run: Run, outcomes: Mapping[str, int], t: Words, *, runs_now: bool) -> Ran:
    summary, code = run.summary, run.exit_code
    written = outcomes.get("applied", 0) if outcomes or "outcomes" in summary else None
    judged = run.command in JUDGING
    return Ran(
        run=run,
        tone="plain" if runs_now else "good" if code in {0, 10} else "warn" if code in {7, 8, 9} else "bad",
        result=t("still_running" if runs_now else "killed") if code is None else exit_in_words(code, t),
        took=t.span(run.finished_at - run.started_at) if run.finished_at else "",
        planned=_count(summary.get("planned"), t),
        written=_count(written, t),
        findings=_count(summary.get("findings"), t) if judged else "",
    )


def exit_in_words(code: int, t: Words) -> str:
    """Say what an exit code means."""
    return t(f"exit_{code}") if f"exit_{code}" in t.texts else t("exit_1")


def _count(value: object, t: Words) -> str:
    return t.number(value) if isinstance(value, int) else ""


def _needs(seen: Overview, t: Words) -> Iterable[Card]:
    if seen.last is None:
        yield Card("warn", "0", t("runs"), t("never_ran"))
    elif seen.last.exit_code in {1, 3, 4, 5, 6, 12}:
        detail = f"{t.moment(seen.last.finished_at)}: {exit_in_words(seen.last.exit_code, t)}"
        yield Card("bad", str(seen.last.exit_code), t("last_failed"), detail, f"/runs/{seen.last.id}")
    if seen.conflicts:
        yield Card("bad", t.number(seen.conflicts), t("conflicts"), t("conflicts_why"), "/waiting")
    if seen.others:
        yield Card("warn", t.number(seen.others), t("others"), t("others_why"), "/waiting")
    if seen.unknown:
        yield Card("warn", t.number(seen.unknown), t("unknown"), t("unknown_why"), "/waiting#unclear")
    if seen.ending:
        first = min(waiver.until for waiver in seen.ending)
        yield Card(
            "warn", t.number(len(seen.ending)), t("ending"), t("ending_why", when=t.moment(first)), "/waiting#ending"
        )
    if seen.old:
        names = ", ".join(one.connection for one in seen.old)
        yield Card("warn", t.number(len(seen.old)), t("old"), t("old_why", names=names))
    if seen.last is not None and seen.is_silent:
        ended = seen.last.finished_at or seen.last.started_at
        yield Card("warn", t.span(seen.now - ended), t("silent"), t("silent_why", when=t.moment(ended)), "/runs")


def totals(seen: Overview, held: Sequence[HeldDeal], t: Words) -> list[Card]:
    """Say how many deals there are, how many the process holds, and of how many the time is over, or soon will be."""
    left = [seconds for one in held if (seconds := one.left(seen.now)) is not None]
    over, soon = sum(each < 0 for each in left), sum(0 <= each < DAY for each in left)
    open_held = sum(one.place.status is Status.OPEN for one in held)  # one that was won may be held as well
    share = t("held_share", n=round(_share(open_held, seen.open_deals))) if seen.open_deals else ""
    late = [one for one in held if (one.left(seen.now) or 0) < 0]
    return [
        Card("plain", t.number(seen.open_deals), t("open_deals"), "", None),
        Card("warn" if held else "good", t.number(len(held)), t("held"), share, "/deals"),
        Card("bad" if over else "good", t.number(over), t("overdue"), _money_in(late, t), f"/deals?time={OVER}"),
        Card("warn" if soon else "plain", t.number(soon), t("soon"), "", f"/deals?time={SOON}"),
    ]


def _money_in(deals: Iterable[HeldDeal], t: Words) -> str:
    """Add amounts up, each currency by itself."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for one in deals:
        if one.amount:
            sums[one.amount.currency] += one.amount.amount
    said = [t.money(Money(Decimal(round(total)), currency)) for currency, total in sorted(sums.items())]
    return t("in_money", money=" + ".join(said)) if said else ""


def _by_stage(site: Site, held: Sequence[HeldDeal], t: Words) -> list[Bar]:
    counts = Counter(one.place.stage for one in held)
    most = max(counts.values(), default=0)
    stages = [stage.id for stage in site.workspace.project.process.stages if stage.status == "open"]
    others = [None] if counts[None] else []
    return [
        Bar(stage_name(site, stage, t), counts[stage], _share(counts[stage], most), f"/deals?stage={stage or NONE}")
        for stage in (*stages, *others)
    ]


def _by_rule(site: Site, held: Sequence[HeldDeal], t: Words) -> list[Bar]:
    counts = by_rule(held)
    most = counts[0][1] if counts else 0
    return [
        Bar(rule_name(site, rule, t), count, _share(count, most), with_query("/deals", rule=rule))
        for rule, count in counts[:RULES]
    ]


def _share(part: int, whole: int) -> float:
    return round(100 * part / whole, 1) if whole else 0.0


def _tiles(card: Scorecard, t: Words) -> list[tuple[Tile, str]]:
    """Give the tiles of the report, each with how its figure moved."""
    told = words_of(t.language)
    return [(tile, moved(one, t, told)) for tile, one in zip(tiles(card, told), card.indicators, strict=True)]


def moved(one: IndicatorFigure, t: Words, told: ReportWords) -> str:
    """Say how an indicator moved until now, or in its newest period where now can't be compared with one."""
    points = [point for point in course(one, told) if point.figure.value is not None]
    if len(points) < 2 or one.figure.value is None:
        return ""
    before, last = points[-2:]
    was, became = (value(point.figure, told) for point in (before, last))
    rise = (last.figure.value or 0.0) - (before.figure.value or 0.0)
    way = t("flat") if was == became else t("up") if rise > 0 else t("down")
    newest = "" if is_of_now(one.measure) else f"{last.period}: {became} · "
    return f"{newest}{way} · {t('against', before=was, period=before.period)}"
