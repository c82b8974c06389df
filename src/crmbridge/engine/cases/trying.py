"""Hold what the process says of a case against what it must say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from msgspec import Struct

from crmbridge.model.cases import Expected
from crmbridge.model.findings import Evaluation, Finding, Judgement, SlaState, Verdict
from crmbridge.model.process import OnUnknown

NO_CLOCK = "none"


class Tried(Struct, frozen=True, kw_only=True):
    """What the process says of a case. `faults` has a sentence for each thing that it must say and doesn't."""

    findings: tuple[Finding, ...]
    ready: bool
    sla: Mapping[str, SlaState]  # of each SLA's last clock
    rules: Mapping[str, Judgement]
    faults: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Tell whether everything is as it must be."""
        return not self.faults


def holds_back(verdict: Verdict) -> bool:
    """Tell whether a deal may not leave its stage because of a verdict: it fails, or counts as failed while unknown."""
    unknown = verdict.judgement is Judgement.UNKNOWN and OnUnknown(verdict.on_unknown) is OnUnknown.FAIL
    return verdict.judgement is Judgement.FAIL or unknown


def is_ready(evaluation: Evaluation) -> bool:
    """Tell whether a deal may leave the stage where it stands; one that stands in none has nothing to leave."""
    return evaluation.place.stage is not None and not any(map(holds_back, evaluation.readiness))


def compare(expected: Expected, evaluation: Evaluation) -> Tried:
    """Say what the process says of a case, and where that is not what it must say."""
    said = (*evaluation.judged, *evaluation.entry, *evaluation.readiness)
    tried = Tried(
        findings=evaluation.findings,
        ready=is_ready(evaluation),
        sla={clock.sla: clock.state for clock in evaluation.clocks},
        rules={verdict.rule: verdict.judgement for verdict in said},
    )
    faults = tuple(_faults(expected, tried))
    return Tried(findings=tried.findings, ready=tried.ready, sla=tried.sla, rules=tried.rules, faults=faults)


def _faults(expected: Expected, tried: Tried) -> Iterator[str]:
    yield from _finding_faults(expected, tried.findings)
    if expected.ready is not None and expected.ready != tried.ready:
        yield "it must be ready to leave its stage" if expected.ready else "it must not be ready to leave its stage"
    for rule, state in expected.sla.items():
        found = tried.sla.get(rule)
        if (found.value if found else NO_CLOCK) != state:
            yield f"{rule} must be {state}, and is {found.value if found else 'not running and has not run'}"
    for rule, judgement in expected.rules.items():
        judged = tried.rules.get(rule)
        if judged is not judgement:
            yield f"{rule} must be {judgement}, and is {judged or 'not judged here'}"


def _finding_faults(expected: Expected, findings: tuple[Finding, ...]) -> Iterator[str]:
    there = {finding.rule: finding.message for finding in findings}
    if expected.findings == () and there:
        yield f"there must be no finding, and there is {', '.join(sorted(there))}"
    for rule in expected.findings or ():
        if rule not in there:
            yield f"there must be a finding of {rule}, and there is {', '.join(sorted(there)) or 'none'}"
    for pattern in expected.none_of or ():
        fitting = re.compile(re.escape(pattern).replace(r"\*", ".*"))
        yield from (f"there must be no finding of {rule}" for rule in sorted(there) if fitting.fullmatch(rule))
