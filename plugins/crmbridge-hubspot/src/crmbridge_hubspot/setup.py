"""Keeps an account's set-up between calls and runs, and knows when it has to be read again."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from crmbridge.http import dump_json, load_json
from crmbridge.model.values import parse_iso
from crmbridge.ports import AdapterContext
from crmbridge_hubspot.account import Account, read_parts, to_account
from crmbridge_hubspot.api import HubSpotApi
from crmbridge_hubspot.mapping import Terms, Words
from crmbridge_hubspot.settings import HubSpotSettings
from crmbridge_hubspot.values import Codec

MEMORY = "set-up"
GOOD_FOR, A_MINUTE = timedelta(hours=1), timedelta(minutes=1)
Raw = Mapping[str, Any]


class SetUp:
    """One account's set-up: from memory while it is fresh, else from HubSpot. Thread-safe.

    A stage, pipeline or owner that is not in it is a reason to read it anew, once for each that is missing, and so is a
    property in it that deals come without.
    """

    def __init__(self, api: HubSpotApi, settings: HubSpotSettings, context: AdapterContext) -> None:
        self._api = api
        self._settings = settings
        self._context = context
        self._lock = threading.Lock()
        self._terms: Terms | None = None
        self._read_at: datetime | None = None
        self._missed: set[object] = set()  # looked for and not found: no reason to look again

    def terms(self, *, afresh: bool = False) -> Terms:
        """Give what records are read with."""
        with self._lock:
            return self._read() if afresh else self._current()

    def terms_for(self, deals: Collection[Raw]) -> Terms:
        """Give what these deals can be read with, as far as the account has what they name."""
        with self._lock:
            terms = self._current()
            missing = (_places(deals, terms.account) | _left_out(deals, terms)) - self._missed
            if self._is_older_than(A_MINUTE):  # people who are gone for good are no reason to look for each of them
                missing |= _owners(deals, terms.account) - self._missed
            if not missing:
                return terms
            self._missed |= missing
            return self._read()

    def renewed(self) -> Terms:
        """Give what holds now, for a change that can't be written with what held before; once a minute at the most."""
        with self._lock:
            return self._read() if self._is_older_than(A_MINUTE) else self._current()

    def likely(self) -> Words:
        """Give the names that hold if the settings name properties by their names, whatever the account has."""
        return Words(self._settings, self._context, None)

    def forget(self) -> None:
        """Let the next call read the set-up anew: it was changed."""
        with self._lock:
            self._terms = None
            self._context.memory.pop(MEMORY, None)

    def _current(self) -> Terms:
        now = self._context.clock.now()
        if self._terms is None or self._read_at is None or not self._read_at <= now < self._read_at + GOOD_FOR:
            return self._remembered(now) or self._read()
        return self._terms

    def _is_older_than(self, age: timedelta) -> bool:
        return self._read_at is None or self._context.clock.now() >= self._read_at + age

    def _read(self) -> Terms:
        at, parts = self._context.clock.now(), read_parts(self._api)
        terms = self._take(parts, at)
        self._context.memory[MEMORY] = dump_json({"of": self._whose(), "at": at.isoformat(), **parts}).decode()
        return terms

    def _remembered(self, now: datetime) -> Terms | None:
        """Give what a run before this one read, unless it is too old or can't be used."""
        try:
            kept = load_json(self._context.memory.get(MEMORY, "{}"))
            at = parse_iso(kept["at"])
            if kept["of"] == self._whose() and at <= now < at + GOOD_FOR and self._has_all_bound(kept):
                return self._take(kept, at)
        except (ValueError, KeyError, TypeError, AttributeError):
            return None  # by another version, or cut: it is read anew
        return None

    def _has_all_bound(self, kept: Raw) -> bool:
        """Tell whether every bound property was there: one made since is read by its label only once it is known."""
        called = {str(name) for each in kept["properties"] for name in (each["name"], each.get("label"))}
        return called.issuperset(bound.native for bound in self._context.fields)

    def _whose(self) -> list[str]:
        return [self._api.host, self._settings.api_version]

    def _take(self, parts: Raw, at: datetime) -> Terms:
        account = to_account(parts, self._settings)
        words = Words(self._settings, self._context, account)
        self._terms, self._read_at = Terms(words, account, Codec(account.zone, account.home)), at
        return self._terms


def _places(deals: Collection[Raw], account: Account) -> set[object]:
    """Give the stages that deals are in and that the account does not have."""
    properties = [deal["properties"] for deal in deals]
    places = {(each.get("pipeline") or "", each.get("dealstage") or "") for each in properties}
    return {place for place in places - account.positions.keys() if place[1]}


def _owners(deals: Collection[Raw], account: Account) -> set[object]:
    """Give the owners that deals have and that the account does not have."""
    return {deal["properties"].get("hubspot_owner_id") for deal in deals} - account.owner_ids - {None, ""}


def _left_out(deals: Collection[Raw], terms: Terms) -> set[object]:
    """Give the bound properties that the account has and that all of these deals came without.

    One that was deleted since is left out of answers without a word ("Properties" guide); it would seem to be empty.
    """
    known: set[object] = {each.native for each in terms.words.own if each.native in terms.account.fields}
    for deal in deals:
        if not known:  # nearly always after the first
            break
        known.difference_update(deal["properties"])
    return known if deals else set()
