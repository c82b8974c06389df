"""What adapters compose beside `crmbridge.http`: walks, history, tables, keys, steps and receipts.

These are functions and small values.
None of it knows a CRM, and none of it has to be used: an adapter takes the parts that fit.
"""

from crmbridge.adapting.columns import (
    FORMS,
    ID,
    TYPE_NAMES,
    Column,
    Form,
    FormOf,
    Row,
    bound_columns,
    form,
    money_form,
    money_in,
    never_empty,
    number_id,
    read_columns,
    single,
    write_columns,
)
from crmbridge.adapting.history import moves_from_revisions
from crmbridge.adapting.keys import WEBSITE, domain_of, folded_key, has_marker, known_by, marked, natural_key
from crmbridge.adapting.reading import read_in_lots
from crmbridge.adapting.receipts import partly, receipt_of
from crmbridge.adapting.steps import Button, Step, button_between, in_steps
from crmbridge.adapting.tables import Table
from crmbridge.adapting.walking import Deletions, Place, walk_by_time

__all__ = [
    "FORMS",
    "ID",
    "TYPE_NAMES",
    "WEBSITE",
    "Button",
    "Column",
    "Deletions",
    "Form",
    "FormOf",
    "Place",
    "Row",
    "Step",
    "Table",
    "bound_columns",
    "button_between",
    "domain_of",
    "folded_key",
    "form",
    "has_marker",
    "in_steps",
    "known_by",
    "marked",
    "money_form",
    "money_in",
    "moves_from_revisions",
    "natural_key",
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
