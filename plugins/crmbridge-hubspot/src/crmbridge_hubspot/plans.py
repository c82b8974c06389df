"""How a record's texts become its fields: settled once for each object type and set-up, not for each record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct

from crmbridge.model.numbers import plain_number
from crmbridge.model.records import Problem
from crmbridge.model.values import FieldType, Value
from crmbridge_hubspot.account import CURRENCY_PROPERTY
from crmbridge_hubspot.objects import Bound
from crmbridge_hubspot.shapes import Odd
from crmbridge_hubspot.values import Codec, Decoder

Properties = Mapping[str, str | None]
Pairs = tuple[tuple[str, str], ...]  # names, each with the property that holds the field
UNREADABLE = (ValueError, ArithmeticError)  # what reading all fields at once raises over one of them


class _Typed(NamedTuple):
    name: str
    native: str
    decode: Decoder


class Plan(Struct, frozen=True):
    """The fields of an object type, by how their text becomes a value. Nothing, null and "" are all no value."""

    codec: Codec
    plain: Pairs
    typed: tuple[_Typed, ...]  # in the order in which problems are told
    money: Pairs
    # The same as `typed`, for reading all at once.
    numbers: Pairs
    others: tuple[_Typed, ...]

    @classmethod
    def of(cls, bounds: Sequence[Bound], codec: Codec) -> Plan:
        """Sort the fields."""
        rest = [(each, codec.decoder(each.type)) for each in bounds if each.type is not FieldType.MONEY]
        typed = tuple(_Typed(each.name, each.native, decode) for each, decode in rest if decode is not None)
        numbers = _pairs(bounds, FieldType.NUMBER)
        return cls(
            codec=codec,
            plain=tuple((each.name, each.native) for each, decode in rest if decode is None),
            typed=typed,
            money=_pairs(bounds, FieldType.MONEY),
            numbers=numbers,
            others=tuple(each for each in typed if (each.name, each.native) not in numbers),
        )

    @property
    def _plain_ones(self) -> list[_Typed]:
        return [_Typed(name, native, _sound) for name, native in self.plain]

    def fields(self, properties: Properties, problems: list[Problem]) -> dict[str, Value]:
        """Read all fields. What can't be read becomes a problem."""
        try:
            return self.at_once(properties)
        except UNREADABLE:
            return self.one_by_one(properties, problems)

    def at_once(self, properties: Properties) -> dict[str, Value]:
        """Read all fields, or raise one of UNREADABLE. A pull reads millions, so few of them cost a call."""
        get = properties.get
        fields: dict[str, Value] = {name: text for name, native in self.plain if (text := get(native))}
        for name, native in self.numbers:
            if text := get(native):
                fields[name] = number = plain_number(text)
                if not number.is_finite():
                    raise ValueError(text)
        for name, native, decode in self.others:
            if text := get(native):
                fields[name] = decode(text)
        if self.money:
            money, currency = self.codec.money, get(CURRENCY_PROPERTY)
            for name, native in self.money:
                if text := get(native):
                    fields[name] = money(text, currency)
        return fields

    def one_by_one(self, properties: Properties, problems: list[Problem]) -> dict[str, Value]:
        """Read each field on its own. What can't be read becomes a problem."""
        get = properties.get
        fields: dict[str, Value] = {}
        for name, native, decode in (*self._plain_ones, *self.typed):
            if text := get(native):
                try:
                    fields[name] = decode(_sound(text))
                except ValueError as error:
                    problems.append(Problem(native, str(error), name))
        for name, native in self.money:
            if text := get(native):
                try:
                    fields[name] = self.codec.money(_sound(text), get(CURRENCY_PROPERTY))
                except ValueError as error:
                    problems.append(Problem(native, str(error), name))
        return fields


def _sound(text: str) -> str:
    """Give a text back; raises ValueError for one that only stands for something else."""
    if text.__class__ is Odd:
        raise ValueError(f"neither a text nor a number: {text}")
    return text


def _pairs(bounds: Sequence[Bound], kind: FieldType) -> Pairs:
    return tuple((each.name, each.native) for each in bounds if each.type is kind)
