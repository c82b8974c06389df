"""What is asked of the indicators: in which language, by what, over which periods."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How figures are to be computed. A language that there are no words in gives English."""

    language: str = "en"
