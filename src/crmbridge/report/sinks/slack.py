"""Post a report to a Slack-compatible incoming webhook."""

from __future__ import annotations

import json

from msgspec import Struct

from crmbridge.ports import Document
from crmbridge.report.sinks.blocks import message
from crmbridge.report.sinks.posting import Place
from crmbridge.secrets import reveal
from crmbridge.settings import Secret

PLACE = Place(
    name="The chat's webhook",
    advice="Make a new incoming webhook in the chat's settings and put its URL where the sink's secret is kept.",
    look="Look into the channel before sending it again.",
)


class SlackSink(Struct, frozen=True):
    """Posts a report's headline and indicators. `url` says where the webhook's URL is kept: it is a secret.

    Each delivery is one post; whoever delivers remembers what was sent (`fingerprint`).
    """

    url: Secret
    place: Place = PLACE

    def deliver(self, document: Document) -> str:
        """Post it and say so; raises what `Place.post` raises."""
        url = self.place.checked(reveal(self.url).get_secret_value())
        self.place.post(url, json.dumps(message(document)).encode(), {})
        return "the chat's webhook"
