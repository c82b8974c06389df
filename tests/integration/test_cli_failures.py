"""What can go wrong: each gives one clear message, its exit code, no traceback, and one JSON document if asked."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from crmbridge.cli.crash_logs import KEPT_LOGS
from crmbridge.sandbox import SandboxOptions, serve
from crmbridge.sandbox.server import listen

if TYPE_CHECKING:
    from tests.integration.shop import Shop

SECRET = "s3cr3t-token-of-the-shop"
PATIENCE = 30  # seconds until a test gives up waiting for something that should happen at once
CTRL_C = "\x03"


def break_yaml(shop: Shop) -> None:
    """Leave a bracket open."""
    shop.setting("reports: [\n")


def take_variable(shop: Shop) -> None:
    """Name a variable that isn't set."""
    settings = shop.folder / "crmbridge.yaml"
    settings.write_text(settings.read_text("utf-8").replace("SHOP_TOKEN", "NOBODY_SET_THIS"), "utf-8")


def refuse(shop: Shop) -> None:
    """Let both CRMs refuse the credential."""
    for name in ("north", "south"):
        shop.trouble(name, "revoked")


def take_away(shop: Shop) -> None:
    """Let both CRMs be out of reach."""
    for name in ("north", "south"):
        shop.trouble(name, "later")


def damage_state(shop: Shop) -> None:
    """Write something else where the state should be."""
    (shop.folder / ".crmbridge").mkdir()
    (shop.folder / ".crmbridge" / "state.db").write_bytes(
        b"this is no database, but long enough to be read as one" * 99
    )


def surprise(shop: Shop) -> None:
    """Let a CRM's adapter raise what it must not raise."""
    shop.trouble("north", "bug")


FAILURES = [
    pytest.param(break_yaml, 3, "invalid_files", id="yaml"),
    pytest.param(take_variable, 3, "configuration", id="variable"),
    pytest.param(refuse, 4, "authentication", id="credential"),
    pytest.param(take_away, 5, "retry_later", id="unreachable"),
    pytest.param(damage_state, 12, "state", id="state"),
    pytest.param(surprise, 1, "bug", id="bug"),
]


@pytest.mark.parametrize(("harm", "code", "name"), FAILURES)
def test_every_failure_has_its_code_and_its_message(
    shop: Shop, harm: Callable[[Shop], None], code: int, name: str
) -> None:
    """On stderr or in the summary, with what to do; never a traceback, never the secret, and nothing is written."""
    harm(shop)
    said = shop.call("run")

    assert code == said.code
    assert "Traceback" not in said.out + said.err
    assert SECRET not in said.out + said.err
    assert [] == shop.crm("south").named("Handover")


@pytest.mark.parametrize(("harm", "code", "name"), FAILURES)
def test_every_failure_is_one_json_document_if_asked(
    shop: Shop, harm: Callable[[Shop], None], code: int, name: str
) -> None:
    """Its error has a stable code, a message, advice and diagnostics."""
    harm(shop)
    found = shop.call("run", "--json").document

    assert (False, code, name) == (found["ok"], found["exit_code"], found["error"]["code"])
    assert {"code", "message", "advice", "diagnostics"} == set(found["error"])
    assert "" != found["error"]["message"]
    assert SECRET not in str(found)


def test_diagnostics_have_their_places(shop: Shop) -> None:
    """Both for people and for programs."""
    settings = shop.folder / "crmbridge.yaml"
    settings.write_text(settings.read_text("utf-8").replace("qualification.who", "qualification.hwo"), "utf-8")
    said, found = shop.call("check"), shop.call("check", "--json").document

    assert 3 == said.code
    assert "crmbridge.yaml:" in said.out
    assert "^" in said.out
    assert {"error"} == {d["severity"] for d in found["error"]["diagnostics"]}
    assert {"file", "line", "col", "code", "sentence"} <= set(found["error"]["diagnostics"][0])


def test_an_error_that_repeats_a_secret_is_struck(shop: Shop) -> None:
    """The text goes through, the secret does not."""
    shop.trouble("north", "leak")
    said = shop.call("pull")

    assert 4 == said.code
    assert "The credential ***** is refused" in said.out
    assert SECRET not in said.out + said.err


def test_a_secret_that_a_crm_repeats_is_not_kept(shop: Shop) -> None:
    """The error stands in the state with what the CRM said; no file has a byte of the token."""
    from filecrm import crmbridge_sandboxes  # noqa: PLC0415  it is installed by the fixture

    (spec,) = crmbridge_sandboxes()
    with serve(spec.build(SandboxOptions())) as served:
        shop.trouble("north", served.url)
        said = shop.call("run")
    kept = b"".join(file.read_bytes() for file in (shop.folder / ".crmbridge").iterdir())

    assert 4 == said.code
    assert b"who is Bearer *****?" in kept
    assert SECRET.encode() not in kept
    assert SECRET not in said.out + said.err


def test_a_bug_leaves_a_log_without_secrets(shop: Shop) -> None:
    """It has the traceback, is its owner's alone, and stands beside the state."""
    shop.trouble("north", "bug")
    said = shop.call("pull")
    logs = list((shop.folder / ".crmbridge").glob("crash-*.log"))
    log = logs[0].read_text("utf-8")

    assert 1 == said.code == len(logs)
    assert str(logs[0]) in said.err
    assert "in _trouble" in log
    assert "RuntimeError: did not expect *****" in log
    assert SECRET not in log
    assert 0o600 == stat.S_IMODE(logs[0].stat().st_mode)


def test_only_the_newest_logs_of_bugs_are_kept(shop: Shop) -> None:
    """A bug that comes with each run would fill the disk; what is no such log is not touched."""
    folder = shop.folder / ".crmbridge"
    folder.mkdir(exist_ok=True)
    old = [folder / f"crash-20250101T0000{second:02}-7.log" for second in range(KEPT_LOGS + 5)]
    for file in (*old, folder / "notes.log"):
        file.touch()
    old[0].unlink()
    old[0].mkdir()  # which is not taken away as a file is
    shop.trouble("north", "bug")
    shop.call("pull")
    kept = sorted(folder.glob("crash-*.log"))

    assert [old[0], *old[6:]] == kept[:-1]
    assert "in _trouble" in kept[-1].read_text("utf-8")
    assert (folder / "notes.log").exists()


def test_a_bug_of_an_adapter_is_noted_without_its_words(shop: Shop) -> None:
    """The state keeps what kind of error it was and where, not what it said; the other connection was pulled."""
    shop.trouble("north", "bug")
    shop.call("pull")
    run = shop.call("history", "--json").document["result"]["runs"][0]

    assert (1, ["north"]) == (run["exit_code"], list(run["summary"]["errors"]))
    assert "in its describe (RuntimeError at plugin/filecrm.py:" in run["summary"]["errors"]["north"]
    assert run["summary"]["records"] > 0


def test_two_runs_at_once_exclude_each_other(shop: Shop) -> None:
    """The second says who holds the state, and ends with 11."""
    shop.call("pull")
    shop.trouble("south", "hang in write")
    with shop.start("run") as first:
        wait_until((shop.folder / "south.hanging").exists)
        second = shop.call("pull", "--json").document
        first.send_signal(signal.SIGTERM)
        first.communicate(timeout=PATIENCE)

    assert (11, "locked") == (second["exit_code"], second["error"]["code"])


def test_a_run_that_is_under_way_is_told_from_one_that_was_killed(shop: Shop) -> None:
    """The lease says which it is; a new run is none of the two. What it had written until then, the journal knows."""
    shop.call("pull")
    shop.trouble("south", "hang in write")
    with shop.start("run") as process:
        wait_until((shop.folder / "south.hanging").exists)
        during = shop.call("history", "--json").document["result"]["runs"]
        said_during = shop.call("history").out
        process.kill()
        process.wait(PATIENCE)
    after = shop.call("history", "--json").document["result"]["runs"]
    said_after = shop.call("history").out
    one = shop.call("history", after[0]["id"]).out

    assert [("cycle", True), ("pull", False)] == [(run["command"], run["under_way"]) for run in during]
    assert [("cycle", False), ("pull", False)] == [(run["command"], run["under_way"]) for run in after]
    assert [None, 0] == [run["exit_code"] for run in after]
    assert ("still running" in said_during, "was killed" in said_during) == (True, False)
    assert ("still running" in said_after, "was killed" in said_after) == (False, True)
    assert ("1 applied" in said_during, "1 applied" in said_after) == (True, True)
    assert "1 intended" in said_after
    assert "The next run looks up what it had sent" in one


def test_what_became_of_what_a_killed_run_sent_stands_with_it(shop: Shop) -> None:
    """The next run reads it back; whoever looks the killed one up finds the answer there."""
    shop.call("pull")
    shop.trouble("south", "hang in write")
    with shop.start("run") as process:
        wait_until((shop.folder / "south.hanging").exists)
        process.kill()
        process.wait(PATIENCE)
    killed = shop.call("history", "--json").document["result"]["runs"][0]["id"]
    shop.heal("south")
    assert 0 == shop.call("run").code
    listed = next(line for line in shop.call("history").out.splitlines() if killed in line)
    one = shop.call("history", killed, "--json").document["result"]["journal"]

    assert "was killed" in listed
    assert "intended" not in listed
    assert {entry["change"]["id"] for entry in one} == {entry["change"]["id"] for entry in one if "outcome" in entry}


@pytest.fixture
def hears_hangups() -> Iterator[None]:
    """Start processes that hear of a closed terminal, also where the tests themselves run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("hears_hangups")
@pytest.mark.parametrize(
    ("number", "code", "name"),
    [
        (signal.SIGINT, 130, "interrupted"),
        (signal.SIGTERM, 143, "terminated"),
        (signal.SIGHUP, 143, "terminated"),  # its terminal was closed
    ],
)
@pytest.mark.parametrize("where", ["read", "write"])
def test_a_signal_ends_a_run_in_good_order(shop: Shop, number: int, code: int, name: str, where: str) -> None:
    """Whether it waits in a thread or while writing: no traceback, the lease is free, and the next run goes on."""
    shop.trouble("south", f"hang in {where}")
    with shop.start("run", "--json") as process:
        wait_until((shop.folder / "south.hanging").exists)
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE)

    assert code == process.returncode
    assert f'"code": "{name}"' in out
    assert f"{name.capitalize()} (" in out
    assert "(SIGTERM, " in out or "(Ctrl-C)" in out
    assert "Traceback" not in out + err
    shop.heal("south")
    assert 0 == shop.call("run").code
    ended = [run["exit_code"] for run in shop.call("history", "--json").document["result"]["runs"]]
    assert [0, code] == ended
    listed = shop.call("history").out
    assert name in listed
    assert not {"KeyboardInterrupt", "Terminated"} & set(listed.split())  # the names of classes tell people nothing
    assert 1 == len(shop.crm("south").named("Handover"))


# Stands in for somebody who presses Ctrl-C while the program is still being loaded.
HASTY = """
import sys
class Hasty:
    def find_spec(self, name, path=None, target=None):
        if name == "crmbridge.cli.call":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Hasty())
import crmbridge.cli.main
"""


def test_ctrl_c_during_the_start_ends_without_a_traceback() -> None:
    """Nothing was begun, and the exit code is that of any other Ctrl-C."""
    command = [sys.executable, "-c", HASTY]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603  our own

    assert (130, "Interrupted (Ctrl-C) before anything was begun.\n") == (done.returncode, done.stderr)


def test_a_reader_that_goes_away_costs_nothing(shop: Shop) -> None:
    """The run is done to its end and ends as it would have; nothing is complained about."""
    read, write = os.pipe()
    os.close(read)
    with shop.start("run", stdout=write) as process:
        os.close(write)
        _, err = process.communicate(timeout=PATIENCE)

    assert (0, "") == (process.returncode, err)
    assert 1 == len(shop.crm("south").named("Handover"))


def test_output_that_can_not_be_written_is_said(shop: Shop) -> None:
    """A full disk is no bug: one message, and the run has done its work."""
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        said = shop.spawn("run", stdout=full)

    assert 3 == said.code
    assert "error: The output can't be written: No space left on device" in said.err
    assert 1 == len(shop.crm("south").named("Handover"))


def test_closed_streams_are_no_failure(shop: Shop) -> None:
    """Some schedulers start programs without any."""
    command = f"exec {sys.executable} -m crmbridge.cli.main run <&- >&- 2>&-"

    assert 0 == subprocess.run(["sh", "-c", command], cwd=shop.folder, check=False).returncode  # noqa: S603, S607  our own
    assert 1 == len(shop.crm("south").named("Handover"))


def test_without_a_terminal_there_is_no_colour_and_no_bar(shop: Shop) -> None:
    """Whatever the terminal's environment says."""
    said = shop.spawn("run", env={**os.environ, **shop.environment, "TERM": "xterm-256color", "CLICOLOR_FORCE": "1"})

    assert 0 == said.code
    assert "\x1b" not in said.out + said.err
    assert "" == said.err


def test_a_stream_without_unicode_gets_what_it_can_show(shop: Shop) -> None:
    """A plan with arrows and signs is no reason to fail."""
    said = shop.spawn("plan", env={**os.environ, **shop.environment, "PYTHONIOENCODING": "ascii"})

    assert 0 == said.code
    assert "10,000 EUR  ? 12,000 EUR" in said.out


@pytest.mark.parametrize(
    ("answer", "code", "created"), [("y\n", 0, 1), ("n\n", 10, 0), ("\n", 10, 0), (CTRL_C, 130, 0)]
)
def test_at_a_terminal_apply_asks(shop: Shop, answer: str, code: int, created: int) -> None:
    """Only a clear yes writes; Ctrl-C at the question ends it."""
    seen, ended = at_a_terminal(shop, ["apply"], {"Write this to the CRMs?": answer})

    assert code == ended, seen
    assert "Plan: 2 to create" in seen
    assert "\x1b[" in seen  # coloured
    assert created == len(shop.crm("south").named("Handover"))
    assert (code == 130) == ("\nInterrupted (Ctrl-C)." in seen)


@pytest.mark.parametrize("args", [["plan", "--no-color"], ["plan"]])
def test_colour_can_be_declined_at_a_terminal(shop: Shop, args: list[str]) -> None:
    """By --no-color or by NO_COLOR; the status line moves the cursor but colours nothing."""
    variables = {} if "--no-color" in args else {"NO_COLOR": "1"}
    seen, ended = at_a_terminal(shop, args, {}, variables)

    assert 0 == ended
    assert set() == {f"\x1b[{code}m" for code in range(1, 50)} & set(_sequences(seen))


def test_run_never_asks(shop: Shop) -> None:
    """Not even at a terminal: it is for cron."""
    seen, ended = at_a_terminal(shop, ["run"], {})

    assert 0 == ended, seen
    assert 1 == len(shop.crm("south").named("Handover"))


@pytest.mark.usefixtures("hears_hangups")
@pytest.mark.parametrize("trouble", ["hang in read", "hang in write"])
def test_a_terminal_that_is_closed_ends_a_run_in_good_order(shop: Shop, trouble: str) -> None:
    """It is a signal as well as a place where nothing can be written any more; neither is a bug."""
    shop.trouble("south", trouble)
    with started_at_a_terminal(shop, ["run"]) as (process, ours):
        wait_until((shop.folder / "south.hanging").exists)
        os.close(ours)
        process.wait(PATIENCE)

    assert 143 == process.returncode
    assert [] == list((shop.folder / ".crmbridge").glob("crash-*"))
    shop.heal("south")
    assert 0 == shop.call("run").code
    assert 1 == len(shop.crm("south").named("Handover"))


def test_under_nohup_a_terminal_that_is_closed_ends_nothing(shop: Shop) -> None:
    """Whoever starts a long first run so wants it to go on; there is only nobody left to tell."""
    with started_at_a_terminal(shop, ["run"], before="signal.signal(signal.SIGHUP, signal.SIG_IGN); ") as (run, ours):
        assert _read(ours)
        os.close(ours)
        run.wait(PATIENCE)

    assert 0 == run.returncode
    assert 1 == len(shop.crm("south").named("Handover"))


def _sequences(text: str) -> list[str]:
    import re  # noqa: PLC0415  only here

    return re.findall(r"\x1b\[[0-9;?]*[A-Za-z]", text)


@contextlib.contextmanager
def started_at_a_terminal(
    shop: Shop, args: list[str], variables: dict[str, str] | None = None, *, before: str = ""
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Start the command line at a pseudo-terminal; gives the process, and our side of the terminal."""
    environment = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
    environment |= {**shop.environment, "TERM": "xterm-256color", **(variables or {})}
    ours, theirs = pty.openpty()
    # The terminal becomes the process's own, so that Ctrl-C typed there is a signal.
    own = f"import fcntl, runpy, signal, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); {before}"
    command = [sys.executable, "-c", f"{own}runpy.run_module('crmbridge.cli.main', run_name='__main__')", *args]
    with subprocess.Popen(  # noqa: S603  our own program
        command,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=shop.folder,
        env=environment,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        yield process, ours
        process.kill()  # does nothing to one that has ended


def at_a_terminal(
    shop: Shop, args: list[str], answers: dict[str, str], variables: dict[str, str] | None = None
) -> tuple[str, int]:
    """Call the command line at a pseudo-terminal, answering what it asks; gives what was seen and the exit code."""
    seen = ""
    with started_at_a_terminal(shop, args, variables) as (process, ours):
        while chunk := _read(ours):
            seen += chunk
            for question in [question for question in answers if question in seen]:
                answer = answers.pop(question)
                os.write(ours, answer.encode())
                if answer == CTRL_C:
                    _insist(process, ours)
    os.close(ours)
    return seen, process.returncode


def _insist(process: subprocess.Popen[bytes], terminal: int) -> None:
    """Type Ctrl-C again each second, as a person would: one that comes just before a key is waited for is not seen."""
    for _ in range(PATIENCE):
        try:
            process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            os.write(terminal, CTRL_C.encode())
        else:
            return


def _read(terminal: int) -> str:
    """Read what there is; nothing when the other side is closed."""
    ready, _, _ = select.select([terminal], [], [], PATIENCE)
    try:
        return os.read(terminal, 65536).decode("utf-8", "replace") if ready else ""
    except OSError:
        return ""


def wait_until(happened: Callable[[], bool]) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline, "it never happened"
        os.sched_yield()


def test_the_sandbox_says_where_it_is_before_it_serves(shop: Shop) -> None:
    """One JSON line, then it answers there with the token it named; Ctrl-C is its usual end."""
    import json  # noqa: PLC0415  only here
    import urllib.request  # noqa: PLC0415  only here

    with shop.start("sandbox", "filecrm", "--json", "--deals", "12", "--seed", "3") as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        request = urllib.request.Request(told["url"], headers={"Authorization": f"Bearer {told['token']}"})  # noqa: S310
        body = json.loads(urllib.request.urlopen(request, timeout=PATIENCE).read())  # noqa: S310
        process.send_signal(signal.SIGINT)
        rest, err = process.communicate(timeout=PATIENCE)

    assert {"url", "token"} == set(told)
    assert {"deals": 12, "seed": 3} == body
    assert (0, "", "") == (process.returncode, rest, err)


def test_a_sandbox_that_is_terminated_says_no_more(shop: Shop) -> None:
    """What it announced stays the one document on stdout; only the exit code tells how it ended."""
    with shop.start("sandbox", "filecrm", "--json") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        rest, err = process.communicate(timeout=PATIENCE)

    assert (143, "", "") == (process.returncode, rest, err)


def test_a_port_that_is_taken_is_said(shop: Shop) -> None:
    """It is something to choose again, and no bug."""
    with contextlib.closing(listen(0)) as taken:
        port = taken.getsockname()[1]
        found = shop.call("sandbox", "filecrm", "--port", str(port), "--json").document

    assert (3, "configuration") == (found["exit_code"], found["error"]["code"])
    assert f"Port {port} can't be used" in found["error"]["message"]
    assert "--port" in found["error"]["advice"]


def test_the_sandbox_tells_people_how_to_try_it(shop: Shop) -> None:
    """With its address, its token, the variable that the settings name, and a line for curl."""
    with shop.start("sandbox", "filecrm") as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(7)]
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)
    url, token = lines[1].split()[1], lines[2].split()[1]

    assert f"curl -H 'Authorization: Bearer {token}' {url}/" in lines[5]
    assert "{env: FILECRM_SANDBOX_TOKEN}}" in lines[3]
    assert f"export FILECRM_SANDBOX_TOKEN={token}\n" == lines[4].split(maxsplit=1)[1]
    assert 0 == process.returncode


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["sandbox", "nothing"], 3),
        (["sandbox", "filecrm", "--fault", "nothing=1"], 2),
        (["sandbox", "filecrm", "--fault", "limit=often"], 2),
        (["sandbox", "filecrm", "--fault", "limit=2"], 2),
        (["connections", "describe"], 2),
        (["connections", "describe", "nothing"], 3),
        (["report", "nothing"], 3),
        (["report", "--push"], 3),
        (["pull", "nothing"], 3),
        (["findings", "--severity", "awful"], 2),
        (["explain"], 2),
        (["apply", "missing.json", "--yes"], 3),
        (["nothing"], 2),
        (["--nothing"], 2),
        ([], 2),
    ],
)
def test_what_was_typed_wrong_is_said(shop: Shop, args: list[str], code: int) -> None:
    """With the right code, for people and as JSON."""
    said = shop.call(*args)

    assert (code, "") == (said.code, said.out)
    assert code == shop.call(*args, "--json").document["exit_code"]


def test_a_folder_without_a_project_is_said(tmp_path: Path, shop: Shop) -> None:
    """With the command that makes one."""
    said = shop.call("--project", str(tmp_path / "nowhere"), "check")

    assert 3 == said.code
    assert "crmbridge init" in said.err
