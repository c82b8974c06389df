"""Judge a deal by exit rules; what each check looks at, and how it says what it found, stands in `rules`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import chain, repeat, starmap
from types import MappingProxyType
from typing import Final, NamedTuple, overload

from crmbridge.engine.rules.activities import turns
from crmbridge.engine.rules.asking import FAIL, JUDGEMENTS, NOT_APPLICABLE, PASS, UNKNOWN, counted_fields
from crmbridge.engine.rules.case import NOTHING_SEEN, Answer, Case, field_name, quote, undecided
from crmbridge.engine.rules.compiled import CompiledRule, CompiledStage, compiled_check, compiled_rule, compiled_stage
from crmbridge.engine.rules.files import UNREAD
from crmbridge.engine.text import fill
from crmbridge.model.checks import Activities, Check
from crmbridge.model.findings import Judgement, Verdict
from crmbridge.model.parts import Text
from crmbridge.model.process import ExitRule, Process, Stage
from crmbridge.model.values import Value, is_empty, reading

__all__ = [
    "Case",
    "Verdicts",
    "field_name",
    "holds",
    "judge",
    "judge_stage",
    "judged",
    "may_turn",
    "speaks_of_nothing",
    "turns_at",
    "verdict",
]
_verdict = partial(tuple.__new__, Verdict)  # its parts in their order: the usual way takes twice as long
_BROKEN: Final = frozenset({FAIL, UNKNOWN})
NOTHING_SETTLED: Final[Mapping[int, tuple[int, Case]]] = MappingProxyType({})


class Judged(NamedTuple):
    """A deal's case in one stage, with the codes of that stage's rules, which say the judgement and the reason.

    `settled` has the rules, by their number, that were decided by the deal as it was at another moment.
    """

    case: Case
    stage: CompiledStage
    codes: tuple[int, ...]
    settled: Mapping[int, tuple[int, Case]] = NOTHING_SETTLED

    def each(self) -> Iterator[tuple[CompiledRule, int, Case]]:
        """Give each rule with the code and the case that it was decided by."""
        each = zip(self.stage.rules, self.codes, repeat(self.case))
        if not self.settled:
            return each
        return ((one[0], *self.settled[n]) if n in self.settled else one for n, one in enumerate(each))


@dataclass(frozen=True, slots=True, eq=False)  # a Struct can't be one of the library's sequences
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
        return starmap(verdict, self._each())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(self.judgements)

    @property
    def judgements(self) -> tuple[Judgement, ...]:
        """The judgements alone, in order."""
        return tuple(JUDGEMENTS[code & 3] for _, code, _ in self._each())

    def broken(self) -> Iterator[Verdict]:
        """Give the verdicts of the rules that do not hold, or can't be decided."""
        return (verdict(*one) for one in self._each() if one[1] & 3 in _BROKEN)

    def _each(self) -> Iterator[tuple[CompiledRule, int, Case]]:
        return chain.from_iterable(part.each() for part in self.judged)


def judge_stage(case: Case) -> Verdicts:
    """Judge the case's deal by all rules of the case's stage."""
    return Verdicts((judged(case),))


def judged(case: Case) -> Judged:
    """Let all rules of the case's stage decide."""
    stage = compiled_stage(case.stage, case.process)
    codes = stage.run(reading(case.fields), case.moment)
    if case.unreadable:
        codes = tuple(_as_far_as_read(rule, code, case) for rule, code in zip(stage.rules, codes, strict=True))
    return Judged(case, stage, codes)


def judge(rule: ExitRule, case: Case) -> Verdict:
    """Judge the case's deal by a rule of the case's stage.

    A rule whose `when` does not pass, or can't be decided, is not applicable.
    """
    compiled = compiled_rule(rule, case.stage, case.process)
    return verdict(compiled, decided(compiled, case), case)


def decided(rule: CompiledRule, case: Case) -> int:
    """Give the code of what a rule decides about the case's deal."""
    code = rule.run(case.fields.get, case.moment)
    return _as_far_as_read(rule, code, case) if case.unreadable else code


def _as_far_as_read(rule: CompiledRule, code: int, case: Case) -> int:
    """Give a code, but that nothing can be decided where it may hang on a field that can't be read.

    Where filled fields are counted, those that can't be read count as empty if it holds, and as filled if it does not.
    """
    hidden = rule.names & case.unreadable
    if not hidden or code & 3 == NOT_APPLICABLE:
        return code
    counted = counted_fields(rule.rule.check, case.stage)
    if counted is None or code & 3 == UNKNOWN or not hidden.isdisjoint(rule.when):
        return UNKNOWN
    fields, needed = counted
    empty = [name for bit, name in enumerate(fields) if code >> 2 >> bit & 1 and name not in hidden]
    return code if code & 3 == PASS or len(fields) - len(empty) < needed else UNKNOWN


def holds(check: Check, case: Case) -> bool:
    """Tell whether a check that stands in no rule holds for the case's deal; what can't be decided does not."""
    asked = compiled_check(check, case.stage, case.process)
    return JUDGEMENTS[asked.run(case.fields.get, case.moment) & 3] is Judgement.PASS


def holds_until(check: Check, case: Case) -> datetime | None:
    """Give the next moment at which a check that stands in no rule may turn out otherwise, with nothing changed."""
    moments = [compiled_check(check, case.stage, case.process).turning.next(case.fields, case.moment)]
    if isinstance(check, Activities):
        moments += turns(check.activities, case.activities)
    return min((at for at in moments if at is not None and at > case.now), default=None)


def verdict(rule: CompiledRule, code: int, case: Case) -> Verdict:
    """Put in words what a rule decided about the case's deal."""
    judgement = JUDGEMENTS[code & 3]
    hidden = sorted(rule.names & case.unreadable) if code & 3 == UNKNOWN else ()
    if code & 3 == NOT_APPLICABLE:
        answer = Answer(judgement, "This rule is for other deals.", rule.when)
    elif hidden:
        answer = undecided(hidden, f"{case.names(hidden)} can't be read, so this can't be decided.")
    else:
        answer = rule.say(judgement, code >> 2, case)
    # That is no fault of the deal's, and said in a finding of its own.
    unread = code & 3 == UNKNOWN and not case.unreadable.isdisjoint(answer.missing)
    on_unknown = "warn" if unread and rule.on_unknown == "fail" else rule.on_unknown
    _, said, looked_at, missing, _, _, beside = answer
    own, value = rule.rule.message, case.fields.get
    if own is not None and code & 3 in _BROKEN and not unread:
        said = _own_words(own, answer, case)
    seen = {field: value(field) for field in looked_at}
    if beside is not NOTHING_SEEN:
        seen.update(beside)
    told = (rule.id, case.stage.id, judgement, said, seen, tuple(missing), on_unknown, case.now, case.values)
    return _verdict(told)


def turns_at(case: Case) -> datetime | None:
    """Give the next moment at which a rule of the case's stage may turn out otherwise, with nothing changed."""
    stage = compiled_stage(case.stage, case.process)
    moments = [stage.turning.next(case.fields, case.moment)] if stage.turning else []
    moments += (at for wanted in stage.counts for at in turns(wanted, case.activities))
    return min((at for at in moments if at is not None and at > case.now), default=None)


def may_turn(stage: Stage, process: Process) -> bool:
    """Tell whether any rule of a stage can turn out otherwise with nothing changed."""
    return compiled_stage(stage, process).turns


def speaks_of_nothing(template: str, judgement: Judgement, value: Value) -> bool:
    """Tell whether a rule's words name a value that nobody filled in, so that they would say something odd."""
    return judgement is Judgement.UNKNOWN and is_empty(value) and "{value}" in template


def _own_words(message: Text, answer: Answer, case: Case) -> str:
    """Say it in the rule's own words."""
    template = message.in_language(case.language)
    # The rule's words say what is wrong, and not that nobody may look.
    more = f" ({answer.message})" if UNREAD in answer.missing else ""
    if "{" not in template:
        return f"{template}{more}"
    if speaks_of_nothing(template, answer.judgement, answer.value):
        return answer.message
    values = {
        "passed": str(answer.passed),
        "missing": case.names(answer.missing),
        "value": quote(answer.value),
    }
    return fill(template, values) + more
