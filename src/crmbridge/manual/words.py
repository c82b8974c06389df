"""The manual's own words, numbers and lists in one language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import cache

from markupsafe import Markup, escape
from msgspec import Struct

from crmbridge.languages import LANGUAGES, catalogue, grouped, tag
from crmbridge.model.business_time import Duration
from crmbridge.words import texts_of

NOTHING = Markup("")


class Words(Struct, frozen=True):
    """Words by key. What is filled into them is escaped unless it is markup already."""

    language: str
    texts: Mapping[str, str]

    @property
    def tag(self) -> str:
        """The language as pages declare it."""
        return tag(self.language)

    def __call__(self, key: str, **values: object) -> Markup:
        """Give a word or sentence with its values filled in."""
        text = Markup(self.texts[key])  # noqa: S704  our own words
        return text.format(**values) if values else text

    def counted(self, key: str, count: Decimal | int, **values: object) -> Markup:
        """Give a sentence about so many: the text of `KEY_one` for one, that of `KEY` for any other number."""
        return self(f"{key}_one" if count == 1 else key, n=self.number(count), **values)

    def number(self, value: Decimal | int) -> str:
        """Write a number with its thousands grouped, and no more digits than it has."""
        exact = Decimal(value)
        shown = exact.normalize()
        text = f"{shown.quantize(Decimal(1)) if shown == shown.to_integral() else shown:,f}"
        return grouped(text, self.language)

    def listed(self, items: Iterable[object], last: str = "and") -> Markup:
        """Join things by commas, and the last one by `and` or `or`."""
        parts = [escape(item) for item in items]
        if len(parts) < 2:
            return Markup("").join(parts)
        return self(f"list_{last}", first=self("list_comma").join(parts[:-1]), last=parts[-1])

    def quoted(self, text: object) -> Markup:
        """Put text in quotes as the language writes them."""
        return self("quoted", text=text)

    def duration(self, value: Duration) -> Markup:
        """Write a length of time in words: 5 business days."""
        return self.counted(f"unit_{value.unit.value}", round(value.amount, 2))

    def share(self, value: Decimal) -> str:
        """Write a share as a percentage."""
        return f"{self.number(round(value * 100, 1))}%"

    def day(self, day: date) -> Markup:
        """Write a date in words."""
        return self("date", day=day.day, month=self.month(day.month), year=day.year)

    def yearly(self, month: int, day: int) -> Markup:
        """Write a day of every year in words."""
        return self("date_yearly", day=day, month=self.month(month))

    def month(self, number: int) -> str:
        """Name a month, from 1."""
        return self.texts["months"].split()[number - 1]

    def weekday(self, number: int) -> str:
        """Name a day of the week, from 0 for Monday."""
        return self.texts["weekdays"].split()[number]


def words_of(language: str) -> Words:
    """Give the words of a language; raises KeyError for one that the manual does not speak."""
    place = {name: number for number, name in enumerate(LANGUAGES)}[language]
    return Words(language, {**texts_of(language), **{key: texts[place] for key, texts in _catalogue().items()}})


def sentence(clause: Markup) -> Markup:
    """Begin a clause with a capital, where it does not begin with a name or another element."""
    if not clause or clause[0] == "<":
        return clause
    return Markup(clause[0].upper() + clause[1:])  # noqa: S704  it was markup, and one letter has no special meaning


@cache
def _catalogue() -> Mapping[str, Sequence[str]]:
    return {key: value for part in catalogue(__package__).values() for key, value in part.items()}
