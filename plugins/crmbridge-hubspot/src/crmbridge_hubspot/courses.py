"""What deals' properties held before: their histories, read fifty deals at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from crmbridge.adapting import course_of
from crmbridge.model.courses import Course, Held, untold
from crmbridge.model.records import Record
from crmbridge.model.values import FieldType, Value
from crmbridge_hubspot.account import CURRENCY_PROPERTY
from crmbridge_hubspot.api import HubSpotApi
from crmbridge_hubspot.mapping import Terms
from crmbridge_hubspot.objects import DEALS, Bound
from crmbridge_hubspot.values import Decoder, moment

# How many values HubSpot keeps of a property of most objects; it is said of contacts that they keep 45. The page that
# says so was not found, so a history of so many values is taken for one that was cut.
KEPT = 20
Raw = Mapping[str, Any]


class Courses(Struct, frozen=True, kw_only=True):
    """Reads what fields of deals held before."""

    api: HubSpotApi
    terms: Terms

    def read(self, deals: Sequence[Record], fields: Collection[str], since: datetime) -> Iterator[Course]:
        """Yield a course for each deal and field."""
        known = [bound for bound in self.terms.words.fields(DEALS) if bound.name in fields]
        bound = {each.name: each for each in known}
        raws = self._histories([deal.ref.id for deal in deals], known)
        for deal in deals:
            raw = raws.get(deal.ref.id)
            for name in sorted(fields):
                if name not in bound:
                    yield untold(deal, name, "HubSpot keeps no history of it")
                elif raw is None:
                    yield untold(deal, name, "the deal is not there any more")
                else:
                    yield self._course(deal, bound[name], raw, since)

    def _histories(self, ids: Sequence[str], bound: Sequence[Bound]) -> dict[str, Raw]:
        natives = {each.native for each in bound}
        if any(each.type is FieldType.MONEY for each in bound):
            natives.add(CURRENCY_PROPERTY)
        if not natives:
            return {}
        names = sorted(natives)
        # Above fifty deals HubSpot refuses a read with histories (activepieces PR 9359): `api.read` keeps to that.
        read = self.api.read(DEALS.name, ids, names, propertiesWithHistory=names)
        return {str(raw["id"]): raw for raw in read}

    def _course(self, deal: Record, bound: Bound, raw: Raw, since: datetime) -> Course:
        histories = raw.get("propertiesWithHistory")
        versions = histories.get(bound.native) if isinstance(histories, Mapping) else None
        if not isinstance(versions, list):  # a name that the account does not have is left out without a word
            return untold(deal, bound.name, f"HubSpot gave no history of {bound.native}")
        try:
            held = self._held(deal, bound, versions)
            if bound.type is FieldType.MONEY:
                held = self._in_currencies(deal, held, raw)
        except (ValueError, KeyError, TypeError, AttributeError):
            return untold(deal, bound.name, f"HubSpot's history of {bound.native} can't be read")
        return course_of(deal, bound.name, held, since)

    def _held(self, deal: Record, bound: Bound, versions: Sequence[Raw]) -> list[Held]:
        """Read a property's versions, which come newest first, oldest first; amounts stay texts for now."""
        found = sorted((self._value(bound, version) for version in reversed(versions)), key=_at)
        if len(versions) < KEPT:  # nothing was cut off, so before the first value there was none
            made = deal.created_at or deal.updated_at
            found.insert(0, Held(min([made, *(one.at for one in found)]), None))
        return found

    def _value(self, bound: Bound, version: Raw) -> Held:
        codec, account = self.terms.codec, self.terms.account
        at, text, user = moment(str(version["timestamp"])), version.get("value"), version.get("updatedByUserId")
        by = account.owner_of(str(user)) if user is not None else None
        decode = None if bound.type is FieldType.MONEY else codec.decoder(bound.type)
        if text is None or text == "":
            return Held(at, None, by)
        return _read(at, str(text), by, decode)

    def _in_currencies(self, deal: Record, amounts: Sequence[Held], raw: Raw) -> list[Held]:
        """Give amounts in the currencies that the deal had then; each change of either is one of the amount."""
        now = raw["properties"].get(CURRENCY_PROPERTY)
        versions = raw["propertiesWithHistory"].get(CURRENCY_PROPERTY) or []
        codes = self._held(deal, Bound("currency", CURRENCY_PROPERTY, FieldType.TEXT), versions)
        if not versions:  # the account has but one, or it is not said since when the deal has this one
            codes = [Held(amounts[0].at, now)] if amounts else []
        begins = max(amounts[0].at, codes[0].at) if amounts and codes else None
        times = sorted({one.at for one in (*amounts, *codes) if begins is not None and one.at >= begins})
        return [self._money(at, _last(amounts, at), _last(codes, at).value) for at in times]

    def _money(self, at: datetime, amount: Held, currency: Value) -> Held:
        if amount.value is None:
            return Held(at, None, amount.by)
        code = currency if isinstance(currency, str) else None
        return _read(at, str(amount.value), amount.by, lambda text: self.terms.codec.money(text, code))


def _at(held: Held) -> datetime:
    return held.at


def _read(at: datetime, text: str, by: str | None, decode: Decoder | None) -> Held:
    try:
        return Held(at, text if decode is None else decode(text), by)
    except ValueError as error:
        return Held(at, None, by, str(error))


def _last(held: Sequence[Held], at: datetime) -> Held:
    return [one for one in held if one.at <= at][-1]
