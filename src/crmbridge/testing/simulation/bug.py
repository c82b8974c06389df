"""What a planted bug is."""

from __future__ import annotations

from typing import NamedTuple


class Bug(NamedTuple):
    """A bug: what reads right in a module, and the wrong that takes its place."""

    name: str
    module: str
    right: str
    wrong: str
    stage: str = "play"  # the module that plays the seeds: `fakes` for what hardly any play on sandboxes comes to
