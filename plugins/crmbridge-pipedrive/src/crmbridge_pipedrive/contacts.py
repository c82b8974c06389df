"""The contacts of a deal: one main person, the others participants; an edit only adds and removes whom it names."""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Struct

from crmbridge.errors import CrmbridgeError, RefusedError, UnclearError
from crmbridge.model.changes import FieldEdit
from crmbridge_pipedrive.api import Api, Row
from crmbridge_pipedrive.bodies import contacts_of
from crmbridge_pipedrive.standard import reference_in


class ContactSteps(Struct, frozen=True, kw_only=True):
    """What takes a deal from its contacts to others: a main one first, then participants."""

    sets_main: bool = False
    main: int | None = None
    add: tuple[int, ...] = ()
    remove: tuple[int, ...] = ()

    @property
    def body(self) -> Row:
        """The part of it that goes with the deal's other fields, in one request."""
        return {"person_id": self.main} if self.sets_main else {}


class NotAllContactsError(CrmbridgeError):
    """Some of a deal's contacts are as they should be, and some are not."""


def main_of(row: Row | None) -> int | None:
    """Give the main contact of a deal; raises RefusedError where that can't be told: it would be replaced."""
    try:
        person = reference_in((row or {})["person_id"])
    except (KeyError, ValueError):
        raise RefusedError("the deal does not say who its main contact is") from None
    return None if person is None else int(person)


def steps_of(edit: FieldEdit, main: int | None) -> ContactSteps:
    """Say what an edit means for a deal with this main contact; whom it does not name stays.

    A main contact can't be removed as a participant, so where it goes another one of the edit takes its place first.
    """
    before, after = contacts_of(edit.before), contacts_of(edit.after)
    add = [person for person in after if person not in before]
    remove = tuple(person for person in before if person not in after)
    if main in remove or (main is None and add):
        heirs = [person for person in after if person in before] if main is not None else []
        main = next(iter((*heirs, *add)), None)
        return ContactSteps(sets_main=True, main=main, add=tuple(p for p in add if p != main), remove=remove)
    return ContactSteps(add=tuple(person for person in add if person != main), remove=remove)


def participants(api: Api, deal: int) -> list[tuple[int, int]]:
    """Give the participants of a deal: each one's own id there, and the person, who comes as an object.

    Raises RefusedError where it can't be told who one is: left out, he would seem to be taken off the deal.
    """
    try:
        people = [(row["id"], reference_in(row.get("person_id"))) for row in api.rows_v1("participants", id_=deal)]
    except ValueError as error:
        raise RefusedError(f"a participant of deal {deal} can't be read: {error}") from None
    return [(number, int(person)) for number, person in people if person is not None]


def carry_out(api: Api, deal: int, steps: ContactSteps, *, begun: bool) -> None:
    """Add and remove participants, one request each.

    Raises NotAllContactsError where that ends half-way, `begun` being whether something of the change is done already;
    before that, whatever stopped it.
    """
    try:
        for person in steps.add:
            _add(api, deal, person)
            begun = True
        if steps.remove:
            begun = _remove(api, deal, steps.remove, begun=begun)
    except UnclearError:
        raise
    except CrmbridgeError as error:
        if not begun:
            raise
        raise NotAllContactsError(f"its contacts are not all as they should be: {error.message}") from error


def _add(api: Api, deal: int, person: int) -> None:
    """Add a participant; after an unclear answer look whether that was done, and never send it again."""
    try:
        api.write("participants.create", {"person_id": person}, id_=deal)
    except UnclearError as error:
        if person not in {other for _, other in _now(api, deal, error)}:
            raise


def _remove(api: Api, deal: int, people: Collection[int], *, begun: bool) -> bool:
    """Remove participants by the ids that they have on the deal; who is not there needs nothing."""
    for number, person in participants(api, deal):
        if person not in people:
            continue
        try:
            api.delete("participants.delete", deal, number)
        except (RefusedError, UnclearError) as error:
            if number in {other for other, _ in _now(api, deal, error)}:
                raise
        begun = True
    return begun


def _now(api: Api, deal: int, error: CrmbridgeError) -> list[tuple[int, int]]:
    """Read the participants after an error, which stands where they can't be read either."""
    try:
        return participants(api, deal)
    except CrmbridgeError:
        raise error from None
