"""Show what waits for a person: since when, on which deal, what each side holds, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from crmbridge.cli.output import Line, Part, Tinted, Tone, cut, dim, strong, table
from crmbridge.cli.plan_view import NAME, REASON, deal_name, value_rows, value_shown
from crmbridge.cli.speech import Speech, speech_of
from crmbridge.model.changes import Blocked, Cause
from crmbridge.model.codec import blocked_to_json
from crmbridge.model.values import iso, show
from crmbridge.services.answers.alike import sameness_of, together
from crmbridge.services.answers.naming import Names, names_for

if TYPE_CHECKING:
    from crmbridge.ports import Waiting
    from crmbridge.services.by_hand.resolving import Decision
    from crmbridge.services.workspace import Workspace


MOST_NAMED = 100  # other deals that wait for the same reason


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
    """Show each of these in a few lines, and once what is so for many deals."""
    names, say = names_for(workspace, [], [one.item for one in found]), speech_of(workspace)
    for one, *others in together(found, lambda each: sameness_of(each.item)):
        yield _head(one, names, say, len(others))
        rows = [*_standing(one, now, say), *value_rows(one.item, names, say)]
        rows.append(_because(one.item, say))
        yield from table(rows, indent=4)
        yield ""


def decided_lines(workspace: Workspace, decisions: Sequence[Decision]) -> Iterator[Line]:
    """Say of each decision which field of which deal it is about, and the value."""
    names, say = names_for(workspace, [], [one.item for one in decisions]), speech_of(workspace)
    for one in decisions:
        deal = deal_name(one.item.deal, names.deals, say)
        value = value_shown(one.item, one.value, names, say)
        yield [strong(say.field(one.item.name)), say("decided_value", deal=deal, value=value)]


def full_lines(workspace: Workspace, one: Waiting, now: datetime) -> Iterator[Line]:
    """Show one in full: every record of its link, what was agreed before, and what can be done."""
    item = one.item
    names, say = names_for(workspace, [], [item]), speech_of(workspace)
    yield _head(one, names, say)
    rows = [*_standing(one, now, say), *value_rows(item, names, say)]
    rows += _agreed(workspace, item, names, say)
    rows.append(_because(item, say))
    rows.append([dim(say("waits")), say("since", when=show(one.since))])
    rows.append([dim(say("link")), item.link or say("none")])
    yield from table(rows, indent=4)
    yield from _records(workspace, item, say)
    yield ""
    yield from _ways(item, say)
    yield from _others(workspace, item, say)


def age(length: timedelta, say: Speech) -> str:
    """Say how long something waits, in its largest unit."""
    seconds = max(int(length.total_seconds()), 0)
    for size, unit in ((86_400, "unit_d"), (3600, "unit_h"), (60, "unit_m")):
        if seconds >= size:
            return say.counted(unit, seconds // size)
    return say("moment")


def _head(one: Waiting, names: Names, say: Speech, others: int = 0) -> list[Part]:
    item = one.item
    return [
        strong(item.id),
        f"  {say('field_of', field=cut(say.field(item.name), NAME))}",
        strong(deal_name(names.about.get(item.id, item.deal), names.deals, say)),
        *([say.counted("and_others", others)] if others else []),
    ]


def _because(item: Blocked, say: Speech) -> list[Part]:
    return [dim(say("because")), dim(cut(say.reason(item.reason), REASON))]


def _standing(one: Waiting, now: datetime, say: Speech) -> Iterator[list[Part]]:
    """Say what it is, on which record, and for how long it has waited."""
    cause = one.item.cause
    tone = Tone.BAD if cause is Cause.CONFLICT else Tone.WARN
    deal = one.item.deal
    where = deal if deal.id else deal.connection  # what was to be made there has no id yet
    waits = say("standing", deal=where, age=age(now - one.since, say))
    yield [Tinted(say.named("cause", cause.value), tone), waits]


def _agreed(workspace: Workspace, item: Blocked, names: Names, say: Speech) -> Iterator[list[Part]]:
    """Show what all sides agreed on last, where they did."""
    from crmbridge.engine.sync.merge import APART, decided_ref, may_differ  # noqa: PLC0415  imports are paid by the commands that use them

    if item.cause is Cause.CONFLICT:
        link = decided_ref(item.link)
        base = workspace.store.links.bases([link]).get(link, {})
        if not may_differ(base.get(item.name, APART)):
            value = value_shown(item, base[item.name], names, say)
            yield [dim(say("agreed")), dim(say("before_that", value=value))]


def _records(workspace: Workspace, item: Blocked, say: Speech) -> Iterator[Line]:
    refs = workspace.store.links.get([item.link]).get(item.link, (item.deal,)) if item.link else (item.deal,)
    records = workspace.store.records.get(refs)
    rows: list[list[Part]] = []
    for ref in refs:
        record = records.get(ref)
        called = cut(str(record.fields.get("name") or ""), NAME) if record else say("gone")
        rows.append([strong(str(ref)), called, dim(record.url or "") if record else ""])
    yield from table(rows, indent=4)


def _others(workspace: Workspace, item: Blocked, say: Speech) -> Iterator[Line]:
    """Name the other deals that wait for the same reason."""
    same = sameness_of(item)
    every = workspace.store.waiting.all() if same is not None else ()
    found = [each.item for each in every if sameness_of(each.item) == same]
    others = [each for each in found if each.id != item.id]
    if not others:
        return
    names = names_for(workspace, [], others[:MOST_NAMED])
    yield ""
    yield say.counted("same_waits", len(others))
    rows: list[list[Part]] = [
        [dim(each.id), deal_name(names.about.get(each.id), names.deals, say), dim(str(names.about.get(each.id)))]
        for each in others[:MOST_NAMED]
    ]
    yield from table(rows, indent=4)


def _ways(item: Blocked, say: Speech) -> Iterator[Line]:
    from crmbridge.services.by_hand.resolving import ADVICE, with_id  # noqa: PLC0415  imports are paid by the commands that use them

    if item.cause is not Cause.CONFLICT:
        yield with_id(say(f"advice_{item.cause}") if say.teller else ADVICE[item.cause], item)
        return
    yield say("decide_by")
    for connection in item.values:
        yield f"  crmbridge conflicts resolve {item.id} --take {connection}"
    if item.name not in {"company", "contacts"}:
        yield f"  crmbridge conflicts resolve {item.id} --value TEXT"
