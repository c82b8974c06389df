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
_REASONS = {UnicodeDecodeError: "not UTF-8", RuntimeError: "no such home folder"}


def reveal(secret: Secret) -> SecretStr:
    """Fetch a secret; raises ConfigurationError saying which source failed, never what it held."""
    if secret.env is not None:
        return _from_environment(secret.env)
    if secret.file is not None:
        return _from_file(secret.file)
    if secret.command is not None:
        return _from_command(secret.command)
    return _from_keyring(secret.keyring or "")


def _from_environment(name: str) -> SecretStr:
    text = os.environ.get(name)
    if any("\udc80" <= letter <= "\udcff" for letter in text or ""):  # how Python keeps such bytes
        raise ConfigurationError(f"The environment variable {name} can't be read (not UTF-8)", advice=ADVICE)
    return _filled(text, f"the environment variable {name} is not set")


def _from_file(file: str) -> SecretStr:
    try:
        text = Path(file).expanduser().read_text("utf-8")
    except (OSError, RuntimeError, ValueError) as error:  # of these, RuntimeError says that there is no such home
        reason = error.strerror if isinstance(error, OSError) else _REASONS.get(type(error), "no such path")
        raise ConfigurationError(f"The secret file {file} can't be read ({reason})", advice=ADVICE) from None
    return _filled(text, f"the secret file {file} is empty")


def _from_command(command: str) -> SecretStr:
    try:
        done = subprocess.run(  # noqa: S603  the settings' owner names the command; it runs without a shell
            shlex.split(command), capture_output=True, text=True, timeout=COMMAND_SECONDS, check=True
        )
    except (IndexError, OSError, ValueError, subprocess.SubprocessError):  # IndexError: the command is empty
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
