"""The table of calls: what is sent is in it, at its price, and the limits that answers tell are kept."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import respx

from crmbridge.errors import AuthenticationError, CrmbridgeError, RefusedError, RetryLaterError
from crmbridge.ledger import LocalLedger
from crmbridge.model.changes import Action, FieldEdit, Outcome
from crmbridge.model.records import Kind, Ref
from crmbridge.model.values import FieldType
from crmbridge.ports import Adapter, AdapterContext, Rate
from crmbridge.sandbox import Served, VirtualClock
from crmbridge.testing.factories import make_change
from crmbridge_pipedrive.adapter import open_adapter
from crmbridge_pipedrive.limits import A_DAY, DAY
from crmbridge_pipedrive.paths import PATHS, Call
from crmbridge_pipedrive.settings import PipedriveSettings

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
DEAL = Ref("pd", Kind.DEAL, "3")
ARCHIVED = (Kind.COMPANY, Kind.CONTACT, Kind.TASK, Kind.NOTE)
Open = Callable[..., Adapter]


def do_everything(adapter: Adapter, state: Any) -> None:
    """Read, find and write all there is to."""
    adapter.describe()
    state.add_note("3", "Hello")
    state.add_file("3", "Hello.pdf", size=1)
    for kind in sorted(adapter.capabilities.kinds):
        pages = list(adapter.pull(kind, None))
        refs = [record.ref for page in pages for record in page.records][:5]
        list(adapter.pull(kind, pages[-1].cursor))
        adapter.read(refs)
    for kind in (Kind.DEAL, Kind.TASK, Kind.NOTE, Kind.FIELD):
        adapter.find(kind, "nothing", DEAL)
    adapter.find(Kind.COMPANY, "domain:nothing.example", None)
    adapter.find(Kind.CONTACT, "email:nobody@nothing.example", None)
    name, people = FieldEdit("name", None, "New"), FieldEdit("contacts", None, ("1", "2"))
    create = {"action": Action.CREATE, "target": None, "edits": (name, people), "key": "k"}
    named = {"action": Action.CREATE, "target": None, "edits": (name,)}
    said = (FieldEdit("subject", None, "Go"), FieldEdit("body", None, "x"))
    field = tuple(FieldEdit(n, None, v) for n, v in {"name": "Made", "type": FieldType.TEXT.value}.items())
    changes: tuple[dict[str, Any], ...] = (
        create,
        {**named, "creates": Kind.COMPANY},
        {**named, "creates": Kind.CONTACT},
        {"target": DEAL, "edits": (FieldEdit("name", None, "Renamed"),)},
        {"target": DEAL, "edits": (FieldEdit("contacts", (), ("1", "2")),)},
        {"target": DEAL, "edits": (FieldEdit("contacts", ("1", "2"), ("1",)),)},
        {"action": Action.TASK, "target": DEAL, "edits": said, "key": "t"},
        {"action": Action.AMEND, "target": DEAL, "edits": (FieldEdit("done", False, True),), "key": "t"},
        {"action": Action.NOTE, "target": DEAL, "edits": said[1:], "key": "n"},
        {"action": Action.FIELD, "target": None, "edits": field, "key": "Made"},
        {"action": Action.FIELD, "target": None, "edits": (*field, FieldEdit("on", None, "company")), "key": "Made"},
        {"target": Ref("pd", Kind.COMPANY, "1"), "edits": (FieldEdit("Made", None, "x"),)},
        {"action": Action.ARCHIVE, "target": DEAL, "edits": ()},
        *({"action": Action.ARCHIVE, "target": Ref("pd", kind, "1"), "edits": ()} for kind in ARCHIVED),
    )
    for more in changes:
        receipts = adapter.write([make_change(id=str(more), connection="pd", **more)])
        assert [Outcome.APPLIED] == [receipt.outcome for receipt in receipts]


def pattern(call: Call) -> str:
    return call.path.replace("{v1}", "api/v1").replace("{id}", r"\d+").replace("{other}", r"\d+")


def test_every_request_is_in_the_table_and_the_other_way_round(
    opened: Open, served: Served, state: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is sent stands there with its page; what stands there is sent, but for what stands in for something else."""
    do_everything(opened(), state)
    asked = {(request.method, request.path.lstrip("/")) for request in served.sandbox.log.all()}
    table = {name: call for name, call in PATHS["v2"].items() if name != "flow"}
    met = {name: any(c.method == m and re.fullmatch(pattern(c), p) for m, p in asked) for name, c in table.items()}

    assert [] == [name for name, is_met in met.items() if not is_met]
    for method, path in asked:
        assert any(c.method == method and re.fullmatch(pattern(c), path) for c in table.values()), path
    assert all(call.page and call.tokens for call in PATHS["v2"].values())


def test_v1_is_asked_for_nothing_that_is_out_of_support() -> None:
    """v2 has what went on 2026-08-01 ("Deprecated APIv1 endpoints become out of support").

    Recents, which are there still, reach back a month only (airbyte #58634) and hold parts of rows (dlt
    verified-sources #67).
    """
    v1 = {call.path.removeprefix("{v1}/") for call in PATHS["v2"].values() if call.path.startswith("{v1}")}
    under_deals = {"changelog", "flow", "participants", "participants/{other}"}
    own = {"users", "users/me", "currencies", "notes", "notes/{id}", "files", "files/{id}"}

    assert own | {f"deals/{{id}}/{each}" for each in under_deals} == v1


def test_the_ledger_counts_what_pipedrive_charges(opened: Open, state: Any, served: Served) -> None:
    """Token for token, so that the share of the day is kept ("Rate limiting")."""
    ledger = LocalLedger()
    do_everything(opened(ledger=ledger), state)
    charged = state.limits.daily_tokens - state.limits.remaining

    assert charged == ledger.used("pd", Rate(1, A_DAY, DAY, "cost"), served.sandbox.clock.now())
    assert charged > 500


def test_processes_share_one_budget(opened: Open, served: Served, state: Any) -> None:
    """Two adapters with one ledger together keep below the burst limit."""
    ledger = LocalLedger()
    adapters = [opened(ledger=ledger) for _ in range(2)]
    for _ in range(15):
        for adapter in adapters:
            list(adapter.pull(Kind.USER, None))

    assert {200} == {request.status for request in served.sandbox.log.all()}


class TestWire:
    """What Pipedrive's headers and bodies make of us."""

    @pytest.fixture
    def clock(self) -> VirtualClock:
        return VirtualClock(NOON)

    @pytest.fixture
    def adapter(self, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Adapter]:
        monkeypatch.setenv("PD_TOKEN", "token-of-a-user")
        settings = PipedriveSettings.model_validate({"company": "acme", "token": {"env": "PD_TOKEN"}})
        opened = open_adapter(settings, AdapterContext(connection="pd", clock=clock))
        yield opened
        opened.close()

    @pytest.fixture
    def users(self) -> Iterator[respx.Route]:
        with respx.mock(base_url="https://acme.pipedrive.com") as router:
            yield router.get("/api/v1/users")

    def answer(self, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.Response(200, json={"success": True, "data": []}, headers=named)

    def seconds(self, adapter: Adapter, clock: VirtualClock, count: int) -> float:
        before = clock.now()
        for _ in range(count):
            list(adapter.pull(Kind.USER, None))
        return (clock.now() - before).total_seconds()

    def test_a_larger_plan_is_learnt_from_the_answers(
        self, adapter: Adapter, clock: VirtualClock, users: respx.Route
    ) -> None:
        """`x-ratelimit-limit` says more than the settings, and is used ("Rate limiting")."""
        users.mock(return_value=self.answer(x_ratelimit_limit="120", x_ratelimit_remaining="119"))

        assert self.seconds(adapter, clock, 90) < 2

    def test_what_others_use_of_a_window_is_left_to_them(
        self, adapter: Adapter, clock: VirtualClock, users: respx.Route
    ) -> None:
        """Half of the window gone to another app means half for us, before a 429 says so."""
        ours: list[datetime] = []

        def shared(_request: httpx.Request) -> httpx.Response:
            ours.append(clock.now())
            lately = sum(clock.now() - at < timedelta(seconds=2) for at in ours)
            return self.answer(x_ratelimit_limit="20", x_ratelimit_remaining=str(20 - 10 - lately))

        users.mock(side_effect=shared)

        assert self.seconds(adapter, clock, 40) > 6
        assert self.seconds(adapter, clock, 40) < 12

    def test_headers_that_are_missing_or_odd_are_passed_over(
        self, adapter: Adapter, clock: VirtualClock, users: respx.Route
    ) -> None:
        """The daily ones may be missing after idleness; nothing depends on any of them (airbyte's AGENTS.md §6)."""
        odd = [self.answer(), self.answer(x_ratelimit_limit="many", x_ratelimit_remaining="-1")]
        odd += [self.answer(x_daily_ratelimit_token_limit="0", x_daily_ratelimit_token_remaining="")]
        users.mock(side_effect=odd)

        assert self.seconds(adapter, clock, 3) < 2

    def test_the_settings_day_counts_without_headers(self, adapter: Adapter, users: respx.Route) -> None:
        """Of 30,000 tokens 24,000 are ours: 1,200 lists of users at 20."""
        users.mock(return_value=self.answer())
        with pytest.raises(RetryLaterError, match="share") as caught:
            self.seconds(adapter, VirtualClock(NOON), 1300)

        assert 1200 == users.call_count
        assert caught.value.after
        assert timedelta(hours=20) < caught.value.after

    @pytest.mark.parametrize(
        ("status", "body", "error"),
        [
            (200, None, RetryLaterError),  # taken for an empty list, all of it would seem to be gone
            (400, {"success": False, "error": "Bad request", "error_info": "Look"}, RefusedError),
            (400, {"success": False, "error": "Validation failed: a: b; c: d", "code": "ERR_SCHEMA"}, RefusedError),
            (401, {"success": False, "error": "unauthorized access", "errorCode": 401}, AuthenticationError),
            (402, {"success": False, "error": "Account not open"}, AuthenticationError),
            (403, {"success": False, "error": "x", "code": "feature_capping_deals_limit"}, AuthenticationError),
            (404, {"success": False, "error": "Not found"}, RefusedError),
            (404, {"status": False, "error": "Unknown method ."}, RetryLaterError),
            (405, {"success": False, "error": "Method not allowed"}, RefusedError),
            (410, {"success": True, "data": {"id": 33}}, RefusedError),
            (410, {"error": "This version has ended"}, RetryLaterError),
            (415, {"success": False, "error": "Feature is not enabled"}, RefusedError),
            (422, {"status": "error", "success": False, "errors": {"name": ["Required"]}}, RefusedError),
            (500, {"success": False, "error": "oops"}, RetryLaterError),
            (501, {"success": False, "error": "Not implemented"}, RetryLaterError),
            (503, {"success": False, "error": "Scheduled maintenance"}, RetryLaterError),
            (524, {"success": False}, RetryLaterError),
        ],
    )
    def test_every_status_has_its_meaning(
        self, adapter: Adapter, users: respx.Route, status: int, body: Any, error: type[CrmbridgeError]
    ) -> None:
        """The statuses of "HTTP status codes", and what was seen beside them (tap-pipedrive PR #115)."""
        users.mock(return_value=httpx.Response(status, content=json.dumps(body)))
        with pytest.raises(error) as caught:
            list(adapter.pull(Kind.USER, None))

        assert caught.value.advice or error is RefusedError
        assert "pd: api/v1/users" in caught.value.message
