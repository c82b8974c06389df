"""What a HubSpot connection can be told in the settings file."""

from __future__ import annotations

from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field

from crmbridge.settings import AdapterSettings, Secret


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is no time zone; write it as Europe/Berlin") from error
    return name


class HubSpotSettings(AdapterSettings):
    """The settings of one HubSpot account."""

    token: Secret  # a service key or a private app's access token
    api_version: Literal["2026-03", "2026-09", "v3"] = "2026-03"
    timezone: Annotated[str, AfterValidator(_zone)] | None = (
        None  # what days are picked in; the account's when not said
    )
    requests_per_10s: Annotated[int, Field(ge=10, le=1000)] = 100  # the account's burst limit; 190 from Professional up
    source_field: str = "lead_source"  # the deal property that says where a deal came from
    lost_reason_field: str = "closed_lost_reason"
