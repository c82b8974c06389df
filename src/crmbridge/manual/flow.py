"""How deals go through the process: its stages, the arrows between them, and the same in words."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Literal

from markupsafe import Markup
from msgspec import Struct

from crmbridge.engine.coherence.stage_flow import flow_of
from crmbridge.manual.speech import Speech
from crmbridge.model.process import Process, Stage, TouchPoint

LOST = "lost"
Kind = Literal["forward", "skip", "back", "lost"]


class Arrow(Struct, frozen=True):
    """One way that a deal can go; `target` is `lost` for deals that are lost. `label` is not escaped."""

    source: str
    target: str
    kind: Kind
    label: str = ""


def arrows(speech: Speech) -> tuple[Arrow, ...]:
    """Give every way that a deal can go, backwards only from each stage to the one before it."""
    return (*_forward(speech), *_backward(speech.process), *_lost(speech.process))


def _forward(speech: Speech) -> Iterator[Arrow]:
    process = speech.process
    ids = [stage.id for stage in process.stages]
    for stage in process.stages:
        named = stage.next if stage.next is not None else tuple(ids[ids.index(stage.id) + 1 :][:1])
        for target in flow_of(process)[stage.id]:
            kind: Kind = "forward" if target in named else "skip"
            yield Arrow(stage.id, target, kind, handoff_label(stage, speech) if kind == "forward" else "")


def handoff_label(stage: Stage, speech: Speech) -> str:
    """Say in a few words who takes over, and in what time; nothing where the owner keeps the deal."""
    handoff, words = stage.handoff, speech.words
    if handoff is None or (handoff.to == stage.owner and handoff.accept_within is None):
        return ""
    role = role_name(handoff.to, speech)
    if handoff.accept_within is None:
        return words("flow_handoff", role=role).unescape()
    time = words.duration(handoff.accept_within)
    return words("flow_handoff_within", role=role, time=time).unescape()


def role_name(role_id: str, speech: Speech) -> str:
    """Give a role's name as characters."""
    return next((speech.plain(role.name) for role in speech.process.roles if role.id == role_id), role_id)


def _backward(process: Process) -> Iterator[Arrow]:
    if process.moves.back is False:
        return
    open_stages = [stage for stage in process.stages if stage.status == "open"]
    for before, stage in pairwise(open_stages):
        yield Arrow(stage.id, before.id, "back")


def _lost(process: Process) -> Iterator[Arrow]:
    yield from (Arrow(stage.id, LOST, "lost") for stage in process.stages if stage.status == "open")


def moves_said(speech: Speech) -> tuple[Markup, ...]:
    """Say which moves are allowed, and who makes them."""
    moves, words = speech.process.moves, speech.words
    said = [words("moves_forward"), words("moves_skip" if moves.skip else "moves_no_skip")]
    if moves.back == "with_reason":
        said.append(words("moves_back_reason", field=speech.field(moves.reason or "")))
    else:
        said.append(words("moves_back" if moves.back else "moves_no_back"))
    said.append(words("moves_reopen" if moves.reopen else "moves_no_reopen"))
    said += [
        words("moves_who", stage=speech.stage(stage_id), who=speech.people(who)) for stage_id, who in moves.who.items()
    ]
    return tuple(said)


def twin(speech: Speech) -> tuple[Markup, ...]:
    """Say the chart in words, one sentence a stage."""
    words = speech.words
    said = []
    for stage in speech.process.stages:
        targets = [arrow for arrow in _forward(speech) if arrow.source == stage.id and arrow.kind == "forward"]
        parts = {"stage": speech.stage(stage.id), "owner": speech.role(stage.owner)}
        text = words("twin_stage", **parts)
        if targets:
            label = next((arrow.label for arrow in targets if arrow.label), "")
            to = words.listed((speech.stage(arrow.target) for arrow in targets), "or")
            text += words("twin_next", to=to, how=words("in_brackets", x=label) if label else "")
        elif stage.status == "won":
            text += words("twin_won")
        said.append(text + _meets(stage, speech))
    return tuple(said)


def _meets(stage: Stage, speech: Speech) -> Markup:
    """Say which departments sales meets in a stage."""
    points = [one for name in stage.touch_points for one in speech.process.touch_points if one.id == name]
    met = (department_met(one, speech) for one in points)
    return speech.words("twin_touch", list=speech.words.listed(met)) if points else Markup("")


def department_met(point: TouchPoint, speech: Speech) -> Markup:
    """Name a department, and what it and sales owe each other."""
    return speech.words("named", name=speech.words(f"department_{point.department}"), what=speech.plain(point.name))
