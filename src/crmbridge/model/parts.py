"""What everything written in a process file is built from: frozen parts, ids, and words for people."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, RootModel

Id = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
FieldName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?$", max_length=64)]


class Part(BaseModel):
    """Base of everything written in a process file: frozen, and unknown keys are errors."""

    # Only whole files are read, and what reads them is built when one is: that of each part would be built for nothing.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Text(RootModel[str | dict[str, str]]):
    """Words for people: one text for all languages, or one per language code."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    def in_language(self, language: str) -> str:
        """Give the text in a language, else in English, else in whatever there is."""
        if isinstance(self.root, str):
            return self.root
        return self.root.get(language) or self.root.get("en") or next(iter(self.root.values()), "")

    def __str__(self) -> str:
        """Give the English text."""
        return self.in_language("en")
