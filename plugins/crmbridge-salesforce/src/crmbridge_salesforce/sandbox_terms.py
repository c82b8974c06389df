"""The sandbox account's stages and fields for the bundled process."""

from types import MappingProxyType

STAGES = MappingProxyType(
    {
        "prospecting": "Prospecting",
        "qualification": "Qualification",
        "diagnosis": "Needs Analysis",
        "proposal": "Proposal/Price Quote",
        "negotiation": "Negotiation/Review",
        "closing": "Contracting",
        "won": "Closed Won",
        "lost": "Closed Lost",
    }
)
FIELDS = MappingProxyType(
    {
        "icp_match": "icp_match__c",
        "decision_maker": "decision_maker__c",
        "bant.budget": "bant_budget__c",
        "bant.authority": "bant_authority__c",
        "bant.need": "bant_need__c",
        "bant.timeline": "bant_timeline__c",
        "handoff_accepted_by": "handoff_accepted_by__c",
        "pains": "pains__c",
        "scope_agreed": "scope_agreed__c",
        "technical_requirements": "technical_requirements__c",
        "proposal_link": "proposal_link__c",
        "presented_on": "presented_on__c",
        "discount": "discount__c",
        "discount_approved_by": "discount_approved_by__c",
        "objections": "objections__c",
        "contract_link": "contract_link__c",
        "delivery_date": "delivery_date__c",
        "support_channel": "support_channel__c",
        "customer_owner": "customer_owner__c",
    }
)
