"""The versions of the REST API, and how long each is served."""

from __future__ import annotations

from datetime import date

DEFAULT_VERSION = "67.0"  # Summer '26
# What the vendor announced: 31.0 to 40.0 lose support in Summer '27 ("Salesforce Platform API Versions 31.0 through
# 40.0 Retirement"); older ones are gone.
RETIRED_BEFORE, RETIRING_UP_TO, RETIRED_IN = 31, 40, date(2027, 6, 1)
# There are three releases a year, Spring in February, Summer in June and Winter in October; 67.0 is Summer '26. Each is
# supported for at least three years ("API End-of-Life Policy").
_ANCHOR, _ANCHOR_YEAR = 67, 2026
_MONTHS = (6, 10, 2)
PROMISED_YEARS = 3


def supported_until(version: str) -> date | None:
    """Give the day until which a version is certain to be supported: as announced, else three years from its release.

    None for one that is gone already. Of 41.0 and later no end has been announced, so the day may pass without any
    effect; one year's notice comes before support ends.
    """
    number = int(version.partition(".")[0])
    if number < RETIRED_BEFORE:
        return None
    if number <= RETIRING_UP_TO:
        return RETIRED_IN
    return max(RETIRED_IN, _released(number, PROMISED_YEARS))


def _released(number: int, years_later: int) -> date:
    year, turn = divmod(number - _ANCHOR, 3)
    month = _MONTHS[turn]
    # Spring comes in the calendar year after the Summer and Winter releases before it.
    return date(_ANCHOR_YEAR + year + (turn == 2) + years_later, month, 1)
