"""What a Salesforce connection can say in the settings file."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from crmbridge.settings import AdapterSettings, Secret


class SalesforceSettings(AdapterSettings):
    """One Salesforce org: where it is, how to sign in, and how much of its allowance may be used.

    `token` is an access token; `instance_url` is the address that came with it, the org's My Domain.
    """

    token: Secret
    instance_url: Annotated[str, Field(pattern=r"^https://[^\s/]+/?$")] | None = None
    api_version: Annotated[str, Field(pattern=r"^\d{2,3}\.0$")] = "67.0"
    key_field: str | None = "CrmBridge_Key__c"
    lost_reason_field: str = "Loss_Reason__c"  # read and written where the org has it; there is no standard one
    overlap: Annotated[int, Field(ge=0, le=86_400)] = 600  # seconds re-read for rows that were committed late
    page_size: Annotated[int, Field(ge=1, le=2000)] = 400  # rows per page; a page's details fit in one query each
    api_share: Annotated[float, Field(gt=0, le=1)] = 0.9  # of the org's daily requests; beyond it nothing is sent
    timeout: Annotated[float, Field(gt=0, le=600)] = 120.0  # describing an object with many fields takes long

    @model_validator(mode="after")
    def _has_an_address(self) -> Self:
        if self.base_url is None and self.instance_url is None:
            raise ValueError("give instance_url, such as https://acme.my.salesforce.com")
        return self

    @property
    def address(self) -> str:
        """Where requests go: base_url where it is given, else the org."""
        return (self.base_url or self.instance_url or "").rstrip("/")

    @property
    def key_name(self) -> str:
        """The API name of the external id field."""
        return self.key_field or "CrmBridge_Key__c"
