"""What a HubSpot connection can be told in the settings file."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from crmbridge.settings import AdapterSettings, Secret, SettingsPart, ZoneName


class OAuthSettings(SettingsPart):
    """Signing in as an app that the account has installed. A new refresh token is written to where the old one is."""

    client_id: str
    client_secret: Secret
    refresh_token: Secret


class HubSpotSettings(AdapterSettings):
    """The settings of one HubSpot account."""

    token: Secret | None = None  # a service key or a private app's access token
    oauth: OAuthSettings | None = None  # or an app
    api_version: Literal["2026-03", "2026-09", "v3"] = "2026-03"
    timezone: ZoneName | None = None  # what days are picked in; the account's when not said
    # The account's burst limit: 100 (110 with oauth) when not said; 190 from Professional up.
    requests_per_10s: Annotated[int, Field(ge=10, le=1000)] | None = None
    requests_per_day: Annotated[int, Field(ge=1000)] | None = None  # 250,000 when not said; none with oauth
    source_field: str = "lead_source"  # the deal property that says where a deal came from
    lost_reason_field: str = "closed_lost_reason"

    @model_validator(mode="after")
    def _signs_in_one_way(self) -> Self:
        if (self.token is None) == (self.oauth is None):
            raise ValueError("give exactly one of token (a service key) and oauth (an app)")
        return self
