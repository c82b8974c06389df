"""The adapter of the CRM in memory: the port, over an account of the same process."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from crmbridge.adapting import course_of
from crmbridge.errors import AuthenticationError, NotGrantedError, RetryLaterError, UnclearError
from crmbridge.model.changes import DEAL_ACTIONS, Action, Change, Outcome, Receipt
from crmbridge.model.courses import Course, Held, untold, without_repeats
from crmbridge.model.records import STANDARD_FIELDS, Kind, Record, Ref, Status
from crmbridge.model.replacing import replace
from crmbridge.model.values import FieldType
from crmbridge.ports import Capabilities, Description, NativeField, NativeStage, Page, Pipeline
from crmbridge.sandbox.world import WORLD_FIELDS
from crmbridge.testing.fake_crm import FakeCrm
from crmbridge.testing.fake_records import AS_CLOSED, PIPELINE, STAGES
from crmbridge.testing.fake_writes import receipt

KINDS = frozenset({Kind.USER, Kind.COMPANY, Kind.CONTACT, Kind.DEAL})
PAGE, BATCH = 50, 20


MORE = (Kind.COMPANY, Kind.CONTACT, Kind.FIGURE)  # what an able account takes beside deals


class FakeAdapter:
    """Speaks to a FakeCrm."""

    def __init__(self, crm: FakeCrm) -> None:
        self._crm = crm

    @property
    def capabilities(self) -> Capabilities:
        """What it can do: everything, where the account is able."""
        actions = DEAL_ACTIONS | {Action.ARCHIVE, Action.AMEND} if self._crm.able else DEAL_ACTIONS
        kinds = KINDS | {Kind.NOTE, Kind.FILE} if self._crm.able else KINDS
        return Capabilities(
            kinds=kinds,
            actions=actions,
            batch=dict.fromkeys(actions, BATCH),
            creates=frozenset({Kind.DEAL, *(MORE if self._crm.able else ())}),
            associates=frozenset({"company", "contacts"}) if self._crm.able else frozenset(),
            figures=frozenset({Kind.COMPANY}) if self._crm.able else frozenset(),
            external_key=self._crm.unique_keys,
            conditional_write=self._crm.compares,
            history=True,
            tombstones=True,
            forgets=dict.fromkeys(kinds - {Kind.USER}, self._crm.forgets) if self._crm.forgets else {},
            status_in_stage=True,
            lag=timedelta(0),
            field_history=self._crm.remembered if self._crm.remembers else 0,
        )

    def describe(self) -> Description:
        """Describe the account."""
        self._let_in()
        stages = tuple(NativeStage(id=s, label=s.title(), status=AS_CLOSED.get(s, Status.OPEN)) for s in STAGES)
        users = tuple(record for ref, record in sorted(self._crm.records.items()) if ref.kind is Kind.USER)
        types = {**WORLD_FIELDS, **STANDARD_FIELDS[Kind.DEAL]}
        return Description(
            account=self._crm.account,
            pipelines=(Pipeline(id=PIPELINE, label="Sales", stages=stages),),
            fields=tuple(NativeField(name=name, label=name, type=types[name]) for name in sorted(types)),
            users=users,
            key_field=NativeField(name="key", label="Key", type=FieldType.TEXT, unique=True),
        )

    def pull(self, kind: Kind, since: str | None) -> Iterator[Page]:
        """Yield what changed after the change that the cursor names; without one, as CRMs do, nothing that is gone."""
        self._let_in()
        self._let_read({kind})
        after = int(since or 0)
        changed = sorted((n, ref) for ref, n in self._crm.changed.items() if ref.kind is kind and n > after)
        for start in range(0, max(len(changed), 1), PAGE):
            part = changed[start : start + PAGE]
            refs = [ref for _, ref in part]
            gone = [self._crm.gone[ref] for ref in refs if since and ref not in self._crm.records]
            yield Page(
                records=tuple(self._crm.records[ref] for ref in refs if ref in self._crm.records),
                moves=tuple(m for ref in refs if ref in self._crm.records for m in self._crm.moves.get(ref, ())),
                tombstones=tuple(filter(self._crm.tells_of, gone)),
                cursor=str(part[-1][0]) if part else str(after),
            )

    def read(
        self,
        refs: Sequence[Ref],
        *,
        fields: Collection[str] | None = None,
    ) -> Mapping[Ref, Record]:
        """Give the records that are there, companies with the figures that are asked for."""
        self._let_in()
        self._let_read({ref.kind for ref in refs})
        self._see()
        found = {ref: self._crm.records[ref] for ref in refs if ref in self._crm.records}
        own = self._crm.figure_fields & set(fields or ())
        return {ref: self._with_figures(record, own) for ref, record in found.items()}

    def field_history(self, deals: Sequence[Record], fields: Collection[str], since: datetime) -> Iterator[Course]:
        """Tell what fields held, as the account remembers it."""
        self._let_in()
        self._see()
        for deal in deals:
            past = self._crm.past.get(deal.ref, [])
            for name in sorted(fields):
                held = without_repeats(Held(at, values.get(name)) for at, values in past)
                known = any(name in values for _, values in past)
                yield course_of(deal, name, held, since) if known else untold(deal, name, "nobody wrote it down")

    def find(self, kind: Kind, key: str, near: Ref | None) -> Ref | None:
        """Find a deal by its key, a company or contact by its natural one, or what hangs on a record by its marker."""
        self._let_in()
        self._see()
        if kind is Kind.FIELD:
            name = key.removeprefix("company:")
            there = name != key and name in self._crm.figure_fields
            return Ref(self._crm.connection, Kind.FIELD, name) if there else None
        if kind in {Kind.COMPANY, Kind.CONTACT}:
            return self._crm.find_known(kind, key)
        if kind is Kind.DEAL:
            return next((ref for ref, record in self._crm.records.items() if key and record.key == key), None)
        hanging = (ref for ref, (on, marker) in self._crm.attached.items() if on == near and marker == key)
        return next((ref for ref in hanging if ref.kind is kind), None)

    def _let_read(self, kinds: Collection[Kind]) -> None:
        if Kind.FILE in kinds and self._crm.files_forbidden:
            raise NotGrantedError(f"{self._crm.connection}: not allowed", advice="Grant the scope files.")

    def _with_figures(self, record: Record, names: Collection[str]) -> Record:
        if record.ref.kind is not Kind.COMPANY or not names:
            return record
        held = self._crm.figures.get(record.ref, {})
        return replace(record, fields={**record.fields, **{name: held.get(name) for name in names}})

    def write(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        """Carry out changes, unless a fault is planned for this call."""
        fault = self._crm.faults.pop(0) if self._crm.faults else ""
        self._let_in(fault)
        if fault == "limit":
            raise RetryLaterError(f"{self._crm.connection}: too many requests")
        self._crm.writes += 1
        if fault == "drop_half":
            _ = [self._crm.carry_out(change) for change in changes[: (len(changes) + 1) // 2]]
        if fault in {"drop_before", "drop_half"}:
            return [receipt(change, Outcome.UNKNOWN, "no answer") for change in changes]
        refused = changes[0].id if fault == "refuse" else None
        receipts = [
            receipt(c, Outcome.REFUSED, "a rule of the account says no") if c.id == refused else self._crm.carry_out(c)
            for c in changes
        ]
        if fault == "unclear":
            raise UnclearError(f"{self._crm.connection}: the answer can't be read")
        if fault == "drop_after":
            return [receipt(change, Outcome.UNKNOWN, "no answer") for change in changes]
        return receipts

    def close(self) -> None:
        """Do nothing; there is nothing to give back."""

    def _see(self) -> None:
        if self._crm.blind:
            self._crm.blind -= 1
            raise RetryLaterError(f"{self._crm.connection}: too many requests")

    def _let_in(self, fault: str = "") -> None:
        if "revoked" in {fault, *self._crm.faults[:1]}:
            raise AuthenticationError(
                f"{self._crm.connection}: the credential was refused", advice="Give the connection a valid one."
            )
