"""A change has the same id each time, however it comes to be written down."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime

from hypothesis import example, given
from hypothesis import strategies as st

from crmbridge.model.changes import Action, FieldEdit, change_id
from crmbridge.model.values import Money, to_json

texts = st.text(st.characters(codec=None))  # any text at all: NUL and half surrogate pairs too
values = st.one_of(
    st.none(),
    texts,
    st.text(st.characters(codec="ascii")),
    st.booleans(),
    st.integers(),
    st.decimals(),
    st.dates(),
    st.datetimes(min_value=datetime(1900, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001  a bound
    st.builds(Money, st.decimals(allow_nan=False, allow_infinity=False), st.sampled_from(["EUR", "JPY"])),
    st.lists(texts).map(tuple),
)


@given(parts=st.lists(texts), edits=st.lists(st.builds(FieldEdit, texts, values, values)))
@example(parts=["\x7f"], edits=[])
@example(parts=['a/"\\\b\t\x1f'], edits=[])
def test_ids_are_made_from_one_ascii_text(parts: list[str], edits: list[FieldEdit]) -> None:
    """Of everything that makes it this change, as Python's own JSON writes it: ids stay what they were."""
    values_of = [[edit.name, to_json(edit.before), to_json(edit.after)] for edit in edits]
    text = json.dumps(["update", "hs", *parts, values_of], separators=(",", ":"), sort_keys=True)

    found = change_id(Action.UPDATE, "hs", *parts, edits=tuple(edits))

    assert hashlib.sha256(text.encode()).hexdigest()[:16] == found
