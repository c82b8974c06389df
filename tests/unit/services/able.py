"""A workspace on fake CRMs that archive records and create companies and contacts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crmbridge.testing.workspaces import Bench, make_bench

TWO = ("north", "south")


def able_bench(names: Sequence[str] = TWO, **settings: Any) -> Bench:
    """Make a workspace on such CRMs; every conflict is won by the newest unless said otherwise."""
    newest = {"name": "main", "between": list(names), "create": list(names), "fields": {"*": {"conflict": "newest"}}}
    made = make_bench(deals=1, parts=dict.fromkeys(names, (0, 0)), **{"sync": [newest], **settings})
    for crm in made.crms.values():
        crm.able = True
    return made
