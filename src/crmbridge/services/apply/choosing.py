"""Choosing: which part of a plan is to be written, and how much of it at most."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from crmbridge.errors import ConfigurationError, OverLimitError
from crmbridge.model.changes import Action, Change, Plan
from crmbridge.model.replacing import replace
from crmbridge.services.links.native_ids import needed_links
from crmbridge.services.links.typed_refs import ref_of
from crmbridge.services.workspace import Workspace

_IDS = re.compile(r"lnk[0-9a-f]{1,13}|[0-9a-f]{16}")
FORMS = "a connection (hs), a record (hs:123, hs:company:7), an action (update), or the id of a link or a change"


class Choice(Struct, frozen=True, kw_only=True):
    """What whoever runs a plan wants of it: the parts selected (all when none is named), and the most it may hold."""

    select: tuple[str, ...] = ()
    max_changes: int | None = None
    max_deletes: int | None = None


class Chosen(Struct, frozen=True, kw_only=True):
    """The part of a plan that is to be written, and what was left out although it was selected.

    The latter each with the change that it needs, which is not selected.
    """

    plan: Plan
    left: tuple[tuple[Change, str], ...] = ()
    unselected: int = 0


ALL = Choice()


def choose(workspace: Workspace, plan: Plan, choice: Choice) -> Chosen:
    """Take what is selected of a plan, and see that it is within the limits.

    What is left out stays pending. Raises OverLimitError when what is left is over a limit, and ConfigurationError
    for a selection that can't be read.
    """
    chosen = _select(workspace, plan, choice.select) if choice.select else Chosen(plan=plan)
    _hold_back(len(chosen.plan.changes), choice.max_changes, "changes")
    deletes = sum(change.action is Action.ARCHIVE for change in chosen.plan.changes)
    _hold_back(deletes, choice.max_deletes, "deletes")
    return chosen


def _hold_back(count: int, most: int | None, what: str) -> None:
    if most is not None and count > most:
        raise OverLimitError(
            f"The plan has more {what} ({count:,}) than --max-{what} {most:,} allows; nothing of it was written",
            advice=f"Look at it with `crmbridge plan`; then raise --max-{what}, or write a part of it with --select.",
        )


def _select(workspace: Workspace, plan: Plan, expressions: Sequence[str]) -> Chosen:
    names = {name for text in expressions for name in _names_of(workspace, text)}
    wanted = {change.id for change in plan.changes if names & _called(change)}
    made = {(c.connection, c.link): c.id for c in plan.changes if c.action is Action.CREATE and c.link}
    kept: list[Change] = []
    left: list[tuple[Change, str]] = []
    for change in plan.changes:  # what others depend on comes first
        if change.id not in wanted:
            continue
        needs = [made[key] for link in sorted(needed_links(change)) if (key := (change.connection, link)) in made]
        if lacking := [id_ for id_ in needs if id_ not in wanted]:
            wanted.discard(change.id)
            left.append((change, lacking[0]))
        else:
            kept.append(change)
    unselected = len(plan.changes) - len(kept) - len(left)
    return Chosen(plan=replace(plan, changes=tuple(kept)), left=tuple(left), unselected=unselected)


def _called(change: Change) -> set[str]:
    """Give everything that a change is selected by."""
    target = {str(change.target)} if change.target else set()
    return {change.connection, change.action.value, change.id, *target, *({change.link} if change.link else set())}


def _names_of(workspace: Workspace, text: str) -> tuple[str, ...]:
    """Read one selection. A record stands for the changes of its link too, such as the creation of its counterpart."""
    if text in workspace.connections or text in set(Action) or _IDS.fullmatch(text):
        return (text,)
    ref = ref_of(workspace, text)
    if ref is None:
        raise ConfigurationError(f"--select {text!r} names nothing that a plan could have", advice=f"Give {FORMS}.")
    return (str(ref), *workspace.store.links.of([ref]).values())
