"""Only what HubSpot signed just now is taken, and it names the records to re-read and nothing else."""

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from crmbridge.errors import AuthenticationError, RefusedError
from crmbridge.model.records import Kind, Ref
from crmbridge.model.replacing import replace
from crmbridge.ports import Hints, WebhookRequest
from crmbridge.testing.factories import NOON
from crmbridge_hubspot import plugin

URL = "https://hooks.acme.example/hooks/hs"
SECRET = "app-client-secret"
CHANGE = {
    "eventId": 3181526809,
    "subscriptionId": 22,
    "portalId": 33,
    "appId": 1160452,
    "occurredAt": 1771545600123,
    "subscriptionType": "deal.propertyChange",
    "attemptNumber": 0,
    "objectId": 18200000037,
    "changeSource": "CRM_UI",
    "propertyName": "dealstage",
    "propertyValue": "closedwon",
}


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    """Keep the app's client secret in a file."""
    (tmp_path / "secret").write_text(SECRET)
    return tmp_path / "secret"


class Receiver:
    """Reads deliveries as the core does: through what the plugin offers."""

    def __init__(self, secret_file: Path) -> None:
        self._secret = {"file": str(secret_file)}
        spec = next(iter(plugin.crmbridge_adapters())).webhooks
        assert spec is not None
        self._spec = spec

    def read(self, request: WebhookRequest, **settings: Any) -> Hints:
        """Read a delivery with these webhook settings."""
        return self._spec.read(self._spec.settings.model_validate({"secret": self._secret, **settings}), request)

    def hints(self, *events: Any, **settings: Any) -> Hints:
        """Read a genuine delivery of these events."""
        return self.read(sign(json.dumps(events).encode()), **settings)


@pytest.fixture
def receiver(secret_file: Path) -> Receiver:
    """Give what reads deliveries."""
    return Receiver(secret_file)


def sign(body: bytes, *, url: str = URL, signed: str = "", secret: str = SECRET, age: float = 0) -> WebhookRequest:
    """Sign a delivery as HubSpot does; `signed` is the address that goes into the signature."""
    timestamp = str(int((NOON - timedelta(seconds=age)).timestamp() * 1000))
    source = b"POST" + (signed or url).encode() + body + timestamp.encode()
    signature = base64.b64encode(hmac.new(secret.encode(), source, hashlib.sha256).digest()).decode()
    headers = {"x-hubspot-signature-v3": signature, "x-hubspot-request-timestamp": timestamp}
    return WebhookRequest(connection="hs", method="POST", url=url, headers=headers, body=body, received_at=NOON)


BODY = json.dumps([CHANGE]).encode()


def deal(record_id: int) -> Ref:
    """Name a deal."""
    return Ref("hs", Kind.DEAL, str(record_id))


# ── Genuine or not ──────────────────────────────────────────────────────────────────────────────────────


def test_a_genuine_delivery_names_its_record(receiver: Receiver) -> None:
    """Signed over method, address, raw body and time ("Validating requests")."""
    hints = receiver.read(sign(BODY))

    assert ((deal(18200000037),), False) == (hints.refs, hints.whole)
    assert ("33:22:3181526809:18200000037:1771545600123",) == hints.deliveries


def test_a_known_signature_is_computed_alike() -> None:
    """What HubSpot's own Python client computes is what these tests send."""
    signature = pytest.importorskip("hubspot.utils.signature").Signature
    request = sign(BODY)
    timestamp = request.headers["x-hubspot-request-timestamp"]

    assert request.headers["x-hubspot-signature-v3"] == signature.get_signature(
        SECRET, BODY.decode(), "v3", URL, "POST", timestamp
    )


@pytest.mark.parametrize(
    "change",
    [
        {"body": BODY + b" "},
        {"body": BODY.replace(b"37", b"38")},
        {"body": json.dumps([CHANGE], indent=1).encode()},
        {"url": URL + "?x=1"},
        {"url": URL.replace("https", "http")},
        {"method": "PUT"},
        {"method": "post"},
    ],
)
def test_a_changed_delivery_is_forged(receiver: Receiver, change: dict[str, Any]) -> None:
    """One byte of body, address or method is enough; the body is not read as JSON and written anew before."""
    with pytest.raises(AuthenticationError):
        receiver.read(replace(sign(BODY), **change))


def test_another_secret_is_forged(receiver: Receiver) -> None:
    """And the error says what to compare, without the secret."""
    with pytest.raises(AuthenticationError) as refused:
        receiver.read(sign(BODY, secret="another"))

    assert "client secret" in refused.value.advice
    assert SECRET not in f"{refused.value.message} {refused.value.advice}"


@pytest.mark.parametrize(
    ("age", "taken"), [(0, True), (300, True), (301, False), (86_400, False), (-60, True), (-61, False)]
)
def test_old_and_future_deliveries_are_not_taken(receiver: Receiver, age: int, *, taken: bool) -> None:
    """Five minutes at most, and no more ahead than clocks differ ("Validating requests")."""
    if taken:
        assert receiver.read(sign(BODY, age=age)).refs
        return
    with pytest.raises(AuthenticationError):
        receiver.read(sign(BODY, age=age))


def test_the_window_can_be_narrower_only(receiver: Receiver) -> None:
    """`max_age` is 300 seconds when not said, and never more."""
    with pytest.raises(AuthenticationError):
        receiver.read(sign(BODY, age=31), max_age=30)
    with pytest.raises(ValidationError):
        receiver.read(sign(BODY), max_age=301)


def test_a_new_time_on_an_old_delivery_is_forged(receiver: Receiver) -> None:
    """The time is signed too, so a stale delivery can't be made fresh."""
    old, fresh = sign(BODY, age=3600), sign(BODY)
    name = "x-hubspot-request-timestamp"
    with pytest.raises(AuthenticationError):
        receiver.read(replace(old, headers={**old.headers, name: fresh.headers[name]}))


def test_a_replay_and_a_retry_have_the_same_name(receiver: Receiver) -> None:
    """HubSpot delivers at least once: a second attempt has another number and time, and is the same delivery."""
    again = json.dumps([{**CHANGE, "attemptNumber": 1}]).encode()
    deliveries = {receiver.read(request).deliveries for request in (sign(BODY), sign(BODY), sign(again, age=60))}

    assert 1 == len(deliveries)


@pytest.mark.parametrize("missing", ["x-hubspot-signature-v3", "x-hubspot-request-timestamp"])
def test_without_its_headers_nothing_is_taken(receiver: Receiver, missing: str) -> None:
    """An empty header counts as missing."""
    request = sign(BODY)
    for headers in ({n: v for n, v in request.headers.items() if n != missing}, {**request.headers, missing: ""}):
        with pytest.raises(AuthenticationError, match=missing):
            receiver.read(replace(request, headers=headers))


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_old_signatures_are_not_enough(receiver: Receiver, version: str) -> None:
    """Versions 1 and 2 are sent alongside and carry no time, so whoever has one can send it for ever."""
    source = SECRET.encode() + (b"" if version == "v1" else f"POST{URL}".encode()) + BODY
    headers = {
        "x-hubspot-signature": hashlib.sha256(source).hexdigest(),
        "x-hubspot-signature-version": version,
        "x-hubspot-request-timestamp": sign(BODY).headers["x-hubspot-request-timestamp"],
    }
    with pytest.raises(AuthenticationError, match="version 1 and 2"):
        receiver.read(replace(sign(BODY), headers=headers))


@pytest.mark.parametrize("timestamp", ["", "now", "-1", "1e12", "١٧٧١٥٤٥٦٠٠٠٠٠", "9" * 15, "9" * 400, " 1771545600000"])
def test_a_time_that_is_none(receiver: Receiver, timestamp: str) -> None:
    """Even when it is signed."""
    source = b"POST" + URL.encode() + BODY + timestamp.encode()
    signature = base64.b64encode(hmac.new(SECRET.encode(), source, hashlib.sha256).digest()).decode()
    headers = {"x-hubspot-signature-v3": signature, "x-hubspot-request-timestamp": timestamp}
    with pytest.raises(AuthenticationError):
        receiver.read(replace(sign(BODY), headers=headers))


@pytest.mark.parametrize("signature", ["é", "\udc80", "=", "A" * 44, "A" * 100_000])
def test_a_signature_of_any_letters_is_only_wrong(receiver: Receiver, signature: str) -> None:
    """Nothing else happens."""
    request = sign(BODY)
    with pytest.raises(AuthenticationError):
        receiver.read(replace(request, headers={**request.headers, "x-hubspot-signature-v3": signature}))


@pytest.mark.parametrize(
    ("url", "signed"),
    [
        (f"{URL}?to=a%40b.example%3A1", f"{URL}?to=a@b.example:1"),  # as HubSpot's page says
        (f"{URL}?to=a%40b.example%3a1", f"{URL}?to=a@b.example:1"),
        (f"{URL}?to=a%40b.example", f"{URL}?to=a%40b.example"),  # as its clients compute it
        (f"{URL}?q=a%20b%26c", f"{URL}?q=a%20b%26c"),  # these two are never decoded
    ],
)
def test_escapes_in_the_address(receiver: Receiver, url: str, signed: str) -> None:
    """Some are decoded before HubSpot signs, and some are not ("Validating requests")."""
    assert receiver.read(sign(BODY, url=url, signed=signed)).refs


def test_escapes_are_not_decoded_twice(receiver: Receiver) -> None:
    """Or another address would fit."""
    with pytest.raises(AuthenticationError):
        receiver.read(sign(BODY, url=f"{URL}?x=%2540", signed=f"{URL}?x=@"))


def test_behind_a_proxy_the_target_url_counts(receiver: Receiver) -> None:
    """HubSpot signs the address that it called, not the one that the proxy calls."""
    inside = sign(BODY, url="http://10.0.0.7:8080/hooks/hs", signed=URL)

    assert receiver.read(inside, url=URL).refs
    with pytest.raises(AuthenticationError):
        receiver.read(inside)


# ── What it says ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("what", ["creation", "deletion", "propertyChange", "restore"])
@pytest.mark.parametrize(
    ("subject", "type_id", "kind"),
    [("deal", "0-3", Kind.DEAL), ("company", "0-2", Kind.COMPANY), ("contact", "0-1", Kind.CONTACT)],
)
def test_every_change_of_a_record_names_it(
    receiver: Receiver, what: str, subject: str, type_id: str, kind: Kind
) -> None:
    """By the old names and by the generic ones ("Generic webhook subscriptions")."""
    old = {**CHANGE, "subscriptionType": f"{subject}.{what}", "objectId": 5}
    generic = {**CHANGE, "subscriptionType": f"object.{what}", "objectTypeId": type_id, "objectId": 5}

    for event in (old, generic):
        hints = receiver.hints(event)
        assert ((Ref("hs", kind, "5"),), False) == (hints.refs, hints.whole)


@pytest.mark.parametrize(
    ("type_id", "ref"),
    [
        ("0-27", Ref("hs", Kind.ACTIVITY, "task-5")),
        ("0-46", Ref("hs", Kind.NOTE, "5")),
        ("0-47", Ref("hs", Kind.ACTIVITY, "meeting-5")),
        ("0-48", Ref("hs", Kind.ACTIVITY, "call-5")),
        ("0-49", Ref("hs", Kind.ACTIVITY, "email-5")),
    ],
)
def test_activities_are_named_as_they_are_pulled(receiver: Receiver, type_id: str, ref: Ref) -> None:
    """Ids are unique in an object type only, so the type is in the name."""
    event = {**CHANGE, "subscriptionType": "object.propertyChange", "objectTypeId": type_id, "objectId": 5}

    assert (ref,) == receiver.hints(event).refs


def test_a_merge_names_all_ids(receiver: Receiver) -> None:
    """The primary record's, those that are gone, and the new one, if there is one ("New subscription types")."""
    merge = {"subscriptionType": "deal.merge", "primaryObjectId": 1, "mergedObjectIds": [2, "3"], "newObjectId": 4}
    hints = receiver.hints({**CHANGE, **merge, "objectId": 1})

    assert {deal(1), deal(2), deal(3), deal(4)} == set(hints.refs)
    assert not hints.whole


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"associationType": "DEAL_TO_CONTACT"}, {deal(1), Ref("hs", Kind.CONTACT, "2")}),
        ({"associationType": "deal_to_company_unlabeled"}, {deal(1)}),
        ({"fromObjectTypeId": "0-3", "toObjectTypeId": "0-2"}, {deal(1), Ref("hs", Kind.COMPANY, "2")}),
        ({"associationType": "DEAL_TO_TICKET"}, {deal(1)}),
        ({}, {deal(1)}),
    ],
)
def test_a_link_names_both_ends(receiver: Receiver, event: dict[str, Any], expected: set[Ref]) -> None:
    """As far as crmbridge knows their types; a removed link is told alike."""
    ends = {"subscriptionType": "deal.associationChange", "fromObjectId": 1, "toObjectId": 2}
    link = {**{n: v for n, v in CHANGE.items() if n != "objectId"}, **ends, "associationRemoved": True, **event}
    hints = receiver.hints(link)

    assert (expected, False) == (set(hints.refs), hints.whole)
    assert ("33:22:3181526809:1-2:1771545600123",) == hints.deliveries


@pytest.mark.parametrize(
    "event",
    [
        {"subscriptionType": "ticket.creation"},
        {"subscriptionType": "object.creation", "objectTypeId": "2-1234"},
        {"subscriptionType": "object.creation"},
        {"subscriptionType": "conversation.newMessage"},
        {"subscriptionType": "deal.somethingNew"},
        {"subscriptionType": "deal.merge", "objectId": None},
        {"subscriptionType": 7},
    ],
)
def test_what_cannot_be_named_asks_for_a_pull(receiver: Receiver, event: dict[str, Any]) -> None:
    """Better one pull too many than a change that is not seen."""
    hints = receiver.hints({**CHANGE, **event})

    assert ((), True) == (hints.refs, hints.whole)
    assert 1 == len(hints.deliveries)


def test_a_hundred_events_name_each_record_once(receiver: Receiver) -> None:
    """Every event is a delivery of its own; a record that changed often is one hint."""
    events = [{**CHANGE, "eventId": number, "objectId": number % 10} for number in range(100)]
    hints = receiver.hints(*events)

    assert (10, 100) == (len(hints.refs), len(hints.deliveries))


def test_events_of_other_accounts_are_ignored(receiver: Receiver) -> None:
    """An app that is in several accounts gets all their events at one address; ids are unique in an account only."""
    hints = receiver.hints(CHANGE, {**CHANGE, "portalId": 34, "objectId": 9}, portal=33)

    assert ((deal(18200000037),), 1) == (hints.refs, len(hints.deliveries))
    assert 2 == len(receiver.hints(CHANGE, {**CHANGE, "portalId": 34, "objectId": 9}).refs)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"null",
        b'"text"',
        b"[1]",
        b"[[]]",
        b"[null]",
        b"not json",
        b"\xff\xfe[]",
        b"[" * 100_000,
        b"[{}" + b",{}" * 2_000 + b"]",
        b"[" + b" " * 1_000_000 + b"]",
        b'[{"subscriptionType":"deal.creation","objectId":{"a":1}}]',
        b'[{"subscriptionType":"deal.creation","objectId":true}]',
        b'[{"subscriptionType":"deal.creation","objectId":1.5}]',
        b'[{"subscriptionType":"deal.creation","objectId":-1}]',
        b'[{"subscriptionType":"deal.creation","objectId":"1; drop"}]',
        b'[{"subscriptionType":"deal.creation","objectId":' + b"9" * 5_000 + b"}]",
        b'[{"subscriptionType":"deal.merge","mergedObjectIds":{"a":1}}]',
        b'[{"subscriptionType":"deal.merge","mergedObjectIds":[[1]]}]',
        b'[{"subscriptionType":"deal.creation","objectId":1,"portalId":[]}]',
    ],
)
def test_a_body_that_is_not_hubspots_is_refused(receiver: Receiver, body: bytes) -> None:
    """Although it is signed; and nothing of it is half taken."""
    with pytest.raises(RefusedError):
        receiver.read(sign(body))


def test_what_is_not_signed_is_not_read(receiver: Receiver) -> None:
    """A hostile body of somebody without the secret is only forged."""
    with pytest.raises(AuthenticationError):
        receiver.read(sign(b"[" * 100_000, secret="another"))
