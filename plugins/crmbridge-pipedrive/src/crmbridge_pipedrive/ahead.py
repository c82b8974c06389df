"""What a big first pull begins with, asked for while the account is looked at."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any

from crmbridge.errors import CrmbridgeError
from crmbridge.http import together
from crmbridge.model.records import Kind
from crmbridge.ports import AdapterContext
from crmbridge.threads import started
from crmbridge_pipedrive.account import CODE, MOST_KEYS
from crmbridge_pipedrive.api import Api, Params
from crmbridge_pipedrive.cursors import OVERLAP
from crmbridge_pipedrive.deals import archived, asked_with, listed
from crmbridge_pipedrive.lists import last_id, rows_by_ids
from crmbridge_pipedrive.reading import LISTS
from crmbridge_pipedrive.walking import Ahead, Sample, Survey, newest_page

BUILT_IN = re.compile(r"[a-z_]+")
FIRST, DOUBLED = 9_600, 6  # ids, and how often they are doubled, which makes six hundred thousand
STEPS = 96  # ids at even distances up to the first ones, and up to twice as many, and so on


class Lookout:
    """Asks for the newest page of a list, a sample of it, and what is asked beside these, before anybody needs them.

    Which fields the deals have is not known by then. Where they turn out to be asked for in another way, that page is
    not used.
    """

    def __init__(self, api: Api, context: AdapterContext, key_field: str | None) -> None:
        self._api = api
        self._clock = context.clock
        self._natives = {binding.native for binding in context.fields} | ({key_field} if key_field else set())
        self._asked: dict[Kind, Future[Ahead]] = {}

    def ask(self, kinds: Sequence[Kind]) -> None:
        """Begin with the first of these kinds that is walked: until the others come, what was found would be old."""
        first = next((kind for kind in kinds if kind is Kind.DEAL or kind in LISTS), None)
        if first is Kind.DEAL:
            likely = likely_params(self._natives)
            params, beside = listed(likely or asked_with((), ())), partial(next, archived(self._api, None))
            self._asked[first] = started(partial(self._look, "deals", params, beside, with_page=likely is not None))
        elif first is not None:
            self._asked[first] = started(partial(self._look, LISTS[first][0], {}, _nothing))

    def take(self, kind: Kind) -> Ahead | None:
        """Give what was found, once, and only as long as the next pull goes back to when it was asked for.

        What went wrong is met again by who asks then.
        """
        asked = self._asked.pop(kind, None)
        with contextlib.suppress(CrmbridgeError):
            found = asked.result() if asked is not None else None
            return found if found is not None and self._clock.now() - found.began < OVERLAP else None
        return None

    def _look(self, call: str, params: Params, beside: Callable[[], Any], *, with_page: bool = True) -> Ahead:
        began = self._clock.now()
        jobs: list[Callable[[], Any]] = [
            partial(last_id, self._api, call, params),
            beside,
            lambda: list(rows_by_ids(self._api, call, params, spread())),
        ]
        if with_page:
            jobs.append(partial(newest_page, self._api, call, params, None))
        highest, aside, rows, *pages = together(jobs)
        step = step_for(highest)
        sample = Sample(highest, [row for row in rows if row["id"] % step == 0 and row["id"] <= highest])
        survey = Survey(sample, highest // step, aside) if sample.rows and highest <= max(spread()) else None
        return Ahead(began, params, pages[0] if pages else None, survey)


def likely_params(natives: Collection[str]) -> Params | None:
    """Guess how deals will be asked for; None where that depends on fields of which only the labels are known."""
    custom = {native for native in natives if CODE.fullmatch(native)}
    labels = {native for native in natives if not CODE.fullmatch(native) and not BUILT_IN.fullmatch(native)}
    if labels and len(custom) + len(labels) <= MOST_KEYS:
        return None
    return asked_with((), sorted(custom | labels))


def spread() -> set[int]:
    """Give ids of which any number of rows has some at even distances, the more rows the farther apart."""
    return {(FIRST << doubled) * step // STEPS for doubled in range(DOUBLED + 1) for step in range(1, STEPS + 1)}


def step_for(highest: int) -> int:
    """Give how far apart those are that lie at even distances up to the highest id."""
    top = FIRST
    while top < highest:
        top *= 2
    return top // STEPS


def _nothing() -> None:
    return None
