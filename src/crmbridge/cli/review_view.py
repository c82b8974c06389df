"""Show a review: what the history says of each step, with its definition and how many it was seen on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from crmbridge.cli.output import Line, Part, Tinted, Tone, dim, plural, strong, table
from crmbridge.cli.rules_view import moment
from crmbridge.model.values import iso
from crmbridge.services.answers.review import DEFINITIONS, Says

if TYPE_CHECKING:
    from crmbridge.model.figures import Interval
    from crmbridge.services.answers.review import Effect, Review, Sample

_SAYS = {
    Says.TOO_FEW: Tinted("too few to say", Tone.DIM),
    Says.NO_DIFFERENCE: Tinted("no visible difference", Tone.WARN),
    Says.MORE: Tinted("won more often with it", Tone.GOOD),
    Says.LESS: Tinted("won less often with it", Tone.BAD),
}


def review_form(said: Review) -> dict[str, Any]:
    """Write a review as plain JSON."""
    return {
        "since": iso(said.since),
        "until": iso(said.until),
        "deals": said.deals,
        "closed": said.closed,
        "moves": said.moves,
        "definitions": dict(DEFINITIONS),
        "skipped": [
            {"stage": one.stage, "name": one.name, "passed": one.passed, "skipped": one.skipped} for one in said.skips
        ],
        "rework": [
            {
                "from": one.first,
                "to": one.second,
                "times": one.times,
                "deals": one.deals,
                "median_days": one.median_days,
            }
            for one in said.loops
        ],
        "illegal": [{"kind": one.kind, "moves": one.moves, "deals": one.deals} for one in said.illegal],
        "time": [
            {
                "stage": one.stage,
                "name": one.name,
                "visits": one.visits,
                "working_days": one.working_days,
                "waiting_days": one.waiting_days,
            }
            for one in said.time
        ],
        "deals_without_activities": said.without_activities,
        "rules": [
            {
                "rule": one.rule,
                "place": one.place or None,
                "judged": one.judged,
                "says": "always_fails" if one.always else "never_fails",
            }
            for one in said.rules
        ],
        "rules_rarely_judged": said.rarely_judged,
        "effects": [_effect_form(one) for one in said.effects],
        "stages": [_effect_form(one) for one in said.stages],
    }


def review_lines(said: Review) -> Iterator[Line]:
    """Show a review."""
    yield [
        strong(f"{plural(said.deals, 'deal')}, {plural(said.moves, 'move')}, {said.closed:,} ended"),
        f" from {moment(said.since)} to {moment(said.until)} UTC.",
    ]
    yield from _section("Skipped stages", "skipped", _skips(said), ("stage", "gone past", "skipped", "share"))
    yield from _section("Rework", "rework", _loops(said), ("way", "times", "deals", "median days"))
    yield from _section("Moves that are not allowed", "illegal", _illegal(said), ("kind", "moves", "deals", "share"))
    yield from _section("Working and waiting", "time", _time(said), ("stage", "visits", "working", "waiting", "share"))
    if said.without_activities:
        yield dim(f"  The activities of {plural(said.without_activities, 'deal')} are not known.")
    yield from _section("Rules that tell nothing apart", "rules", _rules(said), ("rule", "judged", "says", "where"))
    if said.rarely_judged:
        yield dim(f"  {plural(said.rarely_judged, 'rule was', 'rules were')} judged too seldom to say.")
    heads = ("what", "won with it", "without it", "says")
    yield from _section("Activities and winning", "effects", _effects(said.effects), heads)
    yield from _section("Stages and winning", "stages", _effects(said.stages), heads)


def _section(title: str, definition: str, rows: Sequence[list[Part]], heads: tuple[str, ...]) -> Iterator[Line]:
    yield ""
    yield strong(title)
    yield from table([[dim(DEFINITIONS[definition])]], indent=2, longest=len(DEFINITIONS[definition]))
    if rows:
        yield from table(rows, indent=2, heads=heads)
    else:
        yield "  None."


def _skips(said: Review) -> list[list[Part]]:
    return [[one.name, f"{one.passed:,}", f"{one.skipped:,}", _share(one.skipped, one.passed)] for one in said.skips]


def _loops(said: Review) -> list[list[Part]]:
    return [
        [f"{one.first} → {one.second} → {one.first}", f"{one.times:,}", f"{one.deals:,}", f"{one.median_days:.1f}"]
        for one in said.loops
    ]


def _illegal(said: Review) -> list[list[Part]]:
    return [
        [one.kind.replace("_", " "), f"{one.moves:,}", f"{one.deals:,}", _share(one.moves, said.moves)]
        for one in said.illegal
    ]


def _time(said: Review) -> list[list[Part]]:
    return [
        [
            one.name,
            f"{one.visits:,}",
            f"{one.working_days:,.1f} d",
            f"{one.waiting_days:,.1f} d",
            f"{_share(one.waiting_days, one.working_days + one.waiting_days)} waiting",
        ]
        for one in said.time
    ]


def _rules(said: Review) -> list[list[Part]]:
    return [
        [
            one.rule,
            f"{one.judged:,}",
            Tinted("always fails", Tone.BAD) if one.always else Tinted("never fails", Tone.WARN),
            dim(one.place or "-"),
        ]
        for one in said.rules
    ]


def _effects(effects: Sequence[Effect]) -> list[list[Part]]:
    return [
        [
            f"{one.name}, done" if one.about == "activity" else one.name,
            _rate(one.having),
            _rate(one.lacking),
            _said(one),
        ]
        for one in effects
    ]


def _rate(sample: Sample) -> str:
    return "no deals" if sample.rate is None else f"{sample.rate:.0%} of {sample.deals:,}"


def _said(effect: Effect) -> Part:
    """Say what it comes to, with the intervals of both rates and of their difference."""
    words = _SAYS[effect.says]
    found = effect.difference
    if found is None:
        return words
    having, lacking = (
        f"{i.low:.0%} to {i.high:.0%}" if i else "-" for i in (effect.having.interval, effect.lacking.interval)
    )
    points = f"{found.low * 100:+.0f} to {found.high * 100:+.0f} points"
    return Tinted(f"{words.text} ({having} beside {lacking}: {points})", words.tone)


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.0%}" if whole else "-"


def _effect_form(one: Effect) -> dict[str, Any]:
    return {
        "about": one.about,
        "id": one.id,
        "name": one.name,
        "with": _sample_form(one.having),
        "without": _sample_form(one.lacking),
        "difference": _interval(one.difference),
        "says": one.says.value,
    }


def _sample_form(sample: Sample) -> dict[str, Any]:
    return {"won": sample.won, "deals": sample.deals, "rate": sample.rate, "interval": _interval(sample.interval)}


def _interval(interval: Interval | None) -> list[float] | None:
    return [interval.low, interval.high] if interval else None
