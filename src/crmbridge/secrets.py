"""Secrets come from the environment, a file, a command or the keyring, at the moment a connection is opened.

One that the vendor replaces while it is used, such as a refresh token, is written back before the new one is relied on.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TextIO

from pydantic import SecretStr

from crmbridge.errors import ConfigurationError
from crmbridge.revealed import remember
from crmbridge.settings import Secret

COMMAND_SECONDS = 30
_REASONS = {UnicodeDecodeError: "not UTF-8", RuntimeError: "no such home folder"}
_COMMAND_REASONS = {
    IndexError: "it is empty",
    FileNotFoundError: "there is no such program",
    UnicodeDecodeError: "it printed no UTF-8",
    ValueError: "a quote in it is not closed",
    subprocess.TimeoutExpired: f"it took longer than {COMMAND_SECONDS} s",
}


def reveal(secret: Secret) -> SecretStr:
    """Fetch a secret; raises ConfigurationError saying which source failed, never what it held."""
    if secret.env is not None:
        return _from_environment(secret.env)
    if secret.file is not None:
        return _from_file(secret.file)
    if secret.command is not None:
        return _from_command(secret.command)
    return _from_keyring(secret.keyring or "")


def keep(secret: Secret, text: str) -> None:
    """Put a secret that the vendor has just replaced where the old one was, so that the next process finds it.

    A file is replaced as a whole, with the rights it had; where there is no room for that, it is written over. Raises
    ConfigurationError when it can't be done, and always for an environment variable or a command, which can't be
    written to; never saying what the secret is.
    """
    remember(text)
    if secret.file is not None:
        _into_file(secret.file, text)
    elif secret.keyring is not None:
        _into_keyring(secret.keyring, text)
    else:
        where = f"The environment variable {secret.env}" if secret.env else f"The secret command `{secret.command}`"
        raise ConfigurationError(
            f"{where} holds a secret that the vendor has just replaced, and can't be written to",
            advice="Keep this secret as {file: ...} or {keyring: ...}, and sign in anew: the old one is of no use now.",
        )


@contextlib.contextmanager
def holding(secret: Secret) -> Iterator[None]:
    """Keep other processes and threads that hold the same secret waiting, while it is fetched, replaced and kept.

    Only for a secret that can be kept; others have nothing to protect.
    """
    if secret.file is None and secret.keyring is None:
        yield
        return
    try:
        file = os.open(_lock_file(secret), os.O_RDWR | os.O_CREAT, 0o600)
    except (OSError, RuntimeError) as error:
        why = error.strerror if isinstance(error, OSError) else "no such home folder"
        raise ConfigurationError(f"The secret can't be locked ({why})", advice=KEEP_ADVICE) from None
    try:
        with contextlib.suppress(ImportError):  # Windows has none; there one process at a time is up to the user
            import fcntl  # noqa: PLC0415  for that reason

            fcntl.flock(file, fcntl.LOCK_EX)  # given back when the file is closed, also by a process that is killed
        yield
    finally:
        os.close(file)


def _lock_file(secret: Secret) -> Path:
    """Name a file for the lock: beside the secret's own, which is replaced; for a keyring, in the home folder."""
    if secret.file is not None:
        path = _real(secret.file)
        return path.with_name(f".{path.name}.lock")
    return Path.home() / f".crmbridge-{hashlib.sha256((secret.keyring or '').encode()).hexdigest()[:16]}.lock"


def _real(file: str) -> Path:
    """Follow a link to where the secret really is."""
    return Path(file).expanduser().resolve()


def _into_file(file: str, text: str) -> None:
    try:
        path = _real(file)
        try:
            _replace(path, text)
        except OSError:  # no room, or no right to its folder
            if not path.is_file():
                raise
            with path.open("r+", encoding="utf-8") as opened:  # over the old one, which is of no use any more
                _write(opened, text)
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else _REASONS.get(type(error), "no such path")
        raise ConfigurationError(f"The secret file {file} can't be replaced ({reason})", advice=KEEP_ADVICE) from None


def _replace(path: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    draft = Path(name)
    try:
        with open(handle, "w", encoding="utf-8") as opened:  # noqa: PTH123  a handle has no path
            _write(opened, text)
        if path.exists():
            _give(draft, path.stat())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _write(opened: TextIO, text: str) -> None:
    opened.write(text)
    opened.truncate()
    opened.flush()
    os.fsync(opened.fileno())


def _give(draft: Path, to: os.stat_result) -> None:
    """Give a draft the rights and, where root runs this for somebody, the owner of what it replaces."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        with contextlib.suppress(OSError):  # where even root may not, the secret matters more
            os.chown(draft, to.st_uid, to.st_gid)
    draft.chmod(to.st_mode & 0o777)


def _into_keyring(name: str, text: str) -> None:
    service, _, user = name.partition("/")
    try:
        import_module("keyring").set_password(service, user, text)
    except ImportError:
        raise ConfigurationError("The keyring package is not installed", advice="pip install keyring") from None
    except Exception as error:  # noqa: BLE001  every backend of keyring raises its own, none on headless hosts
        why = type(error).__name__
        raise ConfigurationError(f"The keyring can't be written to ({why})", advice=KEEP_ADVICE) from None


def _from_environment(name: str) -> SecretStr:
    text = os.environ.get(name)
    if any("\udc80" <= letter <= "\udcff" for letter in text or ""):  # how Python keeps such bytes
        advice = "Set it again, as text in UTF-8."
        raise ConfigurationError(f"The environment variable {name} can't be read (not UTF-8)", advice=advice)
    wrong = "not set" if text is None else "empty"
    return _filled(text, f"the environment variable {name} is {wrong}", ENVIRONMENT_ADVICE)


def _from_file(file: str) -> SecretStr:
    try:
        text = Path(file).expanduser().read_text("utf-8-sig")  # some editors begin a file with a byte order mark
    except (OSError, RuntimeError, ValueError) as error:  # of these, RuntimeError says that there is no such home
        reason = error.strerror if isinstance(error, OSError) else _REASONS.get(type(error), "no such path")
        raise ConfigurationError(f"The secret file {file} can't be read ({reason})", advice=FILE_ADVICE) from None
    return _filled(text, f"the secret file {file} is empty", FILE_ADVICE)


def _from_command(command: str) -> SecretStr:
    try:
        done = subprocess.run(  # noqa: S603  the settings' owner names the command; it runs without a shell
            shlex.split(command), capture_output=True, text=True, timeout=COMMAND_SECONDS, check=True
        )
    except (IndexError, OSError, ValueError, subprocess.SubprocessError) as error:
        # What the command printed may be the secret, so none of it is shown.
        why = _why_failed(error)
        raise ConfigurationError(f"The secret command `{command}` failed: {why}", advice=COMMAND_ADVICE) from None
    return _filled(done.stdout, f"the secret command `{command}` printed nothing", COMMAND_ADVICE)


def _why_failed(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        return f"it ended with {error.returncode}"
    otherwise = getattr(error, "strerror", None) or "it can't be run"
    return _COMMAND_REASONS.get(type(error), otherwise)


def _from_keyring(name: str) -> SecretStr:
    service, _, user = name.partition("/")
    try:
        found = import_module("keyring").get_password(service, user)
    except ImportError:
        raise ConfigurationError("The keyring package is not installed", advice="pip install keyring") from None
    except Exception as error:  # noqa: BLE001  every backend of keyring raises its own, none on headless hosts
        why = type(error).__name__
        raise ConfigurationError(f"The keyring can't be read ({why})", advice=KEYRING_ADVICE) from None
    return _filled(found, f"the keyring has no {name!r}", f"Put it there with `keyring set {service} {user}`.")


def _filled(text: str | None, otherwise: str, advice: str) -> SecretStr:
    if text is None or not text.strip():
        raise ConfigurationError(otherwise[0].upper() + otherwise[1:], advice=advice)
    remember(text.strip())
    return SecretStr(text.strip())


ENVIRONMENT_ADVICE = (
    "Set it where crmbridge is run: `export` it in the shell, or write it into the crontab, as cron has no other."
)
FILE_ADVICE = "Put the secret there and nothing else, and let whoever runs crmbridge read the file."
COMMAND_ADVICE = (
    "Run it by hand to see why. It must print the secret and nothing else; no shell reads it: | and $NAME do nothing."
)
KEYRING_ADVICE = "Unlock it, or keep the secret elsewhere: cron and servers often have none."
KEEP_ADVICE = (
    "Let crmbridge write there, then sign in anew: the vendor has replaced the secret, and the old one is gone."
)
