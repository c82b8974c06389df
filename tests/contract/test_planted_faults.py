"""The adapter suite can fail: each of these faults, planted in a copy of the example adapter, is caught by its tests.

A fault is text that is replaced in the copy's source, as a person would have written it. What the copy then fails is
named, so that a fault that is caught by accident alone does not pass for one that is caught.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

EXAMPLE = Path(__file__).parents[2] / "docs/examples/crmbridge-tinycrm/src/crmbridge_tinycrm"
SUITE = """
from contextlib import contextmanager

from crmbridge.model.replacing import replace
from crmbridge.testing import AdapterSuite, SuiteConfig, plugin_workbench
from {package} import plugin


class TestCopy(AdapterSuite):
    config = SuiteConfig(crowd=70, big=130)

    @contextmanager
    def workbench(self, options, folder):
        with plugin_workbench(plugin, replace(options, now=options.as_of), folder) as bench:
            yield replace(bench, sign_in=bench.open)
"""
# Writes down how each test ended, by the file it is in.
NOTES = """
import json
from pathlib import Path

ended = []


def pytest_runtest_logreport(report):
    if report.when == "call" or report.outcome != "passed":
        ended.append((Path(report.nodeid.split("::")[0]).stem, report.outcome))


def pytest_sessionfinish():
    Path(__file__).with_name("ended.json").write_text(json.dumps(ended))
"""
SECONDS = 600
MOVED = "test_whoever_moved_a_deal_is_a_user"  # of which the example says nothing


class Planted(NamedTuple):
    """A fault: what is replaced in which module of the copy, and the test that must fail."""

    module: str
    before: str
    after: str
    caught_by: str


WALK = """        for items, _ in pages(fetch, start=since):
            since = str(items[-1]["seq"]) if items else since or "0"
            yield self._mapper.page(kind, items, since)
"""
# The walk as it would be with a CRM that has times instead of numbers.
BY_TIME = """        def stamp(item: Any) -> str:
            return (item.get("deleted_at") or item["updated_at"])[:{digits}]

        items = sorted((item for part, _ in pages(fetch, start="0") for item in part), key=stamp)
        last = stamp(items[-1]) if items else since or ""
        yield self._mapper.page(kind, [item for item in items if stamp(item) > (since or "")], last)
"""
UNCLEAR = "outcome=Outcome.UNKNOWN"
SAID_UNCLEAR = f"Receipt(change=change.id, {UNCLEAR}"
REFUSED = "outcome=Outcome.REFUSED"
EACH = "        return [self._write_one(change) for change in changes]\n"
BATCH = "    batch=dict.fromkeys(ACTIONS, 1),\n"
GET = '        return self._client.read("GET", path, params=params).body\n'
LAST = """    merges=True,
    conditional_write=True,
"""

DELETE = 'self._client.write("DELETE", on(change.target)).body'
REMOVED = "        self._delete(kind, native_id)\n"
KNOWN_BY = 'str(row.get(name) or "").casefold() == value.casefold()'
CREATED = """                return self._client.write(
                    "POST", "deals", body={**self._mapper.deal_body(change), "key": change.key}
                ).body
"""
# A deal that is made first, and put on its company when that works.
IN_TWO = """                body = {**self._mapper.deal_body(change), "key": change.key}
                company = body.pop("company", None)
                made = self._client.write("POST", "deals", body=body).body
                try:
                    self._client.write("PATCH", f"deals/{made['id']}", body={"company": company})
                except CrmbridgeError:
                    pass
                return made
"""

# Where a walk is, kept on the adapter.
ITS_OWN = """        self._at = since
        while True:
            body = self._get(PATHS[kind], after=self._at or "0", limit=PAGE)
            self._at = str(body["items"][-1]["seq"]) if body["items"] else self._at or "0"
            yield self._mapper.page(kind, body["items"], self._at)
            if body["next"] is None:
                return
"""
# Cursors in the middle of a walk are known for an hour.
FOR_AN_HOUR = """        from datetime import datetime

        now = self._client._clock.now()
        since, _, at = (since or "").partition("@")
        if at and (now - datetime.fromisoformat(at)).total_seconds() > 3600:
            raise RefusedError("this cursor is not known any more")
        for items, following in pages(fetch, start=since or None):
            since = str(items[-1]["seq"]) if items else since or "0"
            yield self._mapper.page(kind, items, since if following is None else f"{since}@{now.isoformat()}")
"""
SEEN = """        for items, _ in pages(fetch, start=since):
            since = str(items[-1]["seq"]) if items else since or "0"
            seen = self.__dict__.setdefault("_seen", set())
            fresh = [item for item in items if (item["id"], item.get("updated_at", "")[:19]) not in seen]
            seen.update((item["id"], item.get("updated_at", "")[:19]) for item in items)
            yield self._mapper.page(kind, fresh, since)
"""
READ = "fields: dict[str, Value] = {name: item.get(name) for name in PLAIN[kind]}\n"
STAGE = """        if change.position is not None:
            body["stage"] = change.position.stage
"""
UPDATED = 'updated_at=parse_iso(item["updated_at"])'

FAULTS = {
    # What fields held before
    "a field history is declared, and there is none": Planted(
        "adapter", LAST, f"{LAST}    field_history=100,\n", "test_field_history_is_declared_where_it_is"
    ),
    # Pulling
    "the cursor is one too far": Planted("adapter", '[-1]["seq"])', '[-1]["seq"] + 1)', "test_edits_in_a_row_all_come"),
    "later than, where it should be not before": Planted(
        "adapter", WALK, BY_TIME.format(digits=40), "test_edits_within_a_second_all_come"
    ),
    "fractions of a second are lost": Planted(
        "adapter", WALK, BY_TIME.format(digits=19), "test_edits_within_a_second_all_come"
    ),
    "the cursor moves before the page is handed over": Planted(
        "adapter",
        WALK,
        """        walked = list(pages(fetch, start=since))
        for items, _ in walked:
            since = str(walked[-1][0][-1]["seq"]) if items else since or "0"
            yield self._mapper.page(kind, items, since)
""",
        "test_a_cut_pull_goes_on_where_it_ended",
    ),
    "the cursor does not move until the end": Planted(
        "adapter",
        WALK,
        """        walked = list(pages(fetch, start=since))
        for number, (items, _) in enumerate(walked, start=1):
            at_end = number == len(walked) and items
            yield self._mapper.page(kind, items, str(items[-1]["seq"]) if at_end else since or "0")
""",
        "test_a_cut_pull_goes_on_where_it_ended",
    ),
    "a short page is taken for an empty one": Planted(
        "adapter",
        '            since = str(items[-1]["seq"])',
        "            items = items if len(items) == PAGE or not since else []\n"
        '            since = str(items[-1]["seq"])',
        "test_a_full_pull_walks_all_pages",
    ),
    "the page token is ignored": Planted(
        "adapter", 'after=token or "0"', 'after="0"', "test_a_full_pull_walks_all_pages"
    ),
    "the second page is never asked for": Planted(
        "adapter", 'body["items"], body["next"]', 'body["items"], None', "test_a_full_pull_walks_all_pages"
    ),
    "everything is read before the first page": Planted(
        "adapter",
        WALK,
        """        read = [(i, str(i[-1]["seq"]) if i else since or "0") for i, _ in pages(fetch, start=since)]
        yield from [self._mapper.page(kind, items, cursor) for items, cursor in read]
""",
        "test_a_big_pull_comes_whole_and_in_parts",
    ),
    "an outage is taken for an empty list": Planted(
        "adapter",
        GET,
        """        try:
            return self._client.read("GET", path, params=params).body
        except CrmbridgeError:
            return {"items": [], "next": None}
""",
        "test_a_storm_is_said_and_nothing_is_skipped",
    ),
    "deletions are passed over": Planted(
        "mapping",
        "tombstones=tuple(self.tombstone(kind, item) for item in gone)",
        "tombstones=()",
        "test_a_deleted_deal_leaves_a_tombstone",
    ),
    "a merge is a deletion like others": Planted(
        "mapping", "self.ref(kind, into) if into else None", "None", "test_a_merged_record_names_its_survivor"
    ),
    "the moves of another deal": Planted(
        "mapping",
        "self.moves(item))",
        'self.moves({**item, "history": there[0]["history"]}))',
        "test_moves_are_complete_and_in_order",
    ),
    "only the last move": Planted(
        "mapping",
        'stops = item["history"]',
        'stops = item["history"][-1:]',
        "test_a_move_comes_with_all_moves_of_its_deal",
    ),
    "a position without its pipeline": Planted(
        "mapping", "Position(PIPELINE, stage", 'Position("", stage', "test_positions_are_native"
    ),
    "open activities count as done": Planted(
        "mapping",
        '("type", "subject", "done", "owner")',
        '("type", "subject", "owner")',
        "test_every_activity_is_pulled",
    ),
    "where a walk is belongs to the adapter": Planted(
        "adapter", WALK, ITS_OWN, "test_two_walks_at_once_are_both_whole"
    ),
    "a cursor is known for an hour": Planted("adapter", WALK, FOR_AN_HOUR, "test_a_cut_pull_goes_on_where_it_ended"),
    "two edits within a second are one": Planted("adapter", WALK, SEEN, "test_two_edits_of_one_deal_both_come"),
    "companies are pulled once": Planted(
        "adapter",
        WALK,
        f"        if since and kind is Kind.COMPANY:\n            yield Page(cursor=since)\n            return\n{WALK}",
        "test_a_new_one_comes_with_the_next_pull",
    ),
    "companies come every time": Planted(
        "adapter",
        WALK,
        WALK.replace("start=since", "start=None if kind is Kind.COMPANY else since"),
        "test_a_pull_where_nothing_happened_is_quiet",
    ),
    "what is pulled later lacks something": Planted(
        "adapter",
        WALK,
        f"        later = since is not None\n{WALK}".replace(
            "(kind, items,", '(kind, [{**item, "source": None} for item in items] if later else items,'
        ).replace("None}", 'None} if "source" in item else item'),
        "test_an_edit_is_seen_once_and_alone",
    ),
    "the total is that of the page": Planted(
        "mapping",
        "            cursor=cursor,\n",
        "            cursor=cursor,\n            total=len(items),\n",
        "test_a_full_pull_walks_all_pages",
    ),
    "somebody moved it": Planted(
        "mapping",
        """                after=position(stop["stage"]),\n            )""",
        """                after=position(stop["stage"]),\n                by="somebody",\n            )""",
        MOVED,
    ),
    "its owner did it all": Planted(
        "mapping",
        'updated_by=item.get("by")',
        'updated_by=item.get("owner")',
        "test_what_we_did_is_not_said_to_be_others",
    ),
    "its owner made each move": Planted(
        "mapping",
        """                after=position(stop["stage"]),\n            )""",
        """                after=position(stop["stage"]),\n                by=item["owner"],\n            )""",
        "test_what_we_did_is_not_said_to_be_others",
    ),
    "times are those of a zone": Planted(
        "mapping", UPDATED, UPDATED.replace("]", '].replace("Z", "+02:00")'), "test_what_happens_is_told_with_its_time"
    ),
    "the code of a source": Planted(
        "mapping",
        READ,
        READ + """        if fields.get("source"):\n            fields["source"] = str(len(item["source"]))\n""",
        "test_what_people_chose_is_read_as_they_see_it",
    ),
    "every contact has one title": Planted(
        "mapping",
        READ,
        READ + """        if kind is Kind.CONTACT:\n            fields["title"] = "Director"\n""",
        "test_contacts_are_whole",
    ),
    "keys come by reading only": Planted(
        "mapping",
        "tuple(self.record(kind, item) for item in there)",
        'tuple(self.record(kind, {**item, "key": None}) for item in there)',
        "test_a_deal_is_created_whole",
    ),
    "what is asked for is left out": Planted(
        "adapter",
        "self._mapper.record(kind, item) for item in",
        'self._mapper.record(kind, item if fields is None else {**item, "name": None}) for item in',
        "test_read_gives_the_fields_that_are_asked_for",
    ),
    "another currency is told": Planted(
        "adapter",
        "            key_field=",
        '            currencies=("XXX",),\n            key_field=',
        "test_describe_gives_the_currency",
    ),
    "a page that is not there is an empty list": Planted(
        "adapter",
        GET,
        """        try:
            return self._client.read("GET", path, params=params).body
        except RefusedError:
            return {"items": [], "next": None}
""",
        "test_a_page_that_is_not_there_says_nothing_of_records",
    ),
    "a note on a company is nobody's": Planted(
        "mapping",
        '"company": company[0] if company else None',
        '"company": None',
        "test_a_note_on_a_company_is_on_no_deal",
    ),
    # Writing
    "an id is given anew": Planted(
        "sandbox",
        """        return self._put("deals", {**row, "id": f"n{self._seq}",""",
        """        free = next(f"n{n}" for n in range(9999) if "name" not in self.rows["deals"].get(f"n{n}", {}))
        return self._put("deals", {**row, "id": free,""",
        "test_a_new_deal_is_none_that_was_deleted",
    ),
    "a stage or fields": Planted(
        "mapping",
        STAGE,
        STAGE.replace('body["stage"] = change.position.stage', 'return {"values": {}, "stage": change.position.stage}'),
        "test_a_stage_and_fields_are_written_at_once",
    ),
    "a task is nobody's": Planted(
        "mapping",
        '"done": False, "at"',
        '"done": False, "owner": None, "at"',
        "test_a_written_task_is_pulled_as_an_activity",
    ),
    "each receipt names the record of the next": Planted(
        "adapter",
        EACH,
        """        receipts = [self._write_one(change) for change in changes]
        refs = [receipt.ref for receipt in (*receipts[1:], *receipts[:1])]
        return [Receipt(change=r.change, outcome=r.outcome, ref=ref) for r, ref in zip(receipts, refs, strict=True)]
""",
        "test_batches_are_answered_in_order",
    ),
    "a creation without an answer is sent again": Planted(
        "adapter",
        f"return {SAID_UNCLEAR}",
        f"body = self._send(change) or {SAID_UNCLEAR}",
        "test_an_unclear_creation_is_found_again",
    ),
    "no answer is taken for done": Planted(
        "adapter", UNCLEAR, UNCLEAR.replace("UNKNOWN", "APPLIED"), "test_an_unclear_update_is_unknown"
    ),
    "no answer is taken for not done": Planted(
        "adapter", UNCLEAR, UNCLEAR.replace("UNKNOWN", "FAILED"), "test_an_unclear_write_is_unknown"
    ),
    "an item that was left out is taken for done": Planted(
        "adapter", REFUSED, REFUSED.replace("REFUSED", "APPLIED"), "test_one_refused_item_costs_only_itself"
    ),
    "the receipts are out of order": Planted(
        "adapter", EACH, EACH.replace("in changes]", "in changes][::-1]"), "test_batches_are_answered_in_order"
    ),
    "empty values are left out": Planted(
        "mapping",
        "            if name in bound:\n",
        "            if value is None:\n                continue\n            if name in bound:\n",
        "test_a_field_is_cleared",
    ),
    "long text is cut": Planted(
        "mapping",
        "            return value.isoformat()\n",
        "            return value.isoformat()\n        case str():\n            return value[:255]\n",
        "test_text_survives_or_is_refused",
    ),
    "a marker is looked for everywhere": Planted(
        "adapter", 'on=on(near) if near else "", ', "", "test_a_task_is_found_by_its_marker"
    ),
    "half a character breaks the search": Planted(
        "adapter",
        'key = key.encode("utf-8", "replace").decode()',
        "key = key.encode().decode()",
        "test_keys_that_were_never_written_are_not_found",
    ),
    # Archiving
    "an archive is reported and not done": Planted(
        "adapter", DELETE, '{"id": change.target.id}', "test_an_archived_deal_is_gone"
    ),
    "what was archived leaves no tombstone": Planted(
        "sandbox", REMOVED, "        del self.rows[kind][native_id]\n", "test_an_archived_deal_is_gone"
    ),
    "what is archived already is an error": Planted(
        "sandbox",
        "        self._state.remove(kind, native_id)\n",
        """        if "deleted_at" in self._state.rows[kind].get(native_id, {"deleted_at": ""}):
            return _json({"error": "there is no such record"}, 404)
        self._state.remove(kind, native_id)
""",
        "test_archiving_twice_is_harmless",
    ),
    "an archive without an answer is sent again": Planted(
        "adapter",
        f"return {SAID_UNCLEAR}",
        f"body = self._send(change) or {SAID_UNCLEAR}",
        "test_an_unclear_archive_is_settled_by_reading",
    ),
    "a restored deal stays away": Planted(
        "sandbox",
        """        self._put("deals", {**self.bin.pop(native_id), "updated_at": iso(self.clock.now())})""",
        """        self.rows["deals"][native_id] = self.bin.pop(native_id)""",
        "test_a_restored_deal_comes_back",
    ),
    "a task that was made can't be taken back": Planted(
        "mapping",
        '{**PATHS, Kind.TASK: "activities"}',
        '{**PATHS, Kind.TASK: "tasks"}',
        "test_what_we_made_can_be_archived",
    ),
    "an archived company is still shown": Planted(
        "sandbox",
        REMOVED,
        """        if kind == "companies":
            self.rows[kind][native_id]["domain"] = None
            return
"""
        + REMOVED,
        "test_what_we_made_can_be_archived",
    ),
    # Companies and contacts
    "a company without an answer is sent again": Planted(
        "adapter",
        f"return {SAID_UNCLEAR}",
        f"body = self._send(change) or {SAID_UNCLEAR}",
        "test_an_unclear_company_or_contact_is_looked_for",
    ),
    "a company is made twice": Planted(
        "sandbox",
        "if any(is_known_by(",
        "if False and any(is_known_by(",
        "test_what_is_there_already_is_not_made_again",
    ),
    "a company is found by how it begins": Planted(
        "sandbox",
        KNOWN_BY,
        KNOWN_BY.replace(" == value.casefold()", ".startswith(value.casefold())"),
        "test_a_natural_key_finds_its_own_and_never_another",
    ),
    "a company is found by how it ends": Planted(
        "sandbox",
        KNOWN_BY,
        KNOWN_BY.replace(" == value.casefold()", ".endswith(value.casefold())"),
        "test_a_natural_key_finds_its_own_and_never_another",
    ),
    "capitals count": Planted(
        "sandbox", KNOWN_BY, KNOWN_BY.replace(".casefold()", ""), "test_those_that_people_made_are_found"
    ),
    "names tell companies with domains apart": Planted(
        "sandbox",
        ' or (name == "name" and row.get("domain"))',
        "",
        "test_a_company_with_a_domain_is_not_known_by_its_name",
    ),
    "a contact is made without its company": Planted(
        "mapping",
        "write_value(value) for name, value in change.after.items()}\n\n    def attached",
        'write_value(value) for name, value in change.after.items() if name != "company"}\n\n    def attached',
        "test_a_company_or_contact_is_made_whole",
    ),
    "the last editor is nobody": Planted(
        "mapping",
        'updated_by=item.get("by")',
        'updated_by="somebody"',
        "test_the_last_editor_is_a_user",
    ),
    # What hangs on a deal
    "a deal is applied without its company": Planted(
        "adapter", CREATED, IN_TWO, "test_a_deal_is_never_applied_without_what_hangs_on_it"
    ),
    "what hangs on a new deal is forgotten": Planted(
        "adapter",
        CREATED,
        CREATED.replace('"key": change.key}', '"key": change.key, "company": None}'),
        "test_what_hangs_on_a_new_deal_is_there_at_once",
    ),
    "contacts are replaced": Planted(
        "mapping",
        "added_and_removed(edit)\n",
        "write_value(edit.after)\n",
        "test_an_edit_of_contacts_adds_and_removes_whom_it_names",
    ),
    "no contact is ever taken off": Planted(
        "mapping", '"remove": sorted(old - new)', '"remove": []', "test_all_contacts_are_taken_off"
    ),
    "a company that is taken away stays": Planted(
        "mapping",
        "            if name in bound:\n",
        '            if (name, value) == ("company", None):\n                continue\n            if name in bound:\n',
        "test_a_deal_gets_another_company_and_none",
    ),
    "the company goes to another deal": Planted(
        "adapter",
        '"PATCH", on(change.target), body=body, headers=unchanged',
        '"PATCH", self.__dict__.setdefault("_path", on(change.target)), body=body',
        "test_each_deal_gets_its_own",
    ),
    "what is gone is left out without a word": Planted(
        "sandbox",
        '        return _json({"error": f"there is no {lacking}"}, 422) if lacking else None\n',
        """        if lacking:
            body.update({"company": None} if "companies" in lacking else {"contacts": []})
        return None
""",
        "test_what_is_gone_is_not_left_out_without_a_word",
    ),
    "what people tie is not seen": Planted(
        "sandbox",
        """        self.change(deal_id, {"company": company_id})""",
        """        self.rows["deals"][deal_id]["company"] = company_id""",
        "test_what_a_person_ties_is_seen",
    ),
    # Values
    "money is a float": Planted(
        "mapping",
        'Decimal(amount["amount"])',
        'Decimal(str(float(amount["amount"])))',
        "test_amounts_are_exact_or_refused",
    ),
    "every currency has cents": Planted(
        "mapping", "str(value.amount)", "str(round(value.amount, 2))", "test_another_currency_travels_with_its_amount"
    ),
    "every amount is in euros": Planted(
        "mapping", '"currency": value.currency', '"currency": "EUR"', "test_another_currency_travels_with_its_amount"
    ),
    "days are midnights somewhere": Planted(
        "mapping",
        "            return value.isoformat()\n",
        """            from zoneinfo import ZoneInfo
            midnight = datetime(value.year, value.month, value.day, tzinfo=ZoneInfo("Europe/Berlin"))
            return parse_iso(midnight.isoformat()).date().isoformat()
""",
        "test_days_stay_the_day_they_are",
    ),
    "moments lose their zone": Planted(
        "mapping",
        "            return iso(value)\n",
        "            from zoneinfo import ZoneInfo\n"
        '            there = value.astimezone(ZoneInfo("Europe/Berlin")).replace(tzinfo=None)\n'
        '            return there.isoformat() + "Z"\n',
        "test_moments_stay_the_moment_they_are",
    ),
    # Around them
    "the limit is not kept": Planted(
        "adapter", "[Rate(settings.requests_per_second, 1)]", "[]", "test_threads_keep_to_the_limit"
    ),
    "a wait is not heard": Planted(
        "adapter",
        "if reply.status == CHANGED else None",
        'if reply.status == CHANGED else RetryLaterError("slow down") if reply.status == 429 else None',
        "test_a_wait_that_was_asked_for_is_kept",
    ),
    "an error shows the token": Planted(
        "adapter",
        GET,
        """        try:
            return self._client.read("GET", path, params=params).body
        except CrmbridgeError as error:
            raise type(error)(f"{error} with {self._client._signer.sign().headers}", advice=error.advice) from error
""",
        "test_a_wrong_credential_is_said_without_showing_it",
    ),
    "an error says nothing of its connection": Planted(
        "adapter",
        GET,
        """        try:
            return self._client.read("GET", path, params=params).body
        except CrmbridgeError as error:
            raise type(error)("that did not work", advice=error.advice) from error
""",
        "test_a_storm_is_said_and_nothing_is_skipped",
    ),
}

LIES = {
    "it pulls activities": Planted(
        "mapping",
        'if "deleted_at" not in item]',
        'if "deleted_at" not in item and kind is not Kind.ACTIVITY]',
        "test_every_activity_is_pulled",
    ),
    "it pulls notes": Planted(
        "mapping",
        'if "deleted_at" not in item]',
        'if "deleted_at" not in item and kind is not Kind.NOTE]',
        "test_a_new_note_is_seen",
    ),
    "it makes fields": Planted("mapping", "if native is None or", "if True or", "test_a_field_is_made_once"),
    "it takes three at a time": Planted("adapter", BATCH, BATCH.replace("1)", "3)"), "test_a_full_batch_is_made"),
    "keys are unique": Planted(
        "sandbox",
        "        if any(row.get",
        "        if False and any(row.get",
        "test_creating_twice_with_one_key_makes_one_deal",
    ),
    "it has history": Planted(
        "mapping", 'stops = item["history"]', "stops = []", "test_moves_are_complete_and_in_order"
    ),
    "it tells of deletions": Planted(
        "sandbox",
        '        self._put(kind, {"id": native_id, "deleted_at": iso(self.clock.now()), **more})\n',
        "        del self.rows[kind][native_id]\n",
        "test_a_deleted_deal_leaves_a_tombstone",
    ),
    "it makes contacts": Planted(
        "adapter",
        "PATHS[change.creates], body=body",
        '"companies", body=body',
        "test_a_company_or_contact_is_made_whole",
    ),
    "it archives": Planted(
        "adapter",
        DELETE,
        'self._client.read("GET", "about").body | {"id": change.target.id}',
        "test_archiving_twice_is_harmless",
    ),
    "people can restore what it archives": Planted(
        "sandbox", "def restore_deal", "def _restore_deal", "test_a_restored_deal_comes_back"
    ),
    "people can tie what it ties": Planted(
        "sandbox", "def remove_contact", "def _remove_contact", "test_what_a_person_ties_is_seen"
    ),
    "won and lost are statuses": Planted(
        "adapter", "status_in_stage=True", "status_in_stage=False", "test_positions_are_native"
    ),
    "nothing is late": Planted(
        "sandbox",
        'row["seq"] > after)',
        'row["seq"] > after and row.get("updated_at", "") <= iso(self._state.clock.now() - timedelta(minutes=5)))',
        "test_an_edit_is_seen_once_and_alone",
    ),
    "a merge names the survivor": Planted(
        "sandbox", ", merged_into=winner", "", "test_a_merged_record_names_its_survivor"
    ),
    "the CRM refuses what is outdated": Planted(
        "adapter",
        '{"If-Match": change.expects} if change.expects else None',
        "None",
        "test_an_outdated_change_is_stale",
    ),
    "it reads slices side by side": Planted(
        "adapter", LAST, LAST + "    slices=True,\n", "test_a_big_pull_comes_whole_and_in_parts"
    ),
}


# What some faults need beside the replaced text.
ALSO = {
    "it takes three at a time": [("adapter", EACH, EACH.replace("in changes]", "in changes[:1]]"))],
    "the receipts are out of order": [("adapter", BATCH, BATCH.replace("1)", "3)"))],
    "each receipt names the record of the next": [("adapter", BATCH, BATCH.replace("1)", "3)"))],
    "a wait is not heard": [
        ("adapter", "import CrmbridgeError, RefusedError,", "import CrmbridgeError, RefusedError, RetryLaterError,")
    ],
    "nothing is late": [("sandbox", "import date, datetime", "import date, datetime, timedelta")],
    "open activities count as done": [
        ("mapping", "_attached_fields(item)\n", '{**_attached_fields(item), "done": True}\n')
    ],
}
# A copy that reads slices side by side, and says so: what the lie about it is measured against.
SLICES = """        done = {start: start for start in range(0, 2000, 200)}
        done |= {int(start): seen for start, seen in json.loads(since or "{}").items()}
        starts = list(done)

        def part(start: int) -> Callable[[], Iterator[list[Any]]]:
            def read() -> Iterator[list[Any]]:
                for items, _ in pages(fetch, start=str(done[start])):
                    mine = [item for item in items if item["seq"] <= start + 200]
                    yield from [mine] if mine else []
                    if mine != items:
                        return

            return read

        for number, items in side_by_side([part(start) for start in starts], workers=4):
            done[starts[number]] = items[-1]["seq"]
            yield self._mapper.page(kind, items, json.dumps(done))
        yield self._mapper.page(kind, [], json.dumps(done))
"""
CUT = "test_a_cut_sliced_pull_goes_on_in_each_slice"
SLICED = {
    "sliced": Planted("adapter", WALK, SLICES, "test_a_big_pull_comes_whole_and_in_parts"),
    "sliced and cut": Planted("adapter", WALK, SLICES, CUT),
}
FAULTS["slices begin anew"] = Planted(
    "adapter", WALK, SLICES.replace("items, json.dumps(done)", 'items, since or "{}"'), CUT
)
FAULTS["a slice ends at its first page"] = Planted(
    "adapter", WALK, SLICES.replace("if mine != items:", "if True:"), "test_a_big_pull_comes_whole_and_in_parts"
)
IN_SLICES = [
    ("adapter", LAST, LAST + "    slices=True,\n"),
    ("adapter", "import Collection, Iterator,", "import Callable, Collection, Iterator,"),
    ("adapter", "open_client, pages", "open_client, pages, side_by_side"),
    ("adapter", "from typing import Any", "import json\nfrom typing import Any"),
]
ALSO |= dict.fromkeys((*SLICED, "slices begin anew", "a slice ends at its first page"), IN_SLICES)
# A copy whose CRM gives sessions that expire, and that signs in anew.
SIGNER = "            signer=StaticToken(token),\n"
SIGNING_IN = """            signer=TokenSource(self._sign_in, context.clock),
"""
RENEWED = "test_an_expired_session_is_renewed"
EXPIRED = "Dialect(judge=judge, expired=lambda reply: reply.status == 401)"
IN_SESSIONS = [
    (
        "adapter",
        "        self._client = open_client(\n",
        """        self._token = token
        self._door = open_client(
            settings, context, base_url=HOST, dialect=Dialect(judge=judge), signer=StaticToken(token)
        )
        self._client = open_client(
""",
    ),
    (
        "adapter",
        "    def close(self) -> None:\n",
        """    def _sign_in(self) -> Token:
        number = self._door.read("GET", "session").body["number"]
        return Token(value=SecretStr(f"{self._token.get_secret_value()}.{number}"))

    def close(self) -> None:
        self._door.close()
""",
    ),
    ("adapter", "StaticToken, open_client", "StaticToken, Token, TokenSource, open_client"),
    ("sandbox", "        self._seq = 0\n", "        self._seq = 0\n        self.session = 1\n"),
    (
        "sandbox",
        "    def deal_ids(self)",
        "    def expire_session(self) -> None:\n        self.session += 1\n\n    def deal_ids(self)",
    ),
    (
        "sandbox",
        'request.headers.get("authorization") == f"Bearer {token}"',
        (
            'request.headers.get("authorization") == f"Bearer {token}"'
            ' + f".{state.session}" * (request.url.path != "/session")'
        ),
    ),
    ("sandbox", '        Route("/about"', '        Route("/session", serves.sign_in),\n        Route("/about"'),
    (
        "sandbox",
        "    async def make_field",
        """    async def sign_in(self, _: Request) -> Response:
        return _json({"number": self._state.session})

    async def make_field""",
    ),
]
SIGNED = {"signed in": Planted("adapter", SIGNER, SIGNING_IN, RENEWED)}
FAULTS["an expired session is the end"] = Planted("adapter", SIGNER, SIGNING_IN, RENEWED)
ALSO["an expired session is the end"] = IN_SESSIONS
ALSO["signed in"] = [
    (
        "adapter",
        "            dialect=Dialect(judge=judge),\n            rates",
        f"            dialect={EXPIRED},\n            rates",
    ),
    *IN_SESSIONS,
]
ALL = {**FAULTS, **LIES, **SLICED, **SIGNED}
SOUND = "sound"
SOUND_TESTS = sorted({fault.caught_by for fault in ALL.values()} - {CUT, RENEWED, MOVED})


def make_copy(folder: Path, number: int, name: str) -> str:
    """Copy the example under a name of its own, plant a fault in it, and give the place of the test that is to fail."""
    package = folder / f"copy_{number}"
    package.mkdir()
    for module in EXAMPLE.glob("*.py"):
        text = module.read_text("utf-8").replace(EXAMPLE.name, package.name)
        (package / module.name).write_text(text, "utf-8")
    (folder / f"test_{number}.py").write_text(SUITE.format(package=package.name), "utf-8")
    fault = ALL[name]
    replace_in(package / f"{fault.module}.py", fault.before, fault.after)
    for module_name, before, after in ALSO.get(name, ()):
        replace_in(package / f"{module_name}.py", before, after)
    return f"test_{number}.py::TestCopy::{fault.caught_by}"


def replace_in(module: Path, before: str, after: str) -> None:
    """Replace text in a module, at each of its places."""
    text = module.read_text("utf-8")
    assert before in text, f"{module.name} does not have what the fault replaces"
    module.write_text(text.replace(before, after), "utf-8")


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, list[str]]:
    """Run the tests of all copies, and give how they ended, by the name of the fault.

    They run in one process of their own: the copies are many, and starting is what takes long.
    """
    folder = tmp_path_factory.mktemp("copies")
    places = [make_copy(folder, number, name) for number, name in enumerate(ALL)]
    (folder / "conftest.py").write_text(NOTES, "utf-8")
    (folder / "test_sound.py").write_text(SUITE.format(package=EXAMPLE.name), "utf-8")
    places += [f"test_sound.py::TestCopy::{test}" for test in SOUND_TESTS]
    roots = f"{folder}{os.pathsep}{EXAMPLE.parent}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    subprocess.run(  # noqa: S603  our own tests
        [sys.executable, "-m", "pytest", "-q", "--tb=no", "-p", "no:cacheprovider", *places],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": roots},
        timeout=SECONDS,
        check=False,
        capture_output=True,
    )
    found: dict[str, list[str]] = {SOUND: [], **{name: [] for name in ALL}}
    names = {f"test_{number}": name for number, name in enumerate(ALL)} | {"test_sound": SOUND}
    for file, outcome in json.loads((folder / "ended.json").read_text("utf-8")):
        found[names[file]].append(outcome)
    return found


@pytest.mark.parametrize("name", [*FAULTS, *LIES])
def test_a_fault_is_caught(ended: Mapping[str, list[str]], name: str) -> None:
    """Planted in the copy, or declared by it though it is not so, it makes the test fail that is there for it."""
    assert "failed" in ended[name]
    assert "skipped" not in ended[name]


def test_the_copy_itself_has_no_fault(ended: Mapping[str, list[str]]) -> None:
    """The tests that catch the faults pass where none is planted."""
    assert {"passed"} == set(ended[SOUND])
    assert len(SOUND_TESTS) <= len(ended[SOUND])


def test_slices_that_are_read_side_by_side_are_no_lie(ended: Mapping[str, list[str]]) -> None:
    """A copy that declares slices and has them passes."""
    assert [["passed"]] * 2 == [ended[name] for name in SLICED]


def test_sessions_that_are_renewed_are_no_fault(ended: Mapping[str, list[str]]) -> None:
    """A copy whose CRM ends its session in the middle of a pull signs in anew, and passes."""
    assert [["passed"]] == [ended[name] for name in SIGNED]
