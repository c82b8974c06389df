"""Webhooks: only genuine, fresh and readable deliveries have an effect, and that is a hint."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crmbridge.errors import AuthenticationError, RefusedError
from crmbridge.model.records import Kind, Ref
from crmbridge.ports import Hints, WebhookRequest
from crmbridge_pipedrive import plugin
from crmbridge_pipedrive.settings import PipedriveWebhook

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
PASSWORD = "pass:word ü"
META: dict[str, Any] = {
    "action": "change",
    "entity": "deal",
    "entity_id": "7",
    "company_id": "7000001",
    "correlation_id": "c-1",
    "id": "e-1",
    "is_bulk_edit": False,
    "timestamp": "2026-06-10T11:59:58.250Z",
    "type": "general",
    "user_id": "14200000",
    "version": "2.0",
    "webhook_id": "31",
    "change_source": "app",
    "attempt": 1,
    "host": "lumenworks.pipedrive.com",
}


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_USER", "pipedrive")
    monkeypatch.setenv("HOOK_PASSWORD", PASSWORD)


def basic(user: str = "pipedrive", password: str = PASSWORD) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def read(body: Any, authorization: str | None = None, at: datetime = NOON) -> Hints:
    spec = next(iter(plugin.crmbridge_adapters())).webhooks
    assert spec
    settings = PipedriveWebhook.model_validate({"user": {"env": "HOOK_USER"}, "password": {"env": "HOOK_PASSWORD"}})
    headers = {"authorization": basic() if authorization is None else authorization}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = WebhookRequest(
        connection="pd", method="POST", url="https://x.example/pd", headers=headers, body=content, received_at=at
    )
    return spec.read(settings, request)


def delivery(data: Any = None, previous: Any = None, **meta: Any) -> dict[str, Any]:
    return {"meta": {**META, **meta}, "data": data, "previous": previous}


def ref(kind: Kind, number: str) -> Ref:
    return Ref("pd", kind, number)


@pytest.mark.parametrize(
    ("body", "refs"),
    [
        (delivery({"id": 7, "stage_id": 3}, {"stage_id": 2}), [ref(Kind.DEAL, "7")]),
        (delivery(None, {"id": 7}, action="delete"), [ref(Kind.DEAL, "7")]),
        (delivery({"id": 7}, None, action="create", entity_id=7), [ref(Kind.DEAL, "7")]),
        (delivery(None, {}, action="delete", merged_to_id="9"), [ref(Kind.DEAL, "7"), ref(Kind.DEAL, "9")]),
        (delivery({}, {}, merged_from_id=9), [ref(Kind.DEAL, "7"), ref(Kind.DEAL, "9")]),
        (delivery({}, entity="person"), [ref(Kind.CONTACT, "7")]),
        (delivery({}, entity="organization"), [ref(Kind.COMPANY, "7")]),
        (delivery({}, entity="user"), [ref(Kind.USER, "7")]),
        (delivery({"deal_id": 5}, entity="activity"), [ref(Kind.ACTIVITY, "7"), ref(Kind.DEAL, "5")]),
        (
            delivery({"deal_id": 5}, {"deal_id": 6}, entity="note"),
            [ref(Kind.NOTE, "7"), ref(Kind.DEAL, "5"), ref(Kind.DEAL, "6")],
        ),
        (delivery(None, {"deal_id": 6}, entity="note", action="delete"), [ref(Kind.NOTE, "7"), ref(Kind.DEAL, "6")]),
        (delivery({}, entity="product"), []),
    ],
)
def test_a_delivery_names_what_to_read_again(body: dict[str, Any], refs: list[Ref]) -> None:
    """Both records of a merge, and the deal that something hangs on; nothing else in the body is used."""
    assert (tuple(refs), False) == (read(body).refs, read(body).whole)


def test_a_changed_pipeline_means_a_pull() -> None:
    """No record is named by it, yet records may mean something else now."""
    assert ((), True) == (read(delivery({}, entity="stage")).refs, read(delivery({}, entity="pipeline")).whole)


def test_attempts_of_one_delivery_have_one_name() -> None:
    """Pipedrive sends it up to four times; another event has another name."""
    first, again = read(delivery({}, attempt=1)), read(delivery({}, attempt=4))
    other = read(delivery({}, timestamp="2026-06-10T11:59:59Z"))

    assert first.deliveries == again.deliveries != other.deliveries
    assert 1 == len(first.deliveries)


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        basic(password="wrong"),
        basic(user="wrong"),
        basic(user=""),
        basic(password=PASSWORD + " "),
        "Basic !!!",
        "Basic",
        f"Bearer {basic()[6:]}",
        PASSWORD,
    ],
)
def test_a_forged_delivery_has_no_effect(authorization: str) -> None:
    """There is no signature, only the user and password of HTTP Basic ("Guide for Webhooks v2")."""
    with pytest.raises(AuthenticationError) as caught:
        read(delivery({}), authorization)

    assert PASSWORD not in f"{caught.value} {caught.value.advice}"


def test_a_forged_delivery_is_not_looked_into() -> None:
    """What is wrong with a body is nobody's business who has no password."""
    with pytest.raises(AuthenticationError):
        read(b"not json", "")


@pytest.mark.parametrize(
    ("stamp", "fresh"),
    [
        ("2026-06-10T11:59:58Z", True),
        ("2026-06-10 11:57:00", True),
        (str(int(NOON.timestamp()) - 60), True),  # the guide's table says ten characters, its sample is ISO
        (int(NOON.timestamp()) - 60, True),
        ("2026-06-10", True),
        (None, True),
        ("yesterday", True),
        ("2026-06-10T11:40:00Z", False),
        (str(int(NOON.timestamp()) - 1000), False),
        ("9999-12-31T23:59:59-12:00", False),
        ("0001-01-01T00:00:00+12:00", False),
        ("2026-06-10T12:06:00Z", False),
        ("2026-06-10T12:06:00+02:00", False),
    ],
)
def test_a_stale_delivery_has_no_effect(stamp: Any, fresh: bool) -> None:  # noqa: FBT001  a column of the table
    """Retries last three minutes; a delivery that says no time is only held against repetition."""
    if fresh:
        assert read(delivery({}, timestamp=stamp)).refs
    else:
        with pytest.raises(AuthenticationError, match="not of now"):
            read(delivery({}, timestamp=stamp))


def test_the_time_that_counts_is_the_arrival() -> None:
    """An event of a quarter of an hour ago still counts, one of an hour ago does not."""
    assert read(delivery({}), at=NOON + timedelta(minutes=14)).refs
    with pytest.raises(AuthenticationError):
        read(delivery({}), at=NOON + timedelta(hours=1))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b'{"meta": []}',
        b"[" * 100_000,
        b'{"meta": ' + b"1" * 2_000_000 + b"}",
        {"current": {"id": 7}, "previous": {}, "event": "updated.deal", "retry": 0, "meta": {"v": 1, "object": "deal"}},
        delivery({}, entity_id="7; drop"),
        delivery({}, entity_id=None),
        delivery({}, entity_id="-7"),
        delivery({}, entity_id=True),
        delivery({}, entity_id="9" * 40),
        {"meta": {"action": "change", "entity": "deal"}},
    ],
)
def test_a_hostile_body_is_refused(body: Any) -> None:
    """Also one of webhook version 1, which the default once was (pipedream PR #16245)."""
    with pytest.raises(RefusedError):
        read(body)


@pytest.mark.parametrize(
    "odd", [{"entity": ["deal"]}, {"entity": {"a": 1}}, {"merged_to_id": ["9"]}, {"webhook_id": "x" * 9999}]
)
def test_odd_values_do_no_harm(odd: dict[str, Any]) -> None:
    """What can't be understood names nothing, and names stay short."""
    hints = read(delivery({}, **odd))

    assert {ref(Kind.DEAL, "7")} >= set(hints.refs)
    assert all(len(name) < 700 for name in hints.deliveries)
