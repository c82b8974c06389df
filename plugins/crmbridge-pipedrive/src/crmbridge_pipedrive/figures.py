"""A report's figures in custom fields of organizations: what they hold, writing them, and making the fields.

Users have no custom fields ("Users: Get all users" names none), so figures are kept on organizations only.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from msgspec import Struct

from crmbridge.errors import RefusedError, UnclearError
from crmbridge.model.changes import FOUND, Change, Outcome, Receipt
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.replacing import replace
from crmbridge.model.values import Value
from crmbridge_pipedrive.account import definition_of, find_field
from crmbridge_pipedrive.api import Api
from crmbridge_pipedrive.bodies import number_of, ref_of
from crmbridge_pipedrive.lists import rows_by_ids
from crmbridge_pipedrive.making import differs, field_body, field_named
from crmbridge_pipedrive.values import FieldDefinition, decode, encode

OURS = frozenset({"name", "domain"})


class Figures(Struct, frozen=True, kw_only=True):
    """Reads and writes custom fields of organizations, which settings name by label or code."""

    api: Api
    connection: str

    def added(self, found: Mapping[Ref, Record], names: Collection[str] | None) -> Mapping[Ref, Record]:
        """Give records with the organizations' custom fields that are asked for beside ours, under the names given."""
        own = sorted(set(names or ()) - OURS)
        companies = {int(ref.id) for ref in found if ref.kind is Kind.COMPANY}
        if not own or not companies:
            return found
        fields = self._fields(own)
        rows = {str(row["id"]): row for row in rows_by_ids(self.api, "organizations", {}, companies)}
        made = dict(found)
        for ref, record in found.items():
            if ref.kind is Kind.COMPANY and ref.id in rows:
                custom = rows[ref.id].get("custom_fields") or {}
                read = {name: _read(custom.get(field.code), field) for name, field in fields.items()}
                made[ref] = replace(record, fields={**record.fields, **read})
        return made

    def write(self, change: Change) -> Receipt:
        """Write figures; raises RefusedError for what the account has no field for."""
        target, wanted = ref_of(change), change.after
        fields = self._fields(wanted)
        lacking = sorted(wanted.keys() - fields.keys())
        if lacking:
            raise RefusedError(f"{self.connection}: no organization field is named {', '.join(lacking)}")
        sent = {fields[name].code: encode(value, fields[name], None) for name, value in wanted.items()}
        self.api.write("organizations.update", {"custom_fields": sent}, id_=number_of(target.id))
        return Receipt(change=change.id, outcome=Outcome.APPLIED, ref=target)

    def find(self, name: str) -> Ref | None:
        """Find an organization field by its label or code."""
        found = field_named(self._definitions(), name, self.connection)
        return None if found is None else Ref(self.connection, Kind.FIELD, found.code)

    def make(self, change: Change) -> Receipt:
        """Make an organization field, unless one of its name is there."""
        body = field_body(change, None)
        found = field_named(self._definitions(), body["field_name"], self.connection)
        if found is not None:
            if why_not := differs(found, change):
                raise RefusedError(f"{self.connection}: {why_not}", advice="Rename that field, or name another one.")
            ref = Ref(self.connection, Kind.FIELD, found.code)
            return Receipt(change=change.id, outcome=Outcome.APPLIED, ref=ref, message=FOUND)
        code = self.api.write("organizationFields.create", body).get("field_code")
        if not isinstance(code, str):
            raise UnclearError("the answer does not name the field that was made")
        return Receipt(change=change.id, outcome=Outcome.APPLIED, ref=Ref(self.connection, Kind.FIELD, code))

    def _fields(self, names: Collection[str]) -> dict[str, FieldDefinition]:
        known = self._definitions()
        found = {name: find_field(known, name, self.connection, what="field", must=False) for name in names}
        return {name: field for name, field in found.items() if field is not None}

    def _definitions(self) -> list[FieldDefinition]:
        return [found for row in self.api.rows("organizationFields") if (found := definition_of(row)) is not None]


def _read(raw: object, field: FieldDefinition) -> Value:
    if raw is None:
        return None
    try:
        return decode(raw, field, field.type, None) if field.type else str(raw)
    except ValueError:  # whatever people made of it, it is not the figure
        return str(raw)
