"""Say what needs attention: the cards at the top of a report, and its figures in a few lines."""

from __future__ import annotations

from crmbridge.model.figures import IndicatorFigure, Measured, Scorecard, Unit, WaivedFindings
from crmbridge.report.parts import Card
from crmbridge.report.sections import anchor
from crmbridge.report.wording import SMALL_N, against_target, fraction, target, value
from crmbridge.report.words import Words

SERIOUS = ("errors", "warnings", "infos")  # columns of the open findings
NAMED = 3  # indicators named in a card


def cards(scorecard: Scorecard, words: Words) -> tuple[Card, ...]:
    """Say what needs attention: targets missed, findings open and waived, SLAs breached now, the weakest stage."""
    if not scorecard.coverage.deals:
        return ()
    found = (
        _targets_card(scorecard, words),
        _findings_card(scorecard, words),
        _waived_card(scorecard.waived, words),
        _sla_card(scorecard, words),
        _weakest_card(scorecard, words),
    )
    return tuple(card for card in found if card)


def summary(scorecard: Scorecard, words: Words) -> list[str]:
    """Give the cards and the process's indicators as plain lines, for places where a page does not fit."""
    lines = [words("as_of", when=words.minute(scorecard.as_of))]
    if not scorecard.coverage.deals:
        return [*lines, f"{words('no_data')}. {words('no_data_why')}"]
    lines += [f"{card.label}: {card.value}. {card.detail}." for card in cards(scorecard, words)]
    return [*lines, *(_indicator_line(each, words) for each in scorecard.indicators)]


def _indicator_line(each: IndicatorFigure, words: Words) -> str:
    said = value(each.figure, words)
    if each.target is None:
        return f"{each.name}: {said}"
    return f"{each.name}: {said} ({words('target')} {target(each, words)}, {against_target(each, words).text})"


def _targets_card(scorecard: Scorecard, words: Words) -> Card | None:
    """Count the indicators that miss their target, and name the first ones."""
    judged = [each for each in scorecard.indicators if each.met is not None]
    if not judged:
        return None
    missed = [each.name for each in judged if not each.met]
    named = words("comma").join(missed[:NAMED]) + ("…" if len(missed) > NAMED else "")
    return Card(
        tone="bad" if missed else "good",
        value=words("n_of_short", numerator=words.number(len(missed)), denominator=words.number(len(judged))),
        label=words("targets_missed"),
        detail=named or words("all_met"),
        link="indicators",
    )


def _findings_card(scorecard: Scorecard, words: Words) -> Card | None:
    found = _measured(scorecard, "open_findings", *SERIOUS)
    if found is None:
        return None
    measured, link = found
    errors, warnings, infos = (_sum(measured, column) for column in SERIOUS)
    detail = words("none_open")
    if errors + warnings + infos:
        detail = words("findings_detail", errors=words.number(errors), warnings=words.number(warnings))
    return Card(
        tone="bad" if errors else "warn" if warnings else "good",
        value=words.number(errors + warnings + infos),
        label=words("open_findings"),
        detail=detail,
        link=link,
    )


def _waived_card(waived: WaivedFindings, words: Words) -> Card | None:
    """Say how many findings were accepted, and what of that runs out soon."""
    if not waived.findings:
        return None
    detail = words("waived_for_long")
    if waived.next_end:
        detail = words("waived_detail", ending=words.number(waived.ending), when=words.day(waived.next_end))
    tone = "warn" if waived.ending else "plain"
    return Card(tone=tone, value=words.number(waived.findings), label=words("waived"), detail=detail)


def _sla_card(scorecard: Scorecard, words: Words) -> Card | None:
    found = _measured(scorecard, "sla_attainment", "running", "at_risk", "breached")
    if found is None or not found[0].rows:
        return None
    measured, link = found
    if any(row.period for row in measured.rows):  # these are the clocks that stopped in it
        return None
    running, at_risk, breached = (_sum(measured, column) for column in ("running", "at_risk", "breached"))
    detail = words("at_risk_detail", at_risk=words.number(at_risk), running=words.number(running))
    if breached:
        worst = max(measured.rows, key=lambda row: row.value("breached"))
        detail = words("breached_detail", at_risk=words.number(at_risk), stage=worst.label)
    return Card(
        tone="bad" if breached else "warn" if at_risk else "good",
        value=words.number(breached),
        label=words("breached_now"),
        detail=detail,
        link=link,
    )


def _weakest_card(scorecard: Scorecard, words: Words) -> Card | None:
    """Name the stage with the lowest conversion, among those with enough cases to say so."""
    found = _measured(scorecard, "stage_conversion")
    if found is None:
        return None
    measured, link = found
    shares = [(row, figure) for row in measured.rows for figure in row.figures.values() if figure.unit is Unit.SHARE]
    sure = [(row, figure) for row, figure in shares if figure.value is not None and figure.n >= SMALL_N]
    if not sure:
        return None
    row, figure = min(sure, key=lambda each: each[1].value or 0)
    return Card(
        tone="plain",
        value=words.percent(figure.value),
        label=words("weakest", stage=row.label),
        detail=words("weakest_detail", **fraction(figure, words)),
        link=link,
    )


def _measured(scorecard: Scorecard, measure_id: str, *columns: str) -> tuple[Measured, str] | None:
    """Find a measure that has these columns, with its section's id; a team's own measure may have others."""
    for index, each in enumerate(scorecard.measures):
        if each.id == measure_id and {column.id for column in each.columns}.issuperset(columns):
            return each, anchor(each, index)
    return None


def _sum(measured: Measured, column: str) -> float:
    return sum(row.value(column) for row in measured.rows)
