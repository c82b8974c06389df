"""A TinyCRM account on this machine: its state, and the routes that serve it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from crmbridge.http import dump_json, load_json
from crmbridge.model.records import Status
from crmbridge.model.values import iso
from crmbridge.sandbox import (
    Faults,
    RateWindow,
    Sandbox,
    SandboxOptions,
    Vendor,
    World,
    WorldDeal,
    assemble,
    make_world,
)
from crmbridge_tinycrm.terms import DAYS, FIELDS, NUMBERS, STAGES, YES_NO

KINDS = ("users", "companies", "contacts", "deals", "activities", "notes")
TYPES = {**dict.fromkeys(YES_NO, "yesno"), **dict.fromkeys(DAYS, "day"), **dict.fromkeys(NUMBERS, "number")}
Row = dict[str, Any]


class TinyState:
    """What the account holds. Every change gets the next number, and the feed is sorted by it."""

    def __init__(self, options: SandboxOptions) -> None:
        self.clock = options.clock
        self.rows: dict[str, dict[str, Row]] = {kind: {} for kind in KINDS}
        self.fields = [{"name": native, "label": native, "type": TYPES.get(n, "text")} for n, native in FIELDS.items()]
        self.faults: Faults | None = None
        self.bin: dict[str, Row] = {}  # deleted deals, as they were
        self._seq = 0
        world = make_world(options.seed, options.deals, options.as_of)
        self._fill(world, world.part(options.part))

    # ── What a person does ──────────────────────────────────────────────────────────────────────────────

    def deal_ids(self) -> list[str]:
        """Give the ids of all deals."""
        return [row["id"] for row in self.rows["deals"].values() if "deleted_at" not in row]

    def edit_deal(self, native_id: str, /, **native_fields: object) -> None:
        """Edit the account's own fields of a deal, as its owner."""
        self.change(native_id, {"values": native_fields, "by": self.rows["deals"][native_id]["owner"]})

    def delete_deal(self, native_id: str) -> None:
        """Delete a deal; the feed remembers that it was there."""
        self._delete("deals", native_id)

    def restore_deal(self, native_id: str) -> None:
        """Take a deal out of the bin."""
        self._put("deals", {**self.bin.pop(native_id), "updated_at": iso(self.clock.now())})

    def set_company(self, deal_id: str, company_id: str | None) -> None:
        """Give a deal another company, or none."""
        self.change(deal_id, {"company": company_id})

    def add_contact(self, deal_id: str, contact_id: str) -> None:
        """Put a contact on a deal."""
        self.change(deal_id, {"contacts": {"add": [contact_id], "remove": []}})

    def remove_contact(self, deal_id: str, contact_id: str) -> None:
        """Take a contact off a deal."""
        self.change(deal_id, {"contacts": {"add": [], "remove": [contact_id]}})

    def merge_deals(self, *, winner: str, loser: str) -> None:
        """Merge a deal into another; the feed tells which."""
        self._delete("deals", loser, merged_into=winner)
        self.change(winner, {})

    def add_activity(self, deal_id: str, *, type: str, subject: str, at: datetime, done: bool) -> str:  # noqa: A002  the field's name
        """Note something on a deal, for its owner."""
        about = {"type": type, "subject": subject, "at": iso(at), "done": done}
        row = self.attach(
            "activities", {**about, "on": f"deals/{deal_id}", "owner": self.rows["deals"][deal_id]["owner"]}
        )
        return str(row["id"])

    def delete_activity(self, native_id: str) -> None:
        """Delete an activity."""
        self.remove("activities", native_id)

    def add_note(self, deal_id: str, body: str) -> str:
        """Write a note on a deal."""
        return str(self.attach("notes", {"on": f"deals/{deal_id}", "body": body})["id"])

    def delete_note(self, native_id: str) -> None:
        """Delete a note."""
        self._delete("notes", native_id)

    # ── What a request does ─────────────────────────────────────────────────────────────────────────────

    def change(self, native_id: str, body: Mapping[str, Any]) -> Row:
        """Change a deal; contacts are given as all that it shall have, or as those to add and to remove."""
        row = self.rows["deals"][native_id]
        fresh = {**row, **body, "values": {**row["values"], **body.get("values", {})}}
        if isinstance(edit := body.get("contacts"), dict):
            fresh["contacts"] = sorted((set(row["contacts"]) | set(edit["add"])) - set(edit["remove"]))
        if fresh["stage"] != row["stage"]:
            stop = {"number": len(row["history"]) + 1, "stage": fresh["stage"], "at": iso(self.clock.now())}
            fresh["history"] = [*row["history"], stop]
        return self._put("deals", {**fresh, "updated_at": iso(self.clock.now())})

    def create(self, body: Mapping[str, Any]) -> Row:
        """Create a deal."""
        now = iso(self.clock.now())
        empty = dict.fromkeys(("name", "amount", "close_date", "owner", "company", "source", "lost_reason"))
        counts = {"done": 0, "open": 0}
        history = [{"number": 1, "stage": body["stage"], "at": now}]
        row = {**empty, "contacts": [], **body, "history": history, "activities": counts}
        return self._put("deals", {**row, "id": f"n{self._seq}", "created_at": now, "updated_at": now})

    def add(self, kind: str, body: Mapping[str, Any]) -> Row:
        """Create a company or contact."""
        now = iso(self.clock.now())
        return self._put(kind, {**body, "id": f"n{self._seq}", "created_at": now, "updated_at": now})

    def remove(self, kind: str, native_id: str) -> None:
        """Delete a record, if it is there."""
        if "deleted_at" in self.rows[kind].get(native_id, {"deleted_at": "never there"}):
            return
        if kind == "activities":
            self.count(self.rows[kind][native_id], -1)
        self._delete(kind, native_id)

    def lacks(self, body: Mapping[str, Any]) -> str:
        """Say which company or contact a deal can't hang on, because it is not there."""
        contacts = body.get("contacts") or ()
        wanted = {"contacts": contacts["add"] if isinstance(contacts, dict) else contacts}
        wanted["companies"] = [body["company"]] if body.get("company") else []
        lacking = (f"{k}/{i}" for k, ids in wanted.items() for i in ids if "name" not in self.rows[k].get(i, {}))
        return next(lacking, "")

    def attach(self, kind: str, body: Mapping[str, Any]) -> Row:
        """Create an activity or note."""
        now = iso(self.clock.now())
        usual = {"owner": None, "at": now, "created_at": now, "updated_at": now}
        row = self._put(kind, {**usual, **body, "id": f"{kind[0]}{self._seq}"})
        if kind == "activities":
            self.count(row, 1)
        return row

    def count(self, activity: Row, by: int) -> None:
        """Count an activity on its deal, which is no change of the deal."""
        deal = self.rows["deals"].get(activity["on"].removeprefix("deals/"))
        if deal and "activities" in deal:
            deal["activities"]["done" if activity["done"] else "open"] += by

    def _delete(self, kind: str, native_id: str, **more: str) -> None:
        if kind == "deals":
            self.bin[native_id] = self.rows[kind][native_id]
        self._put(kind, {"id": native_id, "deleted_at": iso(self.clock.now()), **more})

    def _put(self, kind: str, row: Row) -> Row:
        self._seq += 1
        self.rows[kind][row["id"]] = {**row, "seq": self._seq}
        return self.rows[kind][row["id"]]

    def _fill(self, world: World, deals: tuple[WorldDeal, ...]) -> None:
        past = (
            {"created_at": iso(world.deals[0].created_at), "updated_at": iso(world.deals[0].created_at)}
            if deals
            else {}
        )
        for user in world.users:
            self._put("users", {**past, "id": str(user.number), "name": user.name, "email": user.email, "active": True})
        for company in world.companies:
            self._put("companies", {**past, "id": str(company.number), "name": company.name, "domain": company.domain})
        for contact in world.contacts:
            row = {"id": str(contact.number), "name": contact.name, "email": contact.email, "title": contact.title}
            self._put("contacts", {**past, **row, "company": str(contact.company)})
        for deal in deals:
            self._put("deals", _deal(deal))
            for activity in deal.activities:
                about = {"type": activity.kind, "subject": activity.subject, "at": iso(activity.at)}
                self.attach(
                    "activities",
                    {
                        **past,
                        **about,
                        "done": activity.done,
                        "owner": str(activity.owner),
                        "on": f"deals/{deal.number}",
                    },
                )


def _deal(deal: WorldDeal) -> Row:
    stops = [(STAGES[stage], at) for stage, at in deal.journey]
    if deal.closed_at is not None:
        stops.append((STAGES["won" if deal.status is Status.WON else "lost"], deal.closed_at))
    return {
        "id": str(deal.number),
        "name": deal.name,
        "amount": {"amount": str(deal.amount), "currency": deal.currency},
        "close_date": deal.close_date.isoformat(),
        "owner": str(deal.owner),
        "company": str(deal.company),
        "contacts": [str(number) for number in deal.contacts],
        "source": deal.source,
        "lost_reason": deal.lost_reason or None,
        "stage": stops[-1][0],
        "history": [{"number": n, "stage": stage, "at": iso(at)} for n, (stage, at) in enumerate(stops, start=1)],
        "activities": {"done": 0, "open": 0},
        "values": {FIELDS[n]: v.isoformat() if isinstance(v, date) else v for n, v in deal.fields.items()},
        "created_at": iso(deal.created_at),
        "updated_at": iso(deal.updated_at),
    }


class Routes:
    """TinyCRM's API over a state."""

    def __init__(self, state: TinyState) -> None:
        self._state = state

    async def about(self, _: Request) -> Response:
        """Describe the account."""
        stages = [{"id": native, "label": name.title()} for name, native in STAGES.items()]
        return _json({"account": "Tiny & Sons", "stages": stages, "fields": self._state.fields})

    async def make_field(self, request: Request) -> Response:
        """Make a field of deals; names are unique."""
        body = load_json(await request.body())
        if any(field["name"] == body["name"] for field in self._state.fields):
            return _json({"error": "there is such a field"}, 409)
        self._state.fields.append(body)
        return _json({**body, "id": body["name"]}, 201)

    async def listed(self, request: Request) -> Response:
        """Give rows by id, by key, or the change feed after a number."""
        asked, rows = request.query_params, self._state.rows[request.path_params["kind"]]
        alive = [row for row in rows.values() if "deleted_at" not in row]
        if "ids" in asked:
            wanted = set(asked["ids"].split(","))
            return _json({"items": [row for row in alive if row["id"] in wanted]})
        if {"key", "marker"} & set(asked):
            return _json({"items": [row for row in alive if all(row.get(n) == text for n, text in asked.items())]})
        if "known_by" in asked:
            return _json({"items": [row for row in alive if is_known_by(row, asked["known_by"])]})
        after, limit = int(asked.get("after", 0)), min(int(asked.get("limit", 50)), 100)
        feed = sorted((row for row in rows.values() if row["seq"] > after), key=lambda row: row["seq"])
        page = feed[:limit]
        return _json({"items": page, "next": str(page[-1]["seq"]) if len(feed) > limit else None})

    async def create(self, request: Request) -> Response:
        """Create a deal; keys are unique."""
        body = load_json(await request.body())
        if any(row.get("key") == body["key"] for row in self._state.rows["deals"].values()):
            return _json({"error": "this key is taken"}, 409)
        return self._said_no(body) or _json(self._state.create(body), 201)

    async def add(self, request: Request) -> Response:
        """Create a company or contact; what they are known by is unique."""
        kind, body = request.url.path.strip("/"), load_json(await request.body())
        key = next((f"{name}:{body[name]}" for name in ("domain", "email", "name") if body.get(name)), "")
        if any(is_known_by(row, key) for row in self._state.rows[kind].values()):
            return _json({"error": f"{key} is there already"}, 409)
        return _json(self._state.add(kind, body), 201)

    async def remove(self, request: Request) -> Response:
        """Delete a record; one that is gone already is no error."""
        kind, native_id = request.path_params["kind"], request.path_params["id"]
        self._state.remove(kind, native_id)
        return _json({"id": native_id})

    async def change(self, request: Request) -> Response:
        """Change a deal."""
        body, native_id = load_json(await request.body()), request.path_params["id"]
        if native_id not in self._state.deal_ids():
            return _json({"error": "there is no such deal"}, 404)
        if self._state.faults and self._state.faults.strikes("partial", "PATCH", request.url.path):
            return _json({"error": "a rule of the account says no"}, 422)
        if request.headers.get("if-match", seq := str(self._state.rows["deals"][native_id]["seq"])) != seq:
            return _json({"error": "somebody was faster"}, 412)
        return self._said_no(body) or _json(self._state.change(native_id, {**body, "by": None}))

    async def attach(self, request: Request) -> Response:
        """Create a task or note."""
        return _json(self._state.attach(request.url.path.strip("/"), load_json(await request.body())), 201)

    def _said_no(self, body: Mapping[str, Any]) -> Response | None:
        if "stage" in body and body["stage"] not in STAGES.values():
            return _json({"error": f"there is no stage {body['stage']}"}, 422)
        lacking = self._state.lacks(body)
        return _json({"error": f"there is no {lacking}"}, 422) if lacking else None


def is_known_by(row: Row, key: str) -> bool:
    """Tell whether a company or contact is known by a key, without case; one with a domain is not by its name."""
    name, _, value = key.partition(":")
    if not value or (name == "name" and row.get("domain")):
        return False
    return str(row.get(name) or "").casefold() == value.casefold()


def build(options: SandboxOptions) -> Sandbox:
    """Build the sandbox."""
    state = TinyState(options)
    serves = Routes(state)
    routes = [
        Route("/about", serves.about),
        Route("/fields", serves.make_field, methods=["POST"]),
        Route("/activities", serves.attach, methods=["POST"]),
        Route("/notes", serves.attach, methods=["POST"]),
        Route("/deals", serves.create, methods=["POST"]),
        Route("/companies", serves.add, methods=["POST"]),
        Route("/contacts", serves.add, methods=["POST"]),
        Route("/deals/{id}", serves.change, methods=["PATCH"]),
        Route("/{kind}/{id}", serves.remove, methods=["DELETE"]),
        Route("/{kind}", serves.listed),
    ]
    vendor = Vendor(
        accepts=lambda request, token: request.headers.get("authorization") == f"Bearer {token}",
        refused=lambda _request: JSONResponse({"error": "who are you?"}, 401),
        limited=lambda _request, _window, after: JSONResponse(
            {"error": "slow down"}, 429, {"Retry-After": str(after)} if after else None
        ),
        windows=[RateWindow(50, 1)],
        decorate=_name,
    )
    sandbox = assemble(name="tinycrm", state=state, routes=routes, vendor=vendor, options=options)
    state.faults = sandbox.faults
    return sandbox


def _name(_request: Request, response: Response) -> None:
    response.headers["X-Request-Id"] = f"tiny-{secrets.token_hex(4)}"


def _json(data: Any, status: int = 200) -> Response:
    return Response(dump_json(data), status, media_type="application/json")
