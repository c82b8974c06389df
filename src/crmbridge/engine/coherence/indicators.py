"""The checks on a process's indicators."""

from __future__ import annotations

import re
from collections.abc import Iterator

from crmbridge.engine.issues import Issue, issue, unknown
from crmbridge.model.business_time import Duration
from crmbridge.model.process import Indicator, Measure, Process

MOST_INDICATORS = 10
MOST_PER_STAGE = 3
_TIMES = frozenset({Measure.TIME_IN_STAGE, Measure.CYCLE_TIME})
_COUNTS = frozenset({Measure.OPEN_FINDINGS, Measure.ACTIVITIES})
_OF_DEALS = frozenset({Measure.CYCLE_TIME, Measure.CONFORMING, Measure.ACTIVITIES, Measure.SALES_VELOCITY})
_OF_MONEY = frozenset({Measure.PIPELINE_COVERAGE, Measure.SALES_VELOCITY, Measure.FORECAST})
_MONEY = r"\d{1,15}(\.\d{1,6})?\s+[A-Z]{3}"


def check_indicators(process: Process) -> Iterator[Issue]:
    """Find indicators of unknown stages, targets that can't be read, and more indicators than can be acted on."""
    stages = [stage.id for stage in process.stages]
    per_stage: dict[str, int] = {}
    for i, indicator in enumerate(process.indicators):
        if indicator.stage is not None:
            yield from unknown("stage", [(("indicators", i, "stage"), indicator.stage)], stages)
            per_stage[indicator.stage] = per_stage.get(indicator.stage, 0) + 1
            if per_stage[indicator.stage] == MOST_PER_STAGE + 1:
                sentence = f"more than {MOST_PER_STAGE} indicators on the stage {indicator.stage!r} are hard to act on"
                yield issue(("indicators", i), "too-many-indicators", sentence)
        yield from _misfits(i, indicator)
    if len(process.indicators) > MOST_INDICATORS:
        sentence = f"{len(process.indicators)} indicators are too many to manage; keep at most {MOST_INDICATORS}"
        yield issue(("indicators",), "too-many-indicators", sentence, at_key=True)


def _misfits(i: int, indicator: Indicator) -> Iterator[Issue]:
    """Find what does not fit the measure of an indicator."""
    measure = indicator.measure
    for name in ("target", "warn"):
        text = getattr(indicator, name)
        if text is not None and (form := _target_misfit(indicator, text)):
            yield issue(
                ("indicators", i, name), "wrong-target", f"the {name} of {measure} is written as {form}, not {text!r}"
            )
    if indicator.quota is not None and not re.fullmatch(_MONEY, indicator.quota.strip()):
        sentence = f"a quota is written as an amount of money, such as 500000 EUR, not {indicator.quota!r}"
        yield issue(("indicators", i, "quota"), "wrong-target", sentence)
    if indicator.quota is not None and measure is not Measure.PIPELINE_COVERAGE:
        yield issue(("indicators", i, "quota"), "wrong-target", f"only pipeline_coverage has a quota, not {measure}")
    if indicator.stage is not None and measure in _OF_DEALS:
        sentence = f"{measure} is counted over whole deals, so it is not of one stage"
        yield issue(("indicators", i, "stage"), "wrong-target", sentence)


def _target_misfit(indicator: Indicator, target: str) -> str | None:
    """Say how a target must be written when it isn't."""
    pattern, form = _form(indicator)
    if pattern:
        return None if re.fullmatch(pattern, target.strip()) else form
    try:
        Duration.parse(target)
    except ValueError:
        return form
    return None


def _form(indicator: Indicator) -> tuple[str | None, str]:
    """Give the pattern that a target follows, and how it is written; without a pattern, a length of time."""
    measure = indicator.measure
    if measure is Measure.PLUGIN:  # the plugin knows its unit, which a check of the file does not ask for
        return r"(?s).*", ""
    if measure is Measure.PIPELINE_COVERAGE and indicator.quota:
        return r"\d{1,3}(\.\d+)?\s*x", "times the quota, such as 3x"
    if measure in _OF_MONEY or indicator.unit == "money":
        return rf"\d+|{_MONEY}" if indicator.unit else _MONEY, "an amount of money, such as 500000 EUR"
    if measure in _COUNTS or indicator.unit == "count":
        return r"\d+", "a count, such as 5"
    if measure in _TIMES or indicator.unit == "d":
        return None, "a length of time, such as 5bd"
    return r"\d{1,3}(\.\d+)?\s*%", "a percentage, such as 30%"
