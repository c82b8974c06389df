"""HubSpot's own Python client does its usual work against the sandbox, unchanged but for the host it is given."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hubspot import HubSpot
from hubspot.crm.associations.v4.models import (
    AssociationSpec as LinkSpec,
)
from hubspot.crm.associations.v4.models import (
    BatchInputPublicAssociationMultiArchive,
    BatchInputPublicAssociationMultiPost,
    BatchInputPublicDefaultAssociationMultiPost,
    BatchInputPublicFetchAssociationsBatchRequest,
    PublicAssociationMultiArchive,
    PublicAssociationMultiPost,
    PublicDefaultAssociationMultiPost,
    PublicFetchAssociationsBatchRequest,
    PublicObjectId,
)
from hubspot.crm.contacts.exceptions import ApiException as ContactsApiException
from hubspot.crm.deals import (
    BatchInputSimplePublicObjectBatchInput,
    BatchInputSimplePublicObjectBatchInputForCreate,
    BatchInputSimplePublicObjectBatchInputUpsert,
    BatchInputSimplePublicObjectId,
    BatchReadInputSimplePublicObjectId,
    PublicMergeInput,
    PublicObjectSearchRequest,
    SimplePublicObjectInput,
    SimplePublicObjectInputForCreate,
)
from hubspot.crm.deals.exceptions import ApiException as DealsApiException
from hubspot.crm.objects.notes import SimplePublicObjectInputForCreate as NoteInput
from hubspot.crm.objects.tasks import SimplePublicObjectInputForCreate as TaskInput
from hubspot.crm.properties import OptionInput, PropertyCreate, PropertyUpdate
from hubspot.oauth.exceptions import ApiException as OauthApiException
from hubspot.utils.objects import fetch_all

from crmbridge.http import load_json
from crmbridge.sandbox import SandboxOptions, Served, VirtualClock, serve
from crmbridge_hubspot.sandbox import build

QUALIFIED = {"dealname": "By the client", "dealstage": "qualifiedtobuy"}


@pytest.fixture
def served(clock: VirtualClock) -> Iterator[Served]:
    """Serve an account with a few deals."""
    with serve(build(SandboxOptions(seed=3, deals=25, clock=clock))) as open_sandbox:
        yield open_sandbox


@pytest.fixture
def client(served: Served) -> HubSpot:
    """Point HubSpot's client at the sandbox; `host` is one of the settings of its configuration."""
    return HubSpot(access_token=served.token, host=served.url)


def deal_ids(state: Any, count: int) -> list[str]:
    """Give the ids of a few deals."""
    return list(state.deal_ids()[:count])


def said(error: Any) -> tuple[int, str]:
    """Give the status of the client's error, and the category in its body."""
    return error.value.status, load_json(error.value.body)["category"]


# ── Reading ─────────────────────────────────────────────────────────────────────────────────────────────


def test_pages_of_deals_with_properties(client: HubSpot, state: Any) -> None:
    """Its walk over all pages sends the properties with each (hubspot-api-python#248) and ends."""
    first = client.crm.deals.basic_api.get_page(limit=10, properties=["dealname", "bant_budget"])
    everything = client.crm.deals.get_all(properties=["dealname", "bant_budget"])

    assert 10 == len(first.results)
    assert first.paging.next.after
    assert state.deal_ids() == [deal.id for deal in everything]
    assert all(set(deal.properties) >= {"dealname", "bant_budget"} for deal in everything)


def test_history_comes_at_most_fifty_a_page(client: HubSpot, state: Any) -> None:
    """100 are refused (hubspot-api-python#143); the newest entry comes first."""
    with pytest.raises(DealsApiException) as refused:
        client.crm.deals.basic_api.get_page(limit=100, properties_with_history=["dealstage"])
    listed = client.crm.deals.get_all(properties_with_history=["dealstage"])

    assert (400, "VALIDATION_ERROR") == said(refused)
    times = [[entry.timestamp for entry in deal.properties_with_history["dealstage"]] for deal in listed]
    assert [sorted(each, reverse=True) for each in times] == times
    assert len(state.deal_ids()) == len(times)


def test_one_deal_with_its_links_in_line(client: HubSpot, state: Any) -> None:
    """The company comes twice: as the primary one and unlabelled (airbyte#56447)."""
    deal = client.crm.deals.basic_api.get_by_id(deal_ids(state, 1)[0], associations=["companies", "contacts"])
    companies = deal.associations["companies"].results

    assert ["deal_to_company", "deal_to_company_unlabeled"] == [each.type for each in companies]
    assert 1 == len({each.id for each in companies})
    assert {"deal_to_contact"} == {each.type for each in deal.associations["contacts"].results}


def test_search(client: HubSpot, state: Any) -> None:
    """Filters, one sort and pages of a search; the time of a record is its own."""
    request = PublicObjectSearchRequest(
        filter_groups=[{"filters": [{"propertyName": "pipeline", "operator": "EQ", "value": "default"}]}],
        sorts=[{"propertyName": "hs_lastmodifieddate", "direction": "ASCENDING"}],
        properties=["hs_lastmodifieddate"],
        limit=20,
        after="0",
    )
    found = client.crm.deals.search_api.do_search(public_object_search_request=request)
    times = [deal.properties["hs_lastmodifieddate"] for deal in found.results]

    assert (len(state.deal_ids()), "20") == (found.total, found.paging.next.after)
    assert sorted(times) == times


def test_batch_read_with_history_and_with_the_missing(client: HubSpot, state: Any) -> None:
    """What is there comes although something is missing, as 207 (hubspot-api-php#619)."""
    wanted = deal_ids(state, 2)
    request = BatchReadInputSimplePublicObjectId(
        properties=["dealname"],
        properties_with_history=["dealstage"],
        inputs=[{"id": each} for each in [*wanted, "404"]],
    )
    read = client.crm.deals.batch_api.read(batch_read_input_simple_public_object_id=request)

    assert wanted == [deal.id for deal in read.results]
    assert {"404"} == {each for error in read.errors for each in error.context["ids"]}
    assert all(deal.properties_with_history["dealstage"] for deal in read.results)


def test_a_unique_property_finds_a_deal(client: HubSpot, state: Any) -> None:
    """By `idProperty`, without the search index ("Properties" guide)."""
    deal = deal_ids(state, 1)[0]
    state.edit_deal(deal, crmbridge_key="K-1")

    assert deal == client.crm.deals.basic_api.get_by_id("K-1", id_property="crmbridge_key").id


# ── Writing ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_deal_from_creation_to_the_bin(client: HubSpot, state: Any) -> None:
    """Create with a link, update, archive; only the archived list still has it."""
    company = next(iter(state.tables["companies"]))
    links = [{"to": {"id": company}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 5}]}]
    made = client.crm.deals.basic_api.create(SimplePublicObjectInputForCreate(properties=QUALIFIED, associations=links))
    changed = client.crm.deals.basic_api.update(made.id, SimplePublicObjectInput(properties={"amount": "12.50"}))
    client.crm.deals.basic_api.archive(made.id)
    with pytest.raises(DealsApiException) as gone:
        client.crm.deals.basic_api.get_by_id(made.id)

    assert "12.50" == changed.properties["amount"]
    assert (404, "OBJECT_NOT_FOUND") == said(gone)
    assert [made.id] == [deal.id for deal in client.crm.deals.basic_api.get_page(archived=True).results]


def test_batches_create_update_and_archive(client: HubSpot) -> None:
    """One bad item of a traced batch fails alone, as 207 with its trace id ("Deals" guide)."""
    api = client.crm.deals.batch_api
    made = api.create(
        BatchInputSimplePublicObjectBatchInputForCreate(inputs=[{"properties": QUALIFIED}, {"properties": QUALIFIED}])
    )
    values = [{"amount": "1"}, {"amount": "one"}]
    inputs = [
        {"id": deal.id, "properties": value, "objectWriteTraceId": f"t{number}"}
        for number, (deal, value) in enumerate(zip(made.results, values, strict=True))
    ]
    changed = api.update(BatchInputSimplePublicObjectBatchInput(inputs=inputs))
    api.archive(BatchInputSimplePublicObjectId(inputs=[{"id": deal.id} for deal in made.results]))

    assert 2 == len({deal.id for deal in made.results})
    assert [made.results[0].id] == [deal.id for deal in changed.results]
    assert (1, [["t1"]]) == (changed.num_errors, [error.context["objectWriteTraceId"] for error in changed.errors])
    assert 2 == len(client.crm.deals.basic_api.get_page(archived=True).results)


def test_upsert_by_a_unique_property(client: HubSpot) -> None:
    """The first call makes the deal, the second changes it, and `new` says which."""
    item = {"id": "K-7", "idProperty": "crmbridge_key", "properties": QUALIFIED}
    request = BatchInputSimplePublicObjectBatchInputUpsert(inputs=[item])
    answers = [client.crm.deals.batch_api.upsert(request).results[0] for _ in range(2)]

    assert [True, False] == [answer.new for answer in answers]
    assert 1 == len({answer.id for answer in answers})


def test_merge(client: HubSpot, state: Any) -> None:
    """The primary record stays and names the other ("Deals now support merging")."""
    winner, loser = deal_ids(state, 2)
    merged = client.crm.deals.basic_api.merge(PublicMergeInput(primary_object_id=winner, object_id_to_merge=loser))
    read = client.crm.deals.basic_api.get_by_id(loser, properties=["hs_merged_object_ids"])

    assert (winner, winner, loser) == (merged.id, read.id, read.properties["hs_merged_object_ids"])


# ── Links, tasks and notes ──────────────────────────────────────────────────────────────────────────────


def test_links_are_read_and_made(client: HubSpot, state: Any) -> None:
    """One by one and in batches, plain and with a label."""
    api, deal, contact = client.crm.associations.v4, deal_ids(state, 1)[0], list(state.tables["contacts"])[-1]
    company = list(state.tables["companies"])[-1]
    api.basic_api.create_default("deals", deal, "contacts", contact)
    spec = LinkSpec(association_category="HUBSPOT_DEFINED", association_type_id=341)
    api.basic_api.create("deals", deal, "companies", company, [spec])
    wanted = BatchInputPublicFetchAssociationsBatchRequest(inputs=[PublicFetchAssociationsBatchRequest(id=deal)])
    contacts = api.batch_api.get_page("deals", "contacts", wanted).results[0].to
    companies = api.basic_api.get_page("deals", deal, "companies").results

    assert contact in {str(each.to_object_id) for each in contacts}
    assert [[341, 5], [341]] == [
        sorted((kind.type_id for kind in each.association_types), reverse=True) for each in companies
    ]
    api.basic_api.archive("deals", deal, "contacts", contact)
    left = api.basic_api.get_page("deals", deal, "contacts").results
    assert contact not in {str(each.to_object_id) for each in left}


def test_links_are_made_in_batches(client: HubSpot, state: Any) -> None:
    """The labelled and the plain batch."""
    api, deals, contact = client.crm.associations.v4.batch_api, deal_ids(state, 2), list(state.tables["contacts"])[-1]
    ends = {"to": PublicObjectId(id=contact)}
    spec = LinkSpec(association_category="HUBSPOT_DEFINED", association_type_id=3)
    labelled = PublicAssociationMultiPost(_from=PublicObjectId(id=deals[0]), types=[spec], **ends)
    plain = PublicDefaultAssociationMultiPost(_from=PublicObjectId(id=deals[1]), **ends)
    one = api.create("deals", "contacts", BatchInputPublicAssociationMultiPost(inputs=[labelled]))
    two = api.create_default("deals", "contacts", BatchInputPublicDefaultAssociationMultiPost(inputs=[plain]))

    assert [contact] == [str(each.to_object_id) for each in one.results]
    assert {3, 4} == {each.association_spec.association_type_id for each in two.results}
    assert set(deals) <= {record.id for record, _ in state.links.of("contacts", contact, "deals")}


def test_a_deal_gets_another_company(client: HubSpot, state: Any) -> None:
    """Type 5 makes one the primary company; the one before stays unlabelled until it is taken away."""
    api, deal = client.crm.associations.v4.batch_api, deal_ids(state, 1)[0]
    ((before, _),) = state.links.of("deals", deal, "companies")
    made = client.crm.companies.basic_api.create({"properties": {"name": "Acme Ltd", "domain": "acme.example"}})
    spec = LinkSpec(association_category="HUBSPOT_DEFINED", association_type_id=5)
    ends = {"_from": PublicObjectId(id=deal), "to": PublicObjectId(id=made.id)}
    inputs = [PublicAssociationMultiPost(types=[spec], **ends)]
    api.create("deals", "companies", BatchInputPublicAssociationMultiPost(inputs=inputs))
    both = {record.id: types for record, types in state.links.of("deals", deal, "companies")}
    gone = PublicAssociationMultiArchive(_from=PublicObjectId(id=deal), to=[PublicObjectId(id=before.id)])
    for _ in range(2):  # repeating it is harmless
        api.archive("deals", "companies", BatchInputPublicAssociationMultiArchive(inputs=[gone]))

    assert {before.id: {341}, made.id: {341, 5}} == both
    assert [made.id] == [record.id for record, _ in state.links.of("deals", deal, "companies")]


def test_companies_and_contacts_go_to_the_bin(client: HubSpot, state: Any) -> None:
    """In batches, as deals do, also an id that is archived already or that nobody knows (n8n#3219)."""
    for name, api in (("companies", client.crm.companies), ("contacts", client.crm.contacts)):
        gone = list(state.tables[name])[:2]
        for _ in range(2):
            api.batch_api.archive({"inputs": [{"id": each} for each in [*gone, "404"]]})

        assert gone == [record.id for record in api.basic_api.get_page(archived=True).results]


def test_a_contact_whose_mail_is_taken(client: HubSpot, state: Any) -> None:
    """409, with the id of the other one in its words (hubspot-api-php#59)."""
    there = next(iter(state.tables["contacts"].values()))
    with pytest.raises(ContactsApiException) as taken:
        client.crm.contacts.basic_api.create({"properties": {"email": there.properties["email"].upper()}})

    assert (409, "CONFLICT") == said(taken)
    assert f"Existing ID: {there.id}" in load_json(taken.value.body)["message"]


def test_tasks_and_notes_hang_on_a_deal(client: HubSpot, state: Any) -> None:
    """Made with their link in one request, found again from the deal ("Tasks", "Notes")."""
    deal, at = deal_ids(state, 1)[0], datetime(2026, 3, 20, 9, tzinfo=UTC).isoformat()

    def link(type_id: int) -> list[dict[str, Any]]:
        types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type_id}]
        return [{"to": {"id": deal}, "types": types}]

    properties = {"hs_timestamp": at, "hs_task_subject": "Ask for the budget", "hs_task_status": "NOT_STARTED"}
    task = client.crm.objects.tasks.basic_api.create(TaskInput(properties=properties, associations=link(216)))
    note_properties = {"hs_timestamp": at, "hs_note_body": "<p>Asked</p>"}
    note = client.crm.objects.notes.basic_api.create(NoteInput(properties=note_properties, associations=link(214)))
    read = client.crm.deals.basic_api.get_by_id(deal, associations=["tasks", "notes"])

    assert task.id in {each.id for each in read.associations["tasks"].results}
    assert note.id in {each.id for each in read.associations["notes"].results}
    subject = client.crm.objects.tasks.basic_api.get_by_id(task.id, properties=["hs_task_subject"]).properties
    assert "Ask for the budget" == subject["hs_task_subject"]


@pytest.mark.parametrize("kind", ["calls", "emails", "meetings", "tasks", "notes"])
def test_activities_are_listed_like_deals(client: HubSpot, state: Any, kind: str) -> None:
    """Every kind of activity has pages, with the deal that it hangs on."""
    if kind == "notes":
        note = state.create("notes", {"hs_timestamp": "2026-03-01T00:00:00Z"})
        state.links.link(note, state.get("deals", deal_ids(state, 1)[0]))
    pages = getattr(client.crm.objects, kind).basic_api
    listed = fetch_all(pages, properties=["hs_timestamp"], associations=["deals"])

    assert list(state.tables[kind]) == [each.id for each in listed]
    assert listed
    assert all(each.associations["deals"].results for each in listed)


# ── The account ─────────────────────────────────────────────────────────────────────────────────────────


def test_owners_with_a_slash_at_the_end(client: HubSpot, state: Any) -> None:
    """The client writes /owners/ and walks its pages ("Owners" guide)."""
    first = client.crm.owners.owners_api.get_page(limit=3)
    rest = client.crm.owners.owners_api.get_page(limit=100, after=first.paging.next.after)
    there = [owner.id for owner in state.owners.values() if not owner.archived]
    gone = client.crm.owners.owners_api.get_page(archived=True).results

    assert there == [owner.id for owner in [*first.results, *rest.results]]
    assert [(None, True)] == [(owner.user_id, owner.archived) for owner in gone]


def test_pipelines_and_their_stages(client: HubSpot) -> None:
    """The metadata holds text, and tells what is won ("Pipelines" guide)."""
    pipelines = client.crm.pipelines.pipelines_api.get_all("deals").results
    stages = client.crm.pipelines.pipeline_stages_api.get_all("deals", "default").results

    assert {"Sales Pipeline", "Renewals"} == {pipeline.label for pipeline in pipelines}
    assert ["closedwon"] == [stage.id for stage in stages if stage.metadata["probability"] == "1.0"]


def test_properties_are_listed_made_and_changed(client: HubSpot) -> None:
    """A unique property and one with options; whether values are unique can't be changed ("Properties" guide)."""
    api = client.crm.properties.core_api
    key = PropertyCreate(
        name="my_key",
        label="My key",
        type="string",
        field_type="text",
        group_name="dealinformation",
        has_unique_value=True,
    )
    choice = PropertyCreate(
        name="my_choice",
        label="My choice",
        type="enumeration",
        field_type="select",
        group_name="dealinformation",
        options=[OptionInput(label="A word", value="a", hidden=False)],
    )
    made = [api.create("deals", each) for each in (key, choice)]
    changed = api.update("deals", "my_choice", PropertyUpdate(label="Your choice"))
    listed = {each.name: each for each in api.get_all("deals").results}

    assert [True, False] == [each.has_unique_value for each in made]
    assert ("Your choice", "A word") == (changed.label, listed["my_choice"].options[0].label)
    assert {"hs_v2_date_entered_closedwon", "hs_v2_date_exited_closedwon"} <= set(listed)
    api.archive("deals", "my_choice")
    assert "my_choice" not in {each.name for each in api.get_all("deals").results}


# ── Signing in, errors ──────────────────────────────────────────────────────────────────────────────────


def test_an_access_token_is_renewed(client: HubSpot, served: Served, clock: VirtualClock) -> None:
    """It lives half an hour; then a call is 401, and the refresh token gives another ("Manage OAuth access tokens")."""
    oauth = served.sandbox.state.oauth
    app = {"client_id": oauth.client_id, "client_secret": oauth.client_secret}
    renew = {"grant_type": "refresh_token", "refresh_token": oauth.refresh_token, **app}
    tokens = client.oauth.tokens_api.create(**renew)
    signed_in = HubSpot(access_token=tokens.access_token, host=served.url)
    assert signed_in.crm.deals.basic_api.get_page(limit=1).results
    clock.sleep(tokens.expires_in)
    with pytest.raises(DealsApiException) as late:
        signed_in.crm.deals.basic_api.get_page(limit=1)
    signed_in.access_token = client.oauth.tokens_api.create(**renew).access_token

    assert (1800, 401, "EXPIRED_AUTHENTICATION") == (tokens.expires_in, *said(late))
    assert signed_in.crm.deals.basic_api.get_page(limit=1).results


def test_a_refresh_token_that_is_not_known(client: HubSpot, served: Served) -> None:
    """400 with the status that airbyte#79592 shows."""
    oauth = served.sandbox.state.oauth
    app = {"client_id": oauth.client_id, "client_secret": oauth.client_secret}
    with pytest.raises(OauthApiException) as refused:
        client.oauth.tokens_api.create(grant_type="refresh_token", refresh_token="no", **app)

    assert (400, "BAD_REFRESH_TOKEN") == (refused.value.status, load_json(refused.value.body)["status"])


def test_a_property_that_is_not_there(client: HubSpot, state: Any) -> None:
    """The error's body names the property ("Using Object APIs")."""
    with pytest.raises(DealsApiException) as refused:
        client.crm.deals.basic_api.update(deal_ids(state, 1)[0], SimplePublicObjectInput(properties={"nope": "1"}))
    body = load_json(refused.value.body)

    assert (400, "VALIDATION_ERROR") == said(refused)
    assert ("PROPERTY_DOESNT_EXIST", ["nope"]) == (
        body["errors"][0]["code"],
        body["errors"][0]["context"]["propertyName"],
    )


def test_a_token_that_is_not_known(served: Served) -> None:
    """401 with HubSpot's category."""
    with pytest.raises(DealsApiException) as refused:
        HubSpot(access_token="wrong", host=served.url).crm.deals.basic_api.get_page()

    assert (401, "INVALID_AUTHENTICATION") == said(refused)


def test_one_search_too_many(client: HubSpot) -> None:
    """429 in the form that was recorded from the real search."""
    request = PublicObjectSearchRequest(filter_groups=[], sorts=[], properties=[], limit=1, after="0")
    for _ in range(5):
        client.crm.deals.search_api.do_search(public_object_search_request=request)
    with pytest.raises(DealsApiException) as limited:
        client.crm.deals.search_api.do_search(public_object_search_request=request)

    assert (429, "RATE_LIMITS") == said(limited)
