"""What can be found in the manual: an index that a page carries with it, and the same as an A–Z."""  # noqa: RUF002  a dash as it is printed

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from markupsafe import Markup
from msgspec import Struct

from crmbridge.engine.text import plain
from crmbridge.manual.checks import said_rule
from crmbridge.manual.indicators import said_indicators
from crmbridge.manual.pages import PRODUCT_WORDS
from crmbridge.manual.speech import Speech
from crmbridge.model.process import Stage

BODY = 600  # characters of a text that are searched


class Entry(Struct, frozen=True, kw_only=True):
    """One thing that can be found. `title`, `kind` and `text` are characters, not markup."""

    title: str
    kind: str
    url: str
    text: str = ""


def entries(speech: Speech) -> tuple[Entry, ...]:
    """Give everything that can be found, in the order of the manual."""
    return (*_of_stages(speech), *_of_process(speech), *_of_words(speech))


def index_script(found: Iterable[Entry]) -> str:
    """Write the index as a script, which pages can load without a server."""
    rows = [[one.title, one.kind, one.url, one.text] for one in found]
    text = json.dumps(rows, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")
    return f"window.manualIndex = {text};\n"


def groups(found: Sequence[Entry], speech: Speech) -> tuple[tuple[str, tuple[Entry, ...]], ...]:
    """Group entries by their first letter; in Chinese, which has none, by what they are."""
    by_letter: dict[str, list[Entry]] = {}
    for one in found:
        by_letter.setdefault(one.kind if speech.language == "zh" else _letter(one.title), []).append(one)
    ordered = by_letter.items() if speech.language == "zh" else sorted(by_letter.items())
    return tuple((letter, tuple(sorted(group, key=lambda one: _folded(one.title)))) for letter, group in ordered)


def _letter(title: str) -> str:
    first = _folded(title)[:1].upper()
    return first if first.isalpha() else "#"


def _folded(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.lower())
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def _of_stages(speech: Speech) -> Iterator[Entry]:
    for stage in speech.process.stages:
        url = f"stage-{stage.id}.html"
        yield _entry(speech.plain(stage.name), "kind_of_stage", url, speech.plain(stage.purpose), speech)
        for one in stage.activities:
            yield _entry(
                speech.plain(one.name), "kind_of_activity", f"{url}#activity-{one.id}", speech.plain(one.how), speech
            )
        yield from _rules(stage, url, speech)
        for limit in stage.slas:
            yield _entry(speech.plain(limit.name), "kind_of_sla", f"{url}#time", "", speech)
        for output in stage.outputs:
            yield _entry(speech.plain(output.name), "kind_of_output", f"{url}#outputs", "", speech)


def _rules(stage: Stage, url: str, speech: Speech) -> Iterator[Entry]:
    for place, _number, rule in stage.placed():
        said = said_rule(rule, stage, speech)
        title = speech.words("named", name=speech.plain(stage.name), what=_characters(said.must)).unescape()
        yield _entry(title, f"kind_of_{place}", f"{url}#{place}", _characters(said.told), speech)


def _of_process(speech: Speech) -> Iterator[Entry]:
    process = speech.process
    for role in process.roles:
        yield _entry(
            speech.plain(role.name), "kind_of_role", f"role-{role.id}.html", speech.plain(role.purpose), speech
        )
    for point in process.touch_points:
        at = next((stage.id for stage in process.stages if point.id in stage.touch_points), None)
        url = f"stage-{at}.html#touch" if at else "flow.html"
        yield _entry(speech.plain(point.name), "kind_of_touch_point", url, speech.plain(point.agreement), speech)
    for one in said_indicators(speech, {}):
        yield _entry(
            _characters(one.name),
            "kind_of_indicator",
            f"indicators.html#indicator-{one.id}",
            _characters(one.why),
            speech,
        )
    for name in process.calendars:
        yield _entry(name.replace("_", " "), "kind_of_calendar", f"calendars.html#calendar-{name}", "", speech)


def _of_words(speech: Speech) -> Iterator[Entry]:
    words = speech.words
    for one in speech.process.materials:
        yield _entry(speech.plain(one.name), "kind_of_material", f"glossary.html#material-{one.id}", "", speech)
    for group in speech.process.criteria:
        yield _entry(speech.plain(group.name), "kind_of_criteria", f"glossary.html#criteria-{group.id}", "", speech)
    for field in speech.process.fields:
        text = f"{field.id} {speech.plain(field.help)}".strip()
        yield _entry(speech.plain(field.name), "kind_of_field", f"glossary.html#field-{field.id}", text, speech)
    for word in PRODUCT_WORDS:
        title, means = _characters(words(f"word_{word}")), _characters(words(f"means_{word}"))
        yield _entry(title, "kind_of_word", f"glossary.html#word-{word}", means, speech)


def _entry(title: str, kind: str, url: str, text: str, speech: Speech) -> Entry:
    return Entry(title=plain(title), kind=_characters(speech.words(kind)), url=url, text=plain(text, BODY))


def _characters(text: Markup) -> str:
    return text.striptags()
