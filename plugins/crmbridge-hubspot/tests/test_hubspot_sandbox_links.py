"""The sandbox's links, merges, stage clocks and properties are as HubSpot has them."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from crmbridge.sandbox import VirtualClock
from crmbridge.testing.factories import NOON

from .accounts import DEALS, OBJECTS

PROPERTIES = "/crm/properties/2026-03/deals"


# ── Links ───────────────────────────────────────────────────────────────────────────────────────────────


def test_links_come_in_line_once_for_each_type(client: httpx.Client, state: Any) -> None:
    """So the primary company comes twice, on a list and on a single read (airbyte#56447)."""
    deal = state.deal_ids()[0]
    listed = client.get(DEALS, params={"associations": "companies,contacts"}).json()["results"][0]
    single = client.get(f"{DEALS}/{deal}", params={"associations": ["company", "contact"]}).json()
    rows = listed["associations"]["companies"]["results"]

    assert ["deal_to_company", "deal_to_company_unlabeled"] == [row["type"] for row in rows]
    assert 1 == len({row["id"] for row in rows})
    assert listed["associations"] == single["associations"]
    assert "associations" not in client.get(DEALS).json()["results"][0]


def test_links_in_line_are_capped_and_go_on_by_a_token(client: httpx.Client, state: Any) -> None:
    """100 of a record come in line; the associations call goes on from there (airbyte#56447)."""
    deal = state.get("deals", state.deal_ids()[0])
    for number in range(130):
        note = state.create("notes", {"hs_timestamp": "2026-03-01T00:00:00Z", "hs_note_body": str(number)})
        state.links.link(deal, note)
    found = client.get(f"{DEALS}/{deal.id}", params={"associations": "notes"}).json()["associations"]["notes"]
    after = found["paging"]["next"]["after"]
    body = {"inputs": [{"id": deal.id, "after": after}]}
    rest = client.post("/crm/associations/2026-03/deals/notes/batch/read", json=body).json()["results"][0]["to"]

    assert (100, 30) == (len(found["results"]), len(rest))
    ids = {row["id"] for row in found["results"]} | {str(each["toObjectId"]) for each in rest}
    assert set(state.tables["notes"]) == ids


@pytest.mark.parametrize("kind", ["calls", "emails", "meetings", "tasks", "notes"])
def test_activities_hang_on_deals_contacts_and_companies(client: httpx.Client, state: Any, kind: str) -> None:
    """Both ways, for every kind of activity; archived ones are no longer seen from the other end."""
    activity = client.post(f"{OBJECTS}/{kind}", json={"properties": {"hs_timestamp": "2026-03-01T00:00:00Z"}}).json()
    for end in ("deals", "contacts", "companies"):
        other = next(iter(state.tables[end]))
        path = f"{OBJECTS}/{kind}/{activity['id']}/associations/default/{end}/{other}"
        assert 200 == client.put(path).status_code
        back = client.get(f"{OBJECTS}/{end}/{other}", params={"associations": kind}).json()["associations"][kind]
        assert activity["id"] in {row["id"] for row in back["results"]}
    client.delete(f"{OBJECTS}/{kind}/{activity['id']}")
    left = client.get(f"{DEALS}/{next(iter(state.tables['deals']))}", params={"associations": kind}).json()

    assert activity["id"] not in {r["id"] for r in left.get("associations", {}).get(kind, {}).get("results", ())}
    assert activity["id"] in {r["id"] for r in client.get(f"{OBJECTS}/{kind}?archived=true").json()["results"]}


def test_a_record_has_one_primary_company(client: httpx.Client, state: Any) -> None:
    """Type 5 makes a company primary; the one before stays as a company like any other."""
    deal, company = state.deal_ids()[0], list(state.tables["companies"])[-1]
    spec = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 5}]
    path = f"{DEALS}/{deal}/associations"
    made = client.put(f"{path}/companies/{company}", json=spec)
    found = {
        str(each["toObjectId"]): [kind["typeId"] for kind in each["associationTypes"]]
        for each in client.get(f"{path}/companies").json()["results"]
    }

    assert 201 == made.status_code
    assert [5, 341] == found.pop(company)
    assert [[341]] == list(found.values())


def test_without_the_plain_link_there_are_no_labels(client: httpx.Client, state: Any) -> None:
    """Removing the unlabelled link removes the labelled ones too; removing a label leaves the link ("Associations")."""
    deal, base = state.deal_ids()[0], "/crm/associations/2026-03/deals/companies/batch"
    company = state.links.of("deals", deal, "companies")[0][0].id
    ends = {"from": {"id": deal}, "to": {"id": company}}

    def types_left() -> list[set[int]]:
        return [types for _, types in state.links.of("deals", deal, "companies")]

    for type_id, left in ((5, [{341}]), (341, [])):
        body = {
            "inputs": [{**ends, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type_id}]}]
        }
        assert 204 == client.post(f"{base}/labels/archive", json=body).status_code
        assert left == types_left()


def test_what_cannot_be_linked_is_an_error_of_its_own(client: httpx.Client, state: Any) -> None:
    """207 where some links were made, an error where none was; a batch takes 2,000 ("Associate records")."""
    path = "/crm/associations/2026-03/deals/contacts/batch/associate/default"
    deal, contact = state.deal_ids()[0], next(iter(state.tables["contacts"]))
    good, bad = ({"from": {"id": deal}, "to": {"id": each}} for each in (contact, "404"))

    assert [200, 207, 404, 400] == [
        client.post(path, json={"inputs": inputs}).status_code for inputs in ([good], [good, bad], [bad], [good] * 2001)
    ]


def test_a_batch_that_fails_leaves_no_trace(client: httpx.Client, state: Any) -> None:
    """Without trace ids it is all or nothing: new records, values and links are taken back ("Deals" guide)."""
    company, before = next(iter(state.tables["companies"])), set(state.deal_ids())
    links = [{"to": {"id": company}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 5}]}]
    good = {"properties": {"dealname": "A", "dealstage": "qualifiedtobuy", "crmbridge_key": "k"}, "associations": links}
    bad = {"properties": {"dealname": "B"}}
    linked = {record.id for record, _ in state.links.of("companies", company, "deals")}

    assert 400 == client.post(f"{DEALS}/batch/create", json={"inputs": [good, bad]}).status_code
    assert before == set(state.deal_ids())
    assert linked == {record.id for record, _ in state.links.of("companies", company, "deals")}
    assert 201 == client.post(f"{DEALS}/batch/create", json={"inputs": [good]}).status_code


# ── Merges ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("new_id", [False, True])
@pytest.mark.parametrize("kind", ["deals", "contacts", "companies"])
def test_merges_keep_an_id_or_make_one(client: httpx.Client, state: Any, kind: str, *, new_id: bool) -> None:
    """Which one is not documented for certain ("Deals now support merging"): both ways are here."""
    state.merges_make_new_ids = new_id
    winner, loser = list(state.tables[kind])[:2]
    body = {"primaryObjectId": winner, "objectIdToMerge": loser}
    left = client.post(f"{OBJECTS}/{kind}/merge", json=body).json()["id"]
    read = client.get(f"{OBJECTS}/{kind}/{loser}", params={"properties": "hs_merged_object_ids"}).json()
    gone = {winner, loser} - {left}

    assert new_id is (left not in {winner, loser})
    assert (left, gone) == (read["id"], set(read["properties"]["hs_merged_object_ids"].split(";")))
    assert gone.isdisjoint(each["id"] for each in client.get(f"{OBJECTS}/{kind}?limit=100").json()["results"])
    update = {"inputs": [{"id": loser, "properties": {}}, {"id": left, "properties": {}}]}
    assert [left] == [r["id"] for r in client.post(f"{OBJECTS}/{kind}/batch/update", json=update).json()["results"]]


def test_a_merged_deal_takes_the_links_along(client: httpx.Client, state: Any) -> None:
    """Links asked for by the id that is gone come back empty ("Deals now support merging")."""
    winner, loser = state.deal_ids()[:2]
    contacts = {record.id for deal in (winner, loser) for record, _ in state.links.of("deals", deal, "contacts")}
    client.post(f"{DEALS}/merge", json={"primaryObjectId": winner, "objectIdToMerge": loser})
    companies = client.get(f"{DEALS}/{winner}/associations/companies").json()["results"]

    assert [] == client.get(f"{DEALS}/{loser}/associations/contacts").json()["results"]
    assert contacts == {record.id for record, _ in state.links.of("deals", winner, "contacts")}
    assert 1 == sum(5 in [kind["typeId"] for kind in each["associationTypes"]] for each in companies)


def test_a_chain_of_merges_leads_to_its_end(client: httpx.Client, state: Any) -> None:
    """A into B, B into C: A answers with C, which names both."""
    one, two, three = state.deal_ids()[:3]
    for primary, gone in ((two, one), (three, two)):
        client.post(f"{DEALS}/merge", json={"primaryObjectId": primary, "objectIdToMerge": gone})
    read = client.get(f"{DEALS}/{one}", params={"properties": "hs_merged_object_ids"}).json()

    assert (three, {one, two}) == (read["id"], set(read["properties"]["hs_merged_object_ids"].split(";")))


# ── Stage clocks ────────────────────────────────────────────────────────────────────────────────────────


def test_stage_clocks_tell_the_last_stay_only(client: httpx.Client, state: Any, clock: VirtualClock) -> None:
    """Entered, left and how long, one property each for every stage; earlier stays are in the history only."""
    made = state.create("deals", {"dealname": "Clocks", "dealstage": "qualifiedtobuy"})
    for stage in ("contractsent", "qualifiedtobuy", "contractsent"):
        clock.advance(timedelta(hours=1))
        state.edit_deal(made.id, dealstage=stage)
    names = [
        f"hs_v2_{what}_{stage}"
        for stage in ("qualifiedtobuy", "contractsent", "closedwon")
        for what in ("date_entered", "date_exited", "latest_time_in")
    ]
    params = {"properties": names, "propertiesWithHistory": "dealstage"}
    read = client.get(f"{DEALS}/{made.id}", params=params).json()
    known = {each["name"] for each in client.get(PROPERTIES).json()["results"]}

    def at(hours: int) -> str:
        return (NOON + timedelta(hours=hours)).isoformat().replace("+00:00", "Z")

    assert [at(2), at(3), "3600000", at(3), None, "0", None, None, None] == [read["properties"][n] for n in names]
    assert 4 == len(read["propertiesWithHistory"]["dealstage"])
    assert set(names) <= known


# ── Properties ──────────────────────────────────────────────────────────────────────────────────────────


def make(client: httpx.Client, name: str, **more: Any) -> httpx.Response:
    """Make a deal property."""
    usual = {"label": name, "type": "string", "fieldType": "text", "groupName": "dealinformation"}
    return client.post(PROPERTIES, json={"name": name, **usual, **more})


@pytest.mark.parametrize(
    ("name", "more", "status"),
    [
        ("fine_1", {}, 201),
        ("Not_Fine", {}, 400),
        ("1st", {}, 400),
        ("dealname", {}, 409),
        ("x", {"groupName": "nowhere"}, 400),
        ("x", {"fieldType": "checkbox"}, 400),
        ("x", {"type": "money"}, 400),
        ("x", {"label": ""}, 400),
        ("x", {"type": "enumeration", "fieldType": "select", "options": [{"label": "A", "value": ""}]}, 400),
        ("x", {"type": "date", "fieldType": "date", "hasUniqueValue": True}, 400),
        ("x", {"type": "bool", "fieldType": "booleancheckbox"}, 201),
    ],
)
def test_what_a_property_may_be(client: httpx.Client, name: str, more: dict[str, Any], status: int) -> None:
    """Names in lower case, a type with a field type that goes with it, a group that is there ("Properties" guide)."""
    assert status == make(client, name, **more).status_code


def test_an_object_type_has_ten_unique_properties_at_most(client: httpx.Client) -> None:
    """The sandbox's account has one already, the external key ("Properties" guide)."""
    statuses = [make(client, f"key_{number}", hasUniqueValue=True).status_code for number in range(10)]

    assert [201] * 9 + [400] == statuses
    assert 400 == client.patch(f"{PROPERTIES}/key_0", json={"hasUniqueValue": False}).status_code


def test_a_unique_property_is_unique_at_once(client: httpx.Client, state: Any) -> None:
    """A value that is taken is 409, whatever its case, also right after the property was made."""
    one, two = state.deal_ids()[:2]
    make(client, "number_plate", hasUniqueValue=True)
    answers = [
        client.patch(f"{DEALS}/{deal}", json={"properties": {"number_plate": value}}).status_code
        for deal, value in ((one, "B-1"), (two, "b-1"), (one, "B-2"), (two, "b-1"))
    ]

    assert [200, 409, 200, 200] == answers
    assert two == client.get(f"{DEALS}/B-1", params={"idProperty": "number_plate"}).json()["id"]


def test_groups_are_listed_and_made(client: httpx.Client) -> None:
    """A property can stand in a group of our own."""
    made = client.post(f"{PROPERTIES}/groups", json={"name": "crmbridge", "label": "crmbridge"})

    assert 201 == made.status_code
    assert "crmbridge" in {each["name"] for each in client.get(f"{PROPERTIES}/groups").json()["results"]}
    assert "crmbridge" == make(client, "x", groupName="crmbridge").json()["groupName"]


@pytest.mark.parametrize(
    ("rule", "argument", "status"),
    [("MAX_NUMBER", "10.5", 204), ("MIN_NUMBER", "ten", 400), ("MAX_NUMBER", 10, 400), ("REGEX", "1", 400)],
)
def test_an_accounts_own_limits_bind_every_version(
    client: httpx.Client, state: Any, rule: str, argument: Any, status: int
) -> None:
    """A value past the limit is refused, an empty one is not ("Property validations")."""
    base, deal = "/crm/property-validations/2026-03/0-3", state.deal_ids()[0]
    answer = client.put(f"{base}/discount/rule-type/{rule}", json={"ruleArguments": [argument]})
    rules = client.get(base).json()["results"]
    writes = [
        client.patch(f"/crm/v3/objects/deals/{deal}", json={"properties": {"discount": value}}).status_code
        for value in ("10.5", "10.6", "")
    ]

    assert status == answer.status_code
    assert ([200, 400, 200] if rules else [200] * 3) == writes
    assert (["discount"] if status == 204 else []) == [each["propertyName"] for each in rules]
    assert len(rules) == len(client.get(f"{base}/discount").json()["results"])


# ── Search and the account's rules ──────────────────────────────────────────────────────────────────────


def find(client: httpx.Client, *filters: dict[str, str], **more: Any) -> list[str]:
    """Give the ids of a search."""
    body = {"filterGroups": [{"filters": list(filters)}], "limit": 200, **more}
    return [each["id"] for each in client.post(f"{DEALS}/search", json=body).json()["results"]]


@pytest.mark.parametrize("as_text", [False, True])
def test_ids_are_ordered_as_numbers_or_as_text(client: httpx.Client, state: Any, *, as_text: bool) -> None:
    """Which is not documented: both ways are here (airbyte's tests suppose text)."""
    deals = state.tables["deals"]
    short = next(iter(deals.values()))
    del deals[short.id]
    short.id = "7199"
    deals["7199"] = short
    state.ids_as_text = as_text
    first = min(map(int, deals)) if not as_text else min(deals)
    beyond = {"propertyName": "hs_object_id", "operator": "GT", "value": str(first)}
    found = find(client, beyond, sorts=[{"propertyName": "hs_object_id", "direction": "ASCENDING"}])

    assert len(deals) - 1 == len(found)
    assert ("7199" == found[-1]) is as_text


@pytest.mark.parametrize("name", ["hs_object_id", "hs_lastmodifieddate"])
@pytest.mark.parametrize("operator", ["EQ", "GT", "GTE", "LT", "LTE", "BETWEEN"])
def test_bounds_are_kept_to_the_letter(client: httpx.Client, state: Any, name: str, operator: str) -> None:
    """Also where a search need not look at every record: an id, or a time in milliseconds, is in or out."""
    deals = sorted(state.tables["deals"].values(), key=lambda deal: int(deal.id))
    for number, deal in enumerate(deals):
        deal.modified_at = NOON + timedelta(milliseconds=number)
    keys = [int(deal.id) if name == "hs_object_id" else int(deal.modified_at.timestamp() * 1000) for deal in deals]
    low, high = keys[2], keys[4]
    holds = {
        "EQ": lambda key: key == low,
        "GT": lambda key: key > low,
        "GTE": lambda key: key >= low,
        "LT": lambda key: key < low,
        "LTE": lambda key: key <= low,
        "BETWEEN": lambda key: low <= key <= high,
    }[operator]
    found = find(client, {"propertyName": name, "operator": operator, "value": str(low), "highValue": str(high)})

    assert {deal.id for deal, key in zip(deals, keys, strict=True) if holds(key)} == set(found)


def test_a_search_knows_links_and_words(client: httpx.Client, state: Any) -> None:
    """By the pseudo-property of a link, and by words of the name ("Search the CRM")."""
    deal = state.get("deals", state.deal_ids()[0])
    contact = state.links.of("deals", deal.id, "contacts")[0][0].id
    by_link = {"propertyName": "associations.contact", "operator": "EQ", "value": contact}
    expected = sorted(record.id for record, _ in state.links.of("contacts", contact, "deals"))

    assert expected == sorted(find(client, by_link))
    assert [deal.id] == find(client, query=deal.properties["dealname"])


def test_what_a_stage_requires_binds_the_newest_version(client: httpx.Client, state: Any) -> None:
    """On entering the stage and on clearing what it needs ("CRM API write validation enforcement")."""
    deal, newest = state.deal_ids()[0], "/crm/objects/2026-09/deals"
    state.required_in["contractsent"] = ("proposal_link",)
    state.edit_deal(deal, dealstage="qualifiedtobuy", proposal_link="")
    into = {"properties": {"dealstage": "contractsent"}}
    refused = client.patch(f"{newest}/{deal}", json=into)
    filled = client.patch(f"{newest}/{deal}", json={"properties": {**into["properties"], "proposal_link": "https://x"}})
    cleared = client.patch(f"{newest}/{deal}", json={"properties": {"proposal_link": ""}})
    other = client.patch(f"{newest}/{deal}", json={"properties": {"pains": "x"}})

    assert [400, 200, 400, 200] == [answer.status_code for answer in (refused, filled, cleared, other)]
    assert "proposal_link" in refused.json()["message"]
    assert 200 == client.patch(f"{DEALS}/{deal}", json={"properties": {"proposal_link": ""}}).status_code


# ── People ──────────────────────────────────────────────────────────────────────────────────────────────


def test_people_note_activities_on_deals(client: httpx.Client, state: Any, clock: VirtualClock) -> None:
    """The deal is changed with them, when they come and when they go, as its own counts are calculated anew."""
    deal = state.get("deals", state.deal_ids()[0])
    times = [deal.modified_at]
    for word, kind in (("call", "calls"), ("email", "emails"), ("meeting", "meetings"), ("task", "tasks")):
        made = state.add_activity(deal.id, type=word, subject="Talked", at=clock.now(), done=True)
        name, _, record_id = made.partition("-")
        read = client.get(f"{OBJECTS}/{kind}/{record_id}", params={"associations": "deals"}).json()
        assert (word, [deal.id]) == (name, [row["id"] for row in read["associations"]["deals"]["results"]])
        times.append(deal.modified_at)
        state.delete_activity(made)
        assert 404 == client.get(f"{OBJECTS}/{kind}/{record_id}").status_code
        times.append(deal.modified_at)

    assert sorted(set(times)) == times


def test_people_write_notes_in_an_editor(client: httpx.Client, state: Any) -> None:
    """It keeps HTML, with what looks like markup escaped ("Notes")."""
    note = state.add_note(state.deal_ids()[0], "a < b\n& more")
    body = client.get(f"{OBJECTS}/notes/{note}", params={"properties": "hs_note_body"}).json()["properties"]
    state.delete_note(note)

    assert '<p style="margin:0;">a &lt; b</p><p style="margin:0;">&amp; more</p>' in body["hs_note_body"]
    assert 404 == client.get(f"{OBJECTS}/notes/{note}").status_code
