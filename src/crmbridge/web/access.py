"""Who may come in: tokens, sessions that begin with one, and the tokens that forms carry."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from threading import Lock
from typing import NamedTuple

from msgspec import Struct, field

from crmbridge.web.callers import counted_as

LASTS = timedelta(hours=12)  # a session, from its sign-in
MOST_SESSIONS = 1000  # then the oldest ends
TRIES, WITHIN = 10, timedelta(minutes=1)  # wrong tokens that one address may try
MOST_ADDRESSES = 10_000  # that are remembered for that


class Role(StrEnum):
    """What somebody may do here."""

    READ = "read"
    ACT = "act"


class Key(NamedTuple):
    """A token that opens the page, by its digest only."""

    name: str
    role: Role
    digest: bytes


def digest_of(token: str) -> bytes:
    """Give what is kept of a token. It is long and random, so nothing is gained by a slow digest."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


class Session(Struct, frozen=True, kw_only=True):
    """Somebody who signed in. `form` is what every form of theirs must carry."""

    name: str
    role: Role
    ends_at: datetime
    form: str

    @property
    def may_act(self) -> bool:
        """Tell whether they may do more than look."""
        return self.role is Role.ACT


class TooManyTriesError(Exception):
    """Too many wrong tokens came from one address. `seconds` is how long it must wait."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"wait {seconds} s")
        self.seconds = seconds


class _Tries(Struct):
    """When wrong tokens came from each address."""

    found: dict[str, deque[datetime]] = field(default_factory=dict)

    def check(self, address: str, now: datetime) -> None:
        times = self.found.get(address)
        while times and now - times[0] > WITHIN:
            times.popleft()
        if times and len(times) >= TRIES:
            raise TooManyTriesError(int((times[0] + WITHIN - now).total_seconds()) + 1)

    def note(self, address: str, now: datetime) -> None:
        if len(self.found) >= MOST_ADDRESSES:
            self.found.pop(next(iter(self.found)))
        self.found.setdefault(address, deque(maxlen=TRIES)).append(now)


class Access:
    """Lets people in who have a token. Sessions live in memory: they end with the process, or when somebody signs out.

    A cookie holds a random number that is looked up by its digest, so it can't be made up, and none can be read here.
    """

    def __init__(self, keys: Iterable[Key], now: Callable[[], datetime]) -> None:
        self._keys = tuple(keys)
        self._now = now
        self._secret = secrets.token_bytes(32)
        self._sessions: dict[bytes, Session] = {}
        self._tries = _Tries()
        self._lock = Lock()

    def sign_in(self, token: str, address: str) -> str | None:
        """Begin a session and give its cookie; None for a wrong token. Raises TooManyTriesError."""
        key = self.key_of(token, address)
        if key is None:
            return None
        cookie = secrets.token_urlsafe(32)
        id_ = digest_of(cookie)
        form = hmac.new(self._secret, id_, hashlib.sha256).hexdigest()
        with self._lock:
            now = self._now()
            self._sessions = {i: s for i, s in self._sessions.items() if s.ends_at > now}
            if len(self._sessions) >= MOST_SESSIONS:
                self._sessions.pop(next(iter(self._sessions)))
            self._sessions[id_] = Session(name=key.name, role=key.role, ends_at=now + LASTS, form=form)
        return cookie

    def key_of(self, token: str, address: str) -> Key | None:
        """Find whose token this is, in the same time for all; raises TooManyTriesError after too many wrong ones."""
        given = digest_of(token)
        caller = counted_as(address)
        with self._lock:
            self._tries.check(caller, self._now())
            found = None
            for key in self._keys:
                if hmac.compare_digest(given, key.digest):
                    found = key
            if found is None:
                self._tries.note(caller, self._now())
        return found

    def session(self, cookie: str | None) -> Session | None:
        """Give the session that a cookie stands for, while it lasts."""
        found = self._sessions.get(digest_of(cookie)) if cookie else None
        return found if found and found.ends_at > self._now() else None

    def sign_out(self, cookie: str | None) -> None:
        """End a session; the cookie opens nothing any more."""
        if cookie:
            with self._lock:
                self._sessions.pop(digest_of(cookie), None)


def carries(session: Session, form: str) -> bool:
    """Tell whether a form was made for this session."""
    return hmac.compare_digest(session.form.encode(), form.encode("utf-8", "replace"))
