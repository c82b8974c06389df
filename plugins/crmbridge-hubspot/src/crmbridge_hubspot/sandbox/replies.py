"""The forms in which the sandbox answers: times, errors and batches, as HubSpot has them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from starlette.responses import JSONResponse, Response


class VendorError(Exception):
    """A request that HubSpot refuses, with the parts of its error body."""

    def __init__(
        self, status: int, category: str, message: str, *, code: str = "", context: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.category = category
        self.message = message
        self.code = code
        self.context = dict(context or {})

    def as_item(self, trace: str | None = None) -> dict[str, Any]:
        """Give it as one entry of a batch's errors."""
        context = {**self.context, **({"objectWriteTraceId": [trace]} if trace else {})}
        return {"status": "error", "category": self.category, "message": self.message, "context": context}


def invalid_values(problems: Sequence[tuple[str, str, str]]) -> VendorError:
    """Give the 400 for property values that are not valid, as (property, code, sentence)."""
    listed = [{"isValid": False, "message": sentence, "error": code, "name": name} for name, code, sentence in problems]
    message = f"Property values were not valid: {json.dumps(listed, separators=(',', ':'))}"
    context = {"propertyName": [name for name, _, _ in problems]}
    return VendorError(400, "VALIDATION_ERROR", message, code=problems[0][1], context=context)


def validation(message: str) -> VendorError:
    """Give the 400 for a request that is not well formed."""
    return VendorError(400, "VALIDATION_ERROR", message)


@lru_cache(maxsize=65_536)
def stamp(moment: datetime) -> str:
    """Write a time as HubSpot does: UTC, with milliseconds only where there are any."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return text.replace(".000Z", "Z")


def correlation(number: int) -> str:
    """Give the correlation id of the n-th answer; the same in every run."""
    return str(UUID(int=(0xC0FFEE << 96) + number, version=4))


def error_response(error: VendorError, number: int) -> Response:
    """Answer with an error body."""
    body: dict[str, Any] = {
        "status": "error",
        "message": error.message,
        "correlationId": correlation(number),
        "category": error.category,
    }
    if error.code or error.status == 403:
        code = {"code": error.code} if error.code else {}
        body["errors"] = [{"message": error.message, **code, "context": error.context}]
    if error.context:
        body["context"] = error.context
    return JSONResponse(body, status_code=error.status)


def batch_response(
    results: Sequence[Any], errors: Sequence[dict[str, Any]], *, now: datetime, status: int = 200
) -> Response:
    """Answer a batch: 207 when some of it went wrong."""
    body: dict[str, Any] = {
        "status": "COMPLETE",
        "results": list(results),
        "startedAt": stamp(now),
        "completedAt": stamp(now),
    }
    if errors:
        body |= {"numErrors": len(errors), "errors": list(errors)}
    return JSONResponse(body, status_code=207 if errors else status)
