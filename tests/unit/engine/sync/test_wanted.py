"""What sync wants, as changes."""

from __future__ import annotations

from crmbridge.engine.sync.wanted import create_around
from crmbridge.model.records import Kind, Ref
from crmbridge.model.replacing import replace
from crmbridge.testing.factories import make_deal


def test_a_company_is_made_under_a_name_that_finds_it_again() -> None:
    """Its key has single blanks, and CRMs find nothing by a text that has others."""
    company = replace(make_deal(), ref=Ref("pd", Kind.COMPANY, "7"), fields={"name": " Acme  of\tNorth"})
    change = create_around(company, link="lnk1", connection="hs")

    assert change is not None
    assert ("Acme of North", "name:acme of north") == (change.after["name"], change.key)
