"""Intended writes, the plan they stand in, and what became of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct, field

from crmbridge.model.records import Kind, Position, Ref
from crmbridge.model.values import Fields, Value, to_json


class Action(StrEnum):
    """What a change does in the CRM."""

    CREATE = "create"  # a deal, company or contact that is missing there
    UPDATE = "update"  # fields or stage of a deal
    TASK = "task"  # a task on a deal
    AMEND = "amend"  # another owner, text or due time of a task that crmbridge wrote, or that it is done
    NOTE = "note"  # a note on a deal or company
    FIELD = "field"  # a field that deals shall have
    ARCHIVE = "archive"  # take a record out of the CRM's lists: its own kind of delete that people can take back
    NOTIFY = "notify"  # a notice about a deal, to a sink: nothing is written to the CRM


# What every adapter that writes can do; making fields is for CRMs whose API allows it.
DEAL_ACTIONS = frozenset({Action.CREATE, Action.UPDATE, Action.TASK, Action.NOTE})


class Origin(StrEnum):
    """Which part of the cycle asked for a change."""

    SYNC = "sync"
    ENFORCE = "enforce"
    REPORT = "report"
    SETUP = "setup"
    UNDO = "undo"


class FieldEdit(NamedTuple):
    """One field's value before and after. `before` is what the plan was computed from."""

    name: str
    before: Value
    after: Value


class Change(Struct, frozen=True, kw_only=True):
    """One intended write.

    `target` is the record to update or archive, or what a task or note hangs on; a create has none, and says by
    `creates` what it makes. `linked` names the edits whose values are links (of a company, or several of contacts)
    rather than ids of this CRM: they are turned into those when the change is applied. A change of stage is in
    `edits` under the name `stage`, with canonical stage names for people, and in `position` for the adapter.
    A task's edits are `subject`, `body`, `due_at`, `owner`; a note's is `body` (plain text). Amending a task, which
    is the one with the change's key on its target, has those of them that change, and `done`. A notice's are `sink`
    (its name in the settings), `subject`, `body` and `to`. A field's are `name`,
    `label`, `type` (of FieldType), `options`, `unique`, and `on` where it is one of companies or users; it has no
    target, and its key is its name. An update of a company or user writes a report's figures: its edits are named
    as the CRM names its fields. A create of a figure makes the row of its key, or sets the one that there is: its
    edits are `report`, `indicator`, `name`, `period`, `value`, `unit`, `target` and `as_of`.
    `key` finds the thing again after an unclear reply: the external key of a created deal, the natural key of a
    company or contact (`domain:acme.example`), the marker of a task or note. `id` is the same each time the same
    change is planned.
    """

    id: str
    action: Action
    origin: Origin
    connection: str
    target: Ref | None
    edits: tuple[FieldEdit, ...]
    reason: str
    position: Position | None = None
    position_before: Position | None = None
    key: str | None = None
    expects: str | None = None  # the record version that `before` was read at
    link: str | None = None
    finding: str | None = None
    creates: Kind = Kind.DEAL
    linked: tuple[str, ...] = ()

    @property
    def after(self) -> dict[str, Value]:
        """The values to write, without the stage (which is in `position`)."""
        return {edit.name: edit.after for edit in self.edits if edit.name != "stage"}

    @property
    def kind(self) -> Kind:
        """The kind of thing that this change writes."""
        if self.action is Action.CREATE or self.target is None:
            return _KINDS.get(self.action, self.creates)
        return _KINDS.get(self.action, self.target.kind)


class Cause(StrEnum):
    """Why something needs a person."""

    CONFLICT = "conflict"  # several sides changed a field, and the policy asks
    LINK = "link"  # it is not clear which records belong together
    COUNTERPART = "counterpart"  # a value has no counterpart in a connection
    MOVE = "move"  # the process forbids a change of stage
    DELETE = "delete"  # a deletion that the policy, or the cap on deletions, holds back
    CLEAR = "clear"  # a field that the cap on emptying fields lets nobody empty
    REFUSED = "refused"  # the CRM said no
    VETO = "veto"  # a plugin said no; it is asked again each time
    APART = "apart"  # stages that differ since the settings were changed, and may, until somebody moves a deal
    UNCLEAR = "unclear"  # it was sent, and nobody knows yet whether it was done
    CHANGED = "changed"  # what a run wrote was changed by somebody since, so it is not undone


class Edited(NamedTuple):
    """Who changed a record last, and when, as far as its CRM says."""

    at: datetime
    by: str | None = None  # a name or e-mail for people; the CRM's user id where that is all that is known


class Blocked(Struct, frozen=True, kw_only=True):
    """Something the plan left alone because it needs a person, with the values on each side."""

    link: str
    deal: Ref
    name: str  # the field, `stage` included
    reason: str
    values: Mapping[str, Value] = field(default_factory=dict)  # connection -> value
    cause: Cause = Cause.CONFLICT
    edited: Mapping[str, Edited] = field(default_factory=dict)  # connection -> the last edit of its record

    @property
    def unwritten(self) -> bool:
        """Tell whether the values are what was to be written, and not what is there."""
        return self.cause in {Cause.REFUSED, Cause.VETO, Cause.UNCLEAR}

    @property
    def id(self) -> str:
        """Name it for people: short, and the same for as long as it waits.

        Of enforcement's own changes, under no link, several of one name may wait on a deal, as two tasks.
        """
        told = [str(value) for value in self.values.values()] if self.unwritten and not self.link else []
        parts = [self.link, *self.deal, self.name, self.cause, *told]
        return hashlib.sha256("\x1f".join(parts).encode(errors="surrogatepass")).hexdigest()[:10]


class Plan(Struct, frozen=True, kw_only=True):
    """Changes in the order they will be made, and what they were computed from.

    `settings` is the digest of the settings and process the plan was made with; apply refuses any other.
    """

    id: str
    made_at: datetime
    settings: str
    changes: tuple[Change, ...]
    blocked: tuple[Blocked, ...] = ()
    cursors: Mapping[str, str] = field(default_factory=dict)  # "connection/kind" -> cursor
    version: int = 2


_KINDS = {Action.TASK: Kind.TASK, Action.AMEND: Kind.TASK, Action.NOTE: Kind.NOTE, Action.FIELD: Kind.FIELD}


class Outcome(StrEnum):
    """What became of a change."""

    APPLIED = "applied"
    REFUSED = "refused"  # the CRM said no to this change; repeating it will not help
    FAILED = "failed"  # it did not happen; it may be planned again
    STALE = "stale"  # the record changed since the plan; nothing was written
    UNKNOWN = "unknown"  # sent, but the reply is unclear; resolved by reading back, never by sending again


FOUND = "it was there already"  # begins the message of a creation that made nothing


class Receipt(Struct, frozen=True, kw_only=True):
    """What the CRM answered to one change. `ref` is the record written, where it is known.

    Where it refused an update, `blamed` are the fields of ours that it named as wrong: the others need not wait.
    Where a creation found what it should make, its message begins with FOUND, so that undoing it takes nothing away.
    """

    change: str
    outcome: Outcome
    ref: Ref | None = None
    message: str = ""
    blamed: tuple[str, ...] = ()


class JournalEntry(Struct, frozen=True, kw_only=True):
    """One row of the journal. An intent has no outcome; the row that follows it has one."""

    seq: int
    run: str
    at: datetime
    change: Change
    outcome: Outcome | None = None
    ref: Ref | None = None
    message: str = ""


_one_text = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), sort_keys=True).encode
_same_text = msgspec.json.Encoder().encode  # where all of it is plain ASCII, in a fifth of the time


def change_id(action: Action, connection: str, *parts: str, edits: tuple[FieldEdit, ...] = ()) -> str:
    """Make the stable id of a change from what makes it that change: same inputs, same id."""
    body = [action, connection, *parts, [[e.name, to_json(e.before), to_json(e.after)] for e in edits]]
    return hashlib.sha256(_identifying(body)).hexdigest()[:16]


def _identifying(body: list[Any]) -> bytes:
    try:
        text = _same_text(body)
    except UnicodeEncodeError:  # half a surrogate pair, which only ASCII can hold
        return _one_text(body).encode()
    # DEL is the one character of ASCII that the two write otherwise.
    return text if text.isascii() and b"\x7f" not in text else _one_text(body).encode()


def edits_of(before: Fields, after: Fields) -> tuple[FieldEdit, ...]:
    """List what changes between two sets of values, in the order of the names."""
    return tuple(
        FieldEdit(name, before.get(name), after[name]) for name in sorted(after) if after[name] != before.get(name)
    )
