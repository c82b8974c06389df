"""Pipedrive's activities and notes as canonical records."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.values import Value
from crmbridge_pipedrive.api import Row, is_id
from crmbridge_pipedrive.mapping import plain_record
from crmbridge_pipedrive.standard import activity_time
from crmbridge_pipedrive.values import moment

# The stock types' keys are our words; any other type, such as `lunch`, keeps its own ("Activity types").
LINES = frozenset({"br", "p", "div", "li", "ul", "ol", "tr", "h1", "h2", "h3", "h4", "blockquote"})


def activity_record(row: Row, connection: str) -> Record:
    """Read an activity: a call, meeting, email or task, or whatever other types the company has."""
    fields: dict[str, Value] = {
        "type": str(row.get("type") or "") or None,
        "subject": _text(row.get("subject")),
        "done": row.get("done") is True,
        "at": activity_time(row),
        "owner": _id(row.get("owner_id")),
        "deals": _ids(row.get("deal_id")),
        "company": _id(row.get("org_id")),
        "contacts": _ids(row.get("person_id"), *_participants(row)),
    }
    return plain_record(row, Ref(connection, Kind.ACTIVITY, str(row["id"])), fields)


def note_record(row: Row, connection: str) -> Record:
    """Read a note; what hangs on it comes along by name too, which is no part of it."""
    fields: dict[str, Value] = {
        "body": plain_text(str(row.get("content") or "")),
        "at": moment(row.get("add_time")),
        "owner": _id(row.get("user_id")),
        "deals": _ids(row.get("deal_id")),
        "company": _id(row.get("org_id")),
        "contacts": _ids(row.get("person_id")),
    }
    own = {name: value for name, value in row.items() if not isinstance(value, dict)}
    return plain_record(own, Ref(connection, Kind.NOTE, str(row["id"])), fields)


def plain_text(html: str) -> str:
    """Give the text of a note's HTML, line by line."""
    reading = _Text()
    reading.feed(html)
    reading.close()
    lines = (re.sub(r"[ \t\xa0]+", " ", line).strip() for line in "".join(reading.parts).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


class _Text(HTMLParser):
    """Collects text; what begins a line does so."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002  the parser's signature
        """Begin a line where the tag does."""
        if tag in LINES and (tag == "br" or self.parts):
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        """Keep the text."""
        self.parts.append(data)


def _participants(row: Row) -> list[object]:
    people = row.get("participants")
    listed = people if isinstance(people, list) else []
    return [person.get("person_id") for person in listed if isinstance(person, dict)]


def _text(raw: object) -> str | None:
    return raw if isinstance(raw, str) else None


def _id(raw: object) -> str | None:
    return str(raw) if is_id(raw) else None


def _ids(*raw: object) -> tuple[str, ...]:
    return tuple(sorted({str(item) for item in raw if is_id(item)}))
