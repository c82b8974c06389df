"""One deal as sync sees it: its fields by canonical name, free of what is native to one CRM."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from crmbridge.engine.mapping import LOST, WON, StageMapper
from crmbridge.model.changes import FieldEdit
from crmbridge.model.records import Kind, Position, Record, Ref, Status
from crmbridge.model.values import Value, is_empty

# The standard fields of a deal that mean the same in every CRM. The rest (counts, contacts, company) belong to one.
SHARED = ("name", "amount", "close_date")
STAGE = "stage"
OWNER = "owner"


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Turns one connection's deals into views and back. `users` is user id -> e-mail, `fields` the bound ones."""

    mapper: StageMapper
    users: Mapping[str, str]
    fields: tuple[str, ...] = ()

    def view(self, deal: Record) -> dict[str, Value]:
        """Give the deal's shared fields. A field that this connection does not have is left out, not empty."""
        found: dict[str, Value] = {name: deal.fields.get(name) for name in (*SHARED, *self.fields)}
        stage = self.stage(deal)
        if stage is not None:
            found[STAGE] = stage
        owner = deal.fields.get(OWNER)
        email = self.users.get(owner) if isinstance(owner, str) else None
        if email:
            found[OWNER] = email
        return {name: None if is_empty(value) else value for name, value in found.items()}

    def stage(self, deal: Record) -> str | None:
        """Name the deal's stage, `won` or `lost`; None when its position has no counterpart in the process."""
        place = self.mapper.place(deal.position)
        if deal.position is None or not self.mapper.covers(deal.position):
            return None
        if place.status is Status.OPEN:
            return place.stage
        return WON if place.status is Status.WON else LOST

    def native(self, edits: tuple[FieldEdit, ...]) -> tuple[FieldEdit, ...] | None:
        """Turn owners from e-mails to this CRM's user ids; None when somebody has no user here."""
        ids = {email: user for user, email in self.users.items()}
        turned = []
        for edit in edits:
            if edit.name == OWNER:
                after = ids.get(str(edit.after))
                if after is None:
                    return None
                turned.append(FieldEdit(OWNER, ids.get(str(edit.before)), after))
            else:
                turned.append(edit)
        return tuple(turned)

    def position(self, stage: Value, current: Position | None) -> Position | None:
        """Say what to write so that a deal stands in a stage here."""
        return self.mapper.position(str(stage), current)


def emails(users: Mapping[Ref, Record] | tuple[Record, ...]) -> dict[str, str]:
    """Map user ids to e-mails in lower case; users without one are left out. Two ids of one e-mail: the first id."""
    records = users.values() if isinstance(users, Mapping) else users
    found: dict[str, str] = {}
    for user in sorted(records, key=lambda user: user.ref.id):
        email = user.fields.get("email")
        if user.ref.kind is Kind.USER and isinstance(email, str) and email.strip():
            found[user.ref.id] = email.strip().casefold()
    return found
