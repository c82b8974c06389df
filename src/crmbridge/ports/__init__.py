"""What the engine needs from outside: a CRM, a state store, a clock, a place for reports. All synchronous."""

from crmbridge.model.records import Signature
from crmbridge.ports.ahead import AsksAhead, asks_ahead
from crmbridge.ports.bound import BoundTo, TellsBound, tells_bound
from crmbridge.ports.clock import Clock
from crmbridge.ports.crm import (
    Adapter,
    AdapterContext,
    Capabilities,
    Credential,
    Description,
    FieldBinding,
    FieldWish,
    NativeField,
    NativeStage,
    Page,
    Pipeline,
)
from crmbridge.ports.field_history import TellsFieldHistory, tells_field_history
from crmbridge.ports.findings import FindingQuery, FindingStore, State, StoredFinding, WaiverStore
from crmbridge.ports.guards import GuardRequest, Guards, LeftOut, rule_name
from crmbridge.ports.listing import NamesAll, names_all
from crmbridge.ports.rates import Rate, RateLedger
from crmbridge.ports.runs import Run, RunStore
from crmbridge.ports.sinks import Document, Sink
from crmbridge.ports.state import (
    Backlog,
    CourseStore,
    HintStore,
    Journal,
    Linked,
    LinkStore,
    MatchIndex,
    RecordStore,
    StateStore,
    Waiting,
    WaitingStore,
)
from crmbridge.ports.webhooks import Hints, WebhookRequest, WebhookSpec

__all__ = [
    "Adapter",
    "AdapterContext",
    "AsksAhead",
    "Backlog",
    "BoundTo",
    "Capabilities",
    "Clock",
    "CourseStore",
    "Credential",
    "Description",
    "Document",
    "FieldBinding",
    "FieldWish",
    "FindingQuery",
    "FindingStore",
    "GuardRequest",
    "Guards",
    "HintStore",
    "Hints",
    "Journal",
    "LeftOut",
    "LinkStore",
    "Linked",
    "MatchIndex",
    "NamesAll",
    "NativeField",
    "NativeStage",
    "Page",
    "Pipeline",
    "Rate",
    "RateLedger",
    "RecordStore",
    "Run",
    "RunStore",
    "Signature",
    "Sink",
    "State",
    "StateStore",
    "StoredFinding",
    "TellsBound",
    "TellsFieldHistory",
    "Waiting",
    "WaitingStore",
    "WaiverStore",
    "WebhookRequest",
    "WebhookSpec",
    "asks_ahead",
    "names_all",
    "rule_name",
    "tells_bound",
    "tells_field_history",
]
