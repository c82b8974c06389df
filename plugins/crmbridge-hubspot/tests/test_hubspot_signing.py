"""Signing in by a token that stays, and as an app: when a token is renewed, what is kept, what is told of it."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
import respx
from pydantic import ValidationError

from crmbridge.errors import AuthenticationError, ConfigurationError, RetryLaterError
from crmbridge.model.records import Kind, Ref
from crmbridge.ports import Adapter
from crmbridge.sandbox import VirtualClock
from crmbridge.testing.factories import NOON
from crmbridge_hubspot.settings import HubSpotSettings
from crmbridge_hubspot.signing import NEEDED

from .accounts import Answer, Opener

READ = "/crm/objects/2026-03/companies/batch/read"
TOKEN = "/oauth/2026-03/token"


@pytest.fixture
def app(tmp_path: Path) -> dict[str, Any]:
    """Give the settings of a connection that signs in as an app."""
    (tmp_path / "secret").write_text("app-secret-in-a-test")
    (tmp_path / "refresh").write_text("refresh-in-a-test")
    files = {
        name: {"file": str(tmp_path / file)}
        for name, file in (("client_secret", "secret"), ("refresh_token", "refresh"))
    }
    return {"token": None, "oauth": {"client_id": "app-7", **files}}


def granted(number: int, **more: Any) -> httpx.Response:
    """Answer a request for a token."""
    body = {"access_token": f"access-{number}", "refresh_token": "refresh-in-a-test", "expires_in": 1800, "hub_id": 42}
    return httpx.Response(200, json={**body, "token_type": "bearer", **more})


def read_one(adapter: Adapter) -> None:
    """Send one request."""
    adapter.read([Ref("hs", Kind.COMPANY, "1")])


@pytest.fixture
def reads(hubspot: respx.MockRouter) -> respx.Route:
    """Answer reads."""
    return hubspot.post(path=READ).respond(json={"results": []})


def bearers(route: respx.Route) -> list[str]:
    """Give the access tokens that requests came with."""
    return [call.request.headers["authorization"] for call in route.calls]


@pytest.mark.parametrize("version", ["2026-03", "2026-09", "v3"])
def test_a_refresh_is_a_form_at_the_versions_path(
    router: respx.MockRouter, answer_account: Answer, open_adapter: Opener, app: dict[str, Any], version: str
) -> None:
    """Secrets go in the body, form-encoded, never in the URL ("Manage OAuth access tokens")."""
    answer_account(router, version)
    router.post(path__regex=r".*/batch/read").respond(json={"results": []})
    route = router.post(path=f"/oauth/{version}/token").mock(return_value=granted(1))
    read_one(open_adapter(**app, api_version=version))
    request = route.calls.last.request

    assert {
        "grant_type": "refresh_token",
        "client_id": "app-7",
        "client_secret": "app-secret-in-a-test",
        "refresh_token": "refresh-in-a-test",
    } == dict(parse_qsl(request.content.decode()))
    assert b"" == request.url.query


def test_a_token_is_renewed_by_the_clock(
    hubspot: respx.MockRouter, reads: respx.Route, open_adapter: Opener, app: dict[str, Any], clock: VirtualClock
) -> None:
    """An access token lasts half an hour and is renewed a little early; HubSpot wants no 401 to be waited for."""
    token = hubspot.post(path=TOKEN)
    token.side_effect = [granted(1), granted(2)]
    adapter = open_adapter(**app)
    read_one(adapter)
    clock.advance(timedelta(minutes=28))
    read_one(adapter)
    clock.advance(timedelta(minutes=1, seconds=30))
    read_one(adapter)

    assert ["Bearer access-1", "Bearer access-1", "Bearer access-2"] == bearers(reads)


@pytest.mark.parametrize("lasts", [10**30, -5, 0, 0.5, "soon", None], ids=str)
def test_nonsense_about_how_long_a_token_lasts_breaks_nothing(
    hubspot: respx.MockRouter, reads: respx.Route, open_adapter: Opener, app: dict[str, Any], lasts: object
) -> None:
    """A figure that no time can be moved by is passed over, and the usual half hour counts."""
    hubspot.post(path=TOKEN).mock(return_value=granted(1, expires_in=lasts))
    read_one(open_adapter(**app))

    assert reads.called


def test_a_new_refresh_token_is_kept_before_it_is_needed(
    hubspot: respx.MockRouter, reads: respx.Route, open_adapter: Opener, app: dict[str, Any], clock: VirtualClock
) -> None:
    """Whether refresh tokens rotate is not documented: what comes back is stored before the access token is used."""
    file = Path(app["oauth"]["refresh_token"]["file"])
    token = hubspot.post(path=TOKEN)
    token.side_effect = [granted(1, refresh_token="refresh-2-in-a-test"), granted(2)]
    stored: list[str] = []
    reads.mock(
        side_effect=lambda _: stored.append(file.read_text().strip()) or httpx.Response(200, json={"results": []})
    )
    adapter = open_adapter(**app)
    read_one(adapter)
    clock.advance(timedelta(hours=1))
    read_one(adapter)

    assert "refresh-2-in-a-test" == stored[0]
    assert "refresh-2-in-a-test" == dict(parse_qsl(token.calls.last.request.content.decode()))["refresh_token"]


def test_a_new_refresh_token_that_can_not_be_kept_ends_the_run(
    hubspot: respx.MockRouter,
    reads: respx.Route,
    open_adapter: Opener,
    app: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A secret from the environment can't be written back: nothing is sent with a token whose successor is lost."""
    monkeypatch.setenv("HUBSPOT_REFRESH", "refresh-in-a-test")
    hubspot.post(path=TOKEN).mock(return_value=granted(1, refresh_token="refresh-2-in-a-test"))
    adapter = open_adapter(token=None, oauth={**app["oauth"], "refresh_token": {"env": "HUBSPOT_REFRESH"}})

    with pytest.raises(ConfigurationError):
        read_one(adapter)
    assert not reads.called


def test_an_expired_token_is_renewed_once(hubspot: respx.MockRouter, open_adapter: Opener, app: dict[str, Any]) -> None:
    """401 with EXPIRED_AUTHENTICATION is mended by a new token; a second one is final ("Error handling")."""
    token = hubspot.post(path=TOKEN)
    token.side_effect = [granted(1), granted(2)]
    expired = httpx.Response(401, json={"status": "error", "category": "EXPIRED_AUTHENTICATION", "message": "expired"})
    route = hubspot.post(path=READ)
    route.side_effect = [expired, httpx.Response(200, json={"results": []}), expired, expired]
    adapter = open_adapter(**app)
    read_one(adapter)
    token.side_effect = [granted(3)]
    with pytest.raises(AuthenticationError):
        read_one(adapter)

    assert [f"Bearer access-{number}" for number in (1, 2, 2, 3)] == bearers(route)


@pytest.mark.parametrize("body", [{"category": "INVALID_AUTHENTICATION"}, {}, None])
def test_another_401_renews_nothing(
    hubspot: respx.MockRouter, open_adapter: Opener, app: dict[str, Any], body: dict[str, str] | None
) -> None:
    """HubSpot says that a 401 is no sign that a refresh is due ("Manage OAuth access tokens")."""
    token = hubspot.post(path=TOKEN).mock(return_value=granted(1))
    route = hubspot.post(path=READ).mock(return_value=httpx.Response(401, json=body))

    with pytest.raises(AuthenticationError, match="401"):
        read_one(open_adapter(**app))
    assert (1, 1) == (token.call_count, route.call_count)


def test_a_fixed_token_is_never_renewed(hubspot: respx.MockRouter, open_adapter: Opener, token: str) -> None:
    """A service key that was rotated or revoked says so, with the fix, and nothing is tried again."""
    body = {"status": "error", "category": "EXPIRED_AUTHENTICATION", "message": f"The token {token} expired"}
    route = hubspot.post(path=READ).mock(return_value=httpx.Response(401, json=body))

    with pytest.raises(AuthenticationError) as caught:
        read_one(open_adapter())
    assert 1 == route.call_count
    assert "service key" in caught.value.advice
    assert token not in caught.value.message


def test_a_refused_refresh_token_says_how_to_mend_it(
    hubspot: respx.MockRouter, open_adapter: Opener, app: dict[str, Any]
) -> None:
    """An app that was uninstalled can't sign in (RFC 6749, invalid_grant): exit 4, and what to do."""
    body = {"status": "BAD_REFRESH_TOKEN", "message": "missing or invalid refresh token"}
    hubspot.post(path=TOKEN).respond(400, json=body)

    with pytest.raises(AuthenticationError, match="invalid refresh token") as caught:
        read_one(open_adapter(**app))
    assert "Install the app" in caught.value.advice


@pytest.mark.parametrize("spoken", [["oauth", *NEEDED, "tickets"], " ".join(["oauth", *NEEDED, "tickets"])])
def test_scopes_are_told(
    hubspot: respx.MockRouter, open_adapter: Opener, app: dict[str, Any], spoken: list[str] | str
) -> None:
    """What the token may do is asked of the introspection, by form; `oauth` itself opens nothing."""
    hubspot.post(path=TOKEN).mock(return_value=granted(1, user_id=9))
    name = "scopes" if isinstance(spoken, list) else "scope"
    route = hubspot.post(path=f"{TOKEN}/introspect").respond(json={"active": True, name: spoken})
    credential = open_adapter(**app).describe().credential

    assert credential is not None
    assert ("OAuth", "9") == (credential.way, credential.user)
    assert (None, None) == (credential.issued_at, credential.expires_at)  # of the access token they say nothing
    assert (frozenset(), frozenset({"tickets"})) == (credential.missing, credential.superfluous)
    assert "access-1" == dict(parse_qsl(route.calls.last.request.content.decode()))["token"]


@pytest.mark.parametrize("answer", [httpx.Response(404), httpx.Response(500), httpx.ReadTimeout("late")])
def test_scopes_come_with_the_token_where_they_can_not_be_asked_for(
    hubspot: respx.MockRouter, open_adapter: Opener, app: dict[str, Any], answer: httpx.Response | Exception
) -> None:
    """An account without the introspection, or with one that is out of order, is described all the same."""
    hubspot.post(path=TOKEN).mock(return_value=granted(1, scopes=["crm.objects.deals.read"]))
    hubspot.post(path=f"{TOKEN}/introspect").mock(side_effect=[answer])
    credential = open_adapter(**app).describe().credential

    assert credential is not None
    assert frozenset({"crm.objects.deals.read"}) == credential.scopes
    assert "crm.objects.owners.read" in credential.missing
    assert {"sales-email-read"} == credential.reading({Kind.ACTIVITY}).missing - credential.missing


def test_a_fixed_token_does_not_tell_its_scopes(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """HubSpot has no documented way to ask a service key for its scopes."""
    credential = open_adapter().describe().credential

    assert credential is not None
    assert (None, frozenset()) == (credential.scopes, credential.missing)
    assert "service key" in credential.way


@pytest.mark.parametrize(
    ("version", "until"), [("2026-03", date(2027, 9, 1)), ("2026-09", date(2028, 3, 8)), ("v3", date(2027, 3, 30))]
)
def test_the_end_of_a_versions_support_is_told(
    router: respx.MockRouter, answer_account: Answer, open_adapter: Opener, version: str, until: date
) -> None:
    """A dated version has 18 months; v4's associations, which v3 needs, end first ("Legacy APIs and legacy apps")."""
    answer_account(router, version)

    assert until == open_adapter(api_version=version).describe().api_supported_until


@pytest.mark.parametrize(
    "ways",
    [
        {},
        {
            "token": {"env": "A"},
            "oauth": {"client_id": "a", "client_secret": {"env": "B"}, "refresh_token": {"env": "C"}},
        },
    ],
)
def test_there_is_exactly_one_way_to_sign_in(ways: dict[str, Any]) -> None:
    """Neither or both would leave it open which credential counts."""
    with pytest.raises(ValidationError, match="exactly one"):
        HubSpotSettings.model_validate(ways)


def test_a_burst_limit_in_the_headers_is_heeded(
    hubspot: respx.MockRouter, reads: respx.Route, open_adapter: Opener, clock: VirtualClock
) -> None:
    """What others use of the account's ten seconds is left to them (hubspot-api-nodejs#416)."""
    rates = {"Max": "100", "Remaining": "11", "Interval-Milliseconds": "10000"}
    headers = {f"X-HubSpot-RateLimit-{name}": value for name, value in rates.items()}
    reads.respond(json={"results": []}, headers=headers)
    adapter = open_adapter()
    for _ in range(30):
        read_one(adapter)

    assert clock.now() >= NOON + timedelta(seconds=10)


def test_a_days_share_is_not_overdrawn(
    hubspot: respx.MockRouter, reads: respx.Route, open_adapter: Opener, clock: VirtualClock
) -> None:
    """When the day's calls are nearly used up, by us or by others, the run ends with what is left ("API usage")."""
    headers = {"X-HubSpot-RateLimit-Daily": "250000", "X-HubSpot-RateLimit-Daily-Remaining": "10"}
    reads.respond(json={"results": []}, headers=headers)
    adapter = open_adapter()

    read_one(adapter)

    with pytest.raises(RetryLaterError, match="share"):
        list(map(read_one, [adapter] * 60))
    assert clock.now() < NOON + timedelta(minutes=1)


@pytest.mark.usefixtures("reads")
@pytest.mark.parametrize(("way", "most"), [("token", 80), ("oauth", 88)])
def test_an_app_may_send_a_bit_more(
    hubspot: respx.MockRouter, open_adapter: Opener, app: dict[str, Any], clock: VirtualClock, *, way: str, most: int
) -> None:
    """Ten seconds have 100 requests for a token, and 110 for an app ("API usage guidelines"); we take four fifths."""
    hubspot.post(path=TOKEN).mock(return_value=granted(1))
    adapter = open_adapter(**(app if way == "oauth" else {}))
    read_one(adapter)
    while clock.now() == NOON:
        read_one(adapter)

    counted = [call for call in hubspot.calls if call.request.url.path != TOKEN]  # the account's set-up among them
    assert most == len(counted) - 1
