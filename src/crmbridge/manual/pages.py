"""The pages of the manual in one language: what each is called, and what stands on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from msgspec import Struct, field

from crmbridge.engine.text import plain
from crmbridge.manual import flow
from crmbridge.manual.calendars import said_calendars
from crmbridge.manual.checks import clause, output_name, said_rule
from crmbridge.manual.comparing import Version, compare
from crmbridge.manual.first_week import first_week, material, questions
from crmbridge.manual.flow_svg import svg
from crmbridge.manual.indicators import Definitions, said_indicators
from crmbridge.manual.limits import said_handoff, said_sla, said_sla_rule
from crmbridge.manual.roles import Clock, duties_of
from crmbridge.manual.speech import Speech
from crmbridge.model.process import Activity, Role, Stage
from crmbridge.model.records import STANDARD_FIELDS, Kind

PRODUCT_WORDS = (
    "deal",
    "stage",
    "visit",
    "exit_rule",
    "entry_rule",
    "sla",
    "business_time",
    "handoff",
    "finding",
    "waiver",
    "criteria",
    "indicator",
    "touch_point",
    "activity",
    "output",
    "material",
)


class Page(Struct, frozen=True, kw_only=True):
    """A page: its file's name without `.html`, its title as characters, and its body."""

    name: str
    title: str
    body: Markup


class Source(Struct, frozen=True, kw_only=True):
    """What the pages of one language are made from; `years` are those whose public holidays are listed."""

    speech: Speech
    definitions: Definitions = field(default_factory=dict)
    earlier: Sequence[Version] = ()
    years: Sequence[int] = ()


def pages(source: Source) -> Iterator[Page]:
    """Make every page but the search and the one that has them all."""
    process = source.speech.process
    yield _start(source)
    for number, stage in enumerate(process.stages, start=1):
        yield _stage(stage, number, source)
    yield from (_role(role, source) for role in process.roles)
    yield _flow(source)
    yield _indicators(source)
    yield _glossary(source)
    yield _calendars(source)
    yield _changes(source)


def _start(source: Source) -> Page:
    speech = source.speech
    duties = [duties_of(role, speech) for role in speech.process.roles]
    clocks = {(clock.stage.id if clock.stage else "", clock.limit.id): clock for one in duties for clock in one.clocks}
    due = sorted(clocks.values(), key=lambda clock: clock.limit.hours)
    values = {
        "purpose": speech.text(speech.process.purpose),
        "leader": speech.role(speech.process.leader),
        "roles": duties,
        "stages": [_card(stage, speech) for stage in speech.process.stages],
        "due": [(clock, _whose(clock, speech)) for clock in due],
    }
    return _page("index", speech.plain(speech.process.name), "start", source, values)


def _card(stage: Stage, speech: Speech) -> dict[str, Any]:
    label = flow.handoff_label(stage, speech)
    return {
        "stage": stage,
        "owner": speech.role(stage.owner),
        "limit": speech.words.duration(stage.sla.goal) if stage.sla else None,
        "rules": len(stage.exit),
        "handoff": label,
    }


def _whose(clock: Clock, speech: Speech) -> Markup:
    if clock.stage is None:
        return speech.words.listed(speech.role(one) for one in dict.fromkeys(s.owner for s in speech.process.stages))
    handoff = clock.stage.handoff
    return speech.role(handoff.to if clock.limit.id == "handoff" and handoff else clock.stage.owner)


def _stage(stage: Stage, number: int, source: Source) -> Page:
    speech = source.speech
    stages = speech.process.stages
    points = [one for name in stage.touch_points for one in speech.process.touch_points if one.id == name]
    handoff = stage.handoff
    values = {
        "stage": stage,
        "number": number,
        "stages": stages,
        "activities": [_activity(one, stage, speech) for one in stage.activities],
        "outputs": [output_name(one, speech) for one in stage.outputs],
        "entry": [said_rule(rule, stage, speech) for rule in stage.entry],
        "exit": [said_rule(rule, stage, speech) for rule in stage.exit],
        "stay": said_sla(stage, stage.sla, speech) if stage.sla else None,
        "slas": [said_sla_rule(rule, stage, speech) for rule in stage.slas],
        "handoff": said_handoff(stage, handoff, speech) if handoff else None,
        "onward": [
            arrow.target for arrow in flow.arrows(speech) if (arrow.source, arrow.kind) == (stage.id, "forward")
        ],
        "movers": speech.people(stage_movers) if (stage_movers := speech.process.moves.who.get(stage.id)) else None,
        "points": points,
    }
    return _page(f"stage-{stage.id}", speech.plain(stage.name), "stage", source, values)


def _activity(one: Activity, stage: Stage, speech: Speech) -> dict[str, Any]:
    outputs = {output.id: output for output in stage.outputs}
    known = {each.id: each for each in speech.process.materials}
    return {
        "id": one.id,
        "name": speech.text(one.name),
        "how": speech.block(one.how),
        "role": speech.role(one.role) if one.role and one.role != stage.owner else None,
        "materials": [
            (material(known[each], speech), speech.words(f"material_{known[each].kind}"), known[each])
            for each in one.materials
            if each in known
        ],
        "outputs": [output_name(outputs[each], speech) for each in one.outputs if each in outputs],
    }


def _role(role: Role, source: Source) -> Page:
    speech = source.speech
    duties = duties_of(role, speech)
    values = {
        "duties": duties,
        "rules": {
            part.stage.id: [said_rule(rule, part.stage, speech) for rule in part.stage.exit]
            for part in duties.parts
            if part.owned
        },
        "approvals": [
            (stage, said_rule(next(one for one in stage.rules if one.id == rule), stage, speech))
            for stage, rule in duties.approvals
        ],
        "week": first_week(duties, speech),
        "questions": questions(duties, speech),
        "indicators": [one for one in said_indicators(speech, {}) if one.id in {each.id for each in duties.indicators}],
        "handoffs": {stage.id: said_handoff(stage, stage.handoff, speech) for stage in duties.taken if stage.handoff},
        "given": {stage.id: said_handoff(stage, stage.handoff, speech) for stage in duties.given if stage.handoff},
    }
    return _page(f"role-{role.id}", speech.plain(role.name), "role", source, values)


def _flow(source: Source) -> Page:
    speech = source.speech
    values = {
        "chart": svg(speech),
        "twin": flow.twin(speech),
        "moves": flow.moves_said(speech),
        "kinds": {arrow.kind for arrow in flow.arrows(speech)},
    }
    return _page("flow", _plain(speech.words("page_flow")), "flow", source, values)


def _indicators(source: Source) -> Page:
    speech = source.speech
    values = {"indicators": list(said_indicators(speech, source.definitions))}
    return _page("indicators", _plain(speech.words("page_indicators")), "indicators", source, values)


def _glossary(source: Source) -> Page:
    speech = source.speech
    own = [
        (one.id, speech.text(one.name), speech.words(f"type_{one.type.value}"), speech.text(one.help), one.options)
        for one in speech.process.fields
    ]
    known = {one.id for one in speech.process.fields}
    standard = [
        (name, speech.field_name(name), speech.words(f"type_{kind.value}"), Markup(""), ())
        for name, kind in STANDARD_FIELDS[Kind.DEAL].items()
        if name not in known
    ]
    values = {
        "product": [(word, speech.words(f"word_{word}"), speech.words(f"means_{word}")) for word in PRODUCT_WORDS],
        "criteria": speech.process.criteria,
        "fields": [*own, *standard],
        "materials": [
            (one, material(one, speech), speech.words(f"material_{one.kind}")) for one in speech.process.materials
        ],
    }
    return _page("glossary", _plain(speech.words("page_glossary")), "glossary", source, values)


def _calendars(source: Source) -> Page:
    speech = source.speech
    values = {"calendars": list(said_calendars(speech, source.years))}
    return _page("calendars", _plain(speech.words("page_calendars")), "calendars", source, values)


def _changes(source: Source) -> Page:
    speech = source.speech
    versions = [*source.earlier, Version("", speech.process)]
    logs = [
        (plain(old.name), plain(new.name), compare(old.process, new.process, speech.words))
        for old, new in pairwise(versions)
    ]
    return _page("changes", _plain(speech.words("page_changes")), "changes", source, {"logs": logs[::-1]})


def _page(name: str, title: str, template: str, source: Source, values: Mapping[str, Any]) -> Page:
    speech = source.speech
    body = (
        templates()
        .get_template(f"{template}.html.j2")
        .render(values, w=speech.words, s=speech, clause=lambda check: clause(check, None, speech), title=title)
    )
    return Page(name=name, title=title, body=Markup(body))  # noqa: S704  rendered with escaping


def _plain(text: Markup) -> str:
    return str(text.unescape())


@cache
def templates() -> Environment:
    """Give the templates of the manual."""
    made = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["said"] = lambda text, speech: speech.text(text)
    made.filters["line"] = plain
    return made
