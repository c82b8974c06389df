"""What deals' fields held before: read from the changelog of each deal, or its flow where that does not tell."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from msgspec import Struct

from crmbridge.adapting import course_of
from crmbridge.errors import RefusedError, RetryLaterError
from crmbridge.http import together
from crmbridge.model.courses import Course, Held, untold
from crmbridge.model.records import Record
from crmbridge.model.values import FieldType, Money, Value
from crmbridge_pipedrive.account import DealFields
from crmbridge_pipedrive.api import Api, Row, is_id
from crmbridge_pipedrive.changelogs import ChangeLogs
from crmbridge_pipedrive.limits import Limits
from crmbridge_pipedrive.standard import day_of
from crmbridge_pipedrive.values import currency_of, decimal, decoder, moment
from crmbridge_pipedrive.verdicts import ForbiddenError

A_LOG, A_FLOW = 20, 40  # tokens
LOT = 20  # deals whose logs are read side by side
GONE = "Pipedrive does not show the deal's changelog any more"
# Which keys a log has for the fields that every deal has. The log is of API v1, which calls the owner a user.
STANDARD: Mapping[str, tuple[str, ...]] = {
    "name": ("title",),
    "amount": ("value",),
    "close_date": ("expected_close_date",),
    "owner": ("owner_id", "user_id"),
    "company": ("org_id",),
    "lost_reason": ("lost_reason",),
    "source": ("channel",),
}


class _Way(NamedTuple):
    """How a field's values are found in a log and read; `currency` is the key of its currency, for an amount."""

    keys: tuple[str, ...]
    read: Callable[[str], Value]
    custom: bool = False
    currency: str = ""


class _Line(NamedTuple):
    at: datetime
    key: str
    old: str
    new: str
    by: str | None


class Courses(Struct, frozen=True, kw_only=True):
    """Reads what fields of deals held before. `currency` stands in where an amount says none."""

    api: Api
    logs: ChangeLogs
    limits: Limits
    fields: DealFields
    currency: str | None

    def read(self, deals: Sequence[Record], fields: Collection[str], since: datetime) -> Iterator[Course]:
        """Yield a course for each deal and field; raises RetryLaterError once the tokens for this are used up."""
        ways = {name: self._way(name) for name in sorted(fields)}
        asks_custom = any(way.custom for way in ways.values() if way)
        for start in range(0, len(deals), LOT):
            lot = deals[start : start + LOT]
            for deal, lines in zip(lot, together([partial(self._lines, d, asks_custom) for d in lot]), strict=True):
                for name, way in ways.items():
                    yield self._course(deal, name, way, lines, since)

    def _lines(self, deal: Record, asks_custom: bool) -> Sequence[_Line] | None:  # noqa: FBT001  a step of `read`
        """Give a deal's log, oldest first; None where it was deleted or merged meanwhile, or may not be seen."""
        number = int(deal.ref.id)
        try:
            rows = self.logs.kept(number, deal.updated_at)
            if rows is None:
                self._pay(A_LOG)
                rows = self.logs.read(number, deal.updated_at)
            lines = _lines(rows, "time", "actor_user_id")
            if asks_custom and not self.logs.tells_custom:
                # Whether the changelog has custom fields is not documented; the flow has them when it is asked.
                self._pay(A_FLOW)
                asked: dict[str, str | int] = {"items": "dealChange", "all_changes": 1}
                flow = [row.get("data") for row in self.api.rows_v1("flow", asked, id_=number)]
                lines = _lines([row for row in flow if isinstance(row, dict)], "log_time", "user_id")
        except (RefusedError, ForbiddenError):
            return None
        return lines

    def _pay(self, tokens: int) -> None:
        if not self.limits.spare(tokens):
            raise RetryLaterError("The tokens of today that may be used for histories are used up")

    def _way(self, name: str) -> _Way | None:
        bound = self.fields.bound.get(name)
        if bound is not None:
            field, kind = bound.definition, bound.binding.type
            code = field.code
            if kind is FieldType.MONEY:
                return _Way((code,), decimal, field.custom, f"{code}_currency")
            decode = decoder(field, kind, self.currency)
            ids = kind is FieldType.USER
            return _Way((code,), lambda raw: decode(int(raw) if ids and raw.isdecimal() else raw), field.custom)
        if name not in STANDARD:
            return None
        if name == "amount":
            return _Way(STANDARD[name], _some, currency="currency")
        reads = {"close_date": day_of, "source": lambda raw: self.fields.channels.get(raw, raw)}
        return _Way(STANDARD[name], reads.get(name, _text))

    def _course(
        self, deal: Record, name: str, way: _Way | None, lines: Sequence[_Line] | None, since: datetime
    ) -> Course:
        if way is None:
            return untold(deal, name, "Pipedrive keeps no history of it")
        if lines is None:
            return untold(deal, name, GONE)
        if not lines:
            return untold(deal, name, "Pipedrive's changelog of the deal is empty")
        now = deal.fields.get(name)
        if way.currency:
            return course_of(deal, name, self._amounts(way, lines, now), since)
        return course_of(deal, name, _held(lines, way.keys, way.read, now), since)

    def _amounts(self, way: _Way, lines: Sequence[_Line], now: Value) -> Iterator[Held]:
        """Give amounts in the currencies that they had then; each change of either is one of the amount."""
        code = now.currency if isinstance(now, Money) else None
        codes = list(_held(lines, (way.currency,), _text, code))
        numbers = list(_held(lines, way.keys, way.read, now.amount if isinstance(now, Money) else None))
        # Without an amount a deal tells no currency, and what it held may have been in any.
        usual = self.currency if isinstance(now, Money) else None
        begins = max(codes[0].at, numbers[0].at)
        for at in sorted({one.at for one in (*codes, *numbers) if one.at >= begins}):
            amount = [one for one in numbers if one.at <= at][-1]
            currency = [one for one in codes if one.at <= at][-1].value
            try:
                yield amount._replace(at=at, value=_money(amount.value, currency, usual))
            except ValueError as error:
                yield Held(at, None, amount.by, str(error))


def _held(lines: Sequence[_Line], keys: Sequence[str], read: Callable[[str], Value], now: Value) -> list[Held]:
    """Give what a field held since the oldest line of a log, which is whole from there on.

    What is not among its lines did not change. A line that does not begin with what the one before ended with tells of
    a gap: nothing before it counts.
    """
    found: list[Held] = []
    for line in (line for line in lines if line.key in keys):
        old = _value(lines[0].at, line.old, None, read)
        if not found:
            found = [old]
        elif (found[-1].value, found[-1].problem) != (old.value, old.problem):
            found = []
        found.append(_value(line.at, line.new, line.by, read))
    return found or [Held(lines[0].at, now)]


def _value(at: datetime, raw: str, by: str | None, read: Callable[[str], Value]) -> Held:
    try:
        return Held(at, read(raw) if raw else None, by)
    except ValueError as error:
        return Held(at, None, by, str(error))


def _text(raw: str) -> Value:
    return raw


def _some(raw: str) -> Value:
    return decimal(raw) or None  # what nobody entered is 0 there


def _money(amount: Value, currency: Value, usual: str | None) -> Value:
    if amount is None:
        return None
    if currency is None and usual is None:
        raise ValueError("nothing tells in which currency the amount was")
    return Money(decimal(amount), currency_of(currency, usual))


def _lines(rows: Iterable[Row], time: str, by: str) -> list[_Line]:
    """Read the rows of a log, which come newest first, oldest first."""
    found = []
    for row in rows:
        at = moment(row.get(time))
        if at is not None and isinstance(row.get("field_key"), str):
            user = row.get(by)
            old, new = _raw(row.get("old_value")), _raw(row.get("new_value"))
            found.append(_Line(at, row["field_key"], old, new, str(user) if is_id(user) else None))
    found.reverse()  # the sort keeps the order of what happened in the same second
    return sorted(found, key=lambda line: line.at)


def _raw(value: Any) -> str:
    """Give a value as text: values are texts, or numbers in the documents."""
    if value is None or isinstance(value, dict | list):
        return "" if not value else str(value)
    return str(value)
