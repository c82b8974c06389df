"""What a walk through everything begins with, which can be asked for while the account's set-up is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode

from crmbridge.errors import RefusedError
from crmbridge.http import together
from crmbridge.model.records import Kind
from crmbridge_hubspot.api import HISTORY_BATCH, LIST_PAGE
from crmbridge_hubspot.history import HISTORY
from crmbridge_hubspot.reading import LONGEST_QUERY, Reader, list_page
from crmbridge_hubspot.search_walk import Newest, SearchWalk

Raw = Mapping[str, Any]
MILLISECOND = timedelta(milliseconds=1)


class Listed(NamedTuple):
    """The first page of a list. `properties` are what it was asked for, where that was before the set-up was known."""

    raws: list[Raw]
    following: str | None
    properties: list[str] | None = None


class Beginning(NamedTuple):
    """The first page, where it could be read; the newest there is; the highest id; when that was asked for."""

    page: Listed | None
    newest: Newest
    highest: int
    at: datetime
    took: int  # milliseconds until all of it was there


def begin(reader: Reader, search: SearchWalk, first: Callable[[Reader], Listed | None]) -> Beginning:
    """Ask for all of it side by side; `first` reads the first page."""
    at = reader.now()
    jobs: list[Callable[[], Any]] = [search.newest, search.highest, lambda: first(reader)]
    newest, highest, page = together(jobs)
    return Beginning(page, newest, highest, at, max(0, (reader.now() - at) // MILLISECOND))


def listed(reader: Reader) -> Listed:
    """Read the first page of the list."""
    return Listed(*reader.listed(None))


def listed_early(reader: Reader) -> Listed | None:
    """Read the first page of the list before the set-up is known; None where it is refused so.

    What else tells whether a deal moved is named after the account's stages, so deals come with their histories.
    """
    names, type_ = reader.setup.likely().properties(reader.type), reader.type
    params, most = {"properties": ",".join(names)}, LIST_PAGE
    if len(urlencode(params)) > LONGEST_QUERY:
        return None
    if type_.linked:
        params["associations"] = ",".join(type_.linked)
    if type_.kind is Kind.DEAL:
        params["propertiesWithHistory"], most = ",".join(HISTORY), HISTORY_BATCH
    try:
        return Listed(*list_page(reader.api, type_, None, most, params), names)
    except RefusedError:
        return None


def is_whole(page: Listed, reader: Reader) -> bool:
    """Tell whether all that is asked for, now that the set-up is known, was asked for: no field goes by its label."""
    return page.properties == reader.setup.terms().words.properties(reader.type)
