"""Post a report to a Slack-compatible incoming webhook."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx

from crmbridge import __version__
from crmbridge.engine.text import plain
from crmbridge.errors import ConfigurationError, RetryLaterError, UnclearError
from crmbridge.ports import Document
from crmbridge.report.note import summary_lines
from crmbridge.secrets import reveal
from crmbridge.settings import Secret

# Limits of Slack's "Blocks" and "Text object" reference pages.
MAX_BLOCKS = 50
MAX_TEXT = 3000
MAX_HEADER = 150

_ADVICE = "Make a new incoming webhook in the chat's settings and put its URL where the sink's secret is kept."
_LOCAL = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True, slots=True)
class SlackSink:
    """Posts a report's headline and indicators. `url` says where the webhook's URL is kept: it is a secret.

    Each delivery is one post; whoever delivers remembers what was sent (`fingerprint`).
    """

    url: Secret
    seconds: float = 20.0

    def deliver(self, document: Document) -> str:
        """Post it and say so.

        Raises RetryLaterError when it was certainly not posted and may be later, UnclearError when the reply never
        came, ConfigurationError when the webhook is wrong or refuses it. None of them shows the URL.
        """
        reply = _post(_checked(reveal(self.url).get_secret_value()), message(document), self.seconds)
        _judge(reply)
        return "the chat's webhook"


def message(document: Document) -> dict[str, Any]:
    """Make the message: a header, then sections of text in which nothing is a link or a mention."""
    title = plain(document.title, MAX_HEADER)
    header = {"type": "header", "text": {"type": "plain_text", "text": title, "emoji": False}}
    texts = _packed([_escaped(line) for line in summary_lines(document)])
    sections = [{"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}} for text in texts]
    return {
        "text": _escaped(title),  # what notifications show
        "blocks": [header, *sections],
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _packed(lines: list[str]) -> list[str]:
    """Join lines to texts that are each short enough; what is too much for one message ends in an ellipsis."""
    texts: list[str] = []
    for line in (_cut(line) for line in lines):
        if texts and len(texts[-1]) + 1 + len(line) <= MAX_TEXT:
            texts[-1] += f"\n{line}"
        else:
            texts.append(line)
    room = MAX_BLOCKS - 1  # beside the header
    return texts if len(texts) <= room else [*texts[: room - 1], "…"]


def _cut(line: str) -> str:
    """Cut a line to what one text holds, not through an escaped character."""
    return line if len(line) <= MAX_TEXT else re.sub(r"&[a-z]{0,3}$", "", line[: MAX_TEXT - 1]) + "…"


def _escaped(text: str) -> str:
    """Write the three characters that carry mentions and links as text."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        is_fine = bool(parts.hostname) and (parts.scheme == "https" or _is_local(url))
    except ValueError:
        is_fine = False
    if not is_fine:
        raise ConfigurationError("The chat's webhook is not an https:// address.", advice=_ADVICE)
    return url


def _is_local(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname in _LOCAL


def _post(url: str, body: dict[str, Any], seconds: float) -> httpx.Response:
    timeout = httpx.Timeout(seconds, connect=min(seconds, 10.0))
    agent = {"User-Agent": f"crmbridge/{__version__}"}
    try:
        # A redirect would carry the report to a place nobody named. A proxy is no way to this very machine.
        with httpx.Client(
            timeout=timeout, follow_redirects=False, trust_env=not _is_local(url), headers=agent
        ) as client:
            return client.post(url, json=body)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError):
        raise RetryLaterError("The chat's webhook can't be reached.") from None
    except httpx.TransportError:
        raise UnclearError(
            "The chat's webhook took the report and did not answer, so it may have been posted.",
            advice="Look into the channel before sending it again.",
        ) from None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        raise ConfigurationError("The chat's webhook is not an address that can be called.", advice=_ADVICE) from None


def _judge(reply: httpx.Response) -> None:
    """Take a 2xx as posted; any other reply is an error that says what to do."""
    status = reply.status_code
    if status == 429 or status >= 500:
        raise RetryLaterError(f"The chat's webhook is busy (HTTP {status}).", after=_after(reply))
    if not 200 <= status < 300:
        raise ConfigurationError(
            f"The chat's webhook refused the report (HTTP {status}{_reason(reply)}).", advice=_ADVICE
        )


def _reason(reply: httpx.Response) -> str:
    """Give Slack's own word for it, such as no_service; anything longer might repeat the URL."""
    text = reply.text if len(reply.content) <= 64 else ""
    return f": {text}" if re.fullmatch(r"[a-z][a-z_]{2,40}", text) else ""


def _after(reply: httpx.Response) -> timedelta | None:
    text = reply.headers.get("retry-after", "")
    return timedelta(seconds=int(text)) if re.fullmatch(r"\d{1,6}", text) else None
