"""Lay the facts out as sections with charts and tables, in one language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from crmbridge.report.facts import (
    ConversionFacts,
    IndicatorFacts,
    OwnerFacts,
    ScorecardFacts,
    SlaFacts,
    TimeFacts,
)
from crmbridge.report.parts import Bar, Cell, Chart, Section, Segment, stacked
from crmbridge.report.wording import (
    against_target,
    cautions,
    counted_from,
    interval,
    or_dash,
    share_bar,
    small,
    table,
    target,
    valued,
)
from crmbridge.report.words import Words

RUN_COUNTS = ("found", "planned", "applied", "refused", "failed", "stale", "unknown")


def sections(facts: ScorecardFacts, run: Mapping[str, Any] | None, words: Words) -> tuple[Section, ...]:
    """Lay out every section that has something to say."""
    makers: tuple[Callable[[ScorecardFacts, Words], Section | None], ...] = (
        _indicators,
        _conversion,
        _win_rate,
        _time_in_stage,
        _sla,
        _findings,
    )
    found = [maker(facts, words) for maker in makers] if facts["coverage"]["deals"] else []
    return tuple(section for section in [*found, _run(run, words)] if section)


def _indicators(facts: ScorecardFacts, words: Words) -> Section | None:
    figures = facts["indicators"]
    if not figures:
        return None
    columns = ("indicator", "now", "target", "against_target", "counted_from", "interval")
    return Section(
        id="indicators",
        title=words("indicators"),
        table=table("indicators", columns, [_indicator_row(each, words) for each in figures], words),
        cautions=cautions([each["figure"] for each in figures], words),
    )


def _indicator_row(each: IndicatorFacts, words: Words) -> tuple[Cell, ...]:
    figure = each["figure"]
    name = f"{each['name']} ({each['stage']})" if each["stage"] else each["name"]
    return (
        Cell(name, " ".join(text for text in (each["why"], each["definition"]) if text)),
        valued(figure, words),
        Cell(target(each, words)),
        against_target(each, words),
        Cell(counted_from(figure, words)),
        Cell(interval(figure, words)),
    )


def _conversion(facts: ScorecardFacts, words: Words) -> Section | None:
    stages = facts["conversion"]
    if not stages:
        return None
    most = max(each["entered"] for each in stages)
    columns = ("stage", "entered", "forward", "lost", "back", "elsewhere", "still_open", "conversion", "interval")
    return Section(
        id="conversion",
        title=words("stage_conversion"),
        definition=facts["definitions"]["stage_conversion"],
        chart=Chart(
            legend=(("good", words("forward")), ("rest", words("not_forward")), ("open", words("still_open"))),
            bars=tuple(_conversion_bar(each, most, words) for each in stages),
        ),
        table=table("stage_conversion", columns, [_conversion_row(each, words) for each in stages], words),
        cautions=cautions([each["conversion"] for each in stages], words),
    )


def _conversion_bar(each: ConversionFacts, most: int, words: Words) -> Bar:
    otherwise = each["entered"] - each["forward"] - each["open"]
    lane = stacked(("good", "rest", "open"), (each["forward"], otherwise, each["open"]), most)
    return share_bar(each["name"], each["conversion"], (lane,), words)


def _conversion_row(each: ConversionFacts, words: Words) -> tuple[Cell, ...]:
    counts = (each["entered"], each["forward"], each["lost"], each["back"], each["elsewhere"], each["open"])
    return (
        Cell(each["name"]),
        *(Cell(words.number(count)) for count in counts),
        valued(each["conversion"], words),
        Cell(interval(each["conversion"], words)),
    )


def _win_rate(facts: ScorecardFacts, words: Words) -> Section | None:
    figure = facts["win_rate"]
    if figure["value"] is None:
        return None
    won, closed = figure["numerator"] or 0, figure["denominator"] or 0
    low, high = figure["interval"] or (0.0, 0.0)
    lanes = (
        stacked(("good", "rest"), (won, closed - won), closed),
        (Segment("span", 100 * low, 100 * (high - low)),),
    )
    row = (
        Cell(words("win_rate")),
        *(Cell(words.number(count)) for count in (won, closed - won, closed)),
        valued(figure, words),
        Cell(interval(figure, words)),
    )
    return Section(
        id="win-rate",
        title=words("win_rate"),
        definition=facts["definitions"]["win_rate"],
        chart=Chart(
            legend=(("good", words("won")), ("rest", words("lost")), ("span", words("interval"))),
            bars=(share_bar(words("win_rate"), figure, lanes, words),),
        ),
        table=table("win_rate", ("indicator", "won", "lost", "closed", "win_rate", "interval"), [row], words),
        cautions=cautions([figure], words),
    )


def _time_in_stage(facts: ScorecardFacts, words: Words) -> Section | None:
    stages = facts["time_in_stage"]
    if not stages:
        return None
    longest = max(max(each["p90"]["value"] or 0, each["open_median_age"] or 0) for each in stages)
    return Section(
        id="time-in-stage",
        title=words("time_in_stage"),
        definition=facts["definitions"]["time_in_stage"],
        chart=Chart(
            legend=(("good", words("median")), ("reach", words("p90")), ("open", words("open_median"))),
            bars=tuple(_time_bar(each, longest, words) for each in stages),
        ),
        table=table(
            "time_in_stage",
            ("stage", "finished", "median", "p90", "open_visits", "open_age"),
            [_time_row(each, words) for each in stages],
            words,
        ),
        cautions=cautions([each["median"] for each in stages], words),
    )


def _time_bar(each: TimeFacts, longest: float, words: Words) -> Bar:
    median, p90 = each["median"]["value"] or 0, each["p90"]["value"] or 0
    closed = stacked(("good", "reach"), (median, max(p90 - median, 0)), longest)
    still = stacked(("open",), (each["open_median_age"] or 0,), longest)
    return Bar(
        label=each["name"],
        value=or_dash(each["median"]["value"], words),
        detail=f"n = {words.number(each['median']['n'])}",
        lanes=(closed, still),
        caution=small(each["median"], words),
    )


def _time_row(each: TimeFacts, words: Words) -> tuple[Cell, ...]:
    return (
        Cell(each["name"]),
        Cell(words.number(each["median"]["n"]), small(each["median"], words)),
        Cell(or_dash(each["median"]["value"], words)),
        Cell(or_dash(each["p90"]["value"], words)),
        Cell(words.number(each["open"])),
        Cell(or_dash(each["open_median_age"], words)),
    )


def _sla(facts: ScorecardFacts, words: Words) -> Section | None:
    slas = facts["sla"]
    if not slas:
        return None
    columns = ("stage", "stopped", "within_goal", "sla_attainment", "interval", "running", "at_risk", "breached")
    return Section(
        id="sla",
        title=words("sla_attainment"),
        definition=facts["definitions"]["sla_attainment"],
        chart=Chart(
            legend=(("good", words("within_goal")), ("late", words("late"))),
            bars=tuple(_sla_bar(each, words) for each in slas),
        ),
        table=table("sla_attainment", columns, [_sla_row(each, words) for each in slas], words),
        cautions=cautions([each["attainment"] for each in slas], words),
    )


def _sla_bar(each: SlaFacts, words: Words) -> Bar:
    kept, stopped = each["attainment"]["numerator"] or 0, each["attainment"]["denominator"] or 0
    lane = stacked(("good", "late"), (kept, stopped - kept), stopped)
    return share_bar(_sla_name(each), each["attainment"], (lane,), words)


def _sla_row(each: SlaFacts, words: Words) -> tuple[Cell, ...]:
    figure = each["attainment"]
    return (
        Cell(_sla_name(each)),
        Cell(words.number(figure["denominator"])),
        Cell(words.number(figure["numerator"])),
        valued(figure, words),
        Cell(interval(figure, words)),
        Cell(words.number(each["running"])),
        Cell(words.number(each["at_risk"]), tone="caution" if each["at_risk"] else ""),
        Cell(words.number(each["breached"]), tone="bad" if each["breached"] else ""),
    )


def _sla_name(each: SlaFacts) -> str:
    return each["name"] if each["sla"] == f"{each['stage']}.sla" else f"{each['name']} ({each['sla']})"


def _findings(facts: ScorecardFacts, words: Words) -> Section | None:
    owners = facts["findings"]
    if not owners:
        return None
    most = max(each["errors"] + each["warnings"] + each["infos"] for each in owners)
    columns = ("owner", "errors", "warnings", "infos", "deals", "oldest")
    return Section(
        id="findings",
        title=words("findings_by_owner"),
        definition=facts["definitions"]["open_findings"],
        chart=Chart(
            legend=(("bad", words("errors")), ("warn", words("warnings")), ("rest", words("infos"))),
            bars=tuple(_owner_bar(each, most, words) for each in owners),
        ),
        table=table("findings_by_owner", columns, [_owner_row(each, words) for each in owners], words),
    )


def _owner_bar(each: OwnerFacts, most: int, words: Words) -> Bar:
    counts = (each["errors"], each["warnings"], each["infos"])
    return Bar(
        label=each["owner"] or words("nobody"),
        value=words.number(sum(counts)),
        detail="",
        lanes=(stacked(("bad", "warn", "rest"), counts, most),),
    )


def _owner_row(each: OwnerFacts, words: Words) -> tuple[Cell, ...]:
    counts = (each["errors"], each["warnings"], each["infos"], each["deals"])
    return (
        Cell(each["owner"] or words("nobody")),
        *(Cell(words.number(count)) for count in counts),
        Cell(words.day(each["oldest"])),
    )


def _run(run: Mapping[str, Any] | None, words: Words) -> Section | None:
    counts = run_counts(run)
    if not counts:
        return None
    rows = [(Cell(words(f"run_{name}")), Cell(words.number(count))) for name, count in counts.items()]
    return Section(id="run", title=words("run"), table=table("run", ("what", "count"), rows, words))


def run_counts(run: Mapping[str, Any] | None) -> dict[str, int]:
    """Pick the counts that the report shows from a run's summary; anything else in it is left out."""
    return {name: run[name] for name in RUN_COUNTS if name in run and type(run[name]) is int} if run else {}
