"""Judge a deal by exit rules; what each check looks at, and how it says what it found, stands in `rules`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, overload

from crmbridge.engine.rules.asking import FAIL, JUDGEMENTS, NOT_APPLICABLE, PASS, UNKNOWN
from crmbridge.engine.rules.case import Answer, Case, field_name, quote
from crmbridge.engine.rules.compiled import CompiledRule, CompiledStage, compiled_rule, compiled_stage
from crmbridge.engine.text import fill
from crmbridge.model.findings import Judgement, Verdict
from crmbridge.model.parts import Text
from crmbridge.model.process import ExitRule

__all__ = ["Case", "Verdicts", "field_name", "judge", "judge_stage", "judge_stages", "turns_at"]


class Judged(NamedTuple):
    """A deal's case in one stage, with the codes of that stage's rules, which say the judgement and the reason."""

    case: Case
    stage: CompiledStage
    codes: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Verdicts(Sequence[Verdict]):
    """What rules said of a deal, in their order. Words are made when a verdict is looked at, from what was decided."""

    judged: tuple[Judged, ...] = ()

    def __len__(self) -> int:
        return sum(len(part.codes) for part in self.judged)

    @overload
    def __getitem__(self, index: int) -> Verdict: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Verdict]: ...
    def __getitem__(self, index: int | slice) -> Verdict | Sequence[Verdict]:
        return tuple(self)[index]

    def __iter__(self) -> Iterator[Verdict]:
        return (verdict(*one) for one in self._each())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(self.judgements)

    @property
    def judgements(self) -> tuple[Judgement, ...]:
        """The judgements alone, in order."""
        return tuple(JUDGEMENTS[code & 3] for part in self.judged for code in part.codes)

    def broken(self) -> Iterator[Verdict]:
        """Give the verdicts of the rules that do not hold, or can't be decided."""
        return (verdict(*one) for one in self._each() if one[1] & 3 in {FAIL, UNKNOWN})

    def _each(self) -> Iterator[tuple[CompiledRule, int, Case]]:
        for case, stage, codes in self.judged:
            for rule, code in zip(stage.rules, codes, strict=True):
                yield rule, code, case


def judge_stage(case: Case) -> Verdicts:
    """Judge the case's deal by all rules of the case's stage."""
    return judge_stages((case,))


def judge_stages(cases: Iterable[Case]) -> Verdicts:
    """Judge a deal by all rules of the stages of some cases."""
    judged = []
    for case in cases:
        stage = compiled_stage(case.stage, case.process)
        judged.append(Judged(case, stage, stage.run(case.fields.get, case.moment)))
    return Verdicts(tuple(judged))


def judge(rule: ExitRule, case: Case) -> Verdict:
    """Judge the case's deal by a rule of the case's stage.

    A rule whose `when` does not pass, or can't be decided, is not applicable.
    """
    compiled = compiled_rule(rule, case.stage, case.process)
    return verdict(compiled, compiled.run(case.fields.get, case.moment), case)


def verdict(rule: CompiledRule, code: int, case: Case) -> Verdict:
    """Put in words what a rule decided about the case's deal."""
    judgement = JUDGEMENTS[code & 3]
    if code & 3 == NOT_APPLICABLE:
        answer = Answer(judgement, "This rule is for other deals.", rule.when)
    else:
        answer = rule.say(judgement, code >> 2, case)
    holds = code & 3 in {PASS, NOT_APPLICABLE}
    fields = case.fields
    return Verdict(
        rule=rule.id,
        stage=case.stage.id,
        judgement=judgement,
        message=answer.message if holds or rule.rule.message is None else _own_words(rule.rule.message, answer, case),
        seen={field: fields.get(field) for field in answer.looked_at},
        missing=tuple(answer.missing),
        on_unknown=rule.on_unknown,
    )


def turns_at(case: Case) -> datetime | None:
    """Give the next moment at which a rule of the case's stage may turn out otherwise, with nothing changed."""
    turning = compiled_stage(case.stage, case.process).turning
    return turning.next(case.fields, case.moment) if turning else None


def _own_words(message: Text, answer: Answer, case: Case) -> str:
    """Say it in the rule's own words."""
    template = message.in_language(case.language)
    if "{" not in template:
        return template
    values = {
        "passed": str(answer.passed),
        "missing": case.names(answer.missing),
        "value": quote(answer.value),
    }
    return fill(template, values)
