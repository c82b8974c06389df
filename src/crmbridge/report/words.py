"""The report's own words and number forms in one language."""

from __future__ import annotations

from datetime import UTC, datetime

from crmbridge import words
from crmbridge.languages import LANGUAGES, base, percent
from crmbridge.model.figures import Unit
from crmbridge.words import MINUS, NOTHING

_SIGNS = {"EUR": "€", "GBP": "£", "BRL": "R$", "USD": "US$", "JPY": "JP¥", "CNY": "CN¥", "INR": "₹"}
_AT_HOME = {("en", "USD"): "$", ("zh", "CNY"): "¥"}
_SHORT = {  # from how much on, in what, and with which word
    "en": ((1e9, "bn"), (1e6, "m"), (1e3, "k")),
    "pt": ((1e9, " bi"), (1e6, " mi"), (1e3, " mil")),
    "zh": ((1e8, "亿"), (1e4, "万")),
}


class Words(words.Words, frozen=True):
    """Words by key, and figures as the language writes them."""

    def percent(self, share: float | None) -> str:
        """Write a share as a percentage; a dash for none."""
        return NOTHING if share is None else percent(share)

    def amount(self, value: float | None, unit: str, currency: str | None = None) -> str:
        """Write a value in its unit: a share, a count, money, or a length of time."""
        if value is None:
            return self("no_data")
        match unit:
            case Unit.SHARE:
                return self.percent(value)
            case Unit.COUNT:
                return self.number(value, 0 if value == int(value) else 1)
            case Unit.RATIO:
                return f"{self.number(value, 1)}×"  # noqa: RUF001  the sign that is read as "times"
            case Unit.MONEY | Unit.MONEY_A_DAY:
                text = self._signed(value, self.number(abs(value)), currency)
                return text if unit == Unit.MONEY else self("a_day", n=text)
            case _:
                return self.length(self.number(value, 0 if abs(value) >= 100 else 1), unit)

    def length(self, number: str, unit: str) -> str:
        """Write a length of time: 1 day, 1.0 days."""
        return self(f"unit_{unit}_one" if number == "1" else f"unit_{unit}", n=number)

    def short(self, value: float, unit: str, currency: str | None = None) -> str:
        """Write a value for the edge of a chart: as short as can be, such as 1.2m."""
        if unit == Unit.SHARE:
            return self.percent(value)
        size = abs(value)
        for least, word in _SHORT[self.language]:
            if size >= least:
                text = self.number(size / least, 0 if size >= 100 * least or size % least == 0 else 1) + word
                break
        else:
            text = self.number(size, 0 if size == int(size) else 1)
        return self._signed(value, text, currency if unit in {Unit.MONEY, Unit.MONEY_A_DAY} else None)

    def _signed(self, value: float, size: str, currency: str | None) -> str:
        """Put sign and currency before a number, where this language has them."""
        sign = MINUS if value < 0 and size.strip("0.,") else ""  # what is written as nothing has none
        if currency is None:
            return sign + size
        mark = _AT_HOME.get((self.language, currency)) or _SIGNS.get(currency, f"{currency}\u00a0")
        space = "\u00a0" if self.language == "pt" and not mark.endswith("\u00a0") else ""
        return f"{sign}{mark}{space}{size}"

    def day(self, moment: datetime | None) -> str:
        """Write the date of a time in UTC; a dash for none."""
        return NOTHING if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d}"

    def minute(self, moment: datetime) -> str:
        """Write a time in UTC to the minute."""
        return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def words_of(language: str) -> Words:
    """Give the words of a language (`pt` or `pt-BR`); English where there are none."""
    known = base(language) if base(language) in LANGUAGES else "en"
    return Words(known, words.texts_of(known, __package__))
