"""The page's own words, numbers, times and lengths of time in one language."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from zoneinfo import ZoneInfo

from msgspec import Struct

from crmbridge.languages import LANGUAGES, about, base, catalogue, grouped, tag
from crmbridge.model.values import Money, Value, show

NOTHING = "–"  # noqa: RUF001  the dash that stands where there is nothing
MONTHS = {
    "en": ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"],
    "pt": ["jan.", "fev.", "mar.", "abr.", "maio", "jun.", "jul.", "ago.", "set.", "out.", "nov.", "dez."],
}


class Words(Struct, frozen=True):
    """Words by key, and values as the language writes them; times are in `zone`."""

    language: str
    texts: Mapping[str, str]
    zone: ZoneInfo

    @property
    def tag(self) -> str:
        """Give the language as pages declare it."""
        return tag(self.language)

    def __call__(self, key: str, **values: object) -> str:
        """Give a word or sentence with its values filled in."""
        return self.texts[key].format_map(values) if values else self.texts[key]

    def counted(self, key: str, count: int) -> str:
        """Give a word or sentence about so many: of one, the text of `KEY_one` where there is such."""
        return about(count, key, self.texts).format_map({"n": self.number(count)})

    def told(self, text: str) -> str:
        """Tell what the page itself said by an error; what others said stays as it is."""
        return self.texts.get(_own().get(text, ""), text)

    def number(self, value: float | Decimal | None, digits: int = 0) -> str:
        """Write a number with grouped thousands; a dash for none."""
        if value is None:
            return NOTHING
        return grouped(f"{value:,.{digits}f}", self.language)

    def money(self, value: Money | None) -> str:
        """Write an amount with its currency, cents only where there are some; a dash for none."""
        if value is None:
            return NOTHING
        whole = value.amount == value.amount.to_integral_value()
        return f"{self.number(value.amount, 0 if whole else 2)} {value.currency}"

    def moment(self, at: datetime | None) -> str:
        """Write a time to the minute; a dash for none."""
        if at is None:
            return NOTHING
        local = at.astimezone(self.zone)
        return f"{self.day(at)} {local:%H:%M}"

    def day(self, at: datetime | None) -> str:
        """Write a date; a dash for none."""
        if at is None:
            return NOTHING
        local = at.astimezone(self.zone)
        if self.language == "zh":
            return f"{local.year}年{local.month}月{local.day}日"
        return f"{local.day} {MONTHS[self.language][local.month - 1]} {local.year}"

    def span(self, length: timedelta | float) -> str:
        """Write a length of time in its two largest units."""
        seconds = length.total_seconds() if isinstance(length, timedelta) else length
        days, rest = divmod(int(abs(seconds)), 86_400)
        hours, rest = divmod(rest, 3600)
        parts = [("unit_d", days), ("unit_h", hours), ("unit_m", rest // 60)]
        first = next((i for i, (_, n) in enumerate(parts) if n), None)
        if first is None:
            return self("moment")
        said = [self(unit, n=self.number(n)) for unit, n in parts[first : first + (1 if days > 9 else 2)] if n]
        return " ".join(said)

    def left(self, seconds: float) -> str:
        """Say how much time is left, or how much it is over."""
        return self("left" if seconds >= 0 else "over", span=self.span(seconds))

    def value(self, value: Value) -> str:
        """Write a value of a record."""
        match value:
            case None | "" | ():
                return self("empty")
            case bool():
                return self("yes" if value else "no")
            case Money():
                return self.money(value)
            case datetime():
                return self.moment(value)
            case _:
                return show(value)


def words_of(language: str, zone: ZoneInfo) -> Words:
    """Give the words of one of LANGUAGES."""
    return Words(language, _texts(language), zone)


def preferred(accepted: str, otherwise: str = "en") -> str:
    """Choose a language by what a browser says in Accept-Language; another one where none of ours is in it."""
    ranked: list[tuple[float, int, str]] = []
    for rank, part in enumerate(accepted[:500].split(",")):
        name, _, weight = part.partition(";")
        if (known := base(name.strip())) in LANGUAGES:
            ranked.append((-_weight(weight), rank, known))
    return min(ranked)[2] if ranked else otherwise


def _weight(text: str) -> float:
    try:
        return float(text.strip().removeprefix("q="))
    except ValueError:
        return 1.0


@cache
def _own() -> Mapping[str, str]:
    """Give the keys of what the page says by errors, by their texts in English."""
    return {text: key for key, text in _texts("en").items() if key.startswith("own_")}


@cache
def _texts(language: str) -> Mapping[str, str]:
    return {key: texts[language] for key, texts in catalogue(__package__).items()}
