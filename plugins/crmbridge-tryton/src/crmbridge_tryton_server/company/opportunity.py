"""The fields that a company's sales process asks for, as companies add them to Tryton: by a module of their own.

This file is copied into the test server's modules and runs there only; crmbridge never imports it.
"""

from trytond.model import fields
from trytond.pool import PoolMeta


class Opportunity(metaclass=PoolMeta):
    """A sale opportunity with the fields of the bundled process."""

    __name__ = "sale.opportunity"

    icp_match = fields.Boolean("Matches ideal customer")
    decision_maker = fields.Char("Decision maker")
    bant_budget = fields.Boolean("BANT budget")
    bant_authority = fields.Boolean("BANT authority")
    bant_need = fields.Boolean("BANT need")
    bant_timeline = fields.Boolean("BANT timeline")
    handoff_accepted_by = fields.Char("Hand-off accepted by")
    pains = fields.Text("Pains")
    scope_agreed = fields.Boolean("Scope agreed")
    technical_requirements = fields.Text("Technical requirements")
    proposal_link = fields.Char("Proposal")
    presented_on = fields.Date("Presented on")
    discount = fields.Numeric("Discount")
    discount_approved_by = fields.Char("Discount approved by")
    objections = fields.Text("Objections")
    contract_link = fields.Char("Contract")
    delivery_date = fields.Date("Delivery date")
    support_channel = fields.Char("Support channel")
    customer_owner = fields.Char("Customer owner")
