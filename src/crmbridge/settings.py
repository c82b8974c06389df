"""The settings file (crmbridge.yaml) as frozen models, read once at the edge."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, IPvAnyNetwork, model_validator

from crmbridge.loopback import fit_for_a_credential
from crmbridge.model.business_time import DurationField
from crmbridge.model.checks import Check
from crmbridge.model.findings import Severity
from crmbridge.model.parts import FieldName, Id


class SettingsPart(BaseModel):
    """Base of everything in the settings file: frozen, and unknown keys are errors."""

    # What reads a model is built when it is first used: those of adapters that no connection names are not needed.
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, defer_build=True)


class Secret(SettingsPart):
    """Where a secret is kept; the secret itself never stands in a file that crmbridge reads as settings.

    Exactly one of: the name of an environment variable, a file's path, a command that prints it, or a
    `service/name` in the system keyring.
    """

    env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None  # most secrets don't fit, if put here
    file: str | None = None
    command: str | None = None
    keyring: str | None = None

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if sum(source is not None for source in (self.env, self.file, self.command, self.keyring)) != 1:
            raise ValueError("give exactly one of env, file, command, keyring")
        return self


Address = Annotated[str, Field(pattern=r"^https?://[^\s/]+"), AfterValidator(fit_for_a_credential)]


class AdapterSettings(SettingsPart):
    """What every connection can say. An adapter's own settings model inherits from this and adds its own."""

    base_url: Address | None = None  # stands in for the vendor's host; plain http:// only on this machine
    # For amounts that the CRM keeps without one; the account's own when not said.
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None
    key_field: str | None = None  # the CRM's own field for the external key; the adapter's usual name when not said
    timeout: Annotated[float, Field(gt=0, le=600)] = 30.0  # seconds to wait for one reply
    share: Annotated[float, Field(gt=0, le=1)] = 0.8  # of the CRM's short rate limits; the rest is left to other apps
    day_share: Annotated[float, Field(gt=0, le=1)] = 0.8  # the same, of its daily ones


class Connection(BaseModel):
    """One account of one CRM. Beside these, it has the settings of its adapter (`crmbridge plugins`)."""

    model_config = ConfigDict(frozen=True, extra="allow", defer_build=True)

    adapter: Id
    fields: dict[FieldName, str] = Field(default_factory=dict)  # process field -> the CRM's own field
    # What is pulled; users, companies, contacts, deals, and what else the process speaks of, when not said.
    kinds: tuple[Literal["user", "company", "contact", "deal", "activity", "note", "file"], ...] | None = None
    # A run reads users, companies and contacts again when so many minutes have gone by, or a deal names an unknown one.
    around_every: Annotated[int, Field(ge=0, le=1_440)] = 60
    webhook: dict[str, Any] | None = None  # how the CRM's webhooks are checked; the adapter says what it takes

    @property
    def options(self) -> dict[str, Any]:
        """Give what is left for the adapter's settings model."""
        return dict(self.model_extra or {})


def _as_ids(value: Any) -> Any:
    """Take one id or several, written as text or as a number."""
    items = value if isinstance(value, list) else [value]
    return [str(item) if isinstance(item, int) and not isinstance(item, bool) else item for item in items]


NativeIds = Annotated[
    tuple[str, ...],
    BeforeValidator(_as_ids, json_schema_input_type=str | int | list[str | int]),
    Field(min_length=1),
]


class StageMap(SettingsPart):
    """Which stages of a CRM's pipeline stand for which stages of the process.

    The keys are stage ids of the process, and `won` and `lost`; several native stages can stand for one, the first
    is the one that is written.
    """

    pipeline: Annotated[str, BeforeValidator(lambda v: str(v) if type(v) is int else v, str | int)]
    map: dict[str, NativeIds]


class FieldSync(SettingsPart):
    """How one field is kept in step: what happens when two sides changed it to different values.

    `only_if_empty` fills in what is empty and writes over nothing. `direction` is `both`, or `from: CONNECTION`: then
    that one alone speaks, and what others change in this field is theirs.
    """

    conflict: Annotated[str, Field(pattern=r"^(newest|ask|only_if_empty|prefer: *[a-z][a-z0-9_]*)$")] = "ask"
    direction: Annotated[str, Field(pattern=r"^(both|from: *[a-z][a-z0-9_]*)$")] = "both"
    sync: bool = True

    @property
    def preferred(self) -> str | None:
        """Name the connection that wins, where one does."""
        return self.conflict.removeprefix("prefer:").strip() if self.conflict.startswith("prefer") else None

    @property
    def source(self) -> str | None:
        """Name the connection that alone speaks, where the field goes one way."""
        return self.direction.removeprefix("from:").strip() if self.direction.startswith("from") else None


MatchRules = tuple[str | tuple[str, ...], ...]
MatchedKind = Literal["deal", "company", "contact"]
USUAL_MATCH: dict[MatchedKind, MatchRules] = {
    "deal": ("external_key", ("name", "company.domain")),
    "company": ("domain",),
    "contact": ("email",),
}


class Cap(SettingsPart):
    """The most records that one plan may delete, or empty a field of, in a connection: the larger of the two."""

    records: Annotated[int, Field(ge=0)] = 20
    percent: Annotated[float, Field(ge=0, le=100)] = 5.0  # of the links between the connections


class Sync(SettingsPart):
    """Which connections hold the same deals."""

    name: Id
    between: Annotated[tuple[Id, ...], Field(min_length=2)]
    match: dict[MatchedKind, MatchRules] = Field(default_factory=dict)
    fields: dict[str, FieldSync] = Field(default_factory=lambda: {"*": FieldSync()})
    create: tuple[Id, ...] = ()  # where a missing counterpart may be created
    # A deal's company and contacts: `match` those on both sides, `create` the missing where deals are, or `off`.
    companies: Literal["match", "create", "off"] = "match"
    contacts: Literal["match", "create", "off"] = "match"
    notes: Annotated[str, Field(pattern=r"^(off|from: *[a-z][a-z0-9_]*)$")] = "off"  # copied from this connection
    # When a linked deal is gone from one connection: do nothing in the others, archive it there, or end the link.
    delete: Literal["never", "archive", "unlink"] = "never"
    delete_cap: Cap = Cap()
    clear_cap: Cap = Cap()

    @property
    def notes_source(self) -> str | None:
        """Name the connection whose notes are copied to the others."""
        return self.notes.removeprefix("from:").strip() if self.notes.startswith("from") else None

    def match_rules(self, kind: MatchedKind) -> MatchRules:
        """Give the rules by which records of a kind are found to be the same, the usual ones when none are given."""
        return self.match.get(kind, USUAL_MATCH[kind])

    def policy(self, field: str) -> FieldSync:
        """Give the field's own policy, else the one for `*`, else `ask`."""
        return self.fields.get(field) or self.fields.get("*") or FieldSync()


# `owner` of the deal, `leader` of the process, `manager` or another role of `people:`, or an e-mail.
Person = Annotated[str, Field(pattern=r"^([a-z][a-z0-9_]*|[^@\s]+@[^@\s]+)$")]
Given = Annotated[str, Field(pattern=r"^\d+(d|h)$")]


class Escalation(SettingsPart):
    """What follows when a finding is still open some time after it was opened. It says an action, a severity, or both.

    Of several steps with one action that are due, the latest counts. The task of a finding is one: a step changes it.
    """

    after: DurationField  # since the finding was opened, or its waiver ended; business time in its stage's calendar
    to: Person = "owner"
    action: Literal["task", "notify", "reassign"] | None = None
    severity: Severity | None = None  # from then on
    due: Given = "1d"  # of the task, counted from when the step falls due

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.action is None and self.severity is None:
            raise ValueError("a step of an escalation needs an action, a severity, or both")
        if self.action == "reassign" and self.to == "owner":
            raise ValueError("reassign needs `to`: a role of `people`, or an e-mail")
        return self


class Binding(SettingsPart):
    """Where a rule applies and what happens when it is broken. Of several that match, the last one counts.

    `rule` is `stage.rule` (also `stage.sla`, `stage.handoff`, `move`), `*` standing for any run of characters.
    """

    rule: str
    on: tuple[Id, ...] = ()  # connections; all when empty
    stages: tuple[Id, ...] = ()  # the stage that a finding is about; all when empty
    when: Check | None = None  # only for deals for which this check passes
    action: Literal["audit", "warn", "task", "note", "notify", "field", "revert", "reassign"] = "audit"
    severity: Severity = Severity.WARNING
    due: Given = "1d"  # when a task is due, counted from the plan
    to: Person | None = None  # whom a task, notice or the deal goes to; the deal's owner when not said
    sinks: tuple[Id, ...] = ()  # where notices go: names under `notices`; all of them when empty
    field: FieldName | None = None  # for action: field
    value: str | None = None  # for action: field; {rule} and {message} are filled in
    escalate: tuple[Escalation, ...] = ()

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if (self.action == "field") != (self.field is not None):
            raise ValueError("action: field needs `field`, and only that action takes it")
        if self.action == "reassign" and self.to in {None, "owner"}:
            raise ValueError("action: reassign needs `to`: a role of `people`, or an e-mail")
        return self

    def matches(self, rule: str, connection: str) -> bool:
        """Tell whether this binding speaks of a rule in a connection, as far as that goes without the deal."""
        return (not self.on or connection in self.on) and fits(self.rule, rule)


def fits(pattern: str, rule: str) -> bool:
    """Tell whether a rule's id fits a pattern, in which `*` stands for any run of characters."""
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), rule) is not None


class Amount(SettingsPart):
    """How many findings are too many: a count of them, or a percentage of the open deals that have one."""

    count: Annotated[int, Field(ge=1)] | None = None
    percent: Annotated[float, Field(gt=0, le=100)] | None = None

    @model_validator(mode="after")
    def _has_one(self) -> Self:
        if (self.count is None) == (self.percent is None):
            raise ValueError("give either count or percent")
        return self


class Threshold(SettingsPart):
    """How many open findings make a run warn, or end with exit code 9. Waived ones don't count."""

    rule: str = "*"  # as in a binding
    severity: Severity = Severity.INFO  # at least this grave
    warn_if: Amount | None = None
    error_if: Amount | None = None

    @model_validator(mode="after")
    def _has_a_limit(self) -> Self:
        if self.warn_if is None and self.error_if is None:
            raise ValueError("give warn_if, error_if or both")
        return self


def _cron(text: str) -> str:
    from datetime import datetime  # noqa: PLC0415  only to try the expression out

    try:
        first = next(CronSim(text, datetime(2026, 1, 1)), None)  # noqa: DTZ001  the zone is given when it runs
    except CronSimError as error:
        raise ValueError(f"{text!r} is no cron expression: {error}") from error
    if first is None:
        raise ValueError(f"{text!r} never comes round")
    return text


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is no time zone; write it as Europe/Berlin") from error
    return name


CronText = Annotated[str, AfterValidator(_cron)]
ZoneName = Annotated[str, AfterValidator(_zone)]


class ScheduleEntry(SettingsPart):
    """What `crmbridge run --due` runs, and when."""

    run: Literal["cycle", "pull", "enforce", "report"]
    cron: CronText
    timezone: ZoneName = "UTC"
    report: Id | None = None  # for run: report; all reports when not said


class Report(SettingsPart):
    """A report and where it goes. A sink is one key with its settings: `{html: reports/}`, `{slack: {env: URL}}`.

    `by` is what deals are grouped by: owner, team, connection, or a field. `measures`: in this order; none named: all.
    """

    name: Id
    title: str | None = Field(default=None, min_length=1, max_length=150)  # what people read; the name when not said
    by: str | None = None
    period: Literal["month", "quarter", "year"] | None = None  # in `timezone`
    horizon: int = Field(default=90, ge=1, le=1830)  # days that the forecast looks ahead
    measures: tuple[str, ...] = ()
    sinks: tuple[dict[str, Any], ...] = ()
    language: str | None = None  # that of the settings when not said
    cron: CronText | None = None
    timezone: ZoneName = "UTC"


class PageToken(SettingsPart):
    """Somebody who may sign in to the page, and with what. `read` looks; `act` also decides, plans and applies."""

    name: Id
    token: Secret
    role: Literal["read", "act"] = "read"


class Serve(SettingsPart):
    """Who may look at the page of `crmbridge serve`, and under which names it is called."""

    tokens: tuple[PageToken, ...] = ()  # without any, one is made at the first start, for this machine only
    hosts: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]+$")], ...] = ()  # beside that of --public-url
    metrics: Literal["token", "open"] = "token"  # whether /metrics asks for a token
    # Proxies whose X-Forwarded-For is believed, as addresses or networks; none, and who calls is who is connected.
    proxies: tuple[IPvAnyNetwork, ...] = ()


CurrencyCode = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]  # ISO 4217


class DatedRate(SettingsPart):
    """From `date` on, one unit of `currency` is `rate` units of the currency that reports are in."""

    date: date
    currency: CurrencyCode
    rate: Annotated[Decimal, Field(gt=0, lt=10**12)]


class Currency(SettingsPart):
    """Which currency money is reported in, and what others are worth in it: a CSV file, or the rates themselves."""

    report_in: CurrencyCode
    rates: str | tuple[DatedRate, ...] = ()


Emails = str | tuple[str, ...]
TeamName = Annotated[str, Field(min_length=1, max_length=80)]  # as reports show it


class Settings(SettingsPart):
    """The whole settings file."""

    version: Literal[1]
    process: str
    store: Annotated[str, Field(pattern=r"^(sqlite:///.|postgres.*://)")] = "sqlite:///.crmbridge/state.db"
    connections: dict[Id, Connection] = Field(default_factory=dict)
    stages: dict[Id, StageMap] = Field(default_factory=dict)
    sync: tuple[Sync, ...] = ()
    enforce: tuple[Binding, ...] = ()
    # Who stands for a role: one e-mail, or several, of which the first is who is told; by connection where they differ.
    people: dict[Id, Emails | dict[Id, Emails]] = Field(default_factory=dict)
    # Who is in which team, by e-mail address: what reports group by as `team`.
    teams: dict[TeamName, tuple[str, ...]] = Field(default_factory=dict)
    notices: dict[Id, dict[str, Any]] = Field(default_factory=dict)  # sinks for notices, by a name
    thresholds: tuple[Threshold, ...] = ()
    schedule: tuple[ScheduleEntry, ...] = ()
    reports: tuple[Report, ...] = ()
    language: Literal["en", "pt", "zh"] = "en"  # of what is told about findings, and of reports that say no other
    serve: Serve = Field(default_factory=Serve)
    currency: Currency | None = None  # where deals are of several; not needed while all are of one

    @property
    def conditions(self) -> tuple[Check, ...]:
        """Give the checks under which something is done about findings."""
        return tuple(binding.when for binding in self.enforce if binding.when is not None)

    def binding(self, rule: str, connection: str) -> Binding | None:
        """Give the binding that counts for a rule in a connection, among those that are for all deals and stages."""
        every = (b for b in reversed(self.enforce) if b.when is None and not b.stages)
        return next((b for b in every if b.matches(rule, connection)), None)

    def emails(self, role: str, connection: str) -> tuple[str, ...]:
        """Give the e-mails of those who stand for a role in a connection, the one who is told first."""
        found = self.people.get(role, ())
        if isinstance(found, dict):
            found = found.get(connection, ())
        return (found,) if isinstance(found, str) else found
