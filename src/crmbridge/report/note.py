"""Say a report in a few plain lines, and tell whether two reports are the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from crmbridge.engine.text import plain
from crmbridge.model.figures import Unit
from crmbridge.ports import Document

NOTE_LIMIT = 2000  # characters

# These follow the clock: the same deals give other values a minute later. The summary repeats the rest.
_FOLLOW_THE_CLOCK = {"as_of", "summary", "points"}
_COUNTED = {Unit.COUNT, Unit.MONEY, Unit.SHARE}


def note_text(document: Document) -> str:
    """Give a report as short plain text for a note in a CRM: its headline and indicators, up to 2,000 characters.

    A document without these facts gives its title and the start of its Markdown.
    """
    text = "\n".join([plain(document.title), *summary_lines(document)])
    return text if len(text) <= NOTE_LIMIT else text[: NOTE_LIMIT - 1].rstrip() + "…"


def summary_lines(document: Document) -> list[str]:
    """Give what matters of a report in plain lines; of a document without such facts, its Markdown."""
    lines = document.facts.get("summary") or document.markdown.splitlines()
    return [plain(str(line), 500) for line in lines if str(line).strip()]


def fingerprint(document: Document) -> str:
    """Give what is equal for two documents of one name, one day (UTC) and the same figures.

    A caller that keeps it beside a delivery can leave out sending the same thing twice. Lengths of time, estimates and
    the time of day play no part, so a second try a few minutes later is the same document; the counts that they rest
    on do.
    """
    body = [document.name, str(document.facts.get("as_of", ""))[:10], _steady(document.facts)]
    if not document.facts:
        body.append(document.markdown)
    text = json.dumps(body, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _steady(value: Any) -> Any:
    match value:
        case {"unit": unit, "value": _, "n": n} if not _is_counted(value):
            return {"unit": unit, "n": n}
        case dict():
            return {key: _steady(item) for key, item in value.items() if key not in _FOLLOW_THE_CLOCK}
        case list() | tuple():
            return [_steady(item) for item in value]
        case _:
            return value


def _is_counted(figure: Mapping[str, Any]) -> bool:
    """Tell counts, sums and shares of counts from lengths of time and from what is estimated: those have no parts."""
    is_estimated = figure.get("interval") is not None and figure.get("denominator") is None
    return figure["unit"] in _COUNTED and not is_estimated
