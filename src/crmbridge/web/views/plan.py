"""The plan: making one, showing it, and writing exactly it after a confirmation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from starlette.responses import Response

from crmbridge.errors import PlanStaleError
from crmbridge.model.changes import Action, Change, Outcome, Plan
from crmbridge.model.values import Value
from crmbridge.services.choosing import Choice
from crmbridge.services.naming import Names, called_in, names_for
from crmbridge.web.desk import Made
from crmbridge.web.rendering import deal_path
from crmbridge.web.site import Asked, Site, go, message, page, part_of
from crmbridge.web.views.deals import field_label
from crmbridge.web.words import Words

ROWS = 50  # changes on a page
LOOKS = 2  # seconds between two looks at what is at work
MARKS = {Action.CREATE: "+", Action.UPDATE: "~", Action.ARCHIVE: "-", Action.AMEND: "~"}  # the others make something
SKIPPED = 30  # changes that were not written and are named


class Edit(NamedTuple):
    """A field before and after; before is empty where something new is made."""

    name: str
    before: str
    after: str


class Shown(NamedTuple):
    """A change as the page shows it."""

    change: Change
    mark: str
    what: str
    name: str
    href: str | None
    edits: Sequence[Edit]


def shown(site: Site, asked: Asked) -> Response:
    """Show the plan that was made last."""
    t, made = asked.words, site.desk.made
    if made is None:
        return page(site, asked, "plan.html.j2", title=t("plan"), made=None)
    part = part_of(len(made.plan.changes), asked.number, ROWS)
    some = made.plan.changes[part.start : part.last]
    names = names_for(site.workspace, some)
    return page(
        site,
        asked,
        "plan.html.j2",
        title=t("plan"),
        made=made,
        made_at=t("plan_made", when=t.moment(made.plan.made_at), by=made.by),
        counts=_counts(made.plan, t),
        groups=[
            (connection, names.adapters.get(connection, ""), [_shown(site, change, names, t) for change in together])
            for connection, together in groupby(some, key=lambda change: change.connection)
        ],
        part=part,
        page_path=lambda number: f"/plan?page={number}",
        counted=t("all_times_only", zone=site.zone.key),
    )


def make(site: Site, asked: Asked) -> Response:
    """Begin to make a plan."""
    site.desk.plan(asked.by, refresh=asked.form.get("pull") == "yes")
    return go("/work")


def confirm(site: Site, asked: Asked) -> Response:
    """Ask whether the plan is to be written, naming how much that is."""
    t = asked.words
    made = _standing(site, asked.query.get("id", ""))
    if asked.session is None or not asked.session.may_act:
        return message(site, asked, 403, t("not_allowed"), t("only_act"))
    if not made.plan.changes:
        return go("/plan")
    return page(
        site,
        asked,
        "confirm.html.j2",
        title=t("apply_title"),
        made=made,
        made_at=t("plan_made", when=t.moment(made.plan.made_at), by=made.by),
        counts=_counts(made.plan, t),
        writes=len(made.plan.changes),
        deletes=_deletes(made.plan),
        connections=sorted(Counter(change.connection for change in made.plan.changes).items()),
        counted=t("all_times_only", zone=site.zone.key),
    )


def apply(site: Site, asked: Asked) -> Response:
    """Begin to write the plan that was confirmed: no more changes and deletions than the confirmation named."""
    t = asked.words
    made = _standing(site, asked.form.get("id", ""))
    deletes = _deletes(made.plan)
    if deletes and asked.form.get("deletes") != str(deletes):
        return message(site, asked, 400, t("cannot_now"), t("confirm_deletes"))
    choice = Choice(max_changes=len(made.plan.changes), max_deletes=deletes)
    site.desk.apply(asked.by, made.plan.id, choice)
    return go("/work")


def work(site: Site, asked: Asked) -> Response:
    """Show what is at work, again and again until it is over; then what came of it."""
    t, job = asked.words, site.desk.job
    if job is None:
        return go("/plan")
    applied = job.ran.cycle.applied if job.ran and job.ran.cycle else None
    skipped = [(c, r) for c, r in applied.done if r.outcome is not Outcome.APPLIED][:SKIPPED] if applied else []
    names = names_for(site.workspace, [change for change, _ in skipped])
    return page(
        site,
        asked,
        "work.html.j2",
        title=t(f"job_{job.what}"),
        refresh=LOOKS if job.finished_at is None else None,
        job=job,
        begun=t("job_started", when=t.moment(job.started_at), by=job.by),
        outcomes=[(t(f"outcome_{name}"), count) for name, count in applied.counts.items()] if applied else [],
        skipped=[
            (_shown(site, change, names, t), t(f"outcome_{receipt.outcome}"), receipt.message)
            for change, receipt in skipped
        ],
        errors=[(name, error.message) for name, error in job.ran.cycle.errors] if job.ran and job.ran.cycle else [],
        counted=t("all_times_only", zone=site.zone.key),
    )


def _standing(site: Site, plan_id: str) -> Made:
    """Give the plan that stands now, if that is the one meant; raises PlanStaleError."""
    made = site.desk.made
    if made is None or made.plan.id != plan_id:
        raise PlanStaleError("The plan that was shown is not the one that stands now", advice="Look at it again.")
    if made.applied:
        raise PlanStaleError("This plan has been applied", advice="Make a new one to see what is left.")
    return made


def _deletes(plan: Plan) -> int:
    return sum(change.action is Action.ARCHIVE for change in plan.changes)


def _counts(plan: Plan, t: Words) -> list[tuple[str, str]]:
    """Count the changes by what they do, and what needs a person."""
    counts = Counter(change.action for change in plan.changes)
    found = [
        (t.number(counts[action]), t.counted(f"action_{action}", counts[action])) for action in Action if counts[action]
    ]
    return found + ([(t.number(len(plan.blocked)), t("blocked_count"))] if plan.blocked else [])


def _shown(site: Site, change: Change, names: Names, t: Words) -> Shown:
    target = change.target
    if change.action is Action.CREATE:
        name = t.value(change.after.get("name"))
    elif change.action is Action.FIELD:
        name = t.value(change.after.get("label"))
    else:
        name = names.deals.get(target, "") if target else ""
    return Shown(
        change=change,
        mark=MARKS.get(change.action, "+"),
        what=t(f"does_{change.action}") + (f" ({change.creates})" if change.action is Action.CREATE else ""),
        name=name or str(target or ""),
        href=deal_path(target) if target and target.kind == "deal" else None,
        edits=[] if change.action is Action.ARCHIVE else list(_edits(site, change, names, t)),
    )


def _edits(site: Site, change: Change, names: Names, t: Words) -> Sequence[Edit]:
    shown_edits = [edit for edit in change.edits if edit.name != "body"]  # it says what the reason says
    with_before = change.action is Action.UPDATE
    return [
        Edit(
            t("due") if edit.name == "due_at" else field_label(site, edit.name, t),
            _value(change, edit.name, edit.before, names, t) if with_before and edit.before else "",
            _value(change, edit.name, edit.after, names, t),
        )
        for edit in shown_edits
        if with_before or edit.after
    ]


def _value(change: Change, name: str, value: Value, names: Names, t: Words) -> str:
    return called_in(change, name, value, names) if isinstance(value, str | tuple) else t.value(value)
