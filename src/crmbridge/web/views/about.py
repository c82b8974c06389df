"""The report, the manual and the figures for monitors."""

from __future__ import annotations

import mimetypes
import re

from starlette.responses import Response

from crmbridge.manual import POLICY
from crmbridge.web.access import TooManyTriesError
from crmbridge.web.gauges import CONTENT_TYPE, exposition
from crmbridge.web.site import Asked, Site, go, message, page

# What a page in itself allows of itself; the gate's own policy would take its style away.
_POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy" content="([^"]+)">')
_INLINE = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
# The manual says itself what it needs: its search is a script of its own, without which all of it can be read as well.
_MANUAL = f"{POLICY}; frame-ancestors 'none'"


def report(site: Site, asked: Asked) -> Response:
    """Show the report on the figures that were counted last."""
    t = asked.words
    document = site.board.report(t.language)
    if document is None:
        counting = site.board.is_counting
        return page(
            site,
            asked,
            "message.html.j2",
            title=t("report"),
            text=t("counting" if counting else "uncounted"),
            advice="",
        )
    own = _POLICY.search(document.html)
    policy = f"{own[1].replace('&#39;', chr(39))}; frame-ancestors 'none'" if own else _INLINE
    return Response(document.html, media_type="text/html", headers={"Content-Security-Policy": policy})


def to_manual(_site: Site, _asked: Asked) -> Response:
    """Send the browser to where the manual's own links count from."""
    return go("/manual/")


def manual(site: Site, asked: Asked) -> Response:
    """Show a page or file of the manual; its start is that in the visitor's language, where the process has it."""
    t, path, files = asked.words, asked.params.get("path", ""), site.manual()
    if not path and f"{t.language}/index.html" in files:
        return go(f"/manual/{t.language}/index.html")
    found = files.get(path or "index.html")
    if found is None:
        return message(site, asked, 404, t("not_found"), t("not_found_why"))
    kind = mimetypes.guess_type(path or "index.html")[0] or "text/plain"
    return Response(found, media_type=kind, headers={"Content-Security-Policy": _MANUAL})


def metrics(site: Site, asked: Asked) -> Response:
    """Give the figures that a monitor scrapes, to who shows a token or is signed in."""
    if not site.open_metrics and asked.session is None:
        try:
            known = asked.bearer is not None and site.access.key_of(asked.bearer, asked.address) is not None
        except TooManyTriesError as error:
            return Response("too many wrong tokens\n", 429, {"Retry-After": str(error.seconds)}, "text/plain")
        if not known:
            return Response("give a token: Authorization: Bearer TOKEN\n", 401,
                            {"WWW-Authenticate": "Bearer"}, "text/plain")  # fmt: skip
    return Response(exposition(site.workspace, site.tally), media_type=CONTENT_TYPE)
