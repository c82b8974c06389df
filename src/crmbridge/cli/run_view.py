"""Show what a run did: pulled, found, planned, written, and what needs a person."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from crmbridge.cli.choices import left_lines
from crmbridge.cli.output import Line, Part, Tinted, Tone, cut, dim, strong, table
from crmbridge.cli.plan_view import deal_name
from crmbridge.model.changes import Action, Origin, Outcome
from crmbridge.model.values import show
from crmbridge.services.answers.alike import together
from crmbridge.services.answers.naming import Names

if TYPE_CHECKING:
    from crmbridge.cli.speech import Speech
    from crmbridge.errors import CrmbridgeError
    from crmbridge.model.changes import Change, Receipt
    from crmbridge.services.apply.applied import Applied
    from crmbridge.services.enforce.thresholds import Crossed
    from crmbridge.services.pull.pulling import ConnectionPull
    from crmbridge.services.reports.publishing import Delivery
    from crmbridge.services.runs.cycle import Cycle
    from crmbridge.services.runs.running import Ran

NEEDS_LOOK = 7  # the exit code of what may have arrived
_TONES = {Outcome.APPLIED: Tone.GOOD, Outcome.STALE: Tone.WARN}


def ran_lines(ran: Ran, names: Names, say: Speech) -> Iterator[Line]:
    """Show a run in a few lines: figures first, then everything that did not go well."""
    if ran.error is not None:
        yield from error_lines(ran.command, ran.error)
    if ran.cycle is not None:
        yield from table(_figures(ran.cycle, say))
        yield from trouble_lines(ran.cycle.applied, names, say)
        yield from left_lines(ran.cycle.chosen, names, say)
        yield from _blocked_lines(ran, say)
        for connection, error in ran.cycle.errors:
            yield from error_lines(connection, error)
    yield from _delivered_lines(ran.delivered, say)


def _delivered_lines(delivered: Sequence[Delivery], say: Speech) -> Iterator[Line]:
    """Say what became of each report at each of its sinks, and below it what to do about those that failed."""
    for report, group in groupby(delivered, key=lambda one: one.report):
        deliveries = list(group)
        fine = sum(one.error is None and not one.note for one in deliveries)
        sinks = say.counted("run_sinks", len(deliveries))
        yield [strong(say("run_report", name=report)), dim("  " + say.counted("run_have", fine, sinks=sinks))]
        yield from table((_outcome(one, say), one.sink, _said(one, say)) for one in deliveries)
        advised = [one for one in deliveries if one.error and one.error.advice]
        for advice in dict.fromkeys(one.error.advice for one in advised if one.error):
            about = ", ".join(one.sink for one in advised if one.error and one.error.advice == advice)
            yield [dim(f"  {about}: "), advice]


def _outcome(delivery: Delivery, say: Speech) -> Part:
    if delivery.error is not None:
        unclear = delivery.error.exit_code == NEEDS_LOOK
        return Tinted(say("run_sink_unclear"), Tone.WARN) if unclear else Tinted(say("run_sink_failed"), Tone.BAD)
    if delivery.note:
        return Tinted(say("run_sink_unclear"), Tone.WARN)
    return Tinted(say("run_sink_told"), Tone.GOOD) if delivery.place else dim(say("run_sink_has"))


def _said(delivery: Delivery, say: Speech) -> Part:
    if delivery.error is not None:
        return cut(delivery.error.message, 300)
    return cut(delivery.note or delivery.place, 300) or dim(say("run_nothing_new"))


def trouble_lines(applied: Applied, names: Names, say: Speech) -> Iterator[Line]:
    """Name each change that did not happen, with why, and once what was said of many."""
    unmade = [each for each in applied.done if each[1].outcome is not Outcome.APPLIED]
    for (change, receipt), *others in together(unmade, _said_of):
        tone = _TONES.get(receipt.outcome, Tone.BAD)
        what = f"{say.named('wrote', change.action)} {_named(change, names, say)}"
        what += say.counted("and_others", len(others)) if others else ""
        outcome = Tinted(say.named("outcome", receipt.outcome), tone)
        yield ["  ", outcome, f"  {what}  ", dim(cut(say.reason(receipt.message), 200))]


def _said_of(each: tuple[Change, Receipt]) -> Hashable:
    change, receipt = each
    return receipt.outcome, receipt.message, change.connection, change.action, change.kind


def _named(change: Change, names: Names, say: Speech) -> str:
    """Call what a change is about by its name, as far as it has one."""
    if change.action is Action.FIELD:
        return str(change.key)
    if change.action is Action.CREATE:
        return f'{say.named("kind", str(change.creates))} "{cut(show(change.after.get("name")), 60)}"'
    return deal_name(change.target, names.deals, say)


def error_lines(about: str, error: CrmbridgeError) -> Iterator[Line]:
    """Show an error that kept a part of a run from its work."""
    yield [Tinted(f"{about}: ", Tone.BAD), error.message.removeprefix(f"{about}: ")]
    if error.advice:
        yield [dim("  "), error.advice]


def _figures(cycle: Cycle, say: Speech) -> Iterator[list[Part]]:
    for number, one in enumerate(cycle.pulled):
        said = say("run_pulled_of", name=one.connection, said=_pulled(one, say))
        yield [strong("" if number else say("run_pulled")), said]
    if cycle.reconciled:
        yield [strong(say("run_read_back")), say.counted("run_unclear", len(cycle.reconciled))]
    if cycle.judged or cycle.findings:
        open_ = say.counted("run_open", sum(cycle.findings.values()))
        deals = say.counted("run_deals", cycle.judged)
        yield [strong(say("run_judged")), say("run_judged_of", deals=deals, findings=open_)]
    if cycle.plan is not None:
        count = len(cycle.plan.changes)
        yield [strong(say("run_planned")), say.counted("run_changes", count) if count else say("run_no_changes")]
    if cycle.applied.done:
        counts = [say.ended(name, count) for name, count in cycle.applied.counts.items()]
        yield [strong(say("run_written")), say("run_and").join(counts)]
        if before := len(cycle.applied.before):
            yield ["", say.counted("run_before", before)]
    for crossed in cycle.crossed:
        tone = Tone.BAD if crossed.limit == "error_if" else Tone.WARN
        yield [Tinted(say("run_too_many"), tone), _crossed(crossed, say)]


def _pulled(pulled: ConnectionPull, say: Speech) -> str:
    if pulled.error is not None and not pulled.records:
        return say("run_not_read")
    said = [say.counted("run_records", pulled.records), say.counted("run_moves", pulled.moves)]
    said += [say.counted("run_gone", pulled.gone)] if pulled.gone else []
    said += [say.counted("run_unreadable", pulled.problems)] if pulled.problems else []
    said += [say("run_read_in_part")] if pulled.error is not None else []
    return say("run_and").join(said)


def _crossed(crossed: Crossed, say: Speech) -> str:
    """Say what was found and which limit it reaches."""
    rule, severity = crossed.threshold.rule, crossed.threshold.severity
    if severity != "info":
        rule = say("run_or_graver", rule=rule, severity=say.named("severity", severity))
    amount, limit = crossed.amount, crossed.limit
    if amount.count is not None:
        most = say.number(amount.count)
        return say.counted("run_crossed_findings", crossed.findings, rule=rule, limit=limit, most=most)
    deals, most = say.number(crossed.deals), f"{amount.percent} %"
    return say.counted("run_crossed_deals", crossed.open_deals, rule=rule, deals=deals, limit=limit, most=most)


def leaves_undone(ran: Ran) -> int:
    """Count what an undo left alone. It waits nowhere: no later plan asks about it."""
    plan = ran.cycle.plan if ran.cycle else None
    if plan is None or not (ran.command == "undo" or any(one.origin is Origin.UNDO for one in plan.changes)):
        return 0
    return len(plan.blocked)


def _blocked_lines(ran: Ran, say: Speech) -> Iterator[Line]:
    blocked = len(ran.cycle.plan.blocked) if ran.cycle and ran.cycle.plan else 0
    if left := leaves_undone(ran):
        yield [Tinted(say.counted("run_not_undone", left), Tone.WARN), say("run_where_not_undone")]
    elif ran.cycle and ran.cycle.waiting > blocked:
        yield [Tinted(say.counted("run_waiting", ran.cycle.waiting), Tone.WARN), say("run_where_settled")]
    elif blocked and ran.command == "setup":  # its questions are of the account, and wait under no deal
        yield [Tinted(say.counted("run_questions", blocked), Tone.WARN), say("run_where_not_undone")]
    elif blocked:
        yield [Tinted(say.counted("run_questions", blocked), Tone.WARN), say("run_where_settled")]
