"""Python source while it is written, line by line; what comes from people enters it as named values only."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any


class Writer:
    """Writes one function of `get` (a deal's field by name) and `at` (the moment)."""

    def __init__(self) -> None:
        self._first: list[str] = []
        self._lines: list[str] = []
        self._depth = 1
        self._count = 0
        self._once: dict[Hashable, str] = {}
        self._asked: list[str] = []
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

    def once(self, key: Hashable, write: Callable[[], str]) -> str:
        """Give the name of what is computed before all else, and once, however many rules look at it.

        `key` says what it is; `write` writes it, and gives the name, when it is asked for first.
        """
        if key not in self._once:
            lines, depth = self._lines, self._depth
            self._lines, self._depth = self._first, 1
            self._once[key] = write()
            self._lines, self._depth = lines, depth
        return self._once[key]

    @contextmanager
    def answering(self) -> Iterator[str]:
        """Let what is written decide on something, and end by an `answer`; give the name that the answer gets."""
        name = self.fresh()
        self._asked.append(name)
        with self.block("while True:"):
            yield name
            self.line("break")
        self._asked.pop()

    def answer(self, text: str | int, when: str = "") -> None:
        """Write that this is the answer, always or when a condition holds; nothing after it is run. Not in a loop."""
        self.line(f"{f'if {when}: ' if when else ''}{self._asked[-1]} = {text}; break")

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
        return "\n".join(["def rule(get, at):", *self._first, *self._lines])

    def function(self) -> Callable[..., Any]:
        """Compile what was written."""
        space = dict(self.values)
        exec(compile(self.source, "<rule>", "exec"), space)  # noqa: S102  written here, from checked terms only
        found: Callable[..., Any] = space["rule"]
        return found
