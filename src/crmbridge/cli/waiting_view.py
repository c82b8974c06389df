"""Show what waits for a person: since when, on which deal, what each side holds, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from crmbridge.cli.output import Line, Part, Tinted, Tone, cut, dim, plural, strong, table
from crmbridge.cli.plan_view import NAME, REASON, deal_name, value_rows, value_shown
from crmbridge.model.changes import Blocked, Cause
from crmbridge.model.codec import blocked_to_json
from crmbridge.model.values import iso, show
from crmbridge.services.naming import Names, names_for

if TYPE_CHECKING:
    from crmbridge.ports import Waiting
    from crmbridge.services.workspace import Workspace


def waiting_form(workspace: Workspace, one: Waiting, now: datetime) -> dict[str, Any]:
    """Write something that waits as plain JSON."""
    deal = workspace.store.records.get([one.item.deal]).get(one.item.deal)
    return {
        "id": one.item.id,
        **blocked_to_json(one.item),
        "deal_name": deal.fields.get("name") if deal else None,
        "since": iso(one.since),
        "age_seconds": int((now - one.since).total_seconds()),
    }


def waiting_lines(workspace: Workspace, found: Sequence[Waiting], now: datetime) -> Iterator[Line]:
    """Show each of these in a few lines."""
    names = names_for(workspace, [], [one.item for one in found])
    for one in found:
        yield _head(one, names)
        rows = [*_standing(one, now), *value_rows(one.item, names)]
        rows.append([dim("because"), dim(cut(one.item.reason, REASON))])
        yield from table(rows, indent=4)
        yield ""


def full_lines(workspace: Workspace, one: Waiting, now: datetime) -> Iterator[Line]:
    """Show one in full: every record of its link, what was agreed before, and what can be done."""
    item = one.item
    names = names_for(workspace, [], [item])
    yield _head(one, names)
    rows = [*_standing(one, now), *value_rows(item, names)]
    rows += _agreed(workspace, item, names)
    rows.append([dim("because"), dim(cut(item.reason, REASON))])
    rows.append([dim("waits"), f"since {show(one.since)}"])
    rows.append([dim("link"), item.link or "none"])
    yield from table(rows, indent=4)
    yield from _records(workspace, item)
    yield ""
    yield from _ways(item)


def age(length: timedelta) -> str:
    """Say how long something waits, in its largest unit."""
    seconds = max(int(length.total_seconds()), 0)
    for size, unit in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            return plural(seconds // size, unit)
    return "a moment"


def _head(one: Waiting, names: Names) -> list[Part]:
    item = one.item
    return [
        strong(item.id),
        f"  {cut(item.name, NAME)} of ",
        strong(deal_name(names.about.get(item.id, item.deal), names.deals)),
    ]


def _standing(one: Waiting, now: datetime) -> Iterator[list[Part]]:
    """Say what it is, on which record, and for how long it has waited."""
    cause = one.item.cause
    tone = Tone.BAD if cause is Cause.CONFLICT else Tone.WARN
    yield [Tinted(cause.value, tone), f"on {one.item.deal}, waits for {age(now - one.since)}"]


def _agreed(workspace: Workspace, item: Blocked, names: Names) -> Iterator[list[Part]]:
    """Show what all sides agreed on last, where they did."""
    from crmbridge.engine.merge import APART, decided_ref  # noqa: PLC0415  imports are paid by the commands that use them

    if item.cause is Cause.CONFLICT:
        link = decided_ref(item.link)
        base = workspace.store.links.bases([link]).get(link, {})
        if base.get(item.name, APART) != APART:
            yield [dim("agreed"), dim(f"{value_shown(item, base[item.name], names)}, before that")]


def _records(workspace: Workspace, item: Blocked) -> Iterator[Line]:
    refs = workspace.store.links.get([item.link]).get(item.link, (item.deal,)) if item.link else (item.deal,)
    records = workspace.store.records.get(refs)
    rows: list[list[Part]] = []
    for ref in refs:
        record = records.get(ref)
        called = cut(str(record.fields.get("name") or ""), NAME) if record else "gone"
        rows.append([strong(str(ref)), called, dim(record.url or "") if record else ""])
    yield from table(rows, indent=4)


def _ways(item: Blocked) -> Iterator[Line]:
    from crmbridge.services.resolving import ADVICE  # noqa: PLC0415  imports are paid by the commands that use them

    if item.cause is not Cause.CONFLICT:
        yield ADVICE[item.cause]
        return
    yield "Decide by one of:"
    for connection in item.values:
        yield f"  crmbridge conflicts resolve {item.id} --take {connection}"
    if item.name not in {"company", "contacts"}:
        yield f"  crmbridge conflicts resolve {item.id} --value TEXT"
