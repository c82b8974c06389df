"""One finding with the binding that speaks of it: for whom it is, what is said of it, how its changes are called."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct

from crmbridge.engine.acting.aging import Past
from crmbridge.engine.acting.bindings import Step, email_of
from crmbridge.engine.deals.subject import Subject
from crmbridge.engine.people import OWNER
from crmbridge.engine.text import plain
from crmbridge.engine.time.moments import shifted
from crmbridge.model.changes import Action, change_id
from crmbridge.model.findings import Evaluation, Finding
from crmbridge.model.values import show
from crmbridge.settings import Binding

MESSAGE_LIMIT, REASON_LIMIT = 1500, 300  # characters


class Occasion(Struct, frozen=True, kw_only=True):
    """A finding, the binding that speaks of it, the step of its escalation, and where all of them came from.

    Without a step it is about what the binding itself asks for.
    """

    subject: Subject
    evaluation: Evaluation
    past: Past
    finding: Finding
    binding: Binding
    now: datetime
    step: Step | None = None

    @property
    def opening(self) -> int:
        """Say the how-manieth time it is that this finding asks for something."""
        return self.past.life(self.finding, self.now).openings

    @property
    def level(self) -> int:
        """Give the number of the step, 0 for the binding itself."""
        return self.step.number if self.step else 0

    @property
    def place(self) -> str:
        """Say where the settings ask for it: the how-manieth binding, and step of its escalation."""
        number = next((n for n, each in enumerate(self.subject.settings.enforce, 1) if each is self.binding), 0)
        return f"`enforce` {number}, `escalate` {self.level}" if self.step else f"`enforce` {number}"

    @property
    def to(self) -> str:
        """Say for whom it is: a role, or an e-mail."""
        return self.step.says.to if self.step else self.binding.to or OWNER

    @property
    def email(self) -> str | None:
        """Give the e-mail of whom it is for, where that is not the deal's owner."""
        return email_of(self.to, self.finding.deal.connection, self.subject.settings, self.subject.process)

    @property
    def called(self) -> str:
        """Give what people call whom it is for: an e-mail, where one is known."""
        if self.to != OWNER:
            return self.email or self.to
        return self.past.people.emails.get(str(self.subject.deal.fields.get("owner"))) or self.subject.voice.line(
            "owner"
        )

    def name(self, action: Action, *parts: str) -> str:
        """Make the id of a change: the same each time the same opening of the finding asks for the same."""
        again = (str(self.opening),) if self.opening > 1 else ()
        return change_id(action, self.finding.deal.connection, self.finding.id, *parts, *again)

    def title(self) -> str:
        """Say in a line what is wrong with which deal."""
        label = self.subject.voice.label(self.finding.kind)
        return f"{label}: {show(self.subject.deal.fields.get('name'))} ({self.finding.rule})"

    def body(self) -> str:
        """Say what is wrong, what to do, and where that stands; a step adds for whom it is now, and since when."""
        finding, voice = self.finding, self.subject.voice
        process = plain(self.subject.process.name.in_language(voice.language))
        lines = [
            plain(voice.finding(finding), MESSAGE_LIMIT),
            "",
            voice.line("to_do", advice=voice.advice(finding.kind)),
            voice.line("rule", rule=finding.rule, process=process),
        ]
        lines += [voice.line("for_whom", to=self.called)] if self.to != OWNER else []
        lines += [voice.line("escalated", when=voice.at(self.step.at))] if self.step else []
        return "\n".join([*lines, "", marker(finding, self.opening)])

    def due(self) -> datetime:
        """Count from when the finding began, or its step fell due; if that is over already, from now."""
        text, start = (self.step.says.due, self.step.at) if self.step else (self.binding.due, self.finding.since)
        amount, unit = int(text[:-1]), text[-1]
        given = timedelta(days=amount) if unit == "d" else timedelta(hours=amount)
        due = shifted(start, given)
        return due if due > self.now else shifted(self.now, given)


def marker(finding: Finding, opening: int = 1) -> str:
    """Give the text that a task or note about a finding carries, so that it can be found again."""
    return f"crmbridge:{finding.id}" if opening == 1 else f"crmbridge:{finding.id}.{opening}"


def reason(finding: Finding) -> str:
    """Say why a change is made."""
    return plain(f"{finding.rule}: {finding.message}", REASON_LIMIT)
