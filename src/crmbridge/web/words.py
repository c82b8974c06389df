"""The page's own words, numbers, times and lengths of time in one language."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from crmbridge import words
from crmbridge.languages import LANGUAGES, base
from crmbridge.model.values import Money, Value, show
from crmbridge.words import NOTHING

MONTHS = {
    "en": ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"],
    "pt": ["jan.", "fev.", "mar.", "abr.", "maio", "jun.", "jul.", "ago.", "set.", "out.", "nov.", "dez."],
}


class Words(words.Words, frozen=True):
    """Words by key, and values as the language writes them; times are in `zone`."""

    zone: ZoneInfo

    def told(self, text: str) -> str:
        """Tell what the page itself said by an error; what others said stays as it is."""
        return self.texts.get(_own().get(text, ""), text)

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
        parts = [("short_d", days), ("short_h", hours), ("short_m", rest // 60)]
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
    return Words(language, words.texts_of(language, __package__), zone)


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
    return {text: key for key, text in words.texts_of("en", __package__).items() if key.startswith("own_")}
