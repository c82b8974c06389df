"""Text that goes where crmbridge does not decide how it is shown: nothing in it is a link or calls anybody."""

from __future__ import annotations

import re

from crmbridge.engine.text import plain

_CALLS = re.compile(r"@(?=everyone\b|here\b|channel\b|all\b)", re.IGNORECASE)
_WEB = re.compile(r"\bwww\.", re.IGNORECASE)
_SCHEMES = re.compile(r"\b(javascript|data|vbscript|mailto|tel|sms):", re.IGNORECASE)


def inert(text: str, limit: int = 500) -> str:
    """Give text as one line in which mail and chat programs find no address to link and no mention to follow.

    It stays readable: what would be taken for one gets a space inside.
    """
    line = plain(text, limit).replace("://", ": //")
    line = _SCHEMES.sub(r"\1 :", _WEB.sub("www .", line))
    return re.sub(r"<(?=[!@#])", "< ", _CALLS.sub("@ ", line))
