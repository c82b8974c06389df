"""What one account has, as JSON and as lines: for `crmbridge connections describe`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from crmbridge.cli.output import Line, plural, strong, table
from crmbridge.model.values import show

if TYPE_CHECKING:
    from crmbridge.ports import Capabilities, Description, NativeStage
    from crmbridge.services.accounts.signin import SignIn


def account_form(name: str, account: Description, can: Capabilities, signed: SignIn | None) -> dict[str, Any]:
    """Give an account as plain JSON."""
    until = account.api_supported_until
    return {
        "name": name,
        "account": account.account,
        "api_version": account.api_version or None,
        "api_supported_until": until.isoformat() if until else None,
        "credential": _credential_form(signed) if signed else None,
        "currencies": list(account.currencies),
        "key_field": account.key_field.name if account.key_field else None,
        "pipelines": [
            {
                "id": pipeline.id,
                "label": pipeline.label,
                "stages": [{"id": s.id, "label": s.label, "status": s.status.value} for s in pipeline.stages],
            }
            for pipeline in account.pipelines
        ],
        "fields": [
            {
                "name": field.name,
                "label": field.label,
                "type": field.type.value if field.type else None,
                "options": list(field.options),
                "writable": field.writable,
            }
            for field in account.fields
        ],
        "users": len(account.users),
        "capabilities": {
            "kinds": sorted(kind.value for kind in can.kinds),
            "actions": sorted(action.value for action in can.actions),
            "external_key": can.external_key,
            "history": can.history,
            "tombstones": can.tombstones,
            "merges": can.merges,
            "field_history": can.field_history > 0,
            "conditional_write": can.conditional_write,
        },
    }


def _credential_form(signed: SignIn) -> dict[str, Any]:
    credential = signed.credential
    ends = credential.expires_at
    return {
        "way": credential.way,
        "user": credential.user or None,
        "since": signed.since.isoformat(),
        "issued": signed.issued,
        "age_days": signed.days,
        "expires_at": ends.isoformat() if ends else None,
        "scopes": None if credential.scopes is None else sorted(credential.scopes),
        "missing": sorted(credential.missing),
        "superfluous": sorted(credential.superfluous),
    }


def account_lines(name: str, account: Description, can: Capabilities, signed: SignIn | None) -> Iterator[Line]:
    """Show an account to a person."""
    version = f", API {account.api_version}" if account.api_version else ""
    reads = {
        "history": can.history,
        "of fields": can.field_history > 0,
        "deletions": can.tombstones,
        "merges": can.merges,
    }
    if account.api_supported_until:
        version += f" (supported until {account.api_supported_until})"
    yield [strong(name), f": {account.account}{version}"]
    yield from _credential_lines(signed) if signed else ()
    yield f"{plural(len(account.users), 'user')}; amounts in {', '.join(account.currencies) or 'one currency'}"
    yield f"reads: {', '.join(sorted(can.kinds))}; {_all_yes(reads)}"
    unchanged = f"; only if unchanged {_yes(can.conditional_write)}"
    yield f"writes: {', '.join(sorted(can.actions)) + unchanged if can.actions else 'nothing'}"
    yield f"external key: {account.key_field.name if account.key_field else 'no field for it in this account'}"
    for pipeline in account.pipelines:
        yield ""
        yield [strong(f"pipeline {pipeline.id}"), f"  {pipeline.label}"]
        yield from table([[s.id, s.status.value, _label(s)] for s in pipeline.stages], indent=2)
    yield ""
    yield strong("fields")
    rows = [[f.name, f.type.value if f.type else "not read", f.label] for f in account.fields]
    yield from table(rows, indent=2)


def _credential_lines(signed: SignIn) -> Iterator[Line]:
    from crmbridge.services.accounts.signin import age  # noqa: PLC0415  imports are paid by the commands that use them

    credential = signed.credential
    user = f" as {credential.user}" if credential.user else ""
    ends = f", expires at {show(credential.expires_at)}" if credential.expires_at else ""
    yield f"signed in by {credential.way}{user}, {age(signed)}{ends}"
    if credential.scopes is not None:
        yield f"scopes: {', '.join(sorted(credential.scopes)) or 'none'}"
    for what, scopes in (("missing", credential.missing), ("not needed", credential.superfluous)):
        if scopes:
            yield f"scopes {what}: {', '.join(sorted(scopes))}"


def _all_yes(words: Mapping[str, bool]) -> str:
    return ", ".join(f"{word} {_yes(can)}" for word, can in words.items())


def _yes(can: bool) -> str:  # noqa: FBT001  one word for one answer
    return "yes" if can else "no"


def _label(stage: NativeStage) -> str:
    return stage.label if stage.writable else f"{stage.label}; the CRM alone brings deals there"
