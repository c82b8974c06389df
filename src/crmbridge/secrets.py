"""Secrets come from the environment, a file, a command or the keyring, at the moment a connection is opened."""

from __future__ import annotations

import os
import shlex
import subprocess
from importlib import import_module
from pathlib import Path

from pydantic import SecretStr

from crmbridge.errors import ConfigurationError
from crmbridge.revealed import remember
from crmbridge.settings import Secret

COMMAND_SECONDS = 30


def reveal(secret: Secret) -> SecretStr:
    """Fetch a secret; raises ConfigurationError saying which source failed, never what it held."""
    if secret.env is not None:
        return _filled(os.environ.get(secret.env), f"the environment variable {secret.env} is not set")
    if secret.file is not None:
        return _from_file(Path(secret.file).expanduser())
    if secret.command is not None:
        return _from_command(secret.command)
    return _from_keyring(secret.keyring or "")


def _from_file(path: Path) -> SecretStr:
    try:
        return _filled(path.read_text("utf-8"), f"the secret file {path} is empty")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigurationError(f"The secret file {path} can't be read ({reason})", advice=ADVICE) from None


def _from_command(command: str) -> SecretStr:
    try:
        done = subprocess.run(  # noqa: S603  the settings' owner names the command; it runs without a shell
            shlex.split(command), capture_output=True, text=True, timeout=COMMAND_SECONDS, check=True
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        # What the command printed may be the secret, so none of it is shown.
        raise ConfigurationError(f"The secret command `{command}` failed", advice=ADVICE) from None
    return _filled(done.stdout, f"the secret command `{command}` printed nothing")


def _from_keyring(name: str) -> SecretStr:
    service, _, user = name.partition("/")
    try:
        found = import_module("keyring").get_password(service, user)
    except ImportError:
        raise ConfigurationError("The keyring package is not installed", advice="pip install keyring") from None
    except Exception as error:  # noqa: BLE001  every backend of keyring raises its own, none on headless hosts
        raise ConfigurationError(f"The keyring can't be read ({type(error).__name__})", advice=ADVICE) from None
    return _filled(found, f"the keyring has no {name!r}")


def _filled(text: str | None, otherwise: str) -> SecretStr:
    if text is None or not text.strip():
        raise ConfigurationError(otherwise[0].upper() + otherwise[1:], advice=ADVICE)
    remember(text.strip())
    return SecretStr(text.strip())


ADVICE = "Set it, then try again; `crmbridge doctor` shows what each connection needs."
