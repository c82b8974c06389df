"""What changed between two versions of a process, in words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal

from markupsafe import Markup, escape
from msgspec import Struct

from crmbridge.engine.text import plain
from crmbridge.manual.calendars import said_calendars
from crmbridge.manual.checks import output_name, said_rule
from crmbridge.manual.flow import moves_said
from crmbridge.manual.indicators import aim, notes
from crmbridge.manual.limits import said_sla, said_sla_rule
from crmbridge.manual.speech import Speech
from crmbridge.manual.words import NOTHING, Words
from crmbridge.model.parts import Text
from crmbridge.model.process import Process, Stage
from crmbridge.model.replacing import replace

What = Literal["added", "removed", "changed"]


class Version(Struct, frozen=True):
    """An earlier version of a process, by the name that people know it by, such as its date."""

    name: str
    process: Process


class Change(Struct, frozen=True, kw_only=True):
    """One thing that changed: what kind of thing, which one, and what it says before and after."""

    what: What
    kind: Markup
    name: Markup
    before: Markup = NOTHING
    after: Markup = NOTHING


class ChangedPart(Struct, frozen=True, kw_only=True):
    """The changes of a stage, or of the process as a whole."""

    name: Markup
    changes: tuple[Change, ...]


class Pair(Struct, frozen=True):
    """Two versions in one language, or a stage of each."""

    old: Speech
    new: Speech
    old_stage: Stage | None = None
    new_stage: Stage | None = None

    @property
    def words(self) -> Words:
        """The language that is spoken."""
        return self.new.words


Say = Callable[[Any, Stage | None, Speech], Markup]


def compare(old: Process, new: Process, words: Words) -> tuple[ChangedPart, ...]:
    """Give what changed, the whole process first, then stage by stage; stages that stayed the same are left out."""
    pair = Pair(Speech(_named_as(old, new), words), Speech(new, words))
    parts = [ChangedPart(name=words("the_process"), changes=(*_renamed(old, pair), *_whole(pair)))]
    for stage in new.stages:
        before = old.stage(stage.id)
        if before is not None:
            inner = Pair(pair.old, pair.new, before, stage)
            parts.append(ChangedPart(name=pair.new.text(stage.name), changes=tuple(_stage(inner))))
    return tuple(_unlinked(part) for part in parts if part.changes)


def _unlinked(part: ChangedPart) -> ChangedPart:
    """Take the links out: what was removed has no page any more that they could lead to."""
    changes = tuple(
        replace(one, name=_text(one.name), before=_text(one.before), after=_text(one.after)) for one in part.changes
    )
    return replace(part, changes=changes)


def _text(markup: Markup) -> Markup:
    # What people wrote is escaped, so every bracket is one of ours.
    return Markup(re.sub(r"</?a\b[^>]*>", "", markup))  # noqa: S704  it was markup before


def _named_as(old: Process, new: Process) -> Process:
    """Give the old process with the new names of roles and fields, so that what only names them says the same."""
    named = {}
    for part in ("roles", "fields"):
        names = {one.id: one.name for one in getattr(new, part)}
        named[part] = tuple(one.model_copy(update={"name": names.get(one.id, one.name)}) for one in getattr(old, part))
    return old.model_copy(update=named)


def _renamed(old: Process, pair: Pair) -> Iterator[Change]:
    """Find roles and fields that only have another name."""
    for kind, part in (("role", "roles"), ("field", "fields")):
        names = {one.id: one.name for one in getattr(old, part)}
        for one in getattr(pair.new.process, part):
            before, after = pair.new.text(names.get(one.id, one.name)), pair.new.text(one.name)
            yield from _said(kind, before, after, pair.words)


def _whole(pair: Pair) -> Iterator[Change]:
    old, new, words = pair.old.process, pair.new.process, pair.words
    yield from _texts(pair, {"name": (old.name, new.name), "purpose": (old.purpose, new.purpose)})
    yield from _said("leader", pair.old.role(old.leader), pair.new.role(new.leader), words)
    yield from _listed(pair, "stage", old.stages, new.stages, None)
    order = [[one.id for one in process.stages] for process in (old, new)]
    if order[0] != order[1] and set(order[0]) == set(order[1]):
        before, after = (
            words.listed(speech.stage(one.id) for one in speech.process.stages) for speech in (pair.old, pair.new)
        )
        yield from _said("order", before, after, words)
    before, after = (words("list_space").join(moves_said(speech)) for speech in (pair.old, pair.new))
    yield from _said("moves", before, after, words)
    for kind, say in _WHOLE.items():
        name = {"field": "fields", "sla": "slas", "criteria": "criteria"}.get(kind, f"{kind}s")
        yield from _listed(pair, kind, getattr(old, name), getattr(new, name), say)
    yield from _calendars(pair)


def _stage(pair: Pair) -> Iterator[Change]:
    old, new, words = pair.old_stage, pair.new_stage, pair.words
    if old is None or new is None or old == new:
        return
    yield from _texts(pair, {"name": (old.name, new.name), "purpose": (old.purpose, new.purpose)})
    yield from _said("owner", pair.old.role(old.owner), pair.new.role(new.owner), words)
    for kind, name, say in _STAGE:
        yield from _listed(pair, kind, getattr(old, name), getattr(new, name), say)
    yield from _said("sla", _stay(old, pair.old), _stay(new, pair.new), words)
    yield from _said("handoff", _handoff(old, pair.old), _handoff(new, pair.new), words)
    for kind, name, by in (("touch", "touch_points", _touch_name), ("next", "next", _stage_name)):
        before, after = (
            speech.words.listed(by(one, speech) for one in getattr(stage, name) or ())
            for stage, speech in ((old, pair.old), (new, pair.new))
        )
        yield from _said(kind, before, after, words)


def _texts(pair: Pair, texts: Mapping[str, tuple[Text, Text]]) -> Iterator[Change]:
    for kind, (before, after) in texts.items():
        yield from _said(kind, pair.old.text(before), pair.new.text(after), pair.words)


def _said(kind: str, before: Markup, after: Markup, words: Words) -> Iterator[Change]:
    """Give a change where what is said differs."""
    if before != after:
        what: What = "changed" if before and after else "added" if after else "removed"
        yield Change(what=what, kind=words(f"kind_of_{kind}"), name=Markup(""), before=before, after=after)


def _listed(pair: Pair, kind: str, old: Iterable[Any], new: Iterable[Any], say: Say | None) -> Iterator[Change]:
    """Compare two lists of things by their ids."""
    before, after = ({one.id: one for one in listed} for listed in (old, new))
    for name, one in before.items():
        if name not in after:
            text = say(one, pair.old_stage, pair.old) if say else Markup("")
            yield Change(what="removed", kind=pair.words(f"kind_of_{kind}"), name=_name(one, pair.old), before=text)
    for name, one in after.items():
        text = say(one, pair.new_stage, pair.new) if say else Markup("")
        label = {"kind": pair.words(f"kind_of_{kind}"), "name": _name(one, pair.new)}
        if name not in before:
            yield Change(what="added", **label, after=text)
        elif say is not None and before[name] != one:
            earlier, names = say(before[name], pair.old_stage, pair.old), (_name(before[name], pair.old), label["name"])
            if names[0] != names[1]:
                earlier, text = (_titled(title, said) for title, said in zip(names, (earlier, text), strict=True))
            if earlier != text:
                yield Change(what="changed", **label, before=earlier, after=text)


def _titled(title: Markup, text: Markup) -> Markup:
    return Markup("<b>{}</b> {}").format(title, text)


def _name(one: Any, speech: Speech) -> Markup:
    name = getattr(one, "name", None)
    return speech.text(name) if name is not None else Markup("<code>{}</code>").format(one.id)


def _calendars(pair: Pair) -> Iterator[Change]:
    said = [
        {one.id: Markup(" ").join((*one.facts, *_weeks(one.weeks), *one.special)) for one in said_calendars(speech, ())}
        for speech in (pair.old, pair.new)
    ]
    for name in {**said[0], **said[1]}:
        for change in _said("calendar", said[0].get(name, Markup("")), said[1].get(name, Markup("")), pair.words):
            yield Change(
                what=change.what, kind=change.kind, name=escape(name), before=change.before, after=change.after
            )


def _weeks(weeks: Iterable[tuple[Markup, Iterable[tuple[str, Markup]]]]) -> Iterator[Markup]:
    for heading, days in weeks:
        yield Markup("{}: {}.").format(heading, ", ".join(f"{day} {hours}" for day, hours in days))


def _stay(stage: Stage, speech: Speech) -> Markup:
    if stage.sla is None:
        return Markup("")
    said = said_sla(stage, stage.sla, speech)
    return speech.words("list_space").join((said.headline, *said.details))


def _limit(rule: Any, stage: Stage | None, speech: Speech) -> Markup:
    said = said_sla_rule(rule, stage, speech)
    return speech.words("list_space").join((said.headline, *said.details))


def _handoff(stage: Stage, speech: Speech) -> Markup:
    handoff = stage.handoff
    if handoff is None:
        return Markup("")
    if handoff.accept_within is None:
        return speech.role(handoff.to)
    within = speech.words.duration(handoff.accept_within)
    field = speech.words("in_brackets", x=speech.field(handoff.accepted)) if handoff.accepted else ""
    return speech.words("handoff_short", role=speech.role(handoff.to), time=within) + field


def _rule(rule: Any, stage: Stage | None, speech: Speech) -> Markup:
    if stage is None:
        return Markup("")
    said = said_rule(rule, stage, speech)
    when = speech.words("rule_when", clause=said.when) if said.when else ""
    told = speech.words("rule_told", text=speech.words.quoted(said.told)) if said.told else ""
    return speech.words("list_space").join(
        part for part in (said.must + when + speech.words("stop"), told, *said.notes) if part
    )


def _activity(one: Any, _stage: Stage | None, speech: Speech) -> Markup:
    role = speech.words("done_by", role=speech.role(one.role)) if one.role else ""
    return speech.text(one.how) + role


def _output(one: Any, _stage: Stage | None, speech: Speech) -> Markup:
    return output_name(one, speech)


def _touch_name(name: str, speech: Speech) -> Markup:
    return next((speech.text(one.name) for one in speech.process.touch_points if one.id == name), escape(name))


def _stage_name(name: str, speech: Speech) -> Markup:
    return speech.stage(name)


def _field(one: Any, _stage: Stage | None, speech: Speech) -> Markup:
    options = speech.words("in_brackets", x=speech.words.listed(map(plain, one.options), "or")) if one.options else ""
    return speech.words(f"type_{one.type.value}") + options


def _criteria(one: Any, _stage: Stage | None, speech: Speech) -> Markup:
    return speech.fields_listed(one.fields)


def _indicator(one: Any, _stage: Stage | None, speech: Speech) -> Markup:
    where = speech.words("at_stage", stage=speech.stage(one.stage)) if one.stage else ""
    said = (aim(one, speech) or speech.words("no_target")) + where
    return speech.words("list_space").join((said + speech.words("stop"), *notes(one, speech)))


def _purpose(one: Any, _stage: Stage | None, speech: Speech) -> Markup:
    return speech.text(one.purpose)


def _agreement(one: Any, _stage: Stage | None, speech: Speech) -> Markup:
    return speech.text(one.agreement)


def _material(one: Any, _stage: Stage | None, speech: Speech) -> Markup:
    link = Markup(" <code>{}</code>").format(plain(one.link)) if one.link else ""
    return speech.words(f"material_{one.kind}") + link


_WHOLE: Mapping[str, Say] = {
    "role": _purpose,
    "sla": _limit,
    "field": _field,
    "criteria": _criteria,
    "material": _material,
    "touch_point": _agreement,
    "indicator": _indicator,
}
_STAGE: tuple[tuple[str, str, Say], ...] = (
    ("activity", "activities", _activity),
    ("output", "outputs", _output),
    ("entry", "entry", _rule),
    ("exit", "exit", _rule),
    ("sla", "slas", _limit),
)
