"""Draw curves of steps with the band of their interval: what share is left, or done, after so many days."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from crmbridge.model.figures import Curve, CurvePoint, Measured, Unit
from crmbridge.report.charts.elements import element, percent, shape, stairs, stretched
from crmbridge.report.charts.scale import ticks
from crmbridge.report.parts import Drawing, Key
from crmbridge.report.words import Words

HEIGHT, TOP, BOTTOM = 120, 16, 22  # pixels of a panel: plot, above it, below it
SHARES = (0.0, 0.5, 1.0)  # of the scale
LEFT = 10  # percent of the width that is left to the numbers of the scale
MOST_STEPS = 120  # of a curve; more can't be told apart at this size


def curves(measured: Measured, words: Words) -> Drawing | None:
    """Draw a small panel a curve, all on the same days, so that they can be compared."""
    drawn = [each for each in measured.curves if len(each.points) > 1]
    if not drawn:
        return None
    marks = ticks(0, max(each.points[-1].days for each in drawn), Unit.DAYS, 3)
    return Drawing(
        body=element("div", *(_panel(each, marks, words) for each in drawn), class_="panels"),
        says="; ".join(_says(each, words) for each in drawn),
        keys=(Key("s1", words("share")), Key("band", words("interval"))),
    )


def half(curve: Curve) -> float | None:
    """Give the days after which half is over (or done); None where the curve doesn't come that far."""
    falls = _falls(curve)
    return next((p.days for p in curve.points if (p.share <= 0.5 if falls else p.share >= 0.5)), None)


def _falls(curve: Curve) -> bool:
    return curve.points[0].share > curve.points[-1].share


def thinned(steps: Sequence[CurvePoint]) -> list[CurvePoint]:
    """Leave out steps where there are more than can be told apart; the first and the last stay."""
    if len(steps) <= MOST_STEPS:
        return list(steps)
    last, most = len(steps) - 1, MOST_STEPS - 1
    return [steps[index] for index in dict.fromkeys(round(last * number / most) for number in range(MOST_STEPS))]


def _panel(curve: Curve, marks: list[float], words: Words) -> Markup:
    full = marks[-1]
    steps = thinned(curve.points)
    line = _stepped([(p.days, p.share) for p in steps], full)
    upper = _stepped([(p.days, p.high) for p in steps], full)
    lower = _stepped([(p.days, p.low) for p in steps], full)
    plot = stretched(
        shape("path", class_="b-s1", d=stairs([*upper, *reversed(lower)])),
        shape("path", class_="l-s1", d=stairs(line)),
        down=HEIGHT, height=HEIGHT, class_="plot", x=0, y=TOP, width="100%",
    )  # fmt: skip
    counted = element("small", words("curve_n", n=words.number(curve.n), events=words.number(curve.events)))
    name = element("figcaption", element("b", curve.label), " ", counted)
    inside = [*_grid(), plot, *_shares(words), *_days(marks, words), *_middle(curve, full, words)]
    title, described = element("title", curve.label), element("desc", _says(curve, words))
    graph = element("svg", title, described, *inside, class_="graph", role="img", height=TOP + HEIGHT + BOTTOM)
    return element("figure", name, graph, class_="panel")


def _stepped(pairs: list[tuple[float, float]], full: float) -> list[tuple[float, float]]:
    """Turn points into steps: a share holds until the next event; of events in the same tenth of a percent the last."""
    at = {round(_across(days, full), 1): HEIGHT * (1 - share) for days, share in pairs}
    steps: list[tuple[float, float]] = []
    for x, y in at.items():
        if steps:
            steps.append((x, steps[-1][1]))
        steps.append((x, y))
    return steps


def _across(days: float, full: float) -> float:
    """Give where a day stands, in percent of the width."""
    return LEFT + (100 - LEFT) * days / full


def _grid() -> list[Markup]:
    heights = [TOP + HEIGHT * (1 - share) for share in SHARES]
    return [shape("line", class_="grid", x1=0, x2="100%", y1=y, y2=y) for y in heights]


def _shares(words: Words) -> list[Markup]:
    return [
        element("text", words.percent(share), class_="tick", x=0, y=TOP + HEIGHT * (1 - share) - 4) for share in SHARES
    ]


def _days(marks: list[float], words: Words) -> list[Markup]:
    """Write the days below the plot; the last says what they are."""
    y = TOP + HEIGHT + 16
    drawn = [
        element("text", words.number(marks[0]), class_="tick", x=percent(_across(0, 1)), y=y, text_anchor="middle")
    ]
    for mark in marks[1:-1]:
        x = percent(_across(mark, marks[-1]))
        drawn.append(element("text", words.short(mark, Unit.DAYS), class_="tick", x=x, y=y, text_anchor="middle"))
    last = words(f"unit_{Unit.DAYS}", n=words.short(marks[-1], Unit.DAYS))
    return [*drawn, element("text", last, class_="tick", x="100%", y=y, text_anchor="end")]


def _middle(curve: Curve, full: float, words: Words) -> list[Markup]:
    """Mark when half is over, and say it where there is room and the curve is not.

    To the right, that is above a curve that falls and below one that rises; to the left, the other way round.
    """
    days = half(curve)
    if days is None or days == 0:
        return []
    x, y = _across(days, full), TOP + HEIGHT / 2
    right = x <= 55
    below = right != _falls(curve)
    side, shift = ("start", 6) if right else ("end", -6)
    text = words("half_by", n=words.amount(days, Unit.DAYS))
    return [
        shape("line", class_="middle", x1=percent(x), x2=percent(x), y1=y, y2=TOP + HEIGHT),
        element("text", text, class_="note", x=percent(x), dx=shift, y=y + 30 if below else y - 6, text_anchor=side),
    ]


def _says(curve: Curve, words: Words) -> str:
    days = half(curve)
    end = curve.points[-1]
    last = words("curve_end", share=words.percent(end.share), n=words.amount(end.days, Unit.DAYS))
    middle = "" if not days else words("half_by", n=words.amount(days, Unit.DAYS)) + ", "
    return f"{curve.label}: {middle}{last}"
