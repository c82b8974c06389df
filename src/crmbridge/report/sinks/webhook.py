"""Post a report as signed JSON to an address of one's own."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from msgspec import Struct

from crmbridge.errors import ConfigurationError
from crmbridge.model.replacing import replace
from crmbridge.model.values import iso
from crmbridge.ports import Document
from crmbridge.report.note import fingerprint, summary_lines
from crmbridge.report.sinks.posting import Place
from crmbridge.secrets import reveal
from crmbridge.settings import Secret
from crmbridge.sink_settings import WebhookEntry

FORM = 1  # raised when a key changes its meaning or goes away; new keys may come at any time
SHORTEST = 16  # characters of a signing secret
_PLACE = Place(
    name="The webhook",
    advice="Mend the address or the secret under the sink `webhook`, or the receiver that refuses it.",
    look="Ask the receiver for the report's fingerprint before sending it again.",
)


class WebhookSink(Struct, frozen=True):
    """Posts a report's figures with three headers: when it was sent, a signature, and what makes it the same report.

    `Crmbridge-Signature` is `v1=` and the HMAC-SHA256, in hexadecimal, of the timestamp (seconds since 1970), a dot,
    and the body. `Idempotency-Key` is the report's fingerprint.
    """

    entry: WebhookEntry
    now: Callable[[], datetime]

    def deliver(self, document: Document) -> str:
        """Post it and say so; raises what `Place.post` raises."""
        place = replace(_PLACE, seconds=self.entry.timeout)
        url = place.checked(self._url())
        key = reveal(self.entry.secret).get_secret_value()
        if len(key) < SHORTEST:
            raise ConfigurationError(
                f"The secret of the sink `webhook` is shorter than {SHORTEST} characters, which can be guessed.",
                advice="Make a longer one, such as `openssl rand -hex 32` prints, and give it to the receiver too.",
            )
        at = self.now()
        body = json.dumps(body_of(document, at), ensure_ascii=False, separators=(",", ":")).encode()
        place.post(url, body, headers_for(body, key, int(at.timestamp()), fingerprint(document)))
        return "the webhook"

    def _url(self) -> str:
        if isinstance(self.entry.url, Secret):
            return reveal(self.entry.url).get_secret_value()
        return self.entry.url


def body_of(document: Document, at: datetime) -> dict[str, Any]:
    """Give what is posted: what the report is called, its lines for people, and all its figures."""
    return {
        "form": FORM,
        "name": document.name,
        "title": document.title,
        "fingerprint": fingerprint(document),
        "sent_at": iso(at),
        "summary": summary_lines(document),
        "report": document.facts,
    }


def headers_for(body: bytes, key: str, timestamp: int, mark: str) -> dict[str, str]:
    """Give the headers by which a receiver knows who sent a body, when, and whether it has it already."""
    signed = hmac.new(key.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {
        "Crmbridge-Timestamp": str(timestamp),
        "Crmbridge-Signature": f"v1={signed}",
        "Idempotency-Key": mark,
    }
