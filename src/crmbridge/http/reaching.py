"""The way to a server: how it is opened, and in plain words why there is none."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from urllib.request import getproxies

from crmbridge.errors import ConfigurationError, RetryLaterError
from crmbridge.http.library import httpx
from crmbridge.http.sparing import Cookieless
from crmbridge.http.timely import timely
from crmbridge.http.trust import authorities_for
from crmbridge.http.wires import wire_to
from crmbridge.loopback import is_loopback
from crmbridge.revealed import strike

MOST_CONNECTIONS = 32
LONGEST_REASON = 120  # characters
_FITTING_PROXY = (
    "HTTPS_PROXY, HTTP_PROXY and ALL_PROXY may each name one that speaks HTTP, as http://proxy.example:3128, and "
    "NO_PROXY hosts, without brackets and masks; for a SOCKS proxy install the package socksio."
)
_UNTRUSTED = (
    "Check this machine's clock. If a proxy or a virus scanner of yours reads encrypted connections, put the "
    "certificate of its authority in a file with the usual ones, and name that file in SSL_CERT_FILE; nothing was lost."
)
_PLAINLY = dict.fromkeys(("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"), "it does not speak https there")
_SHUT_OUT = "Check the proxy that HTTPS_PROXY or ALL_PROXY names: its address, user and password; nothing was lost."


def open_way(connection: str, base_url: str, *, headers: Mapping[str, str], timeout: float) -> httpx.Client:
    """Open what sends requests to a server; raises ConfigurationError where the environment names no way to it."""
    try:
        way = Cookieless(
            timeout=httpx.Timeout(timeout, connect=min(timeout, 10.0), pool=None),
            limits=httpx.Limits(max_connections=MOST_CONNECTIONS, max_keepalive_connections=MOST_CONNECTIONS),
            follow_redirects=False,  # a redirect would carry the token to another host
            trust_env=not is_loopback(base_url),  # proxies are for the world outside
            verify=authorities_for(base_url),
            transport=wire_to(base_url),  # None but in simulations: over the network
        )
    except (ImportError, ValueError, httpx.InvalidURL):  # what they say may show the proxy's password
        raise ConfigurationError(
            f"{connection}: the proxy that the environment names can't be used", advice=_FITTING_PROXY
        ) from None
    timely(way)
    way.headers.update(headers)
    return way


def unreachable(connection: str, base_url: str, error: Exception) -> RetryLaterError:
    """Make the error for a server that can't be reached, with what there is to do about it."""
    why, advice = _reason(error, proxied=_is_proxied(base_url))
    return RetryLaterError(f"{connection}: {httpx.URL(base_url).host} can't be reached ({why})", advice=advice)


def name_of(error: Exception) -> str:
    """Give the name of an error in words."""
    return re.sub(r"(?<!^)(?=[A-Z])", " ", type(error).__name__).lower()


def _is_proxied(base_url: str) -> bool:
    return bool(getproxies().keys() & {"https", "http", "all"}) and not is_loopback(base_url)


def _reason(error: Exception, *, proxied: bool) -> tuple[str, str]:
    """Tell why, and what to do about it."""
    among = ", the proxy that the environment names" if proxied else ""
    usual = f"Check the network{among} and the connection's base_url, then try again; nothing was lost."
    if isinstance(error, httpx.ProxyError):
        return f"the proxy does not let us through: {_line(str(error))}", _SHUT_OUT
    for cause in _causes(error):
        match cause:
            case ssl.SSLCertVerificationError():
                return f"its certificate is not to be trusted: {_line(cause.verify_message)}", _UNTRUSTED
            case ssl.SSLError():
                said = _PLAINLY.get(cause.reason or "") or (cause.reason or "").replace("_", " ").lower()
                return f"no encrypted connection comes about: {_line(said)}", usual
            case socket.gaierror():
                return "its name is not known", usual
            case ConnectionRefusedError():
                return "the connection is refused", usual
    return name_of(error), usual


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _line(text: str) -> str:
    return " ".join(strike(text).split())[:LONGEST_REASON].rstrip(".") or "it does not say why"
