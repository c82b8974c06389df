"""What is wrong with an expression, and where in its text."""

from __future__ import annotations

from typing import NamedTuple


class Span(NamedTuple):
    """A piece of an expression's text, in characters from its beginning."""

    start: int
    end: int


class Fault(NamedTuple):
    """One thing wrong with an expression; `code` is one of `crmbridge.engine.issues.CODES`."""

    span: Span
    code: str
    sentence: str
    nearest: str | None = None
    advice: str = ""


class ExprError(Exception):
    """An expression that can't be read; `fault` says why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.sentence)
        self.fault = fault
