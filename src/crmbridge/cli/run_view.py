"""Show what a run did: pulled, found, planned, written, and what needs a person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
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
    from crmbridge.services.publishing import Delivery
    from crmbridge.services.running import Ran

NEEDS_LOOK = 7  # the exit code of what may have arrived
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
    yield from _delivered_lines(ran.delivered)


def _delivered_lines(delivered: Sequence[Delivery]) -> Iterator[Line]:
    """Say what became of each report at each of its sinks, and below it what to do about those that failed."""
    for report, group in groupby(delivered, key=lambda one: one.report):
        deliveries = list(group)
        fine = sum(one.error is None and not one.note for one in deliveries)
        yield [strong(f"report {report}"), dim(f"  {fine} of {plural(len(deliveries), 'sink')} {_has(fine)} it")]
        yield from table((_outcome(one), one.sink, _said(one)) for one in deliveries)
        advised = [one for one in deliveries if one.error and one.error.advice]
        for advice in dict.fromkeys(one.error.advice for one in advised if one.error):
            about = ", ".join(one.sink for one in advised if one.error and one.error.advice == advice)
            yield [dim(f"  {about}: "), advice]


def _has(count: int) -> str:
    return "has" if count == 1 else "have"


def _outcome(delivery: Delivery) -> Part:
    if delivery.error is not None:
        unclear = delivery.error.exit_code == NEEDS_LOOK
        return Tinted("unclear", Tone.WARN) if unclear else Tinted("failed", Tone.BAD)
    if delivery.note:
        return Tinted("unclear", Tone.WARN)
    return Tinted("told", Tone.GOOD) if delivery.place else dim("has it")


def _said(delivery: Delivery) -> Part:
    if delivery.error is not None:
        return cut(delivery.error.message, 300)
    return cut(delivery.note or delivery.place, 300) or dim("nothing new since it was last told")


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
