"""Outputs of which a file shows one: a field that says yes, or a file that fits, is enough for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from crmbridge.engine.rules.case import Answer, Case
from crmbridge.engine.rules.files import FILES, UNREAD, Found, look_for
from crmbridge.model.checks import Outputs
from crmbridge.model.findings import Judgement
from crmbridge.model.process import Output, Stage
from crmbridge.model.values import Value, is_empty


class _Look(NamedTuple):
    """What is known of one output. `found` is what looking for its file came to, where its field does not show it."""

    output: Output
    judgement: Judgement
    found: Found | None = None

    @property
    def missing(self) -> tuple[str, ...]:
        """Name what would show it: its field or else its file, and the right to look where that is not given."""
        lacks = self.found.lacks if self.found else None
        if self.output.field is None or lacks == UNREAD:
            return tuple(filter(None, (self.output.field, lacks)))
        return (self.output.field,)


def shown_by_files(check: Outputs, stage: Stage) -> bool:
    """Tell whether a file shows any of the outputs that a check asks for."""
    return any(output.file is not None for output in stage.outputs if output.id in check.outputs)


def says_yes(value: Value) -> bool:
    """Tell whether a field is filled in, and not with a no."""
    return not is_empty(value) and value is not False


def answer_outputs(check: Outputs, case: Case) -> Answer:
    """Answer a check of outputs: those that certainly are not there count before those of which nobody can tell."""
    known = {output.id: output for output in case.stage.outputs}
    wanted = [known[name] for name in check.outputs if name in known]
    stray = [name for name in check.outputs if name not in known]
    if stray:
        return Answer(judgement=Judgement.UNKNOWN, message=f"The stage has no output {', '.join(stray)}.")
    looks = [_look_at(output, case) for output in wanted]
    broken = [look for look in looks if look.judgement is not Judgement.PASS]
    fields = tuple(output.field for output in wanted if output.field)
    files = [look.found.value for look in looks if look.found is not None and look.found.seen is not None]
    return Answer(
        judgement=_worst(look.judgement for look in looks),
        message=" ".join(_said(looks, case)),
        looked_at=fields,
        missing=list(dict.fromkeys(name for look in broken for name in look.missing)),
        passed=len(wanted) - len(broken),
        value=case.fields.get(fields[0]) if len(fields) == 1 else None,
        seen={FILES: files[0]} if files else {},
    )


def _look_at(output: Output, case: Case) -> _Look:
    if output.field is not None and says_yes(case.fields.get(output.field)):
        return _Look(output, Judgement.PASS)
    if output.file is None:
        return _Look(output, Judgement.FAIL)
    found = look_for(output.file, case)
    return _Look(output, found.judgement, found)


def _worst(judgements: Iterable[Judgement]) -> Judgement:
    found = set(judgements)
    return next((one for one in (Judgement.FAIL, Judgement.UNKNOWN) if one in found), Judgement.PASS)


def _said(looks: Sequence[_Look], case: Case) -> Iterator[str]:
    there = [_name(look, case) for look in looks if look.judgement is Judgement.PASS]
    if there:
        yield f"There: {', '.join(there)}."
    for look in looks:
        if look.judgement is not Judgement.PASS:
            yield f"Not shown: {_name(look, case)}."
        if look.found is not None:
            yield look.found.message
        if look.judgement is not Judgement.PASS and look.found is not None and look.output.field is not None:
            yield f"{case.name(look.output.field)} can show it, too."


def _name(look: _Look, case: Case) -> str:
    return look.output.name.in_language(case.language)
