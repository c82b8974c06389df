"""What a TinyCRM connection can say in the settings file."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from crmbridge.settings import AdapterSettings, Secret


class TinySettings(AdapterSettings):
    """One TinyCRM account. `base_url`, `currency` and `timeout` are there already."""

    token: Secret
    requests_per_second: Annotated[int, Field(ge=1, le=1000)] = 50
