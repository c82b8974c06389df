"""Render pages: every text filled in is escaped, cleaned of secrets and of what could turn or hide it, and cut."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from crmbridge.engine.text import plain
from crmbridge.model.records import Ref
from crmbridge.revealed import strike

LONGEST = 2000  # characters of one text
_CODE = re.compile(r"`([^`]+)`")
LINKS = frozenset({"http", "https"})


def rendered(template: str, values: Mapping[str, Any]) -> str:
    """Render a page."""
    return _environment().get_template(template).render(values)


def style() -> bytes:
    """Give the style sheet."""
    return files(__package__).joinpath("static", "page.css").read_bytes()


def icon() -> bytes:
    """Give the icon."""
    return files(__package__).joinpath("static", "icon.svg").read_bytes()


@cache
def style_path() -> str:
    """Give where the style sheet is, under a name that changes whenever it does, so that browsers may keep it."""
    return f"/static/{hashlib.sha256(style()).hexdigest()[:16]}.css"


def link(url: str | None) -> str | None:
    """Give an address that may be linked to; None for one that would do more than open a page."""
    try:
        parts = urlsplit(url or "")
        return url if parts.scheme.lower() in LINKS and parts.hostname else None
    except ValueError:
        return None


def deal_path(ref: Ref) -> str:
    """Give where a deal's page is."""
    return f"/deals/{quote(ref.connection, safe='')}/{quote(ref.id, safe='')}"


def with_query(path: str, **values: object) -> str:
    """Give a path with a query of what is not None."""
    said = {name: value for name, value in values.items() if value is not None}
    return f"{path}?{urlencode(said)}" if said else path


def with_code(text: str) -> Markup:
    """Write a sentence that names commands between backticks, as messages do, with these as code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(plain(strike(text), LONGEST)))))  # noqa: S704  it is escaped


def _shown(value: Any) -> Any:
    """Clean what is filled in; markup is our own."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return plain(strike(value), LONGEST)


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("crmbridge.web"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(link=link, deal_path=deal_path, with_code=with_code)
    made.globals.update(with_query=with_query, style_path=style_path())
    return made
