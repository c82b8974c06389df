"""Who somebody is: people as a CRM's fields and history name them, and the ones that a process or its settings list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from crmbridge.engine.views import emails
from crmbridge.model.records import Record
from crmbridge.model.values import Value, is_empty

OWNER = "owner"  # in place of a role: whoever owns the deal
LEADER = "leader"  # the role that leads the process, whatever that is called
People = Mapping[str, Sequence[str]]  # e-mail addresses by role


def email_of(value: Value, users: Iterable[Record]) -> str | None:
    """Give the e-mail address, in small letters, of the one person that a value names.

    It names somebody by an address, by the CRM's id of a user, or by a user's name. None when it names nobody that is
    known, or several.
    """
    if is_empty(value) or isinstance(value, bool | tuple):
        return None
    text = str(value).strip().casefold()
    if "@" in text:
        return text
    known = list(users)
    addresses = emails(known)
    named = {addresses.get(user.ref.id) for user in known if text in _names(user)}
    return named.pop() if len(named) == 1 else None


def listed(words: Iterable[str], people: People) -> tuple[frozenset[str], tuple[str, ...]]:
    """Give the addresses that a list of roles and addresses comes to, and the roles that nobody is listed for."""
    found: set[str] = set()
    nobody = []
    for word in words:
        addresses = [word] if "@" in word else people.get(word, ())
        found.update(address.strip().casefold() for address in addresses)
        if not addresses:
            nobody.append(word)
    return frozenset(found), tuple(nobody)


def _names(user: Record) -> set[str]:
    name = user.fields.get("name")
    return {user.ref.id.casefold(), *([name.strip().casefold()] if isinstance(name, str) else [])}
