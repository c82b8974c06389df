"""A Salesforce org on this machine: SOQL, rows, collections and composite, from a seed."""

from __future__ import annotations

from crmbridge.sandbox import Sandbox, SandboxOptions
from crmbridge_salesforce.sandbox.org import build_org
from crmbridge_salesforce.sandbox.state import Rule, State

__all__ = ["Rule", "State", "build", "build_org"]


def build(options: SandboxOptions) -> Sandbox:
    """Build an org with several currencies, filled with the options' world."""
    return build_org(options, multi_currency=True)
