"""Names and codes of the sandbox's account that others need without building it: its pipeline and custom fields."""

from __future__ import annotations

import hashlib
from types import MappingProxyType
from typing import NamedTuple

PIPELINE = "1"
STAGES = MappingProxyType(
    {
        "prospecting": "1",
        "qualification": "2",
        "diagnosis": "3",
        "proposal": "4",
        "negotiation": "5",
        "closing": "6",
    }
)


class CustomField(NamedTuple):
    """A custom field of the account: its name for people and Pipedrive's type."""

    label: str
    type: str
    options: tuple[str, ...] = ()

    @property
    def code(self) -> str:
        """Give the field's code: 40 hexadecimal digits, as Pipedrive makes them."""
        return hashlib.sha1(f"sandbox {self.label}".encode(), usedforsecurity=False).hexdigest()


YES_NO = ("Yes", "No")
KEY_FIELD = CustomField("crmbridge key", "varchar")
# The process's fields, as this account keeps them. Pipedrive has no yes/no field; people make one with two options.
PROCESS_FIELDS = MappingProxyType(
    {
        "icp_match": CustomField("Matches ideal customer", "enum", YES_NO),
        "decision_maker": CustomField("Decision maker", "varchar"),
        "bant.budget": CustomField("BANT: budget", "enum", YES_NO),
        "bant.authority": CustomField("BANT: authority", "enum", YES_NO),
        "bant.need": CustomField("BANT: need", "enum", YES_NO),
        "bant.timeline": CustomField("BANT: timeline", "enum", YES_NO),
        "handoff_accepted_by": CustomField("Hand-off accepted by", "varchar"),
        "pains": CustomField("Pains", "text"),
        "scope_agreed": CustomField("Scope agreed", "enum", YES_NO),
        "technical_requirements": CustomField("Technical requirements", "text"),
        "proposal_link": CustomField("Proposal link", "varchar"),
        "presented_on": CustomField("Presented on", "date"),
        "discount": CustomField("Discount in percent", "double"),
        "discount_approved_by": CustomField("Discount approved by", "varchar"),
        "objections": CustomField("Objections", "text"),
        "contract_link": CustomField("Contract link", "varchar"),
        "delivery_date": CustomField("Delivery date", "date"),
        "support_channel": CustomField("Support channel", "varchar"),
        "customer_owner": CustomField("Customer owner", "varchar"),
    }
)
# Fields that no process needs, for values in all of Pipedrive's forms.
OTHER_FIELDS = (
    CustomField("Competitors", "set", ("Northwind", "Contoso", "In-house")),
    CustomField("Region", "enum", ("EMEA", "Americas", "APAC")),
    CustomField("List price", "monetary"),
    CustomField("Second seller", "user"),
    CustomField("Go-live window", "daterange"),
    CustomField("Site", "address"),
)
