"""Outbound messages and change events as hints: genuine ones name records, all others have no effect."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crmbridge.errors import AuthenticationError, ConfigurationError, RefusedError
from crmbridge.model.records import Kind, Ref
from crmbridge.model.replacing import replace
from crmbridge.ports import Hints, WebhookRequest
from crmbridge.sandbox import SandboxOptions, VirtualClock, serve
from crmbridge.services.pull.hinting import receivers, reread_hints, take_delivery
from crmbridge.services.pull.pulling import pull
from crmbridge.testing.workspaces import make_bench
from crmbridge_salesforce import plugin
from crmbridge_salesforce.outbound import MOST
from crmbridge_salesforce.sandbox import build_org
from crmbridge_salesforce.webhook_settings import SalesforceWebhook
from crmbridge_salesforce.webhooks import LARGEST, read_webhook

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
ORG, DEAL = "00DSb0000000001MAA", "006Sb0000000001IAA"
SECRET = "a long secret"


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the secret where the settings find it."""
    monkeypatch.setenv("SF_HOOK", SECRET)


def make_settings(**overrides: Any) -> SalesforceWebhook:
    """Make the settings of a webhook."""
    return SalesforceWebhook.model_validate({"organization": ORG, "secret": {"env": "SF_HOOK"}, **overrides})


def make_notification(record: str = DEAL, kind: str = "Opportunity", number: int = 1, **columns: str) -> str:
    """Make one notification of an outbound message."""
    more = "".join(f"<sf:{name}>{value}</sf:{name}>" for name, value in columns.items())
    return (
        f"<Notification><Id>04lSb{number:010}</Id>"
        f'<sObject xsi:type="sf:{kind}" xmlns:sf="urn:sobject.enterprise.soap.sforce.com"><sf:Id>{record}</sf:Id>{more}'
        "</sObject></Notification>"
    )


def make_message(*notifications: str, organization: str = ORG, head: str = "") -> bytes:
    """Make an outbound message."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{head}'
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>'
        '<notifications xmlns="http://soap.sforce.com/2005/09/outbound">'
        f"<OrganizationId>{organization}</OrganizationId><ActionId>04kSb0000000001</ActionId>"
        '<SessionId xsi:nil="true"/><EnterpriseUrl>https://acme.my.salesforce.com</EnterpriseUrl>'
        f"{''.join(notifications or (make_notification(),))}</notifications></soapenv:Body></soapenv:Envelope>"
    ).encode()


def make_event(*ids: str, **header: Any) -> dict[str, Any]:
    """Make a change event's payload."""
    usual = {
        "entityName": "Opportunity",
        "recordIds": list(ids) or [DEAL],
        "changeType": "UPDATE",
        "transactionKey": "0002343d-9d90",
        "sequenceNumber": 1,
        "commitTimestamp": int(NOON.timestamp() * 1000),
    }
    return {"ChangeEventHeader": {**usual, **header}}


def read(body: bytes | Any, *, query: str = "?secret=a%20long%20secret", **overrides: Any) -> Hints:
    """Read a delivery; a body that is no bytes is sent as JSON."""
    usual: dict[str, Any] = {
        "connection": "sf",
        "method": "POST",
        "url": f"https://hooks.example/webhooks/sf{query}",
        "headers": {"content-type": "text/xml"},
        "body": body if isinstance(body, bytes) else json.dumps(body).encode(),
        "received_at": NOON,
    }
    settings = overrides.pop("settings", None) or make_settings()
    return read_webhook(settings, WebhookRequest(**{**usual, **overrides}))


def test_a_message_names_records_and_notifications() -> None:
    """Ids are told in their long form, once each; the notifications' ids tell a repetition."""
    body = make_message(
        make_notification(DEAL[:15]),
        make_notification(DEAL, number=2),
        make_notification("00TSb0000000001IAA", "Task", 3, WhatId=DEAL[:15]),
        make_notification("001Sb0000000001IAA", "Account", 4),
    )
    found = read(body)

    assert (
        Ref("sf", Kind.DEAL, DEAL),
        Ref("sf", Kind.ACTIVITY, "00TSb0000000001IAA"),
        Ref("sf", Kind.COMPANY, "001Sb0000000001IAA"),
    ) == found.refs
    assert tuple(f"04lSb{number:010}" for number in (1, 2, 3, 4)) == found.deliveries
    assert not found.whole
    assert found == read(body)


@pytest.mark.parametrize(
    ("columns", "refs", "whole"),
    [({"OpportunityId": DEAL}, (Ref("sf", Kind.DEAL, DEAL),), False), ({}, (), True)],
)
def test_a_contact_role_is_about_its_deal(columns: dict[str, str], refs: tuple[Ref, ...], *, whole: bool) -> None:
    """Where the message does not say which deal, a pull finds out."""
    found = read(make_message(make_notification("00KSb0000000001IAA", "OpportunityContactRole", **columns)))

    assert (refs, whole) == (found.refs, found.whole)


def test_records_that_are_none_of_ours_have_no_effect() -> None:
    """A lead, say; the message is still taken, or Salesforce would send it for a day."""
    found = read(make_message(make_notification("00QSb0000000001IAA", "Lead")))

    assert ((), False, 1) == (found.refs, found.whole, len(found.deliveries))


def test_the_answer_is_an_acknowledgement() -> None:
    """Salesforce repeats what is not acknowledged in its own form."""
    spec = plugin.crmbridge_adapters()[0].webhooks
    assert spec is not None
    body, content_type = spec.acknowledge

    assert "text/xml" == content_type
    ack = "{http://soap.sforce.com/2005/09/outbound}Ack"
    assert "true" == ET.fromstring(body).findtext(f".//{ack}")  # noqa: S314  the text is ours
    assert isinstance(read(make_message()), Hints)
    assert SalesforceWebhook is spec.settings


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("", {}),
        ("?secret=", {}),
        ("?secret=wrong", {"x-crmbridge-secret": SECRET}),
        ("?secret=a%20long%20secret&secret=wrong", {}),
        ("?SECRET=a%20long%20secret", {}),
        ("", {"x-crmbridge-secret": SECRET + " "}),
        ("?secret=%ff%00é", {}),
    ],
)
def test_a_wrong_secret_is_refused(query: str, headers: dict[str, str]) -> None:
    """Before anything of the body is looked at."""
    with pytest.raises(AuthenticationError, match="without the right secret"):
        read(b"<broken", query=query, headers=headers)


def test_an_empty_secret_opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither does a delivery without one match it, nor is it taken from the settings."""
    monkeypatch.setenv("SF_HOOK", " ")
    with pytest.raises(ConfigurationError, match="SF_HOOK"):
        read(make_message(), query="?secret=")


def test_the_secret_may_stand_in_a_header() -> None:
    """A relay of change events can set one."""
    found = read(make_event(), query="", headers={"x-crmbridge-secret": SECRET})

    assert (Ref("sf", Kind.DEAL, DEAL),) == found.refs


def test_another_org_is_refused() -> None:
    """A message names its org, in either form of an id."""
    assert read(make_message(organization=ORG[:15])).refs
    with pytest.raises(AuthenticationError, match="from another org"):
        read(make_message(organization="00DSb0000000002MAA"))


HOSTILE = {
    "doctype": make_message(head="<!DOCTYPE x>"),
    "entities": make_message(head='<!DOCTYPE x [<!ENTITY a "b"><!ENTITY c "&a;&a;">]>'),
    "outside": make_message(head='<!DOCTYPE x SYSTEM "file:///etc/passwd">'),
    **{
        f"in {name}": f'<?xml version="1.0" encoding="{name}"?><a>x</a>'.encode()
        for name in ("rot_13", "zlib", "idna", "punycode", "utf-7", "utf_32", "undefined", "nope")
    },
    "cut off": make_message()[:-20],
    "nothing": b"",
    "no XML": b"hello",
    "deep": b"<a>" * 5000,
    "long value": make_message(make_notification(Description="x" * 200_000)),
    "large": b"<a>" + b" " * LARGEST + b"</a>",
    "many": make_message(*(make_notification(number=number) for number in range(MOST + 1))),
    "no record": make_message("<Notification><Id>04lSb0000000001</Id></Notification>"),
    "odd record": make_message(make_notification("../../x")),
    "other namespace": make_message().replace(b"2005/09/outbound", b"2005/09/other"),
    "other root": make_message().replace(b"soapenv:Envelope", b"soapenv:Wrapper"),
    "no notifications": make_message(" "),
    "no header": b'{"payload": {"Name": "x"}}',
    "odd JSON": b"[1, 2",
    "a list of numbers": b"[1]",
    "no time": json.dumps(make_event(commitTimestamp=None)).encode(),
    "no key": json.dumps(make_event(transactionKey=None)).encode(),
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_what_can_not_be_read_is_refused(body: bytes) -> None:
    """Document types and entities are never looked into, and sizes have limits."""
    with pytest.raises(RefusedError, match="sf: a webhook can't be read"):
        read(body)


@example(b"[]")
@given(st.binary(max_size=300) | st.text(alphabet='<>/?!&; "=[]{}:,0aNotification').map(str.encode))
def test_any_body_is_read_or_refused(body: bytes) -> None:
    """Nothing else than a refusal comes of it."""
    with pytest.raises((RefusedError, AuthenticationError)):
        read(body)


def test_change_events_come_alone_or_several_and_wrapped() -> None:
    """As a relay passes them on: bare, with a payload, or as CometD's data.

    One event may be about several records (CDC Developer Guide, "Merged Change Events").
    """
    bare, other = make_event(DEAL, "006Sb0000000002IAA"), make_event("003Sb0000000001IAA", sequenceNumber=2)
    found = read([bare, {"data": {"payload": other, "event": {"replayId": 7}}}])

    assert ["006Sb0000000001IAA", "006Sb0000000002IAA", "003Sb0000000001IAA"] == [ref.id for ref in found.refs]
    assert ("0002343d-9d90|1|Opportunity", "0002343d-9d90|2|Opportunity") == found.deliveries
    assert found.refs[:2] == read({"payload": bare}).refs


@pytest.mark.parametrize(
    ("header", "refs"),
    [
        ({"changeType": "GAP_OVERFLOW", "recordIds": []}, 0),
        ({"changeType": "GAP_OVERFLOW", "recordIds": ["000000000000000AAA"]}, 0),
        ({"recordIds": ["006*"]}, 0),
        ({"recordIds": [DEAL, 5]}, 1),
        ({"recordIds": None}, 0),
        ({"entityName": "OpportunityContactRole", "recordIds": ["00KSb0000000001IAA"]}, 0),
    ],
)
def test_changes_that_are_not_named_call_for_a_pull(header: dict[str, Any], refs: int) -> None:
    """An overflow leaves ids out (CDC Developer Guide, "Overflow Events"); a gap event with ids names its records."""
    found = read(make_event(**header))

    assert (True, refs) == (found.whole, len(found.refs))
    assert not read(make_event(changeType="GAP_UPDATE")).whole


@pytest.mark.parametrize("age", [timedelta(hours=25), timedelta(minutes=-6)])
def test_a_stale_event_is_refused(age: timedelta) -> None:
    """One that was committed long ago, or will be."""
    with pytest.raises(AuthenticationError, match="not of now"):
        read(make_event(), received_at=NOON + age)
    assert (
        read(make_event(), received_at=NOON + age, settings=make_settings(max_age_hours=48)) if age.days > 0 else True
    )


@pytest.mark.parametrize("organization", ["", "00D", "001Sb0000000001IAA", f"{ORG}x"])
def test_settings_want_an_org(organization: str) -> None:
    """Fifteen or eighteen characters that begin with 00D."""
    with pytest.raises(ValueError, match="organization"):
        make_settings(organization=organization)


def test_a_message_brings_the_record_before_the_next_pull(monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the whole house: noted once, read again, and nothing for a repetition or a forgery."""
    sandbox = build_org(SandboxOptions(seed=3, deals=5, clock=VirtualClock(NOON)), multi_currency=False)
    with serve(sandbox) as org:
        monkeypatch.setenv("SF_TOKEN", org.token)
        hook = {"organization": ORG, "secret": {"env": "SF_HOOK"}}
        settings = {"adapter": "salesforce", "base_url": org.url, "token": {"env": "SF_TOKEN"}, "currency": "EUR"}
        bench = make_bench(connections={"sf": {**settings, "webhook": hook}}, sync=[], plugins={"salesforce": plugin})
        with contextlib.closing(bench.workspace) as workspace:
            pull(workspace)
            deal = org.sandbox.state.deal_ids()[0]
            org.sandbox.state.edit_deal(deal, Name="Told at once")
            receiver = receivers(workspace)["sf"]
            url = "https://hooks.example/webhooks/sf?secret="
            body = make_message(make_notification(deal))
            request = WebhookRequest(
                connection="sf", method="POST", url=f"{url}a%20long%20secret", headers={}, body=body, received_at=NOON
            )
            with pytest.raises(AuthenticationError):
                take_delivery(workspace, receiver, replace(request, url=f"{url}forged"))
            noted = [take_delivery(workspace, receiver, request).noted for _ in range(2)]
            reread = [reread_hints(workspace, "sf") for _ in range(2)]
            ref = Ref("sf", Kind.DEAL, deal)
            found = workspace.store.records.get([ref])[ref]

    assert ([1, 0], [1, 0]) == (noted, reread)
    assert "Told at once" == found.fields["name"]
