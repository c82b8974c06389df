"""Exit rules as functions, made once for each stage of a process, and asked about one deal after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, partial
from typing import Any, NamedTuple

from msgspec import Struct

from crmbridge.engine.expr.checking import checked
from crmbridge.engine.expr.faults import Fault
from crmbridge.engine.expr.turning import Turning, joined, turning_of
from crmbridge.engine.expr.writing import Writer
from crmbridge.engine.rules.asking import NOT_APPLICABLE, UNKNOWN, output_fields, write_check, write_term
from crmbridge.engine.rules.case import Answer, Case
from crmbridge.engine.rules.expressions import Expression
from crmbridge.engine.rules.rule_fields import deal_fields, deal_options, has_history, looked_at, operands
from crmbridge.engine.rules.words import say
from crmbridge.model.checks import Activities, ActivityCount, Check, Dates, Expr, Outputs
from crmbridge.model.findings import Judgement
from crmbridge.model.process import ExitRule, Process, Stage

Run = Callable[[Any, Any], int]
Write = Callable[[Writer], None]
Say = Callable[[Judgement, int, Case], Answer]


class Prepared(NamedTuple):
    """A check that is ready to be compiled: how it decides, how it says so, what it looks at, and when that matters."""

    write: Write
    say: Say
    fields: tuple[str, ...]
    turning: Turning


class CompiledCheck(NamedTuple):
    """A check that stands in no rule: what decides by it, and which moments matter to that."""

    run: Run
    turning: Turning


class CompiledRule(Struct, frozen=True, dict=True):
    """An exit rule of a stage. `run` gives a code of `asking`; `say` puts it in words; `when` is what narrows it.

    `write` writes how it decides, for who asks it together with others. `names` are all fields of a deal that it looks
    at; `has_history` says whether what it looks at is known of earlier.
    """

    id: str
    rule: ExitRule
    write: Write
    say: Say
    when: tuple[str, ...]
    turning: Turning
    on_unknown: str
    names: frozenset[str]
    has_history: bool

    @cached_property
    def run(self) -> Run:
        """What decides by this rule alone."""
        return _function(self.write)


class CompiledStage(Struct, frozen=True):
    """The exit rules of a stage. `run` gives all their codes, in order.

    `turning` is of its entry rules, too, and so are `counts`: what they count within some time.
    """

    rules: tuple[CompiledRule, ...]
    run: Callable[[Any, Any], tuple[int, ...]]
    turning: Turning
    counts: tuple[ActivityCount, ...]

    @property
    def turns(self) -> bool:
        """Tell whether any of its rules can turn out otherwise with nothing changed."""
        return bool(self.turning or self.counts)


_stages: dict[tuple[int, int], tuple[Process, Stage, CompiledStage]] = {}
_rules: dict[tuple[int, int, int], tuple[Process, Stage, ExitRule, CompiledRule]] = {}
_checks: dict[tuple[int, int, int], tuple[Process, Stage, Check, CompiledCheck]] = {}
MOST_KEPT = 1_000


def compiled_stage(stage: Stage, process: Process) -> CompiledStage:
    """Give the compiled rules of a stage; compiled when it is asked for the first time."""
    key = id(stage), id(process)
    found = _stages.get(key)
    if found is None:
        if len(_stages) >= MOST_KEPT:
            _stages.clear()
        # What it was made from is kept beside it, so that nothing else gets its identity.
        found = _stages[key] = (process, stage, _compile_stage(stage, process))
    return found[2]


def compiled_rule(rule: ExitRule, stage: Stage, process: Process) -> CompiledRule:
    """Give one compiled rule, of the stage or not."""
    key = id(rule), id(stage), id(process)
    found = _rules.get(key)
    if found is None:
        if len(_rules) >= MOST_KEPT:
            _rules.clear()
        found = _rules[key] = (process, stage, rule, _compile_rule(rule, stage, process))
    return found[3]


def compiled_check(check: Check, stage: Stage, process: Process) -> CompiledCheck:
    """Give one compiled check that stands in no rule."""
    key = id(check), id(stage), id(process)
    found = _checks.get(key)
    if found is None:
        if len(_checks) >= MOST_KEPT:
            _checks.clear()
        prepared = _prepare(check, stage, process)
        made = CompiledCheck(_function(prepared.write), prepared.turning)
        found = _checks[key] = (process, stage, check, made)
    return found[3]


def _compile_stage(stage: Stage, process: Process) -> CompiledStage:
    rules = tuple(_compile_rule(rule, stage, process) for rule in stage.exit)
    entry = [_compile_rule(rule, stage, process) for rule in stage.entry]
    turning = joined([rule.turning for rule in (*entry, *rules)])
    return CompiledStage(rules, _together(rules), turning, tuple(_counts(stage)))


def _together(rules: Iterable[CompiledRule]) -> Callable[[Any, Any], tuple[int, ...]]:
    """Compile rules as one function, in which each field is read once however many of them look at it."""
    writer = Writer()
    codes = "".join(f"{_answer(rule.write, writer)}, " for rule in rules)
    writer.line(f"return ({codes})")
    return writer.function()


def _counts(stage: Stage) -> Iterator[ActivityCount]:
    """Give what the rules of a stage count within some time."""
    for rule in stage.rules:
        for check in (rule.check, rule.when):
            if isinstance(check, Activities) and check.activities.within is not None:
                yield check.activities


def _compile_rule(rule: ExitRule, stage: Stage, process: Process) -> CompiledRule:
    check = _prepare(rule.check, stage, process)
    when = _prepare(rule.when, stage, process) if rule.when is not None else None
    return CompiledRule(
        id=f"{stage.id}.{rule.id}",
        rule=rule,
        write=partial(_write_narrowed, check.write, when.write) if when else check.write,
        say=check.say,
        when=when.fields if when else (),
        turning=joined([check.turning, *([when.turning] if when else [])]),
        on_unknown=rule.on_unknown.value,
        names=looked_at(rule, stage),
        has_history=has_history(rule),
    )


def _write_narrowed(check: Write, when: Write, writer: Writer) -> None:
    # Who is not asked is not judged: a condition that does not hold, or can't be decided.
    writer.answer(NOT_APPLICABLE, f"{_answer(when, writer)} & 3")
    check(writer)


def _answer(write: Write, writer: Writer) -> str:
    with writer.answering() as name:
        write(writer)
    return name


def _function(write: Write) -> Run:
    writer = Writer()
    writer.line(f"return {_answer(write, writer)}")
    return writer.function()


def _prepare(check: Check, stage: Stage, process: Process) -> Prepared:
    if isinstance(check, Expr):
        return _prepare_expr(check, process)
    fields = tuple(operand.name for operand in operands((), check))
    if isinstance(check, Outputs):
        fields = output_fields(check, stage) or ()
    return Prepared(
        write=partial(write_check, check, stage),
        say=partial(say, check),
        fields=fields,
        turning=Turning(daily=isinstance(check, Dates)),
    )


def _prepare_expr(check: Expr, process: Process) -> Prepared:
    term, faults = checked(check.expr, deal_fields(process), deal_options(process))
    if term is None:
        return Prepared(_write_unknown, partial(_say_unreadable, faults[0]), (), Turning())
    said = Expression(check.expr, term)
    return Prepared(partial(write_term, term), said.say, said.fields, turning_of(term))


def _write_unknown(writer: Writer) -> None:
    writer.answer(UNKNOWN)


def _say_unreadable(fault: Fault, judgement: Judgement, _reason: int, _case: Case) -> Answer:
    # `check` refuses such a file; a process that was made otherwise may still hold one.
    return Answer(judgement=judgement, message=f"The expression makes no sense: {fault.sentence}.")
