"""Numbers that come as texts: read digit for digit, but for those that nobody could have meant."""

from __future__ import annotations

from decimal import Clamped, Context, Decimal, Inexact, InvalidOperation, Overflow, Rounded

MOST_DIGITS = 60  # on either side of the point; `1e30000000` is short to send, and fills the memory when it is shown
TOO_LONG = f"a number of more than {MOST_DIGITS} digits before or after the point"
_TRAPS = (Clamped, Inexact, InvalidOperation, Overflow, Rounded)

# Makes a number of a text, and raises ArithmeticError for one that it can't hold as it is: of more than MOST_DIGITS
# digits, or any behind the last of as many places. Such a one may be too long, or only unusual. It also makes NaN.
plain_number = Context(prec=MOST_DIGITS, Emin=-1, Emax=MOST_DIGITS - 1, clamp=0, traps=list(_TRAPS)).create_decimal


def read_number(text: str) -> Decimal:
    """Read a number; raises ValueError for what is none, has no end, or has too many digits (MOST_DIGITS)."""
    try:
        return bounded(Decimal(text))
    except InvalidOperation:  # no number, or an exponent beyond what Decimal holds
        raise ValueError(f"{text[:60]!r} is no number") from None


def bounded(value: Decimal) -> Decimal:
    """Give a number back; raises ValueError for one as in `read_number`. Zeros count as they would be written."""
    _, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise ValueError(f"{value} is no number")  # noqa: TRY004  the type is right, the value is NaN or infinity
    if len(digits) + exponent > MOST_DIGITS or -exponent > MOST_DIGITS:
        raise ValueError(TOO_LONG)
    return value
