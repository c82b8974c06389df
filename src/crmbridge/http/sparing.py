"""Parts of httpx that take less time: a client without cookies, and addresses that are parsed once."""

from __future__ import annotations

import functools
from typing import Any

from crmbridge.http.library import httpx

SHORT = 400  # characters of an address that may be asked again; a query with many ids is none


def parsed(address: str) -> httpx.URL:
    """Parse an address. The same few short ones are asked again and again."""
    return _kept(address) if len(address) < SHORT else httpx.URL(address)


_kept = functools.lru_cache(maxsize=512)(httpx.URL)


class Cookieless(httpx.Client):
    """A client that neither takes cookies nor sends any: no CRM's API needs one."""

    @property
    def cookies(self) -> httpx.Cookies:
        """Nothing, ever."""
        return _NOTHING

    @cookies.setter
    def cookies(self, _cookies: Any) -> None:
        raise AttributeError("this client keeps no cookies")


class _NoCookies(httpx.Cookies):
    def extract_cookies(self, response: httpx.Response) -> None:
        """Take none: to look for them in an answer takes longer than to read most answers."""


_NOTHING = _NoCookies()
