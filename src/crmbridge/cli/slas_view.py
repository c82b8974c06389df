"""Show how SLAs were kept, as it was judged and as it would be judged today."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from crmbridge.cli.output import Line, Part, cut, dim, plural, strong, table
from crmbridge.cli.rules_view import moment
from crmbridge.model.codec import ref_to_json
from crmbridge.model.values import iso

if TYPE_CHECKING:
    from crmbridge.model.findings import SlaClock
    from crmbridge.services.answers.judging_again import Compared, Differing, SlaTally

MOST_SHOWN = 20


def slas_form(said: Compared) -> dict[str, Any]:
    """Write a comparison as plain JSON."""
    return {
        "slas": [
            {
                "sla": each.sla,
                "closed": each.closed,
                "kept_then": each.kept_then,
                "kept_now": each.kept_now,
                "measured_now": each.measured_now,
            }
            for each in _in_order(said)
        ],
        "differing": [
            {
                "deal": ref_to_json(each.deal),
                "name": each.name,
                "sla": each.again.then.sla,
                "stage": each.again.then.visit.stage,
                "visit": each.again.then.visit.number,
                "started_at": iso(each.again.then.started_at),
                "ended_at": iso(each.again.then.ended_at) if each.again.then.ended_at else None,
                "then": _clock(each.again.then),
                "now": _clock(each.again.now) if each.again.now else None,
            }
            for each in said.differing
        ],
    }


def slas_lines(said: Compared) -> Iterator[Line]:
    """Show a comparison."""
    if not said.slas:
        yield "No SLA cycle has ended so far."
        return
    rows: list[list[Part]] = [
        [each.sla, f"{each.closed:,}", _share(each.kept_then, each.closed), _share(each.kept_now, each.measured_now)]
        for each in _in_order(said)
    ]
    yield from table(rows, heads=("SLA", "ended", "kept, as judged then", "kept, as judged today"))
    yield ""
    if not said.differing:
        yield "Judged by the process and the calendars of today, every one would end the same."
        return
    yield strong(f"{plural(len(said.differing), 'cycle')} would be judged otherwise today")
    yield from table([_row(each) for each in said.differing[:MOST_SHOWN]], indent=2)
    if len(said.differing) > MOST_SHOWN:
        yield dim(f"  and {len(said.differing) - MOST_SHOWN:,} more; --json has them all")
    yield dim("What was said then stays, in the state and in reports.")


def _row(each: Differing) -> list[Part]:
    then, now = each.again.then, each.again.now
    today = f"{now.state.value.replace('_', ' ')} ({now.limit})" if now else "not measured"
    name = f"{cut(each.name, 40)} ({each.deal})"
    ended = f"{moment(then.started_at)} to {moment(then.ended_at)}"
    return [name, then.sla, ended, f"{then.state.value.replace('_', ' ')} ({then.limit})", "→", today]


def _clock(clock: SlaClock) -> dict[str, Any]:
    return {
        "state": clock.state.value,
        "goal": str(clock.limit),
        "calendar": clock.calendar or None,
        "goal_seconds": int(clock.goal.total_seconds()),
        "elapsed_seconds": int(clock.elapsed.total_seconds()),
        "judged_by": clock.judged_by,
    }


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%} ({part:,} of {whole:,})" if whole else "none measured"


def _in_order(said: Compared) -> list[SlaTally]:
    return [said.slas[name] for name in sorted(said.slas)]
