"""The HTTP client: what is sent again, what is not, and what an answer means."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote, quote_plus

import httpx
import pytest
import respx
from hypothesis import given
from hypothesis import strategies as st

from crmbridge.errors import AuthenticationError, CrmbridgeError, RefusedError, RetryLaterError, UnclearError
from crmbridge.http import Budget, Dialect, HttpClient, Rate, Reply, Usage
from crmbridge.http import client as http_client
from crmbridge.http.wires import instead_of_network
from crmbridge.revealed import remember
from crmbridge.sandbox.clock import VirtualClock
from crmbridge.testing.factories import NOON

URL = "https://crm.example"
Route = Callable[..., respx.Route]


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(NOON)


@pytest.fixture
def client(clock: VirtualClock) -> Iterator[HttpClient]:
    """Give a client whose judge knows two vendor codes."""

    def judge(reply: Reply) -> CrmbridgeError | None:
        match reply.body:
            case {"code": "LOCKED"}:
                return RetryLaterError("the row is locked", after=timedelta(seconds=7))
            case {"code": "ECHO", "message": str(said)}:
                return RefusedError(f"it says {said}", advice=f"Ask why it says {said}.")
            case _:
                return None

    opened = HttpClient(
        connection="hs",
        base_url=URL,
        clock=clock,
        budget=Budget([Rate(100, 1)], clock),
        headers={"Authorization": "Bearer very-secret"},
        dialect=Dialect(judge=judge),
    )
    yield opened
    opened.close()


def corrupt(status: int) -> httpx.Response:
    """Give an answer that says it is packed, and is not."""
    return httpx.Response(status, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(b"not packed"))


@respx.mock
def test_a_read_gives_the_decoded_body_with_exact_numbers(client: HttpClient) -> None:
    """Numbers with a fraction are Decimal, digit for digit."""
    respx.get(f"{URL}/deals", params={"limit": "2"}).respond(content=b'{"amount": 12345678901234567890.10}')
    reply = client.read("GET", "/deals", params={"limit": 2})

    assert {"amount": Decimal("12345678901234567890.10")} == reply.body


WORDS = st.text(max_size=4) | st.sampled_from(["a b", "a+b", "50%", "%41", "ç", "&=#?", "a/b", "deals,contacts", "é😀"])
PARAMS = st.dictionaries(WORDS, WORDS | st.booleans() | st.integers() | st.none() | st.lists(WORDS, max_size=2))


@pytest.fixture(scope="module")
def sent_to() -> Iterator[Callable[[str, dict[str, Any]], tuple[httpx.URL, httpx.URL]]]:
    """Give what tells where a request goes, and where httpx by itself would send it."""
    sent: list[httpx.URL] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.url)
        return httpx.Response(200, json={})

    base, clock = f"{URL}/base", VirtualClock(NOON)
    budget, dialect = Budget([], clock), Dialect(judge=lambda _: None)
    with httpx.Client(base_url=f"{base}/") as plain, instead_of_network({base: httpx.MockTransport(answer)}):
        opened = HttpClient(connection="hs", base_url=base, clock=clock, budget=budget, dialect=dialect)

        def send(path: str, params: dict[str, Any]) -> tuple[httpx.URL, httpx.URL]:
            opened.read("GET", path, params=params)
            return sent[-1], plain.build_request("GET", path.lstrip("/"), params=params or None).url

        yield send
        opened.close()


@given(params=PARAMS, path=st.sampled_from(["deals", "/deals", "v1/deals/7", "über uns", "x%20y", "deals/é"]))
def test_a_request_goes_where_httpx_would_send_it(
    sent_to: Callable[[str, dict[str, Any]], tuple[httpx.URL, httpx.URL]], params: dict[str, Any], path: str
) -> None:
    """Whatever stands in its parameters; they are encoded once."""
    found, expected = sent_to(path, params)

    assert str(expected) == str(found)
    assert expected.raw_path == found.raw_path


@respx.mock
def test_the_credential_is_sent(client: HttpClient) -> None:
    """Every request carries the headers that the client was made with."""
    route = respx.get(f"{URL}/deals").respond(json={})
    client.read("GET", "/deals")

    assert "Bearer very-secret" == route.calls.last.request.headers["authorization"]


@respx.mock
@pytest.mark.parametrize(
    "trouble",
    [
        httpx.Response(408),
        httpx.Response(423),
        httpx.Response(425),
        httpx.Response(429),
        httpx.Response(500),
        httpx.Response(503),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, content=b""),
        httpx.Response(200, content=b'{"cut": '),
        httpx.Response(200, content=b"[" * 200_000),
        httpx.Response(200, content=b'{"amount": 1e30000000}'),
        corrupt(200),
        corrupt(500),
        httpx.ReadTimeout("slow"),
        httpx.ConnectError("refused"),
        httpx.TooManyRedirects("round in a circle"),
    ],
    ids=[
        "408",
        "423",
        "425",
        "429",
        "500",
        "503",
        "html",
        "empty",
        "cut",
        "deep",
        "huge",
        "gzip",
        "gzip 500",
        "timeout",
        "connect",
        "circle",
    ],
)
def test_a_read_is_repeated(client: HttpClient, trouble: httpx.Response | Exception) -> None:
    """Reading changes nothing, so it is repeated whatever went wrong on the way."""
    route = respx.get(f"{URL}/deals").mock(side_effect=[trouble, httpx.Response(200, json={"ok": 1})])

    assert {"ok": 1} == client.read("GET", "/deals").body
    assert 2 == route.call_count


@respx.mock
@pytest.mark.parametrize("status", [403, 404, 503])
def test_an_answer_that_says_nothing_is_told_by_its_status_alone(client: HttpClient, status: int) -> None:
    """Without a colon that nothing comes after."""
    respx.get(f"{URL}/deals").respond(status)
    with pytest.raises(CrmbridgeError) as caught:
        client.read("GET", "/deals")

    assert caught.value.message.endswith(f"({status})")


@respx.mock
def test_an_answer_that_unpacks_without_end_is_no_answer(client: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few packed bytes could fill the memory: a read is repeated, and of a write nobody knows what became."""
    monkeypatch.setattr(http_client, "LARGEST", 1_000_000)
    packed = gzip.compress(b'{"ok": 2}' + b" " * 5_000_000)

    def bomb() -> httpx.Response:
        return httpx.Response(200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(packed))

    respx.get(f"{URL}/deals").mock(side_effect=[bomb(), httpx.Response(200, json={"ok": 1})])
    respx.post(f"{URL}/deals").mock(return_value=bomb())

    assert len(packed) < 10_000
    assert {"ok": 1} == client.read("GET", "/deals").body
    with pytest.raises(UnclearError):
        client.write("POST", "/deals", body={})


@respx.mock
def test_an_answer_of_very_many_values_is_not_read(client: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes twenty times the room that it is written in."""
    monkeypatch.setattr(http_client, "MOST_PARTS", 1_000)
    respx.get(f"{URL}/deals").respond(content=json.dumps([[]] * 1_002))
    respx.get(f"{URL}/few").respond(content=json.dumps([[]] * 1_001))

    assert 1_001 == len(client.read("GET", "/few").body)
    with pytest.raises(RetryLaterError, match="not JSON"):
        client.read("GET", "/deals")


@respx.mock
@pytest.mark.parametrize("packed", ["gzip, gzip", "gzip,deflate", "br", "zstd"])
def test_an_answer_that_is_packed_twice_or_as_nobody_asked_is_not_unpacked(client: HttpClient, packed: str) -> None:
    """One part of it would fill the memory before anybody could look at its size."""
    content = gzip.compress(gzip.compress(b" " * 1_000_000))

    def bomb(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-encoding": packed}, stream=httpx.ByteStream(content))

    route = respx.post(f"{URL}/deals").mock(side_effect=bomb)

    with pytest.raises(UnclearError, match="decoding error"):
        client.write("POST", "/deals", body={})
    assert "gzip, deflate" == route.calls.last.request.headers["accept-encoding"]


@respx.mock
@pytest.mark.parametrize(
    "trouble",
    [
        httpx.Response(423),
        httpx.Response(425),
        httpx.Response(429),
        httpx.ConnectError("refused"),
        httpx.ConnectTimeout("slow"),
    ],
    ids=str,
)
def test_a_write_is_repeated_when_it_did_not_arrive(client: HttpClient, trouble: httpx.Response | Exception) -> None:
    """A request that was turned away or a connection that never was: nothing can have happened."""
    route = respx.post(f"{URL}/deals").mock(side_effect=[trouble, httpx.Response(201, json={"id": 1})])

    assert 201 == client.write("POST", "/deals", body={}).status
    assert 2 == route.call_count


@respx.mock
@pytest.mark.parametrize(
    "trouble",
    [
        httpx.Response(408),
        httpx.Response(500),
        httpx.Response(502, text="<html>"),
        httpx.Response(302, json={"code": "ECHO", "message": "elsewhere"}, headers={"location": "https://sso.example"}),
        httpx.Response(307, headers={"location": "/deals"}),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, content=b""),
        httpx.Response(200, content=b"[" * 200_000),
        corrupt(200),
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("cut"),
        httpx.WriteError("cut"),
        httpx.TooManyRedirects("round in a circle"),
    ],
    ids=["408", "500", "502", "302", "307", "html", "empty", "deep", "gzip", "timeout", "cut", "write", "circle"],
)
def test_a_write_without_a_clear_answer_is_never_repeated(
    client: HttpClient, trouble: httpx.Response | Exception
) -> None:
    """It may have been carried out; only reading back can tell."""
    route = respx.post(f"{URL}/deals").mock(side_effect=[trouble, httpx.Response(201, json={"id": 1})])

    with pytest.raises(UnclearError):
        client.write("POST", "/deals", body={})
    assert 1 == route.call_count


@respx.mock
def test_no_content_is_an_answer(client: HttpClient) -> None:
    """204 has no body and is clear."""
    respx.patch(f"{URL}/deals/1").respond(204)

    reply = client.write("PATCH", "/deals/1", body={})

    assert (204, None) == (reply.status, reply.body)


@respx.mock
@pytest.mark.parametrize(
    ("status", "error"),
    [(400, RefusedError), (401, AuthenticationError), (403, AuthenticationError), (404, RefusedError)],
)
def test_a_status_says_what_to_do(client: HttpClient, status: int, error: type[CrmbridgeError]) -> None:
    """Errors are grouped by what helps, say where they come from, and show no secret."""
    respx.get(f"{URL}/deals").respond(status, headers={"x-request-id": "r-1"}, json={"message": "no\u202e\x1b[31m"})

    with pytest.raises(error) as caught:
        client.read("GET", "/deals")
    assert "hs: /deals (request r-1)" in caught.value.message
    assert "very-secret" not in f"{caught.value!r}{caught.value.advice}"
    assert "\x1b" not in caught.value.message


@respx.mock
def test_the_vendors_own_words_come_first(client: HttpClient, clock: VirtualClock) -> None:
    """What the judge makes of a body counts more than its status: here a 400 that is worth waiting for."""
    respx.get(f"{URL}/deals").mock(
        side_effect=[httpx.Response(400, json={"code": "LOCKED"}), httpx.Response(200, json={})]
    )
    client.read("GET", "/deals")

    assert clock.now() - NOON >= timedelta(seconds=7)


@respx.mock
def test_retry_after_is_honoured(client: HttpClient, clock: VirtualClock) -> None:
    """The CRM says how long to wait, and that long we wait."""
    respx.get(f"{URL}/deals").mock(
        side_effect=[httpx.Response(429, headers={"retry-after": "11"}), httpx.Response(200, json={})]
    )
    client.read("GET", "/deals")

    assert timedelta(seconds=11) <= clock.now() - NOON < timedelta(seconds=20)


@respx.mock
def test_a_long_wait_is_left_to_the_next_run(client: HttpClient, clock: VirtualClock) -> None:
    """A daily limit is not waited for: the run ends and says when to come back."""
    respx.get(f"{URL}/deals").respond(429, headers={"retry-after": "3600"})

    with pytest.raises(RetryLaterError) as caught:
        client.read("GET", "/deals")
    assert timedelta(hours=1) == caught.value.after
    assert NOON == clock.now()


class Meanwhile(VirtualClock):
    """A clock at which something else is done while somebody waits, once."""

    def __init__(self) -> None:
        super().__init__(NOON)
        self.job: Callable[[], object] | None = None

    def sleep(self, seconds: float) -> None:
        """Let the other one do its thing, then let time pass."""
        job, self.job = self.job, None
        if job is not None:
            job()
        super().sleep(seconds)


@respx.mock
@pytest.mark.parametrize(
    ("trouble", "seconds"),
    [
        (httpx.Response(429, headers={"retry-after": "11"}), 11),
        (httpx.Response(429), 1),
        (httpx.Response(503, headers={"retry-after": "11"}), 0),
    ],
    ids=["429 for long", "429", "503"],
)
def test_a_limit_holds_up_whoever_comes_next(trouble: httpx.Response, seconds: float) -> None:
    """Another request would only be refused as well, and count against us; a CRM's own trouble holds up nobody else."""
    clock, sent = Meanwhile(), []

    def answer(_request: httpx.Request) -> httpx.Response:
        sent.append(clock.now() - NOON)
        return trouble if len(sent) == 1 else httpx.Response(200, json={})

    respx.get(url__startswith=URL).mock(side_effect=answer)
    budget, dialect = Budget([Rate(100, 1)], clock), Dialect()
    opened = HttpClient(connection="hs", base_url=URL, clock=clock, budget=budget, dialect=dialect)
    clock.job = lambda: opened.read("GET", "/contacts")
    opened.read("GET", "/deals")
    opened.close()

    assert 3 == len(sent)
    assert timedelta(seconds=seconds) <= sent[1] <= timedelta(seconds=seconds + 0.1)


@respx.mock
def test_a_limit_that_nobody_sits_out_holds_up_nobody_else(client: HttpClient, clock: VirtualClock) -> None:
    """It may be that of one kind of call: the others go on."""
    respx.get(f"{URL}/search").respond(429, headers={"retry-after": "3600"})
    respx.get(f"{URL}/deals").respond(json={"ok": 1})
    with pytest.raises(RetryLaterError):
        client.read("GET", "/search")

    assert {"ok": 1} == client.read("GET", "/deals").body
    assert NOON == clock.now()


@respx.mock
def test_a_request_that_is_never_answered_counts_until_it_is_given_up(clock: VirtualClock) -> None:
    """The CRM may have counted it as late as that; the next one goes a whole window after."""

    def hang(_request: httpx.Request) -> httpx.Response:
        clock.sleep(30)
        raise httpx.ReadTimeout("slow")

    respx.post(f"{URL}/deals").mock(side_effect=hang)
    respx.get(f"{URL}/deals").respond(json={})
    budget = Budget([Rate(1, 40)], clock, share=1)
    opened = HttpClient(connection="hs", base_url=URL, clock=clock, budget=budget, dialect=Dialect())
    with pytest.raises(UnclearError):
        opened.write("POST", "/deals", body={})
    opened.read("GET", "/deals")
    opened.close()

    assert timedelta(seconds=70) <= clock.now() - NOON < timedelta(seconds=71)


@respx.mock
def test_trouble_without_end_ends(client: HttpClient, clock: VirtualClock) -> None:
    """After five tries the run gives up, within a minute."""
    route = respx.get(f"{URL}/deals").respond(503)

    with pytest.raises(RetryLaterError):
        client.read("GET", "/deals")
    assert 5 == route.call_count
    assert clock.now() - NOON < timedelta(minutes=1)


@respx.mock
def test_a_cookie_is_not_kept(client: HttpClient) -> None:
    """What a server would know a client by is the credential alone."""
    route = respx.get(f"{URL}/deals").mock(
        return_value=httpx.Response(200, json=[], headers={"Set-Cookie": "visitor=7; Path=/"})
    )

    client.read("GET", "/deals")
    client.read("GET", "/deals")

    assert [False, False] == ["cookie" in call.request.headers for call in route.calls]


@respx.mock
def test_a_redirect_is_not_followed(client: HttpClient) -> None:
    """It would carry the credential to another host. One to a page about maintenance passes, and refuses nothing."""
    elsewhere = respx.get("https://evil.example/").respond(json={})
    respx.get(f"{URL}/deals").respond(302, headers={"location": "https://evil.example/"})

    with pytest.raises(RetryLaterError) as caught:
        client.read("GET", "/deals")
    assert not elsewhere.called
    assert "base_url" in caught.value.advice


@respx.mock
def test_the_words_of_an_error_are_readable_whatever_they_say_they_are(client: HttpClient) -> None:
    """An answer that names an encoding which is none for text is shown as well as it can be."""
    respx.get(f"{URL}/deals").respond(400, headers={"content-type": "text/plain; charset=hex"}, content=b"no such deal")

    with pytest.raises(RefusedError, match="no such deal"):
        client.read("GET", "/deals")


class Proxy:
    """A proxy that lets nobody through, and notes what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Listen no more."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                asking, _ = self._socket.accept()
            except OSError:
                return
            with asking:
                self.asked.append(asking.recv(65_536).partition(b"\r\n")[0].decode())
                asking.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """Let this machine speak with the world outside through a proxy."""
    opened = Proxy()
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{opened.port}")
    yield opened
    opened.close()


@pytest.mark.parametrize("call", ["read", "write"])
def test_the_world_outside_is_asked_through_the_proxy(proxy: Proxy, clock: VirtualClock, call: str) -> None:
    """Where that lets nobody through, nothing arrived: a write is no more unclear than a read."""
    opened = HttpClient(connection="hs", base_url=URL, clock=clock, budget=Budget((), clock), dialect=Dialect())
    with pytest.raises(RetryLaterError, match="can't be reached"):
        getattr(opened, call)("POST", "/deals", body={})
    opened.close()

    assert ["CONNECT crm.example:443 HTTP/1.1"] * 5 == proxy.asked


def test_this_machine_is_asked_without_the_proxy(proxy: Proxy, clock: VirtualClock) -> None:
    """It leads outside, and would be told the credential."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed = taken.getsockname()[1]
    budget, dialect = Budget((), clock), Dialect()
    opened = HttpClient(
        connection="hs", base_url=f"http://127.0.0.1:{closed}", clock=clock, budget=budget, dialect=dialect
    )
    with pytest.raises(RetryLaterError, match="can't be reached"):
        opened.read("GET", "/deals")
    opened.close()

    assert [] == proxy.asked


TOKEN = "t0ken/of:the+shop"


@pytest.fixture
def known_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process know the token, for one test."""
    monkeypatch.setattr("crmbridge.revealed._known", set())
    remember(TOKEN)


@respx.mock
@pytest.mark.usefixtures("known_token")
@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(401, text=f"who is Bearer {TOKEN}?"),
        httpx.Response(400, json={"message": TOKEN}),
        httpx.Response(400, text=json.dumps({"message": TOKEN}).replace("/", "\\/")),
        httpx.Response(400, text=quote(TOKEN)),
        httpx.Response(400, text=quote_plus(TOKEN)),
        httpx.Response(403, text="x" * 190 + TOKEN),
        httpx.Response(403, text=" " * 1990 + TOKEN),
        httpx.Response(404, headers={"x-request-id": TOKEN}),
        httpx.Response(400, json={"code": "ECHO", "message": TOKEN}),
    ],
)
def test_a_secret_that_comes_back_goes_no_further(client: HttpClient, answer: httpx.Response) -> None:
    """Neither whole nor in part, and in none of the forms in which an answer may repeat it; errors are kept."""
    respx.get(f"{URL}/deals").mock(return_value=answer)

    with pytest.raises(CrmbridgeError) as caught:
        client.read("GET", "/deals")
    said = f"{caught.value} {caught.value.message} {caught.value.advice}"
    assert "t0ken" not in said
    assert "the+shop" not in said


@respx.mock
@pytest.mark.usefixtures("known_token")
def test_a_secret_in_a_path_goes_no_further(client: HttpClient) -> None:
    """Some vendors want it there."""
    respx.post(url__startswith=URL).mock(side_effect=httpx.ReadTimeout("slow"))

    with pytest.raises(UnclearError) as caught:
        client.write("POST", f"/deals?key={quote(TOKEN, safe='')}", body={})
    assert "t0ken" not in caught.value.message


@respx.mock
def test_an_answer_of_another_shape_is_asked_for_again(client: HttpClient) -> None:
    """A list where an object belongs can't be read, however well it is formed."""
    route = respx.get(f"{URL}/deals")
    route.side_effect = [httpx.Response(200, json=[1]), httpx.Response(200, json={"results": []})]

    assert {"results": []} == client.read("GET", "/deals", expect=dict).body


@respx.mock
def test_bytes_come_as_they_are(client: HttpClient) -> None:
    """What is no JSON, such as CSV, is not looked into."""
    route = respx.get(f"{URL}/results").respond(content=b'"Id","Name"\n', headers={"content-type": "text/csv"})

    assert b'"Id","Name"\n' == client.read("GET", "/results", form="bytes").body
    assert "*/*" == route.calls.last.request.headers["accept"]


@respx.mock
def test_a_page_for_people_is_not_taken_for_data(client: HttpClient) -> None:
    """ "We are setting things up" comes with 200 and would be stored as a row."""
    respx.get(f"{URL}/results").respond(html="<html>We are setting things up</html>")

    with pytest.raises(RetryLaterError, match="not data"):
        client.read("GET", "/results", form="bytes")


@respx.mock
def test_bytes_are_sent_as_they_are(client: HttpClient) -> None:
    """An upload names its own type."""
    route = respx.put(f"{URL}/batches").respond(201, json={})
    client.write("PUT", "/batches", body=b"Id\n1\n", headers={"Content-Type": "text/csv"})
    request = route.calls.last.request

    assert (b"Id\n1\n", "text/csv") == (request.content, request.headers["content-type"])


@respx.mock
def test_a_request_is_given_up_after_its_deadline(client: HttpClient, clock: VirtualClock) -> None:
    """Five waits of a minute each would hold up a run for longer than anybody asked for."""
    route = respx.get(f"{URL}/deals").respond(503, headers={"retry-after": "59"})

    with pytest.raises(RetryLaterError):
        client.read("GET", "/deals")
    assert timedelta(seconds=150) <= clock.now() - NOON < timedelta(seconds=260)
    assert 4 >= route.call_count


@respx.mock
def test_what_a_reply_says_of_a_rate_reaches_the_budget(clock: VirtualClock) -> None:
    """The CRM names a lower limit than we were told: from then on that one counts."""
    respx.get(f"{URL}/deals").respond(json={}, headers={"x-limit": "2", "x-left": "1"})

    def meter(headers: Mapping[str, str]) -> list[Usage]:
        return [Usage("burst", int(headers["x-limit"]), int(headers["x-left"]))]

    opened = HttpClient(
        connection="hs",
        base_url=URL,
        clock=clock,
        budget=Budget([Rate(100, 10, name="burst")], clock, share=1),
        dialect=Dialect(judge=lambda _reply: None, meter=meter),
    )
    for _ in range(4):
        opened.read("GET", "/deals")
    opened.close()

    assert clock.now() - NOON >= timedelta(seconds=10)


@pytest.fixture
def rpc(clock: VirtualClock) -> Iterator[HttpClient]:
    """Give a client of a vendor that sends its errors with 200, as JSON-RPC does."""

    def judge(reply: Reply) -> CrmbridgeError | None:
        said = reply.body.get("error") if isinstance(reply.body, dict) else None
        return RefusedError(f"it says {said}") if said else None

    opened = HttpClient(
        connection="hs",
        base_url=URL,
        clock=clock,
        budget=Budget([Rate(100, 1)], clock),
        dialect=Dialect(judge=judge, failed=lambda reply: isinstance(reply.body, dict) and "error" in reply.body),
    )
    yield opened
    opened.close()


@respx.mock
@pytest.mark.parametrize("call", ["read", "write"])
def test_an_error_that_comes_with_200_is_one(rpc: HttpClient, call: str) -> None:
    """It is judged as any other, is a clear no to a write, and is not asked about again."""
    route = respx.post(f"{URL}/rpc").respond(json={"error": "no"})
    with pytest.raises(RefusedError, match="hs: rpc: it says no"):
        getattr(rpc, call)("POST", "rpc", body={})

    assert 1 == route.call_count


@respx.mock
def test_a_read_takes_headers_of_its_own(client: HttpClient) -> None:
    """They go beside those that every request carries."""
    route = respx.get(f"{URL}/deals").respond(json={})
    client.read("GET", "/deals", headers={"X-Context": "much"})

    sent = route.calls.last.request.headers
    assert ("much", "Bearer very-secret") == (sent["x-context"], sent["authorization"])


class Drips:
    """A server whose answers never end, and that is never silent for long."""

    def __init__(self, begin: bytes, again: bytes) -> None:
        self._begin, self._again = begin, again
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._ended = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        self._ended.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._answer, args=(self._socket.accept()[0],), daemon=True).start()

    def _answer(self, asking: socket.socket) -> None:
        with asking, contextlib.suppress(OSError):
            asking.recv(65_536)
            asking.sendall(self._begin)
            while not self._ended.wait(0.01):
                asking.sendall(self._again)


OK, CHUNKED = b"HTTP/1.1 200 OK\r\n", b"Transfer-Encoding: chunked\r\n"


@pytest.mark.parametrize(("call", "error"), [("read", RetryLaterError), ("write", UnclearError)])
@pytest.mark.parametrize(
    ("begin", "again"),
    [
        pytest.param(OK, b"X: y\r\n", id="head"),
        pytest.param(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", id="hints"),
        pytest.param(OK + CHUNKED + b"\r\n", b"1\r\n \r\n", id="body"),
        pytest.param(OK + CHUNKED + b"\r\n", b"0", id="length"),
        pytest.param(  # a file's name comes before what is packed, and may have any length
            OK + CHUNKED + b"Content-Encoding: gzip\r\n\r\na\r\n\x1f\x8b\x08\x08\0\0\0\0\0\x03\r\n",
            b"1\r\nx\r\n",
            id="packed",
        ),
    ],
)
def test_an_answer_that_drips_in_holds_nobody_for_ever(
    clock: VirtualClock, begin: bytes, again: bytes, call: str, error: type[CrmbridgeError]
) -> None:
    """Each part of it is in time, and it is given up all the same."""
    dripping = Drips(begin, again)
    opened = HttpClient(
        connection="hs", base_url=dripping.url, clock=clock, budget=Budget([], clock), dialect=Dialect(), timeout=0.05
    )
    with contextlib.closing(dripping), contextlib.closing(opened), pytest.raises(error, match="read timeout"):
        getattr(opened, call)("POST", "/deals")


@respx.mock
def test_an_answer_of_nothing_there_says_which_settings_lead_elsewhere(client: HttpClient) -> None:
    """A base_url that is not quite right is answered so, and by other pages than the CRM's."""
    respx.get(f"{URL}/deals").respond(404, html="<html>nginx</html>")

    with pytest.raises(RefusedError, match="404") as caught:
        client.read("GET", "/deals")
    assert "base_url and api_version of connection 'hs'" in caught.value.advice


@respx.mock
def test_a_page_for_people_instead_of_an_answer_lets_look_at_the_address(client: HttpClient) -> None:
    """Who signs in to a network, or has the address of the screens, gets pages and the status of a good answer."""
    respx.get(f"{URL}/deals").respond(200, html="<html>Sign in</html>")

    with pytest.raises(RetryLaterError, match="not JSON") as caught:
        client.read("GET", "/deals")
    assert "base_url" in caught.value.advice
