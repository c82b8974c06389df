"""Send a report to one of the many places that the apprise package knows: Teams, Telegram, Matrix, and so on."""

from __future__ import annotations

import contextlib
import logging
import re
import warnings
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from msgspec import Struct

from crmbridge.errors import ConfigurationError, CrmbridgeError, RetryLaterError, UnclearError
from crmbridge.ports import Document
from crmbridge.report.note import NOTE_LIMIT, summary_lines
from crmbridge.report.sinks.inert import inert
from crmbridge.secrets import reveal
from crmbridge.settings import Secret

_ADVICE = "apprise's page of services says how the place's URL is written; put it where the sink's secret is kept."
_ANSWERED = re.compile(r"\berror\s?[=:]\s?(\d{3})\b")


class AppriseSink(Struct, frozen=True):
    """Sends a report's headline and indicators as plain text. `url` says where the place's URL is kept."""

    url: Secret

    def deliver(self, document: Document) -> str:
        """Send it and say so.

        Raises ConfigurationError when apprise is not installed, does not know the URL or was refused, RetryLaterError
        when the place was busy, UnclearError when apprise does not say why it failed. None of them shows the URL.
        """
        with _quietly():
            apprise = _apprise()
            service = apprise.Apprise()
        # What apprise logs may hold the URL, so it is read here and shown to nobody.
        with _quietly(), apprise.LogCapture(level=logging.INFO, fmt="%(message)s") as said:
            known = service.add(reveal(self.url).get_secret_value())
            sent = known and service.notify(
                title=inert(document.title), body=_body(document), body_format=apprise.NotifyFormat.TEXT
            )
            words = said.getvalue()
        if not known:
            raise ConfigurationError("apprise does not know the kind of place that the URL names.", advice=_ADVICE)
        if not sent:
            raise _why(words)
        return "the place that apprise was given"


def _body(document: Document) -> str:
    text = "\n".join(map(inert, summary_lines(document)))
    return text if len(text) <= NOTE_LIMIT else text[: NOTE_LIMIT - 1].rstrip() + "…"


def _why(words: str) -> CrmbridgeError:
    """Tell from apprise's log what became of it: an HTTP status is an answer, all else may be none."""
    answered = _ANSWERED.search(words)
    if answered is None:
        return UnclearError(
            "apprise could not send the report and does not say whether it arrived.",
            advice="Look there before sending it again; `apprise -vv URL` shows more.",
        )
    status = int(answered[1])
    if status == 429 or status >= 500:
        return RetryLaterError(f"The place that apprise was given is busy (HTTP {status}).")
    return ConfigurationError(f"The place that apprise was given refused the report (HTTP {status}).", advice=_ADVICE)


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Keep to ourselves what apprise logs, and that it uses modules which Python is about to drop.

    Its log repeats parts of the URL, which are not struck out as the whole of it would be.
    """
    log = logging.getLogger("apprise")
    before, log.propagate = log.propagate, False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    finally:
        log.propagate = before


def _apprise() -> Any:
    try:
        return import_module("apprise")
    except ImportError:
        raise ConfigurationError(
            "The sink `apprise` needs a package that is not installed.", advice="pip install 'crmbridge[notify]'"
        ) from None
