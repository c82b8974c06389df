"""What needs a person: both values of a conflict, and deciding on it; unclear writes, and waivers about to end."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from starlette.responses import Response

from crmbridge.errors import PlanStaleError
from crmbridge.model.changes import Blocked, Cause, JournalEntry
from crmbridge.model.findings import Waiver
from crmbridge.ports import Waiting
from crmbridge.services.answers.alike import sameness_of, together
from crmbridge.services.answers.naming import Names, called
from crmbridge.services.answers.overview import waivers_ending
from crmbridge.services.by_hand.resolving import find_waiting, give, resolve, take, with_id
from crmbridge.services.links.native_ids import ASSOCIATED
from crmbridge.web.rendering import deal_path, with_query
from crmbridge.web.site import Asked, Site, go, page, part_of
from crmbridge.web.views.changes import done, names_told, written_to
from crmbridge.web.views.deals import field_label, rule_name, teller_of
from crmbridge.web.words import Words

ROWS = 25  # things on a page
MOST = 100  # unclear writes, waivers that end, and deals that wait for one reason, that are named


class Side(NamedTuple):
    """What one side holds, or after an arrow should hold, and who edited it last."""

    connection: str
    adapter: str
    value: str
    edited: str


class Open(NamedTuple):
    """One thing that waits, as the page shows it."""

    item: Blocked
    field: str
    deal: str
    href: str
    cause: str
    waits: str
    because: str
    sides: Sequence[Side]
    advice: str
    may_type: bool
    seen: str
    more: str  # how many other deals wait for the same reason
    others: Sequence[tuple[str, str]]  # what these are called, and where they are shown


class Unclear(NamedTuple):
    """A write of which nobody knows whether it happened, as the page shows it."""

    entry: JournalEntry
    deal: str
    href: str | None
    does: str
    sent: str


class Ending(NamedTuple):
    """A waiver that ends within a week, as the page shows it."""

    waiver: Waiver
    deal: str
    href: str
    rule: str
    until: str


def everything(site: Site, asked: Asked) -> Response:
    """List what waits: conflicts first, then the longest. Below, what nobody can decide here but should know of."""
    t, decided = asked.words, asked.query.get("decided") == "1"
    waiting = site.workspace.store.waiting.all()
    every = sorted((one for one in waiting if one.item.cause is not Cause.UNCLEAR), key=_order)  # that stands below
    found = together(every, lambda one: sameness_of(one.item))
    part = part_of(len(found), asked.number, ROWS)
    some = found[part.start : part.last]
    names = names_told(site, [], t, [one.item for group in some for one in group[:MOST]])
    return page(
        site,
        asked,
        "waiting.html.j2",
        title=t("decided") if decided else t("waiting"),
        items=[_open(site, group, names, t) for group in some],
        unclear=_unclear(site, t),
        ending=_ending(site, t),
        part=part,
        page_path=lambda number: f"/waiting?page={number}",
        decided=decided,
        counted=t("all_times_only", zone=site.zone.key),
    )


def _unclear(site: Site, t: Words) -> list[Unclear]:
    entries = site.workspace.store.journal.unsettled()[:MOST]
    names = names_told(site, [entry.change for entry in entries], t)
    found = []
    for entry in entries:
        does = t("named", name=entry.change.connection, what=done(entry.change.action, t))
        found.append(Unclear(entry, *written_to(entry, names), does, t.moment(entry.at)))
    return found


def _ending(site: Site, t: Words) -> list[Ending]:
    waivers = waivers_ending(site.workspace, site.workspace.clock.now())[:MOST]
    deals = site.workspace.store.records.get([one.deal for one in waivers])
    names = {ref: str(record.fields.get("name") or "") for ref, record in deals.items()}
    return [
        Ending(
            one,
            names.get(one.deal) or str(one.deal),
            deal_path(one.deal),
            rule_name(site, one.rule, t),
            t.moment(one.until),
        )
        for one in waivers
    ]


def decide(site: Site, asked: Asked) -> Response:
    """Note a decision: for a side, or for what was typed. No CRM is written to."""
    with site.opens() as workspace:
        item = find_waiting(workspace, asked.params["id"]).item
        if asked.form.get("seen") != seen(item):
            raise PlanStaleError("The values changed since they were shown", advice="Look at them again.")
        side = asked.form.get("take")
        decision = take(item, side) if side else give(workspace, item, asked.form.get("value", ""))
        resolve(workspace, [decision], by=asked.by)
    return go(with_query("/waiting", decided=1, page=asked.number if asked.number > 1 else None))


def seen(item: Blocked) -> str:
    """Name the values of something that waits, so that nobody decides for one that they never saw."""
    return hashlib.sha256(repr(sorted(item.values.items())).encode()).hexdigest()[:16]


def _order(one: Waiting) -> tuple[bool, datetime, str, str]:
    return one.item.cause is not Cause.CONFLICT, one.since, str(one.item.deal), one.item.name


def _open(site: Site, group: Sequence[Waiting], names: Names, t: Words) -> Open:
    """Show what waits, and name the other deals that wait for the same reason."""
    one, *others = group
    item, deal = one.item, names.about[one.item.id]
    refs = [names.about[each.item.id] for each in others[: MOST - 1]]
    conflict = item.cause is Cause.CONFLICT
    return Open(
        item=item,
        field=field_label(site, item.name, t),
        because=teller_of(site, t).reason(item.reason),
        deal=names.deals.get(deal) or str(deal),
        href=deal_path(deal),
        cause=t(f"cause_{item.cause}"),
        waits=t("waits_since", span=t.span(site.workspace.clock.now() - one.since)),
        sides=[_side(item, connection, names, t) for connection in item.values],
        advice="" if conflict else with_id(t(f"advice_{item.cause}"), item),
        may_type=conflict and item.name not in ASSOCIATED,
        seen=seen(item),
        more=t.counted("same_waits", len(others)) if others else "",
        others=[(names.deals.get(ref) or str(ref), deal_path(ref)) for ref in refs],
    )


def value_of(item: Blocked, connection: str, names: Names, t: Words) -> str:
    """Write what a side holds in the words that people use."""
    value = item.values[connection]
    return t.value(value) if value is None or not isinstance(value, str | tuple) else called(names, item.name, value)


def _side(item: Blocked, connection: str, names: Names, t: Words) -> Side:
    shown, edited = value_of(item, connection, names, t), item.edited.get(connection)
    if edited is None:
        said = ""
    elif edited.by:
        said = t("edited_by", when=t.moment(edited.at), by=edited.by)
    else:
        said = t("edited", when=t.moment(edited.at))
    return Side(connection, names.adapters.get(connection, ""), f"→ {shown}" if item.unwritten else shown, said)
