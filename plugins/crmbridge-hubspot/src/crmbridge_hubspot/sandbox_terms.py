"""What the stages and fields of the bundled process are called in the sandbox account."""

from __future__ import annotations

from types import MappingProxyType

PIPELINE = "default"
STAGES = MappingProxyType(
    {
        "prospecting": "appointmentscheduled",
        "qualification": "qualifiedtobuy",
        "diagnosis": "presentationscheduled",
        "proposal": "decisionmakerboughtin",
        "negotiation": "contractsent",
        "closing": "9567449",
        "won": "closedwon",
        "lost": "closedlost",
    }
)
FIELDS = MappingProxyType(
    {
        name: name.replace(".", "_")
        for name in (
            "icp_match", "decision_maker", "bant.budget", "bant.authority", "bant.need", "bant.timeline",
            "handoff_accepted_by", "pains", "scope_agreed", "technical_requirements", "proposal_link", "presented_on",
            "discount", "discount_approved_by", "objections", "contract_link", "delivery_date", "support_channel",
            "customer_owner",
        )
    }
)  # fmt: skip
