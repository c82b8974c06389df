"""How the org answers: error bodies, times and values in its JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

from starlette.responses import Response

from crmbridge.http import dump_json
from crmbridge_salesforce.sandbox.objects import Column

# Types of columns whose values go out as they are kept.
PLAIN = frozenset(
    {"boolean", "currency", "email", "id", "percent", "picklist", "reference", "string", "textarea", "url"}
)


class ApiError(Exception):
    """What goes out as an error body. `fields` names the columns that are at fault."""

    def __init__(self, code: str, message: str, *, status: int = 400, fields: Sequence[str] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.fields = list(fields) if fields is not None else None

    def whole(self) -> dict[str, Any]:
        """Give it as an item of a whole answer's array."""
        body: dict[str, Any] = {"message": self.message, "errorCode": self.code}
        return body if self.fields is None else {**body, "fields": self.fields}

    def item(self) -> dict[str, Any]:
        """Give it as an error of one row in a collection, where the code is called statusCode."""
        return {"statusCode": self.code, "message": self.message, "fields": self.fields or []}


NOT_FOUND = "The requested resource does not exist"


def not_found(message: str = NOT_FOUND) -> ApiError:
    """Make the error for what is not there."""
    return ApiError("NOT_FOUND", message, status=404)


def answer(body: Any, status: int = 200) -> Response:
    """Make a JSON answer, decimals digit for digit."""
    return Response(dump_json(body), status_code=status, media_type="application/json;charset=UTF-8")


def refusal(error: ApiError) -> Response:
    """Make the answer of an error."""
    return answer([error.whole()], error.status)


def wire(value: Any) -> Any:
    """Write one stored value as the org does."""
    if isinstance(value, datetime):
        return _moment(value)
    return value.isoformat() if isinstance(value, date) else value


@lru_cache(maxsize=65_536)
def _moment(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="seconds")[:19] + ".000+0000"


def row_url(version: str, table: str, row_id: str) -> str:
    """Give the path of a row."""
    return f"/services/data/v{version}/sobjects/{table}/{row_id}"


def wire_row(version: str, table: str, row: Mapping[str, Any], columns: Sequence[Column]) -> dict[str, Any]:
    """Write a row with its attributes."""
    attributes = {"type": table, "url": row_url(version, table, row["Id"])}
    return {"attributes": attributes, **{column.name: wire_cell(column, row, attributes["url"]) for column in columns}}


def wire_cell(column: Column, row: Mapping[str, Any], url: str) -> Any:
    """Write one column of a row; what is too large for a record is told by its path."""
    if column.type == "base64" and row.get(column.name) is not None:
        return f"{url}/{column.name}"
    return wire(row.get(column.name))
