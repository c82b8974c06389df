"""What an admin does in HubSpot to set up the guard rails, step by step, written from the exported data."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

FILE, STEPS = "hubspot-guards.json", "STEPS.md"
LONGEST = 200  # characters of a label that are shown
_MARKS = re.compile(r"([!#&()*+.:<>@\[\\\]_`{|}~-])")  # what Markdown could read something into
Document = Mapping[str, Any]


def clean(text: str) -> str:
    """Give text as one line, without control and direction characters."""
    kept = "".join(" " if unicodedata.category(c) in {"Cc", "Zl", "Zp"} else c for c in text[: 4 * LONGEST])
    kept = "".join(c for c in kept if unicodedata.category(c) not in {"Cf", "Cs"})
    return " ".join(kept.split())[:LONGEST]


def _said(text: str) -> str:
    """Give text that comes from an account so that Markdown shows it as it is."""
    return _MARKS.sub(r"\\\1", clean(text))


def _code(text: str) -> str:
    return f"`{clean(text).replace('`', '')}`"


def _named(entry: Document, key: str = "id") -> str:
    """Name a stage, a pipeline or a property by its label and, since labels get renamed, by its id."""
    return f"**{_said(entry['label'])}** ({_code(entry[key])})" if entry["label"] else _code(entry[key])


def steps_page(document: Document) -> str:
    """Write all steps as a page of Markdown."""
    parts = [
        f"# Guard rails in HubSpot: {_said(document['title'])}",
        _INTRODUCTION,
        "\n".join(_stage_steps(document)),
        "\n".join(_limit_steps(document)),
        "\n".join(_rule_steps(document)),
        "\n".join(_left_out(document)),
        _AFTERWARDS,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def short_steps(document: Document) -> tuple[str, ...]:
    """Say in a few lines what there is to do."""
    pipeline, stages, limits = document["pipeline"], document["stages"], document["validations"]
    name, rules = pipeline["label"] or pipeline["id"], sum(document["pipeline_rules"].values())
    steps = (
        (len(stages), f"In the pipeline {name}, require properties in stages ({len(stages)}): {STEPS}."),
        (len(limits), f"Set limits of property values ({len(limits)}), where they may hold for every deal: {STEPS}."),
        (rules, f"In the pipeline {name}, switch on {rules} of the pipeline rules: {STEPS}."),
    )
    found = tuple(said for count, said in steps if count)
    return (*found, "From API version 2026-09 on, these bind crmbridge's own writes too.") if found else ()


_INTRODUCTION = """\
A super admin does this once, from top to bottom, and again when the process has changed. crmbridge does none of it,
and goes on checking its exit rules, whatever HubSpot holds by itself. Ids stand beside labels: where a label was
renamed, the id counts."""

_STAGES = """\
## Properties that a stage requires

HubSpot asks for them when a deal is moved *into* a stage. So what a deal needs to leave a stage is required in each
stage after it ("Set up and customize your deal pipelines and deal stages").
"""

_LIMITS = """\
## Limits of property values

**These hold for the deals of every pipeline and in every stage**, in the screens and, in all versions, for the API.
Values that are there already are not looked at ("Property validations"). Leave one out where it would be too much.
"""

_RULES = """\
## Pipeline rules

They need Sales Hub Professional or Enterprise. They bind people, and apps that act for one; they don't bind workflows,
other calls of the API, and super admins ("Set up rules for deal pipelines").
"""

_LEFT_OUT = """\
## What HubSpot does not hold, or not in full

crmbridge goes on checking these.
"""

_AFTERWARDS = """\
## Before crmbridge speaks API version 2026-09

Up to 2026-03, what a stage requires binds people in the screens only. From 2026-09 on it binds writes through the API,
**crmbridge's own among them**: a move that comes from another CRM, or that a rule sends back, is refused while a
required property is empty, and shows HubSpot's words ("CRM API write validation enforcement")."""

_PIPELINE_RULES = {
    "restrict_skipping": "*Restrict skipping stages*. Then see that a deal can still be lost from every stage.",
    "restrict_backwards": "*Restrict moving deals backwards*.",
}


def _stage_steps(document: Document) -> Iterator[str]:
    stages = document["stages"]
    if not stages:
        return
    yield _STAGES
    yield "1. Open the settings, then *Objects*, *Deals*, and the tab *Pipelines*."
    yield f"2. Select the pipeline {_named(document['pipeline'])}."
    for number, stage in enumerate(stages, start=3):
        yield f"{number}. In the row of the stage {_named(stage)}, edit the *conditional stage properties*."
        yield "   Add these, and tick *Required*:"
        yield from (f"   - {_named(row, 'property')}, for {_rules(row)}" for row in stage["required"])
    yield f"{len(stages) + 3}. Save. Then move a deal that lacks one of them by hand: HubSpot must ask for it."


def _limit_steps(document: Document) -> Iterator[str]:
    if not document["validations"]:
        return
    yield _LIMITS
    for number, each in enumerate(document["validations"], start=1):
        limit = "at least" if each["path"].endswith("MIN_NUMBER") else "at most"
        argument = _code(each["body"]["ruleArguments"][0])
        yield f"{number}. {_named(each, 'property')}: {limit} {argument}, for {_rules(each)}."
        yield "   In the settings under *Properties*, *Deal properties*, the property's *Rules*; or send"
        yield f"   `PUT` {_code(each['path'])} with the body that stands in {_code(FILE)}."


def _rule_steps(document: Document) -> Iterator[str]:
    wanted = [said for name, said in _PIPELINE_RULES.items() if document["pipeline_rules"][name]]
    if not wanted:
        return
    yield _RULES
    yield f"1. In the settings of the pipeline {_named(document['pipeline'])}, open the tab *Pipeline rules*."
    yield "2. See that the stages stand in the order of the process, with none between that the process does not have."
    yield from (f"{number}. Switch on {said}" for number, said in enumerate(wanted, start=3))


def _left_out(document: Document) -> Iterator[str]:
    if not document["left_out"]:
        return
    yield _LEFT_OUT
    yield from (f"- {_code(each['rule'])}: {_said(each['why'])}" for each in document["left_out"])


def _rules(row: Document) -> str:
    rules: Sequence[str] = row["rules"]
    return ", ".join(map(_code, dict.fromkeys(rules)))
