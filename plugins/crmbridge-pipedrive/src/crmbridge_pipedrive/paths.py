"""Which path each call has in each API version, and what it costs of the company's tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from crmbridge.http.client import Method


class Call(NamedTuple):
    """One call. `page` is the vendor's title.

    `{v1}` in its path stands for the root of v1, `{id}` for a record, `{other}` for what belongs to that one.
    """

    method: Method
    path: str
    tokens: int
    page: str


# Prices are the `x-token-cost` of Pipedrive's API documents. A list costs the same whatever its length.
PATHS: Mapping[str, Mapping[str, Call]] = {
    "v2": {
        "deals": Call("GET", "api/v2/deals", 10, "Deals: Get all deals"),
        "deal": Call("GET", "api/v2/deals/{id}", 1, "Deals: Get details of a deal"),
        "deals.archived": Call("GET", "api/v2/deals/archived", 20, "Deals: Get all archived deals"),
        "deals.create": Call("POST", "api/v2/deals", 5, "Deals: Add a new deal"),
        "deals.update": Call("PATCH", "api/v2/deals/{id}", 5, "Deals: Update a deal"),
        "persons.create": Call("POST", "api/v2/persons", 5, "Persons: Add a new person"),
        "persons.delete": Call("DELETE", "api/v2/persons/{id}", 3, "Persons: Delete a person"),
        "organizations.create": Call("POST", "api/v2/organizations", 5, "Organizations: Add a new organization"),
        "organizations.update": Call("PATCH", "api/v2/organizations/{id}", 5, "Organizations: Update a organization"),
        "organizations.delete": Call("DELETE", "api/v2/organizations/{id}", 3, "Organizations: Delete a organization"),
        "activities.delete": Call("DELETE", "api/v2/activities/{id}", 3, "Activities: Delete an activity"),
        "persons": Call("GET", "api/v2/persons", 10, "Persons: Get all persons"),
        "organizations": Call("GET", "api/v2/organizations", 10, "Organizations: Get all organizations"),
        "activities": Call("GET", "api/v2/activities", 10, "Activities: Get all activities"),
        "activities.create": Call("POST", "api/v2/activities", 5, "Activities: Add a new activity"),
        "activities.update": Call("PATCH", "api/v2/activities/{id}", 5, "Activities: Update an activity"),
        "pipelines": Call("GET", "api/v2/pipelines", 5, "Pipelines: Get all pipelines"),
        "stages": Call("GET", "api/v2/stages", 5, "Stages: Get all stages"),
        "fields": Call("GET", "api/v2/dealFields", 10, "DealFields: Get all deal fields"),
        "fields.create": Call("POST", "api/v2/dealFields", 5, "DealFields: Create one deal field"),
        "organizationFields": Call(
            "GET", "api/v2/organizationFields", 10, "OrganizationFields: Get all organization fields"
        ),
        "organizationFields.create": Call(
            "POST", "api/v2/organizationFields", 5, "OrganizationFields: Create one organization field"
        ),
        # What v2 does not have; none of it is announced to end.
        "users": Call("GET", "{v1}/users", 20, "Users: Get all users"),
        "me": Call("GET", "{v1}/users/me", 2, "Users: Get current user data"),
        "currencies": Call("GET", "{v1}/currencies", 20, "Currencies: Get all supported currencies"),
        "notes": Call("GET", "{v1}/notes", 20, "Notes: Get all notes"),
        "note": Call("GET", "{v1}/notes/{id}", 2, "Notes: Get one note"),
        "files": Call("GET", "{v1}/files", 20, "Files: Get all files"),
        "file": Call("GET", "{v1}/files/{id}", 2, "Files: Get one file"),
        "notes.create": Call("POST", "{v1}/notes", 10, "Notes: Add a note"),
        "notes.delete": Call("DELETE", "{v1}/notes/{id}", 6, "Notes: Delete a note"),
        "changelog": Call("GET", "{v1}/deals/{id}/changelog", 20, "Deals: List updates about deal field values"),
        "flow": Call("GET", "{v1}/deals/{id}/flow", 40, "Deals: List updates about a deal"),
        "participants": Call("GET", "{v1}/deals/{id}/participants", 10, "Deals: List participants of a deal"),
        "participants.create": Call("POST", "{v1}/deals/{id}/participants", 10, "Deals: Add a participant to a deal"),
        "participants.delete": Call(
            "DELETE", "{v1}/deals/{id}/participants/{other}", 6, "Deals: Delete a participant from a deal"
        ),
    }
}

# What an OAuth app must be granted for all ("Scopes and permissions explanations"); notes and files ride on deals.
# Histories alone go by another scope (API v1, `security` of both calls).
SCOPES = frozenset(
    {"base", "deals:full", "activities:full", "contacts:full", "users:read", "recents:read", "deal-fields:full"}
)
FIELD_SCOPES = frozenset({"contact-fields:full"})  # of organizations' fields, for reports that write figures there
