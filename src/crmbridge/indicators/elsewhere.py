"""Runs what reads the state for figures in a process of its own.

The figures are read through a second copy of SQLite, that of ADBC. Two copies in one process do not see each other's
locks, and closing a file in one drops those of the other ("How To Corrupt An SQLite Database File", sqlite.org, 2.2
and 2.2.1); so none of this may happen in a process that has the state open.
"""

from __future__ import annotations

import os
import pickle
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Final, ParamSpec, TypeVar, cast

from crmbridge.errors import CrmbridgeError, StateError

ROOM: Final = 2 * 1024**3  # bytes for a question: more than DuckDB takes before it writes to disk
Given = ParamSpec("Given")
Answer = TypeVar("Answer")


class Asker:
    """Who asks elsewhere in one thread, and in another may say that the answers are wanted no more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at_work: subprocess.Popen[bytes] | None = None
        self._is_over = False

    def end(self) -> None:
        """End what is at work, and whatever would be asked later."""
        with self._lock:
            self._is_over = True
            if self._at_work is not None:
                self._at_work.kill()

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Let what this thread calls elsewhere be asked by this one."""
        before = _asker.set(self)
        try:
            yield
        finally:
            _asker.reset(before)

    def note(self, process: subprocess.Popen[bytes] | None) -> None:
        """Note what is at work now; it is ended at once where nobody wants it."""
        with self._lock:
            self._at_work = process
            if self._is_over and process is not None:
                process.kill()


_asker: ContextVar[Asker | None] = ContextVar("asker", default=None)


def elsewhere(function: Callable[Given, Answer], *given: Given.args, **named: Given.kwargs) -> Answer:
    """Call a function of a module in another process, and give what it gives.

    What goes there and back is pickled. Its errors of `crmbridge.errors` are raised here; StateError when the process
    does not come to its end. It ends when the caller is interrupted, or its `Asker` is.
    """
    try:
        written = _asked(pickle.dumps((function, given, named)))
    except (OSError, subprocess.CalledProcessError) as error:
        raise StateError("The figures can't be computed", advice=_advice(error)) from error
    result = pickle.loads(written)  # noqa: S301  our own process wrote it
    if isinstance(result, CrmbridgeError):
        raise result
    return cast("Answer", result)


def _asked(question: bytes) -> bytes:
    """Give what another process answers; raises CalledProcessError for one that fails, or was ended."""
    command, pipe, asker = [sys.executable, "-P", "-m", __name__], subprocess.PIPE, _asker.get()
    # -P: what lies in the folder that we are in may be anybody's, and is never run.
    # In a group of its own: a signal to ours, such as Ctrl-C, is for us alone, who end it then.
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, process_group=0) as process:  # noqa: S603  our own program
        try:
            if asker is not None:
                asker.note(process)
            answer, said = process.communicate(question)
        except BaseException:
            process.kill()
            raise
        finally:
            if asker is not None:
                asker.note(None)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, answer, said)
    return answer


def bound_memory() -> None:
    """Let this process take no more than `ROOM` beside what it has, wherever the system can hold it to that.

    DuckDB counts what its tables and hashes take, and not one text that a question makes ever longer: only the system
    refuses that. Then DuckDB says that memory ran out, and the question ends. For a process that answers one question.
    """
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    except OSError:  # no Linux
        return
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    wanted = pages * resource.getpagesize() + ROOM
    resource.setrlimit(resource.RLIMIT_AS, (wanted if most == resource.RLIM_INFINITY else min(wanted, most), most))


def _advice(error: Exception) -> str:
    """Say what is known: the last line of what the process had to say, such as that memory ran out."""
    said = getattr(error, "stderr", None) or b""
    lines = said.decode("utf-8", "replace").strip().splitlines()
    return f"It ended with: {lines[-1] if lines else error}"


def _end_with(caller: int) -> None:
    """End with the caller, whom nobody may have asked: it was killed, or its terminal was closed."""
    while os.getppid() == caller:
        time.sleep(1)
    os._exit(1)


def _answer() -> None:
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever else is printed must not get among the answer
    function, given, named = pickle.load(sys.stdin.buffer)  # noqa: S301  our own process wrote it
    try:
        result = function(*given, **named)
    except CrmbridgeError as error:
        result = error
    with answers:
        pickle.dump(result, answers)


if __name__ == "__main__":
    _answer()
