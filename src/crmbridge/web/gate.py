"""The gate: which Host and Origin a request may have, and the headers that every answer goes out with."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from msgspec import Struct
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from crmbridge.loopback import is_loopback

# Nothing but our own style sheet and pictures; no script, no frame, no other place that a form could go to.
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # `no-referrer` would let browsers send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})


class Hosts(Struct, frozen=True):
    """The names that the page may be called by: a page of somebody else's name that leads here gets nothing."""

    names: frozenset[str]
    origins: frozenset[str] = frozenset()  # of the public address, whatever Host a proxy hands on

    def allow(self, host: str) -> bool:
        """Tell whether a Host header names this page."""
        return name_of(host) in self.names

    def is_own(self, origin: str | None, host: str) -> bool:
        """Tell whether a request with this Origin comes from one of our own pages."""
        if origin is None:
            return False
        return origin in self.origins or origin in {f"http://{host}", f"https://{host}"}


def hosts_of(listens_at: str, public_url: str | None, others: Collection[str]) -> Hosts:
    """Give the names by which a page that listens there is called."""
    names = {name.lower() for name in others}
    if is_loopback(f"http://[{listens_at}]" if ":" in listens_at else f"http://{listens_at}"):
        names |= LOCAL | {listens_at}
    elif not {"0.0.0.0", "::"} & {listens_at}:  # noqa: S104  to be told apart
        names.add(listens_at)
    if public_url is None:
        return Hosts(frozenset(names))
    parts = urlsplit(public_url)
    names.add((parts.hostname or "").lower())
    return Hosts(frozenset(names), frozenset({f"{parts.scheme}://{parts.netloc}"}))


def name_of(host: str) -> str:
    """Give the name in a Host header, without its port; nothing for one that can't be read."""
    if not host.isascii() or "@" in host:
        return ""
    try:
        parts = urlsplit(f"//{host}")
        parts.port  # noqa: B018  read, as one that is no number raises
    except ValueError:
        return ""
    return (parts.hostname or "").lower()


class Gate:
    """Stands before the page: turns away what is not addressed to it, and gives every answer its headers."""

    def __init__(self, app: ASGIApp, hosts: Hosts) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        request = Request(scope)
        if self._hosts.allow(request.headers.get("host", "")) and len(request.headers.getlist("host")) == 1:
            await self._app(scope, receive, send_with_headers)
            return
        answer = PlainTextResponse("This page is not called by that name.\n", 421)
        await answer(scope, receive, send_with_headers)
