"""What a Pipedrive connection can say in the settings file."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from crmbridge.settings import AdapterSettings, Secret

SHARED_HOST = "api.pipedrive.com"


class PipedriveSettings(AdapterSettings):
    """A Pipedrive account.

    `company` is the company domain: `acme` where people sign in at acme.pipedrive.com. `base_url` stands in for the
    host that follows from it. `key_field` is the name, or the 40-character code, of a custom text field on deals.
    `burst` is how many requests the account's plan allows in two seconds (20 on the smallest one); crmbridge leaves a
    fifth of it to others.
    """

    token: Secret  # the personal API token of a user who may see and edit all deals
    company: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")] | None = None
    key_field: str | None = "crmbridge key"
    burst: Annotated[int, Field(ge=2, le=1000)] = 20
    task_type: Annotated[str, Field(min_length=1)] = "task"  # the key of the activity type that tasks are made with
    v1_root: Literal["api/v1", "v1"] | None = None  # where v1 is served; follows from the host when not said

    @model_validator(mode="after")
    def _has_a_host(self) -> Self:
        if self.company is None and self.base_url is None:
            raise ValueError("give company: the name before .pipedrive.com where you sign in")
        return self

    @property
    def host_url(self) -> str:
        """Give the scheme and host that requests go to."""
        return self.base_url or f"https://{self.company}.pipedrive.com"

    @property
    def v1_path(self) -> str:
        """Give the path under which v1 is served; the shared host knows several of its resources only without /api."""
        shared = self.host_url.rstrip("/").endswith(f"//{SHARED_HOST}")
        return self.v1_root or ("v1" if shared else "api/v1")
