"""Secrets: each source gives its secret, or says what is wrong with it, and never what it held."""

from __future__ import annotations

import errno
import os
import shlex
import stat
import subprocess
import sys
import traceback
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from crmbridge import revealed
from crmbridge.errors import ConfigurationError
from crmbridge.secrets import holding, keep, reveal
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


def test_a_secret_in_a_file_may_come_after_a_byte_order_mark(tmp_path: Path) -> None:
    """Which some editors write, and nobody sees."""
    (tmp_path / "token").write_bytes(b"\xef\xbb\xbf" + HELD.encode() + b"\r\n")

    assert HELD == reveal(Secret(file=str(tmp_path / "token"))).get_secret_value()


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


def test_a_keyring_that_lacks_a_secret_is_told_how_to_get_it(keyring: Callable[..., None]) -> None:
    """By the command that asks for it."""
    keyring(lambda *_key: None)

    assert "Put it there with `keyring set hubspot bot`." == refusal(Secret(keyring="hubspot/bot")).advice


@pytest.mark.parametrize(
    ("value", "says"), [(None, "not set"), ("", "empty"), (" \n", "empty")], ids=["missing", "empty", "blank"]
)
def test_a_variable_without_a_secret_is_named(monkeypatch: pytest.MonkeyPatch, value: str | None, says: str) -> None:
    """With what to do."""
    monkeypatch.delenv("CRM_TOKEN", raising=False)
    if value is not None:
        monkeypatch.setenv("CRM_TOKEN", value)
    error = refusal(Secret(env="CRM_TOKEN"))

    assert f"The environment variable CRM_TOKEN is {says}" == error.message
    assert "crontab" in error.advice


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
    assert "let whoever runs crmbridge read the file" in error.advice


@pytest.mark.parametrize("file", ["to\0ken", "~nobody-of-this-name/token"], ids=["not a path", "no such home"])
def test_a_path_that_can_not_be_is_said(file: str) -> None:
    """As any other file that can't be read."""
    assert refusal(Secret(file=file)).message.startswith("The secret file ")


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("print(held); sys.exit(3)", "it ended with 3"),
        ("raise ValueError(held)", "it ended with 1"),
        ("sys.stdout.buffer.write(b'\\xff' + held.encode())", "it printed no UTF-8"),
    ],
    ids=["status", "traceback", "not text"],
)
def test_a_command_that_fails_is_named_without_its_output(
    running: Callable[[str], Secret], code: str, why: str
) -> None:
    """What it printed before may be the secret."""
    secret = running(code)
    error = refusal(secret)

    assert f"The secret command `{secret.command}` failed: {why}" == error.message
    assert "Run it by hand" in error.advice


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("", "it is empty"),
        (" ", "it is empty"),
        ("no-such-program-here", "there is no such program"),
        ("/", "Permission denied"),
        ('unclosed "quote', "a quote in it is not closed"),
    ],
)
def test_a_command_that_can_not_be_run_is_said(command: str, why: str) -> None:
    """Whether it is empty, not there, or no command line at all."""
    assert f"The secret command `{command}` failed: {why}" == refusal(Secret(command=command)).message


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


NEW = "correct-horse-battery"


class TestKeeping:
    def test_a_file_is_replaced_where_it_is(self, tmp_path: Path) -> None:
        """With the rights it had, behind the link that names it, and with nothing left beside it."""
        vault = tmp_path / "vault"
        vault.mkdir()
        (vault / "token").write_text(HELD, "utf-8")
        (vault / "token").chmod(0o600)
        (tmp_path / "token").symlink_to(vault / "token")
        secret = Secret(file=str(tmp_path / "token"))
        keep(secret, NEW)

        assert NEW == reveal(secret).get_secret_value()
        assert (tmp_path / "token").is_symlink()
        assert 0o600 == stat.S_IMODE((vault / "token").stat().st_mode)
        assert ["token"] == [path.name for path in vault.iterdir()]

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
    def test_root_leaves_a_file_to_its_owner(self, tmp_path: Path) -> None:
        """Else the account that cron runs under could read its own token no more."""
        token = tmp_path / "token"
        token.write_text(HELD, "utf-8")
        os.chown(token, 4321, 4322)
        keep(Secret(file=str(token)), NEW)

        assert (4321, 4322) == (token.stat().st_uid, token.stat().st_gid)

    def test_a_new_file_is_for_its_owner_alone(self, tmp_path: Path) -> None:
        """Whatever the umask says."""
        keep(Secret(file=str(tmp_path / "token")), NEW)

        assert 0o600 == stat.S_IMODE((tmp_path / "token").stat().st_mode)

    def test_what_was_kept_is_struck_out(self, tmp_path: Path) -> None:
        """As everything that was fetched is; also when it could not be kept."""
        with pytest.raises(ConfigurationError):
            keep(Secret(file=str(tmp_path / "no" / "token")), NEW)

        assert "a *****" == revealed.strike(f"a {NEW}")

    def test_a_file_that_cannot_be_replaced_stays(self, tmp_path: Path) -> None:
        """The error names the file and not the secret, and leaves no draft."""
        (tmp_path / "token").mkdir()
        with pytest.raises(ConfigurationError, match="token can't be replaced") as caught:
            keep(Secret(file=str(tmp_path / "token")), NEW)

        assert NEW not in f"{caught.value.message} {caught.value.advice}"
        assert ["token"] == [path.name for path in tmp_path.iterdir()]

    def test_a_full_disk_takes_what_replaces_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The new one is written over the old one, which is of no use any more, where there is no room for a draft."""

        def no_room(**_: object) -> NoReturn:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        (tmp_path / "token").write_text(f"{HELD}, and longer\n", "utf-8")
        monkeypatch.setattr("tempfile.mkstemp", no_room)
        keep(Secret(file=str(tmp_path / "token")), NEW)

        assert NEW == (tmp_path / "token").read_text("utf-8")
        with pytest.raises(ConfigurationError, match="No space left"):
            keep(Secret(file=str(tmp_path / "another")), NEW)

    def test_the_keyring_takes_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Under the service and name it came from."""
        kept: dict[tuple[str, str], str] = {}
        ring = types.ModuleType("keyring")
        ring.__dict__["set_password"] = lambda service, user, text: kept.update({(service, user): text})
        monkeypatch.setitem(sys.modules, "keyring", ring)
        keep(Secret(keyring="crmbridge/hs"), NEW)

        assert {("crmbridge", "hs"): NEW} == kept

    @pytest.mark.parametrize("secret", [Secret(env="CRM_TOKEN"), Secret(command="pass show crm")])
    def test_what_cannot_be_written_to_says_so(self, secret: Secret) -> None:
        """And what can, since the old secret is of no use any more."""
        with pytest.raises(ConfigurationError, match="can't be written to") as caught:
            keep(secret, NEW)

        assert "{file: ...} or {keyring: ...}" in caught.value.advice
        assert NEW not in caught.value.message


COUNTING = """
import sys
from pathlib import Path
from crmbridge.secrets import holding, keep, reveal
from crmbridge.settings import Secret
secret = Secret(file=sys.argv[1])
sys.stdin.readline()
for _ in range(40):
    with holding(secret):
        keep(secret, str(int(reveal(secret).get_secret_value()) + 1))
"""


def test_two_processes_replace_a_secret_one_after_the_other(tmp_path: Path) -> None:
    """Each goes on from what the other kept: a refresh token that was used up is not used again."""
    (tmp_path / "token").write_text("100000", "utf-8")
    command = [sys.executable, "-c", COUNTING, str(tmp_path / "token")]
    children = [subprocess.Popen(command, stdin=subprocess.PIPE, text=True) for _ in range(3)]  # noqa: S603  our own words
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()

    assert [0, 0, 0] == [child.wait(60) for child in children]
    assert "100120" == (tmp_path / "token").read_text("utf-8")
    for child in children:
        child.stdin.close()  # type: ignore[union-attr]  # it has one


def test_a_keyrings_secret_is_locked_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a file of the user's own, as a keyring has none."""
    monkeypatch.setenv("HOME", str(tmp_path))
    with holding(Secret(keyring="crmbridge/hs")):
        assert [0o600] == [stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob(".crmbridge-*.lock")]
    with holding(Secret(env="CRM_TOKEN")):
        assert 1 == len(list(tmp_path.iterdir()))


def test_a_secret_that_cannot_be_locked_says_so(tmp_path: Path) -> None:
    """Before anything is asked of the vendor that would make the old one useless."""
    with pytest.raises(ConfigurationError, match="can't be locked"), holding(Secret(file=str(tmp_path / "no" / "t"))):
        pytest.fail("it was locked")
