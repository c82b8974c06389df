"""Public holidays come from a calendar's country."""

from datetime import date
from typing import Any

import pytest

from crmbridge.errors import ConfigurationError
from crmbridge.model.business_time import Calendar
from crmbridge.services.enforce.holidays import public_holidays
from crmbridge.testing.factories import make_calendar


def calendar(**holidays: Any) -> Calendar:
    """Make a calendar with these holidays."""
    return Calendar.model_validate(make_calendar(holidays=holidays or None))


def test_a_calendar_without_a_country_has_no_holidays() -> None:
    """Nothing is assumed."""
    assert frozenset() == public_holidays(calendar(), [2026])


def test_a_country_has_its_holidays_in_the_years_asked_for() -> None:
    """And in no others."""
    found = public_holidays(calendar(country="DE"), range(2026, 2028))

    assert {date(2026, 10, 3), date(2027, 12, 25)} <= found
    assert {2026, 2027} == {day.year for day in found}


def test_a_subdivision_adds_its_own() -> None:
    """Women's Day is a holiday in Berlin."""
    assert date(2026, 3, 8) in public_holidays(calendar(country="DE", subdivision="BE"), [2026])
    assert date(2026, 3, 8) not in public_holidays(calendar(country="DE"), [2026])


@pytest.mark.parametrize("holidays", [{"country": "XX"}, {"country": "DE", "subdivision": "XX"}])
def test_an_unknown_place_is_a_configuration_error(holidays: dict[str, str]) -> None:
    """It names the place and says what to write instead."""
    with pytest.raises(ConfigurationError, match=r"No public holidays are known for .*XX") as caught:
        public_holidays(calendar(**holidays), [2026])

    assert "closed" in caught.value.advice
