"""Where things are in each version of HubSpot's API."""

from __future__ import annotations

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

    def object(self, kind: str, rest: str = "") -> str:
        """Give the path of an object type, or of something under it."""
        return f"{self.objects}/{kind}{rest}"

    def links(self, start: str, end: str) -> str:
        """Give the path of the batch that reads associations."""
        return f"{self.associations}/{start}/{end}/batch/read"


def _dated(date: str) -> Paths:
    return Paths(
        account=f"/account-info/{date}/details",
        objects=f"/crm/objects/{date}",
        pipelines=f"/crm/pipelines/{date}/deals",
        properties=f"/crm/properties/{date}/deals",
        owners=f"/crm/owners/{date}",
        associations=f"/crm/associations/{date}",
    )


PATHS = MappingProxyType(
    {
        "2026-03": _dated("2026-03"),
        "2026-09": _dated("2026-09"),
        "v3": Paths(
            account="/account-info/v3/details",
            objects="/crm/v3/objects",
            pipelines="/crm/v3/pipelines/deals",
            properties="/crm/v3/properties/deals",
            owners="/crm/v3/owners",
            associations="/crm/v4/associations",  # v3's own associations have no labels and no paging
        ),
    }
)
