"""The flow chart as SVG: a column of stages, arrows on, back and out, and the departments that sales meets there."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from itertools import pairwise

from markupsafe import Markup, escape

from crmbridge.manual.flow import LOST, Arrow, arrows, department_met, role_name
from crmbridge.manual.speech import Speech
from crmbridge.model.process import Stage

WIDTH = 880
LEFT, BOX, HIGH, GAP = 150, 350, 82, 62  # the column of boxes: where it begins, and its sizes
RIGHT = LEFT + BOX
CHIP_LEFT, CHIP = RIGHT + 64, 300
RAIL = 48  # where what is lost goes down
TOP = 14
USUAL, BOLD = 0.56, 0.64  # how wide a letter is, about, for its font size


def svg(speech: Speech) -> Markup:
    """Draw the chart; its colours are those of the page's style sheet."""
    stages = speech.process.stages
    places = {stage.id: TOP + number * (HIGH + GAP) for number, stage in enumerate(stages)}
    height = TOP + len(stages) * (HIGH + GAP) - GAP + 64
    ways = arrows(speech)
    body = Markup("").join(
        (
            *_rail(ways, places, height, speech),
            *(part for way in ways if way.kind != "lost" for part in _arrow(way, places)),
            *(_box(stage, number, places[stage.id], speech) for number, stage in enumerate(stages, start=1)),
            *(chip for stage in stages for chip in _chips(stage, places[stage.id], speech)),
        )
    )
    return Markup(
        '<svg class="flow" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="group" aria-label="{title}">'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z" class="tip"/></marker></defs>{body}</svg>'
    ).format(w=WIDTH, h=height, title=speech.words("flow_title"), body=body)


def _box(stage: Stage, number: int, top: int, speech: Speech) -> Markup:
    words = speech.words
    limit = words("flow_limit", time=words.duration(stage.sla.goal)).unescape() if stage.sla else ""
    if stage.status == "won":
        limit = str(words("flow_won").unescape())
    name = _name(f"{number}  {speech.plain(stage.name)}")
    lines = [
        *((down, kind, text, speech.tongue(stage.name)) for down, kind, text in name),
        (53 if len(name) == 1 else 58, "who", _fitted(role_name(stage.owner, speech), BOX - 30, 14), None),
        (71 if len(name) == 1 else 74, "limit", _fitted(limit, BOX - 30, 13), None),
    ]
    texts = Markup("").join(
        Markup('<text x="{}" y="{}" class="{}"{}>{}</text>').format(LEFT + 16, top + down, kind, _lang(tongue), text)
        for down, kind, text, tongue in lines
        if text
    )
    return Markup(
        '<a href="stage-{id}.html"><rect x="{x}" y="{y}" width="{w}" height="{h}" rx="8" class="box {status}"/>'
        "{texts}</a>"
    ).format(id=stage.id, x=LEFT, y=top, w=BOX, h=HIGH, status=stage.status, texts=texts)


def _lang(tongue: str | None) -> Markup:
    return Markup(' lang="{}"').format(tongue) if tongue else Markup("")


def _arrow(way: Arrow, places: dict[str, int]) -> Iterator[Markup]:
    start, end = places[way.source], places[way.target]
    middle = LEFT + BOX // 2
    if way.kind == "back":
        yield _path(
            f"M{LEFT} {start + 24}C{LEFT - 42} {start + 8} {LEFT - 42} {end + HIGH - 8} {LEFT - 3} {end + HIGH - 24}",
            "back",
        )
    elif end == start + HIGH + GAP:
        yield _path(f"M{middle} {start + HIGH}V{end - 3}", "forward")
        if way.label:
            yield _label(middle + 14, start + HIGH + GAP // 2 + 5, way.label, CHIP_LEFT + CHIP - middle - 14)
    else:  # past stages, or to an earlier one
        bend = RIGHT + 24 + 8 * min(4, abs(end - start) // (HIGH + GAP))
        yield _path(f"M{RIGHT} {start + 58}C{bend} {start + 58} {bend} {end + 18} {RIGHT + 3} {end + 18}", way.kind)
        if way.label:
            yield _label(RIGHT + 10, start + HIGH + 14, way.label, CHIP_LEFT + CHIP - RIGHT)


def _rail(ways: tuple[Arrow, ...], places: dict[str, int], height: int, speech: Speech) -> Iterator[Markup]:
    """Draw the way out on the left: from every open stage down to what is lost."""
    sources = [places[way.source] for way in ways if way.target == LOST]
    if not sources:
        return
    for top in sources:
        yield _path(f"M{LEFT} {top + HIGH // 2}H{RAIL}", "lost plain")
    yield _path(f"M{RAIL} {sources[0] + HIGH // 2}V{height - 46}", "lost")
    yield Markup('<rect x="4" y="{}" width="112" height="40" rx="20" class="end"/>').format(height - 43)
    label = _fitted(str(speech.words("lost").unescape()), 100, 14)
    yield Markup('<text x="60" y="{}" class="who centre">{}</text>').format(height - 18, label)


def _chips(stage: Stage, top: int, speech: Speech) -> Iterator[Markup]:
    points = [one for name in stage.touch_points for one in speech.process.touch_points if one.id == name][:3]
    for number, point in enumerate(points):
        y = top + 4 + number * 39
        yield _path(f"M{RIGHT} {y + 17}H{CHIP_LEFT}", "touch")
        met = department_met(point, speech)
        yield Markup(
            '<a href="stage-{}.html#touch"><title>{}</title>'
            '<rect x="{}" y="{}" width="{}" height="34" rx="17" class="chip"/>'
        ).format(stage.id, met, CHIP_LEFT, y, CHIP)
        text = _fitted(met.unescape(), CHIP - 28, 13)
        yield Markup('<text x="{}" y="{}" class="limit">{}</text></a>').format(CHIP_LEFT + 14, y + 22, text)


def _path(path: str, kind: str) -> Markup:
    tip = "" if kind == "touch" or kind.endswith("plain") else Markup(' marker-end="url(#tip)"')
    return Markup('<path d="{}" class="way {}"{}/>').format(path, kind, tip)


def _label(x: int, y: int, text: str, room: int) -> Markup:
    return Markup('<text x="{}" y="{}" class="label">{}</text>').format(x, y, _fitted(text, room, 13))


def _name(text: str) -> list[tuple[int, str, Markup]]:
    """Give a stage's name as one line, or smaller as two, with how far down each stands."""
    room = BOX - 30
    if _ends(text, 18, BOLD)[-1] <= room:
        return [(32, "name", escape(text))]
    fits = sum(1 for end in _ends(text, 15, BOLD)[1:] if end <= room)
    cut = fits if fits == len(text) or text[fits] == " " else text.rfind(" ", 0, fits) + 1
    cut = cut if text[:cut].strip("0123456789 ") else fits  # a number alone is no line
    rest = text[cut:].strip()
    first = (22 if rest else 30, "name long", escape(text[:cut].rstrip()))
    return [first, (40, "name long", _fitted(rest, room, 15, BOLD))] if rest else [first]


def _fitted(text: str, room: int, size: int, wide: float = USUAL) -> Markup:
    """Give text that takes at most `room` pixels at a font size, about; cut where it would take more."""
    ends = _ends(text, size, wide)
    if ends[-1] <= room:
        return escape(text)
    kept = sum(1 for _, end in pairwise(ends) if end <= room - size)
    return escape(text[:kept].rstrip() + "…")


def _ends(text: str, size: int, wide: float) -> list[float]:
    """Give where each character of a text ends at a font size, about, in pixels; first where it begins."""
    ends = [0.0]
    for character in text:
        ends.append(ends[-1] + size * (1.0 if unicodedata.east_asian_width(character) in "WF" else wide))
    return ends
