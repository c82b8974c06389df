"""What adapters compose beside `crmbridge.http`: walks, history, columns and receipts, as functions and small values.

None of it knows a CRM, and none of it has to be used: an adapter takes the parts that fit.
"""

from crmbridge.adapting.columns import (
    FORMS,
    ID,
    Column,
    Form,
    bound_columns,
    form,
    money_form,
    never_empty,
    number_id,
    read_columns,
    single,
    write_columns,
)
from crmbridge.adapting.history import moves_from_revisions
from crmbridge.adapting.reading import read_in_lots
from crmbridge.adapting.receipts import partly, receipt_of
from crmbridge.adapting.walking import Deletions, Place, walk_by_time

__all__ = [
    "FORMS",
    "ID",
    "Column",
    "Deletions",
    "Form",
    "Place",
    "bound_columns",
    "form",
    "money_form",
    "moves_from_revisions",
    "never_empty",
    "number_id",
    "partly",
    "read_columns",
    "read_in_lots",
    "receipt_of",
    "single",
    "walk_by_time",
    "write_columns",
]
