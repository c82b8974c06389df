"""Striking out: no form of a secret that was fetched is printed, and nothing else is lost."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmbridge import revealed
from crmbridge.revealed import SHORTEST, STRUCK, remember, strike

HELD = "ab/cd ef+g&h~=é"


@pytest.fixture(autouse=True)
def _forgetful() -> Iterator[None]:
    """Begin without secrets, and leave what was known before."""
    before = set(revealed._known)
    revealed._known.clear()
    yield
    revealed._known.clear()
    revealed._known.update(before)


@pytest.mark.parametrize(
    "said",
    [
        f"refused: {HELD}!",
        json.dumps({"token": HELD}),
        json.dumps({"token": HELD}, ensure_ascii=False),
        str(httpx.URL("https://crm.example/deals", params={"token": HELD})),
        str(httpx.URL("https://crm.example").copy_with(path=f"/hooks/{HELD}")),
        httpx.QueryParams({"token": HELD}),
        json.dumps({"token": HELD}).replace("/", "\\/"),
        repr(HELD),
        re.sub("%..", lambda found: found[0].lower(), quote(HELD, safe="")),
    ],
    ids=["text", "json", "json as text", "query", "path", "form", "escaped slashes", "repr", "small digits"],
)
def test_no_form_of_a_secret_is_left(said: object) -> None:
    """As it is, in JSON, and in the ways in which addresses and forms write it."""
    remember(HELD)

    assert STRUCK in strike(str(said))
    assert not [
        part for part in ("ab/cd", "ab%2Fcd", "ab%2fcd", "ef+g", "ef%2Bg", "ef%2bg") if part in strike(str(said))
    ]


def test_a_secret_of_several_lines_is_struck_out() -> None:
    """A private key, also where its lines are written as one."""
    key = "-----BEGIN KEY-----\nabc\ndef\n-----END KEY-----"
    remember(key)

    assert f"{STRUCK} {STRUCK}" == strike(f"{key} {json.dumps(key)[1:-1]}")


def test_a_secret_within_another_leaves_no_rest() -> None:
    """The longer one goes first."""
    remember("secret-1")
    remember("secret-1-and-more")

    assert f"{STRUCK} {STRUCK}" == strike("secret-1-and-more secret-1")


def test_a_very_short_secret_does_not_blank_everything() -> None:
    """Striking out `a` would leave nothing to read."""
    for secret in ("", "a", "x" * (SHORTEST - 1)):
        remember(secret)

    assert "a plain sentence xxxxx" == strike("a plain sentence xxxxx")


@given(st.text(st.characters(codec="utf-8", exclude_characters="<>*"), min_size=SHORTEST))
def test_whatever_the_secret_is_it_goes(secret: str) -> None:
    """And what stands around it stays."""
    revealed._known.clear()
    remember(secret)

    assert f"<{STRUCK}>" == strike(f"<{secret}>")
    assert f'"{STRUCK}"' == strike(json.dumps(secret))
