"""Indicators in words: what is counted, where, and what it is aimed at."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from markupsafe import Markup, escape

from crmbridge.engine.text import plain
from crmbridge.manual.speech import Speech
from crmbridge.model.business_time import Duration
from crmbridge.model.process import Indicator

Definitions = Mapping[str, str]  # by measure, in one language
LOWER_IS_BETTER = frozenset({"open_findings", "findings_per_stage", "aging", "rework", "rework_rate", "skip_rate"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidIndicator:
    """An indicator in words. `definition` is empty where nobody gave one."""

    id: str
    name: Markup
    stage: Markup
    aim: Markup
    definition: str
    why: Markup


def said_indicators(speech: Speech, definitions: Definitions) -> Iterator[SaidIndicator]:
    """Say every indicator of the process."""
    for one in speech.process.indicators:
        yield SaidIndicator(
            id=one.id,
            name=speech.text(one.name),
            stage=speech.stage(one.stage) if one.stage else Markup(""),
            aim=aim(one, speech),
            definition=_definition(one, definitions),
            why=speech.text(one.why),
        )


def aim(one: Indicator, speech: Speech) -> Markup:
    """Say what an indicator is aimed at; nothing where that is not said."""
    if one.target is None:
        return Markup("")
    words = speech.words
    text = one.target.strip()
    lower = one.measure.value in LOWER_IS_BETTER
    if found := re.fullmatch(r"(\d{1,6}(?:\.\d{1,6})?)\s*%", text):
        return words("aim_most" if lower else "aim_least", x=f"{words.number(Decimal(found[1]))}%")
    if re.fullmatch(r"\d{1,9}(?:\.\d{1,6})?", text):
        return words("aim_most" if lower else "aim_least", x=words.number(Decimal(text)))
    try:
        return words("aim_most", x=words.duration(Duration.parse(text)))
    except ValueError:
        return escape(plain(text))


def _definition(one: Indicator, definitions: Definitions) -> str:
    business = re.fullmatch(r"[\d.]+b[dhm]", (one.target or "").strip()) is not None
    key = f"{one.measure.value}_business" if business else one.measure.value
    return definitions.get(key) or definitions.get(one.measure.value, "")
