"""How each check decides: lines of Python that end by answering with a code.

A code is one of the four below in its last two bits; the rest is the reason, which the check's words start from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from crmbridge.engine.expr import runtime
from crmbridge.engine.expr.compiling import emit, emit_empty, emit_number
from crmbridge.engine.expr.faults import Span
from crmbridge.engine.expr.terms import DATE, Field, Joined, Term
from crmbridge.engine.expr.writing import Writer
from crmbridge.engine.rules.beside import answer, approver_misfit
from crmbridge.engine.rules.case import Case
from crmbridge.engine.rules.outputs import shown_by_files
from crmbridge.model import checks
from crmbridge.model.findings import Judgement
from crmbridge.model.process import Stage

PASS, FAIL, UNKNOWN, NOT_APPLICABLE = range(4)
JUDGEMENTS = (Judgement.PASS, Judgement.FAIL, Judgement.UNKNOWN, Judgement.NOT_APPLICABLE)
_NOWHERE = Span(0, 0)


def write_check(check: Any, stage: Stage, writer: Writer) -> None:
    """Write how a check of a stage decides; expressions are written by `write_term`."""
    _CHECKS[type(check)](check, stage, writer)


def write_term(term: Term, writer: Writer) -> None:
    """Write how an expression decides.

    Where all of several must hold, the reason is the number of the one that decides.
    """
    operands = term.operands if isinstance(term, Joined) and term.op == "&&" else (term,)
    if len(operands) == 1:
        whole = emit(term, writer).name
        writer.answer(f"{PASS} if {whole} else {UNKNOWN} if {whole} is None else {FAIL}")
        return
    code = writer.new("0")
    for number, operand in enumerate(operands):
        held = emit(operand, writer)
        with writer.block(f"if {held.name} is not True:"):
            writer.answer(FAIL | number << 2, f"{held.name} is False")
            writer.line(f"if not {code}: {code} = {UNKNOWN | number << 2}")
    writer.answer(code)


def activity_field(check: checks.Activities) -> str:
    """Name the field that counts the activities that a check asks for."""
    state = check.activities.state
    return "activities" if state == "any" else f"activities_{state}"


def output_fields(check: checks.Outputs, stage: Stage) -> tuple[str, ...] | None:
    """Name the fields that show a stage's outputs; None when the stage has no such field for all of them."""
    fields = {output.id: output.field for output in stage.outputs if output.field is not None}
    return tuple(fields[output] for output in check.outputs) if fields.keys() >= set(check.outputs) else None


def counted_fields(check: checks.Check, stage: Stage) -> tuple[Sequence[str], int] | None:
    """Give the fields of which a check counts the ones that are filled in, and how many it needs; None for others."""
    if isinstance(check, checks.Required):
        return check.required, len(check.required)
    if isinstance(check, checks.AtLeast):
        return check.of, check.at_least
    if not isinstance(check, checks.Outputs) or shown_by_files(check, stage):
        return None
    fields = output_fields(check, stage)
    return None if fields is None else (fields, len(fields))


def _required(check: checks.Required, _stage: Stage, writer: Writer) -> None:
    _count(check.required, len(check.required), writer, yes=False)


def _at_least(check: checks.AtLeast, _stage: Stage, writer: Writer) -> None:
    _count(check.of, check.at_least, writer, yes=True)


def _outputs(check: checks.Outputs, stage: Stage, writer: Writer) -> None:
    if shown_by_files(check, stage):
        _beside(check, stage, writer)
        return
    fields = output_fields(check, stage)
    if fields is None:
        writer.answer(UNKNOWN)
    else:
        _count(fields, len(fields), writer, yes=True)


def _count(fields: Sequence[str], needed: int, writer: Writer, *, yes: bool) -> None:
    """Write that so many fields must be filled in; the reason has a bit for each that is not.

    With `yes`, a No counts as not filled in.
    """
    missing = writer.new("0")
    for bit, name in enumerate(fields):
        held, empty = emit_empty(name, writer)
        refused = f" or {held} is False" if yes else ""
        writer.line(f"if {empty}{refused}: {missing} |= {4 << bit}")
    if needed == len(fields):
        writer.answer(f"{missing} and {missing} | {FAIL}")
    else:
        holds = f"{missing}.bit_count() <= {len(fields) - needed}"
        writer.answer(f"{missing} | ({PASS} if {holds} else {FAIL})")


def _activities(check: checks.Activities, stage: Stage, writer: Writer) -> None:
    if not check.activities.counts_all:
        _beside(check, stage, writer)
        return
    held = _number(activity_field(check), writer)
    writer.answer(f"{PASS} if {held} >= {check.activities.at_least} else {FAIL}")


def _number(field: str, writer: Writer) -> str:
    held = emit_number(field, writer)
    writer.answer(UNKNOWN, f"{held} is None")
    return held


def _bounds(check: checks.Bounds, _stage: Stage, writer: Writer) -> None:
    held = _number(check.bounds.field, writer)
    for limit, beyond in ((check.bounds.min, "<"), (check.bounds.max, ">")):
        if limit is not None:
            writer.answer(FAIL, f"{held} {beyond} {writer.value(limit)}")
    writer.answer(PASS)


def _dates(check: checks.Dates, _stage: Stage, writer: Writer) -> None:
    held = emit(Field(_NOWHERE, DATE, check.dates.field), writer).name
    writer.answer(UNKNOWN, f"{held} is None")
    days = writer.new(f"({held} - at.today).days")
    for limit, beyond in ((check.dates.from_days, "<"), (check.dates.to_days, ">")):
        if limit is not None:
            writer.answer(FAIL, f"{days} {beyond} {limit}")
    writer.answer(PASS)


def _one_of(check: checks.OneOf, _stage: Stage, writer: Writer) -> None:
    held, empty = emit_empty(check.one_of.field, writer)
    writer.answer(UNKNOWN, empty)
    values, choices = writer.value(frozenset(check.one_of.values)), writer.use(runtime.choices)
    with writer.block(f"if type({held}) is str:"):
        writer.answer(f"{PASS} if {held} in {values} else {FAIL}")
    writer.answer(f"{FAIL} if {values}.isdisjoint({choices}({held})) else {PASS}")


def _approval(check: checks.Approval, _stage: Stage, writer: Writer) -> None:
    rule = check.approval
    held = _number(rule.field, writer)
    writer.answer(PASS, f"{held} <= {writer.value(rule.over)}")
    by, empty = emit_empty(rule.by, writer)
    # The reason is that an approval is needed.
    writer.answer(FAIL | 4, f"{empty} or {by} is False")
    if rule.who is None and not rule.not_owner:
        writer.answer(PASS | 4)
    else:
        writer.answer(f"{writer.value(partial(_approver, rule))}(at.case) | 4")


def _approver(rule: checks.ApprovalRule, case: Case) -> int:
    misfit = approver_misfit(rule, case)
    return JUDGEMENTS.index(misfit.judgement) if misfit else PASS


def _beside(check: Any, _stage: Stage, writer: Writer) -> None:
    """Write that a check which looks at more than fields is asked as a whole."""
    writer.answer(f"{writer.value(partial(_whole, check))}(at.case)")


def _whole(check: Any, case: Case) -> int:
    return JUDGEMENTS.index(answer(check, case).judgement)


# A new check is one function above and one line here, and the same in `words`. The argument is of its own class.
_CHECKS: Mapping[type, Callable[[Any, Stage, Writer], None]] = {
    checks.Required: _required,
    checks.AtLeast: _at_least,
    checks.Activities: _activities,
    checks.Outputs: _outputs,
    checks.Bounds: _bounds,
    checks.Dates: _dates,
    checks.OneOf: _one_of,
    checks.Approval: _approval,
    checks.Attachments: _beside,
    checks.Company: _beside,
    checks.Contacts: _beside,
}
