"""The sandbox kit on a real socket: every fault does what its sentence says, and nothing else."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import Response

from crmbridge.sandbox import (
    FAULTS,
    LoggedRequest,
    RateWindow,
    RequestLog,
    Sandbox,
    SandboxOptions,
    Vendor,
    VirtualClock,
    assemble,
)
from crmbridge.testing.factories import NOON

Make = Callable[..., Sandbox]
Client = Callable[..., contextlib.AbstractContextManager[httpx.Client]]

ANSWERED = {  # status, Retry-After, content type, body
    "limit": (429, None, "application/json", b'{"error":"slow down","of":null}'),
    "limit_after": (429, "5", "application/json", b'{"error":"slow down","of":null}'),
    "limit_day": (429, "36000", "application/json", b'{"error":"slow down","of":null}'),
    "error_500": (500, None, None, b""),
    "error_503": (503, None, None, b""),
    "html": (200, None, "text/html; charset=utf-8", b"<html><body>We are setting things up</body></html>"),
    "html_404": (404, None, "text/html; charset=utf-8", b"<html><body>We are setting things up</body></html>"),
    "html_json": (200, None, "application/json", b"<html><body>We are setting things up</body></html>"),
    "empty_body": (200, None, None, b""),
    "revoked": (401, None, "application/json", b'{"error":"who are you?"}'),
}
CUT = {"drop_before": 0, "drop_after": 5, "cut_body": 5}  # what the counter says after adding five
SPOILT = {  # carried out, and answered with this type and body
    "cut_json": ("application/json", b'{"cou'),
    "wrong_type": ("text/html; charset=utf-8", b'{"count":5}'),
}
SILENT = {"timeout_before": 0, "timeout_after": 5}
FOR_ROUTES = {"partial", "lag"}  # what the kit can't show, because it knows no batches and no search
IMPATIENT = 0.5  # seconds


def answers(sandbox: Sandbox) -> list[tuple[int, str]]:
    """Give what the log says of each request: its status, 0 for no answer at all, and its fault."""
    return [(request.status, request.fault) for request in sandbox.log.all()]


def test_the_tables_name_every_fault() -> None:
    """A new fault has to be tried here."""
    assert set(FAULTS) == {*ANSWERED, *CUT, *SPOILT, *SILENT, *FOR_ROUTES, "reset", "drip"}


@pytest.mark.parametrize("fault", ANSWERED)
def test_an_answer_takes_the_place_of_the_vendors(make_sandbox: Make, open_client: Client, fault: str) -> None:
    """Nothing is carried out, and the next request goes through."""
    sandbox = make_sandbox()
    sandbox.faults.plan(fault)
    with open_client(sandbox) as client:
        reply = client.post("/count", json={"by": 5})
        count = sandbox.state.count
        after = client.post("/count", json={"by": 1})

    headers = [reply.headers.get(name) for name in ("retry-after", "content-type")]
    assert ANSWERED[fault] == (reply.status_code, *headers, reply.content)
    assert (0, 201, {"count": 1}) == (count, after.status_code, after.json())
    assert [(ANSWERED[fault][0], fault), (201, "")] == answers(sandbox)


@pytest.mark.parametrize("fault", CUT)
def test_a_cut_connection_tells_nothing(make_sandbox: Make, open_client: Client, fault: str) -> None:
    """The caller can't tell whether it was carried out; the account can."""
    sandbox = make_sandbox()
    sandbox.faults.plan(fault)
    with open_client(sandbox) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            client.post("/count", json={"by": 5})

        assert CUT[fault] == sandbox.state.count
        assert {"count": CUT[fault]} == client.get("/count").json()
    assert [(201 if fault == "cut_body" else 0, fault), (200, "")] == answers(sandbox)


@pytest.mark.parametrize("fault", SILENT)
def test_no_answer_comes(make_sandbox: Make, open_client: Client, fault: str) -> None:
    """The caller runs out of patience, and the sandbox goes on with the next one."""
    sandbox = make_sandbox()
    sandbox.faults.plan(fault)
    with open_client(sandbox, patience=IMPATIENT) as client:
        with pytest.raises(httpx.ReadTimeout):
            client.post("/count", json={"by": 5})

        assert SILENT[fault] == sandbox.state.count
        assert {"count": SILENT[fault]} == client.get("/count", timeout=60).json()
    assert (0, fault) in answers(sandbox)


@pytest.mark.parametrize("fault", SPOILT)
def test_an_answer_is_spoilt_on_its_way(make_sandbox: Make, open_client: Client, fault: str) -> None:
    """It was carried out, and HTTP sees nothing wrong; only its type or its end is not the vendor's."""
    sandbox = make_sandbox()
    sandbox.faults.plan(fault)
    with open_client(sandbox) as client:
        reply = client.post("/count", json={"by": 5})

    assert (201, 5) == (reply.status_code, sandbox.state.count)
    assert SPOILT[fault] == (reply.headers["content-type"], reply.content)


def test_a_connection_is_reset(make_sandbox: Make, open_client: Client) -> None:
    """The caller's socket says so by name, which is another thing than an answer that ends early."""
    sandbox = make_sandbox()
    sandbox.faults.plan("reset")
    with open_client(sandbox) as client:
        with pytest.raises(httpx.ReadError) as caught:
            client.post("/count", json={"by": 5})
        after = client.post("/count", json={"by": 1}).json()

    assert "Connection reset by peer" in str(caught.value)
    assert {"count": 1} == after
    assert [(0, "reset"), (201, "")] == answers(sandbox)


def test_a_dripping_answer_comes_whole_to_the_patient(make_sandbox: Make, open_client: Client) -> None:
    """Each byte comes in time, so that only the time of the whole answer tells what is wrong."""
    sandbox = make_sandbox()
    sandbox.faults.plan("drip")
    with open_client(sandbox) as client, client.stream("GET", "/count") as reply:
        came = list(reply.iter_raw())

    assert b'{"count":0}' == b"".join(came)
    assert len(b'{"count":0}') == len(came)
    assert reply.elapsed >= timedelta(milliseconds=100)


def test_a_vendor_has_its_own_words_for_a_day_that_is_used_up(clock: VirtualClock, open_client: Client) -> None:
    """Where it says so in another form than for a second that is."""
    vendor = Vendor(
        accepts=lambda _request, _token: True,
        refused=lambda _request: Response(status_code=401),
        limited=lambda _request, _window, _after: Response(status_code=429),
        spent=lambda _request: Response(b"come back tomorrow", 403),
    )
    sandbox = assemble(name="daily", state=None, routes=[], vendor=vendor, options=SandboxOptions(clock=clock))
    sandbox.faults.plan("limit_day")
    with open_client(sandbox) as client:
        reply = client.get("/count")

    assert (403, b"come back tomorrow") == (reply.status_code, reply.content)


@pytest.mark.parametrize("callers", [1, 3])
def test_the_log_says_how_many_were_under_way(make_sandbox: Make, open_client: Client, callers: int) -> None:
    """At one time, at most; one after the other is one."""
    sandbox = make_sandbox(latency_ms=100)
    with open_client(sandbox) as client, ThreadPoolExecutor(callers) as pool:
        list(pool.map(lambda _: client.get("/count"), range(3)))

    assert callers == sandbox.log.most_at_once
    sandbox.log.clear()
    assert 0 == sandbox.log.most_at_once


def test_the_log_keeps_what_the_vendor_calls_a_request(make_sandbox: Make, open_client: Client) -> None:
    """So that a test can tell whether an error names it; an answer that never went out has no name."""
    sandbox = make_sandbox()
    sandbox.faults.plan("error_503")
    sandbox.faults.plan("reset")
    with open_client(sandbox) as client:
        client.get("/count")
        with pytest.raises(httpx.ReadError):
            client.get("/count")

    assert ["tiny-1", ""] == [request.answer_id for request in sandbox.log.all()]


def test_a_cut_answer_begins_like_the_whole_one(make_sandbox: Make, open_client: Client) -> None:
    """It has the status and the first half of the body."""
    sandbox = make_sandbox()
    sandbox.faults.plan("cut_body")
    with open_client(sandbox) as client, client.stream("POST", "/count", json={"by": 5}) as reply:
        came: list[bytes] = []
        with pytest.raises(httpx.RemoteProtocolError):
            came.extend(reply.iter_raw())

    assert (201, b'{"cou') == (reply.status_code, b"".join(came))


def test_a_credential_is_asked_for(make_sandbox: Make, open_client: Client) -> None:
    """A wrong one is refused in the vendor's form and uses up nothing; open paths need none."""
    sandbox = make_sandbox(RateWindow(1, 10))
    with open_client(sandbox, token="wrong") as client:
        refused, free = client.post("/count", json={"by": 5}), client.get("/open/count")

    assert (401, 0) == (refused.status_code, sandbox.state.count)
    assert {"count": 0} == free.json()


def test_the_credential_is_made_from_the_seed_or_given(make_sandbox: Make) -> None:
    """The same seed gives the same one."""
    assert make_sandbox(seed=3).token == make_sandbox(seed=3).token != make_sandbox(seed=4).token
    assert "my-own" == make_sandbox(token="my-own").token


def test_every_answer_of_the_vendor_is_decorated(make_sandbox: Make, open_client: Client) -> None:
    """Vendors send their headers with 404, too."""
    with open_client(make_sandbox()) as client:
        replies = [client.get("/count"), client.get("/nowhere")]

    assert [(200, "tiny"), (404, "tiny")] == [(reply.status_code, reply.headers["x-vendor"]) for reply in replies]


def test_requests_are_carried_out_one_at_a_time(make_sandbox: Make, open_client: Client) -> None:
    """However many callers add at once, nothing is overwritten."""
    sandbox = make_sandbox()
    with open_client(sandbox) as client:
        callers = [
            threading.Thread(target=client.post, args=("/count",), kwargs={"json": {"by": 1}}) for _ in range(40)
        ]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()

    assert 40 == sandbox.state.count
    assert {201} == {request.status for request in sandbox.log.all()}


def test_a_sandbox_can_be_served_again(make_sandbox: Make, open_client: Client) -> None:
    """As a CRM that was away for a while: it holds what it held, for as many callers at once."""
    sandbox = make_sandbox()
    for _ in range(2):
        start = threading.Barrier(8)
        with open_client(sandbox) as client:

            def add(client: httpx.Client = client, together: threading.Barrier = start) -> None:
                together.wait()
                client.post("/count", json={"by": 1})

            callers = [threading.Thread(target=add) for _ in range(8)]
            for caller in callers:
                caller.start()
            for caller in callers:
                caller.join()

    assert 16 == sandbox.state.count


def test_a_broken_route_breaks_only_itself(make_sandbox: Make, open_client: Client) -> None:
    """It answers 500, and the next request is served."""
    with open_client(make_sandbox()) as client:
        assert 500 == client.get("/broken").status_code
        assert {"count": 0} == client.get("/count").json()


def test_latency_holds_every_answer_back(make_sandbox: Make, open_client: Client) -> None:
    """An answer takes at least as long as was asked for."""
    with open_client(make_sandbox(latency_ms=60)) as client:
        assert client.get("/count").elapsed >= timedelta(milliseconds=50)


# ── Rate windows ────────────────────────────────────────────────────────────────────────────────────────


def test_a_full_window_limits_until_time_has_passed(
    make_sandbox: Make, open_client: Client, clock: VirtualClock
) -> None:
    """The sandbox's own clock counts, and what is one too many is not carried out."""
    sandbox = make_sandbox(RateWindow(2, 10))
    with open_client(sandbox) as client:
        first = [client.post("/count", json={"by": 1}).status_code for _ in range(3)]
        clock.advance(timedelta(seconds=9))
        still = client.post("/count", json={"by": 1})
        clock.advance(timedelta(seconds=1))
        again = client.post("/count", json={"by": 1})

    assert [201, 201, 429] == first
    assert (429, {"error": "slow down", "of": 2}) == (still.status_code, still.json())
    assert (201, 3) == (again.status_code, sandbox.state.count)
    assert ["", "", "limit", "limit", ""] == [request.fault for request in sandbox.log.all()]


def test_a_window_counts_only_what_it_applies_to(make_sandbox: Make, open_client: Client) -> None:
    """Reads go on when the writes are used up."""
    writes = RateWindow(1, 10, applies=lambda request: request.method == "POST")
    with open_client(make_sandbox(writes)) as client:
        statuses = [client.request(method, "/count", json={"by": 1}).status_code for method in ("POST", "POST", "GET")]

    assert [201, 429, 200] == statuses


def test_limits_can_be_left_out(make_sandbox: Make, open_client: Client) -> None:
    """`limit="none"` is for those who want speed."""
    with open_client(make_sandbox(RateWindow(1, 10), limit="none")) as client:
        assert [200, 200, 200] == [client.get("/count").status_code for _ in range(3)]


def test_a_window_says_how_much_is_left() -> None:
    """Vendors tell it in a header; what is refused takes nothing."""
    window = RateWindow(2, 1)
    left = []
    for _ in range(3):
        window.take(NOON)
        left.append(window.remaining(NOON))

    assert [1, 0, 0] == left
    assert 2 == window.remaining(NOON + timedelta(seconds=1))


@given(st.integers(1, 5), st.lists(st.integers(0, 15), max_size=60))
def test_no_window_lets_more_through_than_it_says(most: int, pauses: list[int]) -> None:
    """However requests come, any ten seconds hold at most the window's count; a free place is always given."""
    window, now, taken = RateWindow(most, 10), NOON, []
    for pause in pauses:
        now += timedelta(seconds=pause)
        recent = sum(now - one < timedelta(seconds=10) for one in taken)
        assert (recent < most) is window.take(now)
        if recent < most:
            taken.append(now)


# ── The log ─────────────────────────────────────────────────────────────────────────────────────────────


def test_the_log_tells_what_was_asked(make_sandbox: Make, open_client: Client) -> None:
    """Numbers as they were sent, times by the sandbox's clock, and what is no JSON as nothing."""
    sandbox = make_sandbox()
    with open_client(sandbox) as client:
        client.post("/count?why=test", json={"by": 1, "rate": 0.10})
        client.get("/nowhere")
        client.post("/nowhere", content=b"\xff{")

    assert (
        LoggedRequest(NOON, "POST", "/count", "why=test", {"by": 1, "rate": Decimal("0.1")}, 201, "", "tiny-1"),
        LoggedRequest(NOON, "GET", "/nowhere", "", None, 404, "", "tiny-1"),
        LoggedRequest(NOON, "POST", "/nowhere", "", None, 404, "", "tiny-1"),
    ) == sandbox.log.all()
    assert [True, False, True] == [request.writes for request in sandbox.log.all()]
    assert 1 == len(sandbox.log.matching("POST", "ount"))


def test_the_log_keeps_no_credential(make_sandbox: Make, open_client: Client) -> None:
    """Neither one from a header nor one from the address."""
    sandbox = make_sandbox(token="the-token-itself")
    with open_client(sandbox) as client:
        client.get("/count")
        client.get("/count", params={"token": "the-token-itself"}, headers={"x-token": ""})

    assert [200, 200] == [request.status for request in sandbox.log.all()]
    assert "the-token-itself" not in repr(sandbox.log.all())


def test_the_log_is_bounded() -> None:
    """Only the newest are kept, so that a sandbox can run for weeks."""
    log = RequestLog()
    for number in range(RequestLog.LIMIT + 5):
        log.add(LoggedRequest(NOON, "GET", f"/{number}", "", None, 200))
    kept = log.all()
    log.clear()

    assert (RequestLog.LIMIT, "/5") == (len(kept), kept[0].path)
    assert () == log.all()
