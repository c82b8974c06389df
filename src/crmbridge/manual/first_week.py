"""The first week of somebody new in a role, day by day: read, watch, practise, do together, do alone."""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup
from msgspec import Struct

from crmbridge.manual.checks import said_rule
from crmbridge.manual.roles import Duties
from crmbridge.manual.speech import Speech
from crmbridge.manual.words import NOTHING
from crmbridge.model.process import Activity, Material, Stage

READ, PRACTISE = ("document", "case"), ("form", "template", "script")


class Step(Struct, frozen=True):
    """One thing to do and tick off. `help` says how."""

    text: Markup
    help: Markup = NOTHING


class Day(Struct, frozen=True):
    """A day, with what it is for."""

    name: Markup
    goal: Markup
    steps: tuple[Step, ...]


class Question(Struct, frozen=True):
    """What somebody in the role should be able to answer by the end of the week, with the answers."""

    text: Markup
    answers: tuple[Markup, ...]


def first_week(duties: Duties, speech: Speech) -> tuple[Day, ...]:
    """Plan the first week; days on which a role has nothing to do fall away."""
    plans = (_read, _watch, _practise, _together, _alone)
    names = ("read", "watch", "practise", "together", "alone")
    planned = [(name, tuple(plan(duties, speech))) for name, plan in zip(names, plans, strict=True)]
    kept = [(name, steps) for name, steps in planned if steps]
    words = speech.words
    return tuple(
        Day(words("week_day", n=number, name=words(f"week_{name}")), words(f"week_{name}_goal"), steps)
        for number, (name, steps) in enumerate(kept, start=1)
    )


def questions(duties: Duties, speech: Speech) -> tuple[Question, ...]:
    """Ask what the role must know by heart: how long, what must hold, who takes over."""
    words = speech.words
    asked = []
    for stage in _owned(duties):
        said = [said_rule(rule, stage, speech) for rule in stage.exit]
        rules = tuple(one.must + (words("rule_when", clause=one.when) if one.when else "") for one in said)
        if rules:
            asked.append(Question(words("ask_rules", stage=speech.text(stage.name)), rules))
    asked += [Question(words("ask_clock", name=one.limit.name), (one.limit.headline,)) for one in duties.clocks]
    return tuple(asked)


def _read(duties: Duties, speech: Speech) -> Iterator[Step]:
    words = speech.words
    yield Step(words("read_start"), speech.text(speech.process.purpose))
    yield Step(words("read_role"))
    for part in duties.parts:
        yield Step(words("read_stage", stage=speech.stage(part.stage.id)), speech.text(part.stage.purpose))
    for one in _materials(duties, speech):
        if one.kind in READ:
            yield Step(words("read_material", material=material(one, speech)))
    yield Step(words("read_words"))


def _watch(duties: Duties, speech: Speech) -> Iterator[Step]:
    words = speech.words
    for one in _materials(duties, speech):
        if one.kind == "system":
            yield Step(words("open_system", material=material(one, speech)))
    for _stage, activity in _activities(duties):
        yield Step(words("watch_activity", activity=speech.text(activity.name)))


def _practise(duties: Duties, speech: Speech) -> Iterator[Step]:
    words = speech.words
    for one in _materials(duties, speech):
        if one.kind in PRACTISE:
            yield Step(words(f"practise_{one.kind}", material=material(one, speech)))
    for stage in _owned(duties):
        if stage.exit:
            yield Step(words("practise_rules", stage=speech.stage(stage.id)))


def _together(duties: Duties, speech: Speech) -> Iterator[Step]:
    words = speech.words
    for stage in duties.taken:
        yield Step(words("together_handoff", stage=speech.stage(stage.id)))
    for _stage, activity in _activities(duties):
        yield Step(words("together_activity", activity=speech.text(activity.name)), speech.block(activity.how))


def _alone(duties: Duties, speech: Speech) -> Iterator[Step]:
    words = speech.words
    if duties.clocks:
        yield Step(words("alone_due"), duties.clocks[0].limit.headline)
    for stage in _owned(duties):
        yield Step(words("alone_stage", stage=speech.stage(stage.id)))
    yield Step(words("alone_questions"))
    yield Step(words("alone_talk", role=speech.role(speech.process.leader)))


def _owned(duties: Duties) -> list[Stage]:
    return [part.stage for part in duties.parts if part.owned]


def _activities(duties: Duties) -> list[tuple[Stage, Activity]]:
    return [(part.stage, one) for part in duties.parts for one in part.activities]


def _materials(duties: Duties, speech: Speech) -> list[Material]:
    used = {name for _stage, activity in _activities(duties) for name in activity.materials}
    return [one for one in speech.process.materials if one.id in used]


def material(one: Material, speech: Speech) -> Markup:
    """Name a material: with a link where that leads to the web or to somebody's mailbox, and nowhere else."""
    name = speech.text(one.name)
    link = (one.link or "").strip()
    if not link.lower().startswith(("https://", "http://", "mailto:")) or not link.isprintable():
        return name
    return Markup('<a href="{}" rel="noopener noreferrer">{}</a>').format(link, name)
