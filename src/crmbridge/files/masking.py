"""Hide what looks like a secret in a line of the settings file before anybody is shown it."""

from __future__ import annotations

import re

_NAMED = re.compile(
    r"""(?ix) [\w-]* (?:token|secret|passw|key|credential|client_id|bearer|auth) [\w-]* ["']? \s*:\s+
    (?! [{&*|>\#] ) (?P<secret> \S.*? ) \s*$""",
)
_IN_URL = re.compile(r"://(?P<secret>[^\s/@]+)@|https?://[^\s/\"'}]+/(?P<path>[^\s\"'},]+)")
_LONG = re.compile(r"(?<![\w/.-])(?P<secret>(?=[\w.-]*\d)(?=[\w.-]*[A-Za-z])[\w.-]{20,})")


def mask_line(line: str) -> str:
    """Replace by stars of the same length what stands behind a secret's key, in a URL, or looks like a token."""
    return mask_text(_NAMED.sub(_stars, line))


def mask_text(text: str) -> str:
    """Replace by stars what stands in a URL or looks like a token; for sentences that quote the file."""
    return _LONG.sub(_stars, _IN_URL.sub(_stars, text))


def mask_value(line: str, col: int) -> str:
    """Replace everything from a column (from 1) to the end of the line by stars; blanks stay."""
    return line[: col - 1] + re.sub(r"\S", "*", line[col - 1 :])


def _stars(match: re.Match[str]) -> str:
    name = match.lastgroup or "secret"
    start, end = match.start(name) - match.start(), match.end(name) - match.start()
    return match[0][:start] + "*" * (end - start) + match[0][end:]
