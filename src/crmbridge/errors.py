"""Every error that crmbridge raises on purpose, grouped by what the reader can do about it.

    CrmbridgeError
    ├── ConfigurationError      a file, setting or plugin is wrong               exit 3
    ├── AuthenticationError     a credential is refused or lacks a scope         exit 4
    │   └── NotGrantedError     it may not read this kind of record              exit 4
    ├── RetryLaterError         the CRM is unreachable, busy or limiting us      exit 5
    ├── RefusedError            the CRM said no; to one change it is an outcome  exit 3
    │   └── StaleError          it was changed by somebody since we read it      exit 3
    ├── UnclearError            sent, and nobody knows whether it was done       exit 7
    ├── OverLimitError          a plan is larger than whoever runs it allows     exit 7
    ├── PlanStaleError          the plan is not for what is there now            exit 8
    ├── LockedError             another run holds the state                      exit 11
    ├── StateError              the state is damaged or too new                  exit 12
    └── AdapterBugError         an adapter raised what no adapter may raise      exit 1

`exit_code` is what the command line ends with; `crmbridge.cli.exits` prints the whole table.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import ClassVar

# When several things ended differently, the first of these that is among them is how it all ended.
_WORST_FIRST = (1, 2, 12, 3, 4, 5, 11, 6, 7, 8, 9, 10)


def worst(codes: Iterable[int]) -> int:
    """Give the worst of several exit codes; 0 for none."""
    found = set(codes)
    return next((code for code in _WORST_FIRST if code in found), max(found, default=0))


class CrmbridgeError(Exception):
    """Something went wrong that a person can mend. `advice` is the one thing to do."""

    exit_code: ClassVar[int] = 1
    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice


class ConfigurationError(CrmbridgeError):
    """A file, a setting or a plugin is wrong."""

    exit_code = 3
    code = "configuration"


class AuthenticationError(CrmbridgeError):
    """The CRM refused the credential, or it lacks a scope."""

    exit_code = 4
    code = "authentication"


class NotGrantedError(AuthenticationError):
    """The credential is good, but may not read records of this kind; those of the others can be read."""


class RetryLaterError(CrmbridgeError):
    """The CRM can't be reached, is busy, or limits us. `after` is how long it asked us to wait."""

    exit_code = 5
    code = "retry_later"

    def __init__(self, message: str, *, advice: str = "", after: timedelta | None = None) -> None:
        super().__init__(message, advice=advice or "Try again later; nothing was lost.")
        self.after = after


class RefusedError(CrmbridgeError):
    """The CRM said no to this request, and repeating it will not help."""

    exit_code = 3
    code = "refused"


class StaleError(RefusedError):
    """Somebody changed the record since we read it, so nothing was written; to one change it is an outcome."""


class UnclearError(CrmbridgeError):
    """A write was sent and the reply never came, or can't be read: it may have happened."""

    exit_code = 7
    code = "unclear"


class OverLimitError(CrmbridgeError):
    """A plan has more changes or deletions than whoever runs it allows, so nothing of it was written."""

    exit_code = 7
    code = "needs_person"


class PlanStaleError(CrmbridgeError):
    """The plan was made for another configuration, or for records that changed since."""

    exit_code = 8
    code = "plan_stale"


class LockedError(CrmbridgeError):
    """Another run holds the state."""

    exit_code = 11
    code = "locked"


class StateError(CrmbridgeError):
    """The state is damaged, or was written by a newer crmbridge."""

    exit_code = 12
    code = "state"


class AdapterBugError(CrmbridgeError):
    """An adapter raised something that is not of this list, which is a bug in the adapter."""

    exit_code = 1
    code = "bug"
