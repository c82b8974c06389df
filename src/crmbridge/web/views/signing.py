"""Signing in and out."""

from __future__ import annotations

from starlette.responses import Response

from crmbridge.web.access import LASTS, TooManyTriesError
from crmbridge.web.addresses import own_path
from crmbridge.web.site import Asked, Site, go, page


def cookie_name(site: Site) -> str:
    """Name the session's cookie; with the prefix, browsers take it by https and for this host alone.

    Cookies are kept by host whatever the port (RFC 6265, 8.5), so it names the port, too.
    """
    name = f"crmbridge_{site.port}" if site.port else "crmbridge"
    return f"__Host-{name}" if site.secure else name


def form(site: Site, asked: Asked) -> Response:
    """Ask for a token."""
    if asked.session is not None:
        return go(own_path(asked.query.get("next", "/")))
    return _asking(site, asked, asked.query.get("next", "/"))


def sign_in(site: Site, asked: Asked) -> Response:
    """Begin a session for who has a token."""
    t, onward = asked.words, asked.form.get("next", "/")
    try:
        cookie = site.access.sign_in(asked.form.get("token", "").strip(), asked.address)
    except TooManyTriesError as error:
        answer = _asking(site, asked, onward, t.counted("too_many", error.seconds), 429)
        answer.headers["Retry-After"] = str(error.seconds)
        return answer
    if cookie is None:
        return _asking(site, asked, onward, t("wrong_token"), 403)
    answer = go(own_path(onward))
    answer.set_cookie(
        cookie_name(site),
        cookie,
        max_age=int(LASTS.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=site.secure,
    )
    return answer


def sign_out(site: Site, asked: Asked) -> Response:
    """End the session."""
    site.access.sign_out(asked.cookie)
    answer = go("/sign-in")
    answer.delete_cookie(cookie_name(site), httponly=True, samesite="strict", secure=site.secure)
    return answer


def _asking(site: Site, asked: Asked, onward: str, wrong: str = "", status: int = 200) -> Response:
    t = asked.words
    return page(
        site,
        asked,
        "sign_in.html.j2",
        title=t("named", name=t("sign_in"), what=wrong) if wrong else t("sign_in"),
        status=status,
        onward=own_path(onward),
        wrong=wrong,
    )
