"""The plan: making one, showing it, and writing exactly it after a confirmation."""

from __future__ import annotations

from collections import Counter
from itertools import groupby

from starlette.responses import Response

from crmbridge.errors import PlanStaleError
from crmbridge.model.changes import Action, Plan
from crmbridge.services.apply.choosing import Choice
from crmbridge.web.desk import Made, What
from crmbridge.web.site import Asked, Site, go, message, page, part_of
from crmbridge.web.views.changes import names_told, shown_changes
from crmbridge.web.words import Words

ROWS = 50  # changes on a page


def shown(site: Site, asked: Asked) -> Response:
    """Show the plan that was made last."""
    t, made = asked.words, site.desk.made
    if made is None:
        return page(site, asked, "plan.html.j2", title=t("plan"), made=None)
    part = part_of(len(made.plan.changes), asked.number, ROWS)
    some = made.plan.changes[part.start : part.last]
    names = names_told(site, some, t)
    return page(
        site,
        asked,
        "plan.html.j2",
        title=t("plan"),
        made=made,
        made_at=t("plan_made", when=t.moment(made.plan.made_at), by=made.by),
        counts=_counts(made.plan, t),
        groups=[
            (connection, names.adapters.get(connection, ""), list(together))
            for connection, together in groupby(
                shown_changes(site, some, names, t), key=lambda one: one.change.connection
            )
        ],
        part=part,
        page_path=lambda number: f"/plan?page={number}",
        counted=t("all_times_only", zone=site.zone.key),
    )


def make(site: Site, asked: Asked) -> Response:
    """Begin to make a plan."""
    if _pressed_twice(site, asked, "plan"):
        return go("/work")
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
    t, plan_id = asked.words, asked.form.get("id", "")
    if _pressed_twice(site, asked, "apply") and site.desk.made and site.desk.made.plan.id == plan_id:
        return go("/work")
    made = _standing(site, plan_id)
    deletes = _deletes(made.plan)
    if deletes and asked.form.get("deletes") != str(deletes):
        return message(site, asked, 400, t("cannot_now"), t("confirm_deletes"))
    choice = Choice(max_changes=len(made.plan.changes), max_deletes=deletes)
    site.desk.apply(asked.by, made.plan.id, choice)
    return go("/work")


def _pressed_twice(site: Site, asked: Asked, what: What) -> bool:
    """Tell whether what is asked for is at work already, for the one who asks."""
    job = site.desk.job
    return job is not None and job.finished_at is None and (job.what, job.by) == (what, asked.by)


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
    return found + (
        [(t.number(len(plan.blocked)), t.counted("blocked_count", len(plan.blocked)))] if plan.blocked else []
    )
