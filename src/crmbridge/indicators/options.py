"""What is asked of the indicators: in which language, by what, over which periods."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from zoneinfo import available_timezones

from msgspec import Struct, field

from crmbridge.errors import ConfigurationError
from crmbridge.indicators.currency import Rates
from crmbridge.indicators.own import OwnMeasure

TEAM = "team"


class Period(StrEnum):
    """What time is cut into."""

    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


class Options(Struct, frozen=True, kw_only=True):
    """How figures are to be computed.

    - `language`: one that there are no words in gives English.
    - `segment`: what deals are grouped by: owner, connection, or the name of one of their fields, such as source.
    - `teams`: who is in which, by e-mail address in small letters; with them, `team` is the owner's and no field.
    - `period`: what time is cut into, in `timezone`; None: all of it together.
    - `horizon`: how many days the forecast looks ahead.
    - `measures`: the ids of those that are shown, in this order; none named: all.
    - `rates`: what money of other currencies is worth; not needed while all is of one.
    - `own`: measures of the team and of plugins.
    """

    language: str = "en"
    segment: str | None = None
    teams: Mapping[str, str] = field(default_factory=dict)
    period: Period | None = None
    timezone: str = "UTC"
    horizon: int = 90
    measures: tuple[str, ...] = ()
    rates: Rates | None = None
    own: tuple[OwnMeasure, ...] = ()

    @property
    def by_team(self) -> bool:
        """Tell whether deals are grouped by their owners' teams."""
        return self.segment == TEAM and bool(self.teams)

    def checked(self, known: Iterable[str]) -> Options:
        """Give these options; raises ConfigurationError for a measure or a time zone that there is not."""
        names = (*known, *(each.id for each in self.own))
        for measure in self.measures:
            if measure not in names:
                raise ConfigurationError(f"There is no measure {measure!r}", advice=f"There are: {', '.join(names)}.")
        if self.timezone != "UTC" and self.timezone not in available_timezones():  # which looks through all files
            raise ConfigurationError(
                f"There is no time zone {self.timezone!r}", advice="Name one such as Europe/Berlin."
            )
        return self
