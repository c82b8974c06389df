"""Show what a run did: pulled, found, planned, written, and what needs a person."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from crmbridge.cli.choices import left_lines
from crmbridge.cli.output import Line, Part, Tinted, Tone, cut, dim, plural, strong, table
from crmbridge.cli.plan_view import deal_name
from crmbridge.model.changes import Action, Outcome
from crmbridge.model.values import show
from crmbridge.services.naming import Names

if TYPE_CHECKING:
    from crmbridge.errors import CrmbridgeError
    from crmbridge.model.changes import Change
    from crmbridge.services.applied import Applied
    from crmbridge.services.cycle import Cycle
    from crmbridge.services.running import Ran

_TONES = {Outcome.APPLIED: Tone.GOOD, Outcome.STALE: Tone.WARN}


def ran_lines(ran: Ran, names: Names) -> Iterator[Line]:
    """Show a run in a few lines: figures first, then everything that did not go well."""
    if ran.error is not None:
        yield from error_lines(ran.command, ran.error)
    if ran.cycle is not None:
        yield from table(_figures(ran.cycle))
        yield from trouble_lines(ran.cycle.applied, names)
        yield from left_lines(ran.cycle.chosen, names)
        yield from _blocked_lines(ran.cycle)
        for connection, error in ran.cycle.errors:
            yield from error_lines(connection, error)
    for delivery in ran.delivered:
        if delivery.error is not None:
            yield from error_lines(f"report {delivery.report} {delivery.sink}".rstrip(), delivery.error)
        else:
            yield f"report {delivery.report}: {cut(delivery.place, 200) or f'{delivery.sink} has had it today already'}"


def trouble_lines(applied: Applied, names: Names) -> Iterator[Line]:
    """Name each change that did not happen, with why."""
    for change, receipt in applied.done:
        if receipt.outcome is not Outcome.APPLIED:
            tone = _TONES.get(receipt.outcome, Tone.BAD)
            what = f"{change.action} {_named(change, names)}"
            yield ["  ", Tinted(receipt.outcome.value, tone), f"  {what}  ", dim(cut(receipt.message, 200))]


def _named(change: Change, names: Names) -> str:
    """Call what a change is about by its name, as far as it has one."""
    if change.action is Action.FIELD:
        return str(change.key)
    if change.action is Action.CREATE:
        return f'{change.creates} "{cut(show(change.after.get("name")), 60)}"'
    return deal_name(change.target, names.deals)


def error_lines(about: str, error: CrmbridgeError) -> Iterator[Line]:
    """Show an error that kept a part of a run from its work."""
    yield [Tinted(f"{about}: ", Tone.BAD), error.message.removeprefix(f"{about}: ")]
    if error.advice:
        yield [dim("  "), error.advice]


def _figures(cycle: Cycle) -> Iterator[list[Part]]:
    for number, one in enumerate(cycle.pulled):
        said = f"{one.connection}: {plural(one.records, 'record')}, {plural(one.moves, 'move')}"
        said += f", {one.gone:,} gone" if one.gone else ""
        said += f", {plural(one.problems, 'value')} not readable" if one.problems else ""
        yield [strong("pulled" if number == 0 else ""), said]
    if cycle.reconciled:
        yield [strong("read back"), plural(len(cycle.reconciled), "unclear change") + " of earlier runs"]
    if cycle.judged or cycle.findings:
        open_ = sum(cycle.findings.values())
        yield [strong("judged"), f"{plural(cycle.judged, 'deal')} that changed; {plural(open_, 'finding')} open"]
    if cycle.plan is not None:
        count = len(cycle.plan.changes)
        yield [strong("planned"), plural(count, "change") if count else "nothing to write"]
    if cycle.applied.done:
        yield [strong("written"), ", ".join(f"{count:,} {name}" for name, count in cycle.applied.counts.items())]
    for crossed in cycle.crossed:
        yield [Tinted("too many", Tone.BAD if crossed.limit == "error_if" else Tone.WARN), crossed.in_words]


def _blocked_lines(cycle: Cycle) -> Iterator[Line]:
    blocked = len(cycle.plan.blocked) if cycle.plan else 0
    if blocked:
        verb = "needs" if blocked == 1 else "need"
        yield [
            Tinted(f"{plural(blocked, 'question')} {verb} a person; ", Tone.WARN),
            "`crmbridge conflicts` lists what waits, and how it is settled.",
        ]
