"""Signing in: one of two ways, tokens that end, and what is said of the credential."""

import base64
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
import respx
from pydantic import ValidationError

from crmbridge.errors import AuthenticationError, RetryLaterError
from crmbridge.model.records import Kind
from crmbridge.ports import Adapter, AdapterContext
from crmbridge.sandbox import Served, VirtualClock
from crmbridge_pipedrive.adapter import open_adapter
from crmbridge_pipedrive.sandbox.signing import CLIENT_ID, CLIENT_SECRET
from crmbridge_pipedrive.settings import PipedriveSettings

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
TOKEN_URL = "https://oauth.pipedrive.com/oauth/token"
USERS = {"success": True, "data": []}
REFRESH = "refresh-one-two-three"
Open = Callable[..., Adapter]


@pytest.fixture
def oauth(served: Served, tmp_path: Path) -> dict[str, Any]:
    """Give the settings that sign in to the sandbox by OAuth."""
    (tmp_path / "secret").write_text(CLIENT_SECRET, "utf-8")
    (tmp_path / "refresh").write_text(served.sandbox.state.sessions.refresh_token, "utf-8")
    secret, refresh = ({"file": str(tmp_path / name)} for name in ("secret", "refresh"))
    return {"token": None, "oauth": {"client_id": CLIENT_ID, "client_secret": secret, "refresh_token": refresh}}


def users(adapter: Adapter) -> list[Any]:
    return [record for page in adapter.pull(Kind.USER, None) for record in page.records]


class TestSandbox:
    """Against the sandbox's own token endpoint."""

    def test_oauth_reads_and_writes_as_the_token_does(self, opened: Open, oauth: dict[str, Any]) -> None:
        """The same account comes either way."""
        assert users(opened()) == users(opened(**oauth))
        assert opened(**oauth).describe().pipelines

    def test_the_token_is_refreshed_by_the_clock(
        self, opened: Open, oauth: dict[str, Any], served: Served, clock: VirtualClock
    ) -> None:
        """It is asked for once, and again shortly before it ends; nothing is sent with one that has ended."""
        adapter = opened(**oauth)
        users(adapter)
        clock.advance(timedelta(minutes=50))
        users(adapter)
        once = served.sandbox.state.sessions.given
        clock.advance(timedelta(minutes=9, seconds=30))
        users(adapter)

        assert (1, 2) == (once, served.sandbox.state.sessions.given)
        assert {200} == {request.status for request in served.sandbox.log.all()}

    def test_an_ended_session_is_renewed_once(self, opened: Open, oauth: dict[str, Any], served: Served) -> None:
        """A 401 means signing in anew; a second one is final."""
        adapter = opened(**oauth)
        users(adapter)
        served.sandbox.state.expire_session()

        assert users(adapter)
        served.sandbox.faults.plan("revoked", times=9, path="users")
        before = served.sandbox.state.sessions.given
        with pytest.raises(AuthenticationError, match="401") as caught:
            users(adapter)
        assert "consent" in caught.value.advice
        assert before + 1 == served.sandbox.state.sessions.given

    def test_a_token_has_nothing_to_renew(self, opened: Open, served: Served) -> None:
        """A refused API token is said at once, with where a new one is found."""
        served.sandbox.faults.plan("revoked", times=9)
        with pytest.raises(AuthenticationError) as caught:
            users(opened())

        assert "Personal preferences" in caught.value.advice
        assert 1 == len(served.sandbox.log.all())

    def test_a_lapsed_refresh_token_says_what_to_do(self, opened: Open, oauth: dict[str, Any], served: Served) -> None:
        """One that nobody used for 60 days has ended ("OAuth authorization")."""
        served.sandbox.state.sessions.refresh_token = "another"
        with pytest.raises(AuthenticationError, match="invalid_grant") as caught:
            users(opened(**oauth))

        assert "60 days" in caught.value.advice

    def test_the_credential_is_described(self, opened: Open, oauth: dict[str, Any], served: Served) -> None:
        """Who it acts as, and which scopes lack or are too much; never the secret."""
        served.sandbox.state.sessions.scope = "base,deals:full,activities:full,contacts:full,users:read,admin"
        by_token, by_oauth = opened().describe().credential, opened(**oauth).describe().credential

        assert by_token
        assert by_oauth
        assert ("API token", None, "admin@lumenworks.example") == (by_token.way, by_token.scopes, by_token.user)
        assert "OAuth" == by_oauth.way
        assert frozenset({"deal-fields:full", "recents:read"}) == by_oauth.missing
        assert frozenset({"admin"}) == by_oauth.superfluous
        assert (None, None) == (by_oauth.issued_at, by_oauth.expires_at), "that an hour is over is no news"
        assert "sandbox-access" not in repr(by_oauth)

    def test_an_app_that_may_not_read_histories_says_so(
        self, opened: Open, oauth: dict[str, Any], served: Served
    ) -> None:
        """They go by `recents:read` (API v1, `security`), and a scope that lacks has words of its own.

        Taken for the refusal of one deal ("OAuth status codes"), each would keep one move of all that are known.
        """
        whole = {move.id for page in opened(**oauth).pull(Kind.DEAL, None) for move in page.moves}
        served.sandbox.state.sessions.scope = "base,deals:full,activities:full,contacts:full,users:read"
        with pytest.raises(AuthenticationError, match="Scope and URL mismatch") as caught:
            list(opened(**oauth).pull(Kind.DEAL, None))

        assert len(whole) > len(served.sandbox.state.tables.deals)
        assert "scopes" in caught.value.advice


class TestWire:
    """What is sent to the vendor's hosts."""

    @pytest.fixture(autouse=True)
    def _secrets(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("APP_SECRET", "app-secret")
        self.file = tmp_path / "refresh"
        self.file.write_text(REFRESH, "utf-8")

    @pytest.fixture
    def connect(self) -> Iterator[Open]:
        adapters: list[Adapter] = []

        def one(**more: Any) -> Adapter:
            refresh = {"file": str(self.file)}
            app = {"client_id": "app", "client_secret": {"env": "APP_SECRET"}, "refresh_token": refresh}
            settings = PipedriveSettings.model_validate({"oauth": app, **more})
            adapters.append(open_adapter(settings, AdapterContext(connection="pd", clock=VirtualClock(NOON))))
            return adapters[-1]

        yield one
        for adapter in adapters:
            adapter.close()

    def answer(self, **more: Any) -> httpx.Response:
        usual = {
            "access_token": "access-four-five",
            "refresh_token": REFRESH,
            "expires_in": 3599,
            "token_type": "Bearer",
        }
        return httpx.Response(200, json={**usual, "api_domain": "https://acme.pipedrive.com", "scope": "base", **more})

    @respx.mock
    def test_the_app_signs_in_by_basic_and_goes_where_it_is_sent(self, connect: Open) -> None:
        """The secret is in a header, the grant in a form; calls go to the company's host ("OAuth authorization")."""
        token = respx.post(TOKEN_URL).mock(return_value=self.answer())
        call = respx.get("https://acme.pipedrive.com/api/v1/users").respond(json=USERS)
        users(connect())
        asked = token.calls.last.request

        assert f"Basic {base64.b64encode(b'app:app-secret').decode()}" == asked.headers["authorization"]
        assert {"grant_type": ["refresh_token"], "refresh_token": [REFRESH]} == parse_qs(asked.content.decode())
        assert "Bearer access-four-five" == call.calls.last.request.headers["authorization"]
        assert "x-api-token" not in call.calls.last.request.headers

    @respx.mock
    def test_a_base_url_stays(self, connect: Open) -> None:
        """What the settings name stands before what the sign-in says."""
        respx.post(TOKEN_URL).mock(return_value=self.answer())
        call = respx.get("https://proxy.example/api/v1/users").respond(json=USERS)
        users(connect(base_url="https://proxy.example"))

        assert call.called

    @respx.mock
    @pytest.mark.parametrize(
        "domain", ["https://evil.example", "http://acme.pipedrive.com", "https://pipedrive.com.evil.example"]
    )
    def test_a_token_goes_to_nobody_else(self, connect: Open, domain: str) -> None:
        """A host that is not Pipedrive's is not sent anything."""
        respx.post(TOKEN_URL).mock(return_value=self.answer(api_domain=domain))
        with pytest.raises(AuthenticationError, match="not Pipedrive's"):
            users(connect())

    @respx.mock
    def test_another_refresh_token_is_stored_before_use(self, connect: Open) -> None:
        """Today the same one comes back; should that change, the new one is in its file before anything is read."""
        kept: list[str] = []

        def read(_request: httpx.Request) -> httpx.Response:
            kept.append(self.file.read_text("utf-8").strip())
            return httpx.Response(200, json=USERS)

        respx.post(TOKEN_URL).mock(return_value=self.answer(refresh_token="refresh-rotated"))
        respx.get("https://acme.pipedrive.com/api/v1/users").mock(side_effect=read)
        users(connect())

        assert ["refresh-rotated"] == kept

    @respx.mock
    def test_an_answer_without_a_host_is_no_sign_in(self, connect: Open) -> None:
        """Where to go is not guessed, unless the settings name the company."""
        respx.post(TOKEN_URL).mock(return_value=self.answer(api_domain=None))
        call = respx.get("https://acme.pipedrive.com/api/v1/users").respond(json=USERS)
        with pytest.raises(RetryLaterError):
            users(connect())
        users(connect(company="acme"))

        assert call.called


class TestSettings:
    """What a connection may say of signing in."""

    @pytest.mark.parametrize("ways", [("token", "oauth"), ()])
    def test_there_is_one_way_in(self, ways: tuple[str, ...]) -> None:
        """Two would leave open as whom deals are written, and with none nobody signs in."""
        secret = {"env": "A_SECRET"}
        app = {"client_id": "app", "client_secret": secret, "refresh_token": secret}
        known = {"token": secret, "oauth": app}
        with pytest.raises(ValidationError, match="exactly one of token and oauth"):
            PipedriveSettings.model_validate({"company": "acme", **{way: known[way] for way in ways}})

    @pytest.mark.parametrize(
        ("said", "burst", "tokens"),
        [
            ({}, 20, 30_000),
            ({"plan": "premium", "seats": 3}, 100, 450_000),
            ({"plan": "ultimate", "burst": 30, "daily_tokens": 1000}, 30, 1000),
        ],
    )
    def test_limits_follow_from_the_plan(self, said: dict[str, Any], burst: int, tokens: int) -> None:
        """30,000 tokens for each seat, times the plan; requests by the way to sign in ("Rate limiting")."""
        settings = PipedriveSettings.model_validate({"company": "acme", "token": {"env": "T"}, **said})

        assert (burst, tokens) == (settings.requests_in_2s, settings.tokens_a_day)

    def test_the_token_endpoint_is_pipedrives_own(self) -> None:
        """Unless another is named, or everything is on this machine."""
        app = {"client_id": "app", "client_secret": {"env": "A"}, "refresh_token": {"env": "B"}}

        def url(**said: Any) -> str:
            return PipedriveSettings.model_validate({"oauth": app, **said}).token_url

        assert TOKEN_URL == url() == url(base_url="https://proxy.example")
        assert "http://127.0.0.1:8080/oauth/token" == url(base_url="http://127.0.0.1:8080")
        assert "https://sso.example/token" == url(oauth_url="https://sso.example/token")
