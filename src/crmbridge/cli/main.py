"""The entry point: read the command line, do it, answer, and end with the right code."""

from __future__ import annotations

import contextlib
import gc
import json
import sys
from collections.abc import Sequence

try:
    from crmbridge.cli.call import Call, Reply
    from crmbridge.cli.failures import reply_to
    from crmbridge.cli.grammar import WIDTH, Commands, asks_for_json
    from crmbridge.errors import CrmbridgeError
except KeyboardInterrupt:  # somebody was quicker than the imports; nothing was begun
    sys.stderr.write("Interrupted (Ctrl-C) before anything was begun.\n")
    raise SystemExit(130) from None


def run(args: Sequence[str]) -> int:
    """Run one command line and give its exit code. Whatever happens is answered; nothing is raised."""
    call = Call(json=asks_for_json(args))
    with call.stop.on_signals():
        try:
            reply = _do(call, args)
            code = _answer(call, reply)
        except BaseException as error:  # noqa: BLE001  the one place where everything ends
            reply = reply_to(error, call)
            code = reply.exit_code
            with contextlib.suppress(CrmbridgeError):  # there is nowhere left to say it
                _answer(call, reply)
    return code


def _do(call: Call, args: Sequence[str]) -> Reply:
    with commands.make_context("crmbridge", list(args), obj=call, max_content_width=WIDTH) as context:
        reply = commands.invoke(context)
    if not isinstance(reply, Reply):
        raise TypeError(f"the command {call.command!r} gave no reply")
    return reply


def _answer(call: Call, reply: Reply) -> int:
    """Print a reply: one JSON document, or lines for people."""
    if reply.printed:
        return reply.exit_code
    if call.json:
        call.err.show(reply.shown if call.verbose else ())
        call.out.write(json.dumps(reply.document(call.command), indent=2) + "\n")
    elif not (call.quiet and reply.exit_code == 0):
        call.out.show(reply.lines)
        call.err.show(reply.shown)
    return reply.exit_code


commands = Commands(run)


def main() -> None:
    """Run the command line that this process was started with."""
    # What imports make stays: looking through it after every 700 objects, as is usual, takes a tenth of the start.
    gc.set_threshold(200_000, 20, 20)
    try:
        commands.main()
    finally:
        # The interpreter looks through everything again before it ends, several times; what is frozen it passes over.
        # DuckDB's library complains of all that is left then, so with it there is no short way.
        if "_duckdb" not in sys.modules:
            gc.freeze()


if __name__ == "__main__":
    main()
