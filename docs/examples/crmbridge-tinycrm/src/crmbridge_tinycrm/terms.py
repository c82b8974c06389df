"""What the stages and fields of the bundled process are called in TinyCRM's sandbox."""

from __future__ import annotations

PIPELINE = "main"
STAGES = {
    "prospecting": "s1",
    "qualification": "s2",
    "diagnosis": "s3",
    "proposal": "s4",
    "negotiation": "s5",
    "closing": "s6",
    "won": "yes",
    "lost": "no",
}
YES_NO = ("icp_match", "bant.budget", "bant.authority", "bant.need", "bant.timeline", "scope_agreed")
DAYS = ("presented_on", "delivery_date")
NUMBERS = ("discount",)
TEXTS = (
    "decision_maker", "handoff_accepted_by", "pains", "technical_requirements", "proposal_link", "discount_approved_by",
    "objections", "contract_link", "support_channel", "customer_owner",
)  # fmt: skip
FIELDS = {name: name.replace(".", "_") for name in (*YES_NO, *DAYS, *NUMBERS, *TEXTS)}
