"""The sandbox signs apps in by OAuth, counts requests and gets into trouble as HubSpot does."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from crmbridge.ports import AdapterContext
from crmbridge.sandbox import SandboxOptions, Served, VirtualClock, serve
from crmbridge.testing.factories import NOON
from crmbridge_hubspot import plugin
from crmbridge_hubspot.sandbox import build
from crmbridge_hubspot.settings import HubSpotSettings

from .accounts import DEALS

TOKEN = "/oauth/2026-03/token"


def ask(client: httpx.Client, state: Any, path: str = TOKEN, **form: str) -> httpx.Response:
    """Send a form with the app's id and secret."""
    app = {"client_id": state.oauth.client_id, "client_secret": state.oauth.client_secret}
    return client.post(path, data={**app, **form})


def renew(client: httpx.Client, state: Any, token: str, path: str = TOKEN) -> httpx.Response:
    """Ask for an access token by a refresh token."""
    return ask(client, state, path, grant_type="refresh_token", refresh_token=token)


def list_deals(client: httpx.Client, token: str) -> httpx.Response:
    """List deals with a token."""
    return client.get(DEALS, headers={"Authorization": f"Bearer {token}"})


# ── OAuth ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("version", ["v1", "v3", "2026-03", "2026-09"])
def test_a_refresh_token_gives_access_for_half_an_hour(
    client: httpx.Client, state: Any, clock: VirtualClock, version: str
) -> None:
    """1,800 seconds by the sandbox's clock, a token of more than 300 characters ("Manage OAuth access tokens")."""
    tokens = renew(client, state, state.oauth.refresh_token, f"/oauth/{version}/token").json()
    answers = [list_deals(client, tokens["access_token"]).status_code]
    clock.advance(timedelta(seconds=1799))
    answers.append(list_deals(client, tokens["access_token"]).status_code)
    clock.advance(timedelta(seconds=1))
    late = list_deals(client, tokens["access_token"])

    assert (1800, "bearer", 26190001) == (tokens["expires_in"], tokens["token_type"], tokens["hub_id"])
    assert len(tokens["access_token"]) > 300
    assert [200, 200] == answers
    assert (401, "EXPIRED_AUTHENTICATION") == (late.status_code, late.json()["category"])


def test_refresh_tokens_rotate_when_they_are_told_to(client: httpx.Client, state: Any) -> None:
    """Whether they ever do is not documented: both ways are here."""
    first = state.oauth.refresh_token
    kept = renew(client, state, first).json()["refresh_token"]
    state.oauth.rotates = True
    second = renew(client, state, first).json()["refresh_token"]

    assert first == kept
    assert first != second
    assert (400, "BAD_REFRESH_TOKEN") == refusal(renew(client, state, first))
    assert 200 == renew(client, state, second).status_code


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """Give an answer's status and what its body calls it."""
    return answer.status_code, answer.json()["status"]


def test_a_code_is_good_for_one_exchange(client: httpx.Client, state: Any) -> None:
    """And only with the address it was given to."""
    code, grant = state.oauth.make_code(), {"grant_type": "authorization_code"}
    elsewhere = ask(client, state, code=code, redirect_uri="https://elsewhere.example", **grant)
    answers = [ask(client, state, code=code, redirect_uri=state.oauth.redirect_uri, **grant) for _ in range(2)]

    assert (400, "BAD_REDIRECT_URI") == refusal(elsewhere)
    assert [200, 400] == [answer.status_code for answer in answers]
    assert 200 == list_deals(client, answers[0].json()["access_token"]).status_code


def test_the_app_proves_itself_in_the_body(client: httpx.Client, state: Any) -> None:
    """A wrong secret and one in the address are refused; so is a body that is not a form."""
    form = {"grant_type": "refresh_token", "refresh_token": state.oauth.refresh_token}
    app = {"client_id": state.oauth.client_id, "client_secret": state.oauth.client_secret}

    assert (400, "BAD_CLIENT_SECRET") == refusal(client.post(TOKEN, data={**form, **app, "client_secret": "no"}))
    assert (400, "BAD_REQUEST") == refusal(client.post(TOKEN, params=app, data={**form, **app}))
    assert 415 == client.post(TOKEN, json={**form, **app}).status_code


def test_tokens_can_be_looked_at_and_ended(client: httpx.Client, state: Any) -> None:
    """Introspection tells scopes and the time left; when the refresh token is revoked, its access ends at once."""
    access = renew(client, state, state.oauth.refresh_token).json()["access_token"]
    about = ask(client, state, f"{TOKEN}/introspect", token=access).json()
    ask(client, state, f"{TOKEN}/revoke", token=state.oauth.refresh_token)

    assert (True, 1800, sorted(state.oauth.scopes)) == (about["active"], about["expires_in"], about["scopes"])
    assert {"active": False} == ask(client, state, f"{TOKEN}/introspect", token=access).json()
    assert (401, "INVALID_AUTHENTICATION") == (
        list_deals(client, access).status_code,
        list_deals(client, access).json()["category"],
    )
    assert (400, "BAD_REFRESH_TOKEN") == refusal(renew(client, state, state.oauth.refresh_token))


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", DEALS, "crm.objects.deals.read"),
        ("POST", f"{DEALS}/search", "crm.objects.deals.read"),
        ("POST", DEALS, "crm.objects.deals.write"),
        ("POST", "/crm/objects/2026-03/tasks", "crm.objects.contacts.write"),
        ("POST", "/crm/objects/2026-03/notes/batch/read", "crm.objects.contacts.read"),
        ("POST", "/crm/objects/2026-03/emails/search", "crm.objects.contacts.read"),
        ("GET", "/crm/objects/2026-03/emails", "sales-email-read"),
        ("GET", "/crm/owners/2026-03", "crm.objects.owners.read"),
        ("GET", "/crm/pipelines/2026-03/deals", "crm.schemas.deals.read"),
        ("POST", "/crm/v3/properties/deals", "crm.schemas.deals.write"),
    ],
)
def test_a_missing_scope_is_named(client: httpx.Client, state: Any, method: str, path: str, scope: str) -> None:
    """403 with the scope; tasks and notes go with contacts ("Tasks", "Notes"), e-mails take one more ("Emails")."""
    body = None if method == "GET" else {}
    state.oauth.scopes -= {scope}
    answer = client.request(method, path, json=body)

    assert (403, "MISSING_SCOPES") == (answer.status_code, answer.json()["category"])
    assert [scope] == answer.json()["errors"][0]["context"]["requiredGranularScopes"]


# ── Limits and trouble ──────────────────────────────────────────────────────────────────────────────────


def test_a_burst_is_limited_and_told_in_headers(client: httpx.Client, state: Any, clock: VirtualClock) -> None:
    """The window rolls over ten seconds, and another app of the account can use it up ("API usage guidelines")."""
    first = client.get(DEALS)
    for _ in range(98):
        state.limits.burst.take(clock.now())
    last, over = client.get(DEALS), client.get(DEALS)
    clock.advance(timedelta(seconds=10))

    assert ("100", "99", "10000") == tuple(
        first.headers[f"x-hubspot-ratelimit-{name}"] for name in ("max", "remaining", "interval-milliseconds")
    )
    assert "0" == last.headers["x-hubspot-ratelimit-remaining"]
    assert (429, "TEN_SECONDLY_ROLLING") == (over.status_code, over.json()["policyName"])
    assert 200 == client.get(DEALS).status_code


def test_a_bigger_account_has_a_bigger_burst(client: httpx.Client, state: Any) -> None:
    """190 from Professional up."""
    state.limits.burst.requests = 190

    assert "190" == client.get(DEALS).headers["x-hubspot-ratelimit-max"]


def test_a_day_ends_at_the_accounts_midnight(client: httpx.Client, state: Any, clock: VirtualClock) -> None:
    """Searches count for the day too; then everything is 429 until midnight in the account's time zone."""
    state.limits.day.requests = 2
    client.get(DEALS)
    searched = client.post(f"{DEALS}/search", json={})
    over = client.get(DEALS)
    midnight = (clock.now().astimezone(ZoneInfo("Europe/Berlin")) + timedelta(days=1)).replace(hour=0, minute=0)
    clock.advance(midnight - clock.now() - timedelta(seconds=1))
    before = client.get(DEALS).status_code
    clock.advance(timedelta(seconds=1))

    assert ("2", "0") == (
        searched.headers["x-hubspot-ratelimit-daily"],
        searched.headers["x-hubspot-ratelimit-daily-remaining"],
    )
    assert (429, "DAILY") == (over.status_code, over.json()["policyName"])
    assert (429, 200) == (before, client.get(DEALS).status_code)


def test_a_spent_day_can_be_planned(client: httpx.Client, served: Served) -> None:
    """The fault `limit_day` answers as HubSpot does when the day is used up."""
    served.sandbox.faults.plan("limit_day")
    over = client.get(DEALS)

    assert (429, "DAILY") == (over.status_code, over.json()["policyName"])
    assert "retry-after" not in over.headers


def test_a_limited_search_is_answered_as_recorded(client: httpx.Client) -> None:
    """The daily headers are on the 429 too; there is no policy name and no Retry-After."""
    answers = [client.post(f"{DEALS}/search", json={}) for _ in range(6)]
    body = answers[-1].json()

    assert (429, "You have reached your secondly limit.") == (answers[-1].status_code, body["message"])
    assert {"status", "message", "correlationId", "category"} == set(body)
    assert "x-hubspot-ratelimit-daily-remaining" in answers[-1].headers
    assert {"retry-after", "x-hubspot-ratelimit-max"}.isdisjoint(answers[-1].headers)


def test_calls_for_tokens_carry_no_limits(client: httpx.Client, state: Any) -> None:
    """The daily pair is missing there."""
    headers = renew(client, state, state.oauth.refresh_token).headers

    assert [] == [name for name in headers if name.startswith("x-hubspot-ratelimit")]


def test_without_limits_there_are_no_headers_to_steer_by(clock: VirtualClock) -> None:
    """An app that steers by the headers then goes as fast as it can."""
    with serve(build(SandboxOptions(deals=3, clock=clock, limit="none"))) as served:
        answers = [list_deals_at(served) for _ in range(101)]

    assert {200} == {answer.status_code for answer in answers}
    assert [] == [name for name in answers[0].headers if name.startswith("x-hubspot-ratelimit")]


def list_deals_at(served: Served) -> httpx.Response:
    """List deals of a sandbox."""
    return httpx.get(f"{served.url}{DEALS}", headers={"Authorization": f"Bearer {served.token}"})


@pytest.mark.parametrize(
    ("status", "retry_after", "kind"),
    [
        (423, None, "application/json"),
        (477, 3600, "application/json"),
        (502, None, "text/html"),
        (524, None, "text/html"),
    ],
)
def test_trouble_of_hubspots_own(
    client: httpx.Client, state: Any, status: int, retry_after: int | None, kind: str
) -> None:
    """Locks, moves between data centres and gateways; nothing is carried out, and the next try works."""
    deal = state.deal_ids()[0]
    state.trouble.plan(status, method="PATCH", path="/deals", retry_after=retry_after)
    change = {"properties": {"pains": "Changed"}}
    listed = client.get(DEALS)
    answers = [client.patch(f"{DEALS}/{deal}", json=change) for _ in range(2)]

    assert [200, status, 200] == [answer.status_code for answer in (listed, *answers)]
    assert answers[0].headers["content-type"].startswith(kind)
    assert (None if retry_after is None else str(retry_after)) == answers[0].headers.get("retry-after")
    assert ["Changed"] == [version.value for version in state.get("deals", deal).history["pains"][-1:]]


def test_times_are_those_of_the_clock(client: httpx.Client, state: Any, clock: VirtualClock) -> None:
    """HubSpot counts in milliseconds, and so do its searches."""
    clock.advance(timedelta(microseconds=1999))
    deal = state.deal_ids()[0]
    state.edit_deal(deal, pains="now")
    read = client.get(f"{DEALS}/{deal}").json()["updatedAt"]

    assert NOON + timedelta(milliseconds=1) == datetime.fromisoformat(read)


def test_sessions_end_when_they_are_told_to(client: httpx.Client, state: Any) -> None:
    """Every access token given out is then expired, and the refresh token gives a new one at once."""
    old = renew(client, state, state.oauth.refresh_token).json()["access_token"]
    state.expire_session()
    new = renew(client, state, state.oauth.refresh_token).json()["access_token"]

    assert (401, "EXPIRED_AUTHENTICATION") == (
        list_deals(client, old).status_code,
        list_deals(client, old).json()["category"],
    )
    assert 200 == list_deals(client, new).status_code


# ── The adapter as an app ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("writable", [True, False])
def test_processes_that_sign_in_at_a_time_do_not_use_up_each_others_refresh_token(
    tmp_path: Path, clock: VirtualClock, *, writable: bool
) -> None:
    """Where tokens rotate, the second one finds the new one. A folder where nothing can be locked is no obstacle."""
    options = SandboxOptions(seed=3, deals=6, clock=clock, latency_ms=30, limit="none")
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    with serve(build(options)) as served:
        state: Any = served.sandbox.state
        state.oauth.rotates = writable
        (secrets / "refresh").write_text(state.oauth.refresh_token)
        (secrets / "secret").write_text(state.oauth.client_secret)
        if not writable:
            (secrets / ".refresh.lock").mkdir()
        app = {
            "client_id": state.oauth.client_id,
            "client_secret": {"file": str(secrets / "secret")},
            "refresh_token": {"file": str(secrets / "refresh")},
        }
        settings = HubSpotSettings.model_validate({"base_url": served.url, "oauth": app})
        (spec,) = plugin.crmbridge_adapters()
        processes = [spec.open(settings, AdapterContext(connection="hs", clock=clock, fields=())) for _ in range(4)]
        with ThreadPoolExecutor(len(processes)) as threads:
            found = list(threads.map(lambda each: each.describe().account, processes))
        for each in processes:
            each.close()

        assert ["26190001"] * 4 == found
        assert state.oauth.refresh_token == (secrets / "refresh").read_text().strip()
