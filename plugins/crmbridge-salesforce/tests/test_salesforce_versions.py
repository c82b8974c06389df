"""API versions, the steps that an admin is told, and what describe says of an org."""

from __future__ import annotations

from datetime import date

import pytest

from crmbridge.errors import ConfigurationError
from crmbridge.model.values import FieldType
from crmbridge.ports import FieldWish
from crmbridge.sandbox import Served
from crmbridge_salesforce import plugin
from crmbridge_salesforce.adapter import SalesforceAdapter
from crmbridge_salesforce.settings import SalesforceSettings
from crmbridge_salesforce.versions import DEFAULT_VERSION, supported_until

from .orgs import Opener


@pytest.mark.parametrize(
    ("version", "until"),
    [
        ("30.0", None),  # gone since Summer '25
        ("31.0", date(2027, 6, 1)),
        ("40.0", date(2027, 6, 1)),
        ("50.0", date(2027, 6, 1)),  # its three years are over, and one year's notice has not been given
        ("65.0", date(2028, 10, 1)),
        ("66.0", date(2029, 2, 1)),
        ("67.0", date(2029, 6, 1)),
        ("68.0", date(2029, 10, 1)),
    ],
)
def test_how_long_a_version_is_served(version: str, until: date | None) -> None:
    """As announced for old ones, else three years from the release (REST API "API End-of-Life Policy")."""
    assert until == supported_until(version)


def test_describe_says_until_when(org: Served, adapter: SalesforceAdapter, open_adapter: Opener) -> None:
    """People are warned before a pinned version is switched off; the default one is current."""
    described = adapter.describe()

    assert (DEFAULT_VERSION, date(2029, 6, 1)) == (described.api_version, described.api_supported_until)
    old = open_adapter(org.url, org.token, api_version="35.0").describe()
    assert ("35.0", date(2027, 6, 1)) == (old.api_version, old.api_supported_until)


def test_a_version_that_is_gone_says_which_to_set(org: Served, open_adapter: Opener) -> None:
    """410 GONE is a setting to mend (Help "Salesforce Platform API Versions 21.0 through 30.0 Retirement")."""
    with pytest.raises(ConfigurationError, match="410") as caught:
        open_adapter(org.url, org.token, api_version="29.0").describe()

    assert f'api_version: "{DEFAULT_VERSION}"' in caught.value.advice


def test_the_version_is_in_every_path(org: Served, open_adapter: Opener) -> None:
    """One setting, no call beside it."""
    open_adapter(org.url, org.token, api_version="66.0").describe()

    assert {"v66.0"} == {request.path.split("/")[3] for request in org.sandbox.log.all()}


def test_the_external_key_that_is_wanted(adapter: SalesforceAdapter) -> None:
    """Unique: otherwise writing by it needs View All Data, and doubles are possible ("sObject Rows by External ID")."""
    described = adapter.describe()
    assert described.key_wish is not None
    assert ("CrmBridge_Key__c", FieldType.TEXT, True) == (
        described.key_wish.name,
        described.key_wish.type,
        described.key_wish.unique,
    )
    assert described.key_field is not None
    assert described.key_wish.name == described.key_field.name


def test_options_show_what_people_see(org: Served, adapter: SalesforceAdapter) -> None:
    """Values are what is written and compared; labels are translated and only shown."""
    fields = {field.name: field for field in adapter.describe().fields}

    assert "Closed Won" in fields["StageName"].options
    assert {} == dict(fields["StageName"].option_labels)


@pytest.mark.parametrize("type_", list(FieldType))
def test_an_admin_is_told_how_to_make_a_field(type_: FieldType) -> None:
    """Exact steps in Setup, to the field-level security that makes it visible to the integration user."""
    spec = next(iter(plugin.crmbridge_adapters()))
    assert spec.steps is not None
    wish = FieldWish(name="Pains__c", label="Pains", type=type_, options=("a", "b"))
    told = " ".join(spec.steps(wish))

    for words in ("Object Manager → Opportunity", "Field Name: Pains,", "Field-level security", "a, b", "Pains__c"):
        assert words in told
    assert "External ID" not in told


def test_an_admin_is_told_how_to_make_the_key() -> None:
    """Text, External ID and Unique: all three are needed."""
    spec = next(iter(plugin.crmbridge_adapters()))
    assert spec.steps is not None
    told = " ".join(spec.steps(FieldWish(name="K__c", label="Key", type=FieldType.TEXT, unique=True)))

    assert "Text, length 255" in told
    assert "Unique (case-insensitive) and External ID" in told


def test_the_old_name_of_the_daily_share_still_counts() -> None:
    """Settings files of the first version say api_share."""
    base = {"token": {"env": "T"}, "domain": "acme"}

    assert 0.5 == SalesforceSettings.model_validate({**base, "api_share": 0.5}).day_share
    assert 0.3 == SalesforceSettings.model_validate({**base, "day_share": 0.3}).day_share


def test_the_org_says_how_much_of_its_day_is_left(org: Served, adapter: SalesforceAdapter) -> None:
    """Every answer carries the figure, and the budget holds it."""
    adapter.describe()
    budget = adapter._org._client._budget

    assert 80_000 == budget._watches[0].limit
