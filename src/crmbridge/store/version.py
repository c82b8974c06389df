"""The version of the state's schema."""

from __future__ import annotations

from typing import Final

VERSION: Final = "0010"  # the newest migration; a test keeps it in step with migrations/versions
