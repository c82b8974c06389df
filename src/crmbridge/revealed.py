"""The secrets that this process has fetched, so that they can be struck out of everything it prints or logs."""

from __future__ import annotations

import json
import re
from urllib.parse import quote, quote_plus

SHORTEST = 6  # characters; striking out shorter ones would spoil ordinary text
STRUCK = "*****"
IN_PATHS = "/!$&'()*+,;=:@"  # what may stand as it is in the path of an address
_ESCAPE = re.compile("%[0-9A-F]{2}")

_known: set[str] = set()


def remember(secret: str) -> None:
    """Note a secret that was just fetched, in the forms in which an error may repeat it."""
    if len(secret) >= SHORTEST:
        as_json = json.dumps(secret)[1:-1]
        in_json = {as_json, as_json.replace("/", "\\/")}  # some writers of JSON escape slashes
        in_address = {quote_plus(secret), *(quote(secret, safe=safe) for safe in ("", "/", IN_PATHS))}
        in_small = {_ESCAPE.sub(lambda found: found[0].lower(), form) for form in in_address}  # .NET writes %2f
        _known.update({secret, *in_json, *in_address, *in_small})


def strike(text: str) -> str:
    """Replace every secret known so far by stars."""
    for secret in sorted(_known, key=len, reverse=True):
        text = text.replace(secret, STRUCK)
    return text
