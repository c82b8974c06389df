"""What plays share is the same in each of them."""

from __future__ import annotations

import httpx
import pytest

from crmbridge.testing.simulation.accounts import names_in
from crmbridge.testing.simulation.scene import WORLDS, make_scene

CRMS = ("hubspot", "pipedrive", "salesforce")


class Nobody:
    """Looks at no request."""

    def asked(self, request: httpx.Request) -> None:
        """Let it pass."""

    def answered(self, request: httpx.Request, status: int, fault: str) -> None:
        """Let it pass."""


@pytest.mark.parametrize("seed", range(WORLDS))
def test_all_plays_of_a_world_have_the_same_people(seed: int) -> None:
    """Users, companies and contacts are looked up once: neither the number of deals nor their part changes them."""
    for deals, share in ((1, 1.0), (4, 0.5), (3, 0.0)):
        parts = dict.fromkeys(CRMS, (0.0, share))
        with make_scene(seed, parts, lambda _: Nobody(), lambda adapter, _: adapter, deals=deals) as scene:
            for account in scene.accounts.values():
                assert names_in(account.people) == account.sight.names
                users = account.people.describe().users
                assert {user.ref: user.fields for user in users} == {u.ref: u.fields for u in account.users}
