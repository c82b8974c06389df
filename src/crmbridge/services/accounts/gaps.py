"""What an account lacks for a process: the field for the external key, and the fields that deals should have."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from msgspec import Struct, field

from crmbridge.model.changes import Action, Blocked, Change, FieldEdit, Origin, change_id
from crmbridge.model.process import Process, ProcessField
from crmbridge.model.records import Kind, Ref
from crmbridge.model.replacing import replace
from crmbridge.model.values import FieldType, Value
from crmbridge.ports import Description, FieldWish, NativeField

# Which types of a CRM's field can hold a process field of a type, beside the same one.
HOLDS: Mapping[FieldType, frozenset[FieldType]] = {
    FieldType.TEXT: frozenset({FieldType.CHOICE}),
    FieldType.MONEY: frozenset({FieldType.NUMBER}),
    FieldType.NUMBER: frozenset({FieldType.MONEY}),
    FieldType.BOOL: frozenset({FieldType.CHOICE}),
}
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")  # a name that an API could have; other ones are what people see
_ENDING = re.compile(r"__[a-z]$")  # by which some CRMs mark fields of one's own


class Wanted(Struct, frozen=True, kw_only=True):
    """A field that the account lacks. `field` is the process field that it is for; the key's is for none."""

    wish: FieldWish
    field: str | None = None
    bound: bool = False  # the settings name it already


class Gaps(Struct, frozen=True, kw_only=True):
    """What an account lacks, what is there and unfit, and what is there and only not bound yet."""

    wanted: tuple[Wanted, ...] = ()
    unfit: tuple[Blocked, ...] = ()
    unbound: Mapping[str, str] = field(default_factory=dict)  # process field -> the CRM's own


def find_gaps(connection: str, process: Process, bound: Mapping[str, str], account: Description) -> Gaps:
    """Compare an account with what a process needs of it. `bound` is process field -> the CRM's own."""
    there = natives(account)
    wanted: list[Wanted] = []
    unfit = [*_key_unfit(connection, account)]
    unbound: dict[str, str] = {}
    if account.key_wish is not None and account.key_field is None:
        wanted.append(Wanted(wish=account.key_wish))
    for needed in process.fields:
        name = bound.get(needed.id) or _derived(needed, account)
        called = [name] if needed.id in bound else [name, *_labels(needed)]
        native = next((there[one.casefold()] for one in called if one.casefold() in there), None)
        if native is None:
            wanted.append(Wanted(wish=_wish(needed, name), field=needed.id, bound=needed.id in bound))
            continue
        unfit += _unfit(connection, needed, native)
        if bound.get(needed.id) not in {native.name, native.label}:  # small letters count where it is read
            unbound[needed.id] = native.name
    return Gaps(wanted=tuple(wanted), unfit=tuple(unfit), unbound=unbound)


def natives(account: Description) -> dict[str, NativeField]:
    """Give an account's fields by their names and labels, in small letters: no CRM tells two apart by those.

    A name counts more than another field's label.
    """
    by_label = {native.label.casefold(): native for native in account.fields}
    return by_label | {native.name.casefold(): native for native in account.fields}


def _derived(field: ProcessField, account: Description) -> str:
    """Make a name for a process field that the settings don't bind."""
    name = re.sub(r"[^a-z0-9_]+", "_", field.id)
    key = account.key_field or account.key_wish
    ending = _ENDING.search(key.name) if key else None
    return name + (ending.group() if ending else "")


def _labels(needed: ProcessField) -> tuple[str, ...]:
    """Give what people call a process field, in every language: an account may have it under one of these."""
    words = needed.name.root
    return (words,) if isinstance(words, str) else tuple(words.values())


def _wish(field: ProcessField, name: str) -> FieldWish:
    # A name that people see is the label, or the field would not be found again by it.
    label = str(field.name) if _PLAIN.fullmatch(name) else name
    why = f"holds {field.id} of the process"
    return FieldWish(name=name, label=label, type=field.type, options=field.options, why=why)


def _key_unfit(connection: str, account: Description) -> Iterator[Blocked]:
    wish, field = account.key_wish, account.key_field
    if wish is None or field is None:
        return
    if field.type is not wish.type:
        yield _blocked(connection, field, "type", f"the external key needs a {wish.type} field, {_is(field)}")
    if wish.unique and not field.unique:
        reason = "the external key must be unique, and this field may hold one value twice; most CRMs can't change that"
        yield _blocked(connection, field, "unique", f"{reason}: rename or delete it, or name another by `key_field`")


def _unfit(connection: str, field: ProcessField, native: NativeField) -> Iterator[Blocked]:
    """Say why a field that is there can't hold a process field."""
    if native.type is not field.type and native.type not in HOLDS.get(field.type, frozenset()):
        reason = f"{field.id} needs a {field.type} field, {_is(native)}: bind another, or change it in the CRM"
        yield _blocked(connection, native, "type", reason)
    elif not native.writable:
        yield _blocked(connection, native, "writable", f"{field.id} can't be written to it: give the user the right to")
    missing = [option for option in field.options if native.options and option not in native.options]
    if missing:
        reason = f"{field.id} may be {', '.join(missing)}, which the field doesn't offer: add it in the CRM"
        yield _blocked(connection, native, "options", reason)


def _is(native: NativeField) -> str:
    return f"and {native.name} is a {native.type} field" if native.type else f"and {native.name} is of no type we read"


def _blocked(connection: str, native: NativeField, name: str, reason: str) -> Blocked:
    return Blocked(link="", deal=Ref(connection, Kind.FIELD, native.name), name=name, reason=reason)


def field_change(connection: str, wish: FieldWish, time: int = 0) -> Change:
    """Make the change that makes a field. `time` tells it from earlier ones, when the field was taken away since."""
    values: dict[str, Value] = {
        "name": wish.name,
        "label": wish.label,
        "type": wish.type.value,
        "options": wish.options,
        "unique": wish.unique,
        **({} if wish.on is Kind.DEAL else {"on": wish.on.value}),
    }
    edits = tuple(FieldEdit(name, None, value) for name, value in sorted(values.items()))
    change = Change(
        id="",
        action=Action.FIELD,
        origin=Origin.SETUP,
        connection=connection,
        target=None,
        edits=edits,
        reason=wish.why or "the account lacks it",
        key=wish.key,
    )
    again = (str(time),) if time else ()
    return replace(change, id=change_id(Action.FIELD, connection, wish.key, *again, edits=edits))
