"""The tokens that open the page: those of the settings, else one of each role that is made at the first start."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from pathlib import Path

from msgspec import Struct

from crmbridge.errors import ConfigurationError
from crmbridge.secrets import reveal
from crmbridge.services.workspace import Project
from crmbridge.web.access import Key, Role, digest_of

FILE = Path(".crmbridge") / "page.json"
SHORTEST = 16  # characters that a token of the settings must have


class Keys(Struct, frozen=True, kw_only=True):
    """What opens the page. `made` are tokens by role that were made just now: this is the only time they are known."""

    keys: tuple[Key, ...]
    made: dict[Role, str]
    from_settings: bool = False


def keys_of(project: Project, *, anew: bool = False) -> Keys:
    """Give what opens a project's page. Without tokens in the settings, the first call makes some.

    Only their digests are kept, in a file that its owner alone can read; `anew` makes others in their place. Raises
    ConfigurationError when a secret can't be had, or a token is too short to be safe.
    """
    entries = project.settings.serve.tokens
    if entries:
        return Keys(keys=tuple(_key(each.name, each.role, reveal(each.token).get_secret_value()) for each in entries),
                    made={}, from_settings=True)  # fmt: skip
    path = project.folder / FILE
    kept = None if anew else _kept(path)
    if kept:
        return Keys(keys=kept, made={})
    made = {role: secrets.token_urlsafe(24) for role in (Role.ACT, Role.READ)}
    keys = tuple(_key(role.value, role, token) for role, token in made.items())
    _keep(path, keys)
    return Keys(keys=keys, made=made)


def _key(name: str, role: str, token: str) -> Key:
    if len(token) < SHORTEST:
        raise ConfigurationError(
            f"The token of {name!r} under serve: is shorter than {SHORTEST} characters",
            advice="Take a long random one, such as `openssl rand -base64 24` prints.",
        )
    return Key(name, Role(role), digest_of(token))


def _kept(path: Path) -> tuple[Key, ...] | None:
    try:
        entries = json.loads(path.read_text("utf-8"))["keys"]
        return tuple(Key(e["name"], Role(e["role"]), bytes.fromhex(e["sha256"])) for e in entries)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        raise ConfigurationError(
            f"{path} can't be read as what opens the page",
            advice="Make new tokens with `crmbridge serve --new-tokens`.",
        ) from None


def _keep(path: Path, keys: tuple[Key, ...]) -> None:
    body = json.dumps({"keys": [{"name": k.name, "role": k.role, "sha256": k.digest.hex()} for k in keys]}, indent=1)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(body + "\n")
        draft.replace(path)
    except OSError as error:
        raise ConfigurationError(
            f"{path} can't be written: {error.strerror or error}",
            advice="Give tokens in the settings instead: `serve: {tokens: [...]}`.",
        ) from None
