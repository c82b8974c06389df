"""What goes over the wire, and what each kind of answer is taken for."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
import respx
from pydantic import ValidationError

from crmbridge.errors import AuthenticationError, CrmbridgeError, RetryLaterError
from crmbridge.http import dump_json, load_json
from crmbridge.model.changes import Action, Change, FieldEdit, Outcome
from crmbridge.model.records import Kind, Position, Ref, Status
from crmbridge.model.replacing import replace
from crmbridge.model.values import FieldType, Money, Value
from crmbridge.ports import Adapter, AdapterContext, FieldBinding
from crmbridge.sandbox import VirtualClock
from crmbridge.testing.factories import make_change
from crmbridge_pipedrive.adapter import open_adapter
from crmbridge_pipedrive.settings import PipedriveSettings

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
HOST = "https://acme.pipedrive.com"
SECRET = "0123456789abcdef"
KEY, SCORE, PICK = "a" * 40, "b" * 40, "c" * 40
DEAL = Ref("pd", Kind.DEAL, "7")
FIELDS = [
    {"field_code": KEY, "field_name": "crmbridge key", "field_type": "varchar", "is_custom_field": True},
    {"field_code": SCORE, "field_name": "Score", "field_type": "double", "is_custom_field": True},
    {
        "field_code": PICK,
        "field_name": "Pick",
        "field_type": "set",
        "is_custom_field": True,
        "options": [{"id": 5, "label": "Five"}, {"id": 6, "label": "Six"}],
    },
]
BINDINGS = (
    FieldBinding(name="score", native="Score", type=FieldType.NUMBER),
    FieldBinding(name="pick", native="Pick", type=FieldType.CHOICES),
)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(NOON)


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PD_TOKEN", SECRET)


@pytest.fixture
def vendor() -> Iterator[respx.MockRouter]:
    """Stand in for the vendor's host, which knows its field definitions and says so in pages of its own."""
    with respx.mock(base_url=HOST, assert_all_called=False) as router:
        router.get("/api/v2/dealFields").respond(json={"success": True, "data": FIELDS})
        for name in ("pipelines", "stages", "deals", "deals/archived"):
            router.get(f"/api/v2/{name}").respond(json={"success": True, "data": []})
        yield router


def connect(clock: VirtualClock, **settings: Any) -> Adapter:
    chosen = PipedriveSettings.model_validate({"company": "acme", "token": {"env": "PD_TOKEN"}, **settings})
    return open_adapter(chosen, AdapterContext(connection="pd", clock=clock, fields=BINDINGS))


@pytest.fixture
def adapter(clock: VirtualClock) -> Iterator[Adapter]:
    opened = connect(clock)
    yield opened
    opened.close()


def echo(route: respx.Route, number: int) -> respx.Route:
    """Answer with what was sent, as v2 does."""

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(
            200, content=dump_json({"success": True, "data": {"id": number, **load_json(request.content)}})
        )

    route.mock(side_effect=answer)
    return route


def update(**after: Any) -> Change:
    edits = tuple(FieldEdit(name, None, value) for name, value in after.items())
    return make_change("7", connection="pd", edits=edits)


def sent(route: respx.Route) -> Any:
    return load_json(route.calls.last.request.content)


class TestRequests:
    """What Pipedrive is asked, and how."""

    def test_a_field_that_was_made_is_not_said_to_be_missing(self, vendor: respx.MockRouter, adapter: Adapter) -> None:
        """The account is read anew after it; where that does not work, it was made all the same."""
        vendor.get("/api/v2/stages").side_effect = [
            httpx.Response(200, json={"success": True, "data": []}),
            httpx.Response(401, json={"success": False, "error": "unauthorized access"}),
        ]
        made = vendor.post("/api/v2/dealFields").respond(201, json={"success": True, "data": {"field_code": "d" * 40}})
        edits = (FieldEdit("name", None, "Wished"), FieldEdit("type", None, "text"))
        wish = make_change("f", connection="pd", action=Action.FIELD, target=None, edits=edits, key="Wished")

        assert Outcome.UNKNOWN == adapter.write([wish])[0].outcome
        assert 1 == made.call_count

    @pytest.mark.parametrize(("call", "on"), [("dealFields", "deal"), ("organizationFields", "company")])
    def test_only_fields_of_deals_are_described(
        self, vendor: respx.MockRouter, adapter: Adapter, call: str, on: str
    ) -> None:
        """Others take no description, as they would refuse any unknown key ("Create one organization field")."""
        vendor.get("/api/v2/organizationFields").respond(json={"success": True, "data": []})
        made = vendor.post(f"/api/v2/{call}").respond(201, json={"success": True, "data": {"field_code": "d" * 40}})
        wish = {"name": "rate", "label": "Win rate", "type": "number", "on": on}
        edits = tuple(FieldEdit(name, None, value) for name, value in wish.items())
        adapter.write([make_change("f", connection="pd", action=Action.FIELD, target=None, edits=edits, key="rate")])
        described = {"description": "Win rate"} if on == "deal" else {}

        assert {"field_name": "rate", "field_type": "double", **described} == sent(made)

    def test_the_token_goes_into_the_header_only(self, vendor: respx.MockRouter, adapter: Adapter) -> None:
        """A token in the query would end up in logs ("Authentication")."""
        route = vendor.get("/api/v1/users").respond(json={"success": True, "data": None})
        list(adapter.pull(Kind.USER, None))
        request = route.calls.last.request

        assert SECRET == request.headers["x-api-token"]
        assert SECRET not in str(request.url)

    @pytest.mark.parametrize(
        ("settings", "url"),
        [
            ({}, f"{HOST}/api/v1/users"),
            ({"base_url": "https://api.pipedrive.com"}, "https://api.pipedrive.com/v1/users"),
            ({"base_url": "https://proxy.example/", "v1_root": "v1"}, "https://proxy.example/v1/users"),
        ],
    )
    def test_v1_is_asked_where_the_host_serves_it(
        self, clock: VirtualClock, settings: dict[str, Any], url: str
    ) -> None:
        """Under /api/v1 several resources are missing on the shared host, not on a company's own."""
        with respx.mock() as router:
            route = router.get(url).respond(json={"success": True, "data": []})
            adapter = connect(clock, **settings)
            list(adapter.pull(Kind.USER, None))
            adapter.close()

            assert route.called

    def test_times_are_asked_in_whole_seconds(self, vendor: respx.MockRouter, adapter: Adapter) -> None:
        """A fraction in `updated_since` is a 400 in v2."""
        route = vendor.get("/api/v2/persons").respond(json={"success": True, "data": [], "additional_data": None})
        list(adapter.pull(Kind.CONTACT, '{"since":"2026-06-10T11:58:07.250000Z"}'))

        assert "2026-06-10T11:56:07Z" == route.calls.last.request.url.params["updated_since"]

    def test_a_page_that_does_not_say_where_the_next_one_begins_has_it_behind_itself(
        self, vendor: respx.MockRouter, adapter: Adapter
    ) -> None:
        """As many places on as were asked for: lists of v1 have pages of different lengths ("Pagination")."""

        def answer(request: httpx.Request) -> httpx.Response:
            start, limit = (int(request.url.params[name]) for name in ("start", "limit"))
            ids = range(1, 151)[start : start + limit]
            rows = [{"id": each, "deal_id": 7, "name": "x.pdf", "update_time": "2026-06-01 10:00:00"} for each in ids]
            more = {"pagination": {"start": start, "limit": limit, "more_items_in_collection": start + limit < 150}}
            return httpx.Response(200, json={"success": True, "data": rows, "additional_data": more})

        vendor.get("/api/v1/files").mock(side_effect=answer)
        found = [record.ref.id for page in adapter.pull(Kind.FILE, None) for record in page.records]

        assert [str(each) for each in range(1, 151)] == found

    @pytest.mark.parametrize("more", [{}, {"additional_data": None}, {"additional_data": {"next_cursor": None}}])
    @pytest.mark.parametrize("data", [None, []])
    def test_an_empty_list_has_many_forms(
        self, vendor: respx.MockRouter, adapter: Adapter, data: Any, more: dict[str, Any]
    ) -> None:
        """v1 sends null for it, v2 leaves out the cursor, or its block, at the end (airbyte's AGENTS.md §2)."""
        for kind, path in ((Kind.CONTACT, "/api/v2/persons"), (Kind.NOTE, "/api/v1/notes")):
            vendor.get(path).respond(json={"success": True, "data": data, **more})
            assert [()] == [page.records for page in adapter.pull(kind, None)]

    def test_an_empty_page_ends_nothing_and_filters_go_with_every_page(
        self, vendor: respx.MockRouter, adapter: Adapter
    ) -> None:
        """Only a missing cursor is the end (airbyte's AGENTS.md §2), and a cursor is no filter ("Pagination")."""
        row = {"id": 9, "name": "Ana", "update_time": "2026-06-10T12:00:00Z"}
        pages: dict[str | None, tuple[list[Any], str | None]] = {None: ([], "1"), "1": ([row], "2"), "2": ([], None)}

        def answer(request: httpx.Request) -> httpx.Response:
            rows, following = pages[request.url.params.get("cursor")]
            more = {"next_cursor": following}
            return httpx.Response(200, json={"success": True, "data": rows, "additional_data": more})

        route = vendor.get("/api/v2/persons").mock(side_effect=answer)
        found = list(adapter.pull(Kind.CONTACT, '{"since":"2026-06-10T11:58:07Z"}'))
        newest, *walk = [dict(call.request.url.params) for call in route.calls]

        assert ["9"] == [record.ref.id for page in found for record in page.records]
        assert (None, [None, "1", "2"]) == (newest.get("cursor"), [params.pop("cursor", None) for params in walk])
        assert [walk[0]] * 3 == walk
        assert {"limit", "sort_by", "sort_direction", "updated_since"} == set(walk[0])

    def test_numbers_are_numbers_to_the_last_digit(self, vendor: respx.MockRouter, adapter: Adapter) -> None:
        """v2 refuses numbers in quotes, and a float would bend amounts ("API v2 migration guide").

        A field's hash is sent letter by letter (client-nodejs #297), and in `custom_fields`, as v2 refuses one
        anywhere else (client-nodejs #651).
        """
        route = echo(vendor.patch("/api/v2/deals/7"), 7)
        amount = Money(Decimal("12345678901234567.89"), "EUR")
        receipt = adapter.write([update(amount=amount, score=Decimal("0.10"), close_date=date(2026, 7, 1))])[0]

        assert Outcome.APPLIED == receipt.outcome
        assert b'"value":12345678901234567.89' in route.calls.last.request.content
        assert b'"custom_fields":{"%s":0.10}' % SCORE.encode() in route.calls.last.request.content
        assert ("EUR", "2026-07-01") == (sent(route)["currency"], sent(route)["expected_close_date"])

    @pytest.mark.parametrize(("value", "native"), [(("Five", "Six"), [5, 6]), ((), None), (None, None)])
    def test_sets_are_cleared_by_null(
        self, vendor: respx.MockRouter, adapter: Adapter, value: Any, native: Any
    ) -> None:
        """An empty list is a 400; null must get through (client-nodejs #185)."""
        route = echo(vendor.patch("/api/v2/deals/7"), 7)
        adapter.write([update(pick=value)])

        assert {"custom_fields": {PICK: native}} == sent(route)

    @pytest.mark.parametrize(("before", "status"), [(Status.OPEN, "won"), (Status.WON, None)])
    def test_a_stage_goes_with_its_pipeline(
        self, vendor: respx.MockRouter, adapter: Adapter, before: Status, status: str | None
    ) -> None:
        """A status that stays is not sent again: a won deal would be won anew."""
        route = echo(vendor.patch("/api/v2/deals/7"), 7)
        place = {"position": Position("2", "9", Status.WON), "position_before": Position("2", "8", before)}
        adapter.write([make_change("7", connection="pd", edits=(FieldEdit("stage", "a", "b"),), **place)])

        expected = {"pipeline_id": 2, "stage_id": 9} | ({"status": status} if status else {})
        assert expected == sent(route)

    def test_no_amount_is_zero(self, vendor: respx.MockRouter, adapter: Adapter) -> None:
        """The value of a deal is a number and no null ("Update a deal"); deals that have none show 0."""
        route = echo(vendor.patch("/api/v2/deals/7"), 7)

        assert Outcome.APPLIED == adapter.write([update(amount=None)])[0].outcome
        assert {"value": 0} == sent(route)

    def test_a_task_is_an_activity_in_utc(self, vendor: respx.MockRouter, adapter: Adapter) -> None:
        """Notes of activities are HTML, due times are UTC, and the marker stands at the end."""
        route = vendor.post("/api/v2/activities").respond(json={"success": True, "data": {"id": 31}})
        due = datetime(2026, 6, 11, 1, 30, tzinfo=UTC)
        body = "Ask why & when <b>\nThen go."
        after: dict[str, Value] = {"subject": "Call <them>", "body": body, "due_at": due, "owner": "42"}
        edits = tuple(FieldEdit(name, None, value) for name, value in after.items())
        receipt = adapter.write([make_change("7", connection="pd", action=Action.TASK, edits=edits, key="cb:1")])[0]

        expected = {
            "subject": "Call <them>",
            "type": "task",
            "deal_id": 7,
            "owner_id": 42,
            "due_date": "2026-06-11",
            "due_time": "01:30:00",
            "note": "Ask why &amp; when &lt;b&gt;<br>Then go.<br><br>cb:1",
        }
        assert expected == sent(route)
        assert Ref("pd", Kind.TASK, "31") == receipt.ref

    def test_a_marker_that_the_text_has_already_is_not_doubled(
        self, vendor: respx.MockRouter, adapter: Adapter
    ) -> None:
        """A note says its marker once."""
        route = vendor.post("/api/v1/notes").respond(201, json={"success": True, "data": {"id": 5}})
        edits = (FieldEdit("body", None, "Late.\n\ncb:1"),)
        adapter.write([make_change("7", connection="pd", action=Action.NOTE, edits=edits, key="cb:1")])

        assert {"content": "Late.<br><br>cb:1", "deal_id": 7} == sent(route)

    def test_a_create_carries_its_key(self, vendor: respx.MockRouter, adapter: Adapter) -> None:
        """There is no idempotency key, so the key goes into the custom field, and what follows can find it."""
        route = echo(vendor.post("/api/v2/deals"), 8)
        edits = (FieldEdit("name", None, "New"), FieldEdit("contacts", None, ("3", "4")))
        others = vendor.post("/api/v1/deals/8/participants").respond(json={"success": True, "data": {"id": 1}})
        change = make_change(connection="pd", action=Action.CREATE, target=None, edits=edits, key="k1")
        receipt = adapter.write([change])[0]

        assert {"title": "New", "person_id": 3, "custom_fields": {KEY: "k1"}} == sent(route)
        assert {"person_id": 4} == sent(others)
        assert (Outcome.APPLIED, Ref("pd", Kind.DEAL, "8")) == (receipt.outcome, receipt.ref)

    def test_without_a_key_field_nothing_is_created(self, clock: VirtualClock, vendor: respx.MockRouter) -> None:
        """A deal that could not be found again after an unclear answer is not made at all.

        It fails, so that a run makes it once the field is there: what is refused would wait for an edit of each deal.
        """
        route = echo(vendor.post("/api/v2/deals"), 8)
        adapter = connect(clock, key_field="No such field")
        receipt = adapter.write([make_change(connection="pd", action=Action.CREATE, target=None, key="k1")])[0]
        adapter.close()

        assert (Outcome.FAILED, False) == (receipt.outcome, route.called)
        assert "key" in receipt.message

    @pytest.mark.parametrize(
        "after", [{"source": "x"}, {"activities": 3}, {"unheard_of": "x"}, {"score": "many"}, {"pick": ("Seven",)}]
    )
    def test_what_cannot_be_written_is_refused_before_it_is_sent(
        self, vendor: respx.MockRouter, adapter: Adapter, after: dict[str, Any]
    ) -> None:
        """Leaving a field out silently would look like a person clearing it."""
        route = echo(vendor.patch("/api/v2/deals/7"), 7)
        receipt = adapter.write([update(name="Fine", **after)])[0]

        assert (Outcome.REFUSED, False) == (receipt.outcome, route.called)
        assert next(iter(after)) in receipt.message

    @pytest.mark.parametrize(
        ("answer", "outcome"),
        [
            ({"id": 7, "title": "Fine", "custom_fields": {SCORE: 2.50}}, Outcome.APPLIED),
            ({"id": 7, "title": " Fine ", "custom_fields": {SCORE: "2.5"}}, Outcome.APPLIED),
            ({"id": 7, "title": "Other", "custom_fields": {SCORE: 2.50}}, Outcome.UNKNOWN),
            ({"id": 7, "title": "Fine", "custom_fields": {SCORE: None}}, Outcome.UNKNOWN),
            ({"id": 7, "title": "Fine", "custom_fields": {SCORE: 2.4}}, Outcome.UNKNOWN),
            ({"id": 7, "title": "", "custom_fields": {SCORE: None}}, Outcome.REFUSED),
            ({"title": "Fine"}, Outcome.UNKNOWN),
            (None, Outcome.UNKNOWN),
        ],
    )
    def test_the_answer_is_compared_with_what_was_sent(
        self, vendor: respx.MockRouter, adapter: Adapter, answer: Any, outcome: Outcome
    ) -> None:
        """A 200 whose deal holds something else is no success (client-nodejs #626).

        Such as the value of a deal with products. Where a part is there it is unclear, and read back: called refused,
        that part would come back over what somebody writes next.
        """
        vendor.patch("/api/v2/deals/7").respond(json={"success": True, "data": answer})
        vendor.get("/api/v2/deals/7").respond(json={"success": True, "data": answer})

        assert outcome is adapter.write([update(name="Fine", score=Decimal("2.5"))])[0].outcome

    def test_what_the_answer_shows_otherwise_may_be_there_by_now(
        self, vendor: respx.MockRouter, adapter: Adapter
    ) -> None:
        """Only what the deal itself does not hold was not kept."""
        data = {"id": 7, "title": "Before"}
        vendor.patch("/api/v2/deals/7").respond(json={"success": True, "data": data})
        vendor.get("/api/v2/deals/7").respond(json={"success": True, "data": {**data, "title": "Fine"}})

        assert Outcome.APPLIED == adapter.write([update(name="Fine")])[0].outcome

    @pytest.mark.parametrize(
        ("there", "outcome"),
        [
            (httpx.Response(200, json={"success": True, "data": {"id": 7, "custom_fields": {SCORE: 2.5}}}), "applied"),
            (httpx.Response(200, json={"success": True, "data": {"id": 7, "custom_fields": {SCORE: 9}}}), "unknown"),
            (httpx.Response(200, json={"success": True, "data": {"id": 7, "custom_fields": {SCORE: None}}}), "refused"),
            (httpx.Response(200, json={"success": True, "data": {"id": 7, "custom_fields": None}}), "unknown"),
            (httpx.Response(404, json={"success": False, "error": "Deal not found"}), "unknown"),
        ],
    )
    def test_what_the_answer_does_not_show_is_read_back(
        self, vendor: respx.MockRouter, adapter: Adapter, there: httpx.Response, outcome: str
    ) -> None:
        """An answer that leaves out what was sent proves nothing (client-nodejs #626): one token buys the proof."""
        vendor.patch("/api/v2/deals/7").respond(json={"success": True, "data": {"id": 7, "custom_fields": None}})
        read = vendor.get("/api/v2/deals/7").mock(return_value=there)

        assert outcome == adapter.write([update(score=Decimal("2.5"))])[0].outcome
        assert 1 == read.call_count


class TestLimits:
    """Which limit was hit decides whether to wait a moment or to stop for the day ("Rate limiting")."""

    def test_the_burst_limit_is_waited_for(
        self, vendor: respx.MockRouter, adapter: Adapter, clock: VirtualClock
    ) -> None:
        """Nothing left in the window: the header says in how many seconds it is over."""
        limited = httpx.Response(429, headers={"x-ratelimit-remaining": "0", "x-ratelimit-reset": "2"})
        fine = httpx.Response(200, json={"success": True, "data": []})
        route = vendor.get("/api/v1/users").mock(side_effect=[limited, fine])
        list(adapter.pull(Kind.USER, None))

        assert 2 == route.call_count
        assert timedelta(seconds=2) <= clock.now() - NOON < timedelta(seconds=10)

    @pytest.mark.parametrize(
        "headers",
        [
            {"x-ratelimit-remaining": "17"},
            {},
            {"x-ratelimit-remaining": "0", "x-daily-ratelimit-token-remaining": "0"},
        ],
    )
    def test_a_spent_day_is_not_waited_for(
        self, vendor: respx.MockRouter, adapter: Adapter, clock: VirtualClock, headers: dict[str, str]
    ) -> None:
        """No further request is sent by anybody, for keeping on leads to a block; and nobody sleeps for hours."""
        route = vendor.get("/api/v1/users").respond(429, headers=headers, text="")
        for _ in range(3):
            with pytest.raises(RetryLaterError, match="today") as caught:
                list(adapter.pull(Kind.USER, None))
            assert caught.value.after
            assert timedelta(minutes=30) < caught.value.after

        assert 1 == route.call_count
        assert clock.now() - NOON < timedelta(seconds=10)
        clock.advance(timedelta(hours=2))
        route.respond(json={"success": True, "data": []})
        list(adapter.pull(Kind.USER, None))
        assert 2 == route.call_count

    def test_a_page_instead_of_an_answer_is_a_block(self, vendor: respx.MockRouter, adapter: Adapter) -> None:
        """The network in front of Pipedrive answers 403 with HTML to who hammers; that is never repeated."""
        route = vendor.get("/api/v1/users").respond(403, html="<html><h1>Sorry, you have been blocked</h1></html>")
        for _ in range(2):
            with pytest.raises(RetryLaterError, match="shuts us out") as caught:
                list(adapter.pull(Kind.USER, None))

        assert 1 == route.call_count
        assert "<html>" not in caught.value.message

    @pytest.mark.parametrize("status", [404, 410])
    def test_a_call_that_is_no_more_is_asked_for_once(
        self, vendor: respx.MockRouter, adapter: Adapter, status: int
    ) -> None:
        """It does not come back within a minute, and may be asked for each deal."""
        route = vendor.get("/api/v1/users").respond(status, html="<html><h1>Not found</h1></html>")
        with pytest.raises(RetryLaterError, match="no such call") as caught:
            list(adapter.pull(Kind.USER, None))

        assert 1 == route.call_count
        assert "base_url" in caught.value.advice


class TestErrors:
    """What error replies mean."""

    @pytest.mark.parametrize(
        ("status", "error", "words"),
        [
            (401, AuthenticationError, "unauthorized access"),
            (402, AuthenticationError, "not open"),
            (403, AuthenticationError, "not allowed"),
            (503, RetryLaterError, "out of order"),
            (524, RetryLaterError, "out of order"),
        ],
    )
    def test_errors_of_reads(
        self,
        vendor: respx.MockRouter,
        adapter: Adapter,
        status: int,
        error: type[CrmbridgeError],
        words: str,
    ) -> None:
        """Every kind of failure says where, in the vendor's words, with one thing to do and no token."""
        body = {"success": False, "error": "unauthorized access\x1b[31m", "errorCode": status}
        vendor.get("/api/v1/users").respond(status, json=body)
        with pytest.raises(error, match=words) as caught:
            list(adapter.pull(Kind.USER, None))

        assert caught.value.message.isprintable()
        assert caught.value.advice
        assert SECRET not in f"{caught.value!r}"
        assert "pd: api/v1/users" in caught.value.message

    @pytest.mark.parametrize(
        ("said", "blamed"),
        [
            ("Validation failed: title: too long; currency: unknown; x: no", ("amount", "name")),
            ("Validation failed: custom_fields.stage_id: no such stage", ("stage",)),
            ("Validation failed", ()),
            ("the title: it is wrong", ()),
        ],
    )
    def test_the_fields_that_pipedrive_names_are_blamed(
        self, vendor: respx.MockRouter, adapter: Adapter, said: str, blamed: tuple[str, ...]
    ) -> None:
        """By their names in the change (client-nodejs #651); what is no field of it does not count."""
        body = {"success": False, "error": said, "code": "ERR_SCHEMA_VALIDATION_FAILED"}
        vendor.patch("/api/v2/deals/7").respond(400, json=body)
        change = update(name="x", amount=Money(Decimal(5), "EUR"))
        moved = replace(change, edits=(*change.edits, FieldEdit("stage", None, "proposal")))
        (receipt,) = adapter.write([moved])

        assert (Outcome.REFUSED, blamed) == (receipt.outcome, tuple(sorted(receipt.blamed)))

    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (
                400,
                {
                    "success": False,
                    "error": "Validation failed: x: not allowed",
                    "code": "ERR_SCHEMA_VALIDATION_FAILED",
                },
            ),
            (403, {"success": False, "error": "Limit reached", "code": "feature_capping_deals_limit"}),
            (404, {"success": False, "error": "Deal not found", "code": "ERR_NOT_FOUND"}),
            (410, {"success": True, "data": {"id": 33}}),
            (200, {"success": False, "error": "Said no"}),
        ],
    )
    def test_refused_writes(
        self, vendor: respx.MockRouter, adapter: Adapter, status: int, body: dict[str, Any]
    ) -> None:
        """What Pipedrive refuses is refused, in its words; a 410 says success and is none."""
        vendor.patch("/api/v2/deals/7").respond(status, json=body)
        receipt = adapter.write([update(name="x")])[0]

        assert Outcome.REFUSED == receipt.outcome
        assert str(body.get("error", "410")) in receipt.message

    def test_who_may_not_make_deals_can_be_given_that(self, vendor: respx.MockRouter, adapter: Adapter) -> None:
        """It fails, and is tried again by each run; what is refused would wait for an edit of each deal."""
        full = {"success": False, "error": "Limit reached", "code": "feature_capping_deals_limit"}
        vendor.post("/api/v2/deals").respond(403, json=full)
        edits = (FieldEdit("name", None, "New"),)
        made = make_change("n", connection="pd", action=Action.CREATE, target=None, key="k1", edits=edits)
        (receipt,) = adapter.write([made])

        assert (Outcome.FAILED, True) == (receipt.outcome, "Limit reached" in receipt.message)

    def test_a_500_after_a_write_is_unclear(self, vendor: respx.MockRouter, adapter: Adapter) -> None:
        """It may have been carried out, so it is not sent again."""
        route = vendor.patch("/api/v2/deals/7").respond(500, json={"success": False, "error": "oops"})

        assert Outcome.UNKNOWN == adapter.write([update(name="x")])[0].outcome
        assert 1 == route.call_count


class TestSettings:
    """What a connection may say."""

    @pytest.mark.parametrize(
        "wrong", [{}, {"company": "Acme"}, {"company": "acme.pipedrive.com"}, {"company": "a", "burst": 1}]
    )
    def test_wrong_settings_are_refused(self, wrong: dict[str, Any]) -> None:
        """Without a company there is no host; a company is the bare name."""
        with pytest.raises(ValidationError):
            PipedriveSettings.model_validate({"token": {"env": "T"}, **wrong})
