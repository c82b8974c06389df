"""Python source while it is written, line by line; what comes from people enters it as named values only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Writer:
    """Writes one function of `get` (a deal's field by name) and `at` (the moment)."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._depth = 1
        self._count = 0
        self.values: dict[str, Any] = {}
        self.variables: dict[str, str] = {}

    def line(self, text: str) -> None:
        """Write a line."""
        self._lines.append("    " * self._depth + text)

    @contextmanager
    def block(self, opening: str) -> Iterator[None]:
        """Write a line, and what follows under it."""
        self.line(opening)
        self._depth += 1
        yield
        self._depth -= 1

    def new(self, text: str) -> str:
        """Give a value a name of its own in the function."""
        name = self.fresh()
        self.line(f"{name} = {text}")
        return name

    def fresh(self) -> str:
        """Make a name that nothing has yet."""
        self._count += 1
        return f"v{self._count}"

    @contextmanager
    def variable(self, name: str, held: str) -> Iterator[None]:
        """Let a loop's variable stand for a name while its body is written."""
        self.variables[name] = held
        yield
        del self.variables[name]

    def value(self, value: Any) -> str:
        """Name a value that is there before the function runs."""
        name = f"k{len(self.values)}"
        self.values[name] = value
        return name

    def use(self, function: Callable[..., Any]) -> str:
        """Name a function that is called."""
        name = function.__name__
        self.values[name] = function
        return name

    @property
    def source(self) -> str:
        """The function's source."""
        return "\n".join(["def rule(get, at):", *self._lines])

    def function(self) -> Callable[..., Any]:
        """Compile what was written."""
        space = dict(self.values)
        exec(compile(self.source, "<rule>", "exec"), space)  # noqa: S102  written here, from checked terms only
        found: Callable[..., Any] = space["rule"]
        return found
