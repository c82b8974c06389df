"""One deal as sync sees it: its fields by canonical name, free of what is native to one CRM."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from types import MappingProxyType

from msgspec import Struct, field
from msgspec.structs import force_setattr

from crmbridge.engine.mapping import LOST, WON, StageMapper
from crmbridge.model.changes import FieldEdit
from crmbridge.model.records import Kind, Position, Record, Ref, Status
from crmbridge.model.values import Value, is_empty

# The standard fields of a deal that mean the same in every CRM. The rest (counts, contacts, company) belong to one.
SHARED = ("name", "amount", "close_date")
STAGE = "stage"
OWNER = "owner"
COMPANY = "company"
CONTACTS = "contacts"
AROUND = MappingProxyType({COMPANY: Kind.COMPANY, CONTACTS: Kind.CONTACT})  # what hangs on a deal
_TRANSLATED = frozenset({STAGE, OWNER, *AROUND})  # each CRM has its own word for these


class Viewer(Struct, frozen=True, kw_only=True, eq=False):
    """Turns one connection's deals into views and back.

    `users` is user id -> e-mail, `ids` e-mail -> the user id that is written for it, `fields` the bound ones.
    `around` names what comes along of what hangs on a deal, and `links` has the links of the companies and contacts;
    `writes` is what of it can be written here.
    """

    mapper: StageMapper
    users: Mapping[str, str]
    ids: Mapping[str, str]
    fields: tuple[str, ...] = ()
    around: tuple[str, ...] = ()
    links: Mapping[Ref, str] = field(default_factory=dict)
    writes: frozenset[str] = frozenset(AROUND)
    as_held: frozenset[str] = frozenset()  # the fields shown as the CRM holds them
    _shown: tuple[str, ...] = ()
    _always: tuple[str, ...] = ()  # of these, the ones that are translated
    _stages: dict[Position | None, str | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Settle once what every view of a deal asks; anew for a viewer that is made from another one."""
        force_setattr(self, "_shown", (*SHARED, *self.fields))
        force_setattr(self, "as_held", frozenset(self._shown).difference(_TRANSLATED))
        force_setattr(self, "_always", tuple(name for name in self._shown if name in _TRANSLATED))
        force_setattr(self, "_stages", {})

    @property
    def connection(self) -> str:
        """The connection whose deals these are."""
        return self.mapper.connection

    def view(
        self,
        deal: Record,
        only: Collection[str] | None = None,
        value: Callable[[str], Value] | None = None,
    ) -> dict[str, Value]:
        """Give the deal's shared fields. A field that this connection can't tell of is left out, not empty.

        That is also the owner, when it is somebody whose e-mail is not known, and what could not be read. With `only`,
        of the fields that are shown as the CRM holds them, just these are in it. `value` gives a field of the deal
        where somebody has read it.
        """
        held = value or deal.fields.get
        names = self._shown if only is None else (*self._among(only), *self._always)
        found: dict[str, Value] = {}
        for name in names:
            found[name] = None if is_empty(own := held(name)) else own
        if (stage := self.stage(deal)) is not None:
            found[STAGE] = stage
        owner = held(OWNER)
        if is_empty(owner) or owner in self.users:
            found[OWNER] = self.users.get(str(owner))
        for name in self.around:
            self._look_around(name, held(name), found)
        for problem in deal.problems:
            found.pop(problem.field, None)
        return found

    def _among(self, names: Iterable[str]) -> list[str]:
        """Give those of these fields that are shown as the CRM holds them."""
        return [name for name in names if name in self.as_held]

    def _look_around(self, name: str, value: Value, found: dict[str, Value]) -> None:
        """Name what hangs on a deal by links; a company without one can't be told of, a contact is left out."""
        if is_empty(value):
            found[name] = None
            return
        natives = value if isinstance(value, tuple) else (str(value),)
        refs = [Ref(self.connection, AROUND[name], native) for native in natives]
        links = sorted([self.links[ref] for ref in refs if ref in self.links])
        if name == CONTACTS:
            found[name] = tuple(links) or None
        elif links:
            found[name] = links[0]

    def stage(self, deal: Record) -> str | None:
        """Name the deal's stage, `won` or `lost`; None when its position has no counterpart in the process."""
        if deal.position not in self._stages:
            self._stages[deal.position] = self._stage_at(deal.position)
        return self._stages[deal.position]

    def _stage_at(self, position: Position | None) -> str | None:
        place = self.mapper.place(position)
        if position is None or not self.mapper.covers(position):
            return None
        if place.status is Status.OPEN:
            return place.stage
        return WON if place.status is Status.WON else LOST

    def native(self, edit: FieldEdit, deal: Record | None = None) -> FieldEdit | None:
        """Turn an owner's e-mail to this CRM's user id; None when nobody has it here. Other edits stay as they are.

        `deal` is the one that is edited, where there is one already: several users can share an e-mail.
        """
        if edit.name in AROUND:
            return edit if edit.name in self.writes else None  # links are turned into ids when it is applied
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
