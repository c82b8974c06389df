"""Show what a process would have found in the stored history, rule by rule, beside the process as it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from crmbridge.cli.output import Line, Part, Tinted, Tone, cut, dim, plural, strong, table
from crmbridge.cli.rules_view import moment
from crmbridge.model.codec import ref_to_json
from crmbridge.model.values import iso

if TYPE_CHECKING:
    from crmbridge.services.answers.simulating import Example, RuleChange, RuleTally, Simulation

NAME = 40  # columns of a deal's name
FEW = 20  # below so many judged, a share says little


def simulation_form(said: Simulation) -> dict[str, Any]:
    """Write a simulation as plain JSON."""
    return {
        "since": iso(said.since),
        "until": iso(said.until),
        "compared": said.compared,
        "deals": said.deals,
        "moves": said.moves,
        "rules": [
            {
                "rule": change.rule,
                "place": change.place or None,
                "before": _tally_form(change.before),
                "after": _tally_form(change.after),
                "newly_flagged": change.newly,
                "no_longer_flagged": change.no_longer,
                "newly_examples": _examples(change.newly_examples),
                "no_longer_examples": _examples(change.no_longer_examples),
            }
            for change in said.rules
        ],
    }


def simulation_lines(said: Simulation) -> Iterator[Line]:
    """Show a simulation."""
    yield [
        strong(f"{plural(said.deals, 'deal')}, {plural(said.moves, 'move')}"),
        f" from {moment(said.since)} to {moment(said.until)} UTC. Nothing was saved or written.",
    ]
    exits = [change for change in said.rules if not change.is_sla]
    yield from _part("Rules, at the moves they are about", exits, said, ("judged", "failed", "unknown", "share"))
    slas = [change for change in said.rules if change.is_sla and _was_measured(change)]
    yield from _part("SLAs, on visits that lasted into this time", slas, said, ("visits", "broken", "risk", "share"))
    yield from _differences(said)
    yield ""
    yield dim(
        "A rule is judged as of each move, by the values of then where they were seen and by those of today where not "
        f"(today's). Below {FEW} judged, a share says little."
    )


def _part(title: str, changes: list[RuleChange], said: Simulation, heads: tuple[str, ...]) -> Iterator[Line]:
    if not changes:
        return
    yield ""
    yield strong(title)
    last = () if changes[0].is_sla else ("today's",)
    compared = ("deals now", "deals then") if said.compared else ("deals",)
    rows = [_row(change, said) for change in changes]
    yield from table(rows, indent=2, heads=("rule", *heads, *last, *compared, "where"))


def _row(change: RuleChange, said: Simulation) -> list[Part]:
    tally = change.after or change.before
    if tally is None:
        raise TypeError("a rule is of one of the two processes")
    middle = tally.at_risk if change.is_sla else tally.unknown
    row: list[Part] = [change.rule, f"{tally.judged:,}", f"{tally.failed:,}", f"{middle:,}", _share(tally)]
    row += [] if change.is_sla else [f"{tally.of_today:,}"]
    row += [_deals(change.before)] if said.compared else []
    return [*row, _deals(change.after), dim(change.place or "-")]


def _was_measured(change: RuleChange) -> bool:
    """Tell whether there is anything to say; a hand-off need not have a limit."""
    return any(tally is not None and tally.judged for tally in (change.before, change.after))


def _share(tally: RuleTally) -> Part:
    if tally.share is None:
        return dim("-")
    text = f"{tally.share:.0%}"
    return dim(f"{text} (few)") if tally.judged < FEW else text


def _deals(tally: RuleTally | None) -> Part:
    return dim("no rule") if tally is None else f"{tally.deals:,}"


def _differences(said: Simulation) -> Iterator[Line]:
    if not said.compared:
        return
    yield ""
    changed = [change for change in said.rules if change.newly or change.no_longer]
    if not changed:
        yield "The same deals would have been found."
        return
    yield strong("What would be other")
    rows: list[list[Part]] = []
    for change in changed:
        if change.newly:
            new = Tinted(f"+{change.newly:,} newly found", Tone.BAD)
            rows.append([change.rule, new, _named(change.newly_examples)])
        if change.no_longer:
            gone = Tinted(f"-{change.no_longer:,} no longer found", Tone.GOOD)
            rows.append([change.rule, gone, _named(change.no_longer_examples)])
    yield from table(rows, indent=2, heads=("rule", "deals", "such as"))


def _named(examples: list[Example]) -> Part:
    return dim(", ".join(f"{cut(one.name, NAME) or '(no name)'} ({one.ref})" for one in examples))


def _tally_form(tally: RuleTally | None) -> dict[str, Any] | None:
    if tally is None:
        return None
    return {
        "judged": tally.judged,
        "failed": tally.failed,
        "unknown": tally.unknown,
        "at_risk": tally.at_risk,
        "of_today": tally.of_today,
        "share": tally.share,
        "deals": tally.deals,
    }


def _examples(examples: list[Example]) -> list[dict[str, Any]]:
    return [{"deal": ref_to_json(one.ref), "name": one.name} for one in examples]
