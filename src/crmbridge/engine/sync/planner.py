"""One plan of all that sync and enforcement want: ordered, nothing doubled, nothing that contradicts another."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from crmbridge.engine.sync.wanted import renamed, without
from crmbridge.engine.views import STAGE
from crmbridge.model.changes import Action, Blocked, Cause, Change, JournalEntry, Origin, Outcome, Plan
from crmbridge.model.records import Kind, Ref
from crmbridge.model.values import show

AGAIN = {Outcome.FAILED, Outcome.STALE}  # it did not happen, so it may be planned again
_ENDED = {Outcome.APPLIED, Outcome.REFUSED}  # it did, or a person decides
# What others wait for comes first: companies before contacts before deals.
ORDER = {Action.FIELD: 0, Action.UPDATE: 4, Action.CREATE: 5, Action.TASK: 6, Action.NOTE: 7, Action.ARCHIVE: 8}
ORDER |= {Action.AMEND: 9, Action.NOTIFY: 10}
# What waits of these, in words that no field is called by.
_TOLD = {Action.TASK: "a task", Action.AMEND: "a task", Action.NOTE: "a note", Action.NOTIFY: "a notice"}
_CREATES = {Kind.COMPANY: 1, Kind.CONTACT: 2, Kind.DEAL: 5}
UNSURE = "sent before, and the CRM can't say yet whether it was done"


def assemble(
    changes: Iterable[Change],
    blocked: Iterable[Blocked],
    *,
    outcomes: Mapping[str, JournalEntry],
    unclear: Iterable[JournalEntry],
    made_at: datetime,
    settings: str,
    cursors: Mapping[str, str],
    link_of: Mapping[Ref, str] = MappingProxyType({}),
) -> Plan:
    """Put changes in order and leave out what was done, refused or is unclear already.

    `outcomes` has the last outcome of every change id that has one, `unclear` what was sent and has no clear outcome:
    nothing with the same key is sent before that is known. An enforced change of stage wins over what sync wants with
    the stage of any deal of the same link, which `link_of` names.
    """
    waiting = {(e.change.connection, e.change.key or e.change.id): e for e in unclear}
    # What was made, or is refused, is in no plan, so it keeps nothing else from being written.
    ended = {id_ for id_, entry in outcomes.items() if entry.outcome in _ENDED}
    wanted = _without_contradictions(sorted(changes, key=_place_in_order), ended, link_of)
    kept: list[Change] = []
    stopped = list(blocked)
    for change in wanted:
        entry = waiting.get((change.connection, change.key or change.id)) or outcomes.get(change.id)
        if entry is None or entry.outcome in AGAIN:
            kept.append(change)
        elif is_wanted_again(change, entry):
            kept.append(renamed(change, again=entry.seq))
        elif entry.outcome is not Outcome.APPLIED:
            stopped.append(unmade(change, entry.outcome, entry.message))
    digest = hashlib.sha256("\n".join([settings, *(change.id for change in kept)]).encode()).hexdigest()[:16]
    return Plan(
        id=digest,
        made_at=made_at,
        settings=settings,
        changes=tuple(kept),
        blocked=tuple(sorted(stopped, key=lambda b: (b.deal, b.name, b.reason))),
        cursors=dict(sorted(cursors.items())),
    )


def is_wanted_again(change: Change, entry: JournalEntry) -> bool:
    """Tell whether an update was made before and is wanted once more: the record does not hold it any more."""
    return entry.outcome is Outcome.APPLIED and change.origin is Origin.SYNC and change.action is Action.UPDATE


def _place_in_order(change: Change) -> tuple[str, int, str, str]:
    rank = _CREATES[change.creates] if change.action is Action.CREATE else ORDER[change.action]
    if change.action is Action.NOTIFY:  # those to one sink are sent together
        return (change.connection, rank, str(change.after.get("sink")), change.id)
    return (change.connection, rank, change.target.id if change.target else "", change.id)


def _without_contradictions(
    changes: Sequence[Change], ended: Collection[str], link_of: Mapping[Ref, str]
) -> list[Change]:
    """Drop doubled ids, and what sync wants of a field or stage that enforcement sets on the same deal, or its link."""
    once: dict[str, Change] = {}
    enforced: dict[Ref | None, set[str]] = {}
    for change in changes:
        once.setdefault(change.id, change)
        if change.origin is Origin.ENFORCE and change.action is Action.UPDATE and change.id not in ended:
            enforced.setdefault(change.target, set()).update(edit.name for edit in change.edits)
    if not enforced:
        return list(once.values())
    # A stage that is set back is set back for the whole link: the other sides do not follow a move that is taken back,
    # and a deal that is missing is made by the next run, where the others stand then.
    back = {link_of[ref] for ref, names in enforced.items() if ref and ref in link_of and STAGE in names}
    kept: list[Change] = []
    for change in once.values():
        taken = enforced.get(change.target, set()) | ({STAGE} if change.link in back else set())
        rest = change if change.origin is not Origin.SYNC else without(change, taken)
        too_early = change.action is Action.CREATE and change.link in back
        if rest is not None and not too_early:
            kept.append(rest)
    return kept


def unmade(change: Change, outcome: Outcome | None, message: str) -> Blocked:
    """Say of a change that was refused, or is unclear, that it waits."""
    if outcome is Outcome.REFUSED:
        return _waiting(change, f"refused before: {message}", Cause.REFUSED)
    return _waiting(change, UNSURE, Cause.UNCLEAR)


def vetoed(change: Change, message: str = "", others: Iterable[str] = ()) -> Blocked:
    """Say of a change that a plugin said no to that it waits; `others` name what waits for a way back as well."""
    back = f"to moving it back, and its stage in {' and '.join(others)} waits for that" if others else ""
    return _waiting(change, f"a plugin said no{f' {back}' if back else ''}: {message}", Cause.VETO)


def _waiting(change: Change, reason: str, cause: Cause) -> Blocked:
    told = _TOLD.get(change.action)  # whatever it says, it is one thing
    said = change.after.get("subject") or change.after.get("body") or change.reason
    return Blocked(
        link=change.link or "",
        deal=change.target or Ref(change.connection, change.kind, ""),
        name=told or ", ".join(edit.name for edit in change.edits),
        reason=reason,
        values={change.connection: show(said) if told else "; ".join(show(edit.after) for edit in change.edits)},
        cause=cause,
    )
