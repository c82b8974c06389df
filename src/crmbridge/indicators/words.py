"""The words of the figures in one language: names, definitions, columns."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from msgspec import Struct

from crmbridge.languages import base, catalogue


class Words(Struct, frozen=True):
    """What measures, their columns and their rows are called in a language."""

    names: Mapping[str, str]
    definitions: Mapping[str, str]
    columns: Mapping[str, str]
    words: Mapping[str, str]
    cautions: Mapping[str, str]

    @classmethod
    def of(cls, language: str, horizon: int = 90) -> Words:
        """Give the words of a language, such as pt or pt-BR; English where there are none. `horizon` is in days."""
        texts, known = _texts(), base(language)
        measures = texts["measures"].items()
        return cls(
            {name: _in(each["name"], known) for name, each in measures if "name" in each},
            {name: _within(_in(each["definition"], known), horizon) for name, each in measures},
            {name: _within(_in(each, known), horizon) for name, each in texts["columns"].items()},
            {name: _in(each, known) for name, each in texts["words"].items()},
            {name: _within(_in(each, known), horizon) for name, each in texts["cautions"].items()},
        )


def _within(text: str, days: int) -> str:
    """Fill in for how many days something is foreseen; one day is a day."""
    for many, one in (("{days} days", "1 day"), ("{days} dias", "1 dia")) if days == 1 else ():
        text = text.replace(many, one)
    return text.replace("{days}", f"{days}")


def _in(by_language: Mapping[str, str], language: str) -> str:
    return by_language.get(language, by_language["en"])


@lru_cache(maxsize=1)
def _texts() -> dict[str, dict[str, Any]]:
    merged: dict[str, dict[str, Any]] = {}
    for file in ("definitions.toml", "outlook.toml"):
        for section, texts in catalogue(__package__, file).items():
            merged.setdefault(section, {}).update(texts)
    return merged
