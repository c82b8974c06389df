"""Changes as the page shows them: what each does to which record, from what to what, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from crmbridge.engine.acting.occasion import reason
from crmbridge.engine.text import plain
from crmbridge.manual.telling import Teller
from crmbridge.model.changes import Action, Blocked, Change, JournalEntry
from crmbridge.model.findings import Finding
from crmbridge.model.replacing import replace
from crmbridge.model.values import Value
from crmbridge.services.answers.explanation import SyncedField
from crmbridge.services.answers.naming import Names, called_in, findings_of, names_for
from crmbridge.web.rendering import deal_path
from crmbridge.web.site import Site
from crmbridge.web.views.deals import field_label, teller_of
from crmbridge.web.words import Words

MARKS = {Action.CREATE: "+", Action.UPDATE: "~", Action.ARCHIVE: "-", Action.AMEND: "~"}  # the others make something
NAME = 200  # characters of a record's name; it has a page of its own
LONGEST = 500  # characters of why a change is made


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
    because: str


def names_told(
    site: Site,
    changes: Sequence[Change],
    t: Words,
    blocked: Sequence[Blocked] = (),
    fields: Sequence[SyncedField] = (),
) -> Names:
    """Look up the names of everything that changes speak of, stages in the visitor's language."""
    names = names_for(site.workspace, changes, blocked, fields)
    ends = {"won": t("stage_won"), "lost": t("stage_lost")}
    stages = {stage.id: stage.name.in_language(t.language) for stage in site.workspace.project.process.stages}
    return replace(names, stages=ends | stages)


def shown_changes(site: Site, changes: Sequence[Change], names: Names, t: Words) -> list[Shown]:
    """Write changes; why each is made is told in the visitor's language."""
    told, about = teller_of(site, t), findings_of(site.workspace, changes)
    return [_shown(site, change, _because(change, about, told), names, t) for change in changes]


def written_to(entry: JournalEntry, names: Names) -> tuple[str, str | None]:
    """Give what people call the record that something was written to, and where its page is if it has one."""
    change, target = entry.change, entry.change.target or entry.ref
    name = (names.deals.get(target) if target else "") or str(change.after.get("name") or target or "")
    return name, deal_path(target) if target and target.kind == "deal" else None


def done(action: Action, t: Words) -> str:
    """Say what a change does where no record is named after it."""
    one = f"action_{action}_one"
    return t(one if one in t.texts else f"does_{action}")


def _because(change: Change, about: dict[str, Finding], told: Teller) -> str:
    """Say why a change is made: what its finding says, where that still says what it said then."""
    finding = about.get(change.finding or "")
    if finding is not None and reason(finding) == change.reason:
        return plain(f"{finding.rule}: {told.finding(finding)}", LONGEST)
    return told.reason(change.reason)


def _shown(site: Site, change: Change, because: str, names: Names, t: Words) -> Shown:
    target, does = change.target, t(f"does_{change.action}")
    if change.action is Action.CREATE:
        name = t.value(change.after.get("name"))
    elif change.action is Action.FIELD:
        name = t.value(change.after.get("label"))
    else:
        name = names.deals.get(target, "") if target else ""
    return Shown(
        change=change,
        mark=MARKS.get(change.action, "+"),
        what=t("bracketed", name=does, what=t(f"kind_{change.creates}")) if change.action is Action.CREATE else does,
        name=plain(name or str(target or ""), NAME),
        href=deal_path(target) if target and target.kind == "deal" else None,
        edits=[] if change.action is Action.ARCHIVE else list(_edits(site, change, names, t)),
        because=because,
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
