"""Where things are in each version of HubSpot's API, and until when HubSpot supports it."""

from __future__ import annotations

from datetime import date
from types import MappingProxyType
from typing import NamedTuple


class Paths(NamedTuple):
    """The beginnings of the paths of one API version ("CRM API overview": dated versions name the family first)."""

    account: str
    objects: str
    pipelines: str
    properties: str
    owners: str
    associations: str
    files: str
    token: str
    supported_until: date

    @property
    def introspection(self) -> str:
        """Where a token is told what it is good for."""
        return f"{self.token}/introspect"

    @property
    def company_properties(self) -> str:
        """Where the properties of companies are."""
        return f"{self.properties.removesuffix('deals')}companies"

    def object(self, kind: str, rest: str = "") -> str:
        """Give the path of an object type, or of something under it."""
        return f"{self.objects}/{kind}{rest}"

    def links(self, start: str, end: str) -> str:
        """Give the path of the batch that reads associations."""
        return self.linking(start, end, "read")

    def linking(self, start: str, end: str, what: str) -> str:
        """Give the path of a batch that reads, makes or takes away associations ("Associate records")."""
        return f"{self.associations}/{start}/{end}/batch/{what}"


def _dated(version: str, supported_until: date) -> Paths:
    return Paths(
        account=f"/account-info/{version}/details",
        objects=f"/crm/objects/{version}",
        pipelines=f"/crm/pipelines/{version}/deals",
        properties=f"/crm/properties/{version}/deals",
        owners=f"/crm/owners/{version}",
        associations=f"/crm/associations/{version}",
        files=f"/files/{version}/files",
        token=f"/oauth/{version}/token",
        supported_until=supported_until,
    )


# A dated version is supported for 18 months ("Versioning"); where the day it came out is not known, the earliest
# it can have been counts. v3 is read together with v4's associations, which end first ("Legacy APIs and legacy apps:
# what's going unsupported and when").
PATHS = MappingProxyType(
    {
        "2026-03": _dated("2026-03", date(2027, 9, 1)),
        "2026-09": _dated("2026-09", date(2028, 3, 8)),
        "v3": Paths(
            account="/account-info/v3/details",
            objects="/crm/v3/objects",
            pipelines="/crm/v3/pipelines/deals",
            properties="/crm/v3/properties/deals",
            owners="/crm/v3/owners",
            associations="/crm/v4/associations",  # v3's own associations have no labels and no paging
            files="/files/v3/files",
            token="/oauth/v3/token",  # noqa: S106  a path
            supported_until=date(2027, 3, 30),
        ),
    }
)
