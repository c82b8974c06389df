"""The report's own words and number forms in one language."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

NOTHING = "–"  # noqa: RUF001  the dash that stands where there is no number


@dataclass(frozen=True, slots=True)
class Words:
    """Words by key, and numbers as the language writes them."""

    language: str
    texts: Mapping[str, str]

    @property
    def html_language(self) -> str:
        """Give the language as pages declare it."""
        return {"pt": "pt-BR", "zh": "zh-Hans"}.get(self.language, self.language)

    def __call__(self, key: str, **values: object) -> str:
        """Give a word or sentence with its values filled in."""
        return self.texts[key].format_map(values) if values else self.texts[key]

    def number(self, value: float | None, digits: int = 0) -> str:
        """Write a number with grouped thousands; a dash for none."""
        if value is None:
            return NOTHING
        text = f"{value:,.{digits}f}"
        return text.translate(str.maketrans(",.", ".,")) if self.language == "pt" else text

    def percent(self, share: float | None) -> str:
        """Write a share as a percentage; what is not all does not read 100, what is not nothing does not read 0."""
        if share is None:
            return NOTHING
        whole = min(99, max(1, round(share * 100))) if 0 < share < 1 else round(share * 100)
        return f"{whole}%"

    def amount(self, value: float | None, unit: str) -> str:
        """Write a value in its unit: a share, a count, or a length of time."""
        if value is None:
            return self("no_data")
        if unit == "share":
            return self.percent(value)
        if unit == "count":
            return self.number(value)
        return self(f"unit_{unit}", n=self.number(value, 0 if value >= 100 else 1))

    def day(self, moment: str | None) -> str:
        """Write the date of an ISO time; a dash for none."""
        return NOTHING if moment is None else moment[:10]

    def minute(self, moment: str) -> str:
        """Write an ISO time in UTC to the minute."""
        return f"{moment[:10]} {moment[11:16]} UTC"


def words_of(language: str) -> Words:
    """Give the words of a language (`pt` or `pt-BR`); English where there are none."""
    base = language.split("-", maxsplit=1)[0].lower()
    texts = _catalogue()
    known = base if any(base in text for text in texts.values()) else "en"
    return Words(known, {key: text.get(known, text["en"]) for key, text in texts.items()})


@cache
def _catalogue() -> dict[str, dict[str, str]]:
    return tomllib.loads(files(__package__).joinpath("words.toml").read_text("utf-8"))
