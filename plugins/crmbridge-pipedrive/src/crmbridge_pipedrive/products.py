"""Deals with products: Pipedrive works their value out from these, and keeps no other that is written.

People can't edit it either (its support, "Updating items in the Detail View"); of the API that is not documented.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crmbridge_pipedrive.api import Params, Row
from crmbridge_pipedrive.comparing import same
from crmbridge_pipedrive.verdicts import WrongValuesError

COUNT, VALUE = "products_count", "value"
SUM = "its value is the sum of its products, and Pipedrive keeps no other; change the products there"


class Products:
    """Knows the deals with products by the last look at each, which comes right before it is written to.

    A value that is sent and not kept may count as an edit of the deal, and would be sent again for that by each run.
    """

    def __init__(self) -> None:
        self._values: dict[int, Any] = {}

    def read(self, rows_of: Callable[[Params], list[Row]], params: Params) -> list[Row]:
        """Read deals with how many products each has, which their rows then show only where that was asked for."""
        shown = COUNT in str(params["include_fields"]).split(",")
        rows = rows_of(params if shown else {**params, "include_fields": f"{params['include_fields']},{COUNT}"})
        for row in rows:
            if row.get(COUNT):
                self._values[row["id"]] = row.get(VALUE)
            else:
                self._values.pop(row["id"], None)
            if not shown:  # it would make another version of the deal than a pull gives
                row.pop(COUNT, None)
        return rows

    def check(self, deal: int, sent: Row) -> None:
        """Raise WrongValuesError for a value that would not be kept."""
        if VALUE in sent and deal in self._values and not same(sent[VALUE], self._values[deal]):
            raise WrongValuesError(SUM, frozenset({VALUE}))
