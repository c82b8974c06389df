"""Say in a few words why a server was not reached, and what a page says that came where an answer should."""

from __future__ import annotations

import html
import re

from crmbridge.http.library import httpx
from crmbridge.revealed import strike

MOST_WORDS = 2000  # how much of an answer errors may speak of
CHECK_NETWORK = "Check the network and the connection's base_url, then try again; nothing was lost."
CHECK_TRUST = (
    "Check the connection's base_url. Where a proxy of your own looks into what is encrypted, name the file with its"
    " certificate in the environment variable SSL_CERT_FILE."
)
_PAGE = re.compile(r"\s*<(?:!doctype\s+html|html)\b", re.IGNORECASE)
_TITLE = re.compile(r"<title[^<>]*>([^<]*)", re.IGNORECASE)
_FRAME = re.compile(r"^\[[^\]]*\]\s*|\s*\(_ssl\.c:\d+\)$")  # the number of an error, and where in Python it came up
_SAID = {
    "wrong version number": "it does not speak https there",
    "record layer failure": "it does not speak https there",
}


def why(error: Exception) -> str:
    """Say why a server was not reached: in the system's words where they say more than the kind of error."""
    said = _FRAME.sub("", str(error)).strip() if isinstance(error, httpx.ConnectError) else ""
    said = _SAID.get(said, said) or kind_of(error)
    return strike(said[:1].lower() + said[1:])


def advice_for(error: Exception) -> str:
    """Say what to look at where a server was not reached."""
    return CHECK_TRUST if "CERTIFICATE_VERIFY_FAILED" in str(error) else CHECK_NETWORK


def kind_of(error: Exception) -> str:
    """Name an error of the network by its class, in words."""
    return re.sub(r"(?<!^)(?=[A-Z])", " ", type(error).__name__).lower()


def words_of(content: bytes) -> str:
    """Give the beginning of an answer as text, in the one encoding of JSON, whatever the answer says of itself.

    Of a page for people only its title is of use.
    """
    text = strike(content[: 4 * MOST_WORDS].decode("utf-8", "replace"))[:MOST_WORDS]
    if not _PAGE.match(text):
        return text
    title = _TITLE.search(text)
    called = html.unescape(title[1]).strip() if title else ""
    return f'a page, "{called}"' if called else "a page"
