"""Post something to an address that people chose: once, to nowhere else, and say what became of it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
from msgspec import Struct

from crmbridge import __version__
from crmbridge.errors import AuthenticationError, ConfigurationError, RetryLaterError, UnclearError
from crmbridge.loopback import is_loopback
from crmbridge.report.sinks.cutting import ALTOGETHER, Deadline, cut_after

LONGEST_WORD = 64  # bytes of a refusal that are looked at
_LATER = {408, 425, 429}
_LONGEST_WAIT = 7 * 86_400


class Place(Struct, frozen=True, kw_only=True):
    """What is posted to, in words for messages. `name` begins a sentence; neither shows the address."""

    name: str  # such as: The chat's webhook
    advice: str
    look: str = "Look there before sending it again."
    seconds: float = 20.0

    def checked(self, url: str) -> str:
        """Give an https:// address, or one of this machine; raises ConfigurationError for any other, unseen."""
        try:
            parts = urlsplit(url)
            local = parts.scheme == "http" and is_loopback(url)
            is_fine = bool(parts.hostname) and (parts.scheme == "https" or local) and url.isprintable()
        except ValueError:
            is_fine = False
        if not is_fine:
            raise ConfigurationError(f"{self.name} is not an https:// address.", advice=self.advice)
        return url

    def post(self, url: str, content: bytes, headers: Mapping[str, str]) -> None:
        """Post it. A redirect is not followed, and of the answer only the beginning of a refusal is read.

        Raises RetryLaterError when it was certainly not taken and may be later, UnclearError when the answer never
        came, AuthenticationError for 401 and 403, ConfigurationError when it is refused for another reason. None of
        them shows the address.
        """
        timeout = httpx.Timeout(self.seconds, connect=min(self.seconds, 10.0))
        known = {"User-Agent": f"crmbridge/{__version__}", "Content-Type": "application/json", **headers}
        try:
            # A proxy is no way to this very machine.
            with (
                cut_after(self.seconds * ALTOGETHER) as deadline,
                httpx.Client(timeout=timeout, follow_redirects=False, trust_env=not is_loopback(url)) as client,
                client.stream(
                    "POST", url, content=content, headers=known, extensions={"trace": _connected(deadline)}
                ) as reply,
            ):
                self._judge(reply)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError):
            raise RetryLaterError(
                f"{self.name} can't be reached.",
                advice="Nothing was sent: try again later. If it stays so, look whether its address is still right.",
            ) from None
        except httpx.TransportError:
            raise UnclearError(
                f"{self.name} took the report and did not answer, so it may have been posted.", advice=self.look
            ) from None
        except ImportError:  # httpx speaks SOCKS with a package of its own only
            raise ConfigurationError(
                f"{self.name} can't be reached through the SOCKS proxy that the environment names.",
                advice="Name a proxy that speaks HTTP in HTTPS_PROXY, or install the package socksio.",
            ) from None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError):
            raise ConfigurationError(f"{self.name} is not an address that can be called.", advice=self.advice) from None

    def _judge(self, reply: httpx.Response) -> None:
        """Take a 2xx as posted; any other reply is an error that says what to do."""
        status = reply.status_code
        if status in _LATER or status >= 500:
            after = _after(reply)
            when = f" and asks to wait {after.total_seconds():.0f} s" if after else ""
            raise RetryLaterError(f"{self.name} is busy (HTTP {status}){when}.", after=after)
        if not 200 <= status < 300:
            kind = AuthenticationError if status in {401, 403} else ConfigurationError
            raise kind(f"{self.name} refused the report (HTTP {status}{_word(reply)}).", advice=self.advice)


def _connected(deadline: Deadline) -> Callable[[str, Mapping[str, Any]], None]:
    """Give what httpx tells of its connection, which passes its socket on."""

    def trace(event: str, info: Mapping[str, Any]) -> None:
        if event == "connection.connect_tcp.complete":
            deadline.watch(info["return_value"].get_extra_info("socket"))

    return trace


def _word(reply: httpx.Response) -> str:
    """Give the other side's own word for it, such as no_service; anything longer might repeat the address."""
    start = b""
    with contextlib.suppress(httpx.HTTPError):
        start = next(reply.iter_raw(LONGEST_WORD + 1), b"")
    text = start.decode("ascii", "replace")
    return f": {text}" if re.fullmatch(r"[a-z][a-z_]{2,40}", text) else ""


def _after(reply: httpx.Response) -> timedelta | None:
    """Read a Retry-After in seconds; Slack's "Rate limits" page says that it sends one."""
    text = reply.headers.get("retry-after", "")
    return timedelta(seconds=min(int(text), _LONGEST_WAIT)) if re.fullmatch(r"\d{1,6}", text) else None
