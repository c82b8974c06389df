"""What adapters compose beside `crmbridge.http`: walks, history, tables, keys and receipts.

These are functions and small values.
None of it knows a CRM, and none of it has to be used: an adapter takes the parts that fit.
"""

from crmbridge.adapting.amending import amend_tasks
from crmbridge.adapting.clocks import apart, put_back
from crmbridge.adapting.columns import (
    FORMS,
    ID,
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
    numbered,
    other_currency,
    read_columns,
    single,
    standard_columns,
    write_columns,
)
from crmbridge.adapting.courses import course_of
from crmbridge.adapting.currencies import turned_amounts
from crmbridge.adapting.describing import flat, native_fields
from crmbridge.adapting.history import History, moves_from_revisions, walk_with_history
from crmbridge.adapting.keys import WEBSITE, domain_of, folded_key, has_marker, known_by, marked
from crmbridge.adapting.markup import bare_text, text_of, unescaped
from crmbridge.adapting.reading import read_in_lots
from crmbridge.adapting.receipts import NotReadyError, outcome_of, partly, receipt_of, there_already
from crmbridge.adapting.sending import one_by_one
from crmbridge.adapting.tables import Table
from crmbridge.adapting.walking import Deletions, Place, walk_by_time
from crmbridge.adapting.written import (
    KNOWN,
    WRITERS,
    Pieces,
    numbers_in,
    put_together,
    read_at_once,
    spread,
    without_value,
    write_amounts,
    write_any,
    write_plain,
    write_texts,
)
from crmbridge.model.records import natural_key

__all__ = [
    "FORMS",
    "ID",
    "KNOWN",
    "WEBSITE",
    "WRITERS",
    "Column",
    "Deletions",
    "Form",
    "FormOf",
    "History",
    "NotReadyError",
    "Pieces",
    "Place",
    "Row",
    "Table",
    "amend_tasks",
    "apart",
    "bare_text",
    "bound_columns",
    "course_of",
    "domain_of",
    "flat",
    "folded_key",
    "form",
    "has_marker",
    "known_by",
    "marked",
    "money_form",
    "money_in",
    "moves_from_revisions",
    "native_fields",
    "natural_key",
    "never_empty",
    "number_id",
    "numbered",
    "numbers_in",
    "one_by_one",
    "other_currency",
    "outcome_of",
    "partly",
    "put_back",
    "put_together",
    "read_at_once",
    "read_columns",
    "read_in_lots",
    "receipt_of",
    "single",
    "spread",
    "standard_columns",
    "text_of",
    "there_already",
    "turned_amounts",
    "unescaped",
    "walk_by_time",
    "walk_with_history",
    "without_value",
    "write_amounts",
    "write_any",
    "write_columns",
    "write_plain",
    "write_texts",
]
