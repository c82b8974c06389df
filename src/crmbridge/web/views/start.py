"""The start page and the indicators: how things are, and what needs a person."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from starlette.responses import Response

from crmbridge.model.aims import must_reach
from crmbridge.model.figures import IndicatorFigure, Unit
from crmbridge.model.records import Status
from crmbridge.model.values import Money
from crmbridge.ports import Run
from crmbridge.report.sections import where
from crmbridge.services.answers.held_deals import HeldDeal, by_rule
from crmbridge.services.answers.overview import Overview, look_over, newest_runs, outcomes_of, under_way
from crmbridge.web.charts import Line, spark
from crmbridge.web.rendering import with_query
from crmbridge.web.site import Asked, Site, page
from crmbridge.web.views.deals import NONE, OVER, SOON, length_in_words, rows_of, rule_name, stage_name
from crmbridge.web.words import Words

RUNS, URGENT, RULES = 6, 6, 8  # lines that are shown
DAY = 86_400
JUDGING = {"plan", "cycle", "enforce"}  # the runs that find something; others know nothing of findings
FEW = 10  # shares of fewer cases are marked


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


class Tile(NamedTuple):
    """An indicator: its figure beside its target, and how it went before."""

    of: IndicatorFigure
    where: str
    value: str
    counted: str
    tone: str
    verdict: str
    target: str
    line: Line | None
    change: str
    history: Sequence[tuple[str, str]]


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
        tiles=[tile(one, t) for one in card.indicators] if card else None,
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
        tiles=[tile(one, t) for one in card.indicators] if card else [],
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


def tile(one: IndicatorFigure, t: Words) -> Tile:
    """Write an indicator."""
    figure = one.figure
    line = spark([*(point.figure.value for point in one.trend), figure.value])
    few = figure.unit is Unit.SHARE and 0 < figure.n < FEW
    tone, verdict = _verdict(one, t)
    return Tile(
        of=one,
        where=where(one),
        value=t.figure(figure),
        counted=_counted(one, t) + (f" · {t('small_n')}" if few else ""),
        tone=tone,
        verdict=verdict,
        target=t("target", target=_aim(one, one.target, t)) if one.target else "",
        line=line,
        change=_change(one, t),
        history=[*((point.period, t.figure(point.figure)) for point in one.trend), (t("now"), t.figure(figure))],
    )


def _verdict(one: IndicatorFigure, t: Words) -> tuple[str, str]:
    """Say whether a target is met, as a tone and in words; nothing where there is none."""
    if one.met is None:
        return "plain", ""
    if not one.met:
        return "bad", t("missed")
    return ("warn", t("near")) if one.near else ("good", t("met"))


def _aim(one: IndicatorFigure, target: str, t: Words) -> str:
    """Write a target with whether it is a least or a most; one that can't be compared as it stands in the file."""
    said = length_in_words(target, t)
    if not one.comparable or target.strip() == "0":
        return said
    return t("at_least" if must_reach(one.measure, one.figure.unit) else "at_most", x=said)


def _counted(one: IndicatorFigure, t: Words) -> str:
    figure = one.figure
    if figure.numerator is not None and figure.denominator is not None and figure.unit is Unit.SHARE:
        return t("n_of", numerator=t.number(figure.numerator), denominator=t.number(figure.denominator))
    return "" if figure.unit is Unit.COUNT else t("n_cases", n=t.number(figure.n))


def _change(one: IndicatorFigure, t: Words) -> str:
    """Say how the figure moved since the newest earlier period that has one."""
    before = next((point for point in reversed(one.trend) if point.figure.value is not None), None)
    if before is None or before.figure.value is None or one.figure.value is None:
        return ""
    moved = one.figure.value - before.figure.value
    way = t("flat") if abs(moved) < 1e-9 else t("up") if moved > 0 else t("down")
    return f"{way} · {t('against', before=t.figure(before.figure), period=before.period)}"
