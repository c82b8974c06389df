"""Review: is each step needed? What the history says of stages, moves, rules and activities, with sample sizes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from statistics import median

from msgspec import Struct, field

from crmbridge.engine.deals.subject import Subject
from crmbridge.engine.evaluating.evaluate import MOVE_RULE
from crmbridge.engine.evaluating.journeys import DAY, Ending, detours, ending_of, types_done, used_times
from crmbridge.engine.evaluating.replay import Replay, replay
from crmbridge.engine.rules.outputs import says_yes
from crmbridge.model.process import Process, Stage
from crmbridge.model.records import Status
from crmbridge.services.answers.replaying import subjects
from crmbridge.services.answers.review import (
    FEW,
    Effect,
    IdleRule,
    IllegalMoves,
    Loop,
    Review,
    Sample,
    Skips,
    StageUse,
)
from crmbridge.services.answers.simulating import EVERY, RuleChange, RuleCounting
from crmbridge.services.bulk import made_for_bulk
from crmbridge.services.workspace import Workspace


@made_for_bulk()
def review(workspace: Workspace, since: datetime) -> Review:
    """Go through the history of all deals since a moment. Nothing is saved or written."""
    now = workspace.clock.now()
    counting = _Counting(workspace, since, now)
    for deals, subject in enumerate(subjects(workspace), start=1):
        counting.add(subject, replay(subject, since, now))
        if deals % EVERY == 0:
            workspace.progress("review", f"{deals} deals")
    return counting.review()


class _Won(Struct):
    """Counts deals that ended, with something and without it."""

    counts: Counter[tuple[str, bool, bool]] = field(default_factory=Counter)

    def add(self, name: str, *, has: bool, won: bool) -> None:
        self.counts[name, has, won] += 1

    def effect(self, about: str, id_: str, name: str) -> Effect:
        samples = [
            Sample(won=self.counts[id_, has, True], deals=self.counts[id_, has, True] + self.counts[id_, has, False])
            for has in (True, False)
        ]
        return Effect(about=about, id=id_, name=name, having=samples[0], lacking=samples[1])


class _Counting:
    """Adds up what deals come to."""

    def __init__(self, workspace: Workspace, since: datetime, now: datetime) -> None:
        self._process, self._since, self._now = workspace.project.process, since, now
        self._rules = RuleCounting.of(workspace)
        self._deals = self._without = 0
        self._passed: Counter[str] = Counter()
        self._skipped: Counter[str] = Counter()
        self._loops: dict[tuple[str, str], list[tuple[str, timedelta]]] = defaultdict(list)
        self._illegal: dict[str, list[str]] = defaultdict(list)
        self._time: dict[str, list[tuple[float, float]]] = defaultdict(list)
        self._types = _Won()
        self._outputs = _Won()
        self._stages = _Won()
        self._ended: Counter[Status] = Counter()
        self._known_ends: Counter[bool] = Counter()  # of deals whose activities are known, by whether they were won

    def add(self, subject: Subject, played: Replay) -> None:
        """Count one deal."""
        ending = ending_of(subject, played.visits)
        if ending is not None and ending.at < self._since and not played.steps:
            return
        self._deals += 1
        self._rules.add(subject, None, played)
        self._add_moves(subject, played)
        self._add_time(subject, played)
        if ending is not None and ending.at >= self._since:
            self._add_ending(subject, played, ending)

    def _add_moves(self, subject: Subject, played: Replay) -> None:
        deal = str(subject.deal.ref)
        for step in played.steps:
            for stage in step.move.left_behind if step.move else ():
                self._passed[stage.id] += 1
                self._skipped[stage.id] += step.move is not None and step.move.source.stage != stage.id
            if MOVE_RULE in step.flagged:
                self._illegal[step.illegal.value if step.illegal else "not_permitted"].append(deal)
        for detour in detours(played.visits, self._since):
            self._loops[detour.first, detour.second].append((deal, detour.took))

    def _add_time(self, subject: Subject, played: Replay) -> None:
        if subject.activities is None:
            self._without += 1
            return
        for used in used_times(played.visits, subject.activities, self._since, self._now):
            self._time[used.stage].append((used.working, used.waiting))

    def _add_ending(self, subject: Subject, played: Replay, ending: Ending) -> None:
        won = ending.status is Status.WON
        self._ended[ending.status] += 1
        if subject.activities is not None:
            self._known_ends[won] += 1
            for kind in types_done(subject.activities, ending.at):
                self._types.add(kind, has=True, won=won)
        visited = {visit.stage for visit in played.visits}
        furthest = max((self._process.order(stage) for stage in visited), default=-1)
        for order, stage in enumerate(self._process.stages):
            if stage.status == "open" and order <= furthest:
                self._stages.add(stage.id, has=stage.id in visited, won=won)
                self._add_outputs(subject, stage, won=won)

    def _add_outputs(self, subject: Subject, stage: Stage, *, won: bool) -> None:
        fields = {output.id: output.field for output in stage.outputs if output.field is not None}
        for activity in stage.activities:
            named = [fields[output] for output in activity.outputs if output in fields]
            if named:
                there = all(says_yes(subject.deal.fields.get(name)) for name in named)
                self._outputs.add(f"{stage.id}.{activity.id}", has=there, won=won)

    def review(self) -> Review:
        """Give what was counted."""
        idle, rarely = _idle_rules(self._rules.changes())
        return Review(
            since=self._since,
            until=self._now,
            deals=self._deals,
            closed=self._ended.total(),
            moves=self._rules.moves,
            skips=tuple(self._skips()),
            loops=tuple(self._found_loops()),
            illegal=tuple(
                IllegalMoves(kind=kind, moves=len(deals), deals=len(set(deals)))
                for kind, deals in sorted(self._illegal.items(), key=lambda each: -len(each[1]))
            ),
            time=tuple(self._used()),
            without_activities=self._without,
            rules=idle,
            rarely_judged=rarely,
            effects=(*self._type_effects(), *self._output_effects()),
            stages=tuple(self._stages.effect("stage", s.id, str(s.name)) for s in _open_stages(self._process)),
        )

    def _skips(self) -> Iterator[Skips]:
        for stage in self._process.stages:
            if self._passed[stage.id]:
                passed, skipped = self._passed[stage.id], self._skipped[stage.id]
                yield Skips(stage=stage.id, name=str(stage.name), passed=passed, skipped=skipped)

    def _found_loops(self) -> Iterator[Loop]:
        for (first, second), found in sorted(self._loops.items(), key=lambda each: (-len(each[1]), each[0])):
            deals = {deal for deal, _ in found}
            days = median(took / DAY for _, took in found)
            yield Loop(first=first, second=second, times=len(found), deals=len(deals), median_days=days)

    def _used(self) -> Iterator[StageUse]:
        for stage in _open_stages(self._process):
            found = self._time.get(stage.id, [])
            if found:
                yield StageUse(
                    stage=stage.id,
                    name=str(stage.name),
                    visits=len(found),
                    working_days=sum(working for working, _ in found),
                    waiting_days=sum(waiting for _, waiting in found),
                )

    def _type_effects(self) -> Iterator[Effect]:
        """Compare by type of activity; the deals without one are those of the others whose activities are known."""
        for kind in sorted({name for name, _, _ in self._types.counts}):
            for won in (True, False):
                self._types.counts[kind, False, won] = self._known_ends[won] - self._types.counts[kind, True, won]
            yield self._types.effect("activity", kind, kind)

    def _output_effects(self) -> Iterator[Effect]:
        for stage in _open_stages(self._process):
            for activity in stage.activities:
                id_ = f"{stage.id}.{activity.id}"
                effect = self._outputs.effect("output", id_, str(activity.name))
                if effect.having.deals or effect.lacking.deals:
                    yield effect


def _open_stages(process: Process) -> Collection[Stage]:
    return [stage for stage in process.stages if stage.status == "open"]


def _idle_rules(changes: Iterator[RuleChange]) -> tuple[tuple[IdleRule, ...], int]:
    """Give the rules that never failed or always did, and how many were judged too seldom to say."""
    found, rarely = [], 0
    for change in changes:
        tally = change.after
        if tally is None or change.is_sla or change.rule == MOVE_RULE:
            continue
        if tally.judged < FEW:
            rarely += 1
        elif tally.failed in {0, tally.judged} and not (tally.failed == 0 and tally.unknown):
            always = tally.failed > 0
            found.append(IdleRule(rule=change.rule, place=change.place, judged=tally.judged, always=always))
    return tuple(found), rarely
