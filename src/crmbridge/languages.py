"""The languages that people are told things in: their names, their words in files, and their numbers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

LANGUAGES: Final[Mapping[str, str]] = {"en": "English", "pt": "Português", "zh": "中文"}
_TAGS = {"pt": "pt-BR", "zh": "zh-Hans"}


def tag(language: str) -> str:
    """Give a language as pages declare it."""
    return _TAGS.get(language, language)


def base(language: str) -> str:
    """Give a language without its country: pt of pt-BR."""
    return language.split("-", maxsplit=1)[0].lower()


def grouped(number: str, language: str) -> str:
    """Turn a number with commas between its thousands into what the language writes."""
    return number.translate(str.maketrans(",.", ".,")) if language == "pt" else number


def about(count: object, key: str, texts: Mapping[str, str]) -> str:
    """Give the words about so many: of one, those of `KEY_one` where there are such."""
    one = f"{key}_one"
    return texts[one if count == 1 and one in texts else key]


def percent(share: float) -> str:
    """Write a share as a percentage; what is not all does not read 100, what is not nothing does not read 0."""
    whole = min(99, max(1, round(share * 100))) if 0 < share < 1 else round(share * 100)
    return f"{whole}%"


@cache
def catalogue(package: str, file: str = "words.toml") -> Mapping[str, Any]:
    """Read the words that stand in a file beside a package's modules."""
    import tomllib  # noqa: PLC0415  the help of commands names languages and needs no words
    from importlib.resources import files  # noqa: PLC0415  the same

    return tomllib.loads(files(package).joinpath(file).read_text("utf-8"))
