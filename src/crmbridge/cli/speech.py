"""What commands say to people around values, in the language of the settings. Options, help and JSON stay English."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

from msgspec import field

from crmbridge.languages import catalogue
from crmbridge.model.findings import Finding, Verdict
from crmbridge.model.values import Value, show
from crmbridge.words import Words, texts_of

if TYPE_CHECKING:
    from crmbridge.manual.telling import Teller
    from crmbridge.model.changes import Change
    from crmbridge.model.process import Process
    from crmbridge.services.workspace import Workspace

# What no process names: the stage itself, what waits and is no field, and what a task says.
_OWN = {"stage": "stage", "link": "field_link", "delete": "field_delete", "subject": "subject"}
_OWN |= {"a task": "kind_task", "a note": "kind_note", "a notice": "field_notice", "record": "kind_record"}
# What undo names beside connections: what a field was given, and what it held before.
_SIDES = {"the run wrote": "undo_wrote", "before it": "undo_before"}


class Speech(Words, frozen=True):
    """Words by key, and what is stored in English told in another language. English has no `teller` and `process`.

    `about` has what changes are made about, by ids.
    """

    teller: Teller | None = None
    process: Process | None = None
    about: Mapping[str, Finding] = field(default_factory=dict)

    def named(self, key: str, value: str) -> str:
        """Name something that English calls as files and JSON do, by the page's word for it."""
        return self.texts[f"{key}_{value}"] if self.teller else value

    def ended(self, outcome: str, count: int) -> str:
        """Say how so many changes ended."""
        return self.texts["run_ended_so"].format(n=self.number(count), outcome=self.named("outcome", outcome))

    def stage(self, stage: str | None, otherwise: str) -> str:
        """Name a stage as the process does in this language; in English, and where it has none, in another way."""
        found = self.process.stage(stage) if self.process and stage else None
        return found.name.in_language(self.language) if found else otherwise

    def role(self, stage: str, otherwise: str) -> str:
        """Name the role that owns a stage; in English, and where there is none, in another way."""
        found = self.process.stage(stage) if self.process else None
        owned_by = found.owner if found else None
        roles = self.process.roles if self.process else ()
        return next((role.name.in_language(self.language) for role in roles if role.id == owned_by), otherwise)

    def value(self, value: Value) -> str:
        """Write a value; only what stands for itself in English has other words."""
        if self.teller is None:
            return show(value)
        if isinstance(value, bool):
            return self("yes" if value else "no")
        return self("empty") if value in {None, "", ()} else show(value)

    def because(self, change: Change) -> str:
        """Say why a change is made: what its finding says, where that still says what it said then."""
        finding = self.about.get(change.finding or "")
        if self.teller is None or finding is None:
            return self.reason(change.reason)
        from crmbridge.engine.acting.occasion import reason  # noqa: PLC0415  what most projects don't need

        if reason(finding) == change.reason:
            return f"{finding.rule}: {self.finding(finding)}"
        return self.reason(change.reason)

    def reason(self, text: str) -> str:
        """Say why a change is planned, or why something waits."""
        return self.teller.reason(text) if self.teller else text

    def verdict(self, verdict: Verdict) -> str:
        """Say what a rule says."""
        return self.teller.verdict(verdict) if self.teller else verdict.message

    def finding(self, finding: Finding) -> str:
        """Say what does not hold."""
        return self.teller.finding(finding) if self.teller else finding.message

    def field(self, name: str) -> str:
        """Name a field, or several that wait together: in English as files do, else as the process does."""
        if self.teller is None:
            return name
        named = (self(_OWN[each]) if each in _OWN else self.teller.field(each) for each in name.split(", "))
        return self("list").join(named)

    def side(self, name: str) -> str:
        """Name whose value it is: a connection's, or what a run wrote and replaced."""
        return self(_SIDES[name]) if name in _SIDES else name


def speech_of(workspace: Workspace, changes: Sequence[Change] = ()) -> Speech:
    """Give how a project's commands speak, also of why these changes are made."""
    language = workspace.project.settings.language
    if language == "en":
        return english()
    from crmbridge.manual.telling import teller  # noqa: PLC0415  words that most projects don't need
    from crmbridge.services.answers.naming import findings_of  # noqa: PLC0415  the same

    process = workspace.project.process
    return Speech(language, _texts(language), teller(process, language), process, findings_of(workspace, changes))


def speech_of_runs(workspace: Workspace) -> Speech:
    """Give how the frame of a run speaks: in English with few words, as most runs find nothing new and say little."""
    if workspace.project.settings.language == "en":
        return Speech("en", _frame("en"))
    return speech_of(workspace)


def english() -> Speech:
    """Give how commands speak where the settings name no other language."""
    return Speech("en", _texts("en"))


@cache
def _texts(language: str) -> Mapping[str, str]:
    """Give the words of a language: the page's, which names the same things, and those of commands over them."""
    return {**_frame(language), **texts_of(language, "crmbridge.web", "crmbridge.cli")}


@cache
def _frame(language: str) -> Mapping[str, str]:
    """Give the words of a language around what a run did."""
    return {key: texts[language] for key, texts in catalogue("crmbridge.cli", "run_words.toml").items()}
