"""Making companies and contacts: one request each, and what Pipedrive kept of it."""

from __future__ import annotations

from crmbridge.errors import RefusedError
from crmbridge.model.changes import Change, Outcome, Receipt
from crmbridge.model.records import Record
from crmbridge_pipedrive.api import Api
from crmbridge_pipedrive.bodies import company_body, contact_body
from crmbridge_pipedrive.comparing import same
from crmbridge_pipedrive.mapping import organization_record, person_record
from crmbridge_pipedrive.verdicts import ForbiddenError


def create_company(api: Api, connection: str, change: Change) -> Receipt:
    """Make an organization."""
    answered = api.write("organizations.create", company_body(change))
    return _made(change, organization_record(answered, connection))


def create_contact(api: Api, connection: str, change: Change) -> Receipt:
    """Make a person; without the job title where the account keeps none.

    It has that field only with contact sync ("Persons: Add a new person"), and refuses it otherwise, so nothing was
    made by then.
    """
    body = contact_body(change)
    try:
        answered = api.write("persons.create", body)
    except (RefusedError, ForbiddenError):
        if body.pop("job_title", None) is None:
            raise
        answered = api.write("persons.create", body)
    return _made(change, person_record(answered, connection))


def _made(change: Change, record: Record) -> Receipt:
    """Say that a company or contact was made, and what of it Pipedrive keeps in another way: it is there anyway."""
    wrong = [name for name, value in change.after.items() if not same(value, record.fields.get(name))]
    message = f"Pipedrive keeps other values for {', '.join(wrong)}" if wrong else ""
    return Receipt(change=change.id, outcome=Outcome.APPLIED, ref=record.ref, message=message)
