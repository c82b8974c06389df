"""What clears a rule that does not hold, in words."""

from __future__ import annotations

import pytest

from crmbridge.engine.evaluating.remedies import remedy
from crmbridge.engine.rules.files import FILES, UNREAD
from crmbridge.testing.factories import make_deal, make_subject

FILL, ATTACH = "Fill in or correct: name, amount.", "Attach the file to the deal."


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ((), "Make it hold."),
        (("name", "amount"), FILL),
        ((FILES,), ATTACH),
        ((UNREAD,), "Let files be read; `crmbridge doctor` says how."),
        (("name", FILES, "amount"), f"{FILL} {ATTACH}"),
        (("name", "amount", UNREAD), f"{FILL} Or let files be read; `crmbridge doctor` says how."),
    ],
)
def test_a_remedy_names_all_that_a_rule_misses(missing: tuple[str, ...], said: str) -> None:
    """Fields by their names; a file, and the right to look for one, are no fields."""
    assert said == remedy(missing, make_subject(deal=make_deal()))
