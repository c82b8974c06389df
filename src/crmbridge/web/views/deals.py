"""The deals that are held, the least time left first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from starlette.responses import Response

from crmbridge.engine.sla.limits import clock_rule
from crmbridge.engine.text import plain
from crmbridge.manual.telling import Teller, teller
from crmbridge.model.changes import Action, Change, FieldEdit
from crmbridge.model.replacing import replace
from crmbridge.model.values import Money
from crmbridge.services.answers.held_deals import HeldDeal, HeldQuery, by_rule
from crmbridge.services.answers.naming import Names, called_in
from crmbridge.web.rendering import deal_path, with_query
from crmbridge.web.site import Asked, Site, page, part_of
from crmbridge.web.words import Words

LENGTH = re.compile(r"(\d+(?:\.\d+)?)(b?[dhm]|s)")  # such as 5bd
SHOWN = 120  # characters of why a deal is held; its page has all of it
ROWS = 50  # deals on a page
MOST_OWNERS = 500  # in the list to choose from


class Row(NamedTuple):
    """A held deal in a line."""

    deal: HeldDeal
    href: str
    stage: str
    amount: str
    why: str
    more: str
    left: str
    due: str
    tone: str


def held(site: Site, asked: Asked) -> Response:
    """List the deals that are held, the least time left first."""
    now = site.workspace.clock.now()
    t, counted, query = asked.words, site.board.held(), _query(asked, now)
    fitting = [one for one in counted.deals if query.fits(one)]
    part = part_of(len(fitting), asked.number, ROWS)
    chosen = {name: asked.query.get(name) or None for name in ("name", "owner", "stage", "rule", "time", "status")}
    return page(
        site,
        asked,
        "held.html.j2",
        title=t("deals"),
        rows=rows_of(site, fitting[part.start : part.last], now, t),
        part=part,
        query=query,
        chosen=chosen,
        owners=sorted({one.owner for one in counted.deals if one.owner})[:MOST_OWNERS],
        stages=[(s.id, s.name.in_language(t.language)) for s in site.workspace.project.process.stages],
        rules=[(rule, rule_name(site, rule, t), count) for rule, count in rules_of(counted.deals, query)],
        page_path=lambda number: with_query("/deals", **chosen, page=number) + "#found",
        counted=t("all_times", zone=site.zone.key, when=t.moment(counted.at)),
    )


def rules_of(deals: Sequence[HeldDeal], query: HeldQuery) -> list[tuple[str, int]]:
    """Give all rules that hold a deal, with how many each would show beside what else is looked for."""
    shown = dict(by_rule(filter(replace(query, rule=None).fits, deals)))
    return sorted(((rule, shown.get(rule, 0)) for rule, _ in by_rule(deals)), key=lambda each: (-each[1], each[0]))


NONE = "-"  # stands for deals without an owner, or in no stage, in an address
OVER, SOON = "over", "day"  # what an address may say of the time that is left
DAY = timedelta(days=1)


def _query(asked: Asked, now: datetime) -> HeldQuery:
    status, time = asked.query.get("status", "open"), asked.query.get("time")
    owner, stage = (asked.query.get(name) or None for name in ("owner", "stage"))
    return HeldQuery(
        status=status if status in {"open", "closed", "all"} else "open",
        name=plain(asked.query.get("name", "")),
        owner="" if owner == NONE else owner,
        stage="" if stage == NONE else stage,
        rule=asked.query.get("rule") or None,
        due_from=now if time == SOON else None,
        due_before=now + DAY if time == SOON else now if time == OVER else None,
    )


def rows_of(site: Site, found: Iterable[HeldDeal], now: datetime, t: Words) -> list[Row]:
    """Write held deals as lines."""
    told = teller_of(site, t)
    return [_row(site, one, now, t, told) for one in found]


def teller_of(site: Site, t: Words) -> Teller:
    """Give who tells of findings in the visitor's language, with times as the page shows them."""
    return teller(site.workspace.project.process, t.language, t.moment)


def _row(site: Site, one: HeldDeal, now: datetime, t: Words, told: Teller) -> Row:
    left = one.left(now)
    tone = "dim" if left is None else "bad" if left < 0 else "warn" if left < 86_400 else "plain"
    return Row(
        deal=one,
        href=deal_path(one.deal),
        stage=stage_name(site, one.place.stage, t),
        amount=t.money(one.amount),
        why=_short(told.finding(one.holds[0].finding)),
        more=t("and_more", n=len(one.holds) - 1) if len(one.holds) > 1 else "",
        left=t("paused" if one.paused else "no_clock") if left is None else t.left(left),
        due=t.moment(one.due_at) if one.due_at else "",
        tone=tone,
    )


def _short(text: str) -> str:
    """Cut a text to a few lines, between two words where it has any."""
    cut = plain(text, SHOWN)
    begin, _, rest = cut.rpartition(" ")
    return f"{begin.rstrip(' ,;:(')}…" if cut.endswith("…") and len(rest) < SHOWN // 4 else cut


def stage_name(site: Site, stage: str | None, t: Words) -> str:
    """Name a stage of the process."""
    found = site.workspace.project.process.stage(stage) if stage else None
    return found.name.in_language(t.language) if found else stage or t("no_stage")


def rule_name(site: Site, rule: str, t: Words) -> str:
    """Name a rule for people: its stage, and which of its rules."""
    stage, dot, name = rule.partition(".")
    if not dot:
        return t({"move": "rule_move", "unreadable": "unreadable"}.get(rule, "")) if rule in OWN else rule
    clock = clock_rule(rule, site.workspace.project.process)
    words = {"sla": "SLA", "handoff": t("handoff")}.get(name, name.replace("_", " "))
    if clock and clock.written:
        words = clock.written.name.in_language(t.language)
    if clock and clock.stage is None:
        return words
    return t("named", name=stage_name(site, stage, t), what=words)


def length_in_words(text: str, t: Words) -> str:
    """Write a length of time as people read it, such as `5bd`; anything else stays as it is."""
    found = LENGTH.fullmatch(text)
    if found is None:
        return text
    return t(f"unit_{found[2]}_one" if found[1] == "1" else f"unit_{found[2]}", n=found[1])


def edits_in_words(site: Site, change: Change, names: Names, t: Words) -> str:
    """Say in a line what a change writes: a task's or note's text, else each field."""
    if change.action in TOLD:
        return plain(t.value(change.after.get("subject") or change.after.get("body")), LINE)
    edits = (t("named", name=field_label(site, e.name, t), what=_held(change, e, names, t)) for e in change.edits)
    return plain("; ".join(edits), LINE)


def _held(change: Change, edit: FieldEdit, names: Names, t: Words) -> str:
    if isinstance(edit.after, bool | Money | datetime):
        return t.value(edit.after)
    return called_in(change, edit.name, edit.after, names)


TOLD = {Action.TASK, Action.NOTE, Action.NOTIFY, Action.AMEND}
LINE = 300  # characters of what a change writes; its CRM has all of it
OWN = {"move", "unreadable"}
USUAL = {"stage": "stage", "owner": "owner", "amount": "amount", "link": "field_link", "delete": "field_delete"}
USUAL |= {"a task": "kind_task", "a note": "kind_note", "a notice": "field_notice"}


def field_label(site: Site, name: str, t: Words) -> str:
    """Name a field, or what else waits for a person; several that wait together are one name with commas."""
    told = teller_of(site, t)
    return ", ".join(t(USUAL[each]) if each in USUAL else told.field(each) for each in name.split(", "))
