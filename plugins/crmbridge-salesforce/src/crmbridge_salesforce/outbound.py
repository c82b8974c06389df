"""Reading an outbound message: SOAP from outside, so no document types, no entities, and limits to size and depth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.parsers import expat

from msgspec import Struct, field

from crmbridge_salesforce.ids import is_id

NOTIFICATIONS = "http://soap.sforce.com/2005/09/outbound"
DEEPEST, MOST = 12, 100  # levels of elements, and notifications in one message (Salesforce sends up to 100)
LONGEST = 100_000  # characters of one value


class UnreadableError(Exception):
    """Why a message can't be read, in plain words."""


class Notification(Struct, frozen=True, kw_only=True):
    """One record that changed: the id of the notification, that of the record, and the columns that came along."""

    id: str
    record: str
    columns: Mapping[str, str] = field(default_factory=dict)


class Message(Struct, frozen=True, kw_only=True):
    """An outbound message."""

    organization: str
    notifications: tuple[Notification, ...]


def read_message(body: bytes) -> Message:
    """Read a message; raises UnreadableError for what is none."""
    parser = expat.ParserCreate(namespace_separator=" ")
    reader = _Reader()
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    parser.buffer_text = True
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, LookupError, ValueError):  # the latter two are of encodings that are none for XML
        raise UnreadableError("it is no XML") from None
    return reader.message()


def _refuse(*_: Any) -> None:
    raise UnreadableError("it declares a document type or entities")


class _Reader:
    """Collects the few values of a message, by where they stand."""

    def __init__(self) -> None:
        self._path: list[str] = []
        self._text: list[str] = []
        self._length = 0
        self._organization = ""
        self._notifications: list[Notification] = []
        self._id = ""
        self._columns: dict[str, str] = {}

    def start(self, name: str, _attributes: Mapping[str, str]) -> None:
        space, _, local = name.rpartition(" ")
        self._path.append(local)
        self._text, self._length = [], 0
        if len(self._path) > DEEPEST:
            raise UnreadableError("its elements are nested too deep")
        if local == "notifications" and space != NOTIFICATIONS:
            raise UnreadableError("it is no outbound message")
        if local == "Notification":
            self._id, self._columns = "", {}

    def text(self, text: str) -> None:
        self._text.append(text)
        self._length += len(text)
        if self._length > LONGEST:
            raise UnreadableError("a value is too long")

    def end(self, _name: str) -> None:
        value = "".join(self._text).strip()
        match self._path:
            case ["Envelope", "Body", "notifications", "OrganizationId"]:
                self._organization = value
            case ["Envelope", "Body", "notifications", "Notification", "Id"]:
                self._id = value
            case ["Envelope", "Body", "notifications", "Notification", "sObject", column]:
                self._columns[column] = value
            case ["Envelope", "Body", "notifications", "Notification"]:
                self._add()
        self._path.pop()
        self._text = []

    def _add(self) -> None:
        record = self._columns.get("Id", "")
        if not is_id(self._id) or not is_id(record):
            raise UnreadableError("a notification does not say its id or that of its record")
        self._notifications.append(Notification(id=self._id, record=record, columns=dict(self._columns)))
        if len(self._notifications) > MOST:
            raise UnreadableError(f"it has more than {MOST} notifications")

    def message(self) -> Message:
        if not self._organization or not self._notifications:
            raise UnreadableError("it is no outbound message")
        return Message(organization=self._organization, notifications=tuple(self._notifications))
