"""Fields that are cut out of text, or put back into it, say what they said."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmbridge.model.cuts import Cutter, empty_as_none, may_name, with_news
from crmbridge.model.values import Fields, Money, Value, as_written, fields_from_text, fields_to_text, is_empty

texts = st.text(st.characters(codec=None))  # any text at all: NUL and half surrogate pairs too
values = st.one_of(
    st.none(),
    texts,
    st.booleans(),
    st.integers(),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.dates(),
    st.datetimes(min_value=datetime(1900, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001  a bound
    st.builds(Money, st.decimals(allow_nan=False, allow_infinity=False), st.sampled_from(["EUR", "JPY"])),
    st.lists(texts).map(lambda items: tuple(sorted(items))),
)
KEPT = [
    lambda fields: fields_from_text(fields_to_text(fields)),
    lambda fields: fields_from_text(fields_to_text(fields).encode()),
    dict,
]


@pytest.mark.parametrize("kept", KEPT)
@given(fields=st.dictionaries(texts, values, max_size=6), more=st.sets(texts, max_size=3), some=st.integers(0, 6))
def test_fields_that_are_cut_out_say_what_they_said(
    kept: Callable[[dict[str, Value]], Fields], fields: dict[str, Value], more: set[str], some: int
) -> None:
    """Those that were asked for, whatever they are called; the ones that are missing are missing, or stand as such."""
    names = [*sorted(fields)[:some], *sorted(more - fields.keys())]
    cut = Cutter(names).cut(kept(fields))
    wanted = {name: fields[name] for name in names if name in fields}

    assert wanted == cut
    assert (sorted(wanted), len(wanted)) == (sorted(cut), len(cut))
    assert [type(value) for value in wanted.values()] == [type(cut[name]) for name in wanted]
    assert [name in wanted for name in [*fields, *more]] == [name in cut for name in [*fields, *more]]
    assert [wanted.get(name, 0) for name in [*fields, *more]] == [cut.get(name, 0) for name in [*fields, *more]]


@pytest.mark.parametrize("kept", KEPT)
@given(fields=st.dictionaries(st.sampled_from("abcd"), values), news=st.dictionaries(st.sampled_from("abcd"), values))
def test_news_take_the_place_of_what_is_kept_as_text(
    kept: Callable[[dict[str, Value]], Fields], fields: dict[str, Value], news: dict[str, Value]
) -> None:
    """Without it being read; what comes of it is written as if it had been."""
    found = with_news(kept(fields), news)

    assert {**fields, **news} == with_news(fields, news) == dict(found)
    assert fields_to_text({**fields, **news}) == fields_to_text(found)


@pytest.mark.parametrize("kept", KEPT)
@given(fields=st.dictionaries(texts, values | st.sampled_from(["", " ", "\u3000", "\t", "set", ()]), max_size=6))
def test_what_is_empty_is_known_without_reading_the_rest(
    kept: Callable[[dict[str, Value]], Fields], fields: dict[str, Value]
) -> None:
    """Blank text, and sets without members, as well as what is missing."""
    found = empty_as_none(as_written(kept(fields)))

    assert {name: None if is_empty(value) else value for name, value in fields.items()} == dict(found)


@pytest.mark.parametrize("kept", KEPT)
@given(fields=st.dictionaries(texts | st.sampled_from(["@had", "a@"]), values, max_size=4))
def test_that_no_name_begins_so_is_known_without_reading(
    kept: Callable[[dict[str, Value]], Fields], fields: dict[str, Value]
) -> None:
    """Where one may, it is looked for; no is certain."""
    may = may_name(kept(fields), "@")

    assert may or not any(name.startswith("@") for name in fields)
