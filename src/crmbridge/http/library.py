"""httpx without the command line of its own, whose libraries take half as long to import as all the rest of it."""

from __future__ import annotations

import sys

__all__ = ["httpx"]

_COMMAND = "httpx._main"

# httpx does without it where its libraries are missing. Ours has one of them, so to httpx they look installed.
if _COMMAND in sys.modules:
    import httpx
else:
    sys.modules[_COMMAND] = None  # type: ignore[assignment]  # importing it fails from here
    import httpx

    del sys.modules[_COMMAND]
