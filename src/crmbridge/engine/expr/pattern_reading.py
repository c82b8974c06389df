"""Read regular expressions: a subset of RE2's spelling, without anything that would have to go back."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from crmbridge.engine.expr.faults import ExprError, Fault, Span
from crmbridge.engine.expr.limits import LONGEST_PATTERN, MOST_POSITIONS
from crmbridge.engine.expr.patterns import Branch, Pattern, Test

_QUANTIFIERS = "*+?{"
_SPECIAL = "\\^$.|?*+()[]{}"
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v"}
_SIMPLE: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}


def read_pattern(source: str) -> Pattern:
    """Read a regular expression; raises ExprError, with places in `source`, for what is not understood."""
    if len(source) > LONGEST_PATTERN:
        raise _error(0, len(source), f"a regular expression has at most {LONGEST_PATTERN} characters")
    return Pattern(source, tuple(_Reader(source).branches()))


def _error(start: int, end: int, sentence: str, advice: str = "") -> ExprError:
    return ExprError(Fault(Span(start, end), "expr-pattern", sentence, advice=advice))


def _bits(number: int) -> Iterator[int]:
    while number:
        lowest = number & -number
        yield lowest.bit_length() - 1
        number ^= lowest


class _Piece(Struct, frozen=True):
    """A part of a pattern: where it can begin and end, and whether it can be nothing."""

    first: int = 0
    last: int = 0
    empty: bool = True


class _Text:
    """A pattern while it is read, and how far."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0

    def peek(self) -> str:
        """Give the next character, or nothing at the end."""
        return self.source[self.at : self.at + 1]

    def next(self) -> str:
        """Give the next character and go past it."""
        char = self.peek()
        self.at += 1
        return char

    def skip(self, text: str) -> bool:
        """Go past a text if it comes next, and tell whether it did."""
        comes = self.source.startswith(text, self.at)
        self.at += len(text) if comes else 0
        return comes

    def refusal(self) -> ExprError:
        """Say what is wrong with the next character."""
        char = self.peek()
        if char in "^$":
            sentence = f"{char!r} can stand only at the {'beginning' if char == '^' else 'end'} of the whole pattern"
        elif char == ")":
            sentence = "nothing is closed by this ')'"
        else:
            sentence = f"{char!r} repeats nothing here"
        return _error(self.at, self.at + 1, sentence, f"Write \\{char} for the character itself.")

    def counts(self) -> tuple[int, int | None]:
        """Read how often what stands before may come: at least and at most."""
        char = self.peek()
        if char and char in _SIMPLE:
            self.at += 1
            return _SIMPLE[char]
        return self._braces() if char == "{" else (1, 1)

    def _braces(self) -> tuple[int, int | None]:
        start, closing = self.at, self.source.find("}", self.at)
        inside = self.source[start + 1 : closing] if closing > 0 else ""
        low, comma, high = inside.partition(",")
        right = low.isascii() and low.isdigit() and (not high or (high.isascii() and high.isdigit()))
        if not right or len(inside) > 9:
            raise _error(start, start + 1, "a count is written {3}, {3,} or {3,5}", "Write \\{ for a brace.")
        self.at = closing + 1
        least = int(low)
        most = int(high) if high else (None if comma else least)
        if most is not None and most < least:
            raise _error(start, closing + 1, "the larger count stands first")
        if max(least, most or 0) > MOST_POSITIONS:
            raise _too_large(start, closing + 1)
        return least, most


class _Reader:
    """Reads a pattern from left to right."""

    def __init__(self, source: str) -> None:
        self._text = _Text(source)
        self._depth = 0
        self._atoms = 0
        self._folded = self._text.skip("(?i)")
        self._tests: list[Test] = []
        self._follow: list[int] = []

    def branches(self) -> Iterator[Branch]:
        while True:
            self._tests, self._follow = [], []
            at_start = self._text.skip("^")
            piece = self._sequence()
            at_end = self._text.skip("$")
            following = _by_eights(self._follow)
            yield Branch(tuple(self._tests), piece.first, piece.last, following, piece.empty, at_start, at_end)
            if not self._text.skip("|"):
                break
        if self._text.at < len(self._text.source):
            raise self._text.refusal()

    def _alternatives(self) -> _Piece:
        found = self._sequence()
        while self._text.skip("|"):
            other = self._sequence()
            found = _Piece(found.first | other.first, found.last | other.last, found.empty or other.empty)
        return found

    def _sequence(self) -> _Piece:
        whole = _Piece()
        while (char := self._text.peek()) and char not in "|)^$" and char not in _QUANTIFIERS:
            whole = self._chain(whole, self._repeated())
        return whole

    def _chain(self, left: _Piece, right: _Piece) -> _Piece:
        for at in _bits(left.last):
            self._follow[at] |= right.first
        first = left.first | (right.first if left.empty else 0)
        last = right.last | (left.last if right.empty else 0)
        return _Piece(first, last, left.empty and right.empty)

    def _repeated(self) -> _Piece:
        start = self._text.at
        piece = self._atom()
        least, most = self._text.counts()
        if self._text.peek() and self._text.peek() in _QUANTIFIERS:
            if self._text.peek() != "?":  # a lazy quantifier finds the same
                raise self._text.refusal()
            self._text.at += 1
        end, whole = self._text.at, _Piece()
        if (least, most) == (1, 1):
            return piece
        for count in range(max(least, 1 if most is None else most)):
            if count:
                self._text.at = start
                piece = self._atom()
            optional = count >= least
            whole = self._chain(whole, _Piece(piece.first, piece.last, piece.empty or optional))
        if most is None:
            for at in _bits(piece.last):
                self._follow[at] |= piece.first
        self._text.at = end
        return whole

    def _atom(self) -> _Piece:
        start, char = self._text.at, self._text.next()
        self._atoms += 1  # also those that stand for nothing, such as (), are written out
        if self._atoms > 4 * MOST_POSITIONS:
            raise _too_large(start, self._text.at)
        if char == "(":
            return self._group(start)
        if char == "[":
            return self._position(self._class(start), start)
        if char == ".":
            return self._position(lambda found: found != "\n", start)
        if char == "\\":
            return self._position(self._escape(start), start)
        return self._position(_folding(_is(char)) if self._folded else _is(char), start)

    def _group(self, start: int) -> _Piece:
        if self._text.skip("?") and not self._text.skip(":"):
            sentence = "only plain groups and (?:…) are understood; (?i) begins the pattern"
            raise _error(start, self._text.at + 1, sentence)
        self._depth += 1
        if self._depth > 20:
            raise _error(start, start + 1, "groups are nested too deep")
        piece = self._alternatives()
        self._depth -= 1
        if not self._text.skip(")"):
            if self._text.peek():
                raise self._text.refusal()
            raise _error(start, start + 1, "the group that begins here is not closed")
        return piece

    def _position(self, test: Test, start: int) -> _Piece:
        if len(self._tests) >= MOST_POSITIONS:
            raise _too_large(start, self._text.at)
        self._tests.append(test)
        self._follow.append(0)
        bit = 1 << (len(self._tests) - 1)
        return _Piece(bit, bit, empty=False)

    def _escape(self, start: int) -> Test:
        char = self._text.next()
        test = _shorthand(char)
        if test is None:
            advice = "Understood are \\d \\w \\s \\D \\W \\S \\n \\t and signs such as \\."
            raise _error(start, start + 2, f"'\\{char}' is not understood in a regular expression", advice)
        return test

    def _class(self, start: int) -> Test:
        negated = self._text.skip("^")
        tests = [_is("]")] if self._text.skip("]") else []  # the first ] is a character
        while not self._text.skip("]"):
            if not self._text.peek():
                raise _error(start, start + 1, "the class that begins here is not closed")
            tests.append(self._member())
        kept = tuple(map(_folding, tests)) if self._folded else tuple(tests)
        return lambda found: any(test(found) for test in kept) is not negated

    def _member(self) -> Test:
        start, low = self._text.at, self._text.next()
        if low == "\\":
            test = self._escape(start)
            low = _CONTROLS.get(self._text.source[self._text.at - 1], self._text.source[self._text.at - 1])
            if self._text.source[self._text.at - 1] in "dwsDWS" or self._text.peek() != "-":
                return test
        if self._text.peek() == "-" and self._text.source[self._text.at + 1 : self._text.at + 2] not in {"]", ""}:
            self._text.at += 1
            high = self._text.next()
            if high == "\\" or high < low:
                raise _error(start, self._text.at, f"'{low}-{high}' is no range")
            return lambda found: low <= found <= high
        return _is(low)


def _too_large(start: int, end: int) -> ExprError:
    return _error(start, end, f"written out, this regular expression has more than {MOST_POSITIONS} characters")


def _by_eights(follow: list[int]) -> tuple[tuple[int, ...], ...]:
    """Write down what can follow each set of eight positions, so that a step costs little however many there are."""
    tables = []
    for begin in range(0, len(follow), 8):
        known = [0]
        for after in follow[begin : begin + 8]:
            known += [reached | after for reached in known]
        tables.append((*known, *[0] * (256 - len(known))))
    return tuple(tables)


def _is(char: str) -> Test:
    return lambda found: found == char


def _folding(test: Test) -> Test:
    return lambda found: test(found) or test(found.lower()) or test(found.upper())


def _shorthand(char: str) -> Test | None:
    """Give what a backslash and a character stand for; digits, words and blanks are those of ASCII, as in RE2."""
    named: dict[str, Test] = {
        "d": lambda found: found.isascii() and found.isdigit(),
        "w": lambda found: found.isascii() and (found.isalnum() or found == "_"),
        "s": lambda found: found in " \t\n\r\f",
    }
    if char in named:
        return named[char]
    if char and char.lower() in named:
        test = named[char.lower()]
        return lambda found: not test(found)
    if char in _CONTROLS:
        return _is(_CONTROLS[char])
    return _is(char) if char and (char in _SPECIAL or (char.isascii() and not char.isalnum())) else None
