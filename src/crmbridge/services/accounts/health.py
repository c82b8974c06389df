"""How a thing that was looked at is."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Health(StrEnum):
    """How a thing that was looked at is."""

    GOOD = "ok"
    WEAK = "warning"  # it works, but something will be missing
    BAD = "error"


class Check(Struct, frozen=True, kw_only=True):
    """One thing that was looked at. `advice` is what to do about it."""

    about: str  # a connection, `state` or `process`
    health: Health
    message: str
    advice: str = ""
    exit_code: int = 3


def good(about: str, message: str) -> Check:
    """Say that a thing is as it should be."""
    return Check(about=about, health=Health.GOOD, message=message)


def weak(about: str, message: str, advice: str) -> Check:
    """Warn of a thing."""
    return Check(about=about, health=Health.WEAK, message=message, advice=advice)


def bad(about: str, message: str, advice: str, exit_code: int = 3) -> Check:
    """Say that a thing is wrong."""
    return Check(about=about, health=Health.BAD, message=message, advice=advice, exit_code=exit_code)
