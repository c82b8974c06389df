"""The log of one deal: all that was written to it, and what people decided about it. It outlives the deal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from crmbridge.errors import ConfigurationError
from crmbridge.model.changes import JournalEntry
from crmbridge.model.codec import ref_from_json
from crmbridge.model.records import Kind, Ref
from crmbridge.ports import Run
from crmbridge.services.answers.explaining import find_deal, linked_refs
from crmbridge.services.workspace import Workspace

SEARCHED = 1_000_000  # newest runs that are looked through: those of decades


class DealLog(Struct, frozen=True, kw_only=True):
    """What is known of the writes to a deal and to those that are linked with it, oldest first."""

    refs: tuple[Ref, ...]
    written: tuple[JournalEntry, ...]
    by_hand: tuple[Run, ...]  # in which people decided on it, linked it, or waived something of it


def log_of(workspace: Workspace, text: str) -> DealLog:
    """Give the log of the deal that a text names, as for `explain`; by its ref also of one that is gone.

    Raises ConfigurationError when the text fits no deal, or several.
    """
    refs, journal = linked_refs(workspace, _ref(workspace, text)), workspace.store.journal
    runs = (run for run in workspace.store.runs.runs(SEARCHED) if _names(run.summary, refs))
    return DealLog(refs=refs, written=told(journal.about(refs)), by_hand=tuple(runs)[::-1])


def told(journal: Iterable[JournalEntry]) -> tuple[JournalEntry, ...]:
    """Leave out the intents that have an outcome: it says the same, and what became of it."""
    rows = tuple(journal)
    settled = {row.change.id for row in rows if row.outcome is not None}
    return tuple(row for row in rows if row.outcome is not None or row.change.id not in settled)


def _ref(workspace: Workspace, text: str) -> Ref:
    connection, _, rest = text.partition(":")
    gone = Ref(connection, Kind.DEAL, rest.removeprefix("deal:"))
    try:
        return find_deal(workspace, text).ref
    except ConfigurationError:
        if rest and workspace.store.journal.about([gone]):
            return gone
        raise


def _names(summary: Mapping[str, Any], refs: tuple[Ref, ...]) -> bool:
    """Tell whether what a run noted as done by hand is about one of these."""
    texts = {str(ref) for ref in refs}
    named = {summary.get("deal"), summary.get("split"), *summary.get("joined", ())}
    return bool(texts & named) or any(ref_from_json(form["deal"]) in refs for form in summary.get("decided", ()))
