"""One deal as sync sees it: its fields by canonical name, free of what is native to one CRM."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from crmbridge.engine.mapping import LOST, WON, StageMapper
from crmbridge.model.changes import FieldEdit
from crmbridge.model.records import Kind, Position, Record, Status
from crmbridge.model.values import Value, is_empty

# The standard fields of a deal that mean the same in every CRM. The rest (counts, contacts, company) belong to one.
SHARED = ("name", "amount", "close_date")
STAGE = "stage"
OWNER = "owner"


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Turns one connection's deals into views and back.

    `users` is user id -> e-mail, `ids` e-mail -> the user id that is written for it, `fields` the bound ones.
    """

    mapper: StageMapper
    users: Mapping[str, str]
    ids: Mapping[str, str]
    fields: tuple[str, ...] = ()

    def view(self, deal: Record) -> dict[str, Value]:
        """Give the deal's shared fields. A field that this connection can't tell of is left out, not empty.

        That is also the owner, when it is somebody whose e-mail is not known.
        """
        found: dict[str, Value] = {name: deal.fields.get(name) for name in (*SHARED, *self.fields)}
        stage = self.stage(deal)
        if stage is not None:
            found[STAGE] = stage
        owner = deal.fields.get(OWNER)
        if is_empty(owner) or owner in self.users:
            found[OWNER] = self.users.get(str(owner))
        return {name: None if is_empty(value) else value for name, value in found.items()}

    def stage(self, deal: Record) -> str | None:
        """Name the deal's stage, `won` or `lost`; None when its position has no counterpart in the process."""
        place = self.mapper.place(deal.position)
        if deal.position is None or not self.mapper.covers(deal.position):
            return None
        if place.status is Status.OPEN:
            return place.stage
        return WON if place.status is Status.WON else LOST

    def native(self, edit: FieldEdit, deal: Record | None = None) -> FieldEdit | None:
        """Turn an owner's e-mail to this CRM's user id; None when nobody has it here. Other edits stay as they are.

        `deal` is the one that is edited, where there is one already: several users can share an e-mail.
        """
        if edit.name != OWNER:
            return edit
        before = deal.fields.get(OWNER) if deal else None
        if edit.after is None:
            return FieldEdit(OWNER, before, None)
        after = self.ids.get(str(edit.after))
        return FieldEdit(OWNER, before, after) if after else None

    def position(self, stage: Value, current: Position | None) -> Position | None:
        """Say what to write so that a deal stands in a stage here."""
        return self.mapper.position(str(stage), current)


def emails(users: Iterable[Record]) -> dict[str, str]:
    """Map user ids to e-mails in lower case; users without one are left out."""
    found = {user.ref.id: user.fields.get("email") for user in users if user.ref.kind is Kind.USER}
    return {ref: email.strip().casefold() for ref, email in found.items() if isinstance(email, str) and email.strip()}


def user_ids(users: Iterable[Record]) -> dict[str, str]:
    """Map e-mails to the user id that stands for them: of several, one that is active, then the first id."""
    ranked = sorted(users, key=lambda user: (user.fields.get("active") is False, user.ref.id))
    found: dict[str, str] = {}
    for user, email in emails(ranked).items():
        found.setdefault(email, user)
    return found
