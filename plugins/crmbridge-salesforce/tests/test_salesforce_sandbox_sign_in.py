"""The sandbox's token endpoint and sessions: each flow, each refusal, and the answers that only look like expiry."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from crmbridge.sandbox import Served, VirtualClock
from crmbridge_salesforce.sandbox.sign_in import (
    CLIENT_ID,
    CLIENT_SECRET,
    JWT_BEARER,
    LOOK_ALIKES,
    REFRESH_TOKEN,
    USERNAME,
    SignIn,
)

CONSUMER = "3MVG9-sandbox"


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    """Make a key pair."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def sign_in(org: Served) -> SignIn:
    """Give the org's sign-in."""
    found: SignIn = org.sandbox.state.sign_in
    return found


@pytest.fixture
def sign(sign_in: SignIn, clock: VirtualClock, key: rsa.RSAPrivateKey) -> Callable[..., str]:
    """Sign assertions that the org knows the key of; overrides are claims."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    sign_in.keys[CONSUMER] = key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()

    def signer(by: rsa.RSAPrivateKey = key, **claims: Any) -> str:
        ends = int((clock.now() + timedelta(minutes=3)).timestamp())
        usual = {"iss": CONSUMER, "sub": USERNAME, "aud": "https://login.salesforce.com", "exp": ends}
        return jwt.encode({**usual, **claims}, by, algorithm="RS256")

    return signer


def post(org: Served, **form: str) -> httpx.Response:
    """Ask the token endpoint."""
    return httpx.post(f"{org.url}/services/oauth2/token", data=form, trust_env=False)


def limits(org: Served, token: str) -> httpx.Response:
    """Make a call with a token."""
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.get(f"{org.url}/services/data/v67.0/limits", headers=headers, trust_env=False)


def test_client_credentials_by_body_or_basic(org: Served) -> None:
    """A session comes with the org's own address, its time as text, and no end."""
    by_body = post(org, grant_type="client_credentials", client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
    by_basic = httpx.post(
        f"{org.url}/services/oauth2/token",
        data={"grant_type": "client_credentials"},
        auth=(CLIENT_ID, CLIENT_SECRET),
        trust_env=False,
    )

    for answer in (by_body.json(), by_basic.json()):
        assert (org.url, "1781092800000") == (answer["instance_url"], answer["issued_at"])
        assert "expires_in" not in answer
        assert 200 == limits(org, answer["access_token"]).status_code
    assert by_body.json()["access_token"] != by_basic.json()["access_token"]


def test_an_assertion_signs_in(org: Served, sign: Callable[..., str]) -> None:
    """A JWT for the login host or for the org itself gives a session and no refresh token."""
    for audience in ("https://login.salesforce.com", org.url):
        answer = post(org, grant_type=JWT_BEARER, assertion=sign(aud=audience)).json()

        assert 200 == limits(org, answer["access_token"]).status_code
        assert "refresh_token" not in answer


@pytest.mark.parametrize(
    ("claims", "error", "words"),
    [
        ({"iss": "unknown"}, "invalid_client_id", "client identifier invalid"),
        ({"sub": "nobody@example.com"}, "invalid_grant", "user hasn't approved this consumer"),
        ({"aud": "https://na1.salesforce.com"}, "invalid_grant", "audience is invalid"),
        ({"exp": 1_781_092_799}, "invalid_grant", "expired authorization code"),
        ({"exp": 1_781_092_800 + 301}, "invalid_grant", "expired authorization code"),
    ],
)
def test_a_wrong_claim_is_refused(
    org: Served, sign: Callable[..., str], claims: dict[str, Any], error: str, words: str
) -> None:
    """Each claim is checked, and an end too far ahead is one of a clock that is wrong."""
    answer = post(org, grant_type=JWT_BEARER, assertion=sign(**claims))

    assert (400, {"error": error, "error_description": words}) == (answer.status_code, answer.json())


def test_a_foreign_key_is_refused(org: Served, sign: Callable[..., str]) -> None:
    """What another key signed, or nobody, is no assertion."""
    foreign = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    unsigned = jwt.encode({"iss": CONSUMER, "sub": USERNAME}, key="", algorithm="none")

    for wrong in (sign(foreign), unsigned, "a.b.c", ""):
        answer = post(org, grant_type=JWT_BEARER, assertion=wrong)
        assert (400, "invalid assertion") == (answer.status_code, answer.json()["error_description"])


def test_refresh_tokens_rotate_where_the_org_says_so(org: Served, sign_in: SignIn) -> None:
    """With rotation the answer carries a new one and the old one is dead (singer-io/tap-salesforce PR 216)."""
    form = {"grant_type": "refresh_token", "client_id": CLIENT_ID}
    steady = post(org, **form, refresh_token=REFRESH_TOKEN).json()
    sign_in.rotates = True
    rotated = post(org, **form, refresh_token=REFRESH_TOKEN).json()
    again = post(org, **form, refresh_token=REFRESH_TOKEN)

    assert "refresh_token" not in steady
    assert 200 == post(org, **form, refresh_token=rotated["refresh_token"]).status_code
    assert {"error": "invalid_grant", "error_description": "expired access/refresh token"} == again.json()


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials", "client_id": "x"}, "invalid_client_id"),
        ({"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": "x"}, "invalid_client"),
        (
            {
                "grant_type": "refresh_token",
                "client_id": CLIENT_ID,
                "refresh_token": REFRESH_TOKEN,
                "client_secret": "",
            },
            "invalid_client",
        ),
    ],
)
def test_other_sign_ins_are_refused(org: Served, form: dict[str, str], error: str) -> None:
    """An error of the token endpoint is one object, not an array."""
    answer = post(org, **form)

    assert (400, error) == (answer.status_code, answer.json()["error"])


def test_sessions_end_when_the_org_says_so(org: Served, sign_in: SignIn) -> None:
    """An expired session answers 401 until somebody signs in anew."""
    sign_in.expire()
    late = limits(org, org.token)
    form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    fresh = post(org, **form).json()["access_token"]

    assert (401, "Session expired or invalid") == (late.status_code, late.json()[0]["message"])
    assert "api-usage=0/100000" == late.headers["Sforce-Limit-Info"]
    assert 200 == limits(org, fresh).status_code


@pytest.mark.parametrize("words", LOOK_ALIKES)
def test_some_refusals_only_look_like_expiry(org: Served, sign_in: SignIn, words: str) -> None:
    """The same code with other words is mended by no new session (jsforce test/http-api.test.ts)."""
    sign_in.look_alike = words
    form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    answer = limits(org, post(org, **form).json()["access_token"])

    assert (401, [{"message": words, "errorCode": "INVALID_SESSION_ID"}]) == (answer.status_code, answer.json())
