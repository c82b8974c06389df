"""The AdapterSuite's tests of text that breaks careless code."""

from __future__ import annotations

import unicodedata

import pytest

from crmbridge.model.changes import Action, Outcome
from crmbridge.model.records import Kind
from crmbridge.ports import Adapter
from crmbridge.testing.adapters.changes import make_note, make_update, needs, open_deal, write_one

HOSTILE = {
    "right to left": "שלום עולם \u202e gnp.exe",
    "emoji": "\U0001f469\u200d\U0001f467 deal 🚀 naïve Ünï e\u0301",  # joined, astral and combining characters
    "markup": "<script>alert(1)</script> & <b>bold</b> &amp; \"quoted\" 'too'",
    "query": "'; DROP TABLE deals; -- \\' OR 1=1 {{7*7}} ${x} %s %00",
    "formula": '=HYPERLINK("http://x.example") @SUM(1) +1 -1 | **bold** [x](javascript:1) `tick`',
    "lines": "first\r\nsecond\nthird\rfourth\u2028fifth\tsixth",
    "nul": "before\x00after",
    "controls": "bell\x07 escape\x1b[31m",
    "lone surrogate": "half \ud83d of a pair",
    "5,000 characters": "lorem ips " * 500,
    "65,536 characters": "0123456789abcde " * 4095 + "0123456789abcdeZ",
}
# Text that means something else to a careless reader: it is text.
LOOK_ALIKES = ("0012", "1e5", "null", "None", "true", "#N/A", "NaN", "2026-01-02", "[]", "{}", "-", "\\N")


class HostileTests:
    """Whatever people put into a field comes back, or is refused clearly; it never breaks a run."""

    @pytest.mark.parametrize("what", HOSTILE)
    @pytest.mark.parametrize("field", ["name", "decision_maker"])
    def test_text_survives_or_is_refused(self, adapter: Adapter, what: str, field: str) -> None:
        """Text comes back as it was written; what no CRM can hold may come back without it; too long is refused."""
        deal = open_deal(adapter)
        text = HOSTILE[what].rstrip()
        receipt = write_one(adapter, make_update(deal, fields={field: text}))
        after = adapter.read([deal.ref])[deal.ref].fields.get(field)

        if receipt.outcome is Outcome.APPLIED:
            assert storable(text) == storable(str(after))
        else:
            assert (Outcome.REFUSED, True) == (receipt.outcome, bool(receipt.message))
            assert deal.fields.get(field) == after
        assert receipt.message.isprintable()

    @pytest.mark.parametrize("what", HOSTILE)
    def test_notes_survive_or_are_refused(self, adapter: Adapter, what: str) -> None:
        """A note with any text is written and found by its marker, or refused."""
        deal = open_deal(adapter)
        change = make_note(deal.ref, what.replace(" ", "-"), body=HOSTILE[what])
        receipt = write_one(adapter, change)

        assert receipt.outcome in {Outcome.APPLIED, Outcome.REFUSED}
        assert receipt.ref == adapter.find(Kind.NOTE, change.key or "", deal.ref)

    def test_text_that_looks_like_something_else_stays_text(self, adapter: Adapter) -> None:
        """A name of digits is no number, and the word null is not nothing."""
        ref = open_deal(adapter).ref
        came: list[object] = []
        for text in LOOK_ALIKES:
            change = make_update(adapter.read([ref])[ref], fields={"decision_maker": text})
            assert Outcome.APPLIED == write_one(adapter, change).outcome, text
            came.append(adapter.read([ref])[ref].fields["decision_maker"])

        assert list(LOOK_ALIKES) == came

    @pytest.mark.parametrize("what", HOSTILE)
    def test_keys_that_were_never_written_are_not_found(self, adapter: Adapter, what: str) -> None:
        """Looking for a strange key finds nothing and breaks nothing."""
        needs(adapter, Action.CREATE)

        assert None is adapter.find(Kind.DEAL, HOSTILE[what][:200], None)


def storable(text: str) -> str:
    """Leave out what a CRM may drop or replace: control characters, ends of lines and halves of pairs."""
    kept = unicodedata.normalize("NFC", text)
    return "".join(c for c in kept if unicodedata.category(c) not in {"Cc", "Cs", "Zl"} and c not in {"\ufffd", "?"})
