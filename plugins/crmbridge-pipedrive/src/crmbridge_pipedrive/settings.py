"""What a Pipedrive connection can say in the settings file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from crmbridge.loopback import is_loopback
from crmbridge.settings import AdapterSettings, Address, Secret, SettingsPart

SHARED_HOST = "api.pipedrive.com"
OAUTH_URL = "https://oauth.pipedrive.com/oauth/token"
TOKENS_A_SEAT = 30_000  # of one seat's day on the smallest plan ("Rate limiting")


class Plan(NamedTuple):
    """What a plan allows: the day's tokens as a multiple, and requests in two seconds by each way to sign in."""

    factor: int
    by_token: int
    by_oauth: int


# "Rate limiting", updated 2026-09-17.
PLANS: Mapping[str, Plan] = {
    "lite": Plan(1, 20, 80),
    "growth": Plan(2, 40, 160),
    "premium": Plan(5, 100, 400),
    "ultimate": Plan(7, 120, 480),
}


class OAuthSettings(SettingsPart):
    """An app's sign-in: what Pipedrive gave the app, and what a user's consent gave it."""

    client_id: Annotated[str, Field(min_length=1)]
    client_secret: Secret
    refresh_token: Secret


class PipedriveSettings(AdapterSettings):
    """A Pipedrive account.

    Exactly one of `token` and `oauth` signs in. `company` is the company domain: `acme` where people sign in at
    acme.pipedrive.com; with OAuth, Pipedrive says it. `base_url` stands in for the host that follows from it.
    `key_field` is the name, or the 40-character code, of a custom text field on deals. `plan` and `seats` are those of
    the subscription; limits follow from them until Pipedrive's answers say others. `burst` is requests in two seconds,
    `daily_tokens` the company's tokens of a day. `history_days` is how far back a first pull reads deals' moves:
    a deal that has not moved since comes with what the deal itself tells of its last moves.
    """

    token: Secret | None = None  # the personal API token of a user who may see and edit all deals
    oauth: OAuthSettings | None = None
    oauth_url: Address | None = None  # of the token endpoint
    api_version: Literal["v2"] = "v2"  # with v1 for what only v1 has
    company: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")] | None = None
    key_field: str | None = "crmbridge key"
    plan: Literal["lite", "growth", "premium", "ultimate"] = "lite"
    seats: Annotated[int, Field(ge=1, le=100_000)] = 1
    burst: Annotated[int, Field(ge=2, le=1000)] | None = None
    daily_tokens: Annotated[int, Field(ge=100)] | None = None
    history_days: Annotated[int, Field(ge=0, le=36_500)] = 365
    task_type: Annotated[str, Field(min_length=1)] = "task"  # the key of the activity type that tasks are made with
    v1_root: Literal["api/v1", "v1"] | None = None  # where v1 is served; follows from the host when not said

    @model_validator(mode="after")
    def _has_one_way_in(self) -> Self:
        if (self.token is None) == (self.oauth is None):
            raise ValueError("give exactly one of token and oauth")
        if self.oauth is None and self.company is None and self.base_url is None:
            raise ValueError("give company: the name before .pipedrive.com where you sign in")
        return self

    @property
    def host_url(self) -> str:
        """Give the scheme and host that requests go to, unless the sign-in says another."""
        return self.base_url or (f"https://{self.company}.pipedrive.com" if self.company else f"https://{SHARED_HOST}")

    @property
    def token_url(self) -> str:
        """Give the OAuth token endpoint: Pipedrive's own, unless another is named or all is on this machine."""
        usual = (
            f"{self.base_url.rstrip('/')}/oauth/token" if self.base_url and is_loopback(self.base_url) else OAUTH_URL
        )
        return self.oauth_url or usual

    def v1_path(self, host_url: str) -> str:
        """Give the path under which a host serves v1; the shared one knows several resources only without /api."""
        return self.v1_root or ("v1" if urlsplit(host_url).hostname == SHARED_HOST else "api/v1")

    @property
    def requests_in_2s(self) -> int:
        """Give how many requests may be sent in two seconds."""
        plan = PLANS[self.plan]
        return self.burst or (plan.by_oauth if self.oauth else plan.by_token)

    @property
    def tokens_a_day(self) -> int:
        """Give the company's tokens of a day, as far as the settings tell."""
        return self.daily_tokens or TOKENS_A_SEAT * PLANS[self.plan].factor * self.seats


class PipedriveWebhook(SettingsPart):
    """How deliveries are checked: the user and password of HTTP Basic that the webhook was made with.

    Pipedrive signs nothing else. It sends a delivery again for about three minutes; one whose event is older than
    `max_age_minutes` is not taken.
    """

    user: Secret
    password: Secret
    max_age_minutes: Annotated[int, Field(ge=5, le=1440)] = 15
