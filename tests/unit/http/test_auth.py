"""Sign-in: tokens that stay, tokens that are renewed in time, and sessions that expire under way."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest
import respx
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from crmbridge.errors import AuthenticationError, ConfigurationError, CrmbridgeError, RefusedError, RetryLaterError
from crmbridge.http import Budget, Dialect, HttpClient, Rate, Reply, StaticToken, Token, TokenEndpoint, TokenSource
from crmbridge.revealed import strike
from crmbridge.sandbox.clock import VirtualClock
from crmbridge.testing.factories import NOON

URL = "https://crm.example"
HALF_AN_HOUR = timedelta(minutes=30)


class Desk:
    """Gives out numbered tokens, as a token endpoint would."""

    def __init__(
        self, clock: VirtualClock, *, lasts: timedelta | None = HALF_AN_HOUR, base_url: str | None = None
    ) -> None:
        self.count = 0
        self._clock = clock
        self._lasts = lasts
        self._base_url = base_url

    def fetch(self) -> Token:
        """Give the next one."""
        self.count += 1
        now = self._clock.now()
        return Token(
            value=SecretStr(f"token-number-{self.count}"),
            issued_at=now,
            expires_at=now + self._lasts if self._lasts else None,
            base_url=self._base_url,
        )


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(NOON)


def authorization(source: TokenSource) -> str:
    """Give the header that a request would carry."""
    return source.sign().headers["Authorization"]


def test_a_token_is_fetched_once_and_kept(clock: VirtualClock) -> None:
    """One sign-in serves all requests until the token ends."""
    desk = Desk(clock)
    source = TokenSource(desk.fetch, clock)
    clock_tokens = [authorization(source) for _ in range(3)]

    assert (["Bearer token-number-1"] * 3, 1) == (clock_tokens, desk.count)


@pytest.mark.parametrize(("minutes", "expected"), [(28, 1), (29.5, 2), (40, 2)])
def test_a_token_is_renewed_shortly_before_it_ends(clock: VirtualClock, minutes: float, expected: int) -> None:
    """Refresh goes by the clock: an answer of 401 is no valid sign that one is due ("Manage OAuth access tokens")."""
    source = TokenSource(Desk(clock).fetch, clock)
    source.sign()
    clock.sleep(minutes * 60)

    assert f"Bearer token-number-{expected}" == authorization(source)


def test_a_short_token_is_not_renewed_at_every_request(clock: VirtualClock) -> None:
    """A token that lives for less than a minute would otherwise be old when it is born."""
    desk = Desk(clock, lasts=timedelta(seconds=50))
    source = TokenSource(desk.fetch, clock)
    source.sign()
    clock.sleep(40)
    source.sign()

    assert 1 == desk.count


def test_many_threads_sign_in_once(clock: VirtualClock) -> None:
    """Eight readers that start together ask for one token; a rotated refresh token would be lost otherwise."""
    desk = Desk(clock)
    source = TokenSource(desk.fetch, clock)
    threads = [threading.Thread(target=source.sign) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 1 == desk.count


@pytest.mark.parametrize("wanted", ["sign", "renew"])
def test_a_sign_in_that_fails_is_not_tried_again_by_each_thread(clock: VirtualClock, wanted: str) -> None:
    """Eight readers that wait for one sign-in fail with it: many refused ones in a row lock a user out."""
    waiting, failed = threading.Barrier(8), []
    asked, desk = [0], Desk(clock, lasts=None)

    def refuse() -> Token:
        asked[0] += 1
        time.sleep(0.2)  # so that the others come meanwhile
        raise AuthenticationError("no", advice="Sign in anew.")

    source = TokenSource(lambda: refuse() if desk.count else desk.fetch(), clock)
    used = source.sign() if wanted == "renew" else None
    desk.count = 1

    def sign() -> None:
        waiting.wait()
        try:
            source.renew(used) if used else source.sign()
        except AuthenticationError as error:
            failed.append(error.advice)

    threads = [threading.Thread(target=sign) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (1, ["Sign in anew."] * 8) == (asked[0], failed)
    with pytest.raises(AuthenticationError):  # who comes later asks again: it may have been mended
        source.sign() if used is None else source.renew(used)
    assert 2 == asked[0]


def test_a_session_that_another_thread_renewed_is_not_renewed_again(clock: VirtualClock) -> None:
    """Of two requests that come back with an expired session, the second one takes the first one's new token."""
    desk = Desk(clock, lasts=None)
    source = TokenSource(desk.fetch, clock)
    used = source.sign()

    assert (True, True) == (source.renew(used), source.renew(used))
    assert 2 == desk.count


def test_a_fetched_token_is_struck_out_of_what_is_shown(clock: VirtualClock) -> None:
    """Nobody wrote this secret into a file, and still it must not reach a log."""
    source = TokenSource(Desk(clock).fetch, clock)
    source.sign()

    assert "refused: *****" == strike("refused: token-number-1")
    assert "token-number-1" not in f"{source.token()!r} {source.sign()!r}"


# ── In the client ───────────────────────────────────────────────────────────────────────────────────────


def expired(reply: Reply) -> bool:
    """Know an expired session from its look-alikes."""
    return reply.status == 401 and reply.body == {"code": "EXPIRED"}


@pytest.fixture
def desk(clock: VirtualClock) -> Desk:
    return Desk(clock, lasts=None)


@pytest.fixture
def client(clock: VirtualClock, desk: Desk) -> Iterator[HttpClient]:
    """Give a client that signs in."""
    opened = HttpClient(
        connection="sf",
        base_url=URL,
        clock=clock,
        budget=Budget((), clock),
        dialect=Dialect(judge=lambda _reply: None, expired=expired),
        signer=TokenSource(desk.fetch, clock),
    )
    yield opened
    opened.close()


@respx.mock
@pytest.mark.parametrize("method", ["read", "write"])
def test_an_expired_session_is_renewed_once_and_the_request_repeated(
    client: HttpClient, desk: Desk, method: str
) -> None:
    """It was turned away at the door, so even a write may go out again."""
    route = respx.post(f"{URL}/deals")
    route.side_effect = [httpx.Response(401, json={"code": "EXPIRED"}), httpx.Response(200, json={"ok": True})]

    assert {"ok": True} == getattr(client, method)("POST", "/deals", body={}).body
    assert ["Bearer token-number-1", "Bearer token-number-2"] == [
        call.request.headers["authorization"] for call in route.calls
    ]
    assert 2 == desk.count


@respx.mock
def test_a_session_that_is_expired_again_is_refused(client: HttpClient, desk: Desk) -> None:
    """A client that signs in for ever hangs (simple-salesforce PR 685)."""
    route = respx.get(f"{URL}/deals").respond(401, json={"code": "EXPIRED"})

    with pytest.raises(AuthenticationError):
        client.read("GET", "/deals")
    assert (2, 2) == (route.call_count, desk.count)


@respx.mock
def test_a_look_alike_is_not_renewed(client: HttpClient, desk: Desk) -> None:
    """Signing in again would not help, so it is not tried."""
    route = respx.get(f"{URL}/deals").respond(401, json={"code": "NOT_ALLOWED_HERE"})

    with pytest.raises(AuthenticationError):
        client.read("GET", "/deals")
    assert (1, 1) == (route.call_count, desk.count)


@respx.mock
def test_a_token_that_ran_out_while_a_request_waited_is_not_sent(clock: VirtualClock) -> None:
    """It is looked at when the request goes out, not when it began to wait for its turn."""
    route = respx.get(f"{URL}/deals").respond(json=[])
    client = HttpClient(
        connection="hs",
        base_url=URL,
        clock=clock,
        budget=Budget([Rate(1, 50)], clock, share=1),
        dialect=Dialect(judge=lambda _reply: None),
        signer=TokenSource(Desk(clock, lasts=timedelta(seconds=100)).fetch, clock),
    )
    for _ in range(3):
        client.read("GET", "/deals")
    client.close()

    assert [1, 1, 2] == [int(call.request.headers["authorization"][-1]) for call in route.calls]


@respx.mock
def test_requests_go_where_the_sign_in_says(clock: VirtualClock) -> None:
    """An account's own host is only known from the token's answer."""
    route = respx.get("https://acme.crm.example/api/deals").respond(json=[])
    source = TokenSource(Desk(clock, base_url="https://acme.crm.example/").fetch, clock)
    client = HttpClient(
        connection="sf",
        base_url=URL,
        clock=clock,
        budget=Budget((), clock),
        dialect=Dialect(judge=lambda _reply: None),
        signer=source,
    )
    client.read("GET", "/api/deals")
    client.close()

    assert route.called


@respx.mock
@pytest.mark.parametrize(
    ("base_url", "path", "error"),
    [
        ("http://acme.crm.example", "/api/deals", AuthenticationError),
        (None, "https://elsewhere.example/api/deals", RefusedError),
        ("https://acme.crm.example", "/HTTPS://elsewhere.example/api/deals", RefusedError),
    ],
)
def test_a_credential_goes_nowhere_else(
    clock: VirtualClock, base_url: str | None, path: str, error: type[CrmbridgeError]
) -> None:
    """Not over a network unencrypted, nor to the host that the address of a next page names."""
    respx.route().respond(json={})
    client = HttpClient(
        connection="sf",
        base_url=URL,
        clock=clock,
        budget=Budget((), clock),
        dialect=Dialect(judge=lambda _reply: None),
        signer=TokenSource(Desk(clock, base_url=base_url).fetch, clock),
    )
    with pytest.raises(error, match="sf: "):
        client.read("GET", path)
    client.close()

    assert 0 == respx.calls.call_count


def test_a_static_token_can_stand_in_any_header() -> None:
    """Pipedrive's goes into a header of its own."""
    token = StaticToken(SecretStr("abc"), header="x-api-token", form="{}")

    assert {"x-api-token": "abc"} == token.sign().headers
    assert token.renew(token.sign()) is False


@pytest.mark.parametrize(
    ("pasted", "wrong"),
    [
        ("Bearer abc", "is a blank or a line break"),
        ("ab\nc", "is a blank or a line break"),
        ('"abc"', "are quotes"),
        ("TOKEN='abc'", "are quotes"),
        ("abc…", "is a character that no token has"),
        ("\ufeffabc", "is a character that no token has"),
        ("ab\x7fc", "is a character that no token has"),
    ],
)
def test_what_pasting_leaves_around_a_token_is_told(pasted: str, wrong: str) -> None:
    """Some of it can't be sent, and of the rest a CRM only says that it knows no such token."""
    with pytest.raises(ConfigurationError) as caught:
        StaticToken(SecretStr(pasted))

    assert f"The token can't be right: there {wrong} in it" == caught.value.message
    assert "put the token alone" in caught.value.advice


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="\"'"), min_size=1))
def test_any_other_token_is_taken_as_it_is(token: str) -> None:
    """What a CRM's tokens look like is its own affair."""
    assert {"Authorization": f"Bearer {token}"} == StaticToken(SecretStr(token)).sign().headers


# ── The token endpoint ──────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def endpoint(clock: VirtualClock) -> TokenEndpoint:
    return TokenEndpoint(connection="hs", url=f"{URL}/oauth/token", clock=clock, advice="Sign in again.")


@respx.mock
def test_a_grant_is_sent_as_a_form(endpoint: TokenEndpoint) -> None:
    """Client id and secret go in the body or in a header, as the vendor wants them; never in the address."""
    route = respx.post(f"{URL}/oauth/token").respond(json={"access_token": "new", "expires_in": 1800})
    answer = endpoint.exchange({"grant_type": "refresh_token", "scope": "a b"}, basic=("me", SecretStr("s:cret")))
    request = route.calls.last.request

    assert {"access_token": "new", "expires_in": 1800} == answer
    assert b"grant_type=refresh_token&scope=a+b" == request.content
    assert "application/x-www-form-urlencoded" == request.headers["content-type"]
    assert "Basic bWU6czpjcmV0" == request.headers["authorization"]


@respx.mock
@pytest.mark.parametrize("status", [302, 400, 401, 403])
def test_a_refused_grant_says_why_and_what_to_do(endpoint: TokenEndpoint, status: int) -> None:
    """RFC 6749 §5.2: an error code and perhaps a description."""
    body = {"error": "invalid_grant", "error_description": "expired access/refresh token"}
    respx.post(f"{URL}/oauth/token").respond(status, json=body)

    with pytest.raises(AuthenticationError, match=r"hs: .*invalid_grant expired") as caught:
        endpoint.exchange({"grant_type": "refresh_token"})
    assert "Sign in again." == caught.value.advice


@respx.mock
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            httpx.Response(400, json={"message": "missing\nrefresh token"}),
            "(400): missing refresh token",
        ),
        (httpx.Response(400, json={"error": 7}), "(400): 7"),
        (httpx.Response(400, json={"error": {"code": 7}}), "(400): {'code': 7}"),
        (httpx.Response(401, text="no\tclient"), "(401): no client"),
        (httpx.Response(403, json=["no client"]), '(403): ["no client"]'),
    ],
    ids=str,
)
def test_a_refusal_in_another_form_is_shown_as_it_is(
    endpoint: TokenEndpoint, answer: httpx.Response, words: str
) -> None:
    """In one line; whatever it is, what was sent is wrong."""
    respx.post(f"{URL}/oauth/token").mock(return_value=answer)

    with pytest.raises(AuthenticationError) as caught:
        endpoint.exchange({"grant_type": "refresh_token"})
    assert f"hs: /oauth/token: signing in was refused {words}" == caught.value.message


@respx.mock
def test_a_secret_that_a_refusal_repeats_goes_no_further(endpoint: TokenEndpoint) -> None:
    """Not even as it stands in the header."""
    respx.post(f"{URL}/oauth/token").respond(401, json={"error": "no client bWU6czpjcmV0"})

    with pytest.raises(AuthenticationError) as caught:
        endpoint.exchange({"grant_type": "refresh_token"}, basic=("me", SecretStr("s:cret")))
    assert "bWU6czpjcmV0" not in caught.value.message


@respx.mock
@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(503),
        httpx.Response(500, json={"error": "invalid_grant"}),
        httpx.Response(429),
        httpx.Response(302, headers={"location": "https://status.example/maintenance"}),
        httpx.Response(408, html="<html>too slow</html>"),
        httpx.Response(200, html="<html>wait</html>"),
        httpx.Response(200, json={"token_type": "bearer"}),
        httpx.Response(200, json={"access_token": ""}),
        httpx.Response(200, json={"access_token": 7}),
        httpx.Response(200, json=["new"]),
        httpx.Response(400, json={"error": "temporarily_unavailable"}),
        httpx.Response(400, json={"error": "unknown_error", "error_description": "retry your request"}),
        httpx.ReadTimeout("slow"),
        httpx.ConnectError("no"),
    ],
    ids=str,
)
def test_an_endpoint_out_of_order_is_for_later(
    endpoint: TokenEndpoint, answer: httpx.Response | httpx.TransportError
) -> None:
    """Nothing is wrong with the credential, so nobody is told to change it."""
    respx.post(f"{URL}/oauth/token").mock(side_effect=[answer] * 9)

    with pytest.raises(RetryLaterError, match="hs: "):
        endpoint.exchange({"grant_type": "refresh_token"})
