"""Faults that a sandbox can be told to show, at random by a seed or at the next matching request."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

# What each fault does. The kit shows all of these but the last two, which a sandbox asks for at the right place.
FAULTS: Mapping[str, str] = MappingProxyType(
    {
        "drop_before": "the connection is cut before the request is carried out",
        "drop_after": "the request is carried out, then the connection is cut",
        "timeout_before": "nothing is carried out and no answer comes",
        "timeout_after": "the request is carried out and no answer comes",
        "limit": "429 in the vendor's form, without Retry-After",
        "limit_after": "429 in the vendor's form, with a wait of 5 seconds",
        "limit_day": "the day's requests are used up, in the vendor's form",
        "error_500": "500, nothing is carried out",
        "error_503": "503, nothing is carried out",
        "reset": "nothing is carried out and the connection is reset",
        "cut_body": "the answer breaks off half way",
        "cut_json": "the answer ends half way and says that it is whole",
        "drip": "the request is carried out and its answer comes byte by byte",
        "wrong_type": "the answer is right and is called HTML",
        "html": "200 with an HTML page",
        "html_404": "404 with an HTML page, as from in front of the CRM",
        "html_json": "200 with an HTML page that is called JSON",
        "empty_body": "200 with no body",
        "revoked": "the credential is refused, in the vendor's form",
        "partial": "one item of a batch is refused",
        "lag": "the search index is late by some seconds",
    }
)


@dataclass
class _Planned:
    name: str
    times: int
    method: str
    path: str  # a part of the path


class Faults:
    """Decides which requests go wrong. The same seed and the same requests give the same faults."""

    def __init__(self, shares: Mapping[str, float], seed: int) -> None:
        for name in shares:
            _known(name)
        self._shares = dict(shares)
        self._random = random.Random(f"faults {seed}")
        self._planned: list[_Planned] = []
        self._lock = threading.Lock()
        self._paused = False

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Let nothing go wrong until the block ends; what was planned is kept for later."""
        self._paused = True
        try:
            yield
        finally:
            self._paused = False

    @property
    def planned(self) -> bool:
        """Whether a request is still to go wrong that was planned to."""
        return bool(self._planned)

    def plan(self, name: str, *, times: int = 1, method: str = "", path: str = "") -> None:
        """Let the next matching requests go wrong; an empty method or path matches all."""
        _known(name)
        with self._lock:
            self._planned.append(_Planned(name, times, method, path))

    def clear(self) -> None:
        """Forget planned faults and shares."""
        with self._lock:
            self._planned.clear()
            self._shares.clear()

    def strikes(self, name: str, method: str, path: str) -> bool:
        """Tell whether this fault hits this request; a planned one is used up by it."""
        return bool(self.pick((name,), method, path))

    def pick(self, names: Sequence[str], method: str, path: str) -> str:
        """Give which of these faults hits this request, or nothing: what was planned first, else one by its share."""
        if self._paused:
            return ""
        with self._lock:
            for planned in self._planned:
                if planned.name in names and planned.method in {"", method} and planned.path in path:
                    planned.times -= 1
                    if planned.times <= 0:
                        self._planned.remove(planned)
                    return planned.name
            return next((name for name in names if self._random_hit(name)), "")

    def _random_hit(self, name: str) -> bool:
        share = self._shares.get(name, 0.0)
        return share > 0 and self._random.random() < share


def _known(name: str) -> None:
    if name not in FAULTS:
        raise ValueError(f"there is no fault {name!r}; there are: {', '.join(FAULTS)}")
