"""What commands write, as text."""

from __future__ import annotations

import io
from collections.abc import Iterable

from crmbridge.cli.output import Line, Screen


def text(lines: Iterable[Line]) -> str:
    """Give lines as they are written where there is no terminal."""
    stream = io.StringIO()
    Screen(stream, colour=False).show(lines)
    return stream.getvalue()
