"""What a Tryton connection can say in the settings file."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from crmbridge.settings import AdapterSettings, Address, Secret


class TrytonSettings(AdapterSettings):
    """One database of a Tryton server.

    Signs in with `user` and `password`, or reads with an application key (`key`), which can't make conditional
    writes and so writes nothing. `key_field` is the field of opportunities for the external key. New opportunities
    belong to `company`, an id; to the user's own company when not said.
    """

    base_url: Address
    database: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]
    user: str = ""
    password: Secret | None = None
    key: Secret | None = None
    company: int | None = None
    key_field: str | None = "reference"
    requests_per_second: Annotated[int, Field(ge=1, le=1000)] = 100

    @model_validator(mode="after")
    def _has_one_way_in(self) -> Self:
        if (self.password is None) == (self.key is None) or bool(self.user) == (self.password is None):
            raise ValueError("give either user and password, or key")
        return self
