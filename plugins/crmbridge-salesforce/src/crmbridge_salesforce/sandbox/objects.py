"""The objects of the sandbox's org: their columns, stages and process fields."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple

from msgspec import Struct

from crmbridge.model.replacing import replace


class Column(Struct, frozen=True, kw_only=True):
    """A column of an object. `write` is c, u or cu: whether a create and an update may set it."""

    name: str
    type: str
    label: str = ""
    length: int = 0
    scale: int = 0
    write: str = ""
    required: bool = False  # on create
    default: Any = None
    filterable: bool = True
    refers: str = ""  # the object that a reference points to
    relation: str = ""  # what the parent is called in queries
    values: tuple[str, ...] = ()
    restricted: bool = False
    external_id: bool = False
    unique: bool = False

    @property
    def custom(self) -> bool:
        """Tell whether the org's people added it."""
        return self.name.endswith("__c")


class Object(Struct, frozen=True, kw_only=True, dict=True):
    """An object of the org."""

    name: str
    prefix: str
    columns: Mapping[str, Column]
    writable: bool = True

    @cached_property
    def empty(self) -> dict[str, Any]:
        """A row with nothing in it but what the columns have of themselves; not to be changed."""
        return {column.name: column.default for column in self.columns.values()}

    @cached_property
    def _by_name(self) -> dict[str, Column]:
        return {name.lower(): column for name, column in self.columns.items()}

    def column(self, name: str) -> Column | None:
        """Find a column; case does not matter."""
        return self._by_name.get(name.lower())

    def parent(self, relation: str) -> Column | None:
        """Find the reference that a relation stands for."""
        wanted = relation.lower()
        return next((column for column in self.columns.values() if column.relation.lower() == wanted), None)


class Stage(NamedTuple):
    """A stage of the org's one sales process."""

    name: str
    probability: int
    forecast: str
    closed: bool = False
    won: bool = False
    active: bool = True


STAGES = (
    Stage("Prospecting", 10, "Pipeline"),
    Stage("Qualification", 20, "Pipeline"),
    Stage("Needs Analysis", 35, "Pipeline"),
    Stage("Perception Analysis", 45, "Pipeline", active=False),  # given up, and still on old deals in real orgs
    Stage("Proposal/Price Quote", 55, "BestCase"),
    Stage("Negotiation/Review", 75, "BestCase"),
    Stage("Contracting", 90, "Forecast"),
    Stage("Closed Won", 100, "Closed", closed=True, won=True),
    Stage("Closed Lost", 0, "Omitted", closed=True),
)
FORECAST_NAMES = {
    "Pipeline": "Pipeline",
    "BestCase": "Best Case",
    "Forecast": "Commit",
    "Closed": "Closed",
    "Omitted": "Omitted",
}
TASK_STATUSES = (("Not Started", False), ("In Progress", False), ("Completed", True), ("Deferred", False))
SOURCES = ("inbound", "outbound", "event", "referral", "Web", "Partner Referral")
LOST_REASONS = ("No budget", "Chose a competitor", "No decision", "Bad timing")
CURRENCIES = ("EUR", "USD", "GBP")
KEY_FIELD = "CrmBridge_Key__c"
FIGURE_FIELD = "CrmBridge_Figure__c"  # on accounts and users, for a report's figures


def _text(name: str, length: int = 255, write: str = "cu", **more: Any) -> Column:
    return Column(name=name, type=more.pop("type", "string"), length=length, write=write, **more)


def _refers(name: str, to: str, write: str = "cu", **more: Any) -> Column:
    relation = more.pop("relation", name.removesuffix("Id"))
    return Column(name=name, type="reference", length=18, write=write, refers=to, relation=relation, **more)


def _flag(name: str, write: str = "", **more: Any) -> Column:
    return Column(name=name, type="boolean", write=write, default=False, **more)


def _plain(name: str, kind: str, write: str = "", **more: Any) -> Column:
    return Column(name=name, type=kind, write=write, **more)


def _choice(name: str, values: tuple[str, ...], write: str = "cu", **more: Any) -> Column:
    return Column(name=name, type="picklist", length=255, write=write, values=values, **more)


_SYSTEM = (
    _plain("Id", "id"),
    _flag("IsDeleted"),
    _plain("CreatedDate", "datetime"),
    _refers("CreatedById", "User", "", relation="CreatedBy"),
    _plain("LastModifiedDate", "datetime"),
    _refers("LastModifiedById", "User", "", relation="LastModifiedBy"),
    _plain("SystemModstamp", "datetime"),
)
_NOT_IN_HISTORY = frozenset({"LastModifiedDate", "LastModifiedById", "SystemModstamp"})
_YES_NO = ("icp_match__c", "bant_budget__c", "bant_authority__c", "bant_need__c", "bant_timeline__c", "scope_agreed__c")
_LONG = ("pains__c", "technical_requirements__c", "objections__c")
_SHORT = (
    "decision_maker__c",
    "handoff_accepted_by__c",
    "discount_approved_by__c",
    "support_channel__c",
    "customer_owner__c",
)
_LINKS = ("proposal_link__c", "contract_link__c")
_DAYS = ("presented_on__c", "delivery_date__c")
# Questions with a yes or no are picklists: a checkbox could not say that nobody has answered yet.
_PROCESS = (
    *(_choice(name, ("Yes", "No"), restricted=True) for name in _YES_NO),
    *(_text(name, 32_000, type="textarea", filterable=False) for name in _LONG),
    *(_text(name) for name in _SHORT),
    *(_text(name, type="url") for name in _LINKS),
    *(_plain(name, "date", "cu") for name in _DAYS),
    _plain("discount__c", "percent", "cu", scale=2),
    _choice("Loss_Reason__c", LOST_REASONS),
    _flag("Review_Needed__c", "cu"),
    _text(KEY_FIELD, external_id=True, unique=True),
)
_OPPORTUNITY = (
    _text("Name", 120, required=True),
    _refers("AccountId", "Account"),
    _text("Description", 32_000, type="textarea", filterable=False),
    _choice("StageName", tuple(stage.name for stage in STAGES if stage.active), required=True),
    _plain("Amount", "currency", "cu", scale=2),
    _plain("Probability", "percent", "cu"),
    _plain("ExpectedRevenue", "currency", scale=2),
    _plain("CloseDate", "date", "cu", required=True),
    _text("NextStep"),
    _choice("LeadSource", SOURCES),
    _flag("IsClosed"),
    _flag("IsWon"),
    _choice("ForecastCategory", tuple(FORECAST_NAMES), "", restricted=True),
    _choice("ForecastCategoryName", tuple(FORECAST_NAMES.values()), restricted=True),
    _refers("OwnerId", "User"),
    _refers("ContactId", "Contact", "c", relation=""),
    _plain("LastActivityDate", "date"),
    _plain("LastStageChangeDate", "datetime"),
    _flag("HasOpenActivity", filterable=False),
    _flag("HasOpportunityLineItem"),
    *_PROCESS,
)
_HISTORY = (
    _refers("OpportunityId", "Opportunity", ""),
    _choice("StageName", (), ""),
    _plain("Amount", "currency", scale=2),
    _plain("ExpectedRevenue", "currency", scale=2),
    _plain("CloseDate", "date"),
    _plain("Probability", "percent"),
    _choice("ForecastCategory", tuple(FORECAST_NAMES), ""),
)
_TASK = (
    _text("Subject"),
    _refers("WhatId", "Account,Opportunity", relation="What"),
    _refers("WhoId", "Contact", relation="Who"),
    _refers("AccountId", "Account", ""),
    _refers("OwnerId", "User"),
    _plain("ActivityDate", "date", "cu"),
    _choice("Status", tuple(name for name, _ in TASK_STATUSES), default="Not Started"),
    _choice("Priority", ("High", "Normal", "Low"), default="Normal"),
    _choice("Type", ("Call", "Email", "Meeting", "Other")),
    _choice("TaskSubtype", ("Task", "Email", "Call"), "c", default="Task"),
    _text("Description", 32_000, type="textarea", filterable=False),
    _flag("IsClosed"),
    _plain("CompletedDateTime", "datetime"),
)
_EVENT = (
    _text("Subject"),
    _refers("WhatId", "Account,Opportunity", relation="What"),
    _refers("WhoId", "Contact", relation="Who"),
    _refers("AccountId", "Account", ""),
    _refers("OwnerId", "User"),
    _plain("StartDateTime", "datetime", "cu", required=True),
    _plain("EndDateTime", "datetime", "cu"),
    _plain("DurationInMinutes", "int", "cu"),
    _plain("ActivityDate", "date"),
    _plain("ActivityDateTime", "datetime"),
    _flag("IsAllDayEvent", "cu"),
    _choice("EventSubtype", ("Event",), "c", default="Event"),
    _text("Location"),
    _text("Description", 32_000, type="textarea", filterable=False),
)
_NOTE = (
    _refers("ParentId", "Account,Contact,Opportunity", "c", required=True),
    _text("Title", 80, required=True),
    _flag("IsPrivate", "cu"),
    _text("Body", 32_000, type="textarea", filterable=False),
    _refers("OwnerId", "User"),
)
_CONTENT_NOTE = (
    _text("Title", required=True),
    _plain("Content", "base64", "cu", filterable=False),
    _text("TextPreview", write=""),
    _refers("OwnerId", "User"),
)
_ATTACHMENT = (
    _refers("ParentId", "Account,Contact,Opportunity", "c", required=True),
    _text("Name", required=True),
    _text("ContentType", 120, "cu"),
    _plain("BodyLength", "int"),
    _plain("Body", "base64", "cu", filterable=False),
    _refers("OwnerId", "User"),
)
_NOT_OF_TIES = frozenset({"CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById"})
_DOCUMENT = (
    _text("Title", write="u"),
    _text("FileType", 20, ""),
    _text("FileExtension", 40, ""),
    _plain("ContentSize", "int"),
    _refers("OwnerId", "User", "u"),
)
_DOCUMENT_LINK = (
    _refers("LinkedEntityId", "Account,Contact,Opportunity,User", "c", required=True),
    _refers("ContentDocumentId", "ContentDocument", "c", required=True),
    _choice("ShareType", ("V", "C", "I"), default="V", restricted=True),
    _choice("Visibility", ("AllUsers", "InternalUsers", "SharedUsers"), default="AllUsers", restricted=True),
)
_FIELD_HISTORY = (
    _refers("OpportunityId", "Opportunity", ""),
    _text("Field", write=""),
    _text("DataType", write=""),
    _plain("OldValue", "anyType", filterable=False),
    _plain("NewValue", "anyType", filterable=False),
)
_ORGANIZATION = (
    _text("Name", 80, ""),
    _text("OrganizationType", 40, ""),
    _text("TimeZoneSidKey", 40, ""),
    _flag("IsSandbox"),
)
_PERSON = (
    _text("FirstName", 40),
    _text("LastName", 80, required=True),
    _text("Name", 121, ""),
    _text("Email", 80, type="email"),
    _text("Title", 128),
    _refers("AccountId", "Account"),
    _refers("MasterRecordId", "Contact", "", relation="MasterRecord"),
)
_ACCOUNT = (
    _text("Name", required=True),
    _text("Website", type="url"),
    _plain("BillingAddress", "address", filterable=False),  # a compound of columns: Bulk queries can't have it
    _refers("OwnerId", "User"),
    _refers("MasterRecordId", "Account", "", relation="MasterRecord"),
    _plain(FIGURE_FIELD, "double", "cu", scale=6),
)
_INDICATOR = (
    _text("Name", 80, ""),
    _text("Key__c", external_id=True, unique=True),
    *(_text(name) for name in ("Report__c", "Indicator__c", "Label__c", "Period__c", "Unit__c", "Target__c")),
    _plain("Value__c", "double", "cu", scale=6),
    _plain("As_Of__c", "datetime", "cu"),
)
_STAGE = (
    _text("ApiName", write=""),
    _text("MasterLabel", write=""),
    _flag("IsActive"),
    _plain("SortOrder", "int"),
    _flag("IsClosed"),
    _flag("IsWon"),
    _plain("DefaultProbability", "percent"),
    _choice("ForecastCategory", tuple(FORECAST_NAMES), ""),
    _choice("ForecastCategoryName", tuple(FORECAST_NAMES.values()), ""),
)
_STATUS = (_text("ApiName", write=""), _text("MasterLabel", write=""), _flag("IsClosed"), _plain("SortOrder", "int"))
_USER = (
    _text("Name", 121, ""),
    _text("Email", 128, "cu", type="email"),
    _text("Username", 80),
    _flag("IsActive", "cu"),
    _plain(FIGURE_FIELD, "double", "cu", scale=6),
)
_FIELD_DEFINITION = (
    _text("EntityDefinitionId", write=""),
    _text("QualifiedApiName", write=""),
    _flag("IsFieldHistoryTracked"),
)
_ROLE = (
    _refers("OpportunityId", "Opportunity", "c", required=True),
    _refers("ContactId", "Contact", "c", required=True),
    _text("Role", 40),
    _flag("IsPrimary", "cu"),
)


def _object(
    name: str, prefix: str, columns: tuple[Column, ...], *, writable: bool = True, without: frozenset[str] = frozenset()
) -> Object:
    system = tuple(column for column in _SYSTEM if column.name not in without)
    labelled = (replace(column, label=column.label or _label(column.name)) for column in (*system, *columns))
    return Object(name=name, prefix=prefix, columns={column.name: column for column in labelled}, writable=writable)


def _label(name: str) -> str:
    words = name.removesuffix("__c").replace("_", " ")
    return words[:1].upper() + words[1:]


def make_objects(*, multi_currency: bool) -> Mapping[str, Object]:
    """Give the org's objects. Only an org with several currencies has CurrencyIsoCode, and then on its deals."""
    money = (_choice("CurrencyIsoCode", CURRENCIES, default=CURRENCIES[0], restricted=True),) if multi_currency else ()
    found = (
        _object("Account", "001", _ACCOUNT),
        _object("Contact", "003", _PERSON),
        _object("ContentDocument", "069", _DOCUMENT),
        _object("Attachment", "00P", _ATTACHMENT),
        _object("ContentDocumentLink", "06A", _DOCUMENT_LINK, without=_NOT_OF_TIES),
        _object("ContentNote", "069", _CONTENT_NOTE),
        _object("CrmBridge_Indicator__c", "a01", _INDICATOR),
        _object("Event", "00U", _EVENT),
        _object("FieldDefinition", "000", _FIELD_DEFINITION, writable=False, without=_NOT_IN_HISTORY),
        _object("Note", "002", _NOTE),
        _object("Opportunity", "006", (*_OPPORTUNITY, *money)),
        _object("OpportunityContactRole", "00K", _ROLE),
        _object("OpportunityFieldHistory", "017", _FIELD_HISTORY, writable=False, without=_NOT_IN_HISTORY),
        _object("OpportunityHistory", "008", _HISTORY, writable=False),
        _object("OpportunityStage", "01J", _STAGE, writable=False),
        _object("Organization", "00D", _ORGANIZATION, writable=False),
        _object("Task", "00T", _TASK),
        _object("TaskStatus", "01T", _STATUS, writable=False),
        _object("User", "005", _USER, without=frozenset({"IsDeleted"})),
    )
    return MappingProxyType({one.name: one for one in found})
