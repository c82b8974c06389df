"""What every view works with: the site, and what was asked of it by whom."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from msgspec import Struct, field
from starlette.responses import HTMLResponse, RedirectResponse, Response

from crmbridge.languages import LANGUAGES
from crmbridge.services.workspace import Workspace
from crmbridge.web.access import Access, Session
from crmbridge.web.board import Board
from crmbridge.web.callers import Proxies
from crmbridge.web.desk import Desk
from crmbridge.web.gate import Hosts
from crmbridge.web.gauges import Tally
from crmbridge.web.rendering import rendered
from crmbridge.web.words import Words

# Opens a workspace of its own for what writes: the lease belongs to the store object that took it.
Opens = Callable[..., AbstractContextManager[Workspace]]
Manual = Callable[[], Mapping[str, str]]  # the files of the manual by their paths


class Site(Struct, frozen=True, kw_only=True):
    """The page of one project. `workspace` is for looking only."""

    workspace: Workspace
    opens: Opens
    access: Access
    hosts: Hosts
    board: Board
    desk: Desk
    manual: Manual
    tally: Tally = field(default_factory=Tally)
    proxies: Proxies = field(default_factory=Proxies)
    secure: bool = False  # it is called by https alone
    port: int = 0  # that it listens at
    open_metrics: bool = False

    @property
    def zone(self) -> ZoneInfo:
        """Give the zone that times are shown in: that of the process's first calendar."""
        calendars = self.workspace.project.process.calendars
        return ZoneInfo(next((calendar.timezone for calendar in calendars.values()), "UTC"))


class Asked(Struct, frozen=True, kw_only=True):
    """One request, as far as views need it."""

    words: Words
    path: str
    address: str
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)  # the parts of the path
    session: Session | None = None
    cookie: str | None = None
    bearer: str | None = None  # the token of a program

    @property
    def number(self) -> int:
        """Give the page of a list that is asked for, from 1."""
        text = self.query.get("page") or self.form.get("page", "")
        return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 7 else 1

    @property
    def here(self) -> str:
        """Give the address with its query, to come back to; of what was posted, the start page."""
        if self.form:
            return "/"
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path

    @property
    def by(self) -> str:
        """Name who asks."""
        return self.session.name if self.session else ""


View = Callable[[Site, Asked], Response]

MENU = (
    ("/", "overview"),
    ("/deals", "deals"),
    ("/waiting", "waiting"),
    ("/plan", "plan"),
    ("/indicators", "indicators"),
    ("/report", "report"),
    ("/manual/", "manual"),
    ("/runs", "runs"),
)


class Part(Struct, frozen=True):
    """A part of a list that fits a page. `first` and `last` count from 1; both are 0 when there is nothing."""

    number: int
    pages: int
    first: int
    last: int
    total: int

    @property
    def start(self) -> int:
        """Give the index of the first item."""
        return max(self.first - 1, 0)


def part_of(total: int, number: int, size: int) -> Part:
    """Cut a list into pages; one that is past the end is the last."""
    pages = max(1, -(-total // size))
    number = min(number, pages)
    first = (number - 1) * size
    return Part(number, pages, min(first + 1, total), min(first + size, total), total)


def page(site: Site, asked: Asked, template: str, *, title: str, status: int = 200, **values: Any) -> Response:
    """Answer with a page."""
    process = site.workspace.project.process
    here = next((path for path, _ in reversed(MENU) if path != "/" and asked.path.startswith(path.rstrip("/"))), "/")
    common = {
        "t": asked.words,
        "asked": asked,
        "session": asked.session,
        "title": title,
        "process": process.name.in_language(asked.words.language),
        "menu": MENU,
        "here": here,
        "languages": LANGUAGES,
        "busy": site.desk.is_busy,
    }
    return HTMLResponse(rendered(template, {**common, **values}), status)


def message(site: Site, asked: Asked, status: int, title: str, text: str, *, advice: str = "") -> Response:
    """Answer with a page that says one thing; of what was posted, it leads back to where that was."""
    area = f"/{asked.path.split('/')[1]}" if asked.form else ""
    back = next(((path, asked.words(key)) for path, key in MENU if path == area), None)
    values = {"text": text, "advice": advice, "back": back, "wrong": status >= 400}
    return page(site, asked, "message.html.j2", title=title, status=status, **values)


def go(path: str) -> Response:
    """Send the browser on; what was posted is not posted again."""
    return RedirectResponse(path, 303)
