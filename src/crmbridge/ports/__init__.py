"""What the engine needs from outside: a CRM, a state store, a clock, a place for reports. All synchronous."""

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
from crmbridge.ports.guards import GuardRequest, Guards, LeftOut, rule_name
from crmbridge.ports.rates import Rate, RateLedger
from crmbridge.ports.sinks import Document, Sink
from crmbridge.ports.state import (
    FindingStore,
    HintStore,
    Journal,
    LinkStore,
    RecordStore,
    Run,
    RunStore,
    StateStore,
    StoredFinding,
)
from crmbridge.ports.webhooks import Hints, WebhookRequest, WebhookSpec

__all__ = [
    "Adapter",
    "AdapterContext",
    "Capabilities",
    "Clock",
    "Credential",
    "Description",
    "Document",
    "FieldBinding",
    "FieldWish",
    "FindingStore",
    "GuardRequest",
    "Guards",
    "HintStore",
    "Hints",
    "Journal",
    "LeftOut",
    "LinkStore",
    "NativeField",
    "NativeStage",
    "Page",
    "Pipeline",
    "Rate",
    "RateLedger",
    "RecordStore",
    "Run",
    "RunStore",
    "Sink",
    "StateStore",
    "StoredFinding",
    "WebhookRequest",
    "WebhookSpec",
    "rule_name",
]
