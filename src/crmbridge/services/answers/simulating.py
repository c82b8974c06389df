"""Simulate rules: what a process, or a changed one, would have found in the stored history. Nothing is saved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from msgspec import Struct, field

from crmbridge.engine.deals.subject import Subject
from crmbridge.engine.evaluating.evaluate import MOVE_RULE
from crmbridge.engine.evaluating.replay import Replay, replay
from crmbridge.engine.mapping import StageMapper, stage_mapper
from crmbridge.model.findings import Judgement, SlaState
from crmbridge.model.process import Process
from crmbridge.model.records import Ref
from crmbridge.model.replacing import replace
from crmbridge.services.answers.replaying import calendars_of, subjects
from crmbridge.services.bulk import made_for_bulk
from crmbridge.services.projects.checking import load_process, rule_places
from crmbridge.services.workspace import Workspace

EXAMPLES = 5  # deals named per rule
EVERY = 1000  # deals between two words of progress


class Candidate(Struct, frozen=True, kw_only=True):
    """A process that is tried out, and where its rules stand."""

    process: Process
    places: Mapping[str, str]


class RuleTally(Struct, kw_only=True):
    """What one rule said of how many moves, or one SLA of how many visits."""

    judged: int = 0  # decided or not, but for what it does not apply to
    failed: int = 0
    unknown: int = 0
    at_risk: int = 0  # visits that are running and past the warning
    of_today: int = 0  # judged by a value of today, as that of then is not known
    deals: int = 0  # with a finding of it

    @property
    def share(self) -> float | None:
        """Give the share that failed; of nothing, there is none."""
        return self.failed / self.judged if self.judged else None


class Example(Struct, frozen=True):
    """A deal that a rule is about, by its ref and name."""

    ref: Ref
    name: str


class RuleChange(Struct, kw_only=True):
    """One rule under the process as it is and under the one that is tried, and the deals it makes a difference to."""

    rule: str
    place: str
    is_sla: bool
    before: RuleTally | None  # None: only the process that is tried has it
    after: RuleTally | None  # None: only the process as it is has it
    newly: int = 0
    no_longer: int = 0
    newly_examples: list[Example] = field(default_factory=list)
    no_longer_examples: list[Example] = field(default_factory=list)


class Simulation(Struct, frozen=True, kw_only=True):
    """What came of playing the history again. `compared` tells whether another process was tried."""

    since: datetime
    until: datetime
    compared: bool
    deals: int
    moves: int
    rules: tuple[RuleChange, ...]


def read_candidate(path: Path) -> Candidate:
    """Read a process that is to be tried; raises InvalidFilesError with every diagnostic where it is wrong."""
    process, source = load_process(path)
    return Candidate(process=process, places=rule_places(process, source, str(path)))


@made_for_bulk()
def simulate(workspace: Workspace, since: datetime, candidate: Candidate | None = None) -> Simulation:
    """Play the moves and visits since a moment again, under the project's process and the candidate."""
    now = workspace.clock.now()
    project = workspace.project
    tried = candidate or Candidate(process=project.process, places=project.places)
    counting = RuleCounting(workspace, tried, compared=candidate is not None)
    for deals, pair in enumerate(_pairs(workspace, tried.process, compared=candidate is not None), start=1):
        before, after = pair
        played = replay(after, since, now)
        counting.add(after, replay(before, since, now) if before is not None else None, played)
        if deals % EVERY == 0:
            workspace.progress("replay", f"{deals} deals")
    return Simulation(
        since=since,
        until=now,
        compared=candidate is not None,
        deals=counting.deals,
        moves=counting.moves,
        rules=tuple(counting.changes()),
    )


def _pairs(workspace: Workspace, process: Process, *, compared: bool) -> Iterator[tuple[Subject | None, Subject]]:
    """Give each deal before the process as it is, where that is compared, and before the one that is tried."""
    project = workspace.project
    if not compared:
        yield from ((None, subject) for subject in subjects(workspace, process))
        return
    calendars = calendars_of(workspace, project.process)
    stages = project.settings.stages
    mappers: dict[str, StageMapper] = {
        name: stage_mapper(name, project.process, stages.get(name)) for name in workspace.connections
    }
    for subject in subjects(workspace, process):
        mapper = mappers[subject.deal.ref.connection]
        yield replace(subject, process=project.process, calendars=calendars, mapper=mapper), subject


class RuleCounting:
    """Adds up what deals come to, rule by rule."""

    def __init__(self, workspace: Workspace, tried: Candidate, *, compared: bool) -> None:
        after, before = tried.process.rule_ids(), workspace.project.process.rule_ids() if compared else ()
        self.deals = self.moves = 0
        at_moves = {*_judged_at_moves(tried.process), *_judged_at_moves(workspace.project.process)}
        self._changes = {
            rule: RuleChange(
                rule=rule,
                place=tried.places.get(rule) or workspace.project.places.get(rule, ""),
                is_sla=rule not in at_moves,
                before=RuleTally() if rule in before else None,
                after=RuleTally() if rule in after else None,
            )
            for rule in dict.fromkeys((*after, *before))
        }

    @classmethod
    def of(cls, workspace: Workspace) -> RuleCounting:
        """Count for the project's process alone."""
        project = workspace.project
        return cls(workspace, Candidate(process=project.process, places=project.places), compared=False)

    def add(self, subject: Subject, before: Replay | None, after: Replay) -> None:
        """Count one deal."""
        if not (after.steps or after.clocks or (before and before.clocks)):
            return
        self.deals += 1
        self.moves += sum(step.move is not None for step in after.steps)
        if before is not None:
            self._count(before, {rule: change.before for rule, change in self._changes.items() if change.before})
        self._count(after, {rule: change.after for rule, change in self._changes.items() if change.after})
        if before is not None:
            self._differences(subject, before.flagged, after.flagged)

    def changes(self) -> Iterator[RuleChange]:
        """Give what was counted: the rules in the order of the process."""
        yield from self._changes.values()

    def _count(self, played: Replay, tallies: Mapping[str, RuleTally]) -> None:
        for step in played.steps:
            for ruling in step.rulings:
                _count_ruling(tallies[ruling.rule], ruling.judgement, of_today=ruling.of_today)
            if step.move is not None:
                tallies[MOVE_RULE].judged += 1
                tallies[MOVE_RULE].failed += MOVE_RULE in step.flagged
        for clock in (clock for clock in played.clocks if clock.sla in tallies):
            tally = tallies[clock.sla]
            tally.judged += 1
            tally.failed += clock.state is SlaState.BREACHED
            tally.at_risk += clock.state is SlaState.AT_RISK
        for rule in played.flagged & tallies.keys():
            tallies[rule].deals += 1

    def _differences(self, subject: Subject, before: frozenset[str], after: frozenset[str]) -> None:
        for rule in (after - before) & self._changes.keys():
            change = self._changes[rule]
            change.newly += 1
            _name(subject, change.newly_examples)
        for rule in (before - after) & self._changes.keys():
            change = self._changes[rule]
            change.no_longer += 1
            _name(subject, change.no_longer_examples)


def _judged_at_moves(process: Process) -> Iterator[str]:
    """Name the rules of a process that speak of moves; the others are its SLAs."""
    yield MOVE_RULE
    yield from (f"{stage.id}.{rule.id}" for stage in process.stages for rule in stage.rules)


def _count_ruling(tally: RuleTally, judgement: Judgement, *, of_today: bool) -> None:
    if judgement is Judgement.NOT_APPLICABLE:
        return
    tally.judged += 1
    tally.failed += judgement is Judgement.FAIL
    tally.unknown += judgement is Judgement.UNKNOWN
    tally.of_today += of_today


def _name(subject: Subject, examples: list[Example]) -> None:
    if len(examples) < EXAMPLES:
        examples.append(Example(subject.deal.ref, str(subject.deal.fields.get("name") or "")))
