"""Addresses that are asked again are parsed once."""

from __future__ import annotations

from crmbridge.http.sparing import SHORT, parsed

PLACE = "https://crm.example/deals"


def test_an_address_that_is_asked_again_is_not_parsed_again() -> None:
    """It is the same object, as nothing changes one."""
    assert parsed(PLACE) is parsed(PLACE)


def test_a_long_address_is_not_kept() -> None:
    """A query with the ids of hundreds of records is asked once: hundreds of those would fill memory for nothing."""
    long = f"{PLACE}?ids={'7' * SHORT}"

    assert parsed(long) is not parsed(long)
    assert str(parsed(long)) == long
