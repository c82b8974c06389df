"""Say what needs attention: the cards at the top of a report, and its figures in a few lines."""

from __future__ import annotations

from collections.abc import Sequence

from crmbridge.report.facts import IndicatorFacts, OwnerFacts, ScorecardFacts, SlaFacts, WaivedFacts
from crmbridge.report.parts import Card
from crmbridge.report.wording import SMALL_N, against_target, fraction, target
from crmbridge.report.words import Words


def cards(facts: ScorecardFacts, words: Words) -> tuple[Card, ...]:
    """Say what needs attention: open and waived findings, SLAs breached now, the stage with the weakest conversion."""
    if not facts["coverage"]["deals"]:
        return ()
    found = (
        _findings_card(facts["findings"], words),
        _waived_card(facts["waived"], words),
        _sla_card(facts["sla"], words),
        _weakest(facts, words),
    )
    return tuple(card for card in found if card)


def _findings_card(owners: Sequence[OwnerFacts], words: Words) -> Card:
    errors, warnings, infos = (sum(each[part] for each in owners) for part in ("errors", "warnings", "infos"))
    detail = words("none_open")
    if owners:
        oldest = words.day(min(each["oldest"] for each in owners))
        detail = words("findings_detail", errors=words.number(errors), warnings=words.number(warnings), when=oldest)
    return Card(
        tone="bad" if errors else "warn" if warnings else "good",
        value=words.number(errors + warnings + infos),
        label=words("open_findings"),
        detail=detail,
    )


def _waived_card(waived: WaivedFacts, words: Words) -> Card | None:
    """Say how many findings were accepted, and what of that runs out soon."""
    if not waived["findings"]:
        return None
    detail = words("waived_for_long")
    if waived["next_end"]:
        detail = words("waived_detail", ending=words.number(waived["ending"]), when=words.day(waived["next_end"]))
    return Card(
        tone="warn" if waived["ending"] else "plain",
        value=words.number(waived["findings"]),
        label=words("waived"),
        detail=detail,
    )


def _sla_card(slas: Sequence[SlaFacts], words: Words) -> Card | None:
    if not slas:
        return None
    breached, at_risk, running = (sum(each[part] for each in slas) for part in ("breached", "at_risk", "running"))
    worst = max(slas, key=lambda each: each["breached"])
    detail = words("at_risk_detail", at_risk=words.number(at_risk), running=words.number(running))
    if breached:
        detail = words("breached_detail", at_risk=words.number(at_risk), stage=worst["name"])
    return Card(
        tone="bad" if breached else "warn" if at_risk else "good",
        value=words.number(breached),
        label=words("breached_now"),
        detail=detail,
    )


def _weakest(facts: ScorecardFacts, words: Words) -> Card | None:
    """Name the stage with the lowest conversion, among those with enough cases to say so."""
    sure = [each for each in facts["conversion"] if each["conversion"]["n"] >= SMALL_N]
    if not sure:
        return None
    worst = min(sure, key=lambda each: each["conversion"]["value"] or 0)
    return Card(
        tone="plain",
        value=words.percent(worst["conversion"]["value"]),
        label=words("weakest", stage=worst["name"]),
        detail=words("weakest_detail", **fraction(worst["conversion"], words)),
    )


def summary(facts: ScorecardFacts, words: Words) -> list[str]:
    """Give the cards and the process's indicators as plain lines, for places where a page does not fit."""
    lines = [words("as_of", when=words.minute(facts["as_of"]))]
    if not facts["coverage"]["deals"]:
        return [*lines, f"{words('no_data')}. {words('no_data_why')}"]
    lines += [f"{card.label}: {card.value}. {card.detail}." for card in cards(facts, words)]
    return [*lines, *(_indicator_line(each, words) for each in facts["indicators"])]


def _indicator_line(each: IndicatorFacts, words: Words) -> str:
    value = words.amount(each["figure"]["value"], each["figure"]["unit"])
    if each["target"] is None:
        return f"{each['name']}: {value}"
    return f"{each['name']}: {value} ({words('target')} {target(each, words)}, {against_target(each, words).text})"
