"""What the settings say about a sink, as frozen models. Where a secret is kept, never the secret itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import formataddr, getaddresses
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, ValidationError, model_validator

from crmbridge.loopback import is_loopback
from crmbridge.model.records import Kind
from crmbridge.settings import Secret, SettingsPart

# RFC 5321 and 5322 without quoting, comments and other alphabets, which few servers take.
_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
PORTS = {"starttls": 587, "implicit": 465, "none": 25}


def _mailbox(text: str) -> str:
    """Take `ann@acme.example` or `Ann Lee <ann@acme.example>`; nothing in it may begin another header."""
    found = getaddresses([text])
    name, address = found[0] if len(found) == 1 else ("", "")
    if not text.isprintable() or not _ADDRESS.fullmatch(address) or ".." in address:
        raise ValueError("is no e-mail address; write ann@acme.example or Ann Lee <ann@acme.example>")
    return formataddr((name, address)) if name.isascii() else f"{name} <{address}>"


def _host(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[?[0-9A-Fa-f:]+\]?", text):
        raise ValueError("is no name of a server, such as smtp.acme.example")
    return text


def _several(value: object) -> object:
    return [value] if isinstance(value, str) else value


Mailbox = Annotated[str, AfterValidator(_mailbox)]
Mailboxes = Annotated[tuple[Mailbox, ...], BeforeValidator(_several), Field(min_length=1, max_length=50)]


class EmailEntry(SettingsPart):
    """A mail server, who the mail is from and who gets it.

    `tls` is `starttls` (port 587), `implicit` (465), or `none`, which is for a server on this machine only. `ca` is a
    file of certificates to trust instead of the system's, for a server of one's own.
    """

    host: Annotated[str, AfterValidator(_host)]
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    ca: str | None = None
    user: str | None = None
    password: Secret | None = None
    from_: Annotated[Mailbox, Field(alias="from")]
    to: Mailboxes
    reply_to: Mailbox | None = None
    attach: bool = True  # the whole report as an HTML file, with its charts
    timeout: Annotated[float, Field(gt=0, le=300)] = 30.0

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        if (self.user is None) != (self.password is None):
            raise ValueError("give `user` and `password` together, or neither")
        if self.tls == "none" and not is_loopback(f"smtp://{self.host}"):
            raise ValueError("`tls: none` is for a server on this machine only, as anybody could read along")
        return self

    @property
    def number(self) -> int:
        """Give the port, the usual one when none is named."""
        return self.port or PORTS[self.tls]


class WebhookEntry(SettingsPart):
    """An address that the report is posted to as signed JSON. An address that is a secret stands in a Secret."""

    url: Secret | str
    secret: Secret  # what the signature is made with; the receiver has the same
    timeout: Annotated[float, Field(gt=0, le=300)] = 20.0


class CrmEntry(SettingsPart):
    """A report's place in a CRM: a note on a company or deal, or with `fields` figures on a company or user.

    With `rows` it is rows of their own, one for each indicator and period. `fields` has the id of an indicator, or of
    a measure with a figure over all, and the CRM's own field for it.
    """

    connection: str
    company: str | int | None = None  # its domain or its id
    deal: str | int | None = None  # its id
    user: str | int | None = None  # an e-mail or an id
    rows: bool = False
    fields: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _has_one_place(self) -> Self:
        if sum(place is not None for place in (self.company, self.deal, self.user)) + self.rows != 1:
            raise ValueError("give one of company, deal, user and rows")
        if self.fields and self.rows:
            raise ValueError("`rows` has all indicators, and takes no `fields`")
        if self.fields and self.deal is not None:
            raise ValueError("figures are written to a company or a user; on a deal there is a note only")
        if self.user is not None and not self.fields:
            raise ValueError("`user` needs `fields`: a note hangs on a company or a deal")
        return self

    @property
    def kind(self) -> Kind:
        """What its figures are written to."""
        return Kind.USER if self.user is not None else Kind.COMPANY


FILES = frozenset({"html", "markdown", "json", "csv"})  # a folder or a file each
ENTRIES: Mapping[str, type[BaseModel]] = MappingProxyType(
    {"slack": Secret, "apprise": Secret, "email": EmailEntry, "webhook": WebhookEntry, "crm": CrmEntry}
)
_EXAMPLES: Mapping[str, str] = MappingProxyType(
    {
        "email": "{host: smtp.acme.example, from: reports@acme.example, to: [head@acme.example]}",
        "webhook": "{url: {env: HOOK_URL}, secret: {env: HOOK_SECRET}}",
        "crm": "{connection: hs, company: acme.example}",
    }
)
OWN_SINKS = FILES | ENTRIES.keys()
NO_NOTICES = frozenset({"crm", "csv"})  # a notice is no note in a CRM, and has no figures


def wrong_in(name: str, value: Any) -> str:
    """Say what is wrong with the settings of one of crmbridge's own sinks; nothing for what is fine, or a plugin's."""
    if name in FILES:
        return "" if isinstance(value, str) and value.strip() else "it needs a folder or a file"
    if name in {"slack", "apprise"} and not isinstance(value, Mapping):
        return "it says where its URL is kept, such as {env: SLACK_URL}, not what it is"
    if name not in ENTRIES:
        return ""
    if not isinstance(value, Mapping):
        return f"it needs settings, such as {_EXAMPLES[name]}"
    try:
        ENTRIES[name].model_validate(value)
    except ValidationError as error:
        return explained(error)
    return ""


def explained(error: ValidationError) -> str:
    """Say what does not fit a model, without the values: one of them may be a secret in the wrong place."""
    return "; ".join(
        f"{'.'.join(map(str, each['loc'])) or 'settings'}: {each['msg'].removeprefix('Value error, ')}"
        for each in error.errors(include_input=False, include_url=False, include_context=False)
    )
