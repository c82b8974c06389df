"""Pipedrive's stand-in: lists of deals by cursor, a deal's history, one update at a time, and the account's set-up."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from vendors.columns import COLUMNS, CURRENCY, OPTIONS, STAGES, Column
from vendors.deals import CHANGED, CREATED, ID, NAME, Deals, Sample, Templates, iso
from vendors.limits import Window
from vendors.wire import Reply, Request

BURST, BURST_SECONDS = 20, 2.0  # an API token on the smallest plan
DAILY = 300_000  # ten seats on the smallest plan
LONGEST = 500
KEY = "c" * 40
OPTIONAL = (
    "next_activity_id",
    "last_activity_id",
    "first_won_time",
    "products_count",
    "files_count",
    "notes_count",
    "followers_count",
    "email_messages_count",
    "activities_count",
    "done_activities_count",
    "undone_activities_count",
    "participants_count",
    "last_incoming_mail_time",
    "last_outgoing_mail_time",
)
NATIVE = {
    "text": "varchar",
    "number": "double",
    "money": "monetary",
    "bool": "enum",
    "date": "date",
    "choice": "enum",
    "choices": "set",
}
YES, NO, FIRST_OPTION = 1, 2, 10
STAGE_NAMES = [stage for stage in STAGES if stage not in {"won", "lost"}]
LAST_STAGE = len(STAGE_NAMES)
MOST = 2**62
Listed = Sequence[int]


class Pipedrive:
    """One company. `limited` switches its limits on: 20 requests in two seconds, and a day's tokens."""

    def __init__(self, count: int, *, moved: float, limited: bool) -> None:
        self.deals = Deals(count, moved=moved, times=_time, ids=range(1, count + 1), grain=1000)
        self.window = Window(BURST, BURST_SECONDS) if limited else None
        self._tokens = DAILY
        self._templates: dict[tuple[str, str], Templates] = {}
        self._lists: dict[tuple[str, int, int], Listed] = {}
        self._written: dict[int, dict[str, Any]] = {}

    def touch(self, count: int) -> None:
        """Let some deals have been changed now."""
        step = max(1, len(self.deals) // count)
        self._change(range(0, step * count, step))

    def edit(self, places: range, field: str, value: str) -> None:
        """Let a person have written a value in one field of these deals now."""
        code = next(column.code for column in COLUMNS if column.name == field)
        for place in places:
            self._written.setdefault(place, {"custom_fields": {}})["custom_fields"][code] = value
        self._change(places)

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        if self.window is not None and not self.window.admit():
            return Reply(b'{"success":false,"error":"request over limit","errorCode":429}', 429, self._headers())
        for pattern, cost, call in ROUTES:
            found = re.fullmatch(pattern, f"{request.method} {request.path.removeprefix('/api')}")
            if found:
                self._tokens -= cost
                body = call(self, request, **found.groupdict())
                return Reply(body, 200, self._headers())
        return Reply(b'{"success":false,"error":"Not found","code":"ERR_NOT_FOUND"}', 404, self._headers())

    def _headers(self) -> tuple[tuple[str, str], ...]:
        if self.window is None:
            return ()
        return (
            ("x-ratelimit-limit", str(BURST)),
            ("x-ratelimit-remaining", str(self.window.remaining)),
            ("x-ratelimit-reset", "2"),
            ("x-daily-ratelimit-token-limit", str(DAILY)),
            ("x-daily-ratelimit-token-remaining", str(self._tokens)),
        )

    # ── Deals ───────────────────────────────────────────────────────────────────────────────────────────

    def listing(self, request: Request) -> bytes:
        """List deals; the cursor says by what, from where on."""
        query = request.query
        if query.get("status") == "deleted":
            return _page([], None)
        if "ids" in query:
            places = (self.deals.find(int(each)) for each in query["ids"].split(","))
            return _page(self._rows([place for place in places if place is not None], query), None)
        listed, first = self._listed(query), 0
        cursor = json.loads(base64.urlsafe_b64decode(query["cursor"])) if query.get("cursor") else {}
        if "id" in cursor:
            first = self.deals.at_or_after(cursor["id"])
        first = cursor.get("skip", first)
        size = min(int(query.get("limit") or 100), LONGEST)
        rows = self._rows(listed[first : first + size], query)
        return _page(rows, _marker(first + size) if first + size < len(listed) else None)

    def _listed(self, query: Any) -> Listed:
        since, until = (_moment(query.get(name)) for name in ("updated_since", "updated_until"))
        name = query.get("sort_by") or "id"
        key = (name, since or 0, until or MOST)
        if key not in self._lists:
            self._lists[key] = self._in_order(*key)
        listed = self._lists[key]
        return listed[::-1] if query.get("sort_direction") == "desc" else listed

    def _in_order(self, name: str, since: int, until: int) -> Listed:
        if (since, until) == (0, MOST) and name != "update_time":
            return range(len(self.deals))
        found = [index for _, index in self.deals.changed_between(since, until)]
        return found if name == "update_time" else sorted(found)

    def one(self, request: Request, deal: str) -> bytes:
        """Give one deal."""
        return _data(self._rows([self.deals.at_or_after(int(deal))], request.query)[0])

    def update(self, request: Request, deal: str) -> bytes:
        """Write one deal, and give it as it is now."""
        index = self.deals.at_or_after(int(deal))
        sent = request.json()
        known = self._written.setdefault(index, {"custom_fields": {}})
        known["custom_fields"].update(sent.pop("custom_fields", {}))
        known.update(sent)
        self._change([index])
        return _data(self._rows([index], request.query)[0])

    def changelog(self, _request: Request, deal: str) -> bytes:
        """Tell what a deal that has moved went through."""
        index = self.deals.at_or_after(int(deal))
        if not self.deals.moved[index]:
            return _data(b"[]")
        at = iso(self.deals.changed[index], "%Y-%m-%d %H:%M:%S").decode()
        stage, status = _place(self.deals.sample(index))
        steps = [("stage_id", "1" if stage > 1 else "2", str(stage))]
        steps += [("status", "open", status)] if status != "open" else []
        rows = [
            {"field_key": name, "old_value": old, "new_value": new, "actor_user_id": 1001, "time": at}
            for name, old, new in reversed(steps)
        ]
        return _data(json.dumps(rows).encode())

    def _change(self, indexes: Sequence[int]) -> None:
        self.deals.touch(indexes)
        self._lists.clear()

    def _rows(self, indexes: Listed, query: Any) -> list[bytes]:
        key = (query.get("include_fields") or "", query.get("custom_fields") or "")
        if key not in self._templates:
            more = [name for name in OPTIONAL if name in key[0].split(",")]
            codes = set(filter(None, key[1].split(",")))
            self._templates[key] = self.deals.templates(lambda sample: _deal(sample, more, codes))
        rows = list(self._templates[key].all(indexes))
        for place, index in enumerate(indexes):
            if index in self._written:
                body, written = json.loads(rows[place]), self._written[index]
                custom = {**body["custom_fields"], **written["custom_fields"]}
                rows[place] = json.dumps({**body, **written, "custom_fields": custom}).encode()
        return rows

    # ── Set-up ──────────────────────────────────────────────────────────────────────────────────────────

    def nothing(self, _request: Request) -> bytes:
        """Give an empty list: there are no activities, persons, organizations or archived deals."""
        return _page([], None)

    def fields(self, _request: Request) -> bytes:
        """Give the deal fields."""
        own = [_field(column.code, column.name, NATIVE[column.type], _options(column)) for column in COLUMNS]
        own.append(_field(KEY, "crmbridge key", "varchar", None))
        built_in = [_field(code, code, native, None, custom=False) for code, native in BUILT_IN.items()]
        return _data(json.dumps([*own, *built_in]).encode())

    def pipelines(self, _request: Request) -> bytes:
        """Give the one pipeline."""
        pipeline = {"id": 1, "name": "Sales", "order_nr": 1, "is_deleted": False, "is_deal_probability_enabled": False}
        return _data(json.dumps([pipeline]).encode())

    def stages(self, _request: Request) -> bytes:
        """Give its stages."""
        stages = [
            {
                "id": place,
                "name": name,
                "order_nr": place,
                "pipeline_id": 1,
                "is_deleted": False,
                "deal_probability": 50,
            }
            for place, name in enumerate(STAGE_NAMES, 1)
        ]
        return _data(json.dumps(stages).encode())

    def users(self, _request: Request) -> bytes:
        """Give the users."""
        return _data(json.dumps([_user(number) for number in range(1001, 1021)]).encode())

    def me(self, _request: Request) -> bytes:
        """Say whose token it is."""
        company = {"company_id": 1, "company_name": "Bench", "company_domain": "bench", "default_currency": CURRENCY}
        return _data(json.dumps({**_user(1001), **company, "timezone_name": "UTC"}).encode())

    def currencies(self, _request: Request) -> bytes:
        """Give the one currency."""
        return _data(json.dumps([{"id": 1, "code": CURRENCY, "active_flag": True}]).encode())


BUILT_IN = {
    "title": "varchar",
    "value": "monetary",
    "currency": "varchar",
    "stage_id": "stage",
    "status": "status",
    "owner_id": "user",
    "person_id": "people",
    "org_id": "org",
    "pipeline_id": "double",
    "expected_close_date": "date",
    "lost_reason": "varchar",
    "add_time": "date",
    "update_time": "date",
    "channel": "enum",
}
Call = Callable[..., bytes]
ROUTES: tuple[tuple[str, int, Call], ...] = (
    (r"GET /v2/deals", 10, Pipedrive.listing),
    (r"GET /v2/deals/archived", 20, Pipedrive.nothing),
    (r"GET /v2/deals/(?P<deal>\d+)", 1, Pipedrive.one),
    (r"PATCH /v2/deals/(?P<deal>\d+)", 5, Pipedrive.update),
    (r"GET /v2/(?:activities|persons|organizations)", 10, Pipedrive.nothing),
    (r"GET /v2/dealFields", 10, Pipedrive.fields),
    (r"GET /v2/pipelines", 5, Pipedrive.pipelines),
    (r"GET /v2/stages", 5, Pipedrive.stages),
    (r"GET /v1/deals/(?P<deal>\d+)/changelog", 20, Pipedrive.changelog),
    (r"GET /v1/users", 20, Pipedrive.users),
    (r"GET /v1/users/me", 2, Pipedrive.me),
    (r"GET /v1/currencies", 20, Pipedrive.currencies),
)


def _time(at: int) -> bytes:
    return iso(at, "%Y-%m-%dT%H:%M:%SZ")


def _moment(text: str | None) -> int | None:
    return int(datetime.fromisoformat(text).timestamp() * 1000) if text else None


def _marker(skip: int) -> str:
    return base64.urlsafe_b64encode(json.dumps({"field": "id", "skip": skip}).encode()).decode()


def _page(rows: Sequence[bytes], cursor: str | None) -> bytes:
    return b'{"success":true,"data":[%b],"additional_data":{"next_cursor":%b}}' % (
        b",".join(rows),
        json.dumps(cursor).encode(),
    )


def _data(data: bytes) -> bytes:
    return b'{"success":true,"data":%b,"additional_data":{"next_cursor":null}}' % data


# ── One deal ────────────────────────────────────────────────────────────────────────────────────────────────


def _place(sample: Sample) -> tuple[int, str]:
    """Give a deal's stage and status; one that has not moved is open."""
    stage = sample.row["stage"]
    closed = stage in {"won", "lost"}
    if closed and sample.moved:
        return LAST_STAGE, stage
    return (LAST_STAGE if closed else STAGE_NAMES.index(stage) + 1), "open"


def _deal(sample: Sample, more: Sequence[str], codes: set[str]) -> bytes:
    row = sample.row
    stage, status = _place(sample)
    closed = CHANGED if status != "open" else None
    person = row["contacts"][0] if row["contacts"] else None
    shown: dict[str, Any] = {
        "id": ID,
        "title": NAME,
        "creator_user_id": 1001,
        "owner_id": row["owner"],
        "person_id": person,
        "org_id": row["company"],
        "pipeline_id": 1,
        "stage_id": stage,
        "value": float(row["amount"]),
        "currency": CURRENCY,
        "add_time": CREATED,
        "update_time": CHANGED,
        "stage_change_time": CHANGED if sample.moved else None,
        "status": status,
        "probability": None,
        "lost_reason": row["text_1"] if status == "lost" else None,
        "close_time": closed,
        "won_time": closed if status == "won" else None,
        "lost_time": closed if status == "lost" else None,
        "local_won_date": None,
        "local_lost_date": None,
        "local_close_date": None,
        "expected_close_date": row["close_date"],
        "label_ids": [],
        "visible_to": 3,
        "is_deleted": False,
        "is_archived": False,
        "archive_time": None,
        "origin": "ManuallyCreated",
        **dict.fromkeys(("origin_id", "channel", "channel_id", "acv", "arr", "mrr")),
        **{name: _optional(name, person, closed) for name in more},
        "custom_fields": {c.code: _custom(c, row[c.name]) for c in COLUMNS if not codes or c.code in codes},
    }
    if not codes or KEY in codes:
        shown["custom_fields"][KEY] = None
    text = json.dumps(shown, ensure_ascii=False, separators=(",", ":"))
    return text.replace(f'"{ID}"', ID).encode()


def _optional(name: str, person: int | None, closed: str | None) -> Any:
    if name == "first_won_time":
        return closed
    if name == "participants_count":
        return int(person is not None)
    return 0 if name.endswith("_count") else None


def _custom(column: Column, value: Any) -> Any:
    match column.type:
        case "number":
            return float(value)
        case "money":
            return {"value": float(value), "currency": CURRENCY}
        case "bool":
            return YES if value else NO
        case "choice":
            return FIRST_OPTION + OPTIONS.index(value)
        case "choices":
            return [FIRST_OPTION + OPTIONS.index(each) for each in value]
        case _:
            return value


def _options(column: Column) -> list[dict[str, Any]] | None:
    if column.type == "bool":
        return [{"id": YES, "label": "Yes"}, {"id": NO, "label": "No"}]
    if column.type.startswith("choice"):
        return [{"id": FIRST_OPTION + place, "label": option} for place, option in enumerate(OPTIONS)]
    return None


def _field(code: str, name: str, native: str, options: Any, *, custom: bool = True) -> dict[str, Any]:
    return {
        "field_code": code,
        "field_name": name,
        "field_type": native,
        "options": options,
        "is_custom_field": custom,
        "is_optional_response_field": False,
    }


def _user(number: int) -> dict[str, Any]:
    times = {"created": "2024-01-01 00:00:00", "modified": "2024-01-01 00:00:00"}
    who = {"id": number, "name": f"Owner {number}", "email": f"owner{number}@example.com"}
    return {**who, **times, "active_flag": True, "is_deleted": False, "is_you": number == 1001}
