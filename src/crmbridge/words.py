"""Words by key in one language, as the page, reports, the manual and commands say them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cache

from msgspec import Struct

from crmbridge.languages import about, catalogue, grouped, tag

NOTHING = "–"  # noqa: RUF001  the dash that stands where there is nothing
MINUS = "−"  # noqa: RUF001  the sign that is as wide as a digit


class Words(Struct, frozen=True):
    """Words and sentences by key, and numbers as the language writes them."""

    language: str
    texts: Mapping[str, str]

    @property
    def tag(self) -> str:
        """Give the language as pages declare it."""
        return tag(self.language)

    def __call__(self, key: str, **values: object) -> str:
        """Give a word or sentence with its values filled in."""
        return self.texts[key].format_map(values) if values else self.texts[key]

    def counted(self, key: str, count: int, **values: object) -> str:
        """Give a word or sentence about so many: of one, the text of `KEY_one` where there is such."""
        return about(count, key, self.texts).format_map({"n": self.number(count), **values})

    def number(self, value: float | Decimal | None, digits: int = 0) -> str:
        """Write a number with grouped thousands; a dash for none."""
        if value is None:
            return NOTHING
        text = f"{value:,.{digits}f}"
        if text.strip("-0.,") == "":
            text = text.lstrip("-")  # a rounded nothing is not less than nothing
        return grouped(text.replace("-", MINUS), self.language)


@cache
def texts_of(language: str, *packages: str) -> Mapping[str, str]:
    """Give the words that several packages say alike, and those of these packages over them."""
    return {key: texts[language] for each in ("crmbridge", *packages) for key, texts in catalogue(each).items()}
