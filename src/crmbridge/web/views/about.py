"""The report, the manual and the figures for monitors."""

from __future__ import annotations

import mimetypes
import re

from starlette.responses import Response

from crmbridge.manual import POLICY
from crmbridge.web.access import TooManyTriesError
from crmbridge.web.gauges import CONTENT_TYPE, exposition
from crmbridge.web.site import Asked, Site, go, message
from crmbridge.web.words import Words

# What a page in itself allows of itself; the gate's own policy would take its style away.
_POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy" content="([^"]+)">')
_INLINE = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
# The manual says itself what it needs: its search is a script of its own, without which all of it can be read as well.
_MANUAL = f"{POLICY}; frame-ancestors 'none'"
# Both are made to stand alone. Here, the way back to the page is put first where each has room for it.
_REPORT_BEGINS, _MANUAL_BEGINS = '<header class="top">\n', re.compile('<nav class="main"[^>]*><ul>')


def report(site: Site, asked: Asked) -> Response:
    """Show the report on the figures that were counted last."""
    t = asked.words
    document = site.board.report(t.language)
    if document is None:
        counting = site.board.is_counting
        return message(site, asked, 200, t("report"), t("counting" if counting else "uncounted"))
    own = _POLICY.search(document.html)
    html = document.html.replace(_REPORT_BEGINS, f'{_REPORT_BEGINS}<p class="meta">{_back(t)}</p>\n', 1)
    policy = f"{own[1].replace('&#39;', chr(39))}; frame-ancestors 'none'" if own else _INLINE
    return Response(html, media_type="text/html", headers={"Content-Security-Policy": policy})


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
    if kind == "text/html":
        found = _MANUAL_BEGINS.sub(lambda nav: f"{nav[0]}\n<li>{_back(t)}</li>", found, count=1)
    return Response(found, media_type=kind, headers={"Content-Security-Policy": _MANUAL})


def _back(t: Words) -> str:
    return f'<a href="/">← {t("overview")}</a>'


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
