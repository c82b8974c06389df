"""What sentences about one deal are put together from: names, values and moments in one language."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal

from markupsafe import Markup, escape
from msgspec import Struct

from crmbridge.engine.mapping import WON
from crmbridge.engine.rules.case import quote
from crmbridge.engine.rules.files import FILES, UNREAD
from crmbridge.engine.text import plain
from crmbridge.manual.speech import Speech
from crmbridge.manual.words import Words
from crmbridge.model.values import Money, Value, is_empty

_DIGITS = 25  # those with more are rounded where they are grouped, and spelt out they could fill the memory
_OF_COMPANY = "company."
_NO_FIELDS = {FILES: "told_files", UNREAD: "told_unread"}  # what a rule can miss although no field has that name


class Saying(Struct, frozen=True):
    """Speech that is bare, as it is put where only characters can stand. `when` writes moments; None: in UTC."""

    speech: Speech
    when: Callable[[datetime], str] | None = None

    @property
    def words(self) -> Words:
        """The words of the language."""
        return self.speech.words

    def name(self, name: str) -> Markup:
        """Name what a rule looked at: a field of the deal, one of its company's, or files."""
        if name.startswith(_OF_COMPANY) and name not in self.speech.fields:
            own = name.removeprefix(_OF_COMPANY)
            known = f"beside_{own}" in self.words.texts
            return self.words("told_of_company", x=self.words(f"beside_{own}") if known else escape(plain(own)))
        if name in _NO_FIELDS:
            return self.words(_NO_FIELDS[name])
        return self.speech.field_name(name)

    def value(self, value: Value) -> Markup:
        """Write a value of a record."""
        if is_empty(value):
            return self.words("told_empty")
        match value:
            case bool():
                return self.words("yes" if value else "no")
            case Decimal() | Money():
                return self._number(value)
            case date():
                return escape(self.at(value)) if isinstance(value, datetime) else self.words.day(value)
            case _:
                return self.words.quoted(quote(value))

    def _number(self, value: Decimal | Money) -> Markup:
        amount = value.amount if isinstance(value, Money) else value
        if not amount.is_finite() or max(len(amount.as_tuple().digits), abs(amount.adjusted())) > _DIGITS:
            return escape(quote(value))
        currency = f" {plain(value.currency, 8)}" if isinstance(value, Money) else ""
        return escape(self.words.number(amount) + currency)

    def stage(self, stage_id: str) -> Markup:
        """Name a stage, or being won."""
        return self.words("flow_won") if stage_id == WON else self.speech.stage(stage_id)

    def at(self, moment: datetime) -> str:
        """Write a moment."""
        if self.when is not None:
            return self.when(moment)
        there = moment.astimezone(UTC)
        return str(self.words("moment", day=self.words.day(there.date()), time=f"{there:%H:%M}"))

    def joined(self, *sentences: Markup | None) -> Markup:
        """Put sentences one after the other."""
        return self.words("list_space").join(each for each in sentences if each)
