"""Say in the reader's language what a finding or a verdict says; as it was stored where what is known is not enough.

Findings are stored with a sentence in English and with the values that it was made from. Here a sentence is made from
these values and the process anew, in the words of the manual, so that both say the same of a rule.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from markupsafe import Markup, escape
from msgspec import Struct

from crmbridge.engine.deals.checks import speaks_of_nothing
from crmbridge.engine.deals.moves import Illegal
from crmbridge.engine.mapping import WON
from crmbridge.engine.rules.case import quote
from crmbridge.engine.rules.files import FILES, UNREAD
from crmbridge.engine.text import fill
from crmbridge.manual.checks import clause
from crmbridge.manual.judged import Again, again, rule_of
from crmbridge.manual.late import clock_said
from crmbridge.manual.reasons import reason_told
from crmbridge.manual.saying import Saying
from crmbridge.manual.speech import Speech
from crmbridge.manual.words import words_of
from crmbridge.model.findings import Finding, FindingKind, Judgement, Verdict
from crmbridge.model.process import ExitRule, Process, Stage
from crmbridge.model.values import Value, is_empty

_FILLED = ("passed", "missing", "value")  # what a rule's own words can name
_ENDS = (".", "!", "?", "。", "！", "？")  # noqa: RUF001  as Chinese writes them
_UNREADABLE = ("The field {path} can't be read: ", " Correct it in the CRM.")  # what is wrong stands between these

_ON_WHOSE_WORD = re.compile(r"(?:held then|holds now), as (\S+) (recorded it|can't tell what it was)\.")


class Teller(Struct, frozen=True):
    """Tells of findings in one language: a Voice of the engine's. What can't be said in it is told as it was stored.

    So is all that is told in English, where its moments may stand in UTC.
    """

    of: Saying

    @property
    def language(self) -> str:
        """The language."""
        return self.of.speech.language

    def finding(self, finding: Finding) -> str:
        """Say what a finding says."""
        said = None if self._as_stored else _KINDS[finding.kind](finding, self.of)
        return said.striptags() if said else finding.message

    def verdict(self, verdict: Verdict) -> str:
        """Say what a verdict says."""
        said = None if self.language == "en" else _verdict(verdict, self.of)
        return said.striptags() if said else verdict.message

    def reason(self, reason: str) -> str:
        """Say why a change is planned, or why something waits."""
        said = None if self._as_stored else reason_told(reason, self.of)
        return reason if said is None else said

    def remedy(self, missing: Sequence[str]) -> str:
        """Say what to do about what a rule misses."""
        return _remedy(missing, self.of).striptags()

    @property
    def _as_stored(self) -> bool:
        return self.language == "en" and self.of.when is None

    def label(self, kind: FindingKind) -> str:
        """Name a kind of finding, as a title begins."""
        return self.of.words(f"label_{kind}").striptags()

    def advice(self, kind: FindingKind) -> str:
        """Say what to do about a kind of finding."""
        return self.of.words(f"advice_{kind}").striptags()

    def line(self, name: str, **values: str) -> str:
        """Say one of the lines around a finding, with its values filled in."""
        return self.of.words(f"line_{name}", **values).striptags()

    def field(self, name: str) -> str:
        """Name a field of a deal, or of its company."""
        return self.of.name(name).striptags()

    def at(self, moment: datetime) -> str:
        """Write a moment."""
        return self.of.at(moment)


def teller(process: Process, language: str, when: Callable[[datetime], str] | None = None) -> Teller:
    """Give who tells of findings in one of the languages.

    `when` writes a moment as its place shows them; None: in words, in UTC.
    """
    return Teller(Saying(Speech(process, words_of(language), bare=True), when))


def _verdict(verdict: Verdict, of: Saying) -> Markup | None:
    found = rule_of(verdict.rule, of.speech.process)
    if found is None:
        return None
    stage, rule = found
    if verdict.judgement is Judgement.NOT_APPLICABLE:
        return of.words("told_not_applicable")
    if verdict.judgement is Judgement.PASS:
        return of.words("told_holds", clause=clause(rule.check, stage, of.speech))
    once_more = again(rule, stage, verdict.seen, verdict.as_of, of.speech)
    sure = once_more if once_more and once_more.english == verdict.message else None
    return _broken(rule, stage, verdict.seen, sure, of, undecided=verdict.judgement is Judgement.UNKNOWN)


def _rule(finding: Finding, of: Saying) -> Markup | None:
    """Tell of a rule that does not hold, or can't be decided, for a deal that went on or came in."""
    found = rule_of(finding.rule, of.speech.process)
    if found is None:
        return None
    stage, rule = found
    once_more = again(rule, stage, finding.seen, finding.since, of.speech)
    sure = once_more if once_more and finding.message.startswith(once_more.english) else None
    return of.joined(
        _broken(rule, stage, finding.seen, sure, of, undecided=finding.kind is FindingKind.UNDECIDED),
        of.words(
            "told_came_in" if any(rule is each for each in stage.entry) else "told_went_on",
            stage=of.stage(stage.id),
            when=of.at(finding.since),
            by=_judged_by(finding, of),
        ),
        _remedy(sure.missing if sure else (), of),
    )


def _judged_by(finding: Finding, of: Saying) -> Markup:
    """Say whether values of then or of now decided, and on whose word."""
    values = finding.message.rpartition(", judged by what it ")[2]
    by = of.words("told_by_then" if values.startswith("held then") else "told_by_now")
    found = _ON_WHOSE_WORD.match(values)
    if found is None:
        return by
    return of.words("told_recorded" if found[2] == "recorded it" else "told_untold", by=by, crm=found[1])


def _remedy(missing: Sequence[str], of: Saying) -> Markup:
    """Say what to do about what a rule misses, as `engine.evaluating.remedies` does."""
    fields = [of.name(name) for name in missing if name not in {FILES, UNREAD}]
    said = of.joined(
        of.words("told_fill_in", list=of.words.listed(fields)) if fields else None,
        of.words("told_attach") if FILES in missing else None,
        of.words("told_or_let_read" if fields else "told_let_read") if UNREAD in missing else None,
    )
    return said or of.words("told_make_it_hold")


def _broken(
    rule: ExitRule, stage: Stage, seen: Mapping[str, Value], sure: Again | None, of: Saying, *, undecided: bool
) -> Markup:
    """Say it in the rule's own words where it has some in this language, else what must hold, and what is there."""
    if rule.message is not None and of.speech.tongue(rule.message) is None:
        template = rule.message.in_language(of.speech.language)
        odd = sure is not None and speaks_of_nothing(template, sure.judgement, sure.value)
        if not odd and (sure or fill(template, dict.fromkeys(_FILLED, "")) == template):
            own = escape(fill(template, _filled(sure, of)) if sure else template)
            return own if own.endswith(_ENDS) else own + of.words("stop")
    holds = [of.words("told_value", x=of.name(name), y=of.value(value)) for name, value in sorted(seen.items())]
    return of.joined(
        of.words("told_must", clause=clause(rule.check, stage, of.speech)),
        of.words("told_seen", list=of.words("list_comma").join(holds)) if holds else None,
        of.words("told_undecided") if undecided else None,
    )


def _filled(sure: Again, of: Saying) -> dict[str, str]:
    """Give what the names in a rule's own words stand for."""
    missing = of.words("list_comma").join(map(of.name, sure.missing))
    value = sure.value
    if is_empty(value):
        shown = str(of.words("empty"))
    else:
        shown = quote(value) if isinstance(value, str) else of.value(value).striptags()
    return {"passed": str(sure.passed), "missing": missing.striptags(), "value": shown}


def _move(finding: Finding, of: Saying) -> Markup | None:
    """Tell of a move that the process does not allow."""
    seen, source = finding.seen, finding.seen.get("move_from")
    if not isinstance(source, str) or seen.get("move_is") not in set(Illegal):
        return None
    illegal, words, stage = Illegal(str(seen["move_is"])), of.words, of.stage(source)
    skipped = seen.get("move_skipped")
    passed = skipped if isinstance(skipped, tuple) else ()
    said = {
        Illegal.SKIPPED: words("told_skipped", stage=stage, list=words.listed(map(of.stage, passed)))
        if passed
        else words("told_forward", stage=stage),
        Illegal.WENT_BACK: words("told_went_back", stage=stage),
        Illegal.REOPENED: words("told_reopened"),
        Illegal.WITHOUT_REASON: words("told_without_reason", stage=stage),
        Illegal.BY_ANOTHER: words("told_by_another", stage=stage, who=of.value(seen.get("moved_by"))),
    }
    here = words("told_stands", stage=of.stage(finding.stage or WON), when=of.at(finding.since))
    return of.joined(said[illegal], here, _way_out(illegal, stage, of))


def _way_out(illegal: Illegal, before: Markup, of: Saying) -> Markup:
    reason = of.speech.process.moves.reason
    if illegal is Illegal.WITHOUT_REASON and reason is not None:
        return of.words("told_fill_in", list=of.name(reason))
    return of.words("told_another_moves" if illegal is Illegal.BY_ANOTHER else "told_move_back", stage=before)


def _unreadable(finding: Finding, of: Saying) -> Markup | None:
    """Tell of a value that can't be read, or of a stage that stands for none; adapters say why in English only."""
    seen, path = finding.seen, finding.path
    if path == "stage" and {"stage", "pipeline"} <= seen.keys():
        named = {name: of.value(seen[name]) for name in ("stage", "pipeline")}
        return of.words("told_unmapped", **named)
    before, after = _UNREADABLE[0].format(path=path), _UNREADABLE[1]
    if path is None or not (finding.message.startswith(before) and finding.message.endswith(after)):
        return None
    why = finding.message.removeprefix(before).removesuffix(after)
    return of.words("told_unreadable", field=of.name(path), why=of.words.quoted(why))


_KINDS: Mapping[FindingKind, Callable[[Finding, Saying], Markup | None]] = {
    FindingKind.EXIT_RULE: _rule,
    FindingKind.ENTRY_RULE: _rule,
    FindingKind.UNDECIDED: _rule,
    FindingKind.SLA_AT_RISK: clock_said,
    FindingKind.SLA_BREACHED: clock_said,
    FindingKind.ILLEGAL_MOVE: _move,
    FindingKind.UNREADABLE: _unreadable,
}
