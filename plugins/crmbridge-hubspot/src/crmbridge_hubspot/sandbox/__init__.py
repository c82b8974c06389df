"""A local server that speaks HubSpot's own API, filled with an invented company's deals."""

from __future__ import annotations

from crmbridge.model.replacing import replace
from crmbridge.sandbox import Sandbox, SandboxOptions, assemble
from crmbridge_hubspot.sandbox.account import CURRENCY_CODE
from crmbridge_hubspot.sandbox.account_routes import ACCOUNT_ROUTES
from crmbridge_hubspot.sandbox.attached import FilingAccount, file_routes
from crmbridge_hubspot.sandbox.call import versioned
from crmbridge_hubspot.sandbox.filling import fill
from crmbridge_hubspot.sandbox.limits import make_vendor
from crmbridge_hubspot.sandbox.link_routes import LINK_ROUTES
from crmbridge_hubspot.sandbox.oauth import oauth_routes
from crmbridge_hubspot.sandbox.object_routes import object_routes
from crmbridge_hubspot.sandbox.property_routes import PROPERTY_ROUTES
from crmbridge_hubspot.sandbox.validation_routes import VALIDATION_ROUTES

__all__ = ["FilingAccount", "build", "build_account"]


def build(options: SandboxOptions) -> Sandbox:
    """Build an account with several currencies, filled with the options' world."""
    return build_account(options, multi_currency=True)


def build_account(options: SandboxOptions, *, multi_currency: bool) -> Sandbox:
    """Build an account; without `multi_currency` its deals have no deal_currency_code.

    Its `state` is a FilingAccount, whose public methods act as people in HubSpot would.
    """
    state = FilingAccount(options.clock)
    if not multi_currency:
        del state.properties["deals"][CURRENCY_CODE]
    fill(state, options)
    token = options.token or f"pat-sandbox-not-a-real-key-{options.seed}"
    sandbox = assemble(
        name="hubspot",
        state=state,
        routes=[
            *object_routes(state),
            *versioned(state, (*ACCOUNT_ROUTES, *PROPERTY_ROUTES, *VALIDATION_ROUTES, *LINK_ROUTES)),
            *oauth_routes(state.oauth),
            *file_routes(state),
        ],
        vendor=make_vendor(options, state.limits, state.oauth),
        options=replace(options, token=token),
    )
    state.strikes = sandbox.faults.strikes
    return sandbox
