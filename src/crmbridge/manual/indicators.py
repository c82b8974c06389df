"""Indicators in words: what is counted, where, and what it is aimed at."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal

from markupsafe import Markup, escape
from msgspec import Struct

from crmbridge.engine.text import plain
from crmbridge.manual.speech import Speech
from crmbridge.model.aims import must_reach
from crmbridge.model.business_time import Duration
from crmbridge.model.figures import Unit
from crmbridge.model.process import Indicator, Measure

Definitions = Mapping[str, str]  # by measure, in one language


class SaidIndicator(Struct, frozen=True, kw_only=True):
    """An indicator in words. `definition` is empty where nobody gave one."""

    id: str
    name: Markup
    stage: Markup
    aim: Markup
    definition: str | Markup
    why: Markup
    notes: tuple[Markup, ...]


def said_indicators(speech: Speech, definitions: Definitions) -> Iterator[SaidIndicator]:
    """Say every indicator of the process."""
    for one in speech.process.indicators:
        yield SaidIndicator(
            id=one.id,
            name=speech.text(one.name),
            stage=speech.stage(one.stage) if one.stage else Markup(""),
            aim=aim(one, speech),
            definition=_definition(one, definitions, speech),
            why=speech.text(one.why),
            notes=notes(one, speech),
        )


def aim(one: Indicator, speech: Speech) -> Markup:
    """Say what an indicator is aimed at; nothing where that is not said."""
    if one.target is None:
        return Markup("")
    text = one.target.strip()
    reach = must_reach(one.measure, Unit(one.unit) if one.unit else _unit(text))
    return speech.words("aim_least" if reach else "aim_most", x=_amount(text, speech))


def _unit(text: str) -> Unit:
    """Tell what a target is counted in, as far as that says which way it is aimed."""
    if text.endswith("%"):
        return Unit.SHARE
    return Unit.MONEY if re.fullmatch(r"[\d.]+\s+[A-Z]{3}", text) else Unit.COUNT


def _amount(text: str, speech: Speech) -> Markup:
    """Write `25%`, `3x`, `500000 EUR`, `10bd` or `0` as the language does; anything else stays as it is."""
    if found := re.fullmatch(r"(\d{1,15}(?:\.\d{1,6})?)(\s*%|\s*x|\s+[A-Z]{3})?", text):
        unit = (found[2] or "").strip()
        number = speech.words.number(Decimal(found[1]))
        return escape(f"{number}%" if unit == "%" else f"{number} {'×' if unit == 'x' else unit}".rstrip())  # noqa: RUF001  times
    try:
        return speech.words.duration(Duration.parse(text))
    except ValueError:
        return escape(plain(text))


def notes(one: Indicator, speech: Speech) -> tuple[Markup, ...]:
    """Say from where on a warning comes, and which quota is counted against."""
    said = (("indicator_warn", one.warn), ("indicator_quota", one.quota))
    return tuple(speech.words(key, x=_amount(text.strip(), speech)) for key, text in said if text is not None)


def _definition(one: Indicator, definitions: Definitions, speech: Speech) -> str | Markup:
    if one.measure is Measure.SQL:
        return speech.words("counted_by_file", file=plain(one.sql or ""))
    if one.measure is Measure.PLUGIN:
        return speech.words("counted_by_plugin", name=plain(one.plugin or ""))
    business = re.fullmatch(r"[\d.]+b[dhm]", (one.target or "").strip()) is not None
    key = f"{one.measure.value}_business" if business else one.measure.value
    return definitions.get(key) or definitions.get(one.measure.value, "")
