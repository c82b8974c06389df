"""How each part of a chart looks: what is good or bad news has its colour, all else takes the next in turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

SERIES = 6  # colours that can be told apart, also by who sees few of them
_MEANING: Mapping[str, str] = MappingProxyType(
    {
        "forward": "good", "won": "good", "within_goal": "good", "on_time": "good", "kept": "good", "median": "good",
        "lost": "late", "back": "warn", "elsewhere": "rest", "open": "open", "still_open": "open", "p90": "reach",
        "open_median_age": "open", "errors": "bad", "breached": "bad", "late": "late", "warnings": "warn",
        "at_risk": "warn", "infos": "rest",
        "usual": "good", "slow": "warn", "old": "late", "done": "good", "to_do": "open",
    }
)  # fmt: skip


def looks(columns: Sequence[str]) -> list[str]:
    """Give each column its look; no two of a chart have the same."""
    taken: list[str] = []
    number = 0
    for column in columns:
        look = _MEANING.get(column)
        if look is None or look in taken:
            number += 1
            look = f"s{(number - 1) % SERIES + 1}"
        taken.append(look)
    return taken
