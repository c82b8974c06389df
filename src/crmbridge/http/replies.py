"""What a CRM answered, and how messages tell of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from crmbridge.errors import RetryLaterError
from crmbridge.revealed import strike

NOT_JSON = object()
UNREADABLE = "Nothing was taken from it. Try again later; if it comes again, report this to who makes the adapter."
REQUEST_IDS = ("x-hubspot-correlation-id", "x-correlation-id", "x-request-id", "request-id")


class Reply(Struct, frozen=True):
    """What a CRM answered. `body` is the decoded JSON (None when empty), or NOT_JSON when it can't be read.

    Where bytes were asked for, `body` is the bytes as they came.
    """

    status: int
    headers: Mapping[str, str]
    body: Any
    text: str

    @property
    def ok(self) -> bool:
        """Tell whether the status is a 2xx."""
        return 200 <= self.status < 300


def where(connection: str, path: str, reply: Reply) -> str:
    """Say which answer it is: by the connection, the path, and the CRM's name of the request where it gave one."""
    request_id = next((reply.headers[name] for name in REQUEST_IDS if name in reply.headers), "")
    place = strike(f"{connection}: {path.partition('?')[0]}")
    return f"{place} (request {tidy(request_id, 60)})" if request_id else place


def unusable(connection: str, path: str, reply: Reply, why: str) -> RetryLaterError:
    """Make the error for an answer that came as it should, and in which `why` can't be read."""
    message = f"{where(connection, path, reply)} answered {reply.status} in a way that can't be read: {why}"
    return RetryLaterError(message, advice=UNREADABLE)


def tidy(text: str, limit: int = 200) -> str:
    """Make text from a CRM fit for one line of a message: no secret of ours, no control characters, not too long."""
    # Struck before it is cut: half a secret would not be known any more.
    line = "".join(c if c.isprintable() else " " for c in strike(text))
    line = " ".join(line.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
