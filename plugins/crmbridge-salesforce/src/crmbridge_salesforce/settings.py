"""What a Salesforce connection can say in the settings file."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from crmbridge.settings import AdapterSettings, Secret, SettingsPart
from crmbridge_salesforce.versions import DEFAULT_VERSION

LOGIN, TEST = "https://login.salesforce.com", "https://test.salesforce.com"


class ClientCredentials(SettingsPart):
    """The OAuth 2.0 client credentials flow of an External Client App; it runs as the user that the app names."""

    client_id: Annotated[str, Field(min_length=1)]
    client_secret: Secret


class JwtBearer(SettingsPart):
    """The OAuth 2.0 JWT bearer flow: an assertion signed with the app's private key, for one user."""

    client_id: Annotated[str, Field(min_length=1)]
    username: Annotated[str, Field(min_length=1)]
    key: Secret  # the private key, PEM
    audience: str | None = None  # who the assertion is for; the login or test host when not said


class SalesforceSettings(AdapterSettings):
    """One Salesforce org: where it is, how to sign in, and how it is read.

    Exactly one way to sign in: `token` (an access token, with the `instance_url` that came with it),
    `client_credentials` or `jwt`. The org is named by `domain` (its My Domain: acme, acme--uat for a sandbox) or by
    `instance_url`, the whole address.
    """

    token: Secret | None = None
    client_credentials: ClientCredentials | None = None
    jwt: JwtBearer | None = None
    domain: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]*(\.[A-Za-z0-9-]+)*$")] | None = None
    instance_url: Annotated[str, Field(pattern=r"^https://[^\s/]+/?$")] | None = None
    api_version: Annotated[str, Field(pattern=r"^\d{2,3}\.0$")] = DEFAULT_VERSION
    key_field: str | None = "CrmBridge_Key__c"
    lost_reason_field: str = "Loss_Reason__c"  # read and written where the org has it; there is no standard one
    overlap: Annotated[int, Field(ge=0, le=86_400)] = 600  # seconds re-read for rows that were committed late
    page_size: Annotated[int, Field(ge=1, le=2000)] = 2000  # rows per page; the org gives no more at a time
    bulk_above: Annotated[int, Field(ge=0)] = 2000  # rows; more are read by Bulk API 2.0
    timeout: Annotated[float, Field(gt=0, le=600)] = 120.0  # describing an object with many fields takes long

    @model_validator(mode="before")
    @classmethod
    def _takes_the_old_name(cls, data: Any) -> Any:
        if isinstance(data, dict) and "api_share" in data:  # what day_share was called in the first version
            data = dict(data)
            data.setdefault("day_share", data.pop("api_share"))
        return data

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if sum(way is not None for way in (self.token, self.client_credentials, self.jwt)) != 1:
            raise ValueError("give exactly one of token, client_credentials, jwt")
        if self.base_url is None and self.instance_url is None and self.domain is None:
            raise ValueError("give domain, such as acme, or instance_url, such as https://acme.my.salesforce.com")
        if self.domain is not None and self.instance_url is not None:
            raise ValueError("give domain or instance_url, not both")
        return self

    @property
    def org(self) -> str:
        """The org's own address; empty when only base_url is given."""
        if self.domain is None:
            return (self.instance_url or "").rstrip("/")
        # A sandbox's My Domain is NAME--SANDBOX, and lies below `sandbox`.
        middle = ".sandbox" if "--" in self.domain and "." not in self.domain else ""
        return f"https://{self.domain.lower()}{middle}.my.salesforce.com"

    @property
    def address(self) -> str:
        """Where requests go until a sign-in says otherwise: base_url where it is given, else the org."""
        return (self.base_url or self.org).rstrip("/")

    @property
    def audience(self) -> str:
        """Who a JWT assertion is for: the host that production orgs, or sandboxes, sign in at."""
        said = self.jwt.audience if self.jwt is not None else None
        return said or (TEST if ".sandbox." in self.org or "--" in self.org else LOGIN)

    @property
    def key_name(self) -> str:
        """The API name of the external id field."""
        return self.key_field or "CrmBridge_Key__c"
