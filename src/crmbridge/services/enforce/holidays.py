"""Look up the public holidays of a calendar's country, for the years that are asked about."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from crmbridge.errors import ConfigurationError
from crmbridge.model.business_time import Calendar


def public_holidays(calendar: Calendar, years: Iterable[int]) -> frozenset[date]:
    """Give the dates of all public holidays in these years; none for a calendar that names no country.

    Days off in lieu of a holiday count too. Raises ConfigurationError for a country or subdivision that the
    `holidays` package does not know.
    """
    named = calendar.holidays
    if named is None:
        return frozenset()
    import holidays  # noqa: PLC0415  the package is slow to import and most commands don't need it

    try:
        found = holidays.country_holidays(named.country, subdiv=named.subdivision, years=list(years), expand=False)
    except NotImplementedError as error:
        where = f"{named.country}, {named.subdivision}" if named.subdivision else named.country
        raise ConfigurationError(
            f"No public holidays are known for {where}",
            advice="Use a country code such as DE and one of its subdivisions such as BE, or list days under `closed`.",
        ) from error
    return frozenset(found)
