"""The flow chart as text for other programs: Mermaid and Graphviz."""

from __future__ import annotations

import re
from collections.abc import Iterator

from crmbridge.manual.flow import LOST, Arrow, arrows, role_name
from crmbridge.manual.speech import Speech

_MERMAID = {"forward": "-->", "skip": "-.->", "back": "-.->", "lost": "-.->"}
_DOT = {
    "forward": "",
    "skip": "style=dashed, constraint=false",
    "back": "style=dotted, constraint=false",
    "lost": "style=dotted, color=gray",
}


def mermaid(speech: Speech) -> str:
    """Give the chart as Mermaid writes flow charts."""
    lines = ["flowchart TD"]
    lines += [f'  {_id(stage)}["{_entities(name)}<br>{_entities(owner)}"]' for stage, name, owner in _stages(speech)]
    lines.append(f'  s_{LOST}(["{_entities(str(speech.words("lost").unescape()))}"])')
    for arrow in arrows(speech):
        label = f'|"{_entities(_label(arrow, speech))}"|' if _label(arrow, speech) else ""
        lines.append(f"  {_id(arrow.source)} {_MERMAID[arrow.kind]}{label} {_id(arrow.target)}")
    return "\n".join(lines) + "\n"


def dot(speech: Speech) -> str:
    """Give the chart as Graphviz reads it."""
    lines = [
        f"digraph {speech.process.id} {{",
        "  rankdir=TB;",
        '  node [shape=box, style=rounded, fontname="sans-serif"];',
        '  edge [fontname="sans-serif", fontsize=10];',
    ]
    lines += [f'  {_id(stage)} [label="{_dotted(name)}\\n{_dotted(owner)}"];' for stage, name, owner in _stages(speech)]
    lines.append(f'  s_{LOST} [label="{_dotted(str(speech.words("lost").unescape()))}", shape=oval];')
    for arrow in arrows(speech):
        label = _label(arrow, speech)
        attributes = ", ".join(
            part for part in (f'label="{_dotted(label)}"' if label else "", _DOT[arrow.kind]) if part
        )
        lines.append(f"  {_id(arrow.source)} -> {_id(arrow.target)}{f' [{attributes}]' if attributes else ''};")
    return "\n".join([*lines, "}"]) + "\n"


def _stages(speech: Speech) -> Iterator[tuple[str, str, str]]:
    for number, stage in enumerate(speech.process.stages, start=1):
        yield stage.id, f"{number}. {speech.plain(stage.name)}", role_name(stage.owner, speech)


def _id(stage_id: str) -> str:
    return f"s_{stage_id}"  # a stage may be called `end` or `node`, which mean something in both languages


def _label(arrow: Arrow, speech: Speech) -> str:
    if arrow.kind in {"skip", "back"}:
        return str(speech.words(f"flow_{arrow.kind}").unescape())
    return arrow.label


def _entities(text: str) -> str:
    """Write everything that Mermaid or HTML would read as more than text as a numbered entity."""
    return re.sub(r"[^\w\s.,:()–-]", lambda found: f"#{ord(found[0])};", text)  # noqa: RUF001  a dash as it is printed


def _dotted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
