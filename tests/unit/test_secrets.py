"""Secrets: each source gives its secret, or says what is wrong with it, and never what it held."""

from __future__ import annotations

import shlex
import sys
import traceback
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crmbridge import revealed
from crmbridge.errors import ConfigurationError
from crmbridge.secrets import reveal
from crmbridge.settings import Secret

HELD = "hunter2-and-more"


@pytest.fixture(autouse=True)
def _forgetful() -> Iterator[None]:
    """Forget afterwards what was fetched here, or it would be struck out of other tests' output."""
    before = set(revealed._known)
    yield
    revealed._known.intersection_update(before)


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Secret]:
    """Make a secret whose command runs some Python; it finds the secret in `held`."""
    monkeypatch.setenv("HELD", HELD)
    return lambda code: Secret(
        command=shlex.join([sys.executable, "-c", f"import os, sys; held = os.environ['HELD']; {code}"])
    )


def refusal(secret: Secret) -> ConfigurationError:
    """Fetch a secret that can't be had, and give the error; whatever shows it must not show the secret."""
    with pytest.raises(ConfigurationError) as caught:
        reveal(secret)
    shown = f"{caught.value!r} {caught.value.advice} {''.join(traceback.format_exception(caught.value))}"
    assert HELD not in shown
    return caught.value


def test_a_secret_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the blanks around it, which copying leaves."""
    monkeypatch.setenv("CRM_TOKEN", f" {HELD}\n")

    assert HELD == reveal(Secret(env="CRM_TOKEN")).get_secret_value()


def test_a_secret_comes_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its last line may end; a tilde stands for the home folder."""
    (tmp_path / "token").write_text(f"{HELD}\n", "utf-8")
    monkeypatch.setenv("HOME", str(tmp_path))

    assert HELD == reveal(Secret(file=str(tmp_path / "token"))).get_secret_value()
    assert HELD == reveal(Secret(file="~/token")).get_secret_value()


def test_a_secret_comes_from_a_command(running: Callable[[str], Secret], capfd: pytest.CaptureFixture[str]) -> None:
    """Its output is the secret; what it complains of is not, and may repeat it, so nobody sees either."""
    secret = running("print(held); print('not locked:', held, file=sys.stderr)")

    assert HELD == reveal(secret).get_secret_value()
    assert ("", "") == capfd.readouterr()


def test_a_command_runs_without_a_shell(tmp_path: Path) -> None:
    """What a shell would carry out is an argument like any other."""
    code = "import sys; print(sys.argv[1:])"
    command = f"{shlex.join([sys.executable, '-c', code])} ; touch {tmp_path / 'made'}"

    assert "';', 'touch'" in reveal(Secret(command=command)).get_secret_value()
    assert not (tmp_path / "made").exists()


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[str, str], str | None]], None]:
    """Put a keyring in the place of the system's, which tests must not open."""

    def put(get_password: Callable[[str, str], str | None]) -> None:
        module = types.ModuleType("keyring")
        module.__dict__["get_password"] = get_password
        monkeypatch.setitem(sys.modules, "keyring", module)

    return put


def test_a_secret_comes_from_the_keyring(keyring: Callable[..., None]) -> None:
    """By its service and its name there."""
    keyring(lambda *key: {("hubspot", "bot/main"): HELD}.get(key))

    assert HELD == reveal(Secret(keyring="hubspot/bot/main")).get_secret_value()
    assert "The keyring has no 'hubspot/other'" == refusal(Secret(keyring="hubspot/other")).message


def test_a_keyring_that_fails_is_said(keyring: Callable[..., None]) -> None:
    """By the kind of its error only; the rest may repeat anything."""

    def locked(_service: str, _user: str) -> None:
        raise RuntimeError(f"can't decrypt {HELD}")

    keyring(locked)

    assert "The keyring can't be read (RuntimeError)" == refusal(Secret(keyring="hubspot/bot")).message


def test_a_missing_keyring_package_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it."""
    monkeypatch.setitem(sys.modules, "keyring", None)

    assert "pip install keyring" == refusal(Secret(keyring="hubspot/bot")).advice


@pytest.mark.parametrize("value", [None, "", " \n"], ids=["missing", "empty", "blank"])
def test_a_variable_without_a_secret_is_named(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    """With what to do."""
    monkeypatch.delenv("CRM_TOKEN", raising=False)
    if value is not None:
        monkeypatch.setenv("CRM_TOKEN", value)
    error = refusal(Secret(env="CRM_TOKEN"))

    assert "The environment variable CRM_TOKEN is not set" == error.message
    assert "crmbridge doctor" in error.advice


def test_a_variable_that_is_no_text_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that mean nothing can't be sent to a CRM."""
    monkeypatch.setenv("CRM_TOKEN", f"{HELD}\udcff")

    assert "The environment variable CRM_TOKEN can't be read (not UTF-8)" == refusal(Secret(env="CRM_TOKEN")).message


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "can't be read (No such file or directory)"),
        (b"\xff" + HELD.encode(), "(not UTF-8)"),
        (b" \n", "is empty"),
    ],
    ids=["missing", "not UTF-8", "empty"],
)
def test_a_file_without_a_secret_is_named(tmp_path: Path, content: bytes | None, reason: str) -> None:
    """With the reason, and nothing of what is in it."""
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    error = refusal(Secret(file=str(file)))

    assert str(file) in error.message
    assert error.message.endswith(reason)


@pytest.mark.parametrize("file", ["to\0ken", "~nobody-of-this-name/token"], ids=["not a path", "no such home"])
def test_a_path_that_can_not_be_is_said(file: str) -> None:
    """As any other file that can't be read."""
    assert refusal(Secret(file=file)).message.startswith("The secret file ")


@pytest.mark.parametrize(
    "code",
    ["print(held); sys.exit(1)", "raise ValueError(held)", "sys.stdout.buffer.write(b'\\xff' + held.encode())"],
    ids=["status", "traceback", "not text"],
)
def test_a_command_that_fails_is_named_without_its_output(running: Callable[[str], Secret], code: str) -> None:
    """What it printed before may be the secret."""
    secret = running(code)

    assert f"The secret command `{secret.command}` failed" == refusal(secret).message


@pytest.mark.parametrize("command", ["", " ", "no-such-program-here", 'unclosed "quote'])
def test_a_command_that_can_not_be_run_is_said(command: str) -> None:
    """Whether it is empty, not there, or no command line at all."""
    assert f"The secret command `{command}` failed" == refusal(Secret(command=command)).message


def test_a_command_that_prints_nothing_is_said(running: Callable[[str], Secret]) -> None:
    """It ended well, and there is still no secret."""
    assert refusal(running("print()")).message.endswith("` printed nothing")


def test_a_secret_shows_stars(monkeypatch: pytest.MonkeyPatch) -> None:
    """However it is printed."""
    monkeypatch.setenv("CRM_TOKEN", HELD)
    secret = reveal(Secret(env="CRM_TOKEN"))

    assert HELD not in f"{secret} {secret!r} {[secret]}"


def test_a_fetched_secret_is_struck_out_of_what_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the moment it is known."""
    monkeypatch.setenv("CRM_TOKEN", HELD)
    before = revealed.strike(f"at {HELD}")
    reveal(Secret(env="CRM_TOKEN"))

    assert f"at {HELD}" == before
    assert f"at {revealed.STRUCK}" == revealed.strike(f"at {HELD}")
