"""The secrets that this process has fetched, so that they can be struck out of everything it prints or logs."""

from __future__ import annotations

import json
from urllib.parse import quote, quote_plus

SHORTEST = 6  # characters; striking out shorter ones would spoil ordinary text
STRUCK = "*****"
IN_PATHS = "/!$&'()*+,;=:@"  # what may stand as it is in the path of an address

_known: set[str] = set()


def remember(secret: str) -> None:
    """Note a secret that was just fetched, in the forms in which an error may repeat it."""
    if len(secret) >= SHORTEST:
        as_json = json.dumps(secret)[1:-1]
        in_json = {as_json, as_json.replace("/", "\\/")}  # some writers of JSON escape slashes
        in_address = {quote(secret, safe=safe) for safe in ("", "/", IN_PATHS)}
        _known.update({secret, *in_json, *in_address, quote_plus(secret)})


def strike(text: str) -> str:
    """Replace every secret known so far by stars."""
    for secret in sorted(_known, key=len, reverse=True):
        text = text.replace(secret, STRUCK)
    return text
