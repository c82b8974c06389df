"""What records are found by without an external key."""

from __future__ import annotations

import pytest

from crmbridge.adapting import WEBSITE, domain_of, folded_key, has_marker, known_by, marked, natural_key
from crmbridge.model.records import Kind, Record
from crmbridge.testing.factories import NOON, make_ref


def company(number: int, **fields: str | None) -> Record:
    return Record(ref=make_ref(str(number), kind=Kind.COMPANY), fields=fields, version="1", updated_at=NOON)


@pytest.mark.parametrize(
    ("kind", "fields", "key"),
    [
        (Kind.COMPANY, {"name": "Acme", "domain": "Acme.Example"}, "domain:acme.example"),
        (Kind.COMPANY, {"name": " Acme  Ltd ", "domain": None}, "name:acme ltd"),
        (Kind.COMPANY, {"name": "Cafe\u0301", "domain": " "}, "name:caf\u00e9"),
        (Kind.COMPANY, {"domain": ""}, None),
        (Kind.DEAL, {"name": "Rollout"}, None),
        (Kind.CONTACT, {"name": "Ann", "email": "Ann@Acme.example"}, "email:ann@acme.example"),
        (Kind.CONTACT, {"name": "Ann"}, None),
    ],
)
def test_what_a_company_or_contact_is_known_by(kind: Kind, fields: dict[str, str | None], key: str | None) -> None:
    """A name only where there is no domain, and a contact by its e-mail alone."""
    assert key == natural_key(kind, fields)


def test_keys_that_come_from_elsewhere_are_evened_out() -> None:
    """So that they compare equal; a colon in a name is part of it."""
    assert "name:a: b" == folded_key("name: A:  B ")


def test_what_a_search_found_in_excess_is_left_out() -> None:
    """A part of a key is another key, and the name of a company with a domain is none."""
    found = [
        company(1, name="Bacme", domain="bacme.example"),
        company(2, name="acme", domain="other.example"),
        company(3, name="ACME"),
    ]

    assert make_ref("1", kind=Kind.COMPANY) == known_by("domain:BACME.example", found)
    assert make_ref("3", kind=Kind.COMPANY) == known_by("name:Acme", found)
    assert [None] * 3 == [known_by(key, found) for key in ("domain:acme.example", "domain:bacme", "name:acm")]


def test_a_marker_is_found_again_and_no_other() -> None:
    """One that begins with it is another; text without a marker stays as it is."""
    assert (True, False) == tuple(has_marker(marked("Call [a]", "k-1"), marker) for marker in ("k-1", "k-11"))
    assert ("Call", False) == (marked("Call", None), has_marker(None, "k-1"))


@pytest.mark.parametrize(
    ("website", "domain"),
    [
        ("https://www.Acme.example/shop?a=1#b", "acme.example"),
        ("acme.example:8080", "acme.example"),
        ("http://acme.example.", "acme.example"),
        ("https://[broken", None),
        ("", None),
    ],
)
def test_a_website_is_reduced_to_its_domain(website: str, domain: str | None) -> None:
    """Whichever way people wrote it."""
    assert domain == domain_of(website)


def test_a_domain_is_written_as_a_website() -> None:
    """And reads back as what was written; none is none."""
    written = [WEBSITE.write(domain) for domain in ("acme.example", None)]

    assert ["https://acme.example", None] == written
    assert ["acme.example", None] == [WEBSITE.read(value) for value in written]
