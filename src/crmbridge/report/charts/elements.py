"""Write SVG and HTML elements: every value is escaped, and nothing has a style of its own."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from markupsafe import Markup, escape

_NAMES = {"class_": "class", "text_anchor": "text-anchor", "aria_hidden": "aria-hidden"}
_EMPTY = Markup("")


def element(name: str, *inside: str, **attributes: object) -> Markup:
    """Write an element; an attribute that is None is left out. Text inside is escaped unless it is Markup."""
    return Markup("<{0}{1}>{2}</{0}>").format(name, _written(attributes), _EMPTY.join(map(escape, inside)))


def shape(name: str, said: str = "", **attributes: object) -> Markup:
    """Write a shape of a drawing; `said` is shown when the pointer rests on it."""
    if said:
        return element(name, element("title", said), **attributes)
    return Markup("<{0}{1}/>").format(name, _written(attributes))


def stretched(*inside: Markup, down: float = 100, **attributes: object) -> Markup:
    """Write a drawing, 100 wide and `down` high, that fills its room both ways; lines in it keep their width."""
    return element(
        "svg",
        *inside,
        viewBox=f"0 0 100 {_short(down)}",
        preserveAspectRatio="none",
        **attributes,
    )


def percent(value: float) -> str:
    """Write a length as a part of the whole width."""
    return f"{_short(value)}%"


def points(pairs: list[tuple[float, float]]) -> str:
    """Write the points of a line."""
    return " ".join(f"{_short(x)},{_short(y)}" for x, y in pairs)


def stairs(pairs: list[tuple[float, float]]) -> str:
    """Write a line of strokes that go across, up or down, each from where the last one ended.

    Places are rounded to tenths, not the strokes, so that a line of many still ends where it should.
    """
    spots = [(round(10 * x), round(10 * y)) for x, y in pairs]
    strokes = (_stroke("h", x - before) + _stroke("v", y - above) for (before, above), (x, y) in pairwise(spots))
    return f"M{spots[0][0] / 10:g},{spots[0][1] / 10:g}" + "".join(strokes)


def _stroke(way: str, tenths: int) -> str:
    """Write a stroke, `h.5` for half a unit to the right; none where it goes nowhere."""
    if not tenths:
        return ""
    whole, part = divmod(abs(tenths), 10)
    return f"{way}{'-' if tenths < 0 else ''}{whole or ''}{f'.{part}' if part else ''}"


def _written(attributes: Mapping[str, object]) -> Markup:
    return _EMPTY.join(
        Markup(' {}="{}"').format(_NAMES.get(key, key), _short(value))
        for key, value in attributes.items()
        if value is not None
    )


def _short(value: object) -> object:
    """Write a number with two decimals at most: a hundredth is less than anybody sees."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value
