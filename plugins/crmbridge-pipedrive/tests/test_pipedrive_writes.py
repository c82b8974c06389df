"""Writing several changes at a time, and making fields."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from crmbridge.errors import AuthenticationError, RefusedError
from crmbridge.model.changes import Action, Change, FieldEdit, Outcome
from crmbridge.model.records import Kind, Position, Ref, Status
from crmbridge.model.replacing import replace
from crmbridge.model.values import FieldType, Value
from crmbridge.plugins import AdapterSpec
from crmbridge.ports import Adapter, FieldBinding, FieldWish
from crmbridge.sandbox import Served
from crmbridge.testing.factories import make_change
from crmbridge_pipedrive import plugin
from crmbridge_pipedrive.bodies import Bodies

Open = Callable[..., Adapter]


def rename(deal: str, name: str) -> Change:
    ref = Ref("pd", Kind.DEAL, deal)
    return make_change(deal, id=f"{deal} {name}", connection="pd", target=ref, edits=(FieldEdit("name", None, name),))


def create(name: str, key: str) -> Change:
    edits = (FieldEdit("name", None, name),)
    return make_change(id=name, connection="pd", action=Action.CREATE, target=None, edits=edits, key=key)


def wish(name: str, kind: FieldType, **more: Value) -> Change:
    after: dict[str, Value] = {"name": name, "label": name, "type": kind.value, "options": (), "unique": False, **more}
    edits = tuple(FieldEdit(field, None, value) for field, value in after.items())
    return make_change(id=f"field {name}", connection="pd", action=Action.FIELD, target=None, edits=edits, key=name)


def choose(deal: str, **after: Value) -> Change:
    edits = tuple(FieldEdit(name, None, value) for name, value in after.items())
    return make_change(deal, connection="pd", target=Ref("pd", Kind.DEAL, deal), edits=edits)


def test_a_reason_for_losing_holds_back_nothing_but_itself(opened: Open, state: Any) -> None:
    """It may be told of lost deals only ("Deals: Update a deal"): of a deal that is reopened, it is named as wrong."""
    adapter = opened()
    first = state.tables.stages[1]["pipeline_id"]
    places = [Position(str(first), "1", status) for status in (Status.LOST, Status.OPEN)]
    (lost,) = adapter.write([replace(choose("1", lost_reason="Price"), position=places[0])])
    clearing = make_change(
        "1", connection="pd", target=Ref("pd", Kind.DEAL, "1"), edits=(FieldEdit("lost_reason", "Price", None),)
    )
    (refused,) = adapter.write([replace(clearing, position=places[1], position_before=places[0])])
    (reopened,) = adapter.write([replace(choose("1"), position=places[1], position_before=places[0])])

    assert (Outcome.APPLIED, Outcome.APPLIED) == (lost.outcome, reopened.outcome)
    assert (Outcome.REFUSED, ("lost_reason",)) == (refused.outcome, refused.blamed)
    assert ("open", None) == (state.tables.deals[1]["status"], state.tables.deals[1]["lost_reason"])


def test_what_an_account_says_of_its_stages_and_people(adapter: Adapter, state: Any) -> None:
    """`order_nr` may begin at 0 and is no place in the list, a probability counts where its pipeline says so
    ("Pipelines: Get all pipelines"), and users who left stay listed ("Users: Get all users")."""
    stages = [row for row in state.tables.stages.values() if row["pipeline_id"] == 1]
    for number, row in enumerate(reversed(stages)):
        row.update(order_nr=number, deal_probability=40)
    state.tables.pipelines[1]["is_deal_probability_enabled"] = False
    left = next(iter(state.tables.users.values()))
    left["active_flag"] = False
    plain = adapter.describe()
    state.tables.pipelines[1]["is_deal_probability_enabled"] = True
    counted = adapter.describe()
    pipelines = [next(each for each in found.pipelines if each.id == "1") for found in (plain, counted)]

    assert [str(row["id"]) for row in reversed(stages)] == [stage.id for stage in pipelines[0].stages]
    assert [{None}, {0.4}] == [{stage.probability for stage in pipeline.stages} for pipeline in pipelines]
    assert [False] == [user.fields["active"] for user in plain.users if user.ref.id == str(left["id"])]


class TestWhatTheAccountHas:
    """It is remembered for an hour, and looked at again before anything is refused by it."""

    def test_an_option_that_was_just_made_can_be_chosen(self, opened: Open, state: Any) -> None:
        """What is refused waits for a person; the option may be a minute old."""
        memory: dict[str, str] = {}
        opened(memory=memory).read([Ref("pd", Kind.DEAL, "1")])
        field = next(row for row in state.tables.fields.values() if row["field_name"] == "Region")
        field["options"].append({"id": 99, "label": "The moon"})
        receipts = opened(memory=memory).write([choose("1", region="The moon"), choose("2", region="Nowhere")])

        assert [Outcome.APPLIED, Outcome.REFUSED] == [receipt.outcome for receipt in receipts]
        assert 99 == state.tables.deals[1]["custom_fields"][field["field_code"]]

    def test_all_that_go_out_side_by_side_are_looked_at_again(
        self, opened: Open, state: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One has the account read anew; another was refused by what it was before as well."""
        memory: dict[str, str] = {}
        opened(memory=memory).read([Ref("pd", Kind.DEAL, "1")])
        field = next(row for row in state.tables.fields.values() if row["field_name"] == "Region")
        field["options"].append({"id": 99, "label": "The moon"})
        both, make = threading.Barrier(2, timeout=10), Bodies.deal_body

        def refuse_together(bodies: Bodies, change: Change) -> dict[str, Any]:
            try:
                return make(bodies, change)
            except RefusedError:
                both.wait()
                raise

        monkeypatch.setattr(Bodies, "deal_body", refuse_together)
        receipts = opened(memory=memory).write([choose(deal, region="The moon") for deal in "12"])

        assert [Outcome.APPLIED, Outcome.APPLIED] == [receipt.outcome for receipt in receipts]

    def test_an_option_that_was_made_again_is_chosen_by_its_new_id(self, opened: Open, state: Any) -> None:
        """Pipedrive refuses the id that was kept, and a change that is refused would wait for a person."""
        memory: dict[str, str] = {}
        opened(memory=memory).read([Ref("pd", Kind.DEAL, "1")])
        field = next(row for row in state.tables.fields.values() if row["field_name"] == "Region")
        label = field["options"][0]["label"]
        field["options"][0]["id"] = 99
        receipts = opened(memory=memory).write([choose(deal, region=label) for deal in "12"])

        assert [Outcome.APPLIED, Outcome.APPLIED] == [receipt.outcome for receipt in receipts]
        assert [99, 99] == [state.tables.deals[deal]["custom_fields"][field["field_code"]] for deal in (1, 2)]

    def test_a_deal_is_made_with_an_option_that_was_made_again(self, opened: Open, state: Any) -> None:
        """It need not wait for a person, either."""
        memory: dict[str, str] = {}
        opened(memory=memory).read([Ref("pd", Kind.DEAL, "1")])
        field = next(row for row in state.tables.fields.values() if row["field_name"] == "Region")
        field["options"][0]["id"] = 99
        label = field["options"][0]["label"]
        edits = tuple(FieldEdit(name, None, value) for name, value in {"name": "Chosen anew", "region": label}.items())
        change = make_change(connection="pd", action=Action.CREATE, target=None, edits=edits, key="k1")
        (receipt,) = opened(memory=memory).write([change])
        made = state.tables.deals[max(state.tables.deals)]

        assert Outcome.APPLIED is receipt.outcome
        assert ("Chosen anew", 99) == (made["title"], made["custom_fields"][field["field_code"]])

    def test_what_it_does_not_have_is_looked_for_once(self, opened: Open, served: Served) -> None:
        """However many changes ask for it."""
        memory: dict[str, str] = {}
        opened(memory=memory).read([Ref("pd", Kind.DEAL, "1")])
        served.sandbox.log.clear()
        receipts = opened(memory=memory).write([choose(f"{number}", region="Nowhere") for number in range(1, 9)])

        assert {Outcome.REFUSED} == {receipt.outcome for receipt in receipts}
        assert 1 == len(served.sandbox.log.matching("GET", "/dealFields"))


class TestSideBySide:
    """One request for each change, several at a time."""

    def test_changes_of_different_deals_all_come_through(self, adapter: Adapter, state: Any, served: Served) -> None:
        """With a receipt each, in order, and never faster than the burst limit allows ("Rate limiting")."""
        changes = [rename(number, f"New {number}") for number in state.deal_ids()]
        receipts = adapter.write(changes)

        assert [(c.id, Outcome.APPLIED, c.target) for c in changes] == [(r.change, r.outcome, r.ref) for r in receipts]
        assert {int(n): f"New {n}" for n in state.deal_ids()} == {
            n: row["title"] for n, row in state.tables.deals.items()
        }
        assert 429 not in {request.status for request in served.sandbox.log.all()}

    def test_changes_of_one_deal_keep_their_order(self, adapter: Adapter, state: Any, served: Served) -> None:
        """Each waits for the one before it, also where that must be sent a second time."""
        adapter.write([rename("9", "warm")])
        served.sandbox.faults.plan("limit_after", method="PATCH", path="deals/1")
        adapter.write([rename(number, f"{n}") for n in range(5) for number in ("1", "2", "3")])
        sent = [r for r in served.sandbox.log.matching("PATCH", "/deals/1") if r.status == 200]

        assert ["0", "1", "2", "3", "4"] == [request.body["title"] for request in sent]
        assert ["4"] * 3 == [state.tables.deals[n]["title"] for n in (1, 2, 3)]

    def test_a_refusal_costs_only_itself(self, adapter: Adapter, state: Any) -> None:
        """The others are made."""
        state.delete_deal("2")
        receipts = adapter.write([rename(n, "X") for n in ("1", "2", "3", "4")])

        assert [Outcome.APPLIED, Outcome.REFUSED, Outcome.APPLIED, Outcome.APPLIED] == [r.outcome for r in receipts]

    def test_a_refused_credential_is_raised_when_nothing_was_sent(self, adapter: Adapter, served: Served) -> None:
        """All of them met the same closed door, and nobody goes on knocking."""
        served.sandbox.faults.plan("revoked", times=99, method="PATCH")
        with pytest.raises(AuthenticationError, match="401"):
            adapter.write([rename("1", f"{n}") for n in range(9)])

        assert 1 == len(served.sandbox.log.matching("PATCH", "/deals/"))

    def test_what_stops_half_way_fails_the_rest(self, adapter: Adapter, served: Served, state: Any) -> None:
        """What was made is told, what was not sent may be planned again, and no second limit is drawn."""
        adapter.write([rename("1", "warm")])
        served.sandbox.log.clear()
        state.limits.daily_tokens = state.limits._used + 12
        receipts = adapter.write([rename(str(n), "X") for n in range(1, 12)])
        made = [r for r in receipts if r.outcome is Outcome.APPLIED]

        assert {Outcome.APPLIED, Outcome.FAILED} == {receipt.outcome for receipt in receipts}
        assert [r for r in receipts if r.outcome is Outcome.FAILED] != []
        assert len(made) == sum(row["title"] == "X" for row in state.tables.deals.values())

    def test_a_key_that_is_there_makes_no_second_deal(self, adapter: Adapter, state: Any, served: Served) -> None:
        """There is no idempotency key ("Deals", API v2), so the lists are asked once, for all creations."""
        code = next(c for c, row in state.tables.fields.items() if row["field_name"] == "crmbridge key")
        first = adapter.write([create("A", "k1")])[0]
        served.sandbox.log.clear()
        receipts = adapter.write([create("A again", "k1"), create("B", "k2"), create("C", "k3")])

        assert first.ref == receipts[0].ref
        assert {Outcome.APPLIED} == {receipt.outcome for receipt in receipts}
        assert {"A", "B", "C"} == {row["title"] for row in state.tables.deals.values() if row["custom_fields"][code]}
        looked = [request.path for request in served.sandbox.log.matching("GET", "/api/v2/deals")]
        assert ["/api/v2/deals", "/api/v2/deals/archived"] == looked


class TestFields:
    """Deal fields are made by the API."""

    @pytest.mark.parametrize(
        ("kind", "native", "options"),
        [
            (FieldType.TEXT, "text", ()),
            (FieldType.NUMBER, "double", ()),
            (FieldType.MONEY, "monetary", ()),
            (FieldType.BOOL, "enum", ("Yes", "No")),
            (FieldType.DATE, "date", ()),
            (FieldType.DATETIME, "varchar", ()),
            (FieldType.CHOICE, "enum", ("Low", "High")),
            (FieldType.CHOICES, "set", ("Low", "High")),
            (FieldType.USER, "user", ()),
        ],
    )
    def test_each_type_is_made(
        self, adapter: Adapter, state: Any, kind: FieldType, native: str, options: tuple[str, ...]
    ) -> None:
        """Under the name that bindings say, found by it, and read back as the type it was wished for."""
        receipt = adapter.write([wish("Wished", kind, options=options if kind is not FieldType.BOOL else ())])[0]
        assert receipt.ref
        row = state.tables.fields[receipt.ref.id]
        made = next(field for field in adapter.describe().fields if field.name == receipt.ref.id)

        assert (Outcome.APPLIED, native, "Wished") == (receipt.outcome, row["field_type"], row["field_name"])
        assert options == made.options
        assert made.type in {kind, FieldType.TEXT}
        assert receipt.ref == adapter.find(Kind.FIELD, "Wished", None) == adapter.find(Kind.FIELD, receipt.ref.id, None)

    def test_a_second_one_of_a_name_is_not_made(self, adapter: Adapter, state: Any) -> None:
        """Pipedrive would make it: names are not unique."""
        first, second = (adapter.write([wish("Wished", FieldType.NUMBER)])[0] for _ in range(2))
        other = adapter.write([wish("Wished", FieldType.DATE)])[0]

        assert first.ref == second.ref
        assert Outcome.REFUSED == other.outcome
        assert ["Wished"] == [
            row["field_name"] for row in state.tables.fields.values() if row["field_name"] == "Wished"
        ]

    def test_an_unclear_one_is_found_again(self, adapter: Adapter, served: Served) -> None:
        """Whether it was made is read back by its name."""
        served.sandbox.faults.plan("drop_after", method="POST", path="dealFields")
        receipt = adapter.write([wish("Wished", FieldType.TEXT)])[0]

        assert Outcome.UNKNOWN == receipt.outcome
        assert adapter.find(Kind.FIELD, "Wished", None)
        assert None is adapter.find(Kind.FIELD, "Never", None)

    def test_the_key_field_is_a_short_text(self, opened: Open, state: Any) -> None:
        """What setting up wishes for the key becomes a field of 255 characters, and deals can be made at once."""
        adapter = opened(key_field="Our key")
        described = adapter.describe()
        assert described.key_wish
        assert described.key_field is None
        receipt = adapter.write([wish(described.key_wish.name, described.key_wish.type)])[0]
        assert receipt.ref
        made = adapter.write([create("Made", "k1")])[0]

        assert "varchar" == state.tables.fields[receipt.ref.id]["field_type"]
        assert made.ref == adapter.find(Kind.DEAL, "k1", None)

    @pytest.mark.parametrize(
        "change",
        [
            wish("", FieldType.TEXT),
            wish("x" * 256, FieldType.TEXT),
            wish("C", FieldType.CHOICE),
            wish("U", FieldType.TEXT, unique=True),
        ],
    )
    def test_what_can_not_be_a_field_is_refused(self, adapter: Adapter, change: Change) -> None:
        """A name has 1 to 255 characters, a choice has options, and Pipedrive keeps nothing unique."""
        assert Outcome.REFUSED == adapter.write([change])[0].outcome

    def test_admins_are_told_the_steps(self) -> None:
        """For accounts whose credential may not make fields."""
        spec: AdapterSpec = next(iter(plugin.crmbridge_adapters()))
        assert spec.steps
        said = " ".join(spec.steps(FieldWish(name="BANT budget", label="BANT budget", type=FieldType.BOOL)))

        assert all(word in said for word in ("Data fields", "BANT budget", "Single option", "Yes, No"))


class TestLabels:
    """The one option list that every account has is no custom field, and is written in another way than these."""

    def test_labels_are_set_and_taken_off(self, opened: Open, state: Any) -> None:
        """The list replaces the one that is there; null, which clears a custom field, is refused for it."""
        adapter = opened(fields=(FieldBinding(name="labels", native="Label", type=FieldType.CHOICES),))
        ref = Ref("pd", Kind.DEAL, "1")
        held = []
        for labels in (("Cold", "Hot"), ("Cold",), ()):
            assert Outcome.APPLIED == adapter.write([choose("1", labels=labels)])[0].outcome
            held.append((state.tables.deals[1]["label_ids"], adapter.read([ref])[ref].fields["labels"]))

        assert [([3, 1], ("Cold", "Hot")), ([3], ("Cold",)), ([], ())] == held


class TestWhereTasksAndNotesHang:
    """On a deal, a company or a contact, by fields of their own: ids of each are numbers, and are alike."""

    @pytest.mark.parametrize("kind", [Kind.DEAL, Kind.COMPANY, Kind.CONTACT])
    @pytest.mark.parametrize("action", [Action.TASK, Action.NOTE])
    def test_they_hang_where_the_change_says(self, adapter: Adapter, state: Any, action: Action, kind: Kind) -> None:
        """A note for contact 3 would tell everybody who sees deal 3; and it is found again where it hangs."""
        near, key = Ref("pd", kind, "3"), "mark-77"
        edits = (FieldEdit("body", None, "Call back"),)
        change = make_change(id="t", connection="pd", action=action, target=near, key=key, edits=edits)
        (receipt,) = adapter.write([change])
        rows = state.tables.activities if action is Action.TASK else state.tables.notes
        assert receipt.ref is not None
        row = rows[int(receipt.ref.id)]
        names = {Kind.DEAL: "deal_id", Kind.COMPANY: "org_id", Kind.CONTACT: "person_id"}

        assert {names[kind]: 3} == {name: row[name] for name in names.values() if row[name] is not None}
        assert receipt.ref == adapter.find(receipt.ref.kind, key, near)

    def test_nothing_hangs_on_anything_else(self, adapter: Adapter) -> None:
        """A user has no timeline in Pipedrive."""
        near = Ref("pd", Kind.USER, "3")
        edits = (FieldEdit("body", None, "Call back"),)
        change = make_change(id="t", connection="pd", action=Action.NOTE, target=near, key="k", edits=edits)

        assert Outcome.REFUSED == adapter.write([change])[0].outcome
        assert None is adapter.find(Kind.NOTE, "k", near)
