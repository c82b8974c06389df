"""Turning changes into Pipedrive's requests, and its replies into receipts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial

from msgspec import Struct

from crmbridge.adapting import outcome_of, partly
from crmbridge.errors import CrmbridgeError, RefusedError, RetryLaterError, UnclearError
from crmbridge.http import together
from crmbridge.model.changes import FOUND, Action, Change, FieldEdit, Outcome, Receipt
from crmbridge.model.records import Kind, Ref
from crmbridge.model.replacing import replace
from crmbridge_pipedrive.account import Account
from crmbridge_pipedrive.api import Api, Row
from crmbridge_pipedrive.archiving import archive
from crmbridge_pipedrive.bodies import Bodies, contacts_of, note_body, number_of, ref_of
from crmbridge_pipedrive.comparing import differences
from crmbridge_pipedrive.contacts import ContactSteps, NotAllContactsError, carry_out, main_of, steps_of
from crmbridge_pipedrive.creating import create_company, create_contact
from crmbridge_pipedrive.figures import Figures
from crmbridge_pipedrive.finding import Books, key_of
from crmbridge_pipedrive.making import differs, field_body, field_named
from crmbridge_pipedrive.products import Products
from crmbridge_pipedrive.verdicts import ForbiddenError, WrongValuesError


class _NotSentError(RetryLaterError):
    """Another change met an error that stops everything."""


class Writer(Struct, frozen=True, kw_only=True):
    """Makes changes, one request each: v2 has no bulk writes for deals, activities or notes.

    Changes of different deals go out side by side, those of one in their order.
    """

    api: Api
    account: Account
    books: Books
    products: Products
    connection: str
    currency: str | None  # of numbers that are written as amounts
    task_type: str

    @property
    def _bodies(self) -> Bodies:
        return Bodies(
            connection=self.connection,
            currency=self.currency,
            task_type=self.task_type,
            fields=self.account.deal_fields,
        )

    def write(self, changes: Sequence[Change]) -> list[Receipt]:
        """Make changes; an error that stops everything is raised when nothing was sent, else it fails the rest."""
        made = self._made_before(changes)
        rows: dict[str, list[int]] = {}
        for place, change in enumerate(changes):
            rows.setdefault(_row_of(change), []).append(place)
        stop = threading.Event()
        done = together([partial(self._in_order, changes, places, made, stop) for places in rows.values()])
        ended = {place: end for row in done for place, end in row.items()}
        errors = [end for end in ended.values() if isinstance(end, CrmbridgeError)]
        if errors and len(errors) == len(changes):
            raise _first_told(errors)
        return [_as_receipt(change, ended[place]) for place, change in enumerate(changes)]

    def amend(self, change: Change, ref: Ref) -> None:
        """Set a task to what a change says of it; raises UnclearError where the answer shows something else."""
        sent = self._bodies.amended(change)
        try:
            answered = self.api.write("activities.update", sent, id_=number_of(ref.id))
        except ForbiddenError as error:
            raise RefusedError(error.message) from error
        if wrong := differences(sent, {name: answered.get(name) for name in sent}):
            raise UnclearError(f"Pipedrive took the request, but the task has other values for {', '.join(wrong)}")

    def _in_order(
        self, changes: Sequence[Change], places: Sequence[int], made: Mapping[str, Ref], stop: threading.Event
    ) -> dict[int, Receipt | CrmbridgeError]:
        """Make the changes of one deal. After an error that stops everything nobody sends anything more.

        Creations of one key are in one row as well: the second one stands for what the first one made.
        """
        ended: dict[int, Receipt | CrmbridgeError] = {}
        first: Receipt | None = None
        for place in places:
            change = changes[place]
            if stop.is_set():
                ended[place] = _NotSentError("not sent, as an earlier change could not be")
                continue
            try:
                there = made.get(change.id)
                receipt = self._there(change, there) if there else self._again(change, first) or self._one(change)
                ended[place] = receipt
                first = receipt if change.action is Action.CREATE else None
            except CrmbridgeError as error:
                stop.set()
                ended[place] = error
        return ended

    def _made_before(self, changes: Sequence[Change]) -> dict[str, Ref]:
        """Find what these creations would make a second time; one look for all of a kind."""
        made: dict[str, Ref] = {}
        for kind in sorted({change.creates for change in changes if change.action is Action.CREATE}):
            keys = {change.id: key for change in changes if change.creates is kind and (key := key_of(change))}
            found = self.books.find(kind, set(keys.values()))
            made |= {id_: Ref(self.connection, kind, str(found[key])) for id_, key in keys.items() if key in found}
        return made

    def _there(self, change: Change, ref: Ref) -> Receipt:
        return Receipt(change=change.id, outcome=Outcome.APPLIED, ref=ref, message=f"{FOUND}; nothing was sent")

    def _again(self, change: Change, first: Receipt | None) -> Receipt | None:
        """Answer for a creation after another one of the same key, unless that one certainly made nothing."""
        if first is None or first.outcome is Outcome.REFUSED:
            return None
        if first.outcome is Outcome.APPLIED and first.ref:
            return self._there(change, first.ref)
        message = f"not sent: it is not clear whether another {change.creates} with this key was made"
        return Receipt(change=change.id, outcome=Outcome.FAILED, message=message)

    def _one(self, change: Change) -> Receipt:
        try:
            return self._send(change)
        except RefusedError as error:
            natives = error.fields if isinstance(error, WrongValuesError) else frozenset()
            blamed = self._bodies.fields_in(change, natives) if change.action is Action.UPDATE else ()
            outcome = outcome_of(change, error)
            return Receipt(change=change.id, outcome=outcome, ref=change.target, message=error.message, blamed=blamed)
        except ForbiddenError as error:
            # Who may not make deals may be given that, or the plan have room again; an edit of each deal is no way to.
            outcome = Outcome.FAILED if change.action is Action.CREATE else Outcome.REFUSED
            return Receipt(change=change.id, outcome=outcome, ref=change.target, message=error.message)
        except UnclearError as error:
            return Receipt(change=change.id, outcome=Outcome.UNKNOWN, message=error.message)

    def _send(self, change: Change) -> Receipt:
        match change.action:
            case Action.CREATE:
                return self._create(change)
            case Action.UPDATE:
                return self._update(change)
            case Action.ARCHIVE:
                return archive(self.api, self.connection, change)
            case Action.TASK:
                return self._receipt(change, {}, self.api.write("activities.create", self._bodies.task_body(change)))
            case Action.NOTE:
                return self._receipt(change, {}, self.api.write("notes.create", note_body(change)))
            case Action.FIELD:
                return self._make_field(change)
            case Action.AMEND | Action.NOTIFY:
                raise RefusedError(f"{self.connection}: this is not how a {change.action} is sent")

    def _update(self, change: Change) -> Receipt:
        """Change a deal: all its fields in one request, then participants, each by its own; a company's figures."""
        if change.kind is Kind.COMPANY:
            return Figures(api=self.api, connection=self.connection).write(change)
        deal = number_of(ref_of(change).id)
        sent, steps = _with_what_is_there(self.account, lambda: self._bodies.deal_body(change)), ContactSteps()
        self.products.check(deal, sent)
        edit = next((edit for edit in change.edits if edit.name == "contacts"), None)
        if edit is not None:
            steps = steps_of(edit, main_of(self.api.row("deal", deal)))
            sent |= steps.body
        receipt = Receipt(change=change.id, outcome=Outcome.APPLIED, ref=change.target)
        if sent or edit is None:
            send = partial(self.api.write, "deals.update", id_=deal)
            receipt = self._receipt(
                change, *_sent(self.account, sent, lambda: self._bodies.deal_body(change) | steps.body, send)
            )
        return _with_contacts(self.api, receipt, deal, steps, begun=bool(sent))

    def _create(self, change: Change) -> Receipt:
        match change.creates:
            case Kind.COMPANY:
                return create_company(self.api, self.connection, change)
            case Kind.CONTACT:
                return create_contact(self.api, self.connection, change)
            case _:
                return self._create_deal(change)

    def _create_deal(self, change: Change) -> Receipt:
        """Make a deal with its company and main contact in one request, then add its further contacts, each by its own.

        Where these are not all there in the end, the receipt says `unknown`: the deal is there, and can be found by its
        key, but it is not what the change says.
        """
        steps = ContactSteps(add=tuple(contacts_of(change.after.get("contacts"))[1:]))

        def make() -> Row:
            return self._bodies.create_body(change)

        sent = _with_what_is_there(self.account, make)
        sent, answered = _sent(self.account, sent, make, partial(self.api.write, "deals.create"))
        return _with_contacts(self.api, self._receipt(change, sent, answered), answered["id"], steps, begun=True)

    def _make_field(self, change: Change) -> Receipt:
        """Make a deal field, unless one of its name is there; Pipedrive itself would make a second one."""
        if change.after.get("on") == Kind.COMPANY:
            return Figures(api=self.api, connection=self.connection).make(change)
        self.account.renew(anyway=True)
        body = field_body(change, self.account.key_name)
        found = field_named(self.account.setup.definitions, body["field_name"], self.connection)
        if found is not None:
            why_not = differs(found, change)
            if why_not:
                raise RefusedError(f"{self.connection}: {why_not}", advice="Rename that field, or bind another one.")
            ref = Ref(self.connection, Kind.FIELD, found.code)
            return Receipt(change=change.id, outcome=Outcome.APPLIED, ref=ref, message=FOUND)
        made = self.api.write("fields.create", body)
        code = made.get("field_code")
        if not isinstance(code, str):
            raise UnclearError("the answer does not name the field that was made")
        with partly("the field was made, and the account could not be read anew"):
            self.account.renew(anyway=True)
        return Receipt(change=change.id, outcome=Outcome.APPLIED, ref=Ref(self.connection, Kind.FIELD, code))

    def _receipt(self, change: Change, sent: Row, answered: Row) -> Receipt:
        """Compare what is there now with what was sent; what differs was left out without a word.

        An update of which nothing is there was refused. One of which a part is, or something made of it, is unclear:
        what is read back says which.
        """
        ref = Ref(self.connection, change.kind, str(answered["id"]))
        try:
            row = self._shown(sent, answered)
        except CrmbridgeError as error:
            message = f"Pipedrive took the request, and it could not be read back: {error.message}"
            return Receipt(change=change.id, outcome=Outcome.UNKNOWN, ref=ref, message=message)
        wrong = differences(sent, row)
        if not wrong:
            return Receipt(change=change.id, outcome=Outcome.APPLIED, ref=ref)
        outcome = Outcome.REFUSED if _is_as_before(self._bodies, change, row) else Outcome.UNKNOWN
        message = f"Pipedrive took the request, but the deal keeps other values for {', '.join(wrong)}"
        return Receipt(change=change.id, outcome=outcome, ref=ref, message=message)

    def _shown(self, sent: Row, answered: Row) -> Row:
        """Give a deal as it shows what was sent.

        Answers to a PATCH were seen to say less than the whole deal, and deals to hold something else after it
        (client-nodejs #626), so what an answer does not show as it was sent is read.
        """
        if _shows(answered, sent) and not differences(sent, answered):
            return answered
        row = self.api.get("deal", id_=answered["id"])
        if not isinstance(row, dict) or not _shows(row, sent):
            raise UnclearError("the deal does not show all that was sent")
        return row


def _is_as_before(bodies: Bodies, change: Change, row: Row) -> bool:
    """Tell whether a deal holds in all fields of an update what it held before."""
    if change.action is not Action.UPDATE:
        return False
    back = tuple(FieldEdit(edit.name, edit.after, edit.before) for edit in change.edits)
    put_back = replace(change, edits=back, position=change.position_before, position_before=change.position)
    with suppress(RefusedError):  # what stood there can't be written, so nobody knows how it would show
        return not differences(bodies.deal_body(put_back), row)
    return False


def _shows(row: Row, sent: Row) -> bool:
    """Tell whether a deal shows all that was sent; null for all of its custom fields says nothing of each."""
    custom, shown = sent.get("custom_fields") or {}, row.get("custom_fields")
    return sent.keys() <= row.keys() and (not custom or (isinstance(shown, dict) and custom.keys() <= shown.keys()))


def _with_what_is_there(account: Account, make: Callable[[], Row]) -> Row:
    """Make a body; where it is refused, once more with what the account has now.

    A change that is refused waits for a person: not for what the account lacked before an admin made it.
    """
    try:
        return make()
    except RefusedError:
        account.renew()  # unless another change has just done so
        return make()


def _sent(account: Account, body: Row, make: Callable[[], Row], send: Callable[[Row], Row]) -> tuple[Row, Row]:
    """Send a body and give it with the answer; where its values are refused, what the account has now makes of it.

    An option that was made again has another id than the one that is remembered.
    """
    try:
        return body, send(body)
    except WrongValuesError:
        account.renew()  # unless another change has just done so
        anew = make()
        if anew == body:
            raise
        return anew, send(anew)


def _row_of(change: Change) -> str:
    """Name what changes must keep their order about; creations are about nothing that is there, fields about all."""
    if change.action is Action.CREATE:
        return f"create {change.creates} {key_of(change) or change.id}"
    return str(change.target)


def _first_told(errors: Sequence[CrmbridgeError]) -> CrmbridgeError:
    """Give the error that stopped the others, rather than one of those that were not sent."""
    return next((error for error in errors if not isinstance(error, _NotSentError)), errors[0])


def _as_receipt(change: Change, end: Receipt | CrmbridgeError) -> Receipt:
    if isinstance(end, Receipt):
        return end
    return Receipt(change=change.id, outcome=Outcome.FAILED, message=end.message)


def _with_contacts(api: Api, receipt: Receipt, deal: int, steps: ContactSteps, *, begun: bool) -> Receipt:
    """Carry out what a deal's own request can't, and say when that is not done."""
    try:
        carry_out(api, deal, steps, begun=begun)
    except (NotAllContactsError, UnclearError) as error:
        message = "; ".join(filter(None, [receipt.message, error.message]))
        return replace(receipt, outcome=Outcome.UNKNOWN, message=message)
    return receipt
