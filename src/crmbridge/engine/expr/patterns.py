"""Regular expressions in linear time: a subset of RE2's spelling, run as an automaton that never goes back.

A pattern becomes positions (one per character it stands for) and what may follow each of them (Glushkov); a set of
positions is the bits of one number; what was computed once for a set and a character is remembered.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct, field

MOST_REMEMBERED = 5_000  # steps

Test = Callable[[str], bool]


class Branch(Struct, frozen=True, eq=False):
    """One way a pattern can match; the ways of the whole pattern stand beside each other.

    `following` has, for each eight positions and each set of these, what can follow them.
    """

    tests: tuple[Test, ...]
    first: int
    last: int
    following: tuple[tuple[int, ...], ...]
    empty: bool  # also matches nothing at all
    at_start: bool
    at_end: bool
    steps: dict[tuple[int, bool, str], int] = field(default_factory=dict)
    fitting: dict[str, int] = field(default_factory=dict)

    def found_in(self, text: str) -> bool:
        """Tell whether it matches somewhere in a text."""
        if self.empty and not (self.at_start and self.at_end and text):
            return True
        state, may_begin, steps = 0, True, self.steps
        ends = 0 if self.at_end else self.last
        for char in text:
            step = (state, may_begin, char)
            following = steps.get(step)
            state = self._step(step) if following is None else following
            if state & ends:
                return True
            if self.at_start:
                may_begin = False
                if not state:
                    return False
        return bool(state & self.last)

    def _step(self, step: tuple[int, bool, str]) -> int:
        state, may_begin, char = step
        reached = self.first if may_begin else 0
        for known, eight in zip(self.following, state.to_bytes(len(self.following), "little"), strict=True):
            if eight:
                reached |= known[eight]
        found = reached & self._fitting(char)
        if len(self.steps) >= MOST_REMEMBERED:
            self.steps.clear()
        self.steps[step] = found
        return found

    def _fitting(self, char: str) -> int:
        found = self.fitting.get(char)
        if found is None:
            found = sum(1 << at for at, test in enumerate(self.tests) if test(char))
            if len(self.fitting) >= MOST_REMEMBERED:
                self.fitting.clear()
            self.fitting[char] = found
        return found


class Pattern(Struct, frozen=True, eq=False):
    """A regular expression that is ready to be looked for."""

    source: str
    branches: tuple[Branch, ...]  # what is made of the source

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pattern) and self.source == other.source

    def __hash__(self) -> int:
        return hash(self.source)

    def __repr__(self) -> str:
        return f"Pattern(source={self.source!r})"

    def found_in(self, text: str) -> bool:
        """Tell whether it matches somewhere in a text, in a time that grows with the text's length only."""
        return any(branch.found_in(text) for branch in self.branches)
