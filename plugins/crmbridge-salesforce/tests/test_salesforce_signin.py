"""Signing in to an org: each way, what a refusal advises, and which refusals a new session can't mend."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import httpx
import jwt
import pytest
import respx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr, ValidationError

from crmbridge.errors import AuthenticationError, ConfigurationError
from crmbridge.model.records import Kind
from crmbridge.ports import AdapterContext
from crmbridge.sandbox import Served, VirtualClock
from crmbridge_salesforce.adapter import SalesforceAdapter
from crmbridge_salesforce.sandbox.sign_in import CLIENT_ID, CLIENT_SECRET, LOOK_ALIKES, USERNAME, SignIn
from crmbridge_salesforce.settings import LOGIN, TEST, SalesforceSettings
from crmbridge_salesforce.signin import SignIn as Way
from crmbridge_salesforce.signin import sign_assertion

from .orgs import HOST, Opener

CONSUMER = "3MVG9-consumer"
SECRET = {"env": "UNUSED"}
BY_SECRET = {"client_id": CLIENT_ID, "client_secret": SECRET}
BY_JWT = {"client_id": CONSUMER, "username": USERNAME, "key": SECRET}


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    """Make a key pair."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def pem(org: Served, key: rsa.RSAPrivateKey) -> str:
    """Give the private key, whose public half the org knows."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    state(org).keys[CONSUMER] = key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()
    return private_pem(key)


@pytest.fixture
def signed_in(clock: VirtualClock) -> Iterator[Opener]:
    """Open adapters that sign in by the settings given, with this secret."""
    opened: list[SalesforceAdapter] = []

    def opener(secret: str, **settings: Any) -> SalesforceAdapter:
        parsed = SalesforceSettings.model_validate({"currency": "EUR", **settings})
        context = AdapterContext(connection="sf", clock=clock)
        way = Way(parsed, "sf", clock, lambda _secret: SecretStr(secret))
        opened.append(SalesforceAdapter(parsed, context, way))
        return opened[-1]

    yield opener
    for adapter in opened:
        adapter.close()


def private_pem(key: rsa.RSAPrivateKey) -> str:
    """Write a private key."""
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def state(org: Served) -> SignIn:
    """Give the org's sign-in."""
    found: SignIn = org.sandbox.state.sign_in
    return found


def sign_ins(org: Served) -> int:
    """Count how often somebody signed in."""
    return len(org.sandbox.log.matching("POST", "/services/oauth2/token"))


def count_users(adapter: SalesforceAdapter) -> int:
    """Make some calls."""
    return sum(len(page.records) for page in adapter.pull(Kind.USER, None))


def test_client_credentials_sign_in_once(org: Served, signed_in: Opener) -> None:
    """The first call signs in, the others go in the same session; nobody knows when it ends."""
    adapter = signed_in(CLIENT_SECRET, base_url=org.url, client_credentials=BY_SECRET)

    assert 0 == sign_ins(org)
    assert 1 < count_users(adapter)
    credential = adapter.describe().credential
    assert 1 == sign_ins(org)
    assert credential is not None
    assert ("client credentials", "005Sb0000000001MAA", None) == (
        credential.way,
        credential.user,
        credential.expires_at,
    )
    assert (frozenset(), None) == (credential.missing, credential.issued_at), "a session's age is not the credential's"


def test_an_assertion_signs_in(org: Served, signed_in: Opener, pem: str) -> None:
    """The JWT bearer flow acts as the user that the settings name."""
    adapter = signed_in(pem, base_url=org.url, jwt=BY_JWT)

    assert 1 < count_users(adapter)
    credential = adapter.describe().credential
    assert credential is not None
    assert ("JWT bearer", USERNAME) == (credential.way, credential.user)


def test_an_assertion_says_who_for_whom_and_for_three_minutes(clock: VirtualClock, key: rsa.RSAPrivateKey) -> None:
    """RS256 by the consumer key, for the user, at the host, and not for long (Help "OAuth 2.0 JWT Bearer Flow")."""
    settings = SalesforceSettings.model_validate({"domain": "acme", "jwt": BY_JWT})
    assert settings.jwt is not None
    made = sign_assertion(settings.jwt, SecretStr(private_pem(key)), settings.audience, clock.now())

    claims = jwt.decode(made, options={"verify_signature": False})
    end = int((clock.now() + timedelta(minutes=3)).timestamp())
    assert {"iss": CONSUMER, "sub": USERNAME, "aud": LOGIN, "exp": end} == claims
    assert "RS256" == jwt.get_unverified_header(made)["alg"]


def test_a_key_that_is_none_is_a_setting_to_mend(org: Served, signed_in: Opener) -> None:
    """What is no PEM is said without showing it."""
    adapter = signed_in("-----BEGIN NOTHING-----", base_url=org.url, jwt=BY_JWT)
    with pytest.raises(ConfigurationError, match="PEM") as caught:
        count_users(adapter)

    assert "NOTHING" not in f"{caught.value!r}"


def test_an_expired_session_is_renewed_once(org: Served, signed_in: Opener) -> None:
    """A session that ended is followed by a new one, and the call is made again (simple-salesforce issue 619)."""
    adapter = signed_in(CLIENT_SECRET, base_url=org.url, client_credentials=BY_SECRET)
    whole = count_users(adapter)
    state(org).expire()

    assert whole == count_users(adapter)
    assert 2 == sign_ins(org)


def test_an_expired_session_is_renewed_in_a_bulk_job(org: Served, signed_in: Opener) -> None:
    """Bulk calls are renewed as well (simple-salesforce issue 619)."""
    adapter = signed_in(CLIENT_SECRET, base_url=org.url, client_credentials=BY_SECRET, bulk_above=0)
    walk = adapter.pull(Kind.DEAL, None)
    first = next(walk)
    state(org).expire()

    assert 20 == len(first.records) + sum(len(page.records) for page in walk)
    assert 2 == sign_ins(org)


def test_a_session_that_ends_at_once_is_not_renewed_for_ever(org: Served, signed_in: Opener) -> None:
    """A 401 after a new sign-in is final; endless repetition hung a client (simple-salesforce PR 685)."""
    adapter = signed_in(CLIENT_SECRET, base_url=org.url, client_credentials=BY_SECRET)
    org.sandbox.faults.plan("revoked", times=1000, path="/services/data")
    with pytest.raises(AuthenticationError):
        count_users(adapter)

    assert 2 == sign_ins(org)


@pytest.mark.parametrize("words", LOOK_ALIKES)
def test_look_alikes_are_not_renewed(org: Served, signed_in: Opener, words: str) -> None:
    """The same code with other words stays refused in any session (jsforce src/http-api.ts)."""
    adapter = signed_in(CLIENT_SECRET, base_url=org.url, client_credentials=BY_SECRET)
    state(org).look_alike = words
    with pytest.raises(AuthenticationError, match=words) as caught:
        count_users(adapter)

    assert 1 == sign_ins(org)
    assert "does not help" in caught.value.advice


def test_a_given_token_that_expired_is_said(org: Served, signed_in: Opener) -> None:
    """There is nothing to renew it with, so a person must."""
    adapter = signed_in(org.token, base_url=org.url, token=SECRET)
    state(org).expire()
    with pytest.raises(AuthenticationError, match="Session expired") as caught:
        count_users(adapter)

    assert "new access token" in caught.value.advice


@pytest.mark.parametrize(
    ("error", "words", "advice"),
    [
        ("invalid_grant", "expired authorization code", "clock"),
        ("invalid_grant", "audience is invalid", "jwt.audience: https://test.salesforce.com"),
        ("invalid_grant", "user hasn't approved this consumer", "Pre-authorise"),
        ("app_not_found", "External client app is not installed in this org", "My Domain"),
        ("invalid_client_id", "client identifier invalid", "client_id"),
        ("invalid_client", "invalid client credentials", "consumer secret"),
        ("invalid_grant", "request not supported on this domain", "My Domain"),
        ("inactive_user", "user is inactive", "frozen"),
        ("unsupported_grant_type", "grant type not supported", "Switch this flow on"),
    ],
)
def test_a_refused_sign_in_says_the_fix(
    signed_in: Opener, key: rsa.RSAPrivateKey, error: str, words: str, advice: str
) -> None:
    """The token endpoint answers one object, not an array; each refusal leads to what mends it (sim PR 6508)."""
    adapter = signed_in(private_pem(key), domain="acme", jwt=BY_JWT)
    with respx.mock:
        route = respx.post(f"{HOST}/services/oauth2/token").respond(
            400, json={"error": error, "error_description": words}
        )
        with pytest.raises(AuthenticationError, match=words) as caught:
            count_users(adapter)

    assert advice in caught.value.advice
    assert 1 == route.call_count
    assert "PRIVATE" not in f"{caught.value!r} {caught.value.advice}"


def answer(**overrides: Any) -> dict[str, Any]:
    """Make the token endpoint's answer."""
    usual = {
        "access_token": "00D!secret",
        "instance_url": HOST,
        "issued_at": "1780000000000",
        "id": f"{HOST}/id/00D/005",
    }
    return {**usual, **overrides}


def test_the_request_of_client_credentials(signed_in: Opener) -> None:
    """Id and secret go in a header, the grant in the body, to the org's My Domain; calls go to the instance_url."""
    elsewhere = "https://acme2.my.salesforce.com"
    adapter = signed_in("hush", domain="acme", client_credentials={"client_id": "app", "client_secret": SECRET})
    with respx.mock:
        token = respx.post(f"{HOST}/services/oauth2/token").respond(json=answer(instance_url=elsewhere))
        limits = respx.get(f"{elsewhere}/services/data/v67.0/sobjects/User/describe").respond(
            404, json=[{"errorCode": "NOT_FOUND", "message": "no"}]
        )
        with pytest.raises(Exception, match="User"):
            count_users(adapter)

    sent = token.calls.last.request
    assert {"grant_type": ["client_credentials"]} == parse_qs(sent.content.decode())
    assert "Basic YXBwOmh1c2g=" == sent.headers["Authorization"]
    assert "Bearer 00D!secret" == limits.calls.last.request.headers["Authorization"]


@pytest.mark.parametrize(
    "named", ["https://evil.example", "http://acme.my.salesforce.com", "https://salesforce.com.evil.example"]
)
def test_the_token_goes_to_the_vendors_hosts_only(signed_in: Opener, named: str) -> None:
    """An answer that names another host as the place for requests is not believed."""
    adapter = signed_in("hush", domain="acme", client_credentials={"client_id": "app", "client_secret": SECRET})
    with respx.mock:
        respx.post(f"{HOST}/services/oauth2/token").respond(json=answer(instance_url=named))
        with pytest.raises(AuthenticationError, match="place for requests"):
            count_users(adapter)


@pytest.mark.parametrize(
    ("settings", "address", "audience"),
    [
        ({"domain": "acme"}, HOST, LOGIN),
        ({"domain": "acme--uat"}, "https://acme--uat.sandbox.my.salesforce.com", TEST),
        ({"domain": "acme-dev-ed.develop"}, "https://acme-dev-ed.develop.my.salesforce.com", LOGIN),
        (
            {"instance_url": "https://acme--uat.sandbox.my.salesforce.com/"},
            "https://acme--uat.sandbox.my.salesforce.com",
            TEST,
        ),
        ({"domain": "acme", "base_url": "http://127.0.0.1:1"}, "http://127.0.0.1:1", LOGIN),
    ],
)
def test_where_an_org_is(settings: dict[str, str], address: str, audience: str) -> None:
    """My Domain gives the address; sandboxes are NAME--SANDBOX and sign in at the test host."""
    found = SalesforceSettings.model_validate({**settings, "jwt": BY_JWT})

    assert (address, audience) == (found.address, found.audience)


@pytest.mark.parametrize(
    "settings",
    [
        {"domain": "acme"},
        {"domain": "acme", "token": SECRET, "jwt": BY_JWT},
        {"token": SECRET},
        {"token": SECRET, "domain": "acme", "instance_url": HOST},
        {"token": SECRET, "domain": "acme.evil.example/x"},
        {"token": SECRET, "instance_url": "http://acme.my.salesforce.com"},
        {"client_credentials": {"client_id": "a"}, "domain": "acme"},
    ],
)
def test_half_a_sign_in_is_refused(settings: dict[str, Any]) -> None:
    """Exactly one way, whole, and exactly one place."""
    with pytest.raises(ValidationError):
        SalesforceSettings.model_validate(settings)


def test_an_unreachable_sign_in_can_be_tried_again(signed_in: Opener) -> None:
    """The token endpoint being down says nothing about the credential."""
    adapter = signed_in("hush", domain="acme", client_credentials={"client_id": "app", "client_secret": SECRET})
    with respx.mock:
        respx.post(f"{HOST}/services/oauth2/token").mock(side_effect=httpx.ConnectError("no"))
        with pytest.raises(Exception, match="can't be reached") as caught:
            count_users(adapter)

    assert 5 == getattr(caught.value, "exit_code", 0)
