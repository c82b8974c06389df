"""What the `webhook` part of a Salesforce connection can say."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from crmbridge.settings import Secret, SettingsPart

# What Salesforce wants to hear; without it, it sends the message again for up to a day.
ACK = (
    b'<?xml version="1.0" encoding="UTF-8"?>'
    b'<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
    b'<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack></notificationsResponse>'
    b"</soapenv:Body></soapenv:Envelope>"
)


class SalesforceWebhook(SettingsPart):
    """How deliveries are checked: a secret that the caller knows, and the org that an outbound message must name.

    Salesforce signs nothing, and since February 2026 its messages carry no session id either. So `secret` stands in
    the endpoint's URL (`?secret=...`) or, from a relay of change events, in the header `X-CrmBridge-Secret`. A message
    is sent again for up to a day; a change event older than `max_age_hours` is not taken.
    """

    organization: Annotated[str, Field(pattern=r"^00D[0-9A-Za-z]{12}(?:[0-9A-Za-z]{3})?$")]
    secret: Secret
    max_age_hours: Annotated[int, Field(ge=1, le=96)] = 24
