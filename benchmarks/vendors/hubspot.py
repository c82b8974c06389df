"""HubSpot's stand-in: list, search, batch read with history, associations, batch update, and the account's set-up."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from vendors.columns import COLUMNS, CURRENCY, OPTIONS, STAGES
from vendors.deals import CHANGED, CREATED, EDITS_TAKE, ID, NAME, Deals, Sample, Templates, iso
from vendors.limits import Window
from vendors.wire import Reply, Request

PORTAL = 4711
BURST, BURST_SECONDS = 190, 10.0
SEARCHES, SEARCH_SECONDS = 5, 1.0
DAILY = 650_000
FURTHEST = 10_000
MOST = 2**62
HISTORY = ("dealstage", "pipeline")
ALWAYS = ("createdate", "hs_lastmodifieddate", "hs_object_id")
STANDARD = {
    "dealname": "string",
    "amount": "number",
    "closedate": "datetime",
    "dealstage": "enumeration",
    "pipeline": "enumeration",
    "hubspot_owner_id": "enumeration",
    "deal_currency_code": "enumeration",
    "createdate": "datetime",
    "hs_createdate": "datetime",
    "hs_lastmodifieddate": "datetime",
    "hs_object_id": "number",
    "hs_is_closed": "bool",
    "hs_is_closed_won": "bool",
    "hs_merged_object_ids": "string",
    "notes_last_contacted": "datetime",
    "notes_next_activity_date": "datetime",
    "num_notes": "number",
    "num_associated_contacts": "number",
    "lead_source": "string",
    "closed_lost_reason": "string",
    "crmbridge_key": "string",
    **{f"hs_v2_date_{way}_{stage}": "datetime" for stage in STAGES for way in ("entered", "exited")},
}
NATIVE = {
    "text": ("string", "text"),
    "number": ("number", "number"),
    "money": ("number", "number"),
    "bool": ("bool", "booleancheckbox"),
    "date": ("date", "date"),
    "choice": ("enumeration", "select"),
    "choices": ("enumeration", "checkbox"),
}
KNOWN = {*STANDARD, *(column.name for column in COLUMNS)}
LINKS = {"companies": "deal_to_company", "contacts": "deal_to_contact"}
TYPE_IDS = {"companies": (5, "Primary", 341), "contacts": (3, None, None)}


class HubSpot:
    """One account. `limited` switches its limits on: 190 requests in ten seconds, five searches in one."""

    def __init__(self, count: int, *, moved: float, limited: bool) -> None:
        # Ids grow in steps of different sizes, as in an account that other objects share the numbers with.
        ids = [9_000_000_000 + 1_000 * index + index * 7_919 % 1_000 for index in range(count)]
        self.deals = Deals(count, moved=moved, times=_time, ids=ids)
        self.window = Window(BURST, BURST_SECONDS) if limited else None
        self._searches = Window(SEARCHES, SEARCH_SECONDS) if limited else None
        self._day = DAILY
        self._templates: dict[Any, Templates] = {}
        self._written: dict[int, dict[str, str]] = {}

    def touch(self, count: int) -> None:
        """Let some deals have been changed now."""
        step = max(1, len(self.deals) // count)
        self.deals.touch(range(0, step * count, step))

    def edit(self, places: range, field: str, value: str) -> None:
        """Let a person have written a value in one field of these deals now."""
        for place in places:
            self._written.setdefault(place, {})[field] = value
        self.deals.touch(places, EDITS_TAKE)

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        search = request.path.endswith("/search")
        window = self._searches if search else self.window
        if window is not None and not window.admit():
            return _too_many("SECONDLY" if search else "TEN_SECONDLY_ROLLING", self._headers(search=search))
        self._day -= 1
        for pattern, call in ROUTES:
            found = re.fullmatch(pattern, f"{request.method} {request.path.rstrip('/')}")
            if found:
                body, status = call(self, request, **found.groupdict())
                return Reply(body, status, self._headers(search=search))
        return Reply(b'{"status":"error","message":"no such resource","category":"OBJECT_NOT_FOUND"}', 404)

    def _headers(self, *, search: bool) -> tuple[tuple[str, str], ...]:
        if self.window is None:
            return ()
        day = (("X-HubSpot-RateLimit-Daily", str(DAILY)), ("X-HubSpot-RateLimit-Daily-Remaining", str(self._day)))
        if search:  # searches tell nothing of the ten seconds ("Search the CRM")
            return day
        return (
            *day,
            ("X-HubSpot-RateLimit-Max", str(BURST)),
            ("X-HubSpot-RateLimit-Remaining", str(self.window.remaining)),
            ("X-HubSpot-RateLimit-Interval-Milliseconds", str(int(BURST_SECONDS * 1000))),
        )

    # ── Deals ───────────────────────────────────────────────────────────────────────────────────────────

    def listing(self, request: Request, kind: str) -> tuple[bytes, int]:
        """List in the order of the ids; `after` is the id of the next record."""
        if kind != "deals" or request.query.get("archived") == "true":
            return b'{"results":[]}', 200
        size = int(request.query.get("limit", 10))
        history = request.query.get("propertiesWithHistory")
        if size > (50 if history else 100):
            return _wrong(f"limit {size} is too large")
        start = self.deals.at_or_after(int(request.query.get("after") or 0))
        end = min(start + size, len(self.deals))
        rows = self._rows(
            range(start, end), request.query.get("properties"), history, request.query.get("associations")
        )
        following = self.deals.id_text(end) if end < len(self.deals) else None
        return _page(rows, following), 200

    def batch_read(self, request: Request, kind: str) -> tuple[bytes, int]:
        """Read by id; what is not there is left out."""
        asked = request.json()
        history = ",".join(asked.get("propertiesWithHistory") or ())
        if len(asked["inputs"]) > (50 if history else 100):
            return _wrong("too many inputs")
        found = self._known(each["id"] for each in asked["inputs"]) if kind == "deals" else []
        rows = self._rows(found, ",".join(asked.get("properties") or ()), history, None)
        return b'{"status":"COMPLETE","results":[%b]}' % b",".join(rows), 200

    def batch_update(self, request: Request, kind: str) -> tuple[bytes, int]:
        """Write up to 100 deals."""
        inputs = request.json()["inputs"]
        if len(inputs) > 100 or kind != "deals":
            return _wrong("too many inputs")
        results = []
        for each in inputs:
            for index in self._known([each["id"]]):
                self._written.setdefault(index, {}).update(each["properties"])
                self.deals.touch([index])
                results.append({"id": each["id"], "properties": each["properties"], "archived": False})
        return json.dumps({"status": "COMPLETE", "results": results}).encode(), 200

    def search(self, request: Request, kind: str) -> tuple[bytes, int]:
        """Search by the time of change and by id, sorted by either."""
        asked = request.json()
        size, after = int(asked.get("limit", 10)), int(asked.get("after") or 0)
        if size > 200 or after + size > FURTHEST or len(request.body) > 3_000:
            return _wrong("beyond what a search gives")
        found = _found(self.deals, asked) if kind == "deals" else []
        rows = self._rows(found[after : after + size], ",".join(asked.get("properties") or ()), None, None)
        following = str(after + size).encode() if after + size < len(found) else None
        return b'{"total":%d,%b' % (len(found), _page(rows, following)[1:]), 200

    def associations(self, request: Request, start: str, end: str) -> tuple[bytes, int]:
        """Tell what hangs on deals."""
        if start != "deals" or end not in LINKS:
            return b'{"status":"COMPLETE","results":[]}', 200
        found = self._known(each["id"] for each in request.json()["inputs"])
        results = [_links_of(self.deals, index, end) for index in found]
        return json.dumps({"status": "COMPLETE", "results": [each for each in results if each["to"]]}).encode(), 200

    def _known(self, ids: Any) -> list[int]:
        places = (self.deals.find(int(each)) for each in ids)
        return [place for place in places if place is not None]

    def _rows(
        self, indexes: Sequence[int], properties: str | None, history: str | None, links: str | None
    ) -> list[bytes]:
        key = (properties, history, links)
        if key not in self._templates:
            wanted = sorted({*ALWAYS, *(KNOWN & set((properties or "").split(",")))})
            kept = [kind for kind in LINKS if kind in (links or "").split(",")]
            self._templates[key] = self.deals.templates(lambda sample: _deal(sample, wanted, bool(history), kept))
        rows = list(self._templates[key].all(indexes))
        for place, index in enumerate(indexes):
            if index in self._written:
                body = json.loads(rows[place])
                body["properties"].update({n: v for n, v in self._written[index].items() if n in body["properties"]})
                rows[place] = json.dumps(body).encode()
        return rows

    # ── Set-up ──────────────────────────────────────────────────────────────────────────────────────────

    def account(self, _request: Request) -> tuple[bytes, int]:
        """Describe the account."""
        details = {"portalId": PORTAL, "timeZone": "Europe/Berlin", "companyCurrency": CURRENCY}
        return json.dumps({**details, "uiDomain": "app.hubspot.com", "accountType": "STANDARD"}).encode(), 200

    def pipelines(self, _request: Request) -> tuple[bytes, int]:
        """Give the one pipeline."""
        stages = [_stage(place, stage) for place, stage in enumerate(STAGES)]
        pipeline = {"id": "default", "label": "Sales", "displayOrder": 0, "archived": False, "stages": stages}
        return json.dumps({"results": [pipeline]}).encode(), 200

    def properties(self, _request: Request) -> tuple[bytes, int]:
        """Give the deal's properties."""
        own = [_property(column.name, *NATIVE[column.type]) for column in COLUMNS]
        return json.dumps(
            {"results": [*own, *(_property(name, type_) for name, type_ in STANDARD.items())]}
        ).encode(), 200

    def owners(self, request: Request) -> tuple[bytes, int]:
        """Give twenty owners, none of whom has left."""
        gone = request.query.get("archived") == "true"
        return json.dumps({"results": [] if gone else [_owner(each) for each in range(1001, 1021)]}).encode(), 200


Call = Callable[..., tuple[bytes, int]]
VERSION = r"(?:/v\d|/20\d\d-\d\d)"
OBJECT = rf"(?:/crm{VERSION}/objects|/crm/objects{VERSION})/(?P<kind>\w+)"
LINK = rf"(?:/crm{VERSION}/associations|/crm/associations{VERSION})/(?P<start>\w+)/(?P<end>\w+)"
ROUTES: tuple[tuple[str, Call], ...] = (
    (rf"GET {OBJECT}", HubSpot.listing),
    (rf"POST {OBJECT}/search", HubSpot.search),
    (rf"POST {OBJECT}/batch/read", HubSpot.batch_read),
    (rf"POST {OBJECT}/batch/update", HubSpot.batch_update),
    (rf"POST {LINK}/batch/read", HubSpot.associations),
    (rf"GET /account-info{VERSION}/details", HubSpot.account),
    (rf"GET (?:/crm{VERSION}/pipelines|/crm/pipelines{VERSION})/deals", HubSpot.pipelines),
    (rf"GET (?:/crm{VERSION}/properties|/crm/properties{VERSION})/deals", HubSpot.properties),
    (rf"GET (?:/crm{VERSION}/owners|/crm/owners{VERSION})", HubSpot.owners),
)


def _time(at: int) -> bytes:
    return iso(at, "%Y-%m-%dT%H:%M:%S.%fZ")


def _page(rows: Sequence[bytes], following: bytes | None) -> bytes:
    more = b',"paging":{"next":{"after":"%b","link":"?after=%b"}}' % (following, following) if following else b""
    return b'{"results":[%b]%b}' % (b",".join(rows), more)


def _wrong(message: str) -> tuple[bytes, int]:
    return json.dumps({"status": "error", "message": message, "category": "VALIDATION_ERROR"}).encode(), 400


def _too_many(policy: str, headers: tuple[tuple[str, str], ...]) -> Reply:
    body = {
        "status": "error",
        "message": f"You have reached your {policy.lower()} limit.",
        "errorType": "RATE_LIMIT",
        "policyName": policy,
        "correlationId": "00000000-0000-0000-0000-000000000000",
    }
    return Reply(json.dumps(body).encode(), 429, headers)


# ── One deal ────────────────────────────────────────────────────────────────────────────────────────────────


def _deal(sample: Sample, wanted: Sequence[str], history: bool, links: Sequence[str]) -> bytes:  # noqa: FBT001  one of a few shapes
    values = _values(sample)
    shown: dict[str, Any] = {"id": ID, "properties": {name: values.get(name) for name in wanted}}
    if history:
        shown["propertiesWithHistory"] = _history(values, sample)
    shown |= {"createdAt": CREATED, "updatedAt": CHANGED, "archived": False}
    shown["url"] = f"https://app.hubspot.com/contacts/{PORTAL}/record/0-3/{ID}"
    associations = {kind: {"results": found} for kind in links if (found := _inline(sample.row, kind))}
    if associations:
        shown["associations"] = associations
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode()


def _values(sample: Sample) -> dict[str, str | None]:
    row, stage = sample.row, sample.row["stage"]
    first = STAGES[0] if sample.moved and stage != STAGES[0] else stage
    values: dict[str, str | None] = {column.name: _text(row[column.name]) for column in COLUMNS}
    values |= {
        "dealname": NAME,
        "amount": row["amount"],
        "closedate": f"{row['close_date']}T09:30:00Z",
        "dealstage": stage,
        "pipeline": "default",
        "hubspot_owner_id": str(row["owner"]),
        "deal_currency_code": CURRENCY,
        "createdate": CREATED,
        "hs_createdate": CREATED,
        "hs_lastmodifieddate": CHANGED,
        "hs_object_id": ID,
        "hs_is_closed": _text(stage in {"won", "lost"}),
        "hs_is_closed_won": _text(stage == "won"),
        "notes_last_contacted": f"{row['date_1']}T14:00:00Z",
        "notes_next_activity_date": f"{row['date_2']}T15:00:00Z",
        "num_notes": "3",
        "num_associated_contacts": str(len(row["contacts"])),
        "lead_source": row["choice_1"],
        "closed_lost_reason": row["text_1"] if stage == "lost" else None,
        f"hs_v2_date_entered_{first}": CREATED,
    }
    if first != stage:
        values |= {f"hs_v2_date_exited_{first}": CHANGED, f"hs_v2_date_entered_{stage}": CHANGED}
    return values


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ";".join(value) if isinstance(value, list) else str(value)


def _history(values: Mapping[str, str | None], sample: Sample) -> dict[str, Any]:
    source = {"sourceType": "CRM_UI", "sourceId": "userId:77", "updatedByUserId": 77}
    stage, first = values["dealstage"], STAGES[0]
    versions = [{"value": stage, "timestamp": CREATED, **source}]
    if sample.moved and stage != first:
        versions = [{"value": stage, "timestamp": CHANGED, **source}, {"value": first, "timestamp": CREATED, **source}]
    return {"dealstage": versions, "pipeline": [{"value": "default", "timestamp": CREATED, **source}]}


def _inline(row: Mapping[str, Any], kind: str) -> list[dict[str, str]]:
    ids = [row["company"]] if kind == "companies" else row["contacts"]
    primary = [{"id": str(each), "type": LINKS[kind]} for each in ids]
    # One link comes once for each of its types (airbyte#56447).
    return primary + ([{"id": str(ids[0]), "type": "deal_to_company_unlabeled"}] if kind == "companies" else [])


def _links_of(deals: Deals, index: int, kind: str) -> dict[str, Any]:
    row = deals.row(index)
    ids = [row["company"]] if kind == "companies" else row["contacts"]
    number, label, plain = TYPE_IDS[kind]
    types = [{"category": "HUBSPOT_DEFINED", "typeId": number, "label": label}]
    types += [{"category": "HUBSPOT_DEFINED", "typeId": plain, "label": None}] if plain else []
    to = [{"toObjectId": each, "associationTypes": types} for each in ids]
    return {"from": {"id": deals.id_text(index).decode()}, "to": to}


# ── Searching ───────────────────────────────────────────────────────────────────────────────────────────────


def _found(deals: Deals, asked: Mapping[str, Any]) -> Sequence[int]:
    groups = [_limits_of(group["filters"]) for group in asked.get("filterGroups") or ()] or [_limits_of(())]
    sort = (asked.get("sorts") or [{"propertyName": "hs_object_id"}])[0]
    name = sort["propertyName"] if isinstance(sort, dict) else sort.lstrip("-")
    down = sort.get("direction") == "DESCENDING" if isinstance(sort, dict) else sort.startswith("-")
    found = _by_change(deals, groups) if name == "hs_lastmodifieddate" else _by_id(deals, groups)
    return found[::-1] if down else found


def _by_id(deals: Deals, groups: Sequence[Limits]) -> Sequence[int]:
    if len(groups) == 1 and not groups[0].by_time:
        return deals.between(groups[0].first, groups[0].last)
    return sorted(_by_change(deals, groups))


def _by_change(deals: Deals, groups: Sequence[Limits]) -> list[int]:
    found: dict[int, None] = {}
    for each in groups:
        within = deals.between(each.first, each.last)
        changed = deals.changed_between(each.since, each.until + 1)
        found |= dict.fromkeys(index for _, index in changed if within.start <= index < within.stop)
    return list(found) if len(groups) == 1 else sorted(found, key=deals.changed.__getitem__)


class Limits(NamedTuple):
    """What a group of filters lets pass: ids and times of change, both inclusive."""

    first: int = 0
    last: int = MOST
    since: int = 0
    until: int = MOST

    @property
    def by_time(self) -> bool:
        """Tell whether the time of change matters."""
        return (self.since, self.until) != (0, MOST)


def _limits_of(filters: Sequence[Mapping[str, Any]]) -> Limits:
    """Read a group; a filter on anything but the time of change and the id is a mistake of this stand-in or of ours."""
    found = Limits()
    for each in filters:
        low, high = _bounds(each)
        if each["propertyName"] == "hs_object_id":
            found = found._replace(first=max(found.first, low), last=min(found.last, high))
        elif each["propertyName"] == "hs_lastmodifieddate":
            found = found._replace(since=max(found.since, low), until=min(found.until, high))
        else:
            raise ValueError(f"no filter on {each['propertyName']}")
    return found


def _bounds(each: Mapping[str, Any]) -> tuple[int, int]:
    """Give the smallest and greatest value that a filter lets pass."""
    low, high = 0, MOST
    match each["operator"], int(each["value"]):
        case "GTE", value:
            low = value
        case "GT", value:
            low = value + 1
        case "LTE", value:
            high = value
        case "LT", value:
            high = value - 1
        case "EQ", value:
            low = high = value
        case "BETWEEN", value:
            low, high = value, int(each["highValue"])
        case operator, _:
            raise ValueError(f"no operator {operator}")
    return low, high


# ── Set-up ──────────────────────────────────────────────────────────────────────────────────────────────────


def _stage(place: int, stage: str) -> dict[str, Any]:
    closed = stage in {"won", "lost"}
    chance = {"won": "1.0", "lost": "0.0"}.get(stage, f"0.{place + 1}")
    metadata = {"isClosed": str(closed).lower(), "probability": chance}
    return {"id": stage, "label": stage.title(), "displayOrder": place, "metadata": metadata, "archived": False}


def _property(name: str, native: str, field: str = "text") -> dict[str, Any]:
    found: dict[str, Any] = {"name": name, "label": name.replace("_", " "), "type": native, "fieldType": field}
    values: tuple[str, ...] = OPTIONS if field in {"select", "checkbox"} else ()
    if name == "deal_currency_code":
        values = (CURRENCY, "USD")
    found["options"] = [{"label": value, "value": value, "displayOrder": 0, "hidden": False} for value in values]
    found["modificationMetadata"] = {"readOnlyValue": name.startswith("hs_")}
    return found | {"calculated": name.startswith("hs_v2_"), "hasUniqueValue": name == "crmbridge_key"}


def _owner(number: int) -> dict[str, Any]:
    return {
        "id": str(number),
        "userId": number - 900,
        "email": f"owner{number}@example.com",
        "firstName": "Owner",
        "lastName": str(number),
        "createdAt": "2024-01-01T00:00:00Z",
        "updatedAt": "2024-01-01T00:00:00Z",
        "archived": False,
    }
