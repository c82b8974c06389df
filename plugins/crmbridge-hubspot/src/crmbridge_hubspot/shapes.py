"""Answers in another shape than HubSpot documents: read where their meaning is certain, else refused in plain words.

What is left out would count as gone or empty, and would be carried over to other CRMs: so nothing is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from types import NoneType
from typing import Any, NoReturn

from crmbridge.errors import RetryLaterError
from crmbridge.http import dump_json
from crmbridge.http.replies import UNREADABLE, tidy

Raw = Mapping[str, Any]
ODD = "odd"  # a key of records that have odd values
NOT_THERE = "OBJECT_NOT_FOUND"  # of what hangs on a record too, where nothing does
_TEXTS = frozenset({str, NoneType})


class ShapeError(RetryLaterError):
    """An answer has not the shape that it should have."""

    def __init__(self, why: str) -> None:
        super().__init__(f"HubSpot's answer can't be read: {why}", advice=UNREADABLE)
        self.why = why


@contextmanager
def named(connection: str) -> Iterator[None]:
    """Name the connection in what is said of an answer."""
    try:
        yield
    except ShapeError as error:
        raise RetryLaterError(f"{connection}: {error.message}", advice=error.advice) from error


class Odd(str):
    """Stands for a property's value that is neither a text nor one that has a text: no value is made of it."""

    __slots__ = ()


def object_in(value: Any, what: str) -> dict[str, Any]:
    """Give an object; raises ShapeError for anything else, null too."""
    return value if isinstance(value, dict) else _refuse(what, "an object", value)


def objects_in(value: Any, what: str) -> list[dict[str, Any]]:
    """Give a list of objects, none where there is none; raises ShapeError for anything else."""
    items: list[Any] = [] if value is None else value if isinstance(value, list) else _refuse(what, "a list", value)
    for each in items:
        if not isinstance(each, dict):
            _refuse(f"an item of {what}", "an object", each)
    return items


def id_in(raw: Raw, name: str = "id") -> str:
    """Give an id, which comes as text or as a number ("Associate records"); raises ShapeError where there is none."""
    value = raw.get(name)
    if isinstance(value, str) and value:
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else _refuse(name, "an id", value)


def text_in(raw: Raw, name: str) -> str:
    """Give a text, or what stands in its place as one; nothing where there is none."""
    value = raw.get(name)
    return value if isinstance(value, str) else "" if value is None or isinstance(value, dict | list) else _text(value)


def count_in(raw: Raw, name: str) -> int:
    """Give a number of things, 0 where none is said; raises ShapeError for what is no number."""
    text = text_in(raw, name)
    if text.isdecimal() and len(text) < 20:
        return int(text)
    return _refuse(name, "a number", raw[name]) if raw.get(name) else 0


def results_of(body: Any) -> list[dict[str, Any]]:
    """Give the results of an answer; raises ShapeError when it has none, or not all of what is there.

    Of what a batch asks for, it names as errors what is not there. With another error it was not read this time.
    """
    body = object_in(body, "it")
    for error in objects_in(body.get("errors"), "errors"):
        if error.get("category") not in {NOT_THERE, None}:
            raise ShapeError(f"it has an error, {tidy(str(error.get('message') or error['category']))}")
    found = body.get("results")
    return _refuse("results", "a list", found) if found is None else objects_in(found, "results")


def records_in(body: Any) -> list[Any]:
    """Give the records of an answer, with texts for properties that are numbers or flags; raises ShapeError.

    Of a property that is neither, an `Odd` one stands in its place, and the record is marked.
    """
    found = results_of(body)
    for raw in found:
        # Pages are full of sound ones, which cost no call for each property.
        if raw.get("id").__class__ is not str or raw.get("properties").__class__ is not dict:
            raw["id"] = id_in(raw)
            object_in(raw.get("properties"), f"properties of {tidy(raw['id'], 40)}")
        if not _TEXTS.issuperset(map(type, raw["properties"].values())):
            _make_texts(raw)
    return found


def next_of(body: Raw) -> str | None:
    """Give the token of the next page, or None on the last; raises ShapeError where it can't be told."""
    paging = body.get("paging")
    following = None if paging is None else object_in(paging, "paging").get("next")
    after = None if following is None else object_in(following, "paging.next").get("after")
    if after is None or after == "":
        return None
    return after if isinstance(after, str) else id_in({"after": after}, "after")


def _make_texts(raw: dict[str, Any]) -> None:
    properties = raw["properties"]
    for name, value in properties.items():
        if value is not None and not isinstance(value, str):
            properties[name] = text = _text(value)
            if isinstance(text, Odd):
                raw[ODD] = True


def _text(value: Any) -> str:
    """Write a value as HubSpot does where it keeps to its word that all properties are texts ("Properties" guide)."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case Decimal():
            return f"{value:f}"
        case _:
            return Odd(tidy(dump_json(value).decode(), 60))


def _refuse(what: str, wanted: str, value: Any) -> NoReturn:
    raise ShapeError(f"{what} should be {wanted}, and is {tidy(dump_json(value).decode(), 60)}")
