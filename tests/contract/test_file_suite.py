"""A false declaration of files fails the suite: each of these faults is caught by a test of its own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.contract.test_fake_crm import TestFakeCrm as Suite

from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.replacing import replace
from crmbridge.ports import Page
from crmbridge.sandbox import SandboxOptions, VirtualClock
from crmbridge.testing.adapters.files import FileTests
from crmbridge.testing.adapters.suite import NOON
from crmbridge.testing.fake_adapter import FakeAdapter

Change = Callable[[Record], Record]


class Lying(FakeAdapter):
    """The fake adapter, telling of files in its own way."""

    change: Change = staticmethod(lambda record: record)
    silent, amnesiac, deaf, careless = False, False, False, False

    def pull(self, kind: Kind, since: str | None) -> Iterator[Page]:
        """Pull, with the fault."""
        if kind is not Kind.FILE:
            yield from super().pull(kind, since)
            return
        if self.careless and self._crm.files_forbidden:
            yield Page(cursor="0")
            return
        for page in super().pull(kind, None if self.amnesiac else since):
            records = () if self.silent else tuple(map(self.change, page.records))
            yield replace(page, records=records, tombstones=() if self.deaf else page.tombstones)

    def read(self, refs: Sequence[Ref], *, fields: Collection[str] | None = None) -> Mapping[Ref, Record]:
        """Read, with the fault."""
        return {ref: self.change(record) for ref, record in super().read(refs, fields=fields).items()}


def told(**fields: Any) -> Change:
    """Make the fault of telling something else."""
    return lambda r: replace(r, fields={**r.fields, **fields}) if r.ref.kind is Kind.FILE else r


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "tells of none": ({"silent": True}, "test_a_new_file_is_seen"),
    "always tells of all": ({"amnesiac": True}, "test_what_has_not_changed_is_not_pulled_again"),
    "tells no deletions": ({"deaf": True}, "test_a_deleted_file_leaves_a_tombstone"),
    "takes no right for no files": ({"careless": True}, "test_files_that_may_not_be_read_are_said_to_be"),
    "leaves out the deal": ({"change": told(deals=())}, "test_a_new_file_is_seen"),
    "names one deal for all": ({"change": told(deals=("1",))}, "test_every_file_hangs_on_its_deal"),
    "keeps the name from us": ({"change": told(name=None)}, "test_every_file_hangs_on_its_deal"),
    "gives the size as text": ({"change": told(size="48123")}, "test_a_new_file_is_seen"),
    "gives no time": ({"change": told(at=None)}, "test_a_new_file_is_seen"),
    "gives what stands in it": ({"change": told(body="%PDF-1.7")}, "test_a_new_file_is_seen"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_caught(fault: str, tmp_path: Path) -> None:
    """By the test that is meant for it; without the fault that test passes."""
    settings, name = FAULTS[fault]
    options = SandboxOptions(seed=11, deals=24, clock=VirtualClock(NOON))
    for faulty in (False, True):
        with Suite().workbench(options, tmp_path) as bench:
            kind = type("Faulty", (Lying,), {n: staticmethod(v) if callable(v) else v for n, v in settings.items()})
            make = kind if faulty else FakeAdapter

            def opened(make: Any = make, bench: Any = bench) -> Any:
                return make(bench.served.sandbox.state)

            watched = _With(bench, opened)
            if faulty:
                with pytest.raises((AssertionError, pytest.fail.Exception)):
                    getattr(FileTests(), name)(watched, opened())
            else:
                getattr(FileTests(), name)(watched, opened())


class _With:
    """A workbench that opens another adapter."""

    def __init__(self, bench: Any, opened: Callable[[], Any]) -> None:
        self._bench, self.open = bench, opened

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bench, name)
