"""The AdapterSuite's tests of credentials that are wrong, revoked or expired, and of the CRM's rate limits."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from crmbridge.errors import AuthenticationError
from crmbridge.model.changes import Action, Outcome
from crmbridge.model.records import Kind, Status
from crmbridge.ports import Adapter
from crmbridge.testing.adapters.changes import finds_deals, make_update, open_deal, strike, struck, write_one
from crmbridge.testing.adapters.hands import SessionHands
from crmbridge.testing.adapters.workbench import CONNECTION, AdapterWorkbench, pull_all, settle

WRONG = "wrong-credential-7f3a"
THREADS, TURNS = 6, 25


class CredentialTests:
    """A credential that does not work is said, with the fix, and is never shown."""

    def test_a_refused_credential_is_said_without_showing_it(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """A credential that was revoked raises AuthenticationError with the fix, reading and writing."""
        deal = open_deal(adapter)
        bench.served.sandbox.faults.plan("revoked", times=1000)
        calls: list[Callable[[], object]] = [
            adapter.describe,
            lambda: pull_all(adapter),
            lambda: adapter.read([deal.ref]),
            *([lambda: adapter.find(Kind.DEAL, "some-key", None)] if finds_deals(adapter) else []),
            lambda: write_one(adapter, make_update(deal, fields={"name": "No"})),
        ]

        for call in calls:
            with pytest.raises(AuthenticationError) as caught:
                call()
            _says_the_fix(caught.value, bench.served.token)

    def test_a_wrong_credential_is_said_without_showing_it(self, bench: AdapterWorkbench, tmp_path: Path) -> None:
        """So does one that never was right; nothing is pulled with it."""
        secret = tmp_path / "wrong"
        secret.write_text(WRONG, "utf-8")
        adapter = bench.open(**{bench.credential: {"file": str(secret)}})
        for call in (adapter.describe, lambda: pull_all(adapter)):
            with pytest.raises(AuthenticationError) as caught:
                call()
            _says_the_fix(caught.value, WRONG)
        adapter.close()

    def test_a_credential_that_works_again_works_again(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """A refusal is not remembered: once the CRM takes the credential, the same adapter goes on."""
        whole = pull_all(adapter).records
        bench.served.sandbox.faults.plan("revoked", times=1000)
        with pytest.raises(AuthenticationError):
            pull_all(adapter)
        bench.served.sandbox.faults.clear()

        assert whole == pull_all(adapter).records

    def test_an_expired_session_is_renewed(self, crowded: AdapterWorkbench) -> None:
        """A session that ends during a pull costs nothing; the pull goes on in a new one, and so does a write."""
        hands: object = crowded.hands
        if not isinstance(hands, SessionHands):
            pytest.skip("this CRM has no sessions that expire")
        if crowded.sign_in is None:
            pytest.skip("the workbench has no `sign_in`, and its usual credential is no session")
        adapter = crowded.sign_in()
        walk = adapter.pull(Kind.DEAL, None)
        pages = [next(walk)]
        hands.expire_session()
        pages += walk
        hands.expire_session()
        found = [record for page in pages for record in page.records]
        deal = next(record for record in found if record.position and record.position.status is Status.OPEN)
        receipt = write_one(adapter, make_update(deal, fields={"name": "Renewed"}))
        adapter.close()

        assert {*crowded.hands.deal_ids()} == {record.ref.id for record in found}
        assert Outcome.APPLIED == receipt.outcome
        assert 401 in {request.status for request in crowded.served.sandbox.log.all()}


class LimitTests:
    """The CRM's limits are known and kept; being told to wait is obeyed."""

    def test_threads_keep_to_the_limit(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """Many threads reading, pulling and looking up draw no 429 by their own doing."""
        deal, cursor = open_deal(adapter), settle(bench, adapter)

        def take_a_turn(number: int) -> None:
            match number % 3:
                case 0:
                    pull_all(adapter, since=cursor)
                case 1 if finds_deals(adapter):
                    adapter.find(Kind.DEAL, f"nothing-{number}", None)
                case _:
                    adapter.read([deal.ref])

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(take_a_turn, range(THREADS * TURNS)))

        assert 0 == sum(request.status == 429 for request in bench.served.sandbox.log.all())

    def test_a_wait_that_was_asked_for_is_kept(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """After being told when to come back, nothing is sent before that; where no time is said, there is a pause."""
        ref = open_deal(adapter).ref
        bench.served.sandbox.faults.plan("limit_after")
        adapter.read([ref])
        requests = bench.served.sandbox.log.all()
        told = next(n for n, request in enumerate(requests) if request.fault == "limit_after")

        asked = timedelta(seconds=requests[told].retry_after or 0)
        assert requests[told].at + asked <= requests[told + 1].at
        assert requests[told].at < requests[told + 1].at

    @pytest.mark.parametrize("fault", ["limit", "limit_after"])
    def test_a_limited_write_is_repeated(self, bench: AdapterWorkbench, adapter: Adapter, fault: str) -> None:
        """Being told to slow down, with or without a time, means that nothing was done: the write goes out again."""
        deal = open_deal(adapter)
        strike(bench, adapter, Action.UPDATE, fault)
        before = bench.clock.now()

        assert Outcome.APPLIED == write_one(adapter, make_update(deal, fields={"name": "Later"})).outcome
        assert "Later" == adapter.read([deal.ref])[deal.ref].fields["name"]
        assert 1 == struck(bench, fault)
        assert before < bench.clock.now()


def _says_the_fix(error: AuthenticationError, secret: str) -> None:
    said = f"{error!r} {error} {error.advice}"
    assert secret not in said
    assert CONNECTION in f"{error.message} {error.advice}"
    assert error.advice
    assert 4 == error.exit_code
