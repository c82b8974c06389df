"""A process in one language: its texts, and its things by name with the place in the manual that explains them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property

from markupsafe import Markup, escape
from msgspec import Struct

from crmbridge.engine.text import plain
from crmbridge.languages import LANGUAGES, tag
from crmbridge.manual.words import Words
from crmbridge.model.parts import Text
from crmbridge.model.process import Process
from crmbridge.model.records import STANDARD_FIELDS, Kind
from crmbridge.model.values import FieldType

LONGEST = 4000  # characters of one line
_ITEM = re.compile(r"(?:[-*•]|(\d{1,2})[.)])\s+(.+)")


class Speech(Struct, frozen=True, dict=True):
    """What is needed to speak of a process in one language.

    Bare speech is for places beside the manual: it has no links, and leaves unsaid that a text is in another language.
    """

    process: Process
    words: Words
    bare: bool = False

    @property
    def language(self) -> str:
        """The language that is spoken."""
        return self.words.language

    def text(self, text: Text | None) -> Markup:
        """Give a text on one line; one that is missing in this language is marked with the language that it has."""
        if text is None:
            return Markup("")
        said = escape(plain(text.in_language(self.language), LONGEST))
        return said if self.bare else _marked(said, self._tongue(text))

    def plain(self, text: Text | None) -> str:
        """Give a text on one line, for places where only characters can stand. It is not escaped."""
        return "" if text is None else plain(text.in_language(self.language), LONGEST)

    def block(self, text: Text | None) -> Markup:
        """Give a text of several lines as paragraphs, and lines that begin with a dash or a number as a list."""
        if text is None:
            return Markup("")
        lines = [plain(line, LONGEST) for line in text.in_language(self.language).splitlines()]
        body = Markup("").join(_paragraphs(lines))
        tongue = self._tongue(text)
        if tongue is None:
            return body
        attributes = {"tag": tag(tongue), "name": LANGUAGES.get(tongue, tongue)}
        return Markup('<div lang="{tag}" class="other">{body}<span class="tongue">{name}</span></div>').format(
            body=body, **attributes
        )

    def tongue(self, text: Text) -> str | None:
        """Give the tag of the language that a text falls back to; None where it is in the language that is spoken."""
        tongue = self._tongue(text)
        return None if tongue is None else tag(tongue)

    def field(self, name: str) -> Markup:
        """Name a deal's field, with a link to what it means."""
        if name not in self.fields:
            return Markup("<code>{}</code>").format(plain(name))
        return _linked(self, f"glossary.html#field-{name}", self.field_name(name))

    def field_name(self, name: str) -> Markup:
        """Name a deal's field: as the process does, or as the manual does for a standard one."""
        for one in self.process.fields:
            if one.id == name:
                return self.text(one.name)
        return self.words(f"field_{name}") if name in STANDARD_FIELDS[Kind.DEAL] else escape(plain(name))

    def fields_listed(self, names: Iterable[str]) -> Markup:
        """Name several fields."""
        return self.words.listed((self.field(name) for name in names), "and")

    def role(self, role_id: str) -> Markup:
        """Name a role, with a link to its page."""
        for role in self.process.roles:
            if role.id == role_id:
                return _linked(self, f"role-{role.id}.html", self.text(role.name))
        return escape(plain(role_id))

    def people(self, names: Iterable[str]) -> Markup:
        """Name who may do something: roles, e-mail addresses, or `owner` for the deal's own."""
        return self.words.listed(
            (self.words("deals_owner") if name == "owner" else self.role(name) for name in names), "or"
        )

    def stage(self, stage_id: str) -> Markup:
        """Name a stage, with a link to its page."""
        stage = self.process.stage(stage_id)
        if stage is None:
            return escape(plain(stage_id))
        return _linked(self, f"stage-{stage.id}.html", self.text(stage.name))

    def calendar(self, calendar_id: str | None, key: str = "by_calendar") -> Markup:
        """Name a calendar, with a link to its hours; nothing where none is named. `key` has the words around it."""
        if calendar_id is None:
            return Markup("")
        name = plain(calendar_id.replace("_", " "))
        return self.words(key, calendar=_linked(self, f"calendars.html#calendar-{calendar_id}", name))

    @cached_property
    def fields(self) -> dict[str, FieldType]:
        """Every field that a rule can name, with its type."""
        return {**{one.id: one.type for one in self.process.fields}, **STANDARD_FIELDS[Kind.DEAL]}

    @cached_property
    def options(self) -> dict[str, tuple[str, ...]]:
        """The values that fields can have, of those of which that is known."""
        return {one.id: one.options for one in self.process.fields if one.options}

    def _tongue(self, text: Text) -> str | None:
        """Tell which language a text falls back to; a single text of a process of several languages is for all."""
        if isinstance(text.root, str):
            spoken = self.process.languages
            return _code(spoken[0]) if len(spoken) == 1 and spoken[0] != self.language else None
        if text.root.get(self.language):
            return None
        return "en" if text.root.get("en") else _code(next(iter(text.root), "und"))


def _linked(speech: Speech, address: str, name: Markup | str) -> Markup:
    return escape(name) if speech.bare else Markup('<a href="{}">{}</a>').format(address, name)


def _marked(body: Markup, tongue: str | None) -> Markup:
    if tongue is None or not body:
        return body
    return Markup('<span lang="{}" class="other">{} <span class="tongue">{}</span></span>').format(
        tag(tongue), body, LANGUAGES.get(tongue, tongue)
    )


def _code(language: str) -> str:
    """Give a language's code; `und`, which stands for an unknown one, where people wrote something else there."""
    return language if re.fullmatch(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}", language) else "und"


def _paragraphs(lines: list[str]) -> Iterable[Markup]:
    """Put lines that belong together into one element each."""
    group: list[str] = []
    kind = ""
    for line in [*lines, ""]:
        found = _ITEM.fullmatch(line)
        now = "" if not line else "p" if found is None else "ol" if found[1] else "ul"
        if now != kind and group:
            yield _element(kind, group)
            group = []
        kind = now
        if line:
            group.append(found[2] if found else line)


def _element(kind: str, group: list[str]) -> Markup:
    if kind == "p":
        return Markup("<p>{}</p>").format(" ".join(group))
    items = Markup("").join(Markup("<li>{}</li>").format(item) for item in group)
    return Markup("<{0}>{1}</{0}>").format(Markup(kind), items)  # noqa: S704  one of our two


def languages_of(process: Process) -> tuple[str, ...]:
    """Give the languages of a process that the manual speaks, in the process's order; English where it has none."""
    return tuple(name for name in process.languages if name in LANGUAGES) or ("en",)
