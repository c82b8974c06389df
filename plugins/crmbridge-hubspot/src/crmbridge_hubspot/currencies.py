"""Accounts with several currencies: a deal has one for all its amounts, which goes along with each that is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crmbridge.adapting import turned_amounts
from crmbridge.model.changes import Action, Change
from crmbridge.model.records import Kind
from crmbridge.model.values import FieldType, Money, Value
from crmbridge_hubspot.account import CURRENCY_PROPERTY
from crmbridge_hubspot.api import HubSpotApi
from crmbridge_hubspot.mapping import Terms
from crmbridge_hubspot.objects import DEALS, Bound
from crmbridge_hubspot.plans import Properties


def turning(api: HubSpotApi, terms: Terms, changes: Sequence[Change]) -> list[tuple[Change, str]]:
    """Give the changes that would turn amounts of their deal into another currency, and say which.

    Deals are looked at only where that could be: in an account with several currencies and several amounts of a deal.
    """
    amounts = [each for each in terms.words.fields(DEALS) if each.type is FieldType.MONEY]
    known = terms.account.fields.get(CURRENCY_PROPERTY)
    if len(amounts) < 2 or known is None or not known.writable:
        return []
    deals = [change for change in changes if change.kind is Kind.DEAL]
    asked = [change for change in deals if any(isinstance(value, Money) for value in change.after.values())]
    there = list(dict.fromkeys(each.target.id for each in asked if each.action is Action.UPDATE and each.target))
    names = [CURRENCY_PROPERTY, *(each.native for each in amounts)]
    raws = {str(raw["id"]): raw for raw in api.read(DEALS.name, there, names)} if there else {}
    held = {each: _held(raw, amounts, terms) for each, raw in raws.items()}
    said = [(each, turned_amounts(each.after, held.get(each.target.id if each.target else "", {}))) for each in asked]
    return [(change, why) for change, why in said if why]


def _held(raw: Mapping[str, Any], amounts: Sequence[Bound], terms: Terms) -> dict[str, Value]:
    properties: Properties = raw["properties"]
    found: dict[str, Value] = {}
    for each in amounts:
        if text := properties.get(each.native):
            try:
                found[each.name] = terms.codec.money(text, properties.get(CURRENCY_PROPERTY))
            except ValueError:  # no amount, whatever the currency
                continue
    return found
